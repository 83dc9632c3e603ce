//! A process that writes is killed at a random moment, over and over, and the store is opened again.
//!
//! Two threads of a second process set, overwrite, delete and write batches with small memtables, so that tables are written,
//! merged and removed all the time, mostly by the store's own threads; after some hundred writes the store is closed or
//! dropped, and opened with other options. Each write is acknowledged through a pipe. The first process kills the second at a random
//! moment, sometimes kills a third and a fourth while they open the store, and then opens it itself:
//!
//! - every acknowledged write is there;
//! - of the one write of each thread that may have been under way, all or nothing is there;
//! - nothing else: no overwritten value, and nothing that was deleted, at any later opening.
//!
//! `cargo test -p logladder-sorted-log --test kill_loop` kills some dozens of times, on a file system in memory. So often as
//! you like, on the disk:
//!
//! ```text
//! LOGLADDER_KILLS=1000 cargo test -p logladder-sorted-log --test kill_loop -- --nocapture
//! ```
//!
//! `LOGLADDER_SEED` repeats the writes of a run, but not the moments of its kills, which are the machine's.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::thread;
use std::time::Duration;

use logladder_contract::second_process::draw::{below, one_of, seed};
use logladder_contract::second_process::ledger::Ledger;
use logladder_contract::second_process::steps::{perform, step};
use logladder_contract::second_process::{Running, cheap_folder, number, say, task};
use logladder_engine::{Compact, Engine, Open, SyncPolicy};
use logladder_sorted_log::{Compression, Options, SortedLog, Work};

/// So often a process is killed, unless the environment says otherwise.
const KILLS: u64 = 60;

/// Threads that write at once.
const WRITERS: u64 = 2;

const TEST: &str = "what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns";

#[test]
fn what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns() {
    match task().as_deref() {
        Some([deed, dir, seed, life, next @ ..]) => {
            let next: Vec<u64> = next.iter().map(|word| number(word)).collect();
            let (dir, seed, life) = (Path::new(dir), number(seed), number(life));
            if deed == "write" { write(dir, seed, life, &next) } else { reopen(dir, seed, life) }
        }
        Some(other) => panic!("a task of another kind: {other:?}"),
        None => {
            // Syncs take most of the time, so in the ordinary run they cost nothing.
            match std::env::var("LOGLADDER_KILLS") {
                Ok(kills) => {
                    let folder = tempfile::tempdir().expect("a temporary folder");
                    kill_over_and_over(number(&kills), seed(), folder.path());
                }
                Err(_) => kill_over_and_over(KILLS, seed(), cheap_folder().path()),
            }
        }
    }
}

/// What may be chosen at opening is different each time.
fn options(what: (u64, u64, u64)) -> Options {
    let every = SyncPolicy::Every(Duration::from_millis(1));
    let policies = [SyncPolicy::Never, SyncPolicy::Never, SyncPolicy::Never, every, SyncPolicy::Always];
    let works = [Work::Background, Work::Background, Work::Caller];
    let compressions = [Compression::None, Compression::None, Compression::Lz4];
    Options::default()
        .with_sync(one_of(&policies, (what, "sync")))
        .with_work(one_of(&works, (what, "work")))
        .with_memtable_bytes(one_of(&[300, 1_000, 4_000, 4_000, 16_000, 64_000], (what, "memtables")))
        .with_block_bytes(one_of(&[100, 400, 4_096], (what, "blocks")))
        .with_table_bytes(one_of(&[500, 4_000, 30_000], (what, "tables")))
        .with_level0_tables(one_of(&[1, 2, 4], (what, "level 0")))
        .with_levels(one_of(&[1_000, 8_000], (what, "level 1")), one_of(&[2, 10], (what, "factor")))
        .with_filter_bits(one_of(&[0, 10], (what, "filters")))
        .with_compression(one_of(&compressions, (what, "compression")))
        .with_manifest_bytes(one_of(&[600, 4_000, 256 << 10], (what, "manifest")))
}

/// The second process: one session after the other, until it is killed.
fn write(dir: &Path, seed: u64, life: u64, next: &[u64]) {
    let mut next = next.to_vec();
    for session in 0_u64.. {
        let of = |what: &str, end| below(end, (seed, life, session, what));
        let options = options((seed, life, session));
        if session == 0 {
            say("opening");
        }
        let store = SortedLog::open(dir, options).expect("the store opens");
        let steps = 1 + of("steps", 400);
        thread::scope(|scope| {
            for (writer, &first) in (0_u64..).zip(&next) {
                let store = &store;
                scope.spawn(move || {
                    for number in first..first + steps {
                        perform(store, &step(seed, writer, number)).expect("the step is done");
                        say(&format!("done {writer} {number}"));
                    }
                });
            }
            for _ in 0..of("compactions", 4) {
                store.compact().expect("the store is compacted");
            }
        });
        for number in &mut next {
            *number += steps;
        }
        match of("end", 4) {
            0 => drop(store),
            1 => {
                store.sync().expect("the store is synced");
                drop(store);
            }
            2 => {
                store.flush().expect("the memtable is written");
                drop(store);
            }
            _ => Box::new(store).close().expect("the store is closed"),
        }
    }
}

/// The third: it opens the store and gives it back, until it is killed.
fn reopen(dir: &Path, seed: u64, life: u64) {
    say("opening");
    for session in 0_u64.. {
        let store = SortedLog::open(dir, options((seed, life, session))).expect("the store opens");
        if session == 0 {
            say("opened");
        }
        if below(2, (seed, life, session, "end")) == 0 {
            Box::new(store).close().expect("the store is closed");
        }
    }
}

fn kill_over_and_over(kills: u64, seed: u64, folder: &Path) {
    println!("{kills} kills; to write the same again: {}={seed}", logladder_contract::SEED);
    let dir = folder.join("store");
    drop(SortedLog::open(&dir, Options::default()).expect("a new store"));
    let mut ledger = Ledger::new(seed, WRITERS);
    let (mut killed, mut while_opening, mut life) = (0, 0, 0);
    while killed < kills {
        let first = life;
        let of = |what: &str, end| below(end, (seed, first, what));
        let when = format!("seed {seed}, kill {killed}");
        let mut writer = start("write", &dir, seed, life, ledger.next());
        writer.wait_for("opening");
        kill_at_a_random_moment(&mut writer, &mut ledger, seed, life);
        (killed, life) = (killed + 1, life + 1);
        // What is put in order by the next opening must not hang on that one's being left alone.
        for _ in 0..of("again", 6).saturating_sub(3) {
            let mut opener = start("reopen", &dir, seed, life, &[]);
            opener.wait_for("opening");
            thread::sleep(Duration::from_micros(below(3_000, (seed, life, "moment"))));
            opener.kill();
            while_opening += u64::from(opener.next_line().is_none());
            opener.end();
            (killed, life) = (killed + 1, life + 1);
        }
        let store = SortedLog::open(&dir, options((seed, life, 0)))
            .unwrap_or_else(|error| panic!("{when}: the store does not open: {error}"));
        assert!(store.left_alone().is_empty(), "{when}: {:?} is the store's own", store.left_alone());
        ledger.settle(&store, &when);
        ledger.count(&store, &when);
        if of("end of the check", 2) == 0 {
            Box::new(store).close().expect("the store is closed");
        }
    }
    println!(
        "{killed} kills, {while_opening} of them while the store was opened a first time; {} acknowledged steps, \
         none lost; of the steps under way {} done and the others absent",
        ledger.acknowledged(),
        ledger.taken(),
    );
}

fn start(deed: &str, dir: &Path, seed: u64, life: u64, next: &[u64]) -> Running {
    let mut task = vec![deed.to_owned(), dir.to_str().expect("a temporary folder").to_owned()];
    task.extend([seed, life].iter().chain(next).map(u64::to_string));
    let task: Vec<&str> = task.iter().map(String::as_str).collect();
    Running::start(TEST, &task)
}

/// Some time after the opening began, or once so many steps are acknowledged, of which the pipe then holds more.
fn kill_at_a_random_moment(writer: &mut Running, ledger: &mut Ledger, seed: u64, life: u64) {
    let of = |what: &str, end| below(end, (seed, life, what));
    if of("by time", 3) == 0 {
        thread::sleep(Duration::from_micros(of("moment", 20_000)));
    } else {
        let awaited = of("awaited", 1 + of("at most", 4_000));
        let mut heard = 0;
        while heard < awaited {
            let said = writer.next_line();
            let said = said.unwrap_or_else(|| panic!("it ended by itself: {:?}", writer.end()));
            heard += u64::from(ledger.hear(&said));
        }
    }
    writer.kill();
    // What it said before it died counts, heard or not.
    while let Some(said) = writer.next_line() {
        ledger.hear(&said);
    }
    let status = writer.end();
    assert!(status.code().is_none(), "the second process was not killed but ended with {status}");
}
