//! What looking through the files of a store finds: [`Problem`], and how bad it is; and what a check and a salvage say in the
//! end.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Error;

/// How bad a [`Problem`] is, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong: it is a file that the store does not need, such as a kept tail.
    Remark,
    /// A cache, such as a hint. The next open does without it and makes it anew.
    Harmless,
    /// It looks as a crash leaves a write that was not finished. The next open cuts it off and keeps it beside the
    /// file. Damage to the very last write looks the same.
    Unfinished,
    /// Data, or what is needed to find it. Opening or reading says [`Error::Corrupt`].
    Damage,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Remark => "remark",
            Self::Harmless => "harmless",
            Self::Unfinished => "unfinished",
            Self::Damage => "damage",
        })
    }
}

/// Something that is not as it should be in a file of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// The first byte of what is wrong, in bytes from the start of the file, as far as that can be told: where the record
    /// begins, or 0 where a checksum covers the whole file.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
    /// How bad it is.
    pub severity: Severity,
}

impl Problem {
    /// A problem at this place of a file.
    #[must_use]
    pub fn new(severity: Severity, path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self { path: path.to_path_buf(), offset, what: what.into(), severity }
    }

    /// What `error` says of the file at `path`.
    #[must_use]
    pub fn of_error(severity: Severity, path: &Path, error: Error) -> Self {
        match error {
            Error::Corrupt { path, offset, what } => Self { path, offset, what, severity },
            other => Self::new(severity, path, 0, other.to_string()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at offset {}: {}", self.severity, self.path.display(), self.offset, self.what)
    }
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Everything that is to be said, by file and offset. Remarks are among it.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many whole sets and deletes are in the store's files, of use or not.
    pub records: u64,
    /// How many keys have a value by these.
    pub keys: u64,
}

impl CheckReport {
    /// Whether there is nothing but remarks.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.worst().is_none_or(|worst| worst == Severity::Remark)
    }

    /// How bad the worst problem is, if there is one.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.problems.iter().map(|problem| problem.severity).max()
    }
}

/// What a salvage found, and what it made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// How many sets and deletes were done again.
    pub records: u64,
    /// How many keys have a value in the new store. One that has ended counts.
    pub keys: u64,
    /// What is wrong with the old store, as a check says. What stood in places of [`Severity::Damage`] is missing in the
    /// new one.
    pub problems: Vec<Problem>,
}

/// How far a check or a salvage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'p> {
    /// The file that comes next.
    pub path: &'p Path,
    /// Bytes of the files before it.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
}

impl<'p> Progress<'p> {
    /// So many bytes are done when the file at `path` comes.
    #[must_use]
    pub fn new(path: &'p Path, done: u64, total: u64) -> Self {
        Self { path, done, total }
    }
}
