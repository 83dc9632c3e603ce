//! What other programs and a full disk do to a store while it is in use: they race for it, shorten its files under the
//! map, and leave it no space.
//!
//! What all stages have in common, a disk that is full from the start, `ulimit -f`, and a second process that is refused,
//! is tested for this one too in `crates/frontends/logladder/tests`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use logladder_contract::second_process::draw::seed;
use logladder_contract::second_process::failure::{takes_no_more_and_reads_on, tell, told};
use logladder_contract::second_process::ledger::Ledger;
use logladder_contract::second_process::steps::{perform, step};
use logladder_contract::second_process::{Running, cheap_folder, number, say, task, wait};
use logladder_engine::{Engine, Error, Open};
use logladder_hash_log::{Compaction, HashLog, Options};

const SIGBUS: i32 = 7;

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder's name is UTF-8")
}

/// Failure mode 16: a lock file that is unlinked on release ends in two owners. Each process opens the store thirty times,
/// and while it has it, nobody else does, and the store is what the last owner left.
#[test]
fn of_three_processes_that_race_for_a_store_one_has_it_at_a_time() {
    const OPENINGS: u64 = 30;
    if let Some([dir, token]) = task().as_deref() {
        return race(Path::new(dir), Path::new(token), OPENINGS);
    }
    let folder = cheap_folder();
    let (dir, token) = (folder.path().join("store"), folder.path().join("the owner's token"));
    let test = "of_three_processes_that_race_for_a_store_one_has_it_at_a_time";
    let mut racers: Vec<Running> =
        (0..3).map(|_| Running::start(test, &[text(&dir), text(&token)])).collect();
    for racer in &mut racers {
        let status = racer.end();
        assert!(status.success(), "a racer ended with {status}");
    }
    let store = HashLog::open(&dir, Options::default()).expect("the store opens");
    assert_eq!(
        store.get(b"openings").expect("it can be read"),
        Some((3 * OPENINGS).to_string().into_bytes())
    );
}

fn race(dir: &Path, token: &Path, openings: u64) {
    for opening in 0..openings {
        let store = loop {
            match HashLog::open(dir, Options::default()) {
                Ok(store) => break store,
                Err(Error::Locked { .. }) => thread::yield_now(),
                Err(error) => panic!("neither open nor locked: {error}"),
            }
        };
        let alone = OpenOptions::new().write(true).create_new(true).open(token);
        assert!(alone.is_ok(), "two processes have the store: {alone:?}");
        let before = store.get(b"openings").expect("it can be read");
        let before = before.map_or(0, |text| number(&String::from_utf8_lossy(&text)));
        store.set(b"openings", (before + 1).to_string().as_bytes()).expect("it can be written");
        fs::remove_file(token).expect("the token is still there");
        if opening % 2 == 0 {
            drop(store);
        } else {
            Box::new(store).close().expect("it is closed");
        }
    }
}

/// The limit of a map, stated and tested: if another program shortens a file under it, the process reads what is still
/// there, is told of an error, or dies of SIGBUS. It never reads a wrong value, and never panics.
#[test]
fn a_file_that_is_shortened_under_the_map_is_an_error_or_the_end_of_the_process_and_never_a_wrong_value() {
    if let Some([dir]) = task().as_deref() {
        return read_what_is_left(Path::new(dir));
    }
    let test = "a_file_that_is_shortened_under_the_map_is_an_error_or_the_end_of_the_process_and_never_a_wrong_value";
    let files = {
        let folder = cheap_folder();
        long_values(folder.path());
        let mut reader = Running::start(test, &[text(folder.path())]);
        reader.wait_for("ready");
        let files = files_in(folder.path());
        reader.kill();
        reader.end();
        files
    };
    let mut outcomes = BTreeMap::<String, u32>::new();
    for (name, len) in files {
        // A file that is lengthened again is zeros where its pages were.
        for (shorter, is_lengthened) in [(0, false), (0, true), (len / 2, false), (len / 2, true)] {
            let folder = cheap_folder();
            long_values(folder.path());
            let mut reader = Running::start(test, &[text(folder.path())]);
            reader.wait_for("ready");
            let file =
                OpenOptions::new().write(true).open(folder.path().join(&name)).expect("the file is there");
            file.set_len(shorter).expect("it can be cut");
            if is_lengthened {
                file.set_len(len).expect("it can be lengthened");
            }
            reader.go_on();
            let mut said = None;
            while let Some(line) = reader.next_line() {
                said = said.or(line.strip_prefix("outcome: ").map(str::to_owned));
            }
            let status = reader.end();
            let kind = name.rsplit_once('.').map_or(name.as_str(), |(_, ending)| ending);
            let outcome = match status.signal() {
                Some(SIGBUS) => "SIGBUS".to_owned(),
                _ if status.success() => said.expect("it says what it read"),
                _ => panic!("{name} cut to {shorter} of {len} bytes: it ended with {status}"),
            };
            *outcomes.entry(format!("{kind}, lengthened again {is_lengthened}: {outcome}")).or_default() += 1;
        }
    }
    for (outcome, count) in &outcomes {
        println!("{count} × {outcome}");
    }
    // The test cuts what is mapped, and zeros are noticed.
    assert!(outcomes.keys().any(|outcome| outcome.contains("SIGBUS")));
    assert!(outcomes.keys().any(|outcome| outcome.contains("log, lengthened again true: errors")));
}

const LONG_VALUES: u32 = 20;

/// Of more than one page.
fn long_value(key: u32) -> Vec<u8> {
    format!("value {key} ").repeat(700).into_bytes()
}

/// A closed store of a few segments of many pages.
fn long_values(dir: &Path) {
    let store = HashLog::open(dir, small_segments()).expect("a new store");
    for key in 0..LONG_VALUES {
        store.set(&key.to_le_bytes(), &long_value(key)).expect("it is set");
    }
    Box::new(store).close().expect("it is closed");
}

fn small_segments() -> Options {
    Options::default().with_segment_bytes(80_000).with_compaction(Compaction::OnDemand)
}

/// The files of a store, but the one that says whose it is, with their lengths.
fn files_in(dir: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(dir).expect("the folder can be listed").map(|entry| entry.expect("an entry"));
    let named = entries.map(|entry| {
        (entry.file_name().to_string_lossy().into_owned(), entry.metadata().expect("its length").len())
    });
    let mut files: Vec<(String, u64)> = named.filter(|(name, _)| name != "LOGLADDER").collect();
    files.sort();
    files
}

/// Opens the store, lets the first process cut a file, and then reads and writes.
fn read_what_is_left(dir: &Path) {
    let store = HashLog::open(dir, small_segments()).expect("the store opens");
    for key in LONG_VALUES..LONG_VALUES + 4 {
        store.set(&key.to_le_bytes(), &long_value(key)).expect("it is set");
    }
    say("ready");
    wait();
    let mut errors = 0;
    for key in 0..LONG_VALUES + 4 {
        match store.get(&key.to_le_bytes()) {
            Ok(Some(value)) => assert!(value == long_value(key), "key {key} has a wrong value"),
            Ok(None) => panic!("key {key} is gone, and no error says so"),
            Err(Error::Corrupt { .. } | Error::Io { .. }) => errors += 1,
            Err(other) => panic!("an error of another kind: {other}"),
        }
    }
    for key in 0..LONG_VALUES {
        if let Err(error) = store.set(&key.to_le_bytes(), b"new") {
            assert!(
                matches!(error, Error::Corrupt { .. } | Error::Io { .. } | Error::Poisoned { .. }),
                "{error}"
            );
            errors += 1;
        }
    }
    // Sealing reads the whole segment.
    let closed = Box::new(store).close();
    let was_told = errors > 0 || closed.is_err();
    say(&format!("outcome: {}", if was_told { "errors" } else { "everything could be read and written" }));
}

/// A file system of some KiB in memory, unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "logladder-test"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_path_buf()))
    }

    /// Makes room, as a user would who was told to.
    fn enlarge(&self) {
        let status = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status();
        assert!(status.expect("mount runs").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Segments whose space was reserved while there was some, and compaction in the background, which wants more.
#[test]
fn a_disk_that_fills_up_while_segments_rotate_and_are_compacted_is_an_error_and_loses_nothing() {
    if let Some([dir, seed]) = task().as_deref() {
        return fill(Path::new(dir), number(seed));
    }
    let (first, mut full) = (seed(), 0);
    for seed in (0..6).map(|round| first.wrapping_add(round)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let Some(disk) = SmallDisk::mount(folder.path()) else {
            println!("SKIPPED: only root can mount the small file system that this test fills");
            return;
        };
        let dir = folder.path().join("store");
        let test =
            "a_disk_that_fills_up_while_segments_rotate_and_are_compacted_is_an_error_and_loses_nothing";
        let mut writer = Running::start(test, &[text(&dir), &seed.to_string()]);
        let mut lines = Vec::new();
        while let Some(line) = writer.next_line() {
            lines.push(line);
        }
        let (status, when) = (writer.end(), format!("seed {seed}"));
        assert!(status.success(), "{when}: it ended with {status}");
        let failed: Vec<_> = lines.iter().filter_map(|line| told(line)).collect();
        // 28 is ENOSPC; a reserve that cannot be had says it by its kind.
        let is_told = |code: &str| ["28", "StorageFull", "poisoned"].contains(&code);
        assert!(failed.iter().all(|(_, code)| is_told(code)), "{when}: {failed:?}");
        full += u32::from(failed.iter().any(|(what, _)| what == "step"));
        disk.enlarge();
        let store = HashLog::open(&dir, Options::default());
        let store = store.unwrap_or_else(|error| panic!("{when}: the store does not open: {error}"));
        let mut ledger = Ledger::new(seed, 1);
        for line in &lines {
            ledger.hear(line);
        }
        println!("{when}: {} steps acknowledged, then {failed:?}", ledger.acknowledged());
        ledger.settle(&store, &when);
        Box::new(store).close().expect("the store closes");
    }
    assert!(full > 0, "the disk was never full");
}

fn fill(dir: &Path, seed: u64) {
    let store = match HashLog::open(dir, Options::default().with_segment_bytes(8_000)) {
        Ok(store) => store,
        Err(error) => return tell("open", &error),
    };
    let mut ledger = Ledger::new(seed, 1);
    for number in 0..3_000 {
        let changes = step(seed, 0, number);
        if let Err(error) = perform(&store, &changes) {
            tell("step", &error);
            takes_no_more_and_reads_on(&store, &ledger, seed);
            return;
        }
        let line = format!("done 0 {number}");
        say(&line);
        ledger.hear(&line);
    }
}
