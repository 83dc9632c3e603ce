//! [`Error`]: everything that can go wrong in an engine, each with the file and the remedy.

mod words;

use std::path::{Path, PathBuf};
use std::{error, io};

use self::words::{WRITE_COPY, WRITE_REPAIR, is_full};
use crate::Position;

/// The result of an engine's method.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong. Its message says what was being done, to which file, and what the user can do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    Io {
        /// What was being done, as a verb that the path follows: `append to`, `open`.
        op: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should. It has not been changed.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The first byte of what is wrong, from the start of the file.
        offset: u64,
        /// What is wrong there, and what can be done if that differs from the usual remedy.
        what: String,
    },
    /// The folder holds something other than a store of this stage. Nothing in it has been changed.
    ForeignStore {
        /// The folder.
        dir: PathBuf,
        /// The stage that was asked for.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// Something is in the folder in which a copy of a store, or a new one from what is whole of it, was to be made. Nothing
    /// was changed.
    NotEmpty {
        /// The folder.
        dir: PathBuf,
        /// The name of one thing that is in it.
        found: String,
    },
    /// A file was written by newer code, in a format that this code cannot read.
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: u32,
        /// The newest version that this code reads.
        supported: u32,
    },
    /// The store is open already, in this process or in another.
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// This stage has no place for such a key.
    InvalidKey {
        /// Why not.
        why: String,
    },
    /// The empty key, where a key must be of the form `collection/member`.
    EmptyKey,
    /// A key without a collection, where it must be of the form `collection/member`.
    NoCollection {
        /// The key.
        key: Vec<u8>,
    },
    /// A key without a member, where it must be of the form `collection/member`.
    NoMember {
        /// The key.
        key: Vec<u8>,
    },
    /// A key, a value or a batch over the limit. Nothing was written.
    TooLarge {
        /// What is too large: `the key`, `the value`.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// This stage, or the store as it was opened, cannot do that. Nothing was changed.
    Unsupported {
        /// What was asked for, and what can be done instead.
        what: String,
    },
    /// The changes that were asked for are no longer in the log: compaction has removed them.
    Compacted {
        /// The earliest place from which every later change is still there.
        earliest: Position,
    },
    /// A place in the log that this store does not have.
    InvalidPosition {
        /// Why not.
        why: String,
    },
    /// An earlier write failed, or a thread panicked in the middle of one. Reads go on.
    Poisoned {
        /// What happened then.
        why: String,
    },
    /// A write was sent to a cluster, and its answer never came. It may have been done or not, and nobody has tried it a
    /// second time.
    OutcomeUnknown {
        /// What came instead of an answer.
        why: String,
    },
    /// No majority of a cluster's members could be reached in time. Nothing was changed.
    NoQuorum {
        /// What the members said that were asked, or why they could not be.
        why: String,
    },
    /// A cluster refused, for a reason of its own. Nothing was changed.
    Cluster {
        /// What it said.
        why: String,
    },
    /// A cluster has no room for more. Nothing was changed.
    Full {
        /// What it said, and how room is made.
        why: String,
    },
    /// A cluster does not let this program in. Nothing was changed.
    NotLetIn {
        /// What it said, and what it would take.
        why: String,
    },
    /// Another cluster answers than the one that was opened, or the same one after it was restored from a copy. Nothing was
    /// changed.
    OtherCluster {
        /// The number of the cluster that was opened.
        opened: u64,
        /// The number of the one that answers.
        found: u64,
    },
    /// Others wrote the same keys whenever this was tried. Nothing was changed.
    Contended {
        /// What was tried.
        what: &'static str,
    },
}

impl Error {
    /// An [`Error::Io`] from the operation, the path and what the system said.
    ///
    /// ```
    /// # use logladder_engine::{Error, Result};
    /// # use std::path::Path;
    /// fn read(path: &Path) -> Result<Vec<u8>> {
    ///     std::fs::read(path).map_err(|source| Error::io("read", path, source))
    /// }
    /// assert!(read(Path::new("absent")).unwrap_err().to_string().starts_with("cannot read absent"));
    /// ```
    #[must_use]
    pub fn io(op: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { op, path: path.to_path_buf(), source }
    }

    /// An [`Error::Corrupt`] from the file, the offset and what is wrong there.
    #[must_use]
    pub fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), offset, what: what.into() }
    }

    /// This error of an attempt to copy a store that lies in the folder `store`. Where the copy has no room, that is no
    /// reason to open the store again: it is told that there was nothing wrong with it.
    #[must_use]
    pub fn of_copy(self, store: &Path) -> Self {
        match self {
            Self::Io { path, source, .. } if is_full(source.kind()) && !path.starts_with(store) => {
                Self::Io { op: WRITE_COPY, path, source }
            }
            other => other,
        }
    }

    /// This error of an attempt to make a new store of what is whole of a damaged one. Where there is no room for it, what is
    /// there so far is no store that could be opened again.
    #[must_use]
    pub fn of_repair(self) -> Self {
        match self {
            Self::Io { path, source, .. } if is_full(source.kind()) => {
                Self::Io { op: WRITE_REPAIR, path, source }
            }
            other => other,
        }
    }

    /// The [`Error::Poisoned`] of a lock whose holder panicked.
    #[must_use]
    pub fn panicked() -> Self {
        Self::Poisoned { why: "a thread panicked while it held the store's lock".into() }
    }
}

impl error::Error for Error {
    /// What lies behind the message. What the system said is in it already, so of [`Error::Io`] this is what lies
    /// behind that, if anything; its field has what the system said.
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => source.source(),
            _ => None,
        }
    }
}
