//! A second process that uses a store until something ends it, and the first one's account of what it was told.
//!
//! The second process is this very test binary, told by the environment what to do. It says what it has done one
//! line at a time; a line is one write(2) into a pipe, so it is there whole or not at all, whatever kills the process.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod draw;
pub(crate) mod failure;
pub(crate) mod ledger;
pub(crate) mod steps;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// Tells a process that it is the second one, and what it has to do.
const TASK: &str = "LOGLADDER_CHILD_TASK";

/// What this process has to do, if it is the second one.
pub(crate) fn task() -> Option<Vec<String>> {
    let task = env::var(TASK).ok()?;
    Some(task.split('\n').map(str::to_owned).collect())
}

/// One of the words of a task, as a number.
pub(crate) fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("the task has {word:?} in place of a number"))
}

/// Says a line, at once. Where nobody listens any more, this process has nothing left to do.
pub(crate) fn say(line: &str) {
    // What the test harness has printed may not have ended its line.
    let line = format!("\n{line}\n");
    let mut out = std::io::stdout().lock();
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Waits until the first process says something.
pub(crate) fn wait() {
    std::io::stdin().read_line(&mut String::new()).expect("a line from the first process");
}

/// A second process that runs.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Runs this binary again: only the test named `test`, which must begin by asking for its [`task`].
    pub(crate) fn start(test: &str, task: &[&str]) -> Self {
        let binary = env::current_exe().expect("the test binary has a path");
        let mut child = Command::new(binary)
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(TASK, task.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process");
        let output = child.stdout.take().expect("its output is piped");
        let input = child.stdin.take();
        Self { child, input, lines: BufReader::new(output).lines() }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets it go on when it [`wait`]s.
    pub(crate) fn go_on(&mut self) {
        // If it has been killed, that is told by its end.
        let _ = self.input.as_mut().expect("its input is piped").write_all(b"\n");
    }

    /// The next line that it said; `None` once it has ended and everything is read.
    pub(crate) fn next_line(&mut self) -> Option<String> {
        self.lines.by_ref().map_while(Result::ok).find(|line| !line.is_empty())
    }

    /// Reads on until it says `line`.
    pub(crate) fn wait_for(&mut self, line: &str) {
        while let Some(said) = self.next_line() {
            if said == line {
                return;
            }
        }
        let status = self.child.wait();
        panic!("the second process never said {line:?} and ended with {status:?}");
    }

    /// SIGKILL. What it has said before can still be read.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the second process can be killed");
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        while self.next_line().is_some() {}
        self.child.wait().expect("the second process ends")
    }
}

/// A folder where syncs cost nothing, if there is one: for tests that are not about what a disk does after a sync.
pub(crate) fn cheap_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}
