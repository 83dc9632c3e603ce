//! The script under strace(1).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use tempfile::TempDir;

use crate::TASK;

/// A call that the script makes: its name, and which one of that name it is.
pub(crate) type Call = (String, u64);

/// What a run of the script came to.
pub(crate) struct Ran {
    pub(crate) folder: TempDir,
    /// What it said.
    pub(crate) lines: Vec<String>,
    /// What strace wrote.
    pub(crate) trace: String,
}

/// Runs this binary again, only the test named `test`, under strace with these options.
pub(crate) fn run(test: &str, options: &[&str]) -> Ran {
    // Syncs cost nothing there, and this is not about what a disk does after one.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let trace = folder.path().join("trace");
    let output = Command::new("strace")
        .arg("-f")
        .arg("-o")
        .arg(&trace)
        .args(options)
        .arg(std::env::current_exe().expect("the test binary has a path"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(TASK, folder.path().join("store"))
        .output()
        .expect("strace");
    let said = [output.stdout, output.stderr].concat();
    let lines = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
    let trace = std::fs::read_to_string(trace).expect("what strace wrote");
    Ran { folder, lines, trace }
}

/// Runs the script once, and says which calls it makes in its folder.
pub(crate) fn calls_of_the_script(test: &str) -> BTreeSet<Call> {
    let Ran { folder, lines, trace } = run(test, &["-y", "-s", "4096"]);
    assert!(!lines.iter().any(|line| line.starts_with("failed")), "it fails without a fault: {lines:?}");
    let store = folder.path().join("store");
    let store = store.to_str().expect("UTF-8");
    let mut counts = BTreeMap::<(&str, &str), u64>::new();
    let mut calls = BTreeSet::new();
    for line in trace.lines() {
        // `4711 pwrite64(3</tmp/x/store/MANIFEST.tmp>, …`: the thread's number, the call, the file in brackets.
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
        if name.contains("resumed") || name.contains(' ') {
            continue;
        }
        // strace counts for each thread.
        let count = counts.entry((thread, name)).or_default();
        *count += 1;
        if arguments.contains(store) {
            calls.insert((name.to_owned(), *count));
        }
    }
    calls
}
