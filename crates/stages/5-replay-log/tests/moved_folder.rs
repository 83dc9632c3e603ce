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
use logladder_engine::{Compact, Engine, Open};
use logladder_replay_log::{Housekeeping, Options, Persistence, ReplayLog};

fn open(dir: &Path, persistence: Persistence) -> ReplayLog {
    let options = Options::default().with_housekeeping(Housekeeping::OnDemand).with_persistence(persistence);
    ReplayLog::open(dir, options).unwrap()
}

fn fill(store: &ReplayLog, value: &[u8]) {
    (0..20_u8).for_each(|n| store.set(&[n % 7], value).unwrap());
}

#[test]
fn another_store_at_the_path_of_one_that_was_moved_away_is_left_as_it_is() {
    for persistence in [Persistence::AppendOnly, Persistence::Both, Persistence::Snapshots] {
        let folder = tempfile::tempdir().unwrap();
        let [dir, away] = ["data", "data.old"].map(|name| folder.path().join(name));
        let store = open(&dir, persistence);
        fill(&store, b"first");
        fs::rename(&dir, &away).unwrap();
        let other = open(&dir, persistence);
        fill(&other, b"other");
        other.sync().unwrap();
        drop(other);
        let before = files_in(&dir);

        let outcome =
            if persistence == Persistence::Snapshots { store.sync() } else { store.compact().map(drop) };
        assert_says_what_happened(outcome, &format!("{persistence:?}"), &dir);
        assert!(files_in(&dir) == before, "{persistence:?}: the other store's files have changed");
        drop(store);
        assert!(files_in(&dir) == before, "{persistence:?}: the other store's files have changed");

        if persistence != Persistence::Snapshots {
            // What was acknowledged is where the folder is.
            assert_eq!(open(&away, persistence).get(&[3]).unwrap().unwrap(), b"first");
        }
    }
}
