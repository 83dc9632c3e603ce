//! Leaving out a rule of an engine, to prove that the crash and bit-flip tests notice.
//!
//! An engine asks [`skips`] beside each rule of [`Rule`]. Without the feature `sabotage`, which no crate
//! enables outside its tests, the answer is a constant `false` and the question costs nothing. With it, the
//! switch belongs to the thread, so that tests can run side by side.

/// A rule of an engine that a test can leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// A checksum is compared before what it covers is believed.
    ChecksumCheck,
    /// A damaged tail is cut only where no valid record follows.
    TailRule,
    /// A tombstone is kept for as long as an older file may hold a value of its key.
    TombstoneKept,
    /// Compaction syncs what it wrote before it removes what it read.
    CopySyncedFirst,
    /// A batch of which a part is missing is taken for absent.
    BatchWhole,
    /// Temporary files of an interrupted write are not taken for finished ones.
    TemporaryIgnored,
}

/// Whether `rule` is left out: never.
#[cfg(not(feature = "sabotage"))]
#[must_use]
#[inline]
pub const fn skips(_rule: Rule) -> bool {
    false
}

#[cfg(feature = "sabotage")]
pub use broken::{Broken, break_rule, skips};

#[cfg(feature = "sabotage")]
mod broken {
    use std::cell::Cell;

    use super::Rule;

    thread_local! {
        static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    /// Whether this thread's engines leave `rule` out.
    #[must_use]
    pub fn skips(rule: Rule) -> bool {
        BROKEN.get() == Some(rule)
    }

    /// Leaves `rule` out on this thread until the returned guard is dropped.
    #[must_use]
    pub fn break_rule(rule: Rule) -> Broken {
        BROKEN.set(Some(rule));
        Broken(())
    }

    /// Restores the rules when it is dropped.
    #[derive(Debug)]
    pub struct Broken(());

    impl Drop for Broken {
        fn drop(&mut self) {
            BROKEN.set(None);
        }
    }
}
