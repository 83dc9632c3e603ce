//! How many versions a store keeps is remembered by the store.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "files are damaged, not written")]

use std::ops::ControlFlow;
use std::path::Path;

use logladder_engine::{Atomic, Backup, Batch, Compact, Engine, Error, Iterate, Open};
use logladder_hash_log::{Compaction, HashLog, Options, Reader, salvage};

const KEY: &[u8] = b"key";

fn options() -> Options {
    Options::default().with_segment_bytes(300).with_compaction(Compaction::OnDemand)
}

/// The values of the key, the newest first, or none if the store keeps no history.
fn values(store: &HashLog) -> Option<Vec<u8>> {
    let mut values = Vec::new();
    store
        .as_history()?
        .versions(KEY, &mut |version| {
            values.extend_from_slice(version.value.unwrap_or(b"-"));
            ControlFlow::Continue(())
        })
        .unwrap();
    Some(values)
}

/// A store that was told to keep three versions, and closed.
fn store_of_three(dir: &Path) {
    let store = HashLog::open(dir, options().with_versions(3)).unwrap();
    for value in [b"1", b"2", b"3", b"4"] {
        store.set(KEY, value).unwrap();
    }
    Box::new(store).close().unwrap();
}

#[test]
fn a_store_that_is_opened_without_a_word_of_versions_keeps_as_many_as_before() {
    let dir = tempfile::tempdir().unwrap();
    store_of_three(dir.path());
    for (added, expected) in [(b"5", b"543"), (b"6", b"654")] {
        let store = HashLog::open(dir.path(), options()).unwrap();
        store.set(KEY, added).unwrap();
        store.compact().unwrap();
        assert_eq!(values(&store).unwrap(), expected);
        Box::new(store).close().unwrap();
    }
}

#[test]
fn a_new_store_keeps_one_version_of_each_key() {
    let dir = tempfile::tempdir().unwrap();
    let store = HashLog::open(dir.path(), options()).unwrap();
    assert!(store.as_history().is_none());
}

#[test]
fn the_number_that_was_said_last_is_the_one_that_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    store_of_three(dir.path());
    let store = HashLog::open(dir.path(), options().with_versions(2)).unwrap();
    assert_eq!(values(&store).unwrap(), b"43");
    // Killed: nothing is written at a clean close that was not there before.
    drop(store);
    let store = HashLog::open(dir.path(), options()).unwrap();
    store.set(KEY, b"5").unwrap();
    assert_eq!(values(&store).unwrap(), b"54");
    drop(store);
    let store = HashLog::open(dir.path(), options().with_versions(1)).unwrap();
    assert!(store.as_history().is_none());
    drop(store);
    let store = HashLog::open(dir.path(), options()).unwrap();
    assert!(store.as_history().is_none());
}

#[test]
fn a_store_without_a_single_write_remembers_it_from_its_first_write_on() {
    let dir = tempfile::tempdir().unwrap();
    Box::new(HashLog::open(dir.path(), options().with_versions(3)).unwrap()).close().unwrap();
    store_of_three(dir.path());
    assert_eq!(values(&HashLog::open(dir.path(), options()).unwrap()).unwrap(), b"432");
}

/// From the records, since the store is not closed. The time it takes must not grow with the square of their number.
#[test]
fn a_store_with_thousands_of_versions_of_a_key_is_opened_without_a_checkpoint() {
    const COUNT: u16 = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().with_compaction(Compaction::OnDemand).with_versions(usize::MAX);
    let store = HashLog::open(dir.path(), options).unwrap();
    let mut batch = Batch::new();
    for number in 0..COUNT {
        batch.set(b"set", &number.to_le_bytes());
        batch.delete(b"deleted");
    }
    store.write(&batch).unwrap();
    drop(store);
    let store = HashLog::open(dir.path(), options).unwrap();
    let mut expected = (0..COUNT).rev();
    let history = store.as_history().unwrap();
    history
        .versions(b"set", &mut |version| {
            assert_eq!(version.value, expected.next().map(u16::to_le_bytes).as_ref().map(|bytes| &bytes[..]));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(expected.next(), None);
    let mut deletes = 0;
    history
        .versions(b"deleted", &mut |version| {
            deletes += u16::from(version.value.is_none());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(deletes, COUNT);
    assert_eq!(store.stats().unwrap().live_keys, 1);
}

#[test]
fn a_backup_keeps_as_many_versions_as_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = (dir.path().join("store"), dir.path().join("copy"));
    store_of_three(&store);
    HashLog::open(&store, options()).unwrap().backup(&copy).unwrap();
    assert_eq!(values(&HashLog::open(&copy, options()).unwrap()).unwrap(), b"432");
}

#[test]
fn what_is_salvaged_keeps_as_many_versions_as_the_damaged_store() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    store_of_three(&old);
    salvage(&old, &new).unwrap();
    assert_eq!(values(&HashLog::open(&new, options()).unwrap()).unwrap(), b"432");
}

#[test]
fn a_reader_beside_the_writer_does_not_change_how_many_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    store_of_three(dir.path());
    let store = HashLog::open(dir.path(), options()).unwrap();
    let reader = Reader::open(dir.path(), options().with_versions(1)).unwrap();
    assert_eq!(reader.get(KEY).unwrap().unwrap(), b"4");
    store.set(KEY, b"5").unwrap();
    store.compact().unwrap();
    assert_eq!(values(&store).unwrap(), b"543");
}

/// Flips a bit of the last place in the folder's segments where `bytes` stand, `before` bytes ahead of them.
fn damage(dir: &Path, bytes: &[u8], before: usize) {
    let mut segments: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|end| end == "log"));
    segments.sort();
    for path in segments.iter().rev() {
        let mut content = std::fs::read(path).unwrap();
        if let Some(place) = content.windows(bytes.len()).rposition(|window| window == bytes) {
            content[place - before] ^= 1;
            return std::fs::write(path, content).unwrap();
        }
    }
    panic!("{bytes:?} stand nowhere");
}

/// With versions, the index knows older records of the key that are whole.
#[test]
fn a_damaged_newest_version_is_an_error_and_no_older_one_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let store = HashLog::open(dir.path(), options().with_versions(3)).unwrap();
    store.set(b"balance", b"old-value").unwrap();
    store.set(b"balance", b"new-value").unwrap();
    store.set(b"gone", b"was-here").unwrap();
    store.delete(b"gone").unwrap();
    // So that it opens from its checkpoint, without reading the records.
    Box::new(store).close().unwrap();
    damage(dir.path(), b"new-value", 0);
    // In the header of the tombstone.
    damage(dir.path(), b"gone", 1);

    let store = HashLog::open(dir.path(), options()).unwrap();
    for (key, old) in [(&b"balance"[..], &b"old-value"[..]), (b"gone", b"was-here")] {
        let is_damaged = |outcome: Result<(), Error>| {
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{key:?}: {error}");
        };
        is_damaged(store.get(key).map(drop));
        is_damaged(store.get_ref(key).map(drop));
        let mut shown = 0;
        is_damaged(store.get_many(&[key], &mut |_, _| shown += 1));
        assert_eq!(shown, 0, "{key:?} was shown");
        is_damaged(store.compare_and_set(key, Some(old), Some(b"newest")).map(drop));
        is_damaged(store.for_each(&mut |_, _| ControlFlow::Continue(())));
    }
}
