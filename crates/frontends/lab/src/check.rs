//! Runs the plan, and stops at the first thing that is not as it should be.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use logladder_contract::{Case, Place, Subject, Verdict, Violation};

use crate::deed::Deed;
use crate::extras::{self, violation};
use crate::journal::Journal;
use crate::learner::Learner;
use crate::panics::{self, Panic};
use crate::plan::{Check, plan};
use crate::shortest::shortest;
use crate::starter::Step;

/// A case that takes longer never ends, and neither does one that begins no call for so long.
const CASE_LIMIT: Duration = Duration::from_mins(1);
const CALL_LIMIT: Duration = Duration::from_secs(15);
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
    /// How many calls came before those, and are not told.
    pub earlier_calls: usize,
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
    let (subject, written) = (subject.clone(), journal.clone());
    // What makes many stores is not followed call by call.
    let is_case = matches!(check, Check::Case(_));
    if !is_case {
        journal.stop();
    }
    let thread = thread::Builder::new().name(check.name()).spawn(move || {
        let outcome = match check {
            Check::Case(case) => run_case(&subject, case, &written),
            Check::Extra(extra) => extras::run(&subject, extra),
        };
        // Nobody listens any more if the time is over.
        let _ = sender.send(outcome);
    });
    if let Err(error) = thread {
        return Err(Box::new(violation(format!("no thread could be started: {error}"))));
    }
    let limit = if is_case { CASE_LIMIT } else { EXTRA_LIMIT };
    let start = Instant::now();
    let mut calls = 0;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        match receiver.recv_timeout(if is_case { left.min(CALL_LIMIT) } else { left }) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Box::new(violation("its thread ended without a word".to_owned())));
            }
            // One that is slow and goes on has the whole of its time.
            Err(RecvTimeoutError::Timeout) if journal.count() != calls && start.elapsed() < limit => {
                calls = journal.count();
            }
            Err(RecvTimeoutError::Timeout) => {
                let waited = start.elapsed().as_secs();
                return Err(Box::new(violation(format!(
                    "it did not end within {waited} s: a deadlock, or a loop without an end"
                ))));
            }
        }
    }
}

/// What threads do to each other is a matter of chance: a case with several is run as often as it takes to be hardly missed.
const RUNS_WITH_THREADS: usize = 6;

fn run_case(subject: &Subject, case: &Case, journal: &Journal) -> Result<Option<String>, Box<Violation>> {
    let runs = if case.theme == "threads" { RUNS_WITH_THREADS } else { 1 };
    for run in 0..runs {
        if run > 0 {
            journal.begin();
        }
        if let Verdict::Failed(message) = case.run(subject, Place::RecordingDisk).verdict {
            return Err(Box::new(violation(message)));
        }
    }
    Ok(None)
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
        // What the extra checks tell has been made as short as they could make it.
        is_shortest: matches!(check, Check::Extra(_)),
        earlier_calls: 0,
        files: Vec::new(),
    };
    let in_store = |path: &Path| path.strip_prefix("/store").unwrap_or(path).display().to_string();
    broken.files = violation.files.iter().map(|(path, bytes)| (in_store(path), bytes.clone())).collect();
    if let Check::Case(_) = check {
        let repeated = journal.repeatable().and_then(|deeds| shortest(learner.open, &deeds));
        if let Some(shortest) = repeated {
            broken.calls = shortest.deeds.iter().flat_map(Deed::lines).collect();
            broken.is_shortest = true;
            broken.found = shortest.difference.found;
            broken.expected = shortest.difference.expected;
            broken.files = shortest.files;
        } else {
            let lines: Vec<String> = journal.deeds().iter().flat_map(Deed::lines).collect();
            broken.earlier_calls = lines.len().saturating_sub(LAST_CALLS);
            broken.calls = lines[broken.earlier_calls..].to_vec();
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
