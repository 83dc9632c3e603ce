//! What an [`Error`] says: what was being done, to which file, and what the user can do.

use std::{fmt, io};

use super::Error;

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
pub(super) const WRITE_COPY: &str = "write the copy";

/// What is being done where a new store is made of what is whole of a damaged one.
pub(super) const WRITE_REPAIR: &str = "write what is repaired to";

const NO_FOLDER: &str = "something that is not a folder stands there: name another";

/// Whether there is no room.
pub(super) fn is_full(kind: io::ErrorKind) -> bool {
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
        kind if is_full(kind) && op == WRITE_REPAIR => {
            "free some space, remove the folder of the repair and repair again; the damaged store is as it was"
        }
        kind if is_full(kind) => "free some space; if writes fail even then, open the store again",
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

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_message_names_the_deed_the_file_and_the_remedy() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(
            Error::io("append to", Path::new("a/store.json"), full).to_string(),
            "cannot append to a/store.json: no storage space; free some space; if writes fail even then, open the store again"
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
        assert!(refused().source().is_none());
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
    fn a_repair_without_room_is_to_be_removed_and_done_again() {
        let full =
            |path| Error::io("append to", Path::new(path), io::Error::from(io::ErrorKind::StorageFull));
        let said = full("/new/wal").of_repair().to_string();
        assert!(said.starts_with("cannot write what is repaired to /new/wal: "), "{said}");
        assert!(said.contains("remove the folder of the repair and repair again"), "{said}");
        assert!(!said.contains("open the store again"), "{said}");
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
