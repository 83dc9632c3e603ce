//! [`Journal`]: what a check did to an engine, call by call, and where the engine's files lie.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use logladder_disk::Disk;

use crate::call::Call;
use crate::deed::{Deed, Visited, VisitorEnd};

/// So many calls are remembered.
const CALLS: usize = 20_000;
/// So many bytes of keys and values are.
const BYTES: usize = 64 << 20;
/// A check whose writes have more bytes than this asks for [`Call::Much`].
const MUCH: usize = 512;

/// Shared by whoever runs a check and the engines that it opens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    is_open: bool,
    deeds: Vec<Deed>,
    /// The visits that are under way, the innermost of each thread last.
    visits: Vec<(ThreadId, Visited)>,
    /// How many calls were begun.
    count: usize,
    /// How many bytes their keys and values have.
    bytes: usize,
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

impl Pages {
    /// Puts it where it was done: into the visit that the thread is in, if it is in one.
    fn put(&mut self, thread: ThreadId, deed: Deed) {
        let visit = self.visits.iter_mut().rfind(|(of, _)| *of == thread);
        let calls = visit.and_then(|(_, visited)| visited.calls.last_mut());
        calls.unwrap_or(&mut self.deeds).push(deed);
    }

    /// The innermost visit of the thread is over.
    fn close_visit(&mut self, thread: ThreadId) {
        if let Some(at) = self.visits.iter().rposition(|(of, _)| *of == thread) {
            let (_, visited) = self.visits.remove(at);
            self.put(thread, Deed::Visit(visited));
        }
    }

    /// Every call, those of visits that never ended with them.
    fn all(&self) -> Vec<Deed> {
        let mut pages = Self { deeds: self.deeds.clone(), visits: self.visits.clone(), ..Self::default() };
        while let Some(thread) = pages.visits.last().map(|(thread, _)| *thread) {
            pages.close_visit(thread);
        }
        pages.deeds
    }
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
        pages.count += 1;
        pages.bytes += deed.strings().iter().map(|string| string.len()).sum::<usize>();
        if pages.count <= CALLS && pages.bytes <= BYTES && deed.is_short() {
            pages.put(thread::current().id(), deed);
        } else {
            pages.is_incomplete = true;
        }
    }

    /// A visit begins, and goes on until what this gives is dropped.
    pub(crate) fn note_visit(&self) -> OpenVisit {
        let mut pages = self.pages();
        if pages.is_open {
            pages.calls.insert(Call::Visit);
            pages.count += 1;
            pages.visits.push((thread::current().id(), Visited::default()));
        }
        OpenVisit(self.clone())
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
        pages.count += 1;
        pages.put(thread::current().id(), Deed::Open);
    }

    /// How many calls were begun: a number that no longer grows is that of an engine that is stuck.
    pub(crate) fn count(&self) -> usize {
        self.pages().count
    }

    /// What was done, in its order.
    pub(crate) fn deeds(&self) -> Vec<Deed> {
        self.pages().all()
    }

    /// What was done, if that can be done again.
    pub(crate) fn repeatable(&self) -> Option<Vec<Deed>> {
        let pages = self.pages();
        (!pages.is_incomplete && pages.dirs.len() == 1).then(|| pages.all())
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

/// A visit that is under way: what its thread does meanwhile is done by the visitor.
#[derive(Debug)]
pub(crate) struct OpenVisit(Journal);

impl OpenVisit {
    /// The visitor is shown one more key. What this gives lives as long as it looks at it.
    pub(crate) fn shows(&self) -> Looking<'_> {
        self.change(|visited| visited.calls.push(Vec::new()));
        Looking(self)
    }

    /// The visitor wants to see no more.
    pub(crate) fn stops(&self) {
        self.change(|visited| visited.end = VisitorEnd::Stops);
    }

    fn change(&self, change: impl FnOnce(&mut Visited)) {
        let (mut pages, thread) = (self.0.pages(), thread::current().id());
        if let Some((_, visited)) = pages.visits.iter_mut().rfind(|(of, _)| *of == thread) {
            change(visited);
        }
    }
}

impl Drop for OpenVisit {
    fn drop(&mut self) {
        self.0.pages().close_visit(thread::current().id());
    }
}

/// A visitor that looks at a key. If it panics meanwhile, that is noted.
#[derive(Debug)]
pub(crate) struct Looking<'v>(&'v OpenVisit);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.change(|visited| visited.end = VisitorEnd::Panics);
        }
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
