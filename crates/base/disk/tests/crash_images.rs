//! The images are those that a crash could leave: no more is lost than was not synced, and no less.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use logladder_disk::crash::{Loss, Recording};
use logladder_disk::{Disk, Fault, Filter, Op, RecordingDisk, replace};
use logladder_engine::SyncPolicy;

const DIR: &str = "/store";

fn disk() -> RecordingDisk {
    let disk = RecordingDisk::new();
    disk.create_dir(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    RecordingDisk::from_tree(disk.tree())
}

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// What the file `name` holds in each image of a crash after everything: `None` where it is not there.
fn contents(disk: &RecordingDisk, name: &str, which: impl Fn(Loss) -> bool) -> BTreeSet<Option<Vec<u8>>> {
    let recording = Recording::of(disk);
    let images = recording.images_at(recording.ops.len());
    images
        .iter()
        .filter(|image| which(image.loss))
        .map(|image| {
            let mut files = image.tree.files();
            files.find(|(found, _)| *found == path(name)).map(|(_, bytes)| bytes.to_vec())
        })
        .collect()
}

fn set<const N: usize>(of: [Option<&[u8]>; N]) -> BTreeSet<Option<Vec<u8>>> {
    of.into_iter().map(|bytes| bytes.map(<[u8]>::to_vec)).collect()
}

#[test]
fn what_was_synced_with_its_folder_is_in_every_image() {
    let disk = disk();
    let file = disk.create(&path("log")).unwrap();
    file.append(b"safe").unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    assert_eq!(contents(&disk, "log", |_| true), set([Some(b"safe")]));
}

#[test]
fn a_file_whose_folder_was_not_synced_may_be_gone() {
    let disk = disk();
    let file = disk.create(&path("log")).unwrap();
    file.append(b"bytes").unwrap();
    file.sync().unwrap();
    assert_eq!(contents(&disk, "log", |_| true), set([None, Some(b"bytes")]));
    assert_eq!(contents(&disk, "log", |loss| !loss.needs_power_loss()), set([Some(b"bytes")]));
}

#[test]
fn an_unsynced_write_may_be_whole_absent_or_zeros_even_under_a_later_one() {
    let disk = disk();
    let file = disk.create(&path("log")).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file.append(b"one").unwrap();
    file.append(b"two").unwrap();
    let expected = set([Some(b"onetwo"), Some(b""), Some(b"\0\0\0two"), Some(b"one"), Some(b"one\0\0\0")]);
    assert_eq!(contents(&disk, "log", |_| true), expected);
}

#[test]
fn a_write_under_way_is_torn_at_each_of_its_bytes() {
    let disk = disk();
    let file = disk.create(&path("log")).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file.append(b"abc").unwrap();
    let recording = Recording::of(&disk);
    let before_the_write = recording.ops.len() - 1;
    let torn: Vec<Vec<u8>> = recording
        .images_at(before_the_write)
        .iter()
        .filter(|image| matches!(image.loss, Loss::Torn { .. }))
        .map(|image| image.tree.files().next().unwrap().1.to_vec())
        .collect();
    assert_eq!(torn, [&b"a"[..], b"ab"]);
}

#[test]
fn an_append_to_a_reserve_is_torn_and_lost_like_any_other() {
    let disk = disk();
    let file = disk.reserve(&path("log"), 4).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file.append(b"ab").unwrap();
    let seen = contents(&disk, "log", |_| true);
    assert_eq!(seen, set([Some(b"ab\0\0"), Some(b"\0\0\0\0"), Some(b"ab"), Some(b"")]));
}

#[test]
fn replace_leaves_the_old_file_or_the_new_one_at_every_step_of_every_crash() {
    let disk = disk();
    replace(&disk, &path("file"), &[b"old"], SyncPolicy::Always).unwrap();
    let disk = RecordingDisk::from_tree(disk.tree());
    replace(&disk, &path("file"), &[b"new"], SyncPolicy::Always).unwrap();
    let recording = Recording::of(&disk);
    let mut seen = BTreeSet::new();
    for after in 0..=recording.ops.len() {
        for image in recording.images_at(after) {
            let found = image.tree.files().find(|(found, _)| *found == path("file"));
            seen.insert(found.map(|(_, bytes)| bytes.to_vec()));
        }
    }
    assert_eq!(seen, set([Some(b"old"), Some(b"new")]));
}

#[test]
fn replace_without_syncs_may_leave_an_empty_file_after_a_power_loss() {
    let disk = disk();
    replace(&disk, &path("file"), &[b"new"], SyncPolicy::Never).unwrap();
    assert!(contents(&disk, "file", |_| true).contains(&Some(Vec::new())));
    assert_eq!(contents(&disk, "file", |loss| !loss.needs_power_loss()), set([Some(b"new")]));
}

#[test]
fn a_sync_after_a_failed_one_does_not_bring_back_what_that_one_lost() {
    let disk = disk();
    let file = disk.create(&path("log")).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file.append(b"lost").unwrap();
    disk.inject(Fault { on: Filter::Sync, after: 0, torn_at: 0, kind: ErrorKind::Other });
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert!(contents(&disk, "log", |_| true).contains(&Some(Vec::new())));
}

#[test]
fn the_death_of_a_process_makes_nothing_durable_that_was_not() {
    let first = disk();
    let file = first.create(&path("log")).unwrap();
    file.append(b"abc").unwrap();
    let next = RecordingDisk::resume(Recording::of(&first));
    assert_eq!(next.read(&path("log")).unwrap(), b"abc");
    let unsynced = |loss| loss == Loss::Unsynced;
    assert_eq!(contents(&next, "log", unsynced), set([None]));
    next.sync_files(Path::new(DIR)).unwrap();
    assert_eq!(contents(&next, "log", |_| true), set([Some(b"abc")]));
}

#[test]
fn a_forgotten_sync_makes_nothing_durable() {
    let disk = disk();
    let file = disk.create(&path("log")).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    disk.forget(Filter::Sync);
    file.append(b"lost").unwrap();
    file.sync().unwrap();
    assert!(contents(&disk, "log", |_| true).contains(&Some(Vec::new())));
}

#[test]
fn a_fault_fails_the_operation_it_counts_to_and_tears_the_append() {
    let disk = disk();
    let file = disk.create(&path("log")).unwrap();
    disk.inject(Fault { on: Filter::Append, after: 1, torn_at: 2, kind: ErrorKind::StorageFull });
    file.append(b"good").unwrap();
    assert!(file.append(b"torn").is_err());
    assert_eq!(file.len(), 4);
    assert_eq!(disk.read(&path("log")).unwrap(), b"goodto");
    assert_eq!(file.append(b"next").unwrap(), 4, "the next append starts where the torn one did");
    assert_eq!(disk.read(&path("log")).unwrap(), b"goodnext");
}

#[test]
fn a_read_only_disk_refuses_every_change() {
    let disk = disk();
    let file = disk.create(&path("log")).unwrap();
    disk.set_read_only(true);
    assert!(file.append(b"x").is_err());
    assert!(disk.create(&path("other")).is_err());
    assert!(disk.remove(&path("log")).is_err());
    assert_eq!(disk.read(&path("log")).unwrap(), b"");
}

#[test]
fn a_loss_of_power_leaves_the_image_without_everything_unsynced_and_files_keep_their_numbers() {
    let disk = disk();
    let before = disk.op_count();
    let file = disk.create(&path("log")).unwrap();
    file.append(b"safe").unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file.append(b" and late").unwrap();
    disk.create(&path("other")).unwrap();
    let recording = Recording::of(&disk);
    let image =
        recording.images_at(recording.ops.len()).into_iter().find(|image| image.loss == Loss::Unsynced);
    let left = recording.after_power_loss();
    assert_eq!(left.fingerprint(), image.unwrap().tree.fingerprint());
    assert_eq!(left.files().collect::<Vec<_>>(), [(&*path("log"), &b"safe"[..])]);
    let ops = disk.ops_behind(before);
    assert_eq!(ops, recording.ops, "all that was done");
    assert!(disk.ops_behind(disk.op_count()).is_empty() && disk.ops_behind(usize::MAX).is_empty());
    let Some(Op::Create { path: made, file }) = ops.first() else { panic!("{ops:?}") };
    assert_eq!(disk.tree().name_of(*file), Some(&**made));
    disk.rename(&path("log"), &path("new")).unwrap();
    assert_eq!(disk.tree().name_of(*file), Some(&*path("new")));
    disk.remove(&path("new")).unwrap();
    assert_eq!(disk.tree().name_of(*file), None);
}
