//! The folder of an open store is moved away, and another store is made at its path. The open one, whose lock went with
//! its folder, must not touch what is not its own. The same in the middle of a write, a flush or a merge is in
//! `tests/failure_modes/moved.rs`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test plays the user who moves folders")]

use std::fs;

use logladder_contract::moved::{Moved, assert_says_what_happened};
use logladder_engine::{Engine, Open};
use logladder_sorted_log::{Options, SortedLog, Work};

const MOVED: Moved<SortedLog> = Moved {
    open: |dir| SortedLog::open(dir, Options::default().with_memtable_bytes(400).with_work(Work::Caller)),
    seal: SortedLog::flush,
};

#[test]
fn another_store_at_the_path_of_one_that_was_moved_away_is_left_as_it_is() {
    MOVED.assert_another_store_at_its_path_is_left_alone();
}

#[test]
fn a_store_whose_folder_was_moved_away_and_put_back_goes_on() {
    MOVED.assert_a_folder_that_is_put_back_is_gone_on_with();
}

#[test]
fn a_sync_of_a_store_whose_folder_was_removed_says_so() {
    MOVED.assert_a_removed_folder_is_told_by_a_sync();
}

#[test]
fn a_flush_while_the_folder_is_away_stops_no_write_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let [dir, away] = ["data", "data.old"].map(|name| folder.path().join(name));
    let store = (MOVED.open)(&dir).unwrap();
    store.set(b"key", b"first").unwrap();
    fs::rename(&dir, &away).unwrap();
    assert_says_what_happened(store.flush(), "flush", &dir);
    fs::rename(&away, &dir).unwrap();
    store.flush().unwrap();
    store.set(b"key", b"again").unwrap();
    Box::new(store).close().unwrap();
    assert_eq!((MOVED.open)(&dir).unwrap().get(b"key").unwrap().unwrap(), b"again");
}
