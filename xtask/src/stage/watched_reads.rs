//! [`WatchedReads`]: the disk in memory, with a count of what is read from it.
//!
//! A [`RecordingDisk`] writes down what changes it. A lesson also wants to know what a get costs. Bytes that a stage
//! reads in place, from a file that is mapped, are no call and are not counted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logladder::Result;
use logladder::disk::{Disk, Entry, File, Lock, Map, RecordingDisk};

#[derive(Debug, Default)]
struct Counters {
    reads: AtomicU64,
    bytes: AtomicU64,
}

/// A recording disk that counts reads.
#[derive(Debug, Clone)]
pub(super) struct WatchedReads {
    disk: RecordingDisk,
    counters: Arc<Counters>,
}

impl WatchedReads {
    pub(super) fn new(disk: RecordingDisk) -> Self {
        Self { disk, counters: Arc::default() }
    }

    /// Reads so far, and the bytes that they took.
    pub(super) fn reads(&self) -> (u64, u64) {
        (self.counters.reads.load(Ordering::Relaxed), self.counters.bytes.load(Ordering::Relaxed))
    }

    fn watched(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(WatchedFile { file, counters: Arc::clone(&self.counters) })
    }
}

impl Disk for WatchedReads {
    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.disk.create_dir(dir)
    }

    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        self.disk.entry(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        Ok(self.watched(self.disk.create(path)?))
    }

    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>> {
        Ok(self.watched(self.disk.reserve(path, capacity)?))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        Ok(self.watched(self.disk.open(path)?))
    }

    fn map(&self, path: &Path) -> Result<Map> {
        self.disk.map(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.link(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        self.disk.lock(path)
    }
}

#[derive(Debug)]
struct WatchedFile {
    file: Box<dyn File>,
    counters: Arc<Counters>,
}

impl File for WatchedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn len(&self) -> u64 {
        self.file.len()
    }

    fn append(&self, bytes: &[u8]) -> Result<u64> {
        self.file.append(bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.counters.reads.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.file.read_at(offset, buffer)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.file.truncate(len)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.file.bytes()
    }
}
