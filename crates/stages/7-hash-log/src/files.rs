//! The names of a store's files.

use logladder_engine::{Error, Result};
use std::io;
use std::path::Path;

/// The name of the [manifest](crate::format::manifest).
pub(crate) const MANIFEST: &str = "MANIFEST";

/// What a file of a store is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Manifest,
    Segment(u64),
    Hint(u64),
}

impl FileKind {
    /// `None` if no file of this stage has such a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        if name == MANIFEST {
            return Some(Self::Manifest);
        }
        let (number, extension) = name.strip_prefix("segment-")?.split_once('.')?;
        if number.len() != 10 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let id = number.parse().ok().filter(|&id| id > 0)?;
        match extension {
            "log" => Some(Self::Segment(id)),
            "hint" => Some(Self::Hint(id)),
            _ => None,
        }
    }
}

/// The name of the segment `id`.
pub(crate) fn segment_name(id: u64) -> String {
    format!("segment-{id:010}.log")
}

/// The name of its hint.
pub(crate) fn hint_name(id: u64) -> String {
    format!("segment-{id:010}.hint")
}

/// A segment's number as the index holds it, in four bytes.
///
/// # Errors
///
/// The store in `dir` has had as many segments as it can.
pub(crate) fn check_id(dir: &Path, id: u64) -> Result<u32> {
    u32::try_from(id).map_err(|_| {
        let spent =
            io::Error::other("it has had four thousand million of them: copy its keys into a new store");
        Error::io("number another segment in", dir, spent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_the_file_is_and_back() {
        assert_eq!(segment_name(1), "segment-0000000001.log");
        for id in [1, 42, u64::from(u32::MAX)] {
            assert_eq!(FileKind::of(&segment_name(id)), Some(FileKind::Segment(id)));
            assert_eq!(FileKind::of(&hint_name(id)), Some(FileKind::Hint(id)));
            assert!(check_id(Path::new("store"), id).is_ok());
        }
        assert!(check_id(Path::new("store"), 1 << 32).is_err());
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "segment-0000000000.log",
            "segment-1.log",
            "segment-00000000001.log",
            "segment-+000000001.log",
            "segment-0000000001.log.tmp",
            "segment-0000000001.log.torn-32",
            "segment-0000000001.log ",
            "segment-0000000001",
            "manifest",
            "LOGLADDER",
        ] {
            assert_eq!(FileKind::of(name), None, "{name}");
        }
    }
}
