//! The script under strace(1).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::TEST;
use crate::child::failure::told;
use crate::child::{Running, cheap_folder};

/// What a run of the script came to.
pub(crate) struct Ran {
    /// What it said.
    pub(crate) lines: Vec<String>,
    pub(crate) status: ExitStatus,
    /// What failed, with which error.
    pub(crate) failed: Vec<(String, String)>,
}

/// Runs the script in a new folder. strace is called with `options`, and writes to `trace`; it is there from the
/// script's beginning on, and sees nothing of what came before.
pub(crate) fn run(options: &[&str], trace: &Path, root: &Path, seed: u64) -> Ran {
    let store = root.join("store");
    let mut script = Running::start(TEST, &[store.to_str().expect("UTF-8"), &seed.to_string()]);
    script.wait_for("ready");
    let mut strace = Command::new("strace")
        .args(["-f", "-p", &script.id().to_string(), "-o"])
        .arg(trace)
        .args(options)
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace");
    let mut said = BufReader::new(strace.stderr.take().expect("it is piped")).lines();
    // Then it has every thread, and says so: `strace: Process 4711 attached with 2 threads`.
    let attached = said.by_ref().map_while(Result::ok).find(|line| line.contains("attached with"));
    assert!(attached.is_some(), "strace did not attach to the process");
    // For which the script waits.
    std::fs::create_dir(root).expect("a new folder");
    let mut lines = Vec::new();
    while let Some(line) = script.next_line() {
        lines.push(line);
    }
    let failed = lines.iter().filter_map(|line| told(line)).collect();
    let status = script.end();
    said.for_each(drop);
    strace.wait().expect("strace ends");
    Ran { lines, status, failed }
}

/// A call that the script makes: its name, and which one of that name it is.
pub(crate) type Call = (String, u64);

/// Runs the script once, and says which calls it makes in its folder.
pub(crate) fn calls_of_the_script(seed: u64) -> BTreeSet<Call> {
    let folder = cheap_folder();
    let root = folder.path().join("root");
    let trace = folder.path().join("trace");
    let Ran { status, failed, .. } = run(&["-y", "-s", "4096"], &trace, &root, seed);
    assert!(status.success() && failed.is_empty(), "the script fails without a fault: {status}, {failed:?}");
    let trace = std::fs::read_to_string(trace).expect("what strace wrote");
    let root = root.to_str().expect("UTF-8");
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
        // Of an msync only the address is shown; nobody but an engine calls it.
        if arguments.contains(root) || name == "msync" {
            calls.insert((name.to_owned(), *count));
        }
    }
    calls
}
