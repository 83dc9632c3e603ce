//! What other programs and a full disk do to a store while it is in use: they race for it, shorten its files under the
//! map, and leave it no space.
//!
//! What all stages have in common, a disk that is full from the start, `ulimit -f`, and a second process that is refused,
//! is tested for this one too in `crates/frontends/logladder/tests`.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "a test prints what it counted")]

use logladder_contract::second_process::small_disk::FullDisk;
use logladder_contract::second_process::{cut_map, race};
use logladder_engine::Open;
use logladder_sorted_log::{Options, SortedLog, Work};

#[test]
fn of_three_processes_that_race_for_a_store_one_has_it_at_a_time() {
    let test = "of_three_processes_that_race_for_a_store_one_has_it_at_a_time";
    race::one_has_it_at_a_time(test, |dir| SortedLog::open(dir, Options::default()));
}

#[test]
fn a_file_that_is_shortened_under_the_map_is_an_error_or_the_end_of_the_process_and_never_a_wrong_value() {
    let test = "a_file_that_is_shortened_under_the_map_is_an_error_or_the_end_of_the_process_and_never_a_wrong_value";
    let options =
        Options::default().with_memtable_bytes(80_000).with_level0_tables(100).with_work(Work::Caller);
    let Some(outcomes) = cut_map::outcomes(test, |dir| SortedLog::open(dir, options)) else { return };
    for (outcome, count) in &outcomes {
        println!("{count} × {outcome}");
    }
    // The test cuts what is mapped, and zeros are noticed.
    assert!(outcomes.contains_key("table, lengthened again false: SIGBUS"), "{outcomes:?}");
    assert!(outcomes.contains_key("table, lengthened again true: errors"), "{outcomes:?}");
}

/// Logs whose space was reserved while there was some, and flushes and merges in the background, which want more.
#[test]
fn a_disk_that_fills_up_while_tables_are_written_and_merged_is_an_error_and_loses_nothing() {
    let full_disk = FullDisk {
        test: "a_disk_that_fills_up_while_tables_are_written_and_merged_is_an_error_and_loses_nothing",
        open_small: |dir| {
            let small = Options::default().with_memtable_bytes(4_000).with_table_bytes(4_000);
            SortedLog::open(dir, small.with_levels(12_000, 4))
        },
        open: |dir| SortedLog::open(dir, Options::default()),
        look: |store: &SortedLog, when| {
            assert!(store.left_alone().is_empty(), "{when}: {:?}", store.left_alone());
        },
    };
    full_disk.run();
}
