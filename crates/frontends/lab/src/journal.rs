//! [`Journal`]: what a check did to an engine, call by call, and where the engine's files lie.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logladder_disk::Disk;

use crate::call::Call;

/// A byte string up to this length is remembered whole. A check that uses longer ones cannot be repeated.
const LONGEST: usize = 64 * 1024;
/// So many calls are remembered.
const CALLS: usize = 20_000;

/// One call of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    Open,
    Set(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    Get(Vec<u8>),
    GetInto(Vec<u8>),
    GetWith(Vec<u8>),
    GetMany(Vec<Vec<u8>>),
    Stats,
    Visit,
    Sync,
    Compact,
    Close,
    Drop,
}

impl Deed {
    /// What is asked of an engine by it. Dropping asks nothing.
    fn call(&self) -> Option<Call> {
        Some(match self {
            Self::Open => Call::Open,
            Self::Set(..) => Call::Set,
            Self::Delete(_) => Call::Delete,
            Self::Get(_) | Self::GetInto(_) | Self::GetWith(_) | Self::GetMany(_) => Call::Get,
            Self::Stats => Call::Stats,
            Self::Visit => Call::Visit,
            Self::Sync | Self::Close => Call::Sync,
            Self::Compact => Call::Compact,
            Self::Drop => return None,
        })
    }

    fn is_short(&self) -> bool {
        match self {
            Self::Set(key, value) => key.len().max(value.len()) <= LONGEST,
            Self::Delete(key) | Self::Get(key) | Self::GetInto(key) | Self::GetWith(key) => {
                key.len() <= LONGEST
            }
            Self::GetMany(keys) => keys.iter().all(|key| key.len() <= LONGEST),
            _ => true,
        }
    }
}

/// A byte string as a reader can take it in.
pub(crate) fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    if bytes.len() <= SHOWN {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    format!("\"{}…\" ({} bytes)", bytes[..SHOWN / 2].escape_ascii(), bytes.len())
}

/// A value, or that there is none.
pub(crate) fn show_value(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "no value".to_owned(), show)
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Set(key, value) => write!(f, "set {} = {}", show(key), show(value)),
            Self::Delete(key) => write!(f, "delete {}", show(key)),
            Self::Get(key) => write!(f, "get {}", show(key)),
            Self::GetInto(key) => write!(f, "get_into {}, with a buffer that is not empty", show(key)),
            Self::GetWith(key) => write!(f, "get_with {}", show(key)),
            Self::GetMany(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| show(key)).collect();
                write!(f, "get_many {}", keys.join(", "))
            }
            Self::Stats => f.write_str("stats"),
            Self::Visit => f.write_str("for_each"),
            Self::Sync => f.write_str("sync"),
            Self::Compact => f.write_str("compact"),
            Self::Close => f.write_str("close"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

/// Shared by whoever runs a check and the engines that it opens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    is_open: bool,
    deeds: Vec<Deed>,
    calls: BTreeSet<Call>,
    /// The folders in which stores were opened.
    dirs: BTreeSet<PathBuf>,
    /// Where the store was opened last.
    place: Option<(Arc<dyn Disk>, PathBuf)>,
    /// Whether something happened that a list of calls does not tell.
    is_incomplete: bool,
}

impl Journal {
    /// Begins anew: what is done from now on is written down.
    pub(crate) fn begin(&self) {
        *self.pages() = Pages { is_open: true, ..Pages::default() };
    }

    /// From now on nothing is written down.
    pub(crate) fn stop(&self) {
        self.pages().is_open = false;
    }

    pub(crate) fn note(&self, deed: Deed) {
        let mut pages = self.pages();
        if !pages.is_open {
            return;
        }
        pages.calls.extend(deed.call());
        if pages.deeds.len() < CALLS && deed.is_short() {
            pages.deeds.push(deed);
        } else {
            pages.is_incomplete = true;
        }
    }

    pub(crate) fn note_opening(&self, disk: &Arc<dyn Disk>, dir: &Path) {
        let mut pages = self.pages();
        if !pages.is_open {
            return;
        }
        pages.calls.insert(Call::Open);
        let is_same = |(other, place): &(Arc<dyn Disk>, PathBuf)| Arc::ptr_eq(other, disk) && place == dir;
        if pages.place.as_ref().is_some_and(is_same) {
            pages.calls.insert(Call::Reopen);
        }
        pages.dirs.insert(dir.to_path_buf());
        pages.place = Some((Arc::clone(disk), dir.to_path_buf()));
        pages.deeds.push(Deed::Open);
    }

    /// What was done, in its order.
    pub(crate) fn deeds(&self) -> Vec<Deed> {
        self.pages().deeds.clone()
    }

    /// What was done, if that can be done again.
    pub(crate) fn repeatable(&self) -> Option<Vec<Deed>> {
        let pages = self.pages();
        (!pages.is_incomplete && pages.dirs.len() == 1).then(|| pages.deeds.clone())
    }

    /// What was asked of the engine.
    pub(crate) fn calls(&self) -> BTreeSet<Call> {
        self.pages().calls.clone()
    }

    /// The files of the store that was opened last, as they are now.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let place = self.pages().place.clone();
        place.map_or_else(Vec::new, |(disk, dir)| files_of(&*disk, &dir, ""))
    }

    /// A panic under this lock takes nothing away that matters: a note is made or not.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files below a folder, by their names from there. What cannot be read is left out.
pub(crate) fn files_of(disk: &dyn Disk, dir: &Path, above: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in disk.list(dir).unwrap_or_default() {
        let path = dir.join(&entry.name);
        let name = format!("{above}{}", entry.name);
        if entry.is_dir {
            files.extend(files_of(disk, &path, &format!("{name}/")));
        } else if let Ok(bytes) = disk.read(&path) {
            files.push((name, bytes));
        }
    }
    files
}
