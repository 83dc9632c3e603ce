//! Files that are missing, cut, too many, or another store's; and folders that are none of ours.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::{RealDisk, RecordingDisk};
use logladder_engine::{Compact, Engine, Error, Expire, Expiry, History, Open};
use logladder_hash_log::{HashLog, Options, Severity, check_with};

use crate::bench::{
    Contents, DIR, NEW, bytes, check, close, contents, names, old_files, open, open_at, options, path,
    places, problems, salvage, segments, with, write_story,
};

fn closed_store() -> (RecordingDisk, Contents) {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    write_story(&store);
    let expected = contents(&store);
    close(store);
    (disk, expected)
}

#[test]
fn a_store_without_its_manifest_is_reported_and_salvaged_from_its_segments() {
    let (disk, expected) = closed_store();
    let without = with(&disk, "MANIFEST", None);
    let report = check(&without);
    assert_eq!(problems(&report.problems), [("MANIFEST".into(), 0, Severity::Damage)]);
    assert_eq!(report.keys, expected.len() as u64, "its records are read all the same");
    assert_eq!(salvage(&without).0, expected);
    let torn = with(&disk, "MANIFEST", Some(b"LLHM".to_vec()));
    assert_eq!(salvage(&torn).0, expected);
}

#[test]
fn each_missing_segment_is_reported_and_the_others_are_salvaged() {
    let (disk, expected) = closed_store();
    for name in segments(&disk) {
        let without = with(&disk, &name, None);
        let found = problems(&check(&without).problems);
        assert!(found.contains(&(name.clone(), 0, Severity::Damage)), "{name}: {found:?}");
        let lost: Vec<Vec<u8>> = places(&bytes(&disk, &name)).into_iter().map(|place| place.key).collect();
        let salvaged = salvage(&without).0;
        for (key, value) in expected.iter().filter(|(key, _)| !lost.contains(key)) {
            assert_eq!(salvaged.get(key), Some(value), "{name}: {key:?}");
        }
    }
}

#[test]
fn a_segment_that_is_cut_in_a_record_is_reported_there_and_salvaged_up_to_there() {
    let (disk, expected) = closed_store();
    let name = segments(&disk).pop().unwrap();
    let whole = bytes(&disk, &name);
    for place in places(&whole) {
        let middle = usize::midpoint(place.bytes.start, place.bytes.end);
        let cut = with(&disk, &name, Some(whole[..middle].to_vec()));
        let found = problems(&check(&cut).problems);
        let start = place.bytes.start as u64;
        assert!(found.contains(&(name.clone(), start, Severity::Damage)), "{place:?}: {found:?}");
        let gone = places(&whole).into_iter().filter(|other| other.bytes.start >= place.bytes.start);
        let gone: Vec<Vec<u8>> = gone.map(|place| place.key).collect();
        let salvaged = salvage(&cut).0;
        for (key, value) in expected.iter().filter(|(key, _)| !gone.contains(key)) {
            assert_eq!(salvaged.get(key), Some(value), "{place:?}: {key:?}");
        }
    }
}

#[test]
fn a_segment_of_another_store_is_reported_and_not_used() {
    let (disk, expected) = closed_store();
    let other = RecordingDisk::new();
    let store = open_at(&other, DIR, options().with_hash_key([8; 16]));
    store.set(b"a", b"wrong").unwrap();
    store.set(b"stranger", b"wrong").unwrap();
    close(store);
    let stranger = bytes(&other, "segment-0000000001.log");
    for (name, has_manifest) in [
        ("segment-0000000099.log", true),
        ("segment-0000000099.log", false),
        ("segment-0000000001.log", true),
    ] {
        let mut mixed = with(&disk, name, Some(stranger.clone()));
        if !has_manifest {
            mixed = with(&mixed, "MANIFEST", None);
        }
        let report = check(&mixed);
        let named = report.problems.iter().find(|problem| problem.path == path(name)).unwrap();
        assert_eq!(named.severity, Severity::Damage);
        assert!(named.what.contains("another"), "{named}");
        assert_eq!(salvage(&mixed).0, expected, "{name}");
    }
}

/// What compaction left is as dead as it was, unless something else is damaged.
#[test]
fn a_segment_that_compaction_was_done_with_does_not_bring_back_what_was_deleted() {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    store.set(b"a", b"1").unwrap();
    store.seal().unwrap();
    let old = bytes(&disk, "segment-0000000001.log");
    store.delete(b"a").unwrap();
    store.compact().unwrap();
    store.set(b"b", b"2").unwrap();
    let expected = contents(&store);
    close(store);
    assert!(!names(&disk).contains(&"segment-0000000001.log".into()));
    let left = with(&disk, "segment-0000000001.log", Some(old));
    let report = check(&left);
    assert!(report.is_healthy(), "{:?}", report.problems);
    assert_eq!(report.problems.len(), 1, "and it is remarked on");
    assert_eq!(salvage(&left).0, expected);
}

#[test]
fn files_that_the_store_does_not_need_are_remarked_on() {
    let (disk, _) = closed_store();
    let mut more = disk;
    for name in ["MANIFEST.tmp", "segment-0000000001.log.torn-40", "notes.txt", "segment-0000000099.hint"] {
        more = with(&more, name, Some(b"something".to_vec()));
    }
    let report = check(&more);
    assert!(report.is_healthy(), "{:?}", report.problems);
    assert_eq!(report.problems.len(), 4, "{:?}", report.problems);
    assert_eq!(report.worst(), Some(Severity::Remark));
}

#[test]
fn ends_and_versions_are_salvaged() {
    let disk = RecordingDisk::new();
    let versions = options().with_versions(3);
    let store = open_at(&disk, DIR, versions);
    for value in [b"1", b"2", b"3", b"4"] {
        store.set(b"key", value).unwrap();
    }
    let end = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 36);
    store.set_until(b"ends", b"later", end).unwrap();
    close(store);
    let shared = Arc::new(disk.clone());
    logladder_hash_log::salvage_with(shared, Path::new(DIR), Path::new(NEW), versions, &mut |_| ()).unwrap();
    let store = open_at(&disk, NEW, versions);
    assert_eq!(store.expiry(b"ends").unwrap(), Expiry::At(end));
    let mut found = Vec::new();
    store
        .versions(b"key", &mut |version| {
            found.push(version.value.map(<[u8]>::to_vec));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(found, [b"4", b"3", b"2"].map(|value| Some(value.to_vec())));
}

#[test]
fn an_open_store_and_a_folder_of_something_else_are_refused() {
    let (disk, _) = closed_store();
    let check_at = |dir: &str| check_with(Arc::new(disk.clone()), Path::new(dir), &mut |_| ());
    let store = open(&disk);
    assert!(matches!(check_at(DIR), Err(Error::Locked { .. })));
    drop(store);
    assert!(check_at(DIR).is_ok());
    let shared = Arc::new(disk.clone());
    let into = |dir: &str| {
        logladder_hash_log::salvage_with(
            shared.clone(),
            Path::new(DIR),
            Path::new(dir),
            options(),
            &mut |_| (),
        )
    };
    assert!(matches!(into(DIR), Err(Error::NotEmpty { .. })));
    assert!(matches!(into("/store/new"), Err(Error::Unsupported { .. })));
    let before = old_files(&disk);
    close(open_at(&disk, NEW, options()));
    assert!(matches!(into(NEW), Err(Error::NotEmpty { .. })));
    assert_eq!(old_files(&disk), before);
}

/// On the file system, where a lock file that is not there is not made either.
#[test]
fn a_folder_without_a_lock_file_gets_none() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let store = HashLog::open(&old, Options::default()).unwrap();
    store.set(b"name", b"anna").unwrap();
    close(store);
    fs::remove_file(old.join("LOGLADDER")).unwrap();
    let files = |dir: &Path| -> BTreeMap<_, _> {
        fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    };
    let before = files(&old);
    let mut seen = 0;
    let report = check_with(RealDisk::shared(), &old, &mut |progress| {
        assert!(progress.done <= progress.total);
        seen += 1;
    });
    assert_eq!((report.unwrap().files, seen), (before.len() as u64, before.len()));
    assert_eq!(logladder_hash_log::salvage(&old, &new).unwrap().keys, 1);
    assert_eq!(files(&old), before);
    let fresh = dir.path().join("fresh");
    fs::create_dir(&fresh).unwrap();
    assert!(matches!(logladder_hash_log::check(&fresh), Err(Error::ForeignStore { .. })));
    assert!(files(&fresh).is_empty());
}

/// A copy of an older record may stand in a segment with a higher number.
#[test]
fn the_newest_record_of_a_key_wins_whatever_segment_it_is_in() {
    let disk = RecordingDisk::new();
    let store = open_at(&disk, DIR, options().with_segment_bytes(4_000));
    store.set(b"a", b"old").unwrap();
    store.seal().unwrap();
    store.set(b"b", b"1").unwrap();
    store.compact_segments(&[1]).unwrap();
    store.set(b"a", b"new").unwrap();
    let expected = contents(&store);
    drop(store);
    assert_eq!(salvage(&disk).0, expected);
}
