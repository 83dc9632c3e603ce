//! The folder of an open store is moved away, and another store is made at its path. The open one, whose lock went with
//! its folder, must not touch what is not its own.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed, and plays the user who moves folders"
)]

use std::fs;
use std::path::Path;

use logladder_contract::moved::{assert_says_what_happened, files_in};
use logladder_engine::{Engine, Open, SyncPolicy};
use logladder_write_behind::{Janitor, Options, WriteBehind};

fn open(dir: &Path, sync: SyncPolicy) -> WriteBehind {
    WriteBehind::open(dir, Options::default().with_sync(sync).with_janitor(Janitor::OnDemand)).unwrap()
}

fn fill(store: &WriteBehind, value: &[u8]) {
    (0..20_u8).for_each(|n| store.set(&[n], value).unwrap());
}

#[test]
fn another_store_at_the_path_of_one_that_was_moved_away_is_left_as_it_is() {
    for sync in [SyncPolicy::Always, SyncPolicy::Never] {
        let folder = tempfile::tempdir().unwrap();
        let [dir, away] = ["data", "data.old"].map(|name| folder.path().join(name));
        let store = open(&dir, sync);
        fill(&store, b"first");
        store.sync().unwrap();
        fill(&store, b"later");
        store.delete(&[3]).unwrap();
        fs::rename(&dir, &away).unwrap();
        let other = open(&dir, sync);
        fill(&other, b"other");
        other.sync().unwrap();
        drop(other);
        let before = files_in(&dir);

        assert_says_what_happened(store.sync(), &format!("{sync:?}"), &dir);
        assert!(files_in(&dir) == before, "{sync:?}: the other store's files have changed");

        // Nothing that was put is forgotten: it is written as soon as the folder is back.
        fs::rename(&dir, folder.path().join("other")).unwrap();
        fs::rename(&away, &dir).unwrap();
        store.sync().unwrap();
        drop(store);
        let store = open(&dir, sync);
        assert_eq!(store.get(&[4]).unwrap().unwrap(), b"later");
        assert_eq!(store.get(&[3]).unwrap(), None);
    }
}
