//! Sabotage: one precaution of the engine, or of its disk, is left out, and the checks must notice. A check that
//! stays green without the precaution proves nothing with it.

use std::fmt;

use logladder_disk::Filter;
use logladder_disk::sabotage::Rule;

use crate::crash::{Depth, crash_images_of, crash_images_to, scripts};
use crate::{Subject, Violation};

/// A precaution that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sabotage {
    /// Every sync of a file says yes and does nothing.
    FileSyncs,
    /// Every sync of a folder says yes and does nothing.
    FolderSyncs,
    /// The engine leaves a rule out.
    Rule(Rule),
}

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileSyncs => f.write_str("without the syncs of files"),
            Self::FolderSyncs => f.write_str("without the syncs of folders"),
            Self::Rule(rule) => write!(f, "without the rule {rule:?}"),
        }
    }
}

impl Sabotage {
    /// What can be left out of this subject: the syncs of any that has files, and the rules that it names.
    ///
    /// Rules can only be left out with the feature `sabotage`; without it, none is listed.
    #[must_use]
    pub fn all_of(subject: &Subject) -> Vec<Self> {
        let mut all = Vec::new();
        if subject.has_files() {
            all.extend([Self::FileSyncs, Self::FolderSyncs]);
        }
        if cfg!(feature = "sabotage") {
            all.extend(subject.breakable_rules().iter().copied().map(Self::Rule));
        }
        all
    }

    /// Runs the checks of crashes and damage with the precaution left out, until one of them notices, and says
    /// what that one found. `None`: none did.
    #[must_use]
    pub fn noticed(self, subject: &Subject) -> Option<Box<Violation>> {
        match self {
            Self::FileSyncs => crash_images_of(subject, &scripts(subject), Some(Filter::Sync)).err(),
            Self::FolderSyncs => crash_images_of(subject, &scripts(subject), Some(Filter::SyncDir)).err(),
            Self::Rule(rule) => {
                #[cfg(feature = "sabotage")]
                let _broken = logladder_disk::sabotage::break_rule(rule);
                // Without the feature the rule is kept, and nothing will be noticed.
                let crashes_to = |depth| crash_images_to(depth, subject, &scripts(subject), None).err();
                // The first image that shows it is enough, and few of them show nearly every rule.
                let crashes = || crashes_to(Depth::Few).or_else(|| crashes_to(Depth::Everything));
                let damage = || crate::bit_flips(subject).err().or_else(|| crate::cuts(subject).err());
                // What checksums are for is damage: a crash alone seldom needs them, and going through all of them
                // before would take most of the time that this takes.
                let found = match rule {
                    Rule::ChecksumCheck => damage().or_else(crashes),
                    _ => crashes().or_else(damage),
                };
                found.or_else(|| crate::faults(subject).err())
            }
        }
    }
}

/// Leaves out one precaution after the other, as a test: panics if one of them is not missed.
#[doc(hidden)]
#[allow(clippy::print_stdout, reason = "a test prints what it found")]
pub fn assert_noticed(subject: &Subject, which: impl Fn(Sabotage) -> bool) {
    for sabotage in Sabotage::all_of(subject).into_iter().filter(|&sabotage| which(sabotage)) {
        match sabotage.noticed(subject) {
            Some(violation) => println!("{sabotage}, noticed: {}", violation.found),
            None => panic!("{} {sabotage} passes every check: they prove nothing about it", subject.name()),
        }
    }
}
