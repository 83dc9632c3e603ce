//! [`Store`]: the parts of an open store, shared by its users and its threads, and the locks around them.
//!
//! The locks are taken in this order, and none is held while waiting for an earlier one:
//!
//! ```text
//!   compaction ──► syncing ──► writer ──► list
//! ```
//!
//! - `writer`: one write at a time; whatever changes the index or the seats. Nobody waits for the disk under it,
//!   but for the thread that begins a new segment.
//! - `list`: the manifest, and its replacement on the disk.
//! - `syncing`: one sync of the tail at a time. After one fails, the kernel may have marked the pages clean, and
//!   another would say yes.
//! - `compaction`: one compaction at a time.
//!
//! Readers take none of them.

use std::io;
use std::sync::Arc;

use logladder_disk::{Disk, File, Poison, StoreFolder, replace};
use logladder_engine::{Error, Result, SyncPolicy};

use crate::Options;
use crate::background::Signal;
use crate::catalog::Catalog;
use crate::commit::Commits;
use crate::files::{MANIFEST, segment_name};
use crate::format::header::SegmentHeader;
use crate::format::manifest::Manifest;
use crate::index::{Location, MAX_OFFSET};
use crate::recover::Recovered;
use crate::sync::{Mutex, MutexGuard, is_poisoned};

/// An open store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) folder: StoreFolder,
    pub(crate) options: Options,
    pub(crate) poison: Poison,
    pub(crate) signal: Signal,
    pub(crate) compaction: Mutex<()>,
    pub(crate) syncing: Mutex<()>,
    writer: Mutex<Writer>,
    list: Mutex<Manifest>,
    pub(crate) commits: Commits,
    pub(crate) catalog: Catalog,
    /// What every segment is marked with.
    pub(crate) mark: u32,
    /// Which manifest the checkpoint belongs to that the index was taken from.
    pub(crate) checkpoint_of: Option<u32>,
}

/// What only one thread at a time may change: the end of the log.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The number that the next record will have.
    pub(crate) next_sequence: u64,
    /// Where the next record goes; none after opening and after sealing, until something is written.
    pub(crate) active: Option<Growing>,
    /// Segments that are full and not sealed yet, in the order of the log.
    pub(crate) full: Vec<Growing>,
    /// Records that are in the log and not in the index, because they are not on the disk yet
    /// ([`SyncPolicy::Always`]).
    pub(crate) unpublished: Vec<Location>,
    /// The record that is being written, kept for its memory.
    pub(crate) buffer: Vec<u8>,
    /// Whether a segment has become full since someone asked.
    pub(crate) has_rotated: bool,
    /// Whether there is a checkpoint file, which the next write makes worthless.
    pub(crate) has_checkpoint: bool,
}

/// A segment of the tail.
#[derive(Debug, Clone)]
pub(crate) struct Growing {
    pub(crate) seat: u16,
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn File>,
    /// The length that it must not pass, its footer included.
    pub(crate) capacity: u64,
    /// How much of it is on the disk.
    pub(crate) synced: u64,
}

impl Store {
    pub(crate) fn new(folder: StoreFolder, options: Options, recovered: Recovered) -> Self {
        let writer = Writer {
            next_sequence: recovered.manifest.next_sequence,
            active: None,
            full: Vec::new(),
            unpublished: Vec::new(),
            buffer: Vec::new(),
            has_rotated: false,
            has_checkpoint: recovered.has_checkpoint,
        };
        Self {
            folder,
            options,
            poison: Poison::default(),
            signal: Signal::default(),
            compaction: Mutex::default(),
            syncing: Mutex::default(),
            commits: Commits::beginning_at(recovered.manifest.next_sequence),
            writer: Mutex::new(writer),
            mark: recovered.manifest.mark(),
            checkpoint_of: recovered.checkpoint_of,
            list: Mutex::new(recovered.manifest),
            catalog: recovered.catalog,
        }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &**self.folder.disk()
    }

    /// The lock that a write needs.
    ///
    /// # Errors
    ///
    /// A write has failed, or a thread panicked in the middle of one.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer_of_any()?;
        self.poison.check()?;
        // What a panic left half-done under these, the writer would build upon.
        if is_poisoned(&self.syncing) || is_poisoned(&self.list) {
            return Err(Error::panicked());
        }
        Ok(writer)
    }

    /// The same lock, for who writes nothing: also if a write has failed.
    pub(crate) fn writer_of_any(&self) -> Result<MutexGuard<'_, Writer>> {
        self.writer.lock().map_err(|_| Error::panicked())
    }

    /// The manifest, as it is on the disk but for the numbers in it, which may have grown since.
    pub(crate) fn list(&self) -> Result<MutexGuard<'_, Manifest>> {
        self.list.lock().map_err(|_| Error::panicked())
    }

    /// The number of a segment that is made now.
    ///
    /// # Errors
    ///
    /// There is none left.
    pub(crate) fn next_segment(&self) -> Result<u64> {
        let mut list = self.list()?;
        let id = list.next_segment;
        let spent = || {
            let spent = io::Error::other("all numbers are used: copy its keys into a new store");
            Error::io("number another segment in", self.folder.dir(), spent)
        };
        list.next_segment = id.checked_add(1).ok_or_else(spent)?;
        Ok(id)
    }

    /// Changes the list of the store's segments, and puts it on the disk.
    ///
    /// # Errors
    ///
    /// The disk failed. Which of the two lists is on the disk is then unknown, so the caller takes no more
    /// writes and removes no file of either.
    pub(crate) fn install(&self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        let mut list = self.list()?;
        let mut changed = list.clone();
        change(&mut changed);
        write_manifest(&self.folder, &changed)?;
        *list = changed;
        Ok(())
    }
}

/// Replaces the manifest in `folder`, whatever the sync policy: it decides which files are the store.
///
/// # Errors
///
/// The folder is not where it was, and nothing has been changed; or the disk failed.
pub(crate) fn write_manifest(folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
    folder.check_in_place()?;
    let path = folder.path(MANIFEST);
    replace(&**folder.disk(), &path, &[&manifest.encode()], SyncPolicy::Always)
}

/// An offset as the index has it.
///
/// # Errors
///
/// It is past 256 MiB: no record of this store begins so far into the segment `id`.
pub(crate) fn short_offset(offset: u64, id: u64, folder: &StoreFolder) -> Result<u32> {
    u32::try_from(offset).ok().filter(|_| offset <= MAX_OFFSET).ok_or_else(|| {
        let far = io::Error::other("a record begins past 256 MiB of its segment");
        Error::io("index the records of", &folder.path(&segment_name(id)), far)
    })
}
