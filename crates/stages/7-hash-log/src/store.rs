//! [`Store`]: the parts of an open store, shared by its users and the compaction thread, and the locks around
//! them.
//!
//! The locks are taken in this order, and none is held while waiting for an earlier one:
//!
//! ```text
//!   compaction ──► writer ──► a shard of the index
//! ```
//!
//! - The shards of the index: readers share one for one look. Nobody does file work under it.
//! - `writer`: one write at a time, and whatever changes the manifest.
//! - `compaction`: one compaction at a time. Reads and writes do not take it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use logladder_disk::{Disk, File, Poison, StoreFolder, replace};
use logladder_engine::{Error, Result, SyncPolicy};

use crate::Options;
use crate::background::Signal;
use crate::catalog::Catalog;
use crate::files::{MANIFEST, hint_name, segment_name};
use crate::format::manifest::Manifest;
use crate::index::Location;
use crate::recover::Recovered;

/// An open store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) folder: StoreFolder,
    pub(crate) options: Options,
    pub(crate) poison: Poison,
    pub(crate) signal: Signal,
    pub(crate) compaction: Mutex<()>,
    writer: Mutex<Writer>,
    pub(crate) catalog: Catalog,
}

/// What only one thread at a time may change: the end of the log, and the list of its files.
#[derive(Debug)]
pub(crate) struct Writer {
    /// What the manifest on the disk says, except that the two numbers in it may have grown since.
    pub(crate) manifest: Manifest,
    /// The number that the next record will have.
    pub(crate) next_sequence: u64,
    /// Where the next record goes; none after opening and after sealing, until something is written.
    pub(crate) active: Option<Active>,
    /// The record that is being written, kept for its memory.
    pub(crate) buffer: Vec<u8>,
}

/// The segment that is appended to.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) id: u32,
    pub(crate) file: Arc<dyn File>,
    /// The length that it must not pass, its footer included.
    pub(crate) capacity: u64,
}

impl Store {
    pub(crate) fn new(folder: StoreFolder, options: Options, recovered: Recovered) -> Self {
        let writer = Writer {
            next_sequence: recovered.manifest.next_sequence,
            manifest: recovered.manifest,
            active: None,
            buffer: Vec::new(),
        };
        Self {
            folder,
            options,
            poison: Poison::default(),
            signal: Signal::default(),
            compaction: Mutex::default(),
            writer: Mutex::new(writer),
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
        let writer = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        Ok(writer)
    }

    /// Reads the value of `key` into `value`, if it has one.
    pub(crate) fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        let found = self.catalog.read(key, |record| value.extend_from_slice(record.value))?;
        Ok(found.is_some())
    }

    /// Makes `manifest` the list of the store's segments.
    ///
    /// # Errors
    ///
    /// The disk failed. Which of the two lists is on the disk is then unknown, so the caller takes no more
    /// writes and removes no file of either.
    pub(crate) fn install(&self, writer: &mut Writer, mut manifest: Manifest) -> Result<()> {
        manifest.next_sequence = writer.next_sequence;
        write_manifest(&self.folder, &manifest)?;
        writer.manifest = manifest;
        Ok(())
    }
}

/// Replaces the manifest in `folder`, whatever the sync policy: it decides which files are the store.
pub(crate) fn write_manifest(folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
    let path = folder.path(MANIFEST);
    replace(&**folder.disk(), &path, &[&manifest.encode()], SyncPolicy::Always)
}

/// Writes the hint of segment `id`. It is a cache: if it cannot be written, or a crash takes it, the next open
/// reads the segment instead. So it is not synced, and a failure is no failure of the store.
pub(crate) fn write_hint(folder: &StoreFolder, id: u64, hint: &[u8]) {
    let _ = replace(&**folder.disk(), &folder.path(&hint_name(id)), &[hint], SyncPolicy::Never);
}

/// The place of the record at `offset` in the segment `id`.
///
/// # Errors
///
/// It is past four gigabytes: no segment of this store can be.
pub(crate) fn location(id: u32, offset: u64, folder: &StoreFolder) -> Result<Location> {
    let offset = u32::try_from(offset).map_err(|_| {
        let far = io::Error::other("a record begins past four gigabytes of its segment");
        Error::io("index the records of", &folder.path(&segment_name(u64::from(id))), far)
    })?;
    Ok(Location { segment: id, offset })
}
