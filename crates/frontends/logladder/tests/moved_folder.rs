//! The folder of an open store is removed, or moved away and another store is made at its path. No stage then says that
//! all is on the disk, and none touches what is not its own.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed, and plays the user who moves folders"
)]

use std::fs;
use std::path::Path;

use logladder::{Durability, Engine, STAGES, Stage, SyncPolicy};
use logladder_contract::moved::{assert_says_what_happened, files_in};

/// Every stage with files, with either way to write.
fn persistent() -> impl Iterator<Item = (&'static Stage, SyncPolicy)> {
    let stages = STAGES.iter().filter(|stage| stage.durability(SyncPolicy::Never) > Durability::Never);
    stages.flat_map(|stage| [(stage, SyncPolicy::Always), (stage, SyncPolicy::Never)])
}

/// Opens a store of the stage, and sets three keys.
fn filled(stage: &Stage, dir: &Path, sync: SyncPolicy, value: &[u8]) -> Box<dyn Engine> {
    let store = stage.open(dir, sync).unwrap();
    for key in [b"one", b"two", b"six"] {
        store.set(key, value).unwrap();
    }
    store.sync().unwrap();
    store
}

#[test]
fn a_sync_of_a_store_whose_folder_was_removed_is_an_error() {
    for (stage, sync) in persistent() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("store");
        let store = filled(stage, &dir, sync, b"value");
        fs::remove_dir_all(&dir).unwrap();
        assert_says_what_happened(store.sync(), &format!("{} {sync:?}", stage.name), &dir);
    }
}

#[test]
fn a_store_whose_folder_was_moved_away_touches_no_other_at_its_path() {
    for (stage, sync) in persistent() {
        let folder = tempfile::tempdir().unwrap();
        let [dir, away] = ["store", "store.old"].map(|name| folder.path().join(name));
        let store = filled(stage, &dir, sync, b"first");
        fs::rename(&dir, &away).unwrap();
        drop(filled(stage, &dir, sync, b"other"));
        let before = files_in(&dir);

        // What only appends to a file that is open is done where that file is.
        let set = store.set(b"one", b"later");
        let _ = store.delete(b"two");
        assert_says_what_happened(store.sync(), &format!("{} {sync:?}", stage.name), &dir);
        assert!(files_in(&dir) == before, "{} {sync:?}: the other store has changed", stage.name);
        drop(store);
        assert!(files_in(&dir) == before, "{} {sync:?}: it has changed at the end", stage.name);
        let moved = stage.open(&away, sync).unwrap();
        let kept: &[u8] =
            if set.is_ok() && moved.durability() > Durability::Eventual { b"later" } else { b"first" };
        assert_eq!(moved.get(b"one").unwrap().unwrap(), kept, "{} {sync:?}", stage.name);
    }
}
