//! The folder of an open store is moved away, and another store is made at its path. The open one, whose lock went with
//! its folder, must not touch what is not its own.

#![cfg(unix)]

use logladder_contract::moved::Moved;
use logladder_engine::Open;
use logladder_hash_log::{Compaction, HashLog, Options};

const MOVED: Moved<HashLog> = Moved {
    open: |dir| {
        let options = Options::default().with_segment_bytes(400).with_compaction(Compaction::OnDemand);
        HashLog::open(dir, options)
    },
    seal: HashLog::seal,
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
