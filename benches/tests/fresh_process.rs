//! Each measurement runs in a process of its own. This test has no harness, because it is its own worker:
//! its `main` must be able to become one before anything else happens.

#![allow(clippy::unwrap_used)] // All of it is a test; clippy sees only `#[test]` functions as that.

use std::io::Write;
use std::path::Path;
use std::process::exit;

use logladder_bench::climb::Plan;
use logladder_bench::input::{FileSource, Source};
use logladder_bench::{Contestant, Failure, Job, Operation, Run, Runner, Workload, worker_entry};
use logladder_engine::{Durability, Engine, Result, Stats};

logladder_bench::counted_heap!(HEAP);

/// An engine that holds nothing, and misbehaves as its name says.
#[derive(Debug)]
struct Odd(&'static str);

impl Engine for Odd {
    fn name(&self) -> &'static str {
        self.0
    }
    fn durability(&self) -> Durability {
        Durability::Never
    }
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn set(&self, key: &[u8], _: &[u8]) -> Result<()> {
        match self.0 {
            "exits" => exit(3),
            "panics" => panic!("this panic belongs to the test"),
            // Without the end of the line: what follows must be understood all the same.
            "prints" if key.ends_with(b"7") => {
                let _ = write!(std::io::stdout(), "this line belongs to the test");
            }
            _ => {}
        }
        Ok(())
    }
    fn delete(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn sync(&self) -> Result<()> {
        Ok(())
    }
    fn stats(&self) -> Result<Stats> {
        Ok(Stats::default())
    }
}

fn find(name: &str) -> Option<Contestant> {
    let odd = ["exits", "panics", "prints", "loses"].into_iter().find(|odd| *odd == name);
    match odd {
        Some(odd) => Some(Contestant::other(odd, move |_, _| Ok(Box::new(Odd(odd)) as Box<dyn Engine>))),
        None => logladder::stage(name).map(Contestant::stage),
    }
}

type Test = fn(&Runner);

fn main() {
    worker_entry(find, Some(&HEAP));
    let tests: [(&str, Test); 6] = [
        ("a_stage_is_measured_with_its_heap_and_its_disk", a_stage_is_measured_with_its_heap_and_its_disk),
        ("real_records_are_read_by_the_worker_itself", real_records_are_read_by_the_worker_itself),
        ("a_bad_input_line_comes_back_as_it_was_found", a_bad_input_line_comes_back_as_it_was_found),
        ("a_wrong_value_ends_that_engine_and_no_other", a_wrong_value_ends_that_engine_and_no_other),
        ("a_worker_that_dies_is_a_failure_that_says_how", a_worker_that_dies_is_a_failure_that_says_how),
        ("what_an_engine_prints_does_not_disturb", what_an_engine_prints_does_not_disturb),
    ];
    for (name, test) in tests {
        let folder = tempfile::tempdir().unwrap();
        test(&Runner::new().unwrap().in_folder(folder.path()));
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "{name} left a store behind");
        let _ = writeln!(std::io::stdout(), "test {name} ... ok");
    }
    let _ = writeln!(std::io::stdout(), "\n{} passed, 0 failed", tests.len());
}

fn quick() -> Job {
    Job::Workload(Workload::quick())
}

/// How many keys hold a value after the sets of the quick workload: each is set once before any is set again.
fn keys_set(run: &Run) -> u64 {
    run.phase(Operation::Set).unwrap().done.min(u64::from(Workload::quick().keys))
}

fn climb(path: &Path) -> Job {
    let source = Source::File(FileSource::new(path).unwrap());
    Job::Climb { source, plan: Plan::within(std::time::Duration::from_secs(10), 1, 1) }
}

fn a_stage_is_measured_with_its_heap_and_its_disk(runner: &Runner) {
    let mut steps = Vec::new();
    let memory = runner.run("memory", &quick(), &mut |progress| steps.push(progress.step)).unwrap();
    assert_eq!(memory.number, Some(1));
    // Values of 100 bytes: how many keys were set in the time is the machine's affair.
    assert!(memory.memory.heap_held.unwrap() > 100 * keys_set(&memory), "{:?}", memory.memory);
    assert!(memory.memory.rss_before > 0 && memory.reopen.is_none());
    assert!(steps.iter().any(|step| step == "get-miss"), "{steps:?}");

    let files = runner.run("file-per-key", &quick(), &mut |_| {}).unwrap();
    let keys = keys_set(&files);
    assert_eq!((files.durability, files.reopen.unwrap().keys), (Durability::ProcessCrash, keys));
    assert!(files.storage.disk_bytes > 100 * keys && files.storage.space_amplification().unwrap() > 1.0);
    assert!(files.storage.write_amplification().unwrap() > 1.0, "{:?}", files.storage);
}

fn real_records_are_read_by_the_worker_itself(runner: &Runner) {
    let file = tempfile::Builder::new().suffix(".tsv").tempfile().unwrap();
    file.as_file().write_all("ключ\tvalue\nempty\t\nagain\t1\nagain\t2\n".as_bytes()).unwrap();
    let run = runner.run("json-file", &climb(file.path()), &mut |_| {}).unwrap();
    assert_eq!(run.phase(Operation::Set).unwrap().done, 4);
    assert_eq!(run.phase(Operation::Get).unwrap().done, 3);
    assert_eq!(run.reopen.unwrap().keys, 2);
}

fn a_bad_input_line_comes_back_as_it_was_found(runner: &Runner) {
    let file = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
    file.as_file().write_all(b"[1,2]\n[1]\n").unwrap();
    let failure = runner.run("memory", &climb(file.path()), &mut |_| {}).unwrap_err();
    assert!(matches!(failure, Failure::Input { line: Some(2), .. }), "{failure}");
}

fn a_wrong_value_ends_that_engine_and_no_other(runner: &Runner) {
    let report = runner.measure("test", &["loses", "memory"], &[quick()], &mut |_| {});
    assert!(matches!(report.failures[..], [Failure::WrongValue { .. }]), "{:?}", report.failures);
    assert_eq!(report.runs.len(), 1);
    assert_eq!(report.runs[0].engine, "memory");
}

fn a_worker_that_dies_is_a_failure_that_says_how(runner: &Runner) {
    for (engine, said) in [
        ("exits", "the process that ran exits ended with code 3 and without a result; what it said is above"),
        (
            "panics",
            "the process that ran panics ended with code 101 and without a result; what it said is above",
        ),
        ("unheard-of", "the process that ran unheard-of does not know an engine of this name"),
    ] {
        let failure = runner.run(engine, &quick(), &mut |_| {}).unwrap_err();
        assert_eq!(failure.to_string(), said);
    }
}

fn what_an_engine_prints_does_not_disturb(runner: &Runner) {
    // It loses every value, and that is what it fails for.
    let failure = runner.run("prints", &quick(), &mut |_| {}).unwrap_err();
    assert!(matches!(failure, Failure::WrongValue { .. }), "{failure}");
}
