//! [`CountingDisk`]: the real disk, with a count of what an engine hands it.
//!
//! Write amplification is counted here and not with the kernel (`/proc/self/io`), because the kernel counts
//! whole pages for a mapped write and nothing for one that is overwritten in its cache. Here each append
//! counts as the bytes the engine gave, whether it became a system call or a copy into a mapped reserve.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logladder_disk::{Disk, Entry, File, Lock, Map, RealDisk};
use logladder_engine::Result;

/// How much was handed to the disk. Shared by the disk and the files it opened.
#[derive(Debug, Default)]
struct Counters {
    appended_bytes: AtomicU64,
    syncs: AtomicU64,
}

/// A disk that does what [`RealDisk`] does and counts appends and syncs.
#[derive(Debug)]
pub struct CountingDisk {
    real: Arc<dyn Disk>,
    counters: Arc<Counters>,
}

impl CountingDisk {
    /// The real disk with every count at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { real: RealDisk::shared(), counters: Arc::default() })
    }

    /// Bytes appended to files so far, temporary files included.
    #[must_use]
    pub fn appended_bytes(&self) -> u64 {
        self.counters.appended_bytes.load(Ordering::Relaxed)
    }

    /// Syncs of files and folders so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.counters.syncs.load(Ordering::Relaxed)
    }

    fn counted(&self, inner: Box<dyn File>) -> Box<dyn File> {
        Box::new(CountingFile { inner, counters: Arc::clone(&self.counters) })
    }
}

impl Disk for CountingDisk {
    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.real.create_dir(dir)
    }

    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        self.real.entry(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        self.real.list(dir)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        Ok(self.counted(self.real.create(path)?))
    }

    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>> {
        Ok(self.counted(self.real.reserve(path, capacity)?))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        Ok(self.counted(self.real.open(path)?))
    }

    fn map(&self, path: &Path) -> Result<Map> {
        self.real.map(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.real.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.real.sync_dir(dir)
    }

    fn sync_files(&self, dir: &Path) -> Result<()> {
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.real.sync_files(dir)
    }

    fn sync_tree(&self, dir: &Path) -> Result<()> {
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.real.sync_tree(dir)
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        self.real.lock(path)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.real.read(path)
    }
}

#[derive(Debug)]
struct CountingFile {
    inner: Box<dyn File>,
    counters: Arc<Counters>,
}

impl File for CountingFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    fn append(&self, bytes: &[u8]) -> Result<u64> {
        self.counters.appended_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.inner.append(bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.inner.read_at(offset, buffer)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.inner.truncate(len)
    }

    fn sync(&self) -> Result<()> {
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.inner.sync()
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.inner.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_counted_whether_written_or_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let disk = CountingDisk::new();
        disk.create(&folder.path().join("written")).unwrap().append(b"12345").unwrap();
        let reserved = disk.reserve(&folder.path().join("mapped"), 4096).unwrap();
        reserved.append(b"1234567").unwrap();
        reserved.sync().unwrap();
        disk.sync_dir(folder.path()).unwrap();
        assert_eq!(disk.appended_bytes(), 12);
        assert_eq!(disk.syncs(), 2);
        assert_eq!(reserved.bytes().map(|bytes| &bytes[..7]), Some(&b"1234567"[..]));
    }
}
