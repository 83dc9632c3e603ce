//! Runs the plan, and stops at the first thing that is not as it should be.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use logladder_contract::crash::{CrashSummary, crash_images_of};
use logladder_contract::{Place, Subject, Verdict, Violation, bit_flips, crash, cuts, faults, model};
use logladder_disk::RecordingDisk;
use logladder_disk::crash::{Loss, Recording};
use logladder_engine::Durability;

use crate::journal::Journal;
use crate::learner::Learner;
use crate::panics::{self, Panic};
use crate::plan::{Check, Extra, plan};
use crate::replay::shortest;
use crate::shrink::smaller_script;
use crate::starter::Step;

/// A case that takes longer never ends.
const CASE_LIMIT: Duration = Duration::from_mins(1);
/// The crash images of an engine with many files may take minutes.
const EXTRA_LIMIT: Duration = Duration::from_mins(10);
/// So many calls are shown of those that cannot be shortened.
const LAST_CALLS: usize = 14;

/// What a check of an engine found.
#[derive(Debug)]
pub struct Report {
    /// The engine's name.
    pub name: String,
    /// Its steps, and how many of the checks of each are kept.
    pub steps: Vec<Progress>,
    /// What was done to its files, and came out well: the check, and its figures.
    pub figures: Vec<(String, String)>,
    /// How it ended.
    pub end: End,
}

/// How far a step is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// How many of its checks are kept.
    pub kept: usize,
    /// How many there are.
    pub total: usize,
}

/// How the checks ended.
#[derive(Debug)]
pub enum End {
    /// All of them are kept.
    AllKept,
    /// A `todo!()` was reached.
    NotWritten {
        /// The step that it stands for; none if it is one of the learner's own.
        step: Option<Step>,
        /// Its file and line.
        place: String,
        /// The check that reached it.
        check: String,
    },
    /// A check failed.
    Broken(Box<Broken>),
}

/// A promise that was broken.
#[derive(Debug)]
pub struct Broken {
    /// The step that the check belongs to.
    pub step: Step,
    /// The check's name.
    pub check: String,
    /// What must be true, in a sentence.
    pub invariant: String,
    /// What happened.
    pub found: String,
    /// What should have, if that is not said in `found`.
    pub expected: String,
    /// The crash or the damage, in words.
    pub moment: String,
    /// What was done, call by call.
    pub calls: Vec<String>,
    /// Whether nothing could be left out of the calls.
    pub is_shortest: bool,
    /// The files, by their names in the store's folder.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Report {
    /// How many checks are kept, and how many there are.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        let sum = |count: fn(&Progress) -> usize| self.steps.iter().map(count).sum();
        (sum(|progress| progress.kept), sum(|progress| progress.total))
    }
}

/// Runs the checks of an engine in their order, and stops at the first that is not kept. `begin` hears of each before
/// it is run.
pub fn check(learner: &Learner, begin: &mut dyn FnMut(&str)) -> Report {
    let _noted = panics::Watch::begin();
    let journal = Journal::default();
    let subject = learner.subject(&journal);
    let mut end = End::AllKept;
    let (mut steps, mut figures) = (Vec::new(), Vec::new());
    for (step, checks) in plan(learner.starter, &learner.claims(&subject)) {
        let mut progress = Progress { step: step.clone(), kept: 0, total: checks.len() };
        for check in checks {
            if !matches!(end, End::AllKept) {
                break;
            }
            begin(&check.name());
            let _of_others = panics::take();
            journal.begin();
            let outcome = attempt(&subject, &journal, check);
            journal.stop();
            let panicked = panics::take();
            let todo = panicked.iter().find(|panic| panic.todo().is_some());
            if let Some(panic) = todo {
                end = not_written(learner, panic, check);
                continue;
            }
            match outcome {
                Ok(said) => {
                    progress.kept += 1;
                    figures.extend(said.map(|said| (check.name(), said)));
                }
                Err(broken) => {
                    end = End::Broken(Box::new(told(learner, &journal, &step, check, *broken, &panicked)));
                }
            }
        }
        steps.push(progress);
    }
    Report { name: learner.name.clone(), steps, figures, end }
}

fn not_written(learner: &Learner, panic: &Panic, check: Check) -> End {
    let name = panic.todo().unwrap_or_default();
    let step = learner.starter.steps().into_iter().find(|step| step.name == name);
    End::NotWritten { step, place: learner.place_of_panic(&panic.place), check: check.name() }
}

/// Runs one check, and gives its figures if it has some. On a thread of its own, so that one that never ends can be left
/// behind.
fn attempt(subject: &Subject, journal: &Journal, check: Check) -> Result<Option<String>, Box<Violation>> {
    let (sender, receiver) = channel();
    let subject = subject.clone();
    // What makes many stores is not followed call by call.
    let is_case = matches!(check, Check::Case(_));
    if !is_case {
        journal.stop();
    }
    let thread = thread::Builder::new().name(check.name()).spawn(move || {
        let outcome = match check {
            Check::Case(case) => match case.run(&subject, Place::RecordingDisk).verdict {
                Verdict::Passed | Verdict::NotApplicable(_) => Ok(None),
                Verdict::Failed(message) => Err(Box::new(violation(message))),
            },
            Check::Extra(Extra::Written) => written(&subject).map(|()| None),
            Check::Extra(Extra::Model) => said(model(&subject)),
            Check::Extra(Extra::Crash) => said(crashes(&subject)),
            Check::Extra(Extra::Flips) => said(bit_flips(&subject)),
            Check::Extra(Extra::Cuts) => said(cuts(&subject)),
            Check::Extra(Extra::Faults) => said(faults(&subject)),
        };
        // Nobody listens any more if the time is over.
        let _ = sender.send(outcome);
    });
    if let Err(error) = thread {
        return Err(Box::new(violation(format!("no thread could be started: {error}"))));
    }
    let limit = if is_case { CASE_LIMIT } else { EXTRA_LIMIT };
    receiver.recv_timeout(limit).unwrap_or_else(|error| {
        Err(Box::new(violation(match error {
            RecvTimeoutError::Timeout => {
                format!("it did not end within {} s: a deadlock, or a loop without an end", limit.as_secs())
            }
            RecvTimeoutError::Disconnected => "its thread ended without a word".to_owned(),
        })))
    })
}

fn violation(found: String) -> Violation {
    Violation {
        script: String::new(),
        moment: String::new(),
        expected: String::new(),
        found,
        files: Vec::new(),
    }
}

fn said<S: Display>(outcome: Result<S, Box<Violation>>) -> Result<Option<String>, Box<Violation>> {
    outcome.map(|summary| Some(summary.to_string()))
}

/// Script after script, so that the one that fails can be made smaller.
fn crashes(subject: &Subject) -> Result<CrashSummary, Box<Violation>> {
    let mut all = CrashSummary::default();
    for script in crash::scripts(subject) {
        match crash_images_of(subject, std::slice::from_ref(&script), None) {
            Ok(one) => add(&mut all, &one),
            Err(violation) => return Err(Box::new(smaller_script(subject, script, *violation))),
        }
    }
    Ok(all)
}

fn add(all: &mut CrashSummary, one: &CrashSummary) {
    all.scripts += one.scripts;
    all.operations += one.operations;
    all.images += one.images;
    all.whole += one.whole;
    all.torn += one.torn;
    all.unsynced += one.unsynced;
    all.dropped += one.dropped;
    all.zeroed += one.zeroed;
    all.distinct += one.distinct;
    all.during_recovery += one.during_recovery;
    all.after_restart += one.after_restart;
    all.copies += one.copies;
    all.refused += one.refused;
}

/// What was set is found by who looks at the disk: after a loss of power, if the engine claims to survive one.
fn written(subject: &Subject) -> Result<(), Box<Violation>> {
    const VALUE: &[u8] = b"anna";
    let disk = RecordingDisk::new();
    let failed = |error: logladder_engine::Error| Box::new(violation(error.to_string()));
    let engine = subject.open(Arc::new(disk.clone()), Path::new("/store")).map_err(failed)?;
    engine.set(b"name", VALUE).map_err(failed)?;
    if engine.durability() < Durability::ProcessCrash {
        engine.sync().map_err(failed)?;
    }
    let whole = disk.tree();
    let recording = Recording::of(&disk);
    let images = recording.images_at(recording.ops.len());
    let synced = images.iter().find(|image| image.loss == Loss::Unsynced).map(|image| &image.tree);
    let holds = |tree: &logladder_disk::crash::Tree| {
        tree.files().any(|(_, bytes)| bytes.windows(VALUE.len()).any(|part| part == VALUE))
    };
    let found = if !holds(&whole) {
        "no file holds the value"
    } else if !synced.is_none_or(holds) {
        "a file holds the value, but a loss of power would take it: it was not synced"
    } else {
        return Ok(());
    };
    let files = whole.files().map(|(path, bytes)| (path.to_path_buf(), bytes.to_vec())).collect();
    Err(Box::new(Violation {
        expected: "the value `anna` in a file, synced, when set returns".to_owned(),
        files,
        ..violation(found.to_owned())
    }))
}

/// Everything there is to say of a check that failed.
fn told(
    learner: &Learner,
    journal: &Journal,
    step: &Step,
    check: Check,
    violation: Violation,
    panicked: &[Panic],
) -> Broken {
    let mut broken = Broken {
        step: step.clone(),
        check: check.name(),
        invariant: check.invariant().to_owned(),
        found: violation.found,
        expected: violation.expected,
        moment: violation.moment,
        calls: violation.script.lines().map(|line| line.trim_end().to_owned()).collect(),
        is_shortest: check_is_shrunk(check),
        files: Vec::new(),
    };
    let in_store = |path: &Path| path.strip_prefix("/store").unwrap_or(path).display().to_string();
    broken.files = violation.files.iter().map(|(path, bytes)| (in_store(path), bytes.clone())).collect();
    if let Check::Case(_) = check {
        let repeated = journal.repeatable().and_then(|deeds| shortest(learner.open, &deeds));
        if let Some(shortest) = repeated {
            broken.calls = shortest.deeds.iter().map(ToString::to_string).collect();
            broken.is_shortest = true;
            broken.found = shortest.difference.found;
            broken.expected = shortest.difference.expected;
            broken.files = shortest.files;
        } else {
            let deeds = journal.deeds();
            let last = &deeds[deeds.len().saturating_sub(LAST_CALLS)..];
            broken.calls = last.iter().map(ToString::to_string).collect();
            broken.files = journal.files();
        }
    }
    // What the repetition caused is no news.
    let _ = panics::take();
    let of_learner = panicked.iter().rfind(|panic| !panic.place.contains("crates/base/"));
    if let Some(panic) = of_learner.filter(|panic| !panic.place.starts_with('/')) {
        broken.found = format!("a panic in {}: {}", learner.place_of_panic(&panic.place), panic.message);
    }
    broken
}

fn check_is_shrunk(check: Check) -> bool {
    matches!(check, Check::Extra(Extra::Model | Extra::Crash))
}
