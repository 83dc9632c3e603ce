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
use logladder_hash_log::{Compaction, HashLog, Options};

#[test]
fn of_three_processes_that_race_for_a_store_one_has_it_at_a_time() {
    let test = "of_three_processes_that_race_for_a_store_one_has_it_at_a_time";
    race::one_has_it_at_a_time(test, |dir| HashLog::open(dir, Options::default()));
}

#[test]
fn a_file_that_is_shortened_under_the_map_is_an_error_or_the_end_of_the_process_and_never_a_wrong_value() {
    let test = "a_file_that_is_shortened_under_the_map_is_an_error_or_the_end_of_the_process_and_never_a_wrong_value";
    let options = Options::default().with_segment_bytes(80_000).with_compaction(Compaction::OnDemand);
    let Some(outcomes) = cut_map::outcomes(test, |dir| HashLog::open(dir, options)) else { return };
    for (outcome, count) in &outcomes {
        println!("{count} × {outcome}");
    }
    // The test cuts what is mapped, and zeros are noticed.
    assert!(outcomes.keys().any(|outcome| outcome.contains("SIGBUS")), "{outcomes:?}");
    assert!(outcomes.contains_key("log, lengthened again true: errors"), "{outcomes:?}");
}

/// Segments whose space was reserved while there was some, and compaction in the background, which wants more.
#[test]
fn a_disk_that_fills_up_while_segments_rotate_and_are_compacted_is_an_error_and_loses_nothing() {
    let full_disk = FullDisk {
        test: "a_disk_that_fills_up_while_segments_rotate_and_are_compacted_is_an_error_and_loses_nothing",
        open_small: |dir| HashLog::open(dir, Options::default().with_segment_bytes(8_000)),
        open: |dir| HashLog::open(dir, Options::default()),
        look: |_, _| {},
    };
    full_disk.run();
}
