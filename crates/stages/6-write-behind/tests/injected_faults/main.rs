//! A process that is killed at any system call of a write, a sync or a close, and system calls that fail.
//!
//! A second process goes through a [`script`]: it opens a store, sets and deletes keys, syncs in between, closes, opens
//! it again and drops it. It says what it begins, and what a `sync` or a `close` has confirmed. It runs once for each of
//! the calls that it makes in the store's folder, and each fault that makes sense for the call
//! ([`logladder_contract::injected`]). After that the store opens; each key has the value that was confirmed or one that
//! was set later, whole.
//!
//! The writing is done by `sync` and `close`, where each run makes the same calls; or by the janitor.
//!
//! ```text
//! LOGLADDER_FAULTS=all cargo test -p logladder-write-behind --test injected_faults -- --nocapture
//! ```
//!
//! tries all of them; the ordinary run draws some. Where strace is missing nothing is tested, and the test says so. Debian:
//! `apt-get install strace`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

mod script;

use std::hash::{BuildHasher, RandomState};

use logladder_contract::SEED;
use logladder_contract::injected::{Ran, Script, Shot};
use logladder_engine::SyncPolicy;
use logladder_write_behind::{Janitor, Options};
use script::{go_through, holds_what_was_confirmed};

/// So many faults are possible at least.
const LEAST: usize = 200;

/// So many are tried in the ordinary run.
const SAMPLE: usize = 150;

#[test]
fn what_a_sync_confirmed_survives_a_fault_at_any_system_call() {
    let options = Options::default().with_janitor(Janitor::OnDemand);
    every_fault("what_a_sync_confirmed_survives_a_fault_at_any_system_call", options);
}

#[test]
fn what_a_sync_confirmed_survives_a_fault_where_it_alone_syncs() {
    let options = Options::default().with_janitor(Janitor::OnDemand).with_sync(SyncPolicy::Never);
    every_fault("what_a_sync_confirmed_survives_a_fault_where_it_alone_syncs", options);
}

#[test]
fn what_a_sync_confirmed_survives_a_fault_at_any_system_call_of_the_janitor() {
    let test = "what_a_sync_confirmed_survives_a_fault_at_any_system_call_of_the_janitor";
    every_fault(test, Options::default());
}

fn every_fault(test: &str, options: Options) {
    if let Some((store, _)) = Script::begin() {
        return go_through(&store, options);
    }
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("to repeat this run: {SEED}={seed}");
    Script::of(test, &[]).fire(LEAST, SAMPLE, seed, |shot, ran| judge(shot, ran, options));
}

/// Looks at what a shot left.
fn judge(shot: Shot, ran: &Ran, options: Options) {
    let when = format!("{shot}");
    if ran.was_hit() && options.janitor == Janitor::OnDemand {
        // The janitor tries again, and a later sync may confirm; who syncs is told.
        assert!(ran.failures().next().is_some(), "{when}: nobody was told: {:?}", ran.lines);
    }
    for opening in 0..2 {
        holds_what_was_confirmed(&ran.store(), options, &ran.lines, &format!("{when}, opening {opening}"));
    }
}
