//! What is checked, and in which order: a check stands with the step that makes it possible.

use std::collections::BTreeSet;

use logladder_contract::{CASES, Case, Place, Subject};

use crate::call::Call;
use crate::journal::Journal;
use crate::learner::Learner;
use crate::panics;
use crate::starter::{Starter, Step};

/// What each case of the contract asks of an engine. A test writes it anew and compares.
const CALLS_OF_CASES: &str = include_str!("calls_of_cases.txt");

/// What is checked beside cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// What was set is on the disk.
    Written,
    /// What a read finds on the disk is not what was written.
    Rot,
    /// Random programs end as on a map.
    Model,
    /// Every crash image opens with what was promised.
    Crash,
    /// No flipped bit makes a value wrong.
    Flips,
    /// No cut file loses anything in silence.
    Cuts,
    /// Each operation of the disk fails once.
    Faults,
}

impl Extra {
    /// The one of this name, as the sources of the starters have it.
    pub(crate) fn named(word: &str) -> Option<Self> {
        let all = [Self::Written, Self::Rot, Self::Model, Self::Crash, Self::Flips, Self::Cuts, Self::Faults];
        all.into_iter().find(|extra| extra.word() == word)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Rot => "rot",
            Self::Model => "model",
            Self::Crash => "crash",
            Self::Flips => "flips",
            Self::Cuts => "cuts",
            Self::Faults => "faults",
        }
    }

    pub(crate) fn invariant(self) -> &'static str {
        match self {
            Self::Written => "What was set and acknowledged is on the disk.",
            Self::Rot => "Whatever a read finds on the disk, it gives the right value or an error.",
            Self::Model => "Whatever is done to it, in any order, it ends as a map does.",
            Self::Crash => "Every state that a crash could leave opens with what was promised.",
            Self::Flips => "No flipped bit makes a value wrong or a write vanish unreported.",
            Self::Cuts => {
                "No file that is cut short makes a value wrong or an older write vanish unreported."
            }
            Self::Faults => {
                "After any failed operation of the disk no answer is wrong and no promise broken."
            }
        }
    }
}

/// One thing that is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check {
    Case(&'static Case),
    Extra(Extra),
}

impl Check {
    /// Its name: `keys::the_empty_key_is_a_key`, `crash`.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Case(case) => format!("{}::{}", case.theme, case.name),
            Self::Extra(extra) => extra.word().to_owned(),
        }
    }

    pub(crate) fn invariant(self) -> &'static str {
        match self {
            Self::Case(case) => case.invariant,
            Self::Extra(extra) => extra.invariant(),
        }
    }
}

/// The checks of an engine that claims what `claims` does: for each step of the starter, in their order, those that it
/// makes possible.
pub(crate) fn plan(starter: &Starter, claims: &Subject) -> Vec<(Step, Vec<Check>)> {
    let steps = starter.steps();
    let mut plan: Vec<(Step, Vec<Check>)> = steps.iter().map(|step| (step.clone(), Vec::new())).collect();
    let applicable = CASES.iter().filter(|case| case.unmet(claims, Place::RecordingDisk).is_none());
    for case in applicable {
        if let Some((_, checks)) = plan.get_mut(place_of(case, &steps)) {
            checks.push(Check::Case(case));
        }
    }
    for (step, checks) in &mut plan {
        let written = step.extras.iter().filter(|extra| **extra == Extra::Written);
        checks.splice(0..0, written.map(|extra| Check::Extra(*extra)));
        let others = step.extras.iter().filter(|extra| **extra != Extra::Written);
        checks.extend(others.map(|extra| Check::Extra(*extra)));
    }
    plan
}

/// The index of the last step that the case needs. A case that nothing is known of comes last.
fn place_of(case: &Case, steps: &[Step]) -> usize {
    let Some(calls) = calls_of(case.name) else { return steps.len().saturating_sub(1) };
    let step_of = |call: &Call| steps.iter().position(|step| step.calls.contains(call)).unwrap_or(0);
    calls.iter().map(step_of).max().unwrap_or(0)
}

/// What a case asks of an engine.
fn calls_of(name: &str) -> Option<Vec<Call>> {
    let line = CALLS_OF_CASES.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
    Some(line.split_whitespace().filter_map(Call::named).collect())
}

/// What a step unlocks, for the comment of its `todo!()`.
pub(crate) fn unlocks(starter: &Starter, claims: &Subject, step: &Step) -> String {
    const NAMED: usize = 3;
    let plan = plan(starter, claims);
    let Some((_, checks)) = plan.iter().find(|(other, _)| other.number == step.number) else {
        return String::new();
    };
    match checks.as_slice() {
        [] => {
            let later = plan.iter().find(|(other, checks)| other.number > step.number && !checks.is_empty());
            later.map_or_else(String::new, |(other, _)| {
                format!("Unlocks nothing by itself; what it makes possible comes with `{}`.", other.name)
            })
        }
        checks => {
            let named: Vec<String> = checks.iter().take(NAMED).map(|check| check.name()).collect();
            let more = match checks.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let s = if checks.len() == 1 { "" } else { "s" };
            format!("Unlocks {} check{s}: {}{more}.", checks.len(), named.join(", "))
        }
    }
}

/// What each case that applies to an engine asks of it, which must be a finished one: for the test of the plan.
#[doc(hidden)]
#[must_use]
pub fn calls_of_cases(learner: &Learner) -> Vec<(&'static str, BTreeSet<Call>)> {
    let _noted = panics::Watch::begin();
    let journal = Journal::default();
    let subject = learner.subject(&journal);
    let mut asked = Vec::new();
    for case in CASES.iter().filter(|case| case.unmet(&subject, Place::RecordingDisk).is_none()) {
        journal.begin();
        let _ = case.run(&subject, Place::RecordingDisk);
        asked.push((case.name, journal.calls()));
    }
    asked
}
