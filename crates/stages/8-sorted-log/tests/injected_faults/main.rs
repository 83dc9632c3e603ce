//! System calls that fail, and a process that is killed at one.
//!
//! A second process goes through a script: sets, deletes, batches, flushes, merges, a manifest that is written anew, syncs, a
//! compaction, a backup, closing, dropping, opening with what was left. First it runs once, and strace writes down which
//! calls it makes in the store's folder. Then it runs once for each of those calls and each fault that makes sense for
//! it, once or from then on ([`logladder_contract::injected`]), and the store is opened again. What must hold is told
//! at [`judge`].
//!
//! In the ordinary run some of them are drawn. All of them:
//!
//! ```text
//! LOGLADDER_FAULTS=all cargo test -p logladder-sorted-log --test injected_faults -- --nocapture
//! ```
//!
//! Where strace is missing nothing is tested, and the test says so. Debian: `apt-get install strace`. The same on a disk in
//! memory, with every operation, is in `tests/lasting_faults.rs`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

mod script;

use std::path::Path;

use logladder_contract::injected::{Ran, Script, Shot};
use logladder_contract::second_process::draw::seed;
use logladder_contract::second_process::failure::told;
use logladder_contract::second_process::ledger::Ledger;
use logladder_contract::second_process::number;
use logladder_contract::second_process::steps::{perform, step};
use logladder_engine::Open;
use logladder_sorted_log::SortedLog;

const TEST: &str = "after_a_fault_at_any_system_call_the_store_opens_with_all_that_was_acknowledged";

/// So many faults are possible at least.
const LEAST: usize = 300;

/// So many are tried in the ordinary run.
const SAMPLE: usize = 120;

#[test]
fn after_a_fault_at_any_system_call_the_store_opens_with_all_that_was_acknowledged() {
    if let Some((store, words)) = Script::begin() {
        let seed = words.first().map_or(0, |seed| number(seed));
        return script::go_through(&store, seed);
    }
    let seed = seed();
    println!("to repeat this run: {}={seed}", logladder_contract::SEED);
    let script = Script::of(TEST, &[&seed.to_string()]);
    script.fire(LEAST, SAMPLE, seed, |shot, ran| judge(shot, ran, seed));
}

/// Looks at what a shot left.
///
/// The second process checks that after a failed write or sync no other is acknowledged, and that reads go on. Here:
/// the error that it was told is the one that was injected, or follows from it; of a failed sync it was told, whatever
/// needed it; the store opens, holds what was acknowledged and nothing else, takes writes, and keeps them; and nothing is
/// left alone as a stranger's.
fn judge(shot: Shot, ran: &Ran, seed: u64) {
    let when = format!("seed {seed}, {shot}");
    for (what, code) in ran.lines.iter().filter_map(|line| told(line)) {
        let injected = shot.fault.code.map(|code| code.to_string());
        let is_told = Some(&code) == injected.as_ref() || code == "poisoned";
        assert!(is_told, "{when}: {what} failed with {code}, not with what was injected: {:?}", ran.lines);
    }
    // Here the system still has what it did not sync, so that no opening can show that an error was passed over.
    let is_passed_over = shot.fails_a_sync() && ran.was_hit() && ran.failures().next().is_none();
    assert!(!is_passed_over, "{when}: every call said yes: {:?}", ran.lines);
    check(&ran.store(), seed, &ran.lines, &when);
}

/// Opens the store, checks it, writes, and does it all again.
fn check(dir: &Path, seed: u64, lines: &[String], when: &str) {
    let open = || {
        let store = SortedLog::open(dir, script::options())
            .unwrap_or_else(|error| panic!("{when}: the store does not open: {error}"));
        assert!(store.left_alone().is_empty(), "{when}: {:?} is the store's own", store.left_alone());
        store
    };
    let store = open();
    let mut ledger = Ledger::new(seed, 1);
    for line in lines {
        ledger.hear(line);
    }
    ledger.settle(&store, when);
    for _ in 0..3 {
        let number = ledger.next()[0];
        perform(&store, &step(seed, 0, number)).expect("the store takes writes again");
        ledger.hear(&format!("done 0 {number}"));
    }
    ledger.check(&store, when);
    drop(store);
    ledger.check(&open(), &format!("{when}, opened again"));
}
