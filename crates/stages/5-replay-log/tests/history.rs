//! Versions of keys: the newest is in memory, older ones are in the lines.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed, and plays the one who damages a file"
)]

use std::fs::OpenOptions;
use std::ops::ControlFlow;
use std::path::Path;

use logladder_engine::{Backup, Compact, Engine, Error, History, Open, SyncPolicy};
use logladder_replay_log::{Housekeeping, Options, Persistence, ReplayLog};

fn open(dir: &Path, sync: SyncPolicy) -> ReplayLog {
    let options = Options::default().with_housekeeping(Housekeeping::OnDemand).with_sync(sync);
    ReplayLog::open(dir, options.with_persistence(Persistence::Both).with_history(true)).unwrap()
}

type Shown = Vec<(u64, Option<Vec<u8>>)>;

/// The newest `most` versions.
fn newest(store: &ReplayLog, key: &[u8], most: usize) -> Result<Shown, Error> {
    let mut shown = Shown::new();
    store.versions(key, &mut |version| {
        shown.push((version.number, version.value.map(<[u8]>::to_vec)));
        if shown.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(shown)
}

#[test]
fn the_newest_version_is_shown_without_a_look_at_the_lines() {
    let folder = tempfile::tempdir().unwrap();
    for sync in [SyncPolicy::Always, SyncPolicy::Never] {
        let dir = folder.path().join(format!("{sync:?}"));
        let store = open(&dir, sync);
        for value in [b"1", b"2", b"3"] {
            store.set(b"key", value).unwrap();
        }
        store.set(b"gone", b"1").unwrap();
        store.delete(b"gone").unwrap();
        Box::new(store).close().unwrap();

        let store = open(&dir, sync);
        store.set(b"key", b"4").unwrap();
        // Whoever looks at the lines finds that there are none.
        let lines = OpenOptions::new().write(true).open(dir.join("appendonly-0000000001.aof")).unwrap();
        lines.set_len(0).unwrap();
        assert_eq!(newest(&store, b"key", 1).unwrap(), [(4, Some(b"4".to_vec()))]);
        assert_eq!(newest(&store, b"gone", 1).unwrap(), [(2, None)]);
        assert_eq!(newest(&store, b"never", 1).unwrap(), []);
        newest(&store, b"key", 2).expect_err("the older one is not there");
    }
}

#[test]
fn the_numbers_of_versions_go_on_through_rewrites_and_copies_made_while_nobody_asks_for_them() {
    let plain = || Options::default().with_housekeeping(Housekeeping::OnDemand).with_sync(SyncPolicy::Never);
    for has_base in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let [dir, copy] = ["store", "copy"].map(|name| folder.path().join(name));
        let store = open(&dir, SyncPolicy::Never);
        for value in [b"1", b"2", b"3"] {
            store.set(b"key", value).unwrap();
        }
        store.set(b"gone", b"1").unwrap();
        store.delete(b"gone").unwrap();
        if has_base {
            store.compact().unwrap();
        }
        drop(store);
        let store = ReplayLog::open(&dir, plain()).unwrap();
        assert!(store.as_history().is_none(), "nobody has asked for it");
        store.set(b"key", b"4").unwrap();
        store.backup(&copy).unwrap();
        store.compact().unwrap();
        store.set(b"gone", b"3").unwrap();
        drop(store);
        // Twice, as what the first rewrite wrote is what the second reads.
        ReplayLog::open(&dir, plain()).unwrap().compact().unwrap();
        for (dir, gone) in [(&dir, (3, Some(b"3".to_vec()))), (&copy, (2, None))] {
            let store = open(dir, SyncPolicy::Never);
            assert_eq!(newest(&store, b"key", 1).unwrap(), [(4, Some(b"4".to_vec()))], "{has_base}");
            assert_eq!(newest(&store, b"gone", 1).unwrap(), [gone], "{has_base}");
            store.set(b"key", b"5").unwrap();
            assert_eq!(newest(&store, b"key", 1).unwrap(), [(5, Some(b"5".to_vec()))], "{has_base}");
        }
    }
}

#[test]
fn the_numbers_of_versions_go_on_through_rewrites_and_openings() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for _ in 0..3 {
        let store = open(folder.path(), SyncPolicy::Never);
        for value in [b"a", b"b"] {
            store.set(b"key", value).unwrap();
            expected += 1;
            assert_eq!(newest(&store, b"key", 1).unwrap(), [(expected, Some(value.to_vec()))]);
        }
        store.compact().unwrap();
        assert_eq!(newest(&store, b"key", usize::MAX).unwrap(), [(expected, Some(b"b".to_vec()))]);
        store.delete(b"key").unwrap();
        expected += 1;
        let shown = newest(&store, b"key", usize::MAX).unwrap();
        assert_eq!(shown[0], (expected, None));
        Box::new(store).close().unwrap();
    }
}
