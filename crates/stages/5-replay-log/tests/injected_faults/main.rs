//! A process that is killed at any system call of a snapshot or a rewrite, and system calls that fail.
//!
//! A second process goes through a [`script`]: it opens a store, sets, deletes, writes batches, makes snapshots or
//! rewrites in between, and closes. It says when a step is acknowledged. It runs once for each of the calls that it makes
//! in the store's folder, and each fault that makes sense for the call ([`logladder_contract::injected`]). The store is
//! opened after that: every step that was acknowledged is there, and the one under way is there whole or not at all.
//!
//! Where strace is missing nothing is tested, and the test says so. Debian: `apt-get install strace`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod script;

use logladder_contract::injected::{Ran, Script, Shot};
use logladder_replay_log::Persistence;
use script::{Store, go_through};

/// So many faults are possible at least. All of them are tried.
const LEAST: usize = 200;

#[test]
fn lines_and_a_snapshot_survive_a_fault_at_any_system_call() {
    every_fault("lines_and_a_snapshot_survive_a_fault_at_any_system_call", Persistence::Both);
}

#[test]
fn lines_alone_survive_a_fault_at_any_system_call() {
    every_fault("lines_alone_survive_a_fault_at_any_system_call", Persistence::AppendOnly);
}

fn every_fault(test: &str, persistence: Persistence) {
    if let Some((store, _)) = Script::begin() {
        return go_through(&store, persistence);
    }
    Script::of(test, &[]).fire(LEAST, usize::MAX, 0, |shot, ran| judge(shot, ran, persistence));
}

/// Looks at what a shot left.
fn judge(shot: Shot, ran: &Ran, persistence: Persistence) {
    let when = format!("{persistence:?}: {shot}");
    for opening in 0..2 {
        Store::open(&ran.store(), persistence, &when).holds(&ran.lines, opening, &when);
    }
}
