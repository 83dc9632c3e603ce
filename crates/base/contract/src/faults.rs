//! Faults: each operation on the disk fails in turn, and the program goes on using the store.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use logladder_disk::crash::Recording;
use logladder_disk::{Fault, Filter, Op, RecordingDisk};
use logladder_engine::{Durability, Engine, Error};

use crate::case::quietly;
use crate::crash::{
    DIR, Examiner, Opened, Promise, Run, Script, Step, check_copies, describe, judge, scripts, show_op, write,
};
use crate::show::panic_message;
use crate::{Subject, Violation};

/// How many failing disks a store came through.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultSummary {
    /// The scripts that were run, once for each of their operations on the disk.
    pub scripts: usize,
    /// The operations that failed, one a run: each in turn, and a write after none, some and all of its bytes.
    pub faults: usize,
    /// How often opening the store reported it.
    pub in_openings: usize,
    /// How often a write, a sync, a compaction or a copy did.
    pub in_calls: usize,
    /// Writes and syncs that were refused afterwards.
    pub refused: usize,
    /// Images of a power loss after a fault that were opened.
    pub images: usize,
}

impl fmt::Display for FaultSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scripts == 0 {
            return f.write_str("no failed operations: it has no files");
        }
        let Self { scripts, faults, in_openings, in_calls, refused, images } = self;
        write!(
            f,
            "{faults} failed operations in {scripts} scripts: {in_openings} reported by opening, {in_calls} by a call; \
             {refused} later writes and syncs refused; {images} images of a crash afterwards opened"
        )
    }
}

/// Runs every script once for each of its operations on the disk, which fails; goes on with the script as a
/// stubborn program would; and opens what is left.
///
/// # Errors
///
/// The first thing that should not happen: a wrong value; a write or a sync that is acknowledged after a failed
/// one, before the store was opened again, unless its durability is `Eventual` or `OnSync`; a read that fails; an acknowledged
/// write that is lost.
pub fn faults(subject: &Subject) -> Result<FaultSummary, Box<Violation>> {
    faults_of(subject, &scripts(subject))
}

/// The same with some scripts.
///
/// # Errors
///
/// As [`faults`].
pub fn faults_of(subject: &Subject, scripts: &[Script]) -> Result<FaultSummary, Box<Violation>> {
    let mut summary = FaultSummary::default();
    if !subject.has_files() {
        return Ok(summary);
    }
    for script in scripts {
        let in_script = |violation: Violation| Box::new(violation.in_script(script));
        let ops = Run::of(subject, script, None).map_err(in_script)?.disk.ops();
        let mut examiner = Examiner::new(subject, script);
        summary.scripts += 1;
        for (number, op) in ops.iter().enumerate() {
            for torn_at in tears(op) {
                let fault = Fault { on: Filter::Any, after: number, torn_at, kind: io::ErrorKind::Other };
                let place = || match op {
                    Op::Write { .. } => {
                        format!("operation {number} fails after {torn_at} bytes, {}", show_op(&ops, number))
                    }
                    _ => format!("operation {number} fails, {}", show_op(&ops, number)),
                };
                summary.faults += 1;
                let mut session = Session::new(subject, script, &mut examiner, &mut summary);
                session.run.disk.inject(fault);
                let outcome = quietly(|| catch_unwind(AssertUnwindSafe(|| session.go_through())));
                outcome
                    .unwrap_or_else(|panic| {
                        let found = format!("a panic: {}", panic_message(&*panic));
                        Err(Violation::new("no error of the disk makes an engine panic", found))
                    })
                    .map_err(|violation| in_script(violation.at(&place())))?;
            }
        }
    }
    Ok(summary)
}

/// After how many bytes an operation fails.
fn tears(op: &Op) -> Vec<usize> {
    let Op::Write { bytes, .. } = op else { return vec![0] };
    let mut tears = vec![0, 1, bytes.len() / 2, bytes.len().saturating_sub(1), bytes.len()];
    tears.sort_unstable();
    tears.dedup();
    tears
}

/// What a store owes us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    /// A compaction or a copy failed: writes may be refused from now on.
    Doubtful,
    /// A write or a sync failed: writes and syncs must be refused from now on.
    Poisoned,
}

/// One script on one failing disk.
struct Session<'a, 's> {
    subject: &'s Subject,
    script: &'a Script,
    keys: Vec<Vec<u8>>,
    examiner: &'a mut Examiner<'s>,
    summary: &'a mut FaultSummary,
    run: Run,
    health: Health,
    /// Whether the disk has failed and the store was opened again since: then the system may show pages that
    /// it will never write, and what a power loss leaves is no longer the engine's to promise.
    beyond_promises: bool,
}

impl<'a, 's> Session<'a, 's> {
    fn new(
        subject: &'s Subject,
        script: &'a Script,
        examiner: &'a mut Examiner<'s>,
        summary: &'a mut FaultSummary,
    ) -> Self {
        let run = Run::on(RecordingDisk::new());
        let keys = script.keys();
        Self { subject, script, keys, examiner, summary, run, health: Health::Good, beyond_promises: false }
    }

    fn go_through(&mut self) -> Result<(), Violation> {
        let mut engine = self.open()?;
        for (number, step) in self.script.steps.iter().enumerate() {
            let at = |violation: Violation| violation.at(&format!("step {number}, {step}"));
            match step {
                Step::Close => {
                    let closed = engine.close();
                    if closed.is_err() {
                        self.run.end_without_sync(self.subject.durability());
                    }
                    self.judge_sync(closed).map_err(at)?;
                    engine = self.open_again().map_err(at)?;
                }
                Step::Drop => {
                    drop(engine);
                    self.run.end_without_sync(self.subject.durability());
                    engine = self.open_again().map_err(at)?;
                }
                _ => self.call(&*engine, step).map_err(at)?,
            }
            self.read(&*engine).map_err(at)?;
        }
        drop(engine);
        self.check_images()
    }

    fn call(&mut self, engine: &dyn Engine, step: &Step) -> Result<(), Violation> {
        match step {
            Step::Set(..) | Step::Delete(_) | Step::Batch(_) | Step::SetUntil(..) => {
                self.run.begin(step);
                let outcome = write(engine, step);
                self.judge_write(step, outcome)
            }
            Step::Sync => self.judge_sync(engine.sync()),
            Step::Compact => match engine.as_compact().map(logladder_engine::Compact::compact) {
                Some(Err(error)) if self.health == Health::Good => {
                    self.first_failure(&error, Health::Doubtful)
                }
                _ => Ok(()),
            },
            Step::Backup => match self.run.back_up(engine) {
                Err(error) if self.health == Health::Good => self.first_failure(&error, Health::Doubtful),
                _ => Ok(()),
            },
            Step::Close | Step::Drop => Ok(()),
        }
    }

    fn judge_write(&mut self, step: &Step, outcome: Result<(), Error>) -> Result<(), Violation> {
        match outcome {
            // It writes nothing, and needs no disk.
            Ok(()) if matches!(step, Step::Batch(writes) if writes.is_empty()) => Ok(()),
            Ok(()) if self.health == Health::Poisoned => Err(Violation::new(
                "after a failed write or sync every write is refused until the store is opened again",
                "it was acknowledged",
            )),
            Ok(()) => {
                self.run.acknowledge_write();
                Ok(())
            }
            Err(error) => self.judge_failure(&error),
        }
    }

    fn judge_sync(&mut self, outcome: Result<(), Error>) -> Result<(), Violation> {
        match outcome {
            Ok(()) if self.health == Health::Poisoned => Err(Violation::new(
                "after a failed write or sync no sync or close says yes until the store is opened again",
                "it said yes",
            )),
            Ok(()) => {
                self.run.acknowledge_sync();
                Ok(())
            }
            Err(error) => self.judge_failure(&error),
        }
    }

    /// The first failure is that of the disk; the later ones are refusals because of it.
    fn judge_failure(&mut self, error: &Error) -> Result<(), Violation> {
        match (self.health, error) {
            (Health::Good, _) => self.first_failure(error, Health::Poisoned),
            (_, Error::Poisoned { .. }) => {
                self.summary.refused += 1;
                self.health = Health::Poisoned;
                Ok(())
            }
            _ => Err(Violation::new("a write after a failed one is refused as Poisoned", error.to_string())),
        }
    }

    fn first_failure(&mut self, error: &Error, health: Health) -> Result<(), Violation> {
        self.summary.in_calls += 1;
        if !self.tries_again() {
            self.health = health;
        }
        names_the_file(error)
    }

    /// Whether the store still has what it failed to write, and may write it again. Then it may go on, and is held to
    /// what its next sync says.
    fn tries_again(&self) -> bool {
        matches!(self.subject.durability(), Durability::Eventual | Durability::OnSync)
    }

    /// Opens the store. If that fails, it must succeed the next time: the disk fails once.
    fn open(&mut self) -> Result<Box<dyn Engine>, Violation> {
        self.health = Health::Good;
        self.note_failed_syncs();
        let open = || self.subject.open(Arc::new(self.run.disk.clone()), Path::new(DIR));
        match open() {
            Ok(engine) => Ok(engine),
            Err(error) => {
                self.summary.in_openings += 1;
                names_the_file(&error)?;
                let opened = open();
                self.note_failed_syncs();
                opened.map_err(|error| {
                    Violation::new("the store opens once the disk has recovered", error.to_string())
                        .with_files(&self.run.disk.tree())
                })
            }
        }
    }

    fn note_failed_syncs(&mut self) {
        self.beyond_promises |= self.run.disk.ops().iter().any(|op| matches!(op, Op::FailedSync { .. }));
    }

    fn open_again(&mut self) -> Result<Box<dyn Engine>, Violation> {
        self.check_images()?;
        self.open()
    }

    /// Every value is the one that was acknowledged last, or that of a write since then that failed.
    fn read(&self, engine: &dyn Engine) -> Result<(), Violation> {
        let mut values = Vec::new();
        for key in &self.keys {
            values.push(
                engine
                    .get(key)
                    .map_err(|error| Violation::new("reads go on after a failed write", error.to_string()))?,
            );
        }
        Promise::new(&self.run.writes, 0, Some(usize::MAX), usize::MAX)
            .check(&self.keys, &values)
            .map_err(|violation| violation.with_files(&self.run.disk.tree()))
    }

    /// What the death of the process or a loss of power would leave now.
    fn check_images(&mut self) -> Result<(), Violation> {
        let recording = Recording::of(&self.run.disk);
        let mut opened = Opened::new();
        for image in recording.images_at(recording.ops.len()) {
            let power_loss = image.loss.needs_power_loss();
            if power_loss && self.beyond_promises {
                continue;
            }
            self.summary.images += 1;
            let place = || describe(&image, &recording);
            let states =
                self.examiner.examine(&image.tree, false).map_err(|violation| violation.at(&place()))?;
            judge(self.subject, &self.run, &image, &self.keys, states)
                .map_err(|violation| violation.at(&place()))?;
            check_copies(&self.run, &image, self.examiner, &mut opened)
                .map_err(|violation| violation.at(&place()))?;
        }
        Ok(())
    }
}

/// A file, or a folder above the store. All of their paths begin with a slash.
fn names_the_file(error: &Error) -> Result<(), Violation> {
    if error.to_string().contains(" /") {
        return Ok(());
    }
    Err(Violation::new("an error names the file", error.to_string()))
}
