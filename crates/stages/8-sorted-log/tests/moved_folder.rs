//! The folder of an open store is moved away, and another store is made at its path. The open one, whose lock went with
//! its folder, must not touch what is not its own. The same in the middle of a write, a flush or a merge is in
//! `tests/failure_modes/moved.rs`.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed, and plays the user who moves folders"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use logladder_engine::{Backup, Compact, Engine, Error, Open, Result};
use logladder_sorted_log::{Options, SortedLog, Work};

const MEMTABLE_BYTES: u64 = 400;

type Files = BTreeMap<String, Vec<u8>>;

fn open(dir: &Path) -> SortedLog {
    let options = Options::default().with_memtable_bytes(MEMTABLE_BYTES).with_work(Work::Caller);
    SortedLog::open(dir, options).unwrap()
}

/// Sets some keys twice, in several memtables, of which the last is not full.
fn fill(store: &SortedLog, value: &[u8]) {
    for round in 0..2_u8 {
        for key in 0..10_u8 {
            store.set(&[key], &[value, &[round; 40]].concat()).unwrap();
        }
    }
}

fn files_in(dir: &Path) -> Files {
    let read =
        |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    fs::read_dir(dir).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// What an open store is asked to do that concerns its files.
const DEEDS: [&str; 6] = ["sync", "rotate", "flush", "compact", "back up", "close"];

fn perform(deed: &str, store: SortedLog, backup: &Path) -> Result<()> {
    match deed {
        "sync" => store.sync(),
        "rotate" => (0..10).try_for_each(|_| store.set(b"more", &[1; 100])),
        "flush" => store.flush(),
        "compact" => store.compact().map(drop),
        "back up" => store.backup(backup),
        _ => Box::new(store).close(),
    }
}

fn assert_says_what_happened(outcome: Result<()>, deed: &str, dir: &Path) {
    let error = outcome.expect_err(deed);
    let is_typed = matches!(&error, Error::Io { path, source, .. } if path == dir && source.kind() == ErrorKind::NotFound);
    assert!(is_typed, "{deed}: {error:?}");
    assert!(error.to_string().contains("moved"), "{deed}: {error}");
}

#[test]
fn another_store_at_the_path_of_one_that_was_moved_away_is_left_as_it_is() {
    // With everything in tables, and with a log that still grows.
    for (deed, is_flushed) in DEEDS.into_iter().flat_map(|deed| [(deed, false), (deed, true)]) {
        if (deed, is_flushed) == ("flush", true) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let [dir, away, backup] = ["data", "data.old", "backup"].map(|name| folder.path().join(name));
        let store = open(&dir);
        fill(&store, b"first");
        if is_flushed {
            store.flush().unwrap();
        }
        fs::rename(&dir, &away).unwrap();
        let other = open(&dir);
        fill(&other, b"other");
        Box::new(other).close().unwrap();
        let before = files_in(&dir);

        assert_says_what_happened(perform(deed, store, &backup), deed, &dir);
        let after = files_in(&dir);
        let changed: Vec<&String> =
            before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).collect();
        assert!(changed.is_empty(), "{deed}, flushed {is_flushed}: {changed:?}");
        assert!(!backup.exists(), "{deed}: a backup of another store was begun");

        // What was acknowledged is where the folder is.
        let moved = open(&away);
        for key in 0..10_u8 {
            assert_eq!(moved.get(&[key]).unwrap().unwrap(), [b"first", &[1; 40][..]].concat(), "{deed}");
        }
    }
}

#[test]
fn a_store_whose_folder_was_moved_away_and_put_back_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let [dir, away] = ["data", "data.old"].map(|name| folder.path().join(name));
    let store = open(&dir);
    fill(&store, b"first");
    store.flush().unwrap();
    fs::rename(&dir, &away).unwrap();
    assert_says_what_happened(store.compact().map(drop), "compact", &dir);
    assert_eq!(store.get(&[3]).unwrap().unwrap(), [b"first", &[1; 40][..]].concat());
    fs::rename(&away, &dir).unwrap();
    store.compact().unwrap();
    fill(&store, b"again");
    Box::new(store).close().unwrap();
    assert_eq!(open(&dir).get(&[3]).unwrap().unwrap(), [b"again", &[1; 40][..]].concat());
}

#[test]
fn a_flush_while_the_folder_is_away_stops_no_write_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let [dir, away] = ["data", "data.old"].map(|name| folder.path().join(name));
    let store = open(&dir);
    store.set(b"key", b"first").unwrap();
    fs::rename(&dir, &away).unwrap();
    assert_says_what_happened(store.flush(), "flush", &dir);
    fs::rename(&away, &dir).unwrap();
    store.flush().unwrap();
    store.set(b"key", b"again").unwrap();
    Box::new(store).close().unwrap();
    assert_eq!(open(&dir).get(b"key").unwrap().unwrap(), b"again");
}

#[test]
fn a_sync_of_a_store_whose_folder_was_removed_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    let store = open(&dir);
    fill(&store, b"first");
    store.sync().unwrap();
    fs::remove_dir_all(&dir).unwrap();
    assert_says_what_happened(store.sync(), "sync", &dir);
}
