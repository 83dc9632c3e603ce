//! [`Problem`]: something that is not as it should be in the files of a store, and how bad that is.

use std::fmt;
use std::path::{Path, PathBuf};

use logladder_engine::Error;

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
    pub(crate) fn new(severity: Severity, path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self { path: path.to_path_buf(), offset, what: what.into(), severity }
    }

    /// What `error` says of the file at `path`.
    pub(crate) fn of_error(severity: Severity, path: &Path, error: Error) -> Self {
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
