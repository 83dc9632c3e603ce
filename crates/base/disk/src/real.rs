//! [`RealDisk`]: the file system.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use logladder_engine::{Error, Result};
use rustix::fs::{AtFlags, CWD, FallocateFlags, OFlags, linkat};

use crate::held_lock::HeldLock;
use crate::mapped::Reserve;
use crate::{Disk, Entry, File, Lock, Map, RESERVE_STEP};

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl RealDisk {
    /// The real disk, shared: what an engine opens on unless it is given another.
    #[must_use]
    pub fn shared() -> Arc<dyn Disk> {
        static SHARED: OnceLock<Arc<RealDisk>> = OnceLock::new();
        Arc::<RealDisk>::clone(SHARED.get_or_init(|| Arc::new(RealDisk)))
    }
}

impl Disk for RealDisk {
    fn absolute(&self, path: &Path) -> Result<PathBuf> {
        std::path::absolute(path).map_err(|source| Error::io("find", path, source))
    }

    fn resolved(&self, path: &Path) -> Result<PathBuf> {
        let whole = self.absolute(path)?;
        // The names at its end that nothing stands under yet, the last one first.
        let (mut there, mut new) = (whole.as_path(), Vec::new());
        loop {
            match fs::canonicalize(there) {
                Ok(found) => return Ok(new.iter().rev().fold(found, |path, name| path.join(name))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::io("find", there, source)),
            }
            match (there.parent(), there.file_name()) {
                (Some(above), Some(name)) => {
                    new.push(name);
                    there = above;
                }
                // A `..` behind a folder that is not there leads nowhere.
                _ => return Ok(whole),
            }
        }
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        match fs::create_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            outcome => outcome.map_err(|source| Error::io("make the folder", dir, source)),
        }
    }

    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(entry(path, &metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::io("look at", path, source)),
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        let failed = |source| Error::io("list the folder", dir, source);
        let mut entries = Vec::new();
        for found in fs::read_dir(dir).map_err(failed)? {
            let path = found.map_err(failed)?.path();
            match fs::symlink_metadata(&path) {
                Ok(metadata) => entries.push(entry(&path, &metadata)),
                // Another thread removed it between the two calls.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::io("look at", &path, source)),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        let file = create_new(path)?;
        Ok(Box::new(WrittenFile::new(file, path, 0)))
    }

    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>> {
        let file = create_new(path)?;
        let mapped = usize::try_from(capacity)
            .map_err(io::Error::other)
            .and_then(|capacity| Reserve::of_file(&file, capacity))
            // Where no space can be had ahead, that shows now and not at the first append.
            .and_then(|reserve| allocate(&file, 0, RESERVE_STEP.min(capacity).max(1)).map(|()| reserve));
        match mapped {
            Ok(reserve) => Ok(Box::new(ReservedFile { file, reserve, capacity, path: path.to_path_buf() })),
            Err(source) => {
                // Nobody knows this file yet; should the removal fail too, the first error says more.
                let _ = fs::remove_file(path);
                Err(Error::io("reserve space for", path, source))
            }
        }
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        let failed = |source| Error::io("open", path, source);
        let file = open_file(OpenOptions::new().read(true).write(true), path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        Ok(Box::new(WrittenFile::new(file, path, len)))
    }

    fn map(&self, path: &Path) -> Result<Map> {
        let failed = |source| Error::io("map", path, source);
        Map::of_file(&open_file(OpenOptions::new().read(true), path).map_err(failed)?).map_err(failed)
    }

    // The one place that may: `replace` builds on it.
    #[allow(clippy::disallowed_methods)]
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(|source| Error::io("put a new file in place of", to, source))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        // Of a symbolic link, the file that it leads to: a second link would lead to nothing once that is removed.
        linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW)
            .map_err(|source| Error::io("give another name to", from, source.into()))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        fs::remove_file(path).map_err(|source| Error::io("remove", path, source))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        fs::File::open(dir)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| Error::io("sync the folder", dir, source))
    }

    /// One syncfs(2) for them all: some thousand files take as long as the disk needs, not as thousand waits.
    #[cfg(target_os = "linux")]
    fn sync_files(&self, dir: &Path) -> Result<()> {
        fs::File::open(dir)
            .and_then(|folder| rustix::fs::syncfs(&folder).map_err(io::Error::from))
            .map_err(|source| Error::io("sync the files in", dir, source))
    }

    /// What [`sync_files`](Disk::sync_files) does here reaches the whole file system.
    #[cfg(target_os = "linux")]
    fn sync_tree(&self, dir: &Path) -> Result<()> {
        self.sync_files(dir)
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        let failed = |source| Error::io("lock", path, source);
        let file = open_file(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock::new(HeldLock::of(file))),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_path_buf() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let failed = |source| Error::io("read", path, source);
        let mut file = open_file(OpenOptions::new().read(true), path).map_err(failed)?;
        let mut bytes = Vec::new();
        // It reserves as much as the file is long.
        file.read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

/// Opens what stands at `path` if it is a file. Whoever opens a pipe would wait until someone opens its other end.
fn open_file(options: &mut OpenOptions, path: &Path) -> io::Result<fs::File> {
    let file = options.custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file; move it away"));
    }
    Ok(file)
}

fn entry(path: &Path, metadata: &fs::Metadata) -> Entry {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_dir = metadata.is_dir();
    Entry { name, len: if is_dir { 0 } else { metadata.len() }, is_dir }
}

fn create_new(path: &Path) -> Result<fs::File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|source| Error::io("create", path, source))
}

/// A file that is appended to by write(2).
#[derive(Debug)]
struct WrittenFile {
    file: fs::File,
    path: PathBuf,
    /// Moves only after a whole append: a reader who sees it sees the bytes.
    len: AtomicU64,
    /// Held while appending or truncating.
    writer: Mutex<()>,
}

impl WrittenFile {
    fn new(file: fs::File, path: &Path, len: u64) -> Self {
        Self { file, path: path.to_path_buf(), len: AtomicU64::new(len), writer: Mutex::new(()) }
    }
}

impl File for WrittenFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    fn append(&self, bytes: &[u8]) -> Result<u64> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let start = self.len.load(Ordering::Relaxed);
        // At an explicit offset: should this one fail half-way, the next starts where it did.
        write_all_at(&self.file, bytes, start)
            .map_err(|source| Error::io("append to", &self.path, source))?;
        self.len.store(start + bytes.len() as u64, Ordering::Release);
        Ok(start)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        read_exact_at(&self.file, &self.path, offset, buffer)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if len > self.len.load(Ordering::Relaxed) {
            return Err(lengthened(&self.path));
        }
        self.file.set_len(len).map_err(|source| Error::io("cut", &self.path, source))?;
        self.len.store(len, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        // fdatasync: it covers the file's length, and leaves out only its times.
        self.file.sync_data().map_err(|source| Error::io("sync", &self.path, source))
    }
}

/// A file that is appended to by copying into its mapped reserve.
#[derive(Debug)]
struct ReservedFile {
    file: fs::File,
    reserve: Reserve,
    capacity: u64,
    path: PathBuf,
}

/// Reserves the space of the file from `start` to `end`, of which it may have some.
fn allocate(file: &fs::File, start: u64, end: u64) -> io::Result<()> {
    rustix::fs::fallocate(file, FallocateFlags::empty(), start, end - start).map_err(io::Error::from)
}

/// How long a reserved file is to be made that must reach up to `end`.
pub(crate) fn reserved_up_to(end: u64, capacity: u64) -> u64 {
    end.checked_next_multiple_of(RESERVE_STEP).map_or(capacity, |end| end.min(capacity))
}

impl File for ReservedFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> u64 {
        self.reserve.len() as u64
    }

    fn append(&self, bytes: &[u8]) -> Result<u64> {
        let extended = |start: usize, end: usize| {
            let end = reserved_up_to(end as u64, self.capacity);
            allocate(&self.file, start as u64, end)?;
            usize::try_from(end).map_err(io::Error::other)
        };
        let start = self
            .reserve
            .append(bytes, Some(&self.file), extended)
            .map_err(|source| Error::io("append to", &self.path, source))?;
        Ok(start as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        read_slice_at(self.reserve.bytes(), &self.path, offset, buffer)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        if len != self.len() {
            return Err(lengthened(&self.path));
        }
        self.file.set_len(len).map_err(|source| Error::io("cut", &self.path, source))
    }

    fn sync(&self) -> Result<()> {
        self.reserve.end_writing();
        // Linux writes pages that were changed through a map with any sync of their file; msync(2) would be a second
        // sync of the same pages. Elsewhere it may be needed.
        let flushed = if cfg!(target_os = "linux") { Ok(()) } else { self.reserve.flush() };
        flushed.and_then(|()| self.file.sync_data()).map_err(|source| Error::io("sync", &self.path, source))
    }

    fn bytes(&self) -> Option<&[u8]> {
        Some(self.reserve.bytes())
    }
}

pub(crate) fn lengthened(path: &Path) -> Error {
    Error::io("cut", path, io::Error::from(io::ErrorKind::InvalidInput))
}

pub(crate) fn read_slice_at(bytes: &[u8], path: &Path, offset: u64, buffer: &mut [u8]) -> Result<()> {
    let found = usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..)?.get(..buffer.len()))
        .ok_or_else(|| Error::io("read", path, io::Error::from(io::ErrorKind::UnexpectedEof)))?;
    buffer.copy_from_slice(found);
    Ok(())
}

#[cfg(unix)]
pub(crate) fn write_all_at(file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_exact_at(file: &fs::File, path: &Path, offset: u64, buffer: &mut [u8]) -> Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
        .map_err(|source| Error::io("read", path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_place_of_a_file_is_refused_and_nobody_waits_for_its_other_end() {
        use rustix::fs::{Mode, mkfifoat};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let refusals = [
            RealDisk.open(&path).map(drop).unwrap_err(),
            RealDisk.map(&path).map(drop).unwrap_err(),
            RealDisk.read(&path).map(drop).unwrap_err(),
            RealDisk.lock(&path).map(drop).unwrap_err(),
        ];
        for error in refusals {
            assert!(error.to_string().ends_with("it is not a file; move it away"), "{error}");
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a file of the test")]
    fn another_name_for_a_symbolic_link_is_one_of_the_file_that_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, other] = ["file", "link", "other"].map(|name| folder.path().join(name));
        fs::write(&file, b"bytes").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        RealDisk.link(&link, &other).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"bytes");
    }
}
