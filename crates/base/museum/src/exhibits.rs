//! The exhibits: what is wrong with each, why somebody wrote it so, what it does, and what avoids it.

mod beyond;
mod listed;

use crate::Bug;

/// One bug, as the museum shows it.
#[derive(Debug, Clone, Copy)]
pub struct Exhibit {
    /// The bug.
    pub bug: Bug,
    /// Its number in the list of failure modes, if it has one.
    pub number: Option<u32>,
    /// A short name, which is that of its anchors in the engine's source as well.
    pub name: &'static str,
    /// What goes wrong, in a sentence without an end.
    pub wrong: &'static str,
    /// How it comes to be written, and what it does.
    pub story: &'static str,
    /// What avoids it.
    pub remedy: &'static str,
    /// The shortest that shows it.
    pub shown_by: ShownBy,
}

/// What shows a bug. The steps are those of [`script`](crate::script).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownBy {
    /// A crash at some operation of these steps.
    Crashes(&'static str),
    /// A flipped bit in a file that these steps leave.
    Flips(&'static str),
    /// A failed operation of the disk during these steps.
    Faults(&'static str),
    /// The case of the contract that is called so.
    Case(&'static str),
    /// These steps, with a set of the key `a` to `newer` when the compaction is about to write its copy.
    WriteDuringCompaction(&'static str),
}

impl ShownBy {
    /// What is done to the engine, in two words.
    #[must_use]
    pub fn check(self) -> &'static str {
        match self {
            Self::Crashes(_) => "crash images",
            Self::Flips(_) => "flipped bits",
            Self::Faults(_) => "failing disks",
            Self::Case(_) => "a case",
            Self::WriteDuringCompaction(_) => "a write in between",
        }
    }
}

/// Every exhibit: first those of the list, by their numbers.
pub fn exhibits() -> impl Iterator<Item = &'static Exhibit> {
    listed::LISTED.iter().chain(beyond::BEYOND)
}

/// The exhibit with this number or name.
#[must_use]
pub fn exhibit(which: &str) -> Option<&'static Exhibit> {
    exhibits().find(|exhibit| {
        exhibit.name == which || which.parse().is_ok_and(|number| exhibit.number == Some(number))
    })
}

/// What of the list has no exhibit, and why not.
pub const NOT_SHOWN: [(u32, &str, &str); 2] = [
    (
        24,
        "memory explodes: the index, a queue of merges",
        "no check of the contract weighs memory: stages have tests of their own for that",
    ),
    (
        25,
        "an untrusted length is allocated",
        "zeroed memory that nobody touches costs nothing, and so no check of the contract sees it: stages cap allocations under forged files",
    ),
];
