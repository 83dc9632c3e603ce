//! A child process that writes to a store and says what was acknowledged, for the tests that kill it or take
//! its disk away.
//!
//! The child is this very test binary, told by the environment to run [`write_for_ever`] instead of a test.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use logladder::{Durability, Engine, Stage, SyncPolicy};

const STAGE: &str = "LOGLADDER_CHILD_STAGE";
const DIR: &str = "LOGLADDER_CHILD_DIR";

/// Keys repeat, so that writes overwrite and deletes have something to delete.
const KEYS: u64 = 50;

/// Call first in the test named `test`: in the child it writes and never returns.
pub(crate) fn run_if_child() {
    if let (Ok(stage), Ok(dir)) = (std::env::var(STAGE), std::env::var(DIR)) {
        let stage = logladder::stage(&stage).expect("the parent names a stage");
        write_for_ever(stage, Path::new(&dir));
        std::process::exit(0);
    }
}

/// A shell command that runs the test `test` as a child which writes to a store of `stage` in `dir`. `first` is
/// shell text that comes before, such as a limit.
pub(crate) fn spawn(test: &str, stage: &Stage, dir: &Path, first: &str) -> Child {
    let binary = std::env::current_exe().expect("the test binary has a path");
    Command::new("sh")
        .arg("-c")
        .arg(format!("{first} exec \"$0\" {test} --exact --nocapture"))
        .arg(binary)
        .env(STAGE, stage.name)
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// Writes until an error, or for ever. Before each write it says `begin N`, after it `done N`.
fn write_for_ever(stage: &Stage, dir: &Path) {
    let mut out = std::io::stdout();
    let mut say = |what: &str, n: u64| writeln!(out, "\n{what} {n}").and_then(|()| out.flush());
    let store = match stage.open(dir, SyncPolicy::Never) {
        Ok(store) => store,
        Err(error) => {
            println!("\nfailed at open: {error}");
            return;
        }
    };
    for n in 0.. {
        if say("begin", n).is_err() {
            return;
        }
        if let Err(error) = write(&*store, n) {
            println!("\nfailed at {n}: {error}");
            // From now on every write must be refused; or, where it is tried again, must fail.
            assert!(write(&*store, n).is_err(), "a write after a failed one was accepted");
            println!("\nrefused");
            return;
        }
        if say("done", n).is_err() {
            return;
        }
    }
}

/// The `n`-th write of the child: a set, or sometimes a delete. A store that writes later is asked to do it now.
fn write(store: &dyn Engine, n: u64) -> logladder::Result<()> {
    match value(n) {
        Some(value) => store.set(&key(n), &value)?,
        None => store.delete(&key(n))?,
    }
    if store.durability() < Durability::ProcessCrash { store.sync() } else { Ok(()) }
}

/// The key of the `n`-th write.
pub(crate) fn key(n: u64) -> Vec<u8> {
    format!("key-{}", n * 7 % KEYS).into_bytes()
}

/// What the `n`-th write leaves: a value of its own, or nothing.
pub(crate) fn value(n: u64) -> Option<Vec<u8>> {
    (n % 5 != 4)
        .then(|| format!("value-{n}-{}", "x".repeat(usize::try_from(n % 97).unwrap_or(0))).into_bytes())
}

/// What the child said before it ended.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// How many writes were acknowledged.
    pub(crate) done: u64,
    /// How many were begun: one more at most.
    pub(crate) begun: u64,
    /// The error that ended it, if one did.
    pub(crate) failed: Option<String>,
    /// Whether a write after the failed one was refused.
    pub(crate) refused: bool,
}

/// Reads what the child says; once `kill_after` writes are acknowledged, kills it with SIGKILL.
pub(crate) fn listen(mut child: Child, kill_after: Option<u64>) -> Said {
    let mut said = Said::default();
    let output = child.stdout.take().expect("the child's output is piped");
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some(n) = line.strip_prefix("begin ").and_then(|n| n.parse::<u64>().ok()) {
            said.begun = n + 1;
        } else if let Some(n) = line.strip_prefix("done ").and_then(|n| n.parse::<u64>().ok()) {
            said.done = n + 1;
            if kill_after == Some(said.done) {
                child.kill().expect("the child can be killed");
            }
        } else if line.starts_with("failed at") {
            said.failed = Some(line);
        } else if line == "refused" {
            said.refused = true;
        }
    }
    child.wait().expect("the child ends");
    said
}

/// Opens the store again and checks that it holds what was acknowledged, and of the write under way all or
/// nothing.
pub(crate) fn check(stage: &Stage, dir: &Path, said: &Said) {
    let store = stage.open(dir, SyncPolicy::Never).expect("the store opens again");
    for slot in 0..KEYS {
        let key = key(slot);
        let found = store.get(&key).expect("the key can be read");
        let last = |writes: u64| (0..writes).rev().find(|&n| self::key(n) == key).and_then(value);
        let (acknowledged, submitted) = (last(said.done), last(said.begun));
        assert!(
            found == acknowledged || found == submitted,
            "{}: {} holds {found:?}, neither {acknowledged:?} nor {submitted:?}; {said:?}",
            stage.name,
            String::from_utf8_lossy(&key),
        );
    }
    store.set(b"after", b"the crash").expect("the store takes writes again");
    store.close().expect("the store closes");
    let store = stage.open(dir, SyncPolicy::Never).expect("the store opens a second time");
    assert_eq!(store.get(b"after").expect("the key can be read").as_deref(), Some(&b"the crash"[..]));
}
