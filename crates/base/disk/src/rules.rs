//! The rules that a sabotaged engine leaves out, to prove that the crash and bit-flip tests notice.

/// A rule of an engine that a test can switch off. See [`sabotage`](crate::sabotage).
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
    /// Temporary files of an interrupted write are not taken for finished ones.
    TemporaryIgnored,
}
