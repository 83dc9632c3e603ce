//! Writing what is in the queue: by the janitor, by `sync`, or by who finds the queue full.
//!
//! ```text
//!   take a batch ─► a temporary file each ─► sync them ─► rename each ─► sync the folders ─► clear the marks
//! ```
//!
//! Many files together cost hardly more syncs than one. If something fails, what it concerns stays marked and goes into
//! the queue again. The next attempt writes all of it anew, from memory, to a new file: nothing that a
//! failed write or sync may have left is relied on, so that one that succeeds later is to be believed.
//!
//! Before each step that changes a file, the folder must be the one that was opened: whoever moves it away may
//! have put another store at its path.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use logladder_disk::{install_temporary, write_temporary};
use logladder_engine::{Error, Result, SyncPolicy};

use crate::member_file::Entry;
use crate::memory::Collection;
use crate::queue::Waiting;
use crate::store::Store;
use crate::turns::Turn;

/// So many keys are written together at most.
pub(crate) const BATCH_KEYS: usize = 256;

/// More files, or folders, than this are synced by one call for the whole store.
const ONE_BY_ONE: usize = 8;

/// A member that is being written.
#[derive(Debug)]
struct Job {
    waiting: Waiting,
    /// None: its file is to go.
    value: Option<Arc<[u8]>>,
    path: PathBuf,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    Failed,
    Done,
}

/// Members that are written together. Those that are not done when it is dropped go back into the queue.
#[derive(Debug)]
struct Batch<'s> {
    store: &'s Store,
    jobs: Vec<Job>,
    /// The first of what went wrong: it is the cause of the others.
    failure: Option<Error>,
}

impl Store {
    /// Writes everything that is in the queue now.
    ///
    /// # Errors
    ///
    /// The first of what could not be written. What could has been.
    pub(crate) fn write_queued(&self) -> Result<()> {
        let turn = self.turns.take();
        self.write_waiting(&turn)
    }

    fn write_waiting(&self, turn: &Turn<'_>) -> Result<()> {
        // Not what comes meanwhile, or it might never end; nor what fails and comes back.
        let (mut left, mut first) = (self.queue.len(), Ok(()));
        self.queue.take_found();
        while left > 0 {
            let (taken, outcome) = self.write_batch(turn, left.min(BATCH_KEYS));
            // What was thought to be on the disk, and is not, belongs to it as well.
            left = left - taken.max(1).min(left) + self.queue.take_found();
            first = first.and(outcome);
        }
        first
    }

    /// Writes so many members at most. Says how many were taken from the queue, and how it went.
    pub(crate) fn write_batch(&self, _turn: &Turn<'_>, most: usize) -> (usize, Result<()>) {
        let mut batch = Batch::take(self, most);
        let taken = batch.jobs.len();
        batch.write();
        let outcome = batch.failure.take().map_or(Ok(()), Err);
        drop(batch);
        self.queue.note_outcome(&outcome);
        // There may be room for who waits for it.
        self.turns.look_again();
        (taken, outcome)
    }

    /// Returns when everything that was acknowledged is on the disk.
    ///
    /// # Errors
    ///
    /// The first of what could not be written or synced.
    pub(crate) fn sync(&self) -> Result<()> {
        let turn = self.turns.take();
        self.write_waiting(&turn)?;
        if !self.queue.is_unsynced() {
            return Ok(());
        }
        let synced = self.sync_everything();
        self.queue.note_outcome(&synced);
        if synced.is_ok() {
            self.queue.note_synced();
        } else {
            // The kernel may have given up pages of any file, and would say yes the next time.
            self.memory
                .collections()?
                .iter()
                .try_for_each(|collection| collection.mark_all(&self.queue).map(drop))?;
        }
        synced
    }

    fn sync_everything(&self) -> Result<()> {
        self.folder.check_in_place()?;
        self.disk().sync_tree(self.folder.dir())
    }

    /// Whether someone has removed the folder of a collection. Then it is to be made again, and every member to be written
    /// into it: all of them are in memory.
    fn has_lost_folder(&self, collection: &Arc<Collection>) -> Result<bool> {
        self.folder.check_in_place()?;
        if self.disk().entry(&self.dir_of(collection))?.is_some() {
            return Ok(false);
        }
        collection.forget_folder();
        self.queue.note_found(collection.mark_all(&self.queue)?);
        Ok(true)
    }

    /// Makes the folder of a collection, unless it is there. It is on the disk before anything is put into it.
    fn make_folder(&self, collection: &Collection) -> Result<()> {
        if !collection.has_folder() {
            self.disk().create_dir(&self.dir_of(collection))?;
            self.disk().sync_dir(self.folder.dir())?;
            collection.note_folder();
        }
        Ok(())
    }
}

impl<'s> Batch<'s> {
    fn take(store: &'s Store, most: usize) -> Self {
        let mut batch = Self { store, jobs: Vec::new(), failure: None };
        let job = |waiting: Waiting| {
            let path = store.path_of(&waiting.collection, &waiting.member);
            Job { waiting, value: None, path, state: State::UnderWay }
        };
        batch.jobs = store.queue.take(most).into_iter().map(job).collect();
        for job in &mut batch.jobs {
            match job.waiting.collection.begin_writing(&job.waiting.member) {
                Ok(value) => job.value = value,
                Err(error) => fail(&mut batch.failure, job, error),
            }
        }
        batch
    }

    // ANCHOR: write
    fn write(&mut self) {
        let syncs = self.store.options.syncs_each_file();
        let sets = self.jobs.iter().filter(|job| job.value.is_some()).count();
        let together = sets > ONE_BY_ONE;
        let each = if syncs && !together { SyncPolicy::Always } else { SyncPolicy::Never };
        self.for_each(|store, job| write_file(store, job, each));
        if syncs && together {
            let synced = self.store.sync_everything();
            self.fail_all(synced, |job| job.value.is_some());
        }
        self.for_each(install);
        if syncs {
            self.sync_folders();
        } else {
            self.store.queue.note_unsynced();
        }
        self.for_each(|_, job| {
            job.state = State::Done;
            Ok(())
        });
    }
    // ANCHOR_END: write

    /// Does something to each member of which nothing has failed so far.
    fn for_each(&mut self, work: impl Fn(&Store, &mut Job) -> Result<()>) {
        for job in self.jobs.iter_mut().filter(|job| job.state == State::UnderWay) {
            if let Err(error) = work(self.store, job) {
                fail(&mut self.failure, job, error);
            }
        }
    }

    /// If something that concerns several has failed, all of them have.
    fn fail_all(&mut self, outcome: Result<()>, concerns: impl Fn(&Job) -> bool) {
        let Err(error) = outcome else { return };
        self.failure.get_or_insert(error);
        let jobs = self.jobs.iter_mut().filter(|job| concerns(job));
        jobs.for_each(|job| job.state = State::Failed);
    }

    fn sync_folders(&mut self) {
        let mut changed: Vec<Arc<Collection>> = Vec::new();
        for job in self.jobs.iter().filter(|job| job.state == State::UnderWay) {
            let collection = &job.waiting.collection;
            let is_new = changed.iter().all(|known| !Arc::ptr_eq(known, collection));
            if is_new && collection.has_folder() {
                changed.push(Arc::clone(collection));
            }
        }
        if changed.len() > ONE_BY_ONE {
            let synced = self.store.sync_everything();
            return self.fail_all(synced, |_| true);
        }
        for collection in changed {
            let concerns = |job: &Job| Arc::ptr_eq(&job.waiting.collection, &collection);
            let mut synced = self.store.disk().sync_dir(&self.store.dir_of(&collection));
            if is_missing(&synced) && matches!(self.store.has_lost_folder(&collection), Ok(true)) {
                // What was put into it just now has gone with it, and what was to go has gone.
                if self.jobs.iter().any(|job| concerns(job) && job.value.is_some()) {
                    self.fail_all(synced, |job| concerns(job) && job.value.is_some());
                }
                synced = self.store.disk().sync_dir(self.store.folder.dir());
            }
            self.fail_all(synced, concerns);
        }
    }
}

impl Drop for Batch<'_> {
    /// Also in a panic: what was under way is tried again.
    fn drop(&mut self) {
        for Job { waiting, state, .. } in &self.jobs {
            waiting.collection.end_writing(&waiting.member, *state == State::Done, &self.store.queue);
        }
    }
}

fn fail(first: &mut Option<Error>, job: &mut Job, error: Error) {
    job.state = State::Failed;
    first.get_or_insert(error);
}

/// The temporary file of a value; of a delete, nothing.
fn write_file(store: &Store, job: &mut Job, policy: SyncPolicy) -> Result<()> {
    let Some(value) = &job.value else { return Ok(()) };
    store.folder.check_in_place()?;
    let collection = &job.waiting.collection;
    store.make_folder(collection)?;
    let entry = Entry { collection: collection.name.as_deref(), member: &job.waiting.member, value };
    let write = || write_temporary(store.disk(), &job.path, &[&entry.head(), value], policy);
    let written = write();
    if !is_missing(&written) || !store.has_lost_folder(collection)? {
        return written;
    }
    store.make_folder(collection)?;
    write()
}

fn is_missing(outcome: &Result<()>) -> bool {
    matches!(outcome, Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound)
}

/// The file takes the place of the older one, or goes. One that is gone already is fine: an attempt before this one
/// may have come so far.
fn install(store: &Store, job: &mut Job) -> Result<()> {
    store.folder.check_in_place()?;
    if job.value.is_some() {
        return install_temporary(store.disk(), &job.path);
    }
    match store.disk().entry(&job.path)? {
        Some(_) => store.disk().remove(&job.path),
        None => Ok(()),
    }
}
