//! [`Journal`]: what a check did to an engine, call by call, and where the engine's files lie.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logladder_disk::Disk;

use crate::call::Call;
use crate::deed::Deed;

/// So many calls are remembered.
const CALLS: usize = 20_000;
/// A check whose writes have more bytes than this asks for [`Call::Much`].
const MUCH: usize = 512;

/// Shared by whoever runs a check and the engines that it opens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    is_open: bool,
    deeds: Vec<Deed>,
    calls: BTreeSet<Call>,
    /// How many bytes were written.
    written: usize,
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
        pages.written = pages.written.saturating_add(deed.written());
        if pages.written > MUCH {
            pages.calls.insert(Call::Much);
        }
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
