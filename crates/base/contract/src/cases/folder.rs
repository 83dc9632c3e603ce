//! The store's folder: whose it is, who has it open, and what an engine must leave alone.

use std::path::Path;

use logladder_disk::{LOCK_FILE, TEMPORARY_SUFFIX};
use logladder_engine::Error;

use crate::Bench;

/// A store with one key, closed.
fn closed_store(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    store.close();
}

#[track_caller]
fn names(error: &Error, path: &Path) {
    let message = error.to_string();
    let path = path.display().to_string();
    assert!(message.contains(&path), "the message names {path}: {message}");
}

pub(crate) fn missing_folders_are_made(bench: &Bench) {
    let dir = bench.beside("a/b/c");
    let store = bench.open_at(&dir);
    store.set("key", "value");
    store.close();
    bench.open_at(&dir).holds("key", "value");
}

pub(crate) fn an_empty_folder_becomes_a_store(bench: &Bench) {
    assert!(bench.disk().create_dir(&bench.dir()).is_ok());
    closed_store(bench);
    bench.open().holds("key", "value");
}

pub(crate) fn a_file_in_place_of_the_folder_is_refused_and_left_alone(bench: &Bench) {
    bench.put(&bench.dir(), b"precious");
    let error = bench.refusal();
    assert!(matches!(error, Error::Io { .. } | Error::ForeignStore { .. }), "{error}");
    names(&error, &bench.dir());
    assert!(bench.disk().read(&bench.dir()).is_ok_and(|bytes| bytes == b"precious"));
}

pub(crate) fn a_file_above_the_folder_is_refused_and_left_alone(bench: &Bench) {
    let file = bench.beside("file");
    bench.put(&file, b"precious");
    match bench.try_open_at(&file.join("store")) {
        Ok(_) => panic!("a store was opened inside a file"),
        Err(error) => names(&error, &file),
    }
    assert!(bench.disk().read(&file).is_ok_and(|bytes| bytes == b"precious"));
}

pub(crate) fn an_open_store_is_not_opened_twice(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let error = bench.refusal();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    names(&error, &bench.marker());
    // The one that has it goes on undisturbed, and still has it.
    store.set("key", "another");
    store.holds("key", "another");
    assert!(matches!(bench.refusal(), Error::Locked { .. }));
}

pub(crate) fn closing_gives_the_store_back(bench: &Bench) {
    closed_store(bench);
    let store = bench.open();
    store.holds("key", "value");
}

pub(crate) fn dropping_gives_the_store_back(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    drop(store);
    let store = bench.open();
    assert!(matches!(bench.refusal(), Error::Locked { .. }));
    drop(store);
    let _ = bench.open();
}

pub(crate) fn a_refused_opening_gives_the_store_back(bench: &Bench) {
    closed_store(bench);
    let good = bench.files().remove(LOCK_FILE).unwrap_or_default();
    bench.put(&bench.marker(), b"logladder another-stage 1\n");
    let _ = bench.refusal();
    let _ = bench.refusal();
    bench.put(&bench.marker(), &good);
    bench.open().holds("key", "value");
}

/// Whoever removes a lock file on release ends with two owners: one of the removed file, one of the new.
pub(crate) fn the_lock_file_is_never_removed(bench: &Bench) {
    let stands = || bench.disk().entry(&bench.marker()).is_ok_and(|entry| entry.is_some());
    let store = bench.open();
    assert!(stands(), "while it is open");
    store.close();
    assert!(stands(), "when it is closed");
    drop(bench.open());
    assert!(stands(), "when it is dropped");
    if let Some(disk) = bench.recording() {
        let removed = disk
            .ops()
            .iter()
            .any(|op| matches!(op, logladder_disk::Op::Remove(path) if *path == bench.marker()));
        assert!(!removed, "it was removed in between");
    }
}

pub(crate) fn a_folder_of_another_stage_is_refused_and_left_alone(bench: &Bench) {
    bench.put(&bench.marker(), b"logladder another-stage 1\n");
    bench.put(&bench.path("data"), b"precious");
    let before = bench.files();
    let error = bench.refusal();
    assert!(matches!(error, Error::ForeignStore { .. }), "{error}");
    names(&error, &bench.dir());
    assert!(error.to_string().contains("another-stage"), "the message names what is there: {error}");
    assert_eq!(bench.files(), before);
}

pub(crate) fn a_newer_format_is_refused_by_its_version_and_left_alone(bench: &Bench) {
    closed_store(bench);
    let marker = bench.files().remove(LOCK_FILE).unwrap_or_default();
    let line = String::from_utf8_lossy(&marker).trim_end().to_owned();
    let Some((before_version, version)) = line.rsplit_once(' ') else { panic!("{LOCK_FILE} says `{line}`") };
    let version: u32 = version.parse().unwrap_or_default();
    bench.put(&bench.marker(), format!("{before_version} {}\n", version + 1).as_bytes());
    let before = bench.files();
    match bench.refusal() {
        Error::UnsupportedVersion { path, found, supported } => {
            assert_eq!((path, found, supported), (bench.marker(), version + 1, version));
        }
        error => panic!("it was refused with another error than UnsupportedVersion: {error}"),
    }
    assert_eq!(bench.files(), before);
    bench.put(&bench.marker(), &marker);
    bench.open().holds("key", "value");
}

pub(crate) fn a_damaged_marker_is_refused_and_left_alone(bench: &Bench) {
    closed_store(bench);
    for damaged in [&b"something else\n"[..], b"\xFF\xFF\xFF", b"logladder  \n", b"logladder 1\n\n\n"] {
        bench.put(&bench.marker(), damaged);
        let before = bench.files();
        let error = bench.refusal();
        names(&error, &bench.dir());
        assert_eq!(bench.files(), before);
    }
}

pub(crate) fn a_folder_of_strangers_files_is_refused_and_left_alone(bench: &Bench) {
    bench.put(&bench.path("letter to grandmother.txt"), b"precious");
    let before = bench.files();
    let error = bench.refusal();
    assert!(matches!(error, Error::ForeignStore { .. }), "{error}");
    names(&error, &bench.dir());
    assert_eq!(bench.files(), before, "not even a lock file is added");
}

pub(crate) fn temporary_files_of_an_interrupted_write_are_ignored(bench: &Bench) {
    closed_store(bench);
    let own_files: Vec<String> = bench.files().into_keys().filter(|name| name != LOCK_FILE).collect();
    for name in &own_files {
        bench.put(&bench.path(&format!("{name}{TEMPORARY_SUFFIX}")), b"half of someth");
    }
    let stranger = format!("thesis{TEMPORARY_SUFFIX}");
    bench.put(&bench.path(&stranger), b"years of work");
    let store = bench.open();
    store.holds("key", "value");
    assert_eq!(store.stats().live_keys, 1);
    store.set("key", "another");
    store.set("other", "value");
    let store = bench.reopen(store);
    store.holds("key", "another");
    store.holds("other", "value");
    let is_temporary = |name: &String| name.ends_with(TEMPORARY_SUFFIX) && *name != stranger;
    let left: Vec<String> = bench.files().into_keys().filter(is_temporary).collect();
    assert!(left.is_empty(), "they were left lying about: {left:?}");
    assert!(bench.files().contains_key(&stranger), "a stranger's file was removed");
}

/// What an earlier opening cut off and kept belongs to the user.
pub(crate) fn kept_tails_are_left_alone(bench: &Bench) {
    closed_store(bench);
    let kept = bench.path("data.torn-42");
    bench.put(&kept, b"half a record");
    let store = bench.open();
    store.holds("key", "value");
    assert_eq!(store.stats().live_keys, 1);
    assert_eq!(store.engine().repairs(), [], "an old repair is not reported again");
    store.close();
    assert!(bench.disk().read(&kept).is_ok_and(|bytes| bytes == b"half a record"));
}

pub(crate) fn two_stores_share_nothing(bench: &Bench) {
    let (one, other) = (bench.open(), bench.open_at(&bench.beside("other")));
    one.set("key", "one");
    other.set("key", "other");
    other.delete("absent");
    one.holds("key", "one");
    other.holds("key", "other");
    one.delete("key");
    other.holds("key", "other");
}

pub(crate) fn a_new_store_on_a_read_only_disk_is_refused(bench: &Bench) {
    let Some(disk) = bench.recording() else { return };
    disk.set_read_only(true);
    let error = bench.refusal();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    names(&error, &bench.dir());
    assert!(error.to_string().contains("permission"), "the message says why: {error}");
    assert_eq!(disk.op_count(), 0);
    disk.set_read_only(false);
    closed_store(bench);
}

pub(crate) fn a_disk_that_turns_read_only_fails_writes_and_not_reads(bench: &Bench) {
    let Some(disk) = bench.recording() else { return };
    let store = bench.open();
    store.set("key", "value");
    store.sync();
    disk.set_read_only(true);
    let before = bench.files();
    match store.engine().set(b"key", b"another") {
        Ok(()) => panic!("a set succeeded on a read-only disk"),
        Err(error) => names(&error, &bench.dir()),
    }
    store.holds("key", "value");
    assert!(store.engine().delete(b"key").is_err(), "a delete succeeded on a read-only disk");
    store.holds("key", "value");
    assert_eq!(bench.files(), before);
    drop(store);
    disk.set_read_only(false);
    bench.open().holds("key", "value");
}
