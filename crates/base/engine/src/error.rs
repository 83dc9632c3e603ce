//! [`Error`]: everything that can go wrong in an engine, each with the file and the remedy.

use std::path::{Path, PathBuf};
use std::{error, fmt, io};

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

    /// The [`Error::Poisoned`] of a lock whose holder panicked.
    #[must_use]
    pub fn panicked() -> Self {
        Self::Poisoned { why: "a thread panicked while it held the store's lock".into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { op, path, source } => {
                write!(f, "cannot {op} {}: {source}", path.display())?;
                match remedy(op, source) {
                    Some(remedy) => write!(f, "; {remedy}"),
                    None => Ok(()),
                }
            }
            Self::Corrupt { path, offset, what } => write!(
                f,
                "{} is damaged at offset {offset}: {what}; no file was changed: restore the store from a copy, or see what \
                 `logladder check` says of it",
                path.display()
            ),
            Self::ForeignStore { dir, expected, found } => write!(
                f,
                "{} is not a {expected} store: it holds {found}; nothing was changed: name another folder",
                dir.display()
            ),
            Self::NotEmpty { dir, found } => write!(
                f,
                "{} is not empty: it holds `{found}`, and what is to be made there needs a folder that is not there yet or is \
                 empty; nothing was changed: name another, or move this one away",
                dir.display()
            ),
            Self::UnsupportedVersion { path, found, supported } => write!(
                f,
                "{} has format version {found}, and this program reads versions up to {supported}: use a newer program",
                path.display()
            ),
            Self::Locked { path } => write!(
                f,
                "the store is open already: {} is locked; close it there, or wait for that process to end",
                path.display()
            ),
            Self::InvalidKey { why } => write!(f, "this key cannot be stored: {why}"),
            Self::EmptyKey => f.write_str("the key is empty: it must be of the form collection/member"),
            Self::NoCollection { key } => {
                write!(
                    f,
                    "the key `{}` names no collection: it must be of the form collection/member",
                    shown(key)
                )
            }
            Self::NoMember { key } => {
                write!(
                    f,
                    "the key `{}` names no member: it must be of the form collection/member",
                    shown(key)
                )
            }
            Self::TooLarge { what, len, limit } => {
                write!(f, "{what} has {len} bytes, and the limit is {limit}: it was refused as a whole")
            }
            Self::Unsupported { what } => write!(f, "this store cannot do that: {what}"),
            Self::Compacted { earliest } => write!(
                f,
                "some of these changes are gone: the log goes back to {earliest}; read the whole store, and follow it from there"
            ),
            Self::InvalidPosition { why } => {
                write!(f, "this is no place in the log of this store: {why}; use one that it gave out")
            }
            Self::Poisoned { why } => write!(
                f,
                "the store takes no more writes, because an earlier one failed ({why}): open it again"
            ),
            Self::OutcomeUnknown { why } => write!(
                f,
                "nobody knows whether this write was done, since no answer came ({why}): read what is there before it is \
                 tried again"
            ),
            Self::NoQuorum { why } => write!(
                f,
                "no majority of the cluster's members could be reached ({why}); nothing was changed: try again when most \
                 of them run and reach each other"
            ),
            Self::Cluster { why } => write!(f, "the cluster refused: {why}; nothing was changed"),
            Self::Full { why } => write!(f, "the cluster has no room for more: {why}; nothing was changed"),
            Self::NotLetIn { why } => {
                write!(f, "the cluster does not let this program in: {why}; nothing was changed")
            }
            Self::OtherCluster { opened, found } => write!(
                f,
                "another cluster answers ({found:x}) than the one that was opened ({opened:x}), or the same one after it was \
                 restored from a copy; nothing was changed: open the store again, and read what is there anew"
            ),
            Self::Contended { what } => {
                write!(
                    f,
                    "others wrote the same keys whenever this was tried: {what}; nothing was changed: try again"
                )
            }
        }
    }
}

/// As much of a key as a message has room for.
fn shown(key: &[u8]) -> String {
    const MOST: usize = 60;
    let more = if key.len() > MOST { "…" } else { "" };
    format!("{}{more}", key[..key.len().min(MOST)].escape_ascii())
}

/// What is being done where a folder is made.
const MAKE_FOLDER: &str = "make the folder";

/// What is being done where a copy of a store is made.
const WRITE_COPY: &str = "write the copy";

const NO_FOLDER: &str = "something that is not a folder stands there: name another";

/// Whether there is no room.
fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What Unix systems call EMFILE, which has no kind: this process may open no more files.
const TOO_MANY_OPEN_FILES: i32 = 24;

/// What the user can do about the commonest refusals of a system.
fn remedy(op: &str, said: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match said.kind() {
        kind if is_full(kind) && op == WRITE_COPY => {
            "free some space, and copy again into an empty folder; the store itself goes on"
        }
        kind if is_full(kind) => "free some space, then open the store again",
        Kind::PermissionDenied => "this user may not do that: change the permissions, or name another folder",
        Kind::ReadOnlyFilesystem => "the file system is read-only: name a folder on another",
        Kind::NotADirectory => NO_FOLDER,
        Kind::AlreadyExists if op == MAKE_FOLDER => NO_FOLDER,
        Kind::AlreadyExists => "another program has made it: find out which, then open the store again",
        Kind::FileTooLarge => "the file system or a process limit (ulimit -f) allows no larger file",
        _ if cfg!(unix) && said.raw_os_error() == Some(TOO_MANY_OPEN_FILES) => {
            "this process may have no more files open: raise its limit (ulimit -n), then open the store again"
        }
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_deed_the_file_and_the_remedy() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(
            Error::io("append to", Path::new("a/store.json"), full).to_string(),
            "cannot append to a/store.json: no storage space; free some space, then open the store again"
        );
        assert_eq!(
            Error::corrupt(Path::new("a/b"), 7, "the checksum differs").to_string(),
            "a/b is damaged at offset 7: the checksum differs; no file was changed: restore the store from a copy, or see \
             what `logladder check` says of it"
        );
        assert_eq!(
            Error::NoMember { key: b"artist/".to_vec() }.to_string(),
            "the key `artist/` names no member: it must be of the form collection/member"
        );
    }

    #[test]
    fn whoever_prints_the_causes_too_reads_each_once() {
        let refused = || Error::io("open", Path::new("a"), io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(refused().to_string().starts_with("cannot open a: permission denied; "));
        assert!(error::Error::source(&refused()).is_none());
    }

    #[test]
    fn a_name_that_is_taken_has_one_remedy_for_a_folder_and_another_for_a_file() {
        let taken =
            |op| Error::io(op, Path::new("a"), io::Error::from(io::ErrorKind::AlreadyExists)).to_string();
        assert!(taken("make the folder").ends_with("not a folder stands there: name another"));
        assert!(taken("create").ends_with("find out which, then open the store again"));
    }

    #[cfg(unix)]
    #[test]
    fn who_may_open_no_more_files_is_told_of_the_limit() {
        let refused = io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES);
        assert!(refused.to_string().contains("open files"), "another number here: {refused}");
        let said = Error::io("open", Path::new("a"), refused).to_string();
        assert!(said.ends_with("raise its limit (ulimit -n), then open the store again"), "{said}");
    }

    #[test]
    fn a_copy_without_room_is_no_reason_to_open_the_store_again() {
        let full =
            |path| Error::io("append to", Path::new(path), io::Error::from(io::ErrorKind::StorageFull));
        let of_copy = |path| full(path).of_copy(Path::new("/store")).to_string();
        assert_eq!(
            of_copy("/copy/MANIFEST"),
            "cannot write the copy /copy/MANIFEST: no storage space; free some space, and copy again into an empty \
             folder; the store itself goes on"
        );
        // What the store has to write of its own before it is copied.
        assert_eq!(of_copy("/store/segment"), full("/store/segment").to_string());
    }

    #[test]
    fn a_write_without_an_answer_is_told_from_one_that_was_not_done() {
        let unknown = Error::OutcomeUnknown { why: "5 s have passed".into() }.to_string();
        assert!(unknown.contains("nobody knows") && !unknown.contains("nothing was changed"), "{unknown}");
        let refused = Error::NoQuorum { why: "connection refused".into() }.to_string();
        assert!(refused.contains("nothing was changed"), "{refused}");
    }

    #[test]
    fn a_length_over_the_limit_reads_well_for_a_read_and_for_a_write() {
        let error = Error::TooLarge { what: "the key", len: 70_000, limit: 65_535 };
        let said = "the key has 70000 bytes, and the limit is 65535: it was refused as a whole";
        assert_eq!(error.to_string(), said);
    }
}
