//! A second process that uses a store until something ends it, and the first one's account of what it was told.
//!
//! The second process is the very test binary, told by the environment what to do. It says what it has done one
//! line at a time; a line is one write(2) into a pipe, so it is there whole or not at all, whatever kills the process.
//!
//! ```no_run
//! use logladder_contract::second_process::{Running, say, task};
//!
//! #[test]
//! fn what_was_said_is_heard() {
//!     if let Some([word]) = task().as_deref() {
//!         return say(word);
//!     }
//!     let mut second = Running::start("what_was_said_is_heard", &["here"]);
//!     assert_eq!(second.next_line().as_deref(), Some("here"));
//! }
//! ```

#[cfg(target_os = "linux")]
pub mod cut_map;
pub mod draw;
pub mod failure;
pub mod kill_loop;
pub mod ledger;
pub mod race;
pub mod small_disk;
pub mod steps;

use std::env;
use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// Tells a process that it is the second one, and what it has to do.
const TASK: &str = "LOGLADDER_SECOND_PROCESS";

/// What this process has to do, if it is the second one.
#[must_use]
pub fn task() -> Option<Vec<String>> {
    let task = env::var(TASK).ok()?;
    Some(task.split('\n').map(str::to_owned).collect())
}

/// One of the words of a task, as a number.
#[must_use]
pub fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("the task has {word:?} in place of a number"))
}

/// Says a line, at once. Where nobody listens any more, this process has nothing left to do.
pub fn say(line: &str) {
    // What the test harness has printed may not have ended its line.
    let line = format!("\n{line}\n");
    let mut out = io::stdout().lock();
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Waits until the first process says something.
pub fn wait() {
    if let Err(error) = io::stdin().read_line(&mut String::new()) {
        panic!("the first process cannot be heard: {error}");
    }
}

/// A second process that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    input: ChildStdin,
    lines: io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Runs this binary again: only the test named `test`, which must begin by asking for its [`task`].
    #[must_use]
    pub fn start(test: &str, task: &[&str]) -> Self {
        let started = env::current_exe().and_then(|binary| {
            Command::new(binary)
                .args([test, "--exact", "--nocapture", "--test-threads=1"])
                .env(TASK, task.join("\n"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
        });
        let mut child = started.unwrap_or_else(|error| panic!("no second process could be started: {error}"));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("the second process has no pipes");
        };
        Self { child, input, lines: BufReader::new(output).lines() }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets it go on when it [`wait`]s.
    pub fn go_on(&mut self) {
        // If it has been killed, that is told by its end.
        let _ = self.input.write_all(b"\n");
    }

    /// The next line that it said; `None` once it has ended and everything is read.
    pub fn next_line(&mut self) -> Option<String> {
        self.lines.by_ref().map_while(Result::ok).find(|line| !line.is_empty())
    }

    /// Reads on until it says `line`.
    pub fn wait_for(&mut self, line: &str) {
        while let Some(said) = self.next_line() {
            if said == line {
                return;
            }
        }
        let status = self.child.wait();
        panic!("the second process never said {line:?} and ended with {status:?}");
    }

    /// SIGKILL. What it has said before can still be read.
    pub fn kill(&mut self) {
        if let Err(error) = self.child.kill() {
            panic!("the second process cannot be killed: {error}");
        }
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        while self.next_line().is_some() {}
        self.child.wait().unwrap_or_else(|error| panic!("the second process does not end: {error}"))
    }
}

/// What must come off for the test to say anything, or is what it asks.
pub(crate) fn must<T, E: Display>(what: &str, outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|error| panic!("{what}? {error}"))
}

/// A folder where syncs cost nothing, if there is one: for tests that are not about what a disk does after a sync.
#[must_use]
pub fn cheap_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap_or_else(|error| panic!("there is no temporary folder: {error}"))
}
