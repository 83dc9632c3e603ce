//! [`WatchedDisk`]: a disk that lets a test act at exactly one moment, such as in the middle of a compaction or of a
//! janitor's round.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, Entry, File, Lock, Map, RecordingDisk};
use logladder_engine::Result;

/// What is about to be done to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A file is made.
    Create,
    /// A file with reserved space is made.
    Reserve,
    /// A file is opened, to be read or appended to.
    Open,
    /// A file is mapped.
    Map,
    /// A file gets this name.
    Rename,
    /// A file is removed.
    Remove,
    /// A folder is synced.
    SyncDir,
}

type Watcher = dyn Fn(Deed, &str) -> Result<()> + Send + Sync;

/// A recording disk that first asks `watcher`, which may act, wait, or refuse.
pub struct WatchedDisk {
    disk: RecordingDisk,
    watcher: Box<Watcher>,
}

impl WatchedDisk {
    /// The same disk, watched. `watcher` is told what is about to be done, and the last part of the path.
    #[must_use]
    pub fn new(
        disk: &RecordingDisk,
        watcher: impl Fn(Deed, &str) -> Result<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { disk: disk.clone(), watcher: Box::new(watcher) })
    }

    fn ask(&self, deed: Deed, path: &Path) -> Result<()> {
        (self.watcher)(deed, &path.file_name().unwrap_or_default().to_string_lossy())
    }
}

impl fmt::Debug for WatchedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedDisk").finish_non_exhaustive()
    }
}

impl Disk for WatchedDisk {
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
        self.ask(Deed::Create, path)?;
        self.disk.create(path)
    }

    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>> {
        self.ask(Deed::Reserve, path)?;
        self.disk.reserve(path, capacity)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        self.ask(Deed::Open, path)?;
        self.disk.open(path)
    }

    fn map(&self, path: &Path) -> Result<Map> {
        self.ask(Deed::Map, path)?;
        self.disk.map(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.ask(Deed::Rename, to)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.ask(Deed::Remove, path)?;
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.ask(Deed::SyncDir, dir)?;
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        self.disk.lock(path)
    }
}
