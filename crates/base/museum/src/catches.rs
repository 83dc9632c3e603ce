//! [`Catches`]: which check of the contract notices which bug.

use std::time::{Duration, Instant};

use logladder_contract::crash::crash_images;
use logladder_contract::{CASES, Place, Verdict, Violation, bit_flips, cuts, faults, model, run_case};

use crate::{Bug, Exhibit, exhibits};

/// A check of the contract, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// The cases, one after the other, until one fails.
    Cases,
    /// Random programs beside a map. What they find depends on chance.
    Model,
    /// Every image of a crash at every operation.
    Crashes,
    /// Every operation of the disk fails once.
    Faults,
    /// Every bit is flipped.
    Flips,
    /// Every file is cut at every length.
    Cuts,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Cases, Self::Model, Self::Crashes, Self::Faults, Self::Flips, Self::Cuts];

    /// A word for the head of a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cases => "cases",
            Self::Model => "model",
            Self::Crashes => "crashes",
            Self::Faults => "faults",
            Self::Flips => "flips",
            Self::Cuts => "cuts",
        }
    }

    /// What it finds in an engine with this bug. `None` if it finds nothing.
    #[must_use]
    pub fn finds(self, bug: Bug) -> Option<String> {
        let subject = bug.subject();
        let found = |violation: Box<Violation>| violation.found;
        match self {
            Self::Cases => CASES.iter().find_map(|case| {
                let verdict = run_case(case, &subject, Place::RecordingDisk).verdict;
                matches!(verdict, Verdict::Failed(_)).then(|| case.name.to_owned())
            }),
            Self::Model => model(&subject).err().map(found),
            Self::Crashes => crash_images(&subject).err().map(found),
            Self::Faults => faults(&subject).err().map(found),
            Self::Flips => bit_flips(&subject).err().map(found),
            Self::Cuts => cuts(&subject).err().map(found),
        }
    }
}

/// Which checks notice a bug.
#[derive(Debug, Clone)]
pub struct Catches {
    /// The bug. `None`: the engine that is right.
    pub exhibit: Option<&'static Exhibit>,
    /// Of each check, in the order of [`Check::ALL`], what it found, if anything.
    pub by: Vec<Option<String>>,
    /// How long all of them took.
    pub took: Duration,
}

impl Catches {
    /// How many checks notice it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by.iter().flatten().count()
    }
}

/// Runs every check on every engine: first on the one that is right, and then on each that is not. Takes minutes.
#[must_use]
pub fn catches() -> Vec<Catches> {
    std::iter::once(None).chain(exhibits().map(Some)).map(catches_of).collect()
}

/// Runs every check on the engine with this bug.
#[must_use]
pub fn catches_of(exhibit: Option<&'static Exhibit>) -> Catches {
    let (start, bug) = (Instant::now(), exhibit.map_or(Bug::None, |exhibit| exhibit.bug));
    let by = Check::ALL.iter().map(|check| check.finds(bug)).collect();
    Catches { exhibit, by, took: start.elapsed() }
}
