//! A process that is killed at any system call of a snapshot or a rewrite, and system calls that fail: strace(1) sends a
//! running program a signal at any of its calls, or lets the call fail.
//!
//! A second process goes through a [`script`]: it opens a store, sets, deletes, writes batches, makes snapshots or
//! rewrites in between, and closes. It says when a step is acknowledged. First it runs once, and strace writes down which
//! calls it makes in the store's folder. Then it runs once for each of those calls and each fault. The store is opened
//! after that: every step that was acknowledged is there, and the one under way is there whole or not at all.
//!
//! Where strace is missing nothing is tested, and the test says so. Debian: `apt-get install strace`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

mod script;
mod strace;

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use logladder_replay_log::Persistence;
use script::{Store, go_through};
use strace::{Call, Ran, calls_of_the_script, run};

/// Tells a process that it is the second one: the folder of its store, and the persistence.
const TASK: &str = "LOGLADDER_REPLAY_TASK";

/// What is done to which calls.
const FAULTS: [(&str, &[&str]); 3] = [
    (
        "signal=SIGKILL",
        &[
            "openat",
            "pwrite64",
            "fdatasync",
            "fsync",
            "rename",
            "unlink",
            "ftruncate",
            "mkdir",
            "flock",
            "mmap",
            "munmap",
            "close",
            "read",
            "pread64",
            "getdents64",
        ],
    ),
    ("error=EIO", &["fdatasync", "fsync", "rename", "unlink", "pread64"]),
    ("error=ENOSPC", &["pwrite64", "openat"]),
];

#[test]
fn lines_and_a_snapshot_survive_a_fault_at_any_system_call() {
    every_fault("lines_and_a_snapshot_survive_a_fault_at_any_system_call", Persistence::Both);
}

#[test]
fn lines_alone_survive_a_fault_at_any_system_call() {
    every_fault("lines_alone_survive_a_fault_at_any_system_call", Persistence::AppendOnly);
}

fn every_fault(test: &str, persistence: Persistence) {
    if let Ok(dir) = std::env::var(TASK) {
        return go_through(Path::new(&dir), persistence);
    }
    if !Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: NO FAULT WAS INJECTED, because strace is not installed (apt-get install strace)");
        return;
    }
    let calls = calls_of_the_script(test);
    let mut shots: Vec<(&str, &Call)> = Vec::new();
    for (fault, names) in FAULTS {
        shots.extend(
            calls.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|call| (fault, call)),
        );
    }
    let possible = shots.len();
    assert!(possible > 150, "only {possible} faults are possible: what strace writes is not understood");
    let (queue, missed) = (Mutex::new(shots), Mutex::new(0));
    let next = || queue.lock().ok()?.pop();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((fault, call)) = next() {
                    if !judge(test, persistence, fault, call) {
                        *missed.lock().expect("no thread panicked") += 1;
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("no thread panicked");
    println!("{possible} faults, of which {missed} found no such call");
    assert!(missed * 10 < possible, "the script is not the same each time: {missed} of {possible}");
}

/// Runs the script with one fault, and judges what is left. Says whether the fault was met.
fn judge(test: &str, persistence: Persistence, fault: &str, (name, number): &Call) -> bool {
    let when = format!("{persistence:?}: {fault} at {name} number {number}");
    let inject = format!("inject={name}:{fault}:when={number}");
    let trace_only = format!("trace={name}");
    let Ran { folder, lines, trace } = run(test, &["-e", &trace_only, "-e", &inject]);
    assert!(!lines.iter().any(|line| line.contains("panicked")), "{when}: {lines:?}");
    for opening in 0..2 {
        Store::open(&folder.path().join("store"), persistence, &when).holds(&lines, opening, &when);
    }
    // A signal is told as such, an error as injected.
    trace.contains("INJECTED") || trace.contains("SIGKILL")
}
