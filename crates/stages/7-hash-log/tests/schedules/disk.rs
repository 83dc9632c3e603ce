//! [`TurnTakingDisk`]: a disk on which everything takes so long that other threads have a turn.

use std::path::{Path, PathBuf};

use logladder_disk::{Disk, Entry, File, Lock, Map, RecordingDisk};
use logladder_engine::Result;
use shuttle::thread::yield_now;

/// A [`RecordingDisk`], with a turn for other threads before whatever is done to it. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct TurnTakingDisk(pub(crate) RecordingDisk);

#[derive(Debug)]
struct TurnTakingFile(Box<dyn File>);

fn among_others<T>(deed: impl FnOnce() -> T) -> T {
    yield_now();
    deed()
}

fn taking_turns(file: Result<Box<dyn File>>) -> Result<Box<dyn File>> {
    file.map(|file| Box::new(TurnTakingFile(file)) as Box<dyn File>)
}

impl Disk for TurnTakingDisk {
    fn absolute(&self, path: &Path) -> Result<PathBuf> {
        self.0.absolute(path)
    }

    fn resolved(&self, path: &Path) -> Result<PathBuf> {
        self.0.resolved(path)
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        among_others(|| self.0.create_dir(dir))
    }

    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        among_others(|| self.0.entry(path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        among_others(|| self.0.list(dir))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        taking_turns(among_others(|| self.0.create(path)))
    }

    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>> {
        taking_turns(among_others(|| self.0.reserve(path, capacity)))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        taking_turns(among_others(|| self.0.open(path)))
    }

    fn map(&self, path: &Path) -> Result<Map> {
        among_others(|| self.0.map(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        among_others(|| self.0.rename(from, to))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        among_others(|| self.0.link(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        among_others(|| self.0.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        among_others(|| self.0.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        self.0.lock(path)
    }
}

impl File for TurnTakingFile {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn append(&self, bytes: &[u8]) -> Result<u64> {
        among_others(|| self.0.append(bytes))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        among_others(|| self.0.read_at(offset, buffer))
    }

    fn truncate(&self, len: u64) -> Result<()> {
        among_others(|| self.0.truncate(len))
    }

    fn sync(&self) -> Result<()> {
        among_others(|| self.0.sync())
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.0.bytes()
    }
}
