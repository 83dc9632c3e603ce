//! [`Case`]: one invariant and the code that tries to break it; and running them.

use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use logladder_engine::Durability;

use crate::cases;
use crate::show::panic_message;
use crate::{Bench, Capability, Place, Subject};

/// No case takes a second on the recording disk. One that is still running after this long never ends.
const DEADLINE: Duration = Duration::from_mins(3);

/// One invariant, and the code that tries to break it.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name, as the tests are called.
    pub name: &'static str,
    /// What it is about: `keys`, `values`, `writes`, …
    pub theme: &'static str,
    /// What must be true, in a sentence.
    pub invariant: &'static str,
    needs: &'static [Need],
    run: fn(&Bench),
}

/// What a case takes for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// That something is left when the engine is closed.
    Persistence,
    /// That nothing is.
    NoPersistence,
    /// That what is left lies in files of its own.
    Files,
    /// That an acknowledged write survives the death of the process.
    SurvivesProcess,
    Iterate,
    ConsistentView,
    /// That a visitor is shown what is there at the moment.
    ViewOfTheMoment,
    Ordered,
    Atomic,
    /// That it says how large a batch may be.
    BatchLimit,
    History,
    /// That it says how many versions are kept.
    Retention,
    Changes,
    Expire,
    Collections,
    Compact,
    Backup,
    /// That the disk can be made to refuse.
    RecordingDisk,
}

impl Need {
    /// Why it is not met, if it is not.
    fn unmet(self, subject: &Subject, place: Place) -> Option<&'static str> {
        let can = |capability: Capability| (subject.can(capability), capability.missing());
        let (met, why) = match self {
            Self::Persistence => (subject.persists(), "it keeps nothing"),
            Self::NoPersistence => (!subject.persists(), "it keeps its data"),
            Self::Files => (subject.has_files(), "it has no files"),
            Self::SurvivesProcess => {
                (subject.durability() >= Durability::ProcessCrash, "its writes need a sync to survive")
            }
            Self::Iterate => can(Capability::Iterate),
            Self::ConsistentView => can(Capability::ConsistentView),
            Self::ViewOfTheMoment => {
                (!subject.can(Capability::ConsistentView), "it shows the moment of the beginning")
            }
            Self::Ordered => can(Capability::Ordered),
            Self::Atomic => can(Capability::Atomic),
            Self::BatchLimit => (subject.batch_limit().is_some(), "no limit of a batch is named for it here"),
            Self::History => can(Capability::History),
            Self::Retention => {
                (subject.versions_kept().is_some(), "no number of versions is named for it here")
            }
            Self::Changes => can(Capability::Changes),
            Self::Expire => can(Capability::Expire),
            Self::Collections => can(Capability::Collections),
            Self::Compact => can(Capability::Compact),
            Self::Backup => can(Capability::Backup),
            Self::RecordingDisk => (place == Place::RecordingDisk, "a real disk cannot be made to refuse"),
        };
        (!met).then_some(why)
    }
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The invariant held.
    Passed,
    /// It makes no sense for this engine, for this reason.
    NotApplicable(&'static str),
    /// It did not hold: what was expected, and what happened.
    Failed(String),
}

/// A case and what became of it.
#[derive(Debug, Clone)]
pub struct CaseOutcome {
    /// The case's name.
    pub name: &'static str,
    /// What it is about.
    pub theme: &'static str,
    /// What must be true, in a sentence.
    pub invariant: &'static str,
    /// What became of it.
    pub verdict: Verdict,
}

impl fmt::Display for CaseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Passed => write!(f, "ok    {}", self.invariant),
            Verdict::NotApplicable(why) => write!(f, "–     {} (not applicable: {why})", self.invariant),
            Verdict::Failed(message) => {
                write!(f, "FAIL  {} [{}::{}]: {message}", self.invariant, self.theme, self.name)
            }
        }
    }
}

macro_rules! cases {
    ($($theme:ident::$name:ident [$($need:ident),*] $invariant:literal;)*) => {
        /// Every case, in the order in which they are best read.
        pub const CASES: &[Case] = &[$(Case {
            name: stringify!($name),
            theme: stringify!($theme),
            invariant: $invariant,
            needs: &[$(Need::$need),*],
            run: cases::$theme::$name,
        }),*];
    };
}

crate::__every_case! { [cases] }

impl Case {
    /// Why it makes no sense for this subject, if it makes none.
    #[must_use]
    pub fn unmet(&self, subject: &Subject, place: Place) -> Option<&'static str> {
        self.needs.iter().find_map(|need| need.unmet(subject, place))
    }

    /// Runs it on a bench of its own.
    #[must_use]
    pub fn run(&self, subject: &Subject, place: Place) -> CaseOutcome {
        let verdict = match self.unmet(subject, place) {
            Some(why) => Verdict::NotApplicable(why),
            None => self.judge(subject, place),
        };
        CaseOutcome { name: self.name, theme: self.theme, invariant: self.invariant, verdict }
    }

    /// On a thread of its own, so that one that never ends can be left behind.
    fn judge(&self, subject: &Subject, place: Place) -> Verdict {
        let (run, subject, quiet) = (self.run, subject.clone(), QUIET.get());
        let (done, outcome) = mpsc::channel();
        let thread = thread::Builder::new().name(self.name.to_owned()).spawn(move || {
            QUIET.set(quiet);
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&Bench::new(&subject, place))));
            // Nobody listens any more if the deadline has passed.
            let _ = done.send(outcome.map_err(|panic| panic_message(&*panic)));
        });
        if let Err(error) = thread {
            return Verdict::Failed(format!("no thread could be started: {error}"));
        }
        match outcome.recv_timeout(DEADLINE) {
            Ok(Ok(())) => Verdict::Passed,
            Ok(Err(message)) => Verdict::Failed(message),
            Err(RecvTimeoutError::Timeout) => {
                Verdict::Failed(format!("it did not end within {} s: a deadlock", DEADLINE.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Verdict::Failed("its thread ended without a word".to_owned())
            }
        }
    }
}

/// Runs every case on the recording disk. A case that panics has failed; nothing is printed.
#[must_use]
pub fn run_cases(subject: &Subject) -> Vec<CaseOutcome> {
    run_cases_on(subject, Place::RecordingDisk)
}

/// Runs every case on the disk of choice. A case that panics has failed; nothing is printed.
#[must_use]
pub fn run_cases_on(subject: &Subject, place: Place) -> Vec<CaseOutcome> {
    quietly(|| CASES.iter().map(|case| case.run(subject, place)).collect())
}

/// Runs one case. If it panics it has failed; nothing is printed.
#[must_use]
pub fn run_case(case: &Case, subject: &Subject, place: Place) -> CaseOutcome {
    quietly(|| case.run(subject, place))
}

/// Runs one case, as a test: panics if it fails.
///
/// # Panics
///
/// It failed, or there is no case of that name.
#[doc(hidden)]
pub fn assert_case(subject: &Subject, place: Place, name: &str) {
    let case = CASES.iter().find(|case| case.name == name);
    let Some(case) = case else { panic!("there is no case `{name}`") };
    if let Verdict::Failed(message) = case.run(subject, place).verdict {
        panic!("{} breaks an invariant.\n  {}\n  {message}", subject.name(), case.invariant);
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does `work` without the message that a panic prints: it is caught, and told in another way.
#[doc(hidden)]
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    outcome.unwrap_or_else(|panic| panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_at_least_sixty_cases_and_no_two_have_one_name() {
        assert!(CASES.len() >= 60);
        let names: BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
    }
}
