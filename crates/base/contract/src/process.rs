//! A process that is killed: the real thing, on the real disk.
//!
//! The test starts itself a second time. The second process opens the store and writes, one acknowledgement a
//! line, until the first one kills it.

use std::path::Path;

use logladder_disk::RealDisk;
use logladder_engine::{Batch, Durability, Error};

use crate::second_process::{Running, say, task};
use crate::{Bench, Capability, Place, Subject};

const ACKNOWLEDGED: &str = "acknowledged ";

/// So many writes are waited for before the owner is killed.
const WRITES: usize = 40;

/// A killed owner loses nothing that it acknowledged, and its lock is free; while it lives, it is the only one, unless the
/// store is elsewhere.
///
/// `module` and `test` name the test that calls this.
#[doc(hidden)]
pub fn assert_killed_owner_loses_nothing(subject: &Subject, module: &str, test: &str) {
    if let Some([dir]) = task().as_deref() {
        return own(subject, Path::new(dir));
    }
    if subject.durability() < Durability::ProcessCrash {
        return;
    }
    let bench = Bench::new(subject, Place::RealDisk);
    if !subject.has_files() {
        // So that a service that is started for the test by whoever opens a store first is this process's, and lives on.
        bench.open().close();
    }
    // A test is called by its path without the name of its crate.
    let test = module.split_once("::").map_or(test.to_owned(), |(_, module)| format!("{module}::{test}"));
    let mut owner = Running::start(&test, &[&bench.dir().display().to_string()]);
    let number = |line: String| line.strip_prefix(ACKNOWLEDGED)?.parse::<usize>().ok();
    let so_far = std::iter::from_fn(|| owner.next_line()).filter_map(number).take(WRITES).last();
    let meanwhile = bench.try_open();
    owner.kill();
    assert_eq!(so_far, Some(WRITES - 1), "the second process wrote");
    match meanwhile {
        Ok(_) if subject.has_files() => panic!("two processes had the store open"),
        Err(Error::Locked { .. }) if subject.has_files() => {}
        Err(error) => panic!("{error}"),
        Ok(_) => {}
    }
    // What it said before it died counts, read or not.
    let last =
        std::iter::from_fn(|| owner.next_line()).filter_map(number).last().or(so_far).unwrap_or_default();
    owner.end();
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

/// Writes until it is killed, or nobody listens any more: one key after the other, each with its twin if both can be
/// written at once.
fn own(subject: &Subject, dir: &Path) {
    let engine = match subject.open(RealDisk::shared(), dir) {
        Ok(engine) => engine,
        Err(error) => panic!("opening failed: {error}"),
    };
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
        if set.is_err() {
            break;
        }
        say(&format!("{ACKNOWLEDGED}{number}"));
    }
}
