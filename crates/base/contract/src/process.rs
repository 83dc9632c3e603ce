//! A process that is killed: the real thing, on the real disk.
//!
//! The test starts itself a second time. The second process opens the store and writes, one acknowledgement a
//! line, until the first one kills it.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use logladder_disk::RealDisk;
use logladder_engine::{Batch, Durability, Error};

use crate::{Bench, Capability, Place, Subject};

/// The environment variable that makes a process the owner: the folder of its store.
const OWNER: &str = "LOGLADDER_CONTRACT_OWNER";

const ACKNOWLEDGED: &str = "acknowledged ";

/// So many writes are waited for before the owner is killed.
const WRITES: usize = 40;

/// A killed owner loses nothing that it acknowledged, and its lock is free; while it lives, it is the only one.
///
/// `module` and `test` name the test that calls this.
#[doc(hidden)]
pub fn assert_killed_owner_loses_nothing(subject: &Subject, module: &str, test: &str) {
    if let Ok(dir) = env::var(OWNER) {
        return own(subject, Path::new(&dir));
    }
    if subject.durability() < Durability::ProcessCrash {
        return;
    }
    let bench = Bench::new(subject, Place::RealDisk);
    // A test is called by its path without the name of its crate.
    let test = module.split_once("::").map_or(test.to_owned(), |(_, module)| format!("{module}::{test}"));
    let mut owner = start(&test, &bench.dir());
    let Some(stdout) = owner.stdout.take() else { panic!("the second process has no output") };
    let mut acknowledged = BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix(ACKNOWLEDGED)?.parse::<usize>().ok());
    let so_far = acknowledged.by_ref().take(WRITES).last();
    let refused = bench.try_open();
    assert!(owner.kill().is_ok() && owner.wait().is_ok(), "the second process could not be killed");
    assert_eq!(so_far, Some(WRITES - 1), "the second process wrote");
    match refused {
        Ok(_) => panic!("two processes had the store open"),
        Err(error) => assert!(matches!(error, Error::Locked { .. }), "{error}"),
    }
    // What it said before it died counts, read or not.
    let last = acknowledged.last().or(so_far).unwrap_or_default();
    let store = bench.open();
    for number in 0..=last {
        store.holds(format!("key {number}"), format!("value {number}"));
    }
    if subject.can(Capability::Atomic) {
        // What it was at when it died as well: whole or not at all.
        let is_there = |name: &str, number: usize| store.get(format!("{name} {number}")).is_some();
        for number in (0..).take_while(|&number| is_there("key", number) || is_there("twin", number)) {
            store.holds(format!("key {number}"), format!("value {number}"));
            store.holds(format!("twin {number}"), format!("value {number}"));
        }
    }
    store.set("key", "the next owner's");
    store.holds("key", "the next owner's");
}

fn start(test: &str, dir: &Path) -> Child {
    let started = env::current_exe().and_then(|program| {
        Command::new(program)
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(OWNER, dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    });
    started.unwrap_or_else(|error| panic!("no second process could be started: {error}"))
}

/// Writes until it is killed, or nobody listens any more: one key after the other, each with its twin if both can be
/// written at once.
fn own(subject: &Subject, dir: &Path) {
    let engine = match subject.open(RealDisk::shared(), dir) {
        Ok(engine) => engine,
        Err(error) => panic!("opening failed: {error}"),
    };
    let mut stdout = io::stdout();
    for number in 0_u64.. {
        let (key, twin, value) =
            (format!("key {number}"), format!("twin {number}"), format!("value {number}"));
        let set = match engine.as_atomic() {
            Some(atomic) => {
                let mut batch = Batch::new();
                batch.set(key.as_bytes(), value.as_bytes()).set(twin.as_bytes(), value.as_bytes());
                atomic.write(&batch)
            }
            None => engine.set(key.as_bytes(), value.as_bytes()),
        };
        // The line before may not have been ended by the test's own output.
        let said =
            set.is_ok() && writeln!(stdout, "\n{ACKNOWLEDGED}{number}").is_ok() && stdout.flush().is_ok();
        if !said {
            break;
        }
    }
}
