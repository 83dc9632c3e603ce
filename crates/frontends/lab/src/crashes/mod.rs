//! [`Crashed`]: what is left of a store after each kind of crash, and whether that is what its engine promised. Of a stage
//! or of an engine of one's own, by the same code.
//!
//! Two halves. On a disk in memory, the last write is cut at each byte, and whatever no sync covers is dropped
//! ([`images`]). On the real disk, a real process is killed while it writes ([`killed`]). Every store that a crash left
//! is opened again by the engine itself; nothing in the table is foretold.

mod images;
mod killed;

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use logladder_contract::Subject;
use logladder_contract::crash::{Script, Step, crash_images_of};
use logladder_disk::{Disk, RecordingDisk};
use logladder_engine::{Durability, Engine, SyncPolicy};
use serde::{Deserialize, Serialize};

use crate::panics::{self, Panic};

pub use images::{SYNCED, WRITES};

/// How often writes are synced, and what that is called.
const POLICIES: [(&str, SyncPolicy); 3] = [
    ("always", SyncPolicy::Always),
    ("every-second", SyncPolicy::Every(Duration::from_secs(1))),
    ("never", SyncPolicy::Never),
];

/// The word with which a learner's program is asked for the table, as JSON.
pub const CRASH: &str = "--crash";
/// The word with which it is asked to write to a store until it is killed; behind it stand the folder and the policy.
const WRITE: &str = "--write-until-killed";

type Open =
    dyn Fn(Arc<dyn Disk>, &Path, SyncPolicy) -> logladder_engine::Result<Box<dyn Engine>> + Send + Sync;
type Writer = dyn Fn(&Path, &str) -> io::Result<Command>;

/// An engine whose stores are crashed.
pub struct Crashed {
    name: String,
    open: Arc<Open>,
    writer: Box<Writer>,
}

impl fmt::Debug for Crashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crashed").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What came of one kind of crash.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    /// The crash, in words.
    pub crash: Cow<'static, str>,
    /// How many there were.
    pub crashes: usize,
    /// How many took no acknowledged write.
    pub survived: usize,
    /// How many took some.
    pub lost: usize,
    /// The most acknowledged writes that one of them took, and how many there were then.
    pub most_lost: (usize, usize),
    /// After how many opening found an unfinished write, cut it off, and kept it in a file of its own.
    pub torn: usize,
    /// How many left the write under way there whole, though nobody had been told.
    pub under_way_kept: usize,
    /// How many stores opened with an error.
    pub refused: usize,
    /// What the first refused store said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What that is worth.
    pub verdict: Verdict,
}

/// Whether an engine did what it promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is", content = "why")]
pub enum Verdict {
    /// Nothing was lost.
    Kept,
    /// Something was lost which this engine never promised to keep.
    Expected(String),
    /// A promise is broken.
    Broken(String),
}

/// The table of one sync policy.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table {
    /// What the policy is called.
    pub policy: String,
    /// What an acknowledged write survives under it.
    pub durability: String,
    /// A row for each kind of crash.
    pub rows: Vec<Row>,
}

/// Everything that crashes showed of an engine.
#[derive(Debug, Serialize, Deserialize)]
pub struct Crashes {
    /// The engine's name.
    pub stage: String,
    /// A table for each sync policy that makes a difference.
    pub tables: Vec<Table>,
    /// What the contract says of the same script, its recovery and what is written afterwards included. None if there is no
    /// file to cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<std::result::Result<String, String>>,
}

impl Row {
    fn new(crash: &'static str) -> Self {
        Self {
            crash: crash.into(),
            crashes: 0,
            survived: 0,
            lost: 0,
            most_lost: (0, 0),
            torn: 0,
            under_way_kept: 0,
            refused: 0,
            refusal: None,
            verdict: Verdict::Kept,
        }
    }

    /// Counts a crash after which `lost` of `acknowledged` writes were missing.
    fn count(&mut self, lost: usize, acknowledged: usize) {
        self.crashes += 1;
        if lost == 0 {
            self.survived += 1;
        } else {
            self.lost += 1;
        }
        if lost > self.most_lost.0 {
            self.most_lost = (lost, acknowledged);
        }
    }

    /// Judges it: what was lost without having been promised is expected.
    fn judge(&mut self, durability: Durability) {
        if self.verdict == Verdict::Kept && (self.lost > 0 || self.refused > 0) {
            let only = if durability == Durability::ProcessCrash { ", no loss of power" } else { "" };
            self.verdict = Verdict::Expected(format!("it survives {}{only}", survives(durability)));
        }
    }
}

/// What a durability means, in words.
fn survives(durability: Durability) -> &'static str {
    match durability {
        Durability::Never => "nothing; it is gone with the process",
        Durability::OnSync => "nothing, until it is synced",
        Durability::Eventual => "nothing at once; it is written soon after",
        Durability::ProcessCrash => "the death of the process",
        Durability::PowerLoss => "the loss of power",
    }
}

impl Verdict {
    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Kept => "kept".to_owned(),
            Self::Expected(why) => format!("expected: {why}"),
            Self::Broken(why) => format!("BROKEN: {why}"),
        }
    }
}

impl Crashed {
    /// An engine. `open` opens its stores, and `writer` is a command that writes to one, in a folder and under a policy, until
    /// it is killed: one that comes to [`write_until_killed`](Self::write_until_killed).
    pub fn new(
        name: &str,
        open: impl Fn(Arc<dyn Disk>, &Path, SyncPolicy) -> logladder_engine::Result<Box<dyn Engine>>
        + Send
        + Sync
        + 'static,
        writer: impl Fn(&Path, &str) -> io::Result<Command> + 'static,
    ) -> Self {
        Self { name: name.to_owned(), open: Arc::new(open), writer: Box::new(writer) }
    }

    /// The engine of a learner's program, which is the one that runs.
    pub(crate) fn of_this_program(name: &str, open: crate::OpenEngine) -> Self {
        Self::new(name, open, |folder, policy| {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(WRITE).arg(folder).arg(policy);
            Ok(command)
        })
    }

    /// Crashes its store in every way, under each sync policy.
    ///
    /// # Errors
    ///
    /// A store could not be opened or written to before anything was done to it, or a process not be started.
    pub fn run(&self) -> Result<Crashes> {
        let open = Arc::clone(&self.open);
        let subject = Subject::new(&self.name, move |disk, dir| open(disk, dir, SyncPolicy::Always));
        let has_files = subject.has_files();
        let mut tables = Vec::new();
        // Without files, no policy makes a difference.
        for &(policy, sync) in if has_files { &POLICIES[..] } else { &POLICIES[..1] } {
            let durability = self.durability(sync)?;
            let mut rows = if has_files { images::rows(self, sync, durability)? } else { Vec::new() };
            rows.push(killed::row(self, policy, durability)?);
            for row in &mut rows {
                row.judge(durability);
            }
            tables.push(Table { policy: policy.to_owned(), durability: durability.to_string(), rows });
        }
        let judged = || crash_images_of(&subject, &[script()], None);
        let contract = has_files
            .then(|| judged().map(|summary| summary.to_string()).map_err(|broken| broken.to_string()));
        Ok(Crashes { stage: self.name.clone(), tables, contract })
    }

    /// The same, of an engine that may not be finished: what is not written yet is no crash of the program.
    fn run_unless_it_panics(&self) -> Result<Crashes> {
        let _noted = panics::Watch::begin();
        catch_unwind(AssertUnwindSafe(|| self.run())).unwrap_or_else(|_| {
            let panic = panics::take().into_iter().next_back();
            match panic.as_ref().and_then(Panic::todo) {
                Some(step) => bail!("`{step}` is not written yet"),
                None => bail!("it panicked: {}", panic.map_or_else(String::new, |panic| panic.message)),
            }
        })
    }

    fn durability(&self, sync: SyncPolicy) -> Result<Durability> {
        let engine = (self.open)(Arc::new(RecordingDisk::new()), Path::new("/store"), sync)?;
        let durability = engine.durability();
        engine.close()?;
        Ok(durability)
    }

    /// Writes to a store in this folder until this process is killed, or nobody listens any more. What the writer of
    /// [`new`](Self::new) has to come to.
    ///
    /// # Errors
    ///
    /// There is no such policy, or the engine's own.
    pub fn write_until_killed(&self, folder: &Path, policy: &str) -> Result<()> {
        killed::write_until_killed(self, folder, policy)
    }

    /// Does what a learner's program is asked for with these words, if it is this, and gives what is to be printed.
    pub(crate) fn if_asked(&self, words: &[OsString]) -> Option<Result<String>> {
        match words {
            [word] if word == CRASH => {
                let json = |crashes: Crashes| {
                    serde_json::to_string_pretty(&crashes).context("the table cannot be written as JSON")
                };
                Some(self.run_unless_it_panics().and_then(json))
            }
            [word, folder, policy] if word == WRITE => {
                let policy = policy.to_string_lossy();
                Some(self.write_until_killed(Path::new(folder), &policy).map(|()| String::new()))
            }
            _ => None,
        }
    }
}

/// Whether the store writes later than it is told to.
#[must_use]
pub fn is_late(engine: &dyn Engine) -> bool {
    (Durability::OnSync..Durability::ProcessCrash).contains(&engine.durability())
}

/// The same writes, as a script of the contract.
fn script() -> Script {
    let set = |number: usize| Step::Set(images::key(number), images::value(number));
    let mut steps: Vec<Step> = (1..=WRITES).map(set).collect();
    steps.insert(SYNCED, Step::Sync);
    Script { name: "the writes of this table", steps }
}

impl Crashes {
    /// Whether it did what it promised, whatever the crash.
    #[must_use]
    pub fn keeps_its_promise(&self) -> bool {
        let mut rows = self.tables.iter().flat_map(|table| &table.rows);
        let is_broken = rows.any(|row| matches!(row.verdict, Verdict::Broken(_)));
        !is_broken && !matches!(self.contract, Some(Err(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Starter;

    impl Crashed {
        /// The solution of a starter, of which no process is started.
        pub(super) fn solution(stage: &str) -> Self {
            let open = Starter::of(stage).unwrap().open;
            Self::new(stage, open, |_, _| Err(io::ErrorKind::Unsupported.into()))
        }
    }

    #[test]
    fn what_was_lost_without_a_promise_is_expected_and_a_broken_promise_stays_broken() {
        let mut row = Row::new("a crash");
        row.count(0, 5);
        row.judge(Durability::PowerLoss);
        assert_eq!(row.verdict, Verdict::Kept);
        row.count(2, 5);
        row.judge(Durability::Eventual);
        assert!(matches!(&row.verdict, Verdict::Expected(why) if why.contains("written soon after")));
        row.verdict = Verdict::Broken("key-1 is gone".to_owned());
        row.judge(Durability::Eventual);
        assert!(row.verdict.words().starts_with("BROKEN"));
        assert_eq!((row.survived, row.lost, row.most_lost), (1, 1, (2, 5)));
    }
}
