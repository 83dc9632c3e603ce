//! The real disk and the recording one behave alike, so that what is proven on the second holds on the first.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, RESERVE_STEP, RealDisk, RecordingDisk, replace};
use logladder_engine::{Error, SyncPolicy};

/// Runs `test` on both, each with a folder of its own.
fn on_both(test: impl Fn(&dyn Disk, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    test(&*RealDisk::shared(), folder.path());
    let recording = RecordingDisk::new();
    let dir = PathBuf::from("/store");
    recording.create_dir(&dir).unwrap();
    test(&recording, &dir);
}

fn kind(error: Error) -> ErrorKind {
    match error {
        Error::Io { source, .. } => source.kind(),
        other => panic!("not an Io error: {other}"),
    }
}

#[test]
fn an_append_says_where_it_starts_and_is_read_back() {
    on_both(|disk, dir| {
        let path = dir.join("log");
        let file = disk.create(&path).unwrap();
        assert_eq!(file.append(b"one").unwrap(), 0);
        assert_eq!(file.append(b"two").unwrap(), 3);
        assert_eq!(file.len(), 6);
        let mut middle = [0; 3];
        file.read_at(2, &mut middle).unwrap();
        assert_eq!(&middle, b"etw");
        assert_eq!(kind(file.read_at(4, &mut middle).unwrap_err()), ErrorKind::UnexpectedEof);
        file.sync().unwrap();
        assert_eq!(disk.read(&path).unwrap(), b"onetwo");
        assert_eq!(&*disk.map(&path).unwrap(), b"onetwo");
    });
}

#[test]
fn a_reserved_file_is_appended_to_in_place_until_it_is_full() {
    on_both(|disk, dir| {
        let path = dir.join("log");
        let file = disk.reserve(&path, 8).unwrap();
        assert_eq!(file.append(b"abcd").unwrap(), 0);
        assert_eq!(file.bytes(), Some(&b"abcd"[..]));
        assert_eq!(kind(file.append(b"12345").unwrap_err()), ErrorKind::StorageFull);
        assert_eq!(file.bytes(), Some(&b"abcd"[..]), "a refused append changes nothing");
        file.sync().unwrap();
        assert_eq!(disk.read(&path).unwrap(), b"abcd\0\0\0\0", "the reserve is zeros");
        assert!(file.truncate(2).is_err(), "published bytes may be borrowed: they stay");
        file.truncate(4).unwrap();
        assert_eq!(disk.read(&path).unwrap(), b"abcd");
    });
}

#[test]
fn the_space_of_a_reserved_file_grows_in_steps_up_to_its_capacity() {
    on_both(|disk, dir| {
        let path = dir.join("log");
        let len = || disk.entry(&path).unwrap().unwrap().len;
        let capacity = 2 * RESERVE_STEP + 10;
        let file = disk.reserve(&path, capacity).unwrap();
        assert_eq!(len(), RESERVE_STEP);
        let piece = vec![7; usize::try_from(RESERVE_STEP).unwrap() - 1];
        file.append(&piece).unwrap();
        assert_eq!(len(), RESERVE_STEP);
        file.append(b"abcd").unwrap();
        assert_eq!(len(), 2 * RESERVE_STEP);
        file.append(&piece).unwrap();
        assert_eq!(len(), capacity, "no further than it was made for");
        assert_eq!(kind(file.append(&[0; 9]).unwrap_err()), ErrorKind::StorageFull);
        file.append(&[9; 8]).unwrap();
        file.truncate(file.len()).unwrap();
        assert_eq!(disk.read(&path).unwrap(), [&piece[..], b"abcd", &piece, &[9; 8]].concat());
    });
}

#[test]
fn readers_of_a_reserve_see_whole_appends_while_it_grows() {
    on_both(|disk, dir| {
        let file = disk.reserve(&dir.join("log"), 64 * 1000).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..1000_u32).for_each(|n| {
                    assert_eq!(file.append(&[n.to_le_bytes()[0]; 64]).unwrap(), u64::from(n) * 64);
                });
            });
            scope.spawn(|| {
                while file.len() < 64 * 1000 {
                    let bytes = file.bytes().unwrap();
                    let (records, rest) = bytes.as_chunks::<64>();
                    assert!(rest.is_empty());
                    for (n, record) in records.iter().enumerate() {
                        assert_eq!(record, &[n.to_le_bytes()[0]; 64]);
                    }
                }
            });
        });
    });
}

#[test]
fn a_name_that_is_taken_is_not_made_again() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        disk.create(&path).unwrap().append(b"kept").unwrap();
        assert_eq!(kind(disk.create(&path).unwrap_err()), ErrorKind::AlreadyExists);
        assert_eq!(kind(disk.reserve(&path, 10).unwrap_err()), ErrorKind::AlreadyExists);
        assert_eq!(kind(disk.create_dir(&path).unwrap_err()), ErrorKind::AlreadyExists);
        assert_eq!(disk.read(&path).unwrap(), b"kept");
        disk.create_dir(dir).unwrap();
    });
}

#[test]
fn what_is_not_there_is_not_found() {
    on_both(|disk, dir| {
        let path = dir.join("absent");
        assert_eq!(disk.entry(&path).unwrap(), None);
        assert_eq!(kind(disk.open(&path).unwrap_err()), ErrorKind::NotFound);
        assert_eq!(kind(disk.map(&path).unwrap_err()), ErrorKind::NotFound);
        assert_eq!(kind(disk.remove(&path).unwrap_err()), ErrorKind::NotFound);
        assert_eq!(kind(disk.rename(&path, &dir.join("b")).unwrap_err()), ErrorKind::NotFound);
        assert_eq!(kind(disk.list(&path).unwrap_err()), ErrorKind::NotFound);
        assert_eq!(kind(disk.create(&path.join("in no folder")).unwrap_err()), ErrorKind::NotFound);
    });
}

#[test]
fn a_folder_is_listed_by_name_with_lengths() {
    on_both(|disk, dir| {
        disk.create(&dir.join("b")).unwrap().append(b"xyz").unwrap();
        disk.create(&dir.join("a")).unwrap();
        disk.create_dir(&dir.join("c")).unwrap();
        let entries = disk.list(dir).unwrap();
        let seen: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.len, e.is_dir)).collect();
        assert_eq!(seen, [("a", 0, false), ("b", 3, false), ("c", 0, true)]);
    });
}

#[test]
fn replace_puts_a_whole_file_in_place_of_a_whole_file_and_leaves_no_temporary() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        for (pieces, whole) in [(&[&b"old"[..]][..], &b"old"[..]), (&[b"new ", b"one"], b"new one")] {
            replace(disk, &path, pieces, SyncPolicy::Always).unwrap();
            assert_eq!(disk.read(&path).unwrap(), whole);
            assert_eq!(disk.list(dir).unwrap().len(), 1);
        }
    });
}

#[test]
fn replace_starts_afresh_where_an_earlier_one_was_interrupted() {
    on_both(|disk, dir| {
        disk.create(&dir.join("file.tmp")).unwrap().append(b"half a fi").unwrap();
        replace(disk, &dir.join("file"), &[b"whole"], SyncPolicy::Always).unwrap();
        assert_eq!(disk.read(&dir.join("file")).unwrap(), b"whole");
        assert_eq!(disk.list(dir).unwrap().len(), 1);
    });
}

#[test]
fn a_lock_is_held_by_one_until_it_is_dropped_and_its_file_stays() {
    on_both(|disk, dir| {
        let path = dir.join("lock");
        let held = disk.lock(&path).unwrap();
        assert!(matches!(disk.lock(&path), Err(Error::Locked { .. })));
        drop(held);
        assert!(disk.entry(&path).unwrap().is_some());
        disk.lock(&path).unwrap();
    });
}

#[test]
fn a_removed_file_is_still_read_by_who_has_it_open() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        let file = disk.create(&path).unwrap();
        file.append(b"still here").unwrap();
        let map = disk.map(&path).unwrap();
        disk.remove(&path).unwrap();
        let mut bytes = [0; 10];
        file.read_at(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"still here");
        assert_eq!(&*map, b"still here");
    });
}

#[test]
fn the_shared_disk_syncs_all_files_of_a_folder_at_once() {
    on_both(|disk, dir| {
        disk.create(&dir.join("a")).unwrap().append(b"1").unwrap();
        disk.create_dir(&dir.join("folder")).unwrap();
        disk.sync_files(dir).unwrap();
    });
}

#[test]
fn syncing_a_tree_leaves_nothing_in_it_for_a_loss_of_power_to_take() {
    let disk = RecordingDisk::new();
    let dir = Path::new("/store");
    for folder in ["/store", "/store/a", "/store/a/b", "/store/empty"] {
        disk.create_dir(Path::new(folder)).unwrap();
        disk.create(&Path::new(folder).join("file")).unwrap().append(b"1").unwrap();
    }
    let losses = || {
        let recording = logladder_disk::crash::Recording::of(&disk);
        recording.images_at(disk.op_count()).into_iter().filter(|image| image.loss.needs_power_loss()).count()
    };
    assert!(losses() > 0);
    disk.sync_tree(dir).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(losses(), 0);

    let real = tempfile::tempdir().unwrap();
    RealDisk.create_dir(&real.path().join("folder")).unwrap();
    RealDisk.sync_tree(real.path()).unwrap();
    assert!(RealDisk.sync_tree(&real.path().join("absent")).is_err());
}

#[test]
fn a_lock_ends_with_the_process_that_held_it() {
    // The child locks, says so, and is killed without a chance to unlock.
    const CHILD: &str = "LOGLADDER_TEST_LOCK";
    if let Ok(path) = std::env::var(CHILD) {
        let _held = RealDisk.lock(Path::new(&path)).unwrap();
        println!("locked");
        std::thread::park();
        unreachable!("nobody unparks this thread");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["a_lock_ends_with_the_process_that_held_it", "--exact", "--nocapture"])
        .env(CHILD, &path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    assert!(std::io::BufRead::lines(output).any(|line| line.unwrap().contains("locked")));
    assert!(matches!(RealDisk.lock(&path), Err(Error::Locked { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    RealDisk.lock(&path).unwrap();
}

#[test]
fn clones_of_a_recording_disk_share_it() {
    let disk = RecordingDisk::new();
    disk.create_dir(Path::new("/store")).unwrap();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    shared.create(Path::new("/store/file")).unwrap();
    assert!(disk.entry(Path::new("/store/file")).unwrap().is_some());
}

#[test]
fn files_made_at_the_same_time_share_no_bytes() {
    on_both(|disk, dir| {
        std::thread::scope(|scope| {
            for thread in 0..2 {
                scope.spawn(move || {
                    for number in 0..300 {
                        let name = format!("{thread}-{number}");
                        let file = disk.create(&dir.join(&name)).unwrap();
                        file.append(name.as_bytes()).unwrap();
                    }
                });
            }
        });
        for entry in disk.list(dir).unwrap() {
            assert_eq!(disk.read(&dir.join(&entry.name)).unwrap(), entry.name.as_bytes());
        }
    });
}
