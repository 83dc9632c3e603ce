//! System calls that fail, and a process that is killed at one: strace(1) lets any call of a running program fail, or
//! sends it a signal there.
//!
//! A second process goes through a script: sets, deletes, batches, rotation, syncs, compaction, a backup, closing,
//! dropping, opening with what was left. First it runs once, and strace writes down which calls it makes in the store's
//! folder. Then it runs once for each of those calls and each [fault](faults) that makes sense for it, and the store
//! is opened again. What must hold is told at [`judge`].
//!
//! In the ordinary run some of them are drawn. All of them:
//!
//! ```text
//! LOGLADDER_FAULTS=all cargo test -p logladder-hash-log --test injected_faults -- --nocapture
//! ```
//!
//! Where strace is missing nothing is tested, and the test says so. Debian: `apt-get install strace`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

#[path = "../child/mod.rs"]
mod child;
mod faults;
mod script;
mod strace;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use child::draw::{draw, seed};
use child::ledger::Ledger;
use child::steps::{perform, step};
use child::{cheap_folder, number, say, task};
use faults::{Shot, shots};
use logladder_engine::{Engine, Open};
use logladder_hash_log::{Compaction, HashLog, Options};
use strace::{Ran, calls_of_the_script, run};

const TEST: &str = "after_a_fault_at_any_system_call_the_store_opens_with_all_that_was_acknowledged";

/// So many faults are tried in the ordinary run.
const SAMPLE: usize = 240;

/// What became of the shots of one kind.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    shots: u32,
    killed: u32,
    /// The engine said so.
    reported: u32,
    /// It went another way: wrote where it could not reserve, did without a hint.
    absorbed: u32,
    /// The call was not made this time.
    missed: u32,
}

#[test]
fn after_a_fault_at_any_system_call_the_store_opens_with_all_that_was_acknowledged() {
    match task().as_deref() {
        Some([dir, seed]) => {
            say("ready");
            script::wait_for_strace(Path::new(dir));
            return script::go_through(Path::new(dir), number(seed));
        }
        Some(other) => panic!("a task of another kind: {other:?}"),
        None => {}
    }
    if !Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: NO FAULT WAS INJECTED, because strace is not installed (apt-get install strace)");
        return;
    }
    let seed = seed();
    println!("to repeat this run: {}={seed}", logladder_contract::SEED);
    let mut shots = shots(&calls_of_the_script(seed));
    let possible = shots.len();
    assert!(possible > 300, "only {possible} faults are possible: what strace writes is not understood");
    if std::env::var("LOGLADDER_FAULTS").as_deref() != Ok("all") {
        shots.sort_by_cached_key(|shot| draw((seed, shot.to_string())));
        shots.truncate(SAMPLE);
    }
    println!("{} of {possible} possible faults", shots.len());
    let (queue, counts) = (Mutex::new(shots), Mutex::new(BTreeMap::<_, Count>::new()));
    let next = || queue.lock().ok()?.pop();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(shot) = next() {
                    let outcome = judge(shot, seed);
                    let mut counts = counts.lock().expect("no thread panicked");
                    let count = counts.entry((shot.fault.name, shot.call)).or_default();
                    count.shots += 1;
                    *match outcome {
                        Outcome::Killed => &mut count.killed,
                        Outcome::Reported => &mut count.reported,
                        Outcome::Absorbed => &mut count.absorbed,
                        Outcome::Missed => &mut count.missed,
                    } += 1;
                }
            });
        }
    });
    let counts = counts.into_inner().expect("no thread panicked");
    for ((fault, call), Count { shots, killed, reported, absorbed, missed }) in &counts {
        println!(
            "{fault} at {call}: {shots} (killed {killed}, reported {reported}, absorbed {absorbed}, missed {missed})"
        );
    }
    let missed: u32 = counts.values().map(|count| count.missed).sum();
    let shots: u32 = counts.values().map(|count| count.shots).sum();
    assert!(
        missed * 10 < shots,
        "{missed} of {shots} calls were not made again: the script is not the same each time"
    );
}

enum Outcome {
    Killed,
    Reported,
    Absorbed,
    Missed,
}

/// Fires the shot.
///
/// The second process checks that after a failed write or sync no other is acknowledged, and that reads go on. Here:
/// it ends by the signal or in good order, never by a panic; the error that it was told is the one that was injected, or
/// follows from it; the store opens, holds what was acknowledged and nothing else, takes writes, and keeps them.
fn judge(shot: Shot, seed: u64) -> Outcome {
    let folder = cheap_folder();
    let root = folder.path().join("root");
    let trace = folder.path().join("trace");
    let Shot { fault, call, number } = shot;
    let only = format!("trace={call}");
    let inject =
        format!("inject={call}:{}:when={number}{}", fault.inject, if fault.is_lasting { "+" } else { "" });
    let Ran { lines, status, failed } = run(&["-e", &only, "-e", &inject], &trace, &root, seed);
    let when = format!("seed {seed}, {shot}");
    let was_hit = std::fs::read_to_string(&trace).is_ok_and(|trace| trace.contains("INJECTED"));
    let outcome = if status.signal() == Some(9) {
        Outcome::Killed
    } else {
        assert!(status.success(), "{when}: the process ended with {status}");
        match (was_hit, failed.is_empty()) {
            (false, _) => Outcome::Missed,
            (true, true) => Outcome::Absorbed,
            (true, false) => Outcome::Reported,
        }
    };
    for (what, code) in &failed {
        let injected = fault.code.map(|code| code.to_string());
        let is_told = Some(code) == injected.as_ref() || code == "poisoned";
        assert!(is_told, "{when}: {what} failed with {code}, not with what was injected: {failed:?}");
    }
    check(&root.join("store"), seed, &lines, &when);
    outcome
}

/// Opens the store, checks it, writes, and does it all again.
fn check(dir: &Path, seed: u64, lines: &[String], when: &str) {
    let open = || {
        let options = Options::default().with_segment_bytes(900).with_compaction(Compaction::OnDemand);
        HashLog::open(dir, options).unwrap_or_else(|error| panic!("{when}: the store does not open: {error}"))
    };
    let store = open();
    let mut ledger = Ledger::new(seed, store.as_atomic().is_some(), 1);
    for line in lines {
        ledger.hear(line);
    }
    ledger.settle(&store, when);
    for _ in 0..3 {
        let number = ledger.next()[0];
        let changes = step(seed, 0, number, store.as_atomic().is_some());
        perform(&store, &changes).expect("the store takes writes again");
        ledger.hear(&format!("done 0 {number}"));
    }
    ledger.check(&store, when);
    drop(store);
    ledger.check(&open(), &format!("{when}, opened again"));
}
