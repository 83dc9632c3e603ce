//! System calls that fail, and a process that is killed at one: strace(1) lets any call of a running program fail, or
//! sends it a signal there.
//!
//! ```text
//!   Script::begin ── in the second process: waits until strace is there, then the test goes through what it wants
//!        ▲
//!   Script::shots ── runs it once, and strace writes down which calls it makes in the store's folder
//!        │
//!   Script::fire ─── runs it once for each of those calls and each fault that makes sense for it,
//!                    and shows the test what each run left
//! ```
//!
//! A stage's test writes the script and the judgement, and nothing else:
//!
//! ```ignore
//! fn test(name: &str) {
//!     let script = Script::of(name, &[]);
//!     if let Some((store, _)) = script.begin() {
//!         return go_through(&store);
//!     }
//!     script.fire_all(200, |shot, ran| judge(shot, &ran.store(), &ran.lines));
//! }
//! ```
//!
//! Where strace is missing nothing is tested, and the test says so. Debian: `apt-get install strace`.

mod faults;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

pub use faults::{Fault, Shot};

use crate::second_process::{Running, cheap_folder, say, task};

/// A script says so, and what, when something returned an error. What follows is the script's.
pub const FAILED: &str = "failed ";

/// The variable that asks for every fault, where a test draws some: `LOGLADDER_FAULTS=all`.
const ALL: &str = "LOGLADDER_FAULTS";

/// Runs at once. More do not make it faster where there are few processors.
const AT_ONCE: usize = 2;

/// A call that a script makes: its name, and which one of that name it is.
type Call = (String, u64);

/// A test that a second process goes through under strace.
#[derive(Debug, Clone)]
pub struct Script {
    test: String,
    /// What it is told beside its folder.
    words: Vec<String>,
}

/// What a run of a script came to.
#[derive(Debug)]
pub struct Ran {
    folder: TempDir,
    /// What it said.
    pub lines: Vec<String>,
    status: ExitStatus,
    /// What strace wrote.
    trace: String,
}

impl Ran {
    /// The folder of the store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        store_in(&root_in(self.folder.path()))
    }

    /// What failed, as the script said it, without the word itself.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.strip_prefix(FAILED))
    }

    /// Whether an error was injected. Of a signal that is not said.
    #[must_use]
    pub fn was_hit(&self) -> bool {
        self.trace.contains("INJECTED")
    }

    /// Whether it ended by SIGKILL.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }
}

/// What became of the shots of one kind.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    shots: u32,
    killed: u32,
    /// The script said that something failed.
    reported: u32,
    /// The engine went another way: wrote where it could not reserve, did without a hint, tried again.
    absorbed: u32,
    /// The call was not made this time.
    missed: u32,
}

fn root_in(folder: &Path) -> PathBuf {
    folder.join("root")
}

fn store_in(root: &Path) -> PathBuf {
    root.join("store")
}

impl Script {
    /// The script that the test named `test` goes through when it [begins](Self::begin) in a second process, which is
    /// told these words.
    #[must_use]
    pub fn of(test: &str, words: &[&str]) -> Self {
        Self { test: test.to_owned(), words: words.iter().map(|&word| word.to_owned()).collect() }
    }

    /// In the second process, once strace is there: the folder of the store, which is not made yet, and the words.
    #[must_use]
    pub fn begin() -> Option<(PathBuf, Vec<String>)> {
        let mut words = task()?;
        let store = PathBuf::from(words.remove(0));
        // Where a process may trace its own children alone, strace is none of this one's ancestors. Elsewhere the
        // system does not know the question.
        let _ = rustix::process::set_ptracer(rustix::process::PTracer::Any);
        say("ready");
        // It looks again and again, because a call that waits would be seen by strace when it comes, and counted.
        while !store.parent().is_some_and(Path::exists) {
            thread::sleep(Duration::from_micros(200));
        }
        Some((store, words))
    }

    /// Runs it in a new folder. strace is called with `options`; it is there from the script's beginning on, and sees
    /// nothing of what came before.
    fn run(&self, options: &[&str]) -> Ran {
        let folder = cheap_folder();
        let (root, trace) = (root_in(folder.path()), folder.path().join("trace"));
        let store = store_in(&root).display().to_string();
        let words: Vec<&str> = std::iter::once(&store).chain(&self.words).map(String::as_str).collect();
        let mut script = Running::start(&self.test, &words);
        script.wait_for("ready");
        let started = Command::new("strace")
            .args(["-f", "-p", &script.id().to_string(), "-o"])
            .arg(&trace)
            .args(options)
            .stderr(Stdio::piped())
            .spawn();
        let mut strace = started.unwrap_or_else(|error| panic!("strace cannot be run: {error}"));
        let Some(said) = strace.stderr.take() else { panic!("strace has no standard error") };
        let mut said = BufReader::new(said).lines().map_while(Result::ok);
        // Then it has every thread, and says so: `strace: Process 4711 attached with 2 threads`.
        let mut told = Vec::new();
        while !told.last().is_some_and(|line: &String| line.contains("attached with")) {
            let Some(line) = said.next() else {
                script.kill();
                panic!("strace did not attach to the process: {told:?}");
            };
            told.push(line);
        }
        // For which the script waits.
        make_folder(&root);
        let mut lines = Vec::new();
        while let Some(line) = script.next_line() {
            lines.push(line);
        }
        let status = script.end();
        said.for_each(drop);
        let ended = strace.wait();
        let trace = ended.and_then(|_| std::fs::read_to_string(&trace));
        let trace = trace.unwrap_or_else(|error| panic!("what strace wrote cannot be read: {error}"));
        Ran { folder, lines, status, trace }
    }

    /// Runs it without a fault, and gives each fault at each call for which it makes sense.
    #[must_use]
    pub fn shots(&self) -> Vec<Shot> {
        let ran = self.run(&["-y", "-s", "4096"]);
        let failed: Vec<&str> = ran.failures().collect();
        assert!(
            ran.status.success() && failed.is_empty(),
            "the script fails without a fault: {}, {failed:?}",
            ran.status
        );
        let root = root_in(ran.folder.path()).display().to_string();
        faults::shots(&calls(&ran.trace, &root))
    }

    /// Fires at least so many different shots, at most `most` of them, drawn by `seed`, and lets `judge` look at what
    /// each left. `LOGLADDER_FAULTS=all` fires all of them.
    ///
    /// Whatever the fault, the process must end by the signal or in good order, never by a panic.
    ///
    /// # Panics
    ///
    /// It did not, or the judge panics, or fewer than `least` faults are possible, or the script makes other calls each
    /// time.
    #[allow(clippy::print_stdout, reason = "a test prints what it counted")]
    pub fn fire(&self, least: usize, most: usize, seed: u64, judge: impl Fn(Shot, &Ran) + Sync) {
        if !Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success()) {
            println!(
                "SKIPPED: NO FAULT WAS INJECTED, because strace is not installed (apt-get install strace)"
            );
            return;
        }
        let mut shots = self.shots();
        let possible = shots.len();
        assert!(
            possible >= least,
            "only {possible} faults are possible: what strace writes is not understood"
        );
        if std::env::var(ALL).as_deref() != Ok("all") {
            shots.sort_by_cached_key(|shot| drawn((seed, shot.to_string())));
            shots.truncate(most);
        }
        println!("{} of {possible} possible faults", shots.len());
        let (queue, counts) = (Mutex::new(shots), Mutex::new(BTreeMap::<_, Count>::new()));
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(shot) = next() {
                        let ran = self.shoot(shot);
                        judge(shot, &ran);
                        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                        counts.entry((shot.fault.name, shot.call)).or_default().add(&ran);
                    }
                });
            }
        });
        let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
        for ((fault, call), Count { shots, killed, reported, absorbed, missed }) in &counts {
            println!(
                "{fault} at {call}: {shots} (killed {killed}, reported {reported}, absorbed {absorbed}, missed {missed})"
            );
        }
        let missed: u32 = counts.values().map(|count| count.missed).sum();
        let shots: u32 = counts.values().map(|count| count.shots).sum();
        // A thread that works by the clock makes some calls more or less on a busy machine.
        assert!(
            missed * 4 < shots.max(1),
            "{missed} of {shots} calls were not made again: the script is not the same each time"
        );
    }

    /// Runs it with one fault.
    fn shoot(&self, shot: Shot) -> Ran {
        let Shot { fault, call, number } = shot;
        let lasts = if fault.is_lasting { "+" } else { "" };
        let inject = format!("inject={call}:{}:when={number}{lasts}", fault.inject);
        let ran = self.run(&["-e", &format!("trace={call}"), "-e", &inject]);
        let ended_well = ran.was_killed() || ran.status.success();
        assert!(ended_well, "{shot}: the process ended with {}: {:?}", ran.status, ran.lines);
        ran
    }
}

impl Count {
    fn add(&mut self, ran: &Ran) {
        self.shots += 1;
        *match (ran.was_killed(), ran.was_hit(), ran.failures().next()) {
            (true, ..) => &mut self.killed,
            (false, false, _) => &mut self.missed,
            (false, true, Some(_)) => &mut self.reported,
            (false, true, None) => &mut self.absorbed,
        } += 1;
    }
}

/// A number that is settled by what it is drawn for.
fn drawn(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[allow(clippy::disallowed_methods, reason = "it tells the script to begin, and is no part of a store")]
fn make_folder(root: &Path) {
    if let Err(error) = std::fs::create_dir(root) {
        panic!("no new folder can be made: {error}");
    }
}

/// Which calls in the folder `root` strace wrote down.
fn calls(trace: &str, root: &str) -> BTreeSet<Call> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_for_each_thread_and_only_those_in_the_folder_are_taken() {
        let trace = "11 openat(AT_FDCWD, \"/etc/x\") = 3\n\
                     11 openat(AT_FDCWD, \"/t/root/store\") = 4\n\
                     12 openat(AT_FDCWD, \"/t/root/store\") = 5\n\
                     12 <... openat resumed>) = 5\n\
                     12 msync(0x7f00, 4096, MS_SYNC) = 0\n\
                     11 +++ exited with 0 +++\n";
        let expected =
            [("msync", 1), ("openat", 1), ("openat", 2)].map(|(name, number)| (name.into(), number));
        assert_eq!(calls(trace, "/t/root"), BTreeSet::from(expected));
    }
}
