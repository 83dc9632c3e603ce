//! What the benchmark promises of itself: a wrong answer has no figures, a slow engine is cut off and says
//! so, the same seed does the same to every engine.

#![allow(clippy::unwrap_used)] // An engine under test may panic; clippy sees only the `#[test]` functions as tests.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logladder_bench::climb::Plan;
use logladder_bench::input::Records;
use logladder_bench::{Contestant, Failure, Operation, Run, Workload};
use logladder_engine::{Durability, Engine, Result, Stats};

/// A map behind a lock, shared by every opening: what it stores survives being closed, as a file would.
#[derive(Debug, Clone, Default)]
struct Shared {
    map: Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>,
    fault: Fault,
    /// Everything that was done, in order.
    log: Arc<Mutex<Vec<String>>>,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    Nothing,
    /// Each set takes a millisecond.
    SlowSets,
    /// Each get takes a millisecond.
    SlowGets,
    /// The value of one key has its last byte changed.
    ChangesOne,
    /// Deletes are acknowledged and not done.
    IgnoresDeletes,
    /// What was stored is gone once it is closed.
    ForgetsOnClose,
    /// Every absent key has a value.
    InventsValues,
}

const CHANGED_KEY: &[u8] = b"0000000000000007";

impl Engine for Shared {
    fn name(&self) -> &'static str {
        "mine"
    }

    fn durability(&self) -> Durability {
        Durability::ProcessCrash
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.fault == Fault::SlowGets {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut value = self.map.lock().unwrap().get(key).cloned();
        match (self.fault, &mut value) {
            (Fault::ChangesOne, Some(value)) if key == CHANGED_KEY => {
                if let Some(last) = value.last_mut() {
                    *last ^= 1;
                }
            }
            (Fault::InventsValues, None) => value = Some(b"invented".to_vec()),
            _ => {}
        }
        Ok(value)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.fault == Fault::SlowSets {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.log.lock().unwrap().push(format!("{} {}", key.escape_ascii(), value.escape_ascii()));
        self.map.lock().unwrap().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        if self.fault != Fault::IgnoresDeletes {
            self.map.lock().unwrap().remove(key);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> Result<Stats> {
        Ok(Stats::default())
    }

    fn close(self: Box<Self>) -> Result<()> {
        if self.fault == Fault::ForgetsOnClose {
            self.map.lock().unwrap().clear();
        }
        Ok(())
    }
}

/// An engine with this fault, and the log of its sets.
fn contestant(fault: Fault) -> (Contestant, Shared) {
    let shared = Shared { fault, ..Shared::default() };
    let opened = shared.clone();
    let open = move |dir: &Path, _| {
        std::fs::create_dir_all(dir).map_err(|error| logladder_engine::Error::io("make", dir, error))?;
        let mut engine = opened.clone();
        if dir.ends_with("warm-up") {
            // A store of its own, without faults: it is what follows that matters.
            engine = Shared::default();
        }
        Ok(Box::new(engine) as Box<dyn Engine>)
    };
    (Contestant::other("mine", open), shared)
}

fn work(workload: &Workload, fault: Fault) -> std::result::Result<Run, Failure> {
    let folder = tempfile::tempdir().unwrap();
    workload.run(&contestant(fault).0, folder.path(), None, &mut |_| {})
}

fn climb(plan: &Plan, records: &Records, fault: Fault) -> std::result::Result<Run, Failure> {
    let folder = tempfile::tempdir().unwrap();
    plan.run(&contestant(fault).0, records, folder.path(), None, &mut |_| {})
}

fn records(count: u32) -> Records {
    let entry = |number| (format!("{number:016}").into_bytes(), format!("value {number}").into_bytes());
    Records { entries: (0..count).map(entry).collect(), ..Records::default() }
}

fn plan() -> Plan {
    Plan::within(Duration::from_secs(100), 1, 7)
}

/// The quick workload with so much time that only its numbers end the sets and the checks, on a busy machine
/// too.
fn unhurried() -> Workload {
    Workload { phase_millis: 300, ..Workload::quick() }
}

#[test]
fn an_engine_that_answers_rightly_has_figures_for_every_operation() {
    let run = work(&unhurried(), Fault::Nothing).unwrap();
    for operation in [Operation::Set, Operation::Get, Operation::GetMiss, Operation::Delete] {
        let phase = run.phase(operation).unwrap();
        assert!(phase.rate.per_second > 0.0 && phase.done > 0, "{operation:?}: {phase:?}");
        assert!(phase.latency.timed > 0 && phase.latency.p50 <= phase.latency.p999, "{phase:?}");
    }
    let compared = run.phase(Operation::Get).unwrap().done + run.phase(Operation::GetMiss).unwrap().done;
    assert_eq!(run.values_checked, compared + run.checks.iter().map(|check| check.done).sum::<u64>());
    assert_eq!(run.reopen.unwrap().keys, 64);
}

#[test]
fn one_wrong_byte_of_one_value_is_caught_and_named() {
    for failure in [
        work(&unhurried(), Fault::ChangesOne).unwrap_err(),
        climb(&plan(), &records(100), Fault::ChangesOne).unwrap_err(),
    ] {
        let Failure::WrongValue { engine, key, expected, found, .. } = &failure else {
            panic!("{failure}");
        };
        assert_eq!((engine.as_str(), key.as_bytes()), ("mine", &b"\"0000000000000007\""[..]));
        assert_ne!(expected, found);
    }
}

#[test]
fn a_deleted_key_that_answers_and_a_lost_one_and_an_invented_one_are_caught() {
    for (fault, expected) in [
        (Fault::IgnoresDeletes, "check after deletes"),
        (Fault::ForgetsOnClose, "check after reopening"),
        (Fault::InventsValues, "get-miss"),
    ] {
        let failure = work(&unhurried(), fault).unwrap_err();
        let Failure::WrongValue { during, .. } = &failure else { panic!("{failure}") };
        assert_eq!(during, expected);
    }
    for fault in [Fault::IgnoresDeletes, Fault::ForgetsOnClose, Fault::InventsValues] {
        let failure = climb(&plan(), &records(100), fault).unwrap_err();
        assert!(matches!(failure, Failure::WrongValue { .. }), "{failure}");
    }
}

#[test]
fn a_slow_engine_is_cut_off_and_the_rest_works_with_what_was_loaded() {
    let workload = Workload { keys: 100_000, ..Workload::quick() };
    let run = work(&workload, Fault::SlowSets).unwrap();
    let set = run.phase(Operation::Set).unwrap();
    assert!(set.cut_off && set.done < 100_000, "{set:?}");
    assert_eq!(run.reopen.unwrap().keys, set.done);
    assert!(run.cut_offs()[0].starts_with("set: "), "{:?}", run.cut_offs());

    let short = Plan { set_millis: 20, ..plan() };
    let run = climb(&short, &records(100_000), Fault::SlowSets).unwrap();
    let set = run.phase(Operation::Set).unwrap();
    assert!(set.cut_off && set.wanted == Some(100_000), "{set:?}");
    let get = run.phase(Operation::Get).unwrap();
    assert!(!get.cut_off && get.done == set.done, "{get:?}");
}

#[test]
fn slow_reads_are_cut_off_too_and_say_how_many_they_were() {
    let short = Plan { get_millis: 20, check_millis: 20, ..plan() };
    let run = climb(&short, &records(10_000), Fault::SlowGets).unwrap();
    let get = run.phase(Operation::Get).unwrap();
    assert!(get.cut_off && get.done > 0 && get.wanted == Some(10_000), "{get:?}");
    assert!(run.checks.iter().all(|check| check.cut_off && check.wanted == 10_000));
    assert_eq!(run.cut_offs().len(), 3);
}

#[test]
fn climb_deletes_every_tenth_key_and_later_records_overwrite() {
    let mut records = records(95);
    records.entries.push((b"0000000000000001".to_vec(), b"again".to_vec()));
    let (mine, shared) = contestant(Fault::Nothing);
    let folder = tempfile::tempdir().unwrap();
    let run = plan().run(&mine, &records, folder.path(), None, &mut |_| {}).unwrap();
    assert_eq!(run.phase(Operation::Set).unwrap().done, 96);
    assert_eq!(run.phase(Operation::Get).unwrap().done, 95);
    assert_eq!(run.phase(Operation::Delete).unwrap().done, 10);
    let map = shared.map.lock().unwrap();
    assert_eq!(map.len(), 85);
    assert!(!map.contains_key(&b"0000000000000000"[..]));
    assert_eq!(map.get(&b"0000000000000001"[..]).unwrap(), b"again");
    let [deletes, reopening] = run.checks.as_slice() else { panic!("{:?}", run.checks) };
    assert_eq!((deletes.done, reopening.done), (95, 95));
}

#[test]
fn the_same_seed_does_the_same_to_every_engine_and_another_does_not() {
    let sets = |seed| {
        let (mine, shared) = contestant(Fault::Nothing);
        let folder = tempfile::tempdir().unwrap();
        // Bounded by their number, so that time has no say.
        let workload = Workload { seed, most_sets: Some(200), get_misses: false, ..unhurried() };
        workload.run(&mine, folder.path(), None, &mut |_| {}).unwrap();
        let log = shared.log.lock().unwrap();
        log.clone()
    };
    let first = sets(1);
    assert_eq!(first.len(), 200);
    assert_eq!(first, sets(1));
    assert_ne!(first, sets(2));
}

#[test]
fn progress_is_told_and_ends_with_all_that_was_wanted() {
    let mut last = HashMap::new();
    let folder = tempfile::tempdir().unwrap();
    plan()
        .run(&contestant(Fault::Nothing).0, &records(50), folder.path(), None, &mut |progress| {
            last.insert(progress.step.clone(), progress);
        })
        .unwrap();
    for step in ["set", "get", "delete", "check after deletes", "check after reopening"] {
        let progress = &last[step];
        assert_eq!(Some(progress.done), progress.wanted, "{step}");
        assert!((progress.fraction() - 1.0).abs() < 1e-9, "{step}");
    }
}
