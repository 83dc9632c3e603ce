//! A file of the [`RecordingDisk`]: it knows its own length, as a real one's handle does, and leaves the rest to
//! the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use logladder_engine::{Error, Result};

use crate::mapped::Reserve;
use crate::real::{lengthened, read_slice_at};
use crate::{File, Filter, Op, RecordingDisk};

#[derive(Debug)]
pub(crate) struct RecordedFile {
    disk: RecordingDisk,
    path: PathBuf,
    file: usize,
    reserve: Option<Reserve>,
    len: AtomicU64,
    writer: Mutex<()>,
}

impl RecordedFile {
    /// The file numbered `file`, of which `len` bytes are there; with a `reserve` if appends are copies.
    pub(crate) fn new(
        disk: RecordingDisk,
        path: &Path,
        file: usize,
        reserve: Option<Reserve>,
        len: u64,
    ) -> Self {
        Self {
            disk,
            path: path.to_path_buf(),
            file,
            reserve,
            len: AtomicU64::new(len),
            writer: Mutex::new(()),
        }
    }
}

impl File for RecordedFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    fn append(&self, bytes: &[u8]) -> Result<u64> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = self.len();
        if self.reserve.as_ref().is_some_and(|reserve| bytes.len() > reserve.remaining()) {
            let kind = io::ErrorKind::StorageFull;
            return Err(Error::io("append to", &self.path, io::Error::from(kind)));
        }
        let op = Op::Write { file: self.file, offset, bytes: bytes.to_vec() };
        self.disk.perform(Filter::Append, "append to", &self.path, op)?;
        if let Some(reserve) = &self.reserve {
            reserve.append(bytes).map_err(|source| Error::io("append to", &self.path, source))?;
        }
        self.len.store(offset + bytes.len() as u64, Ordering::Release);
        Ok(offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let state = self.disk.state();
        read_slice_at(state.now.bytes_of(self.file), &self.path, offset, buffer)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if len > self.len() || (self.reserve.is_some() && len != self.len()) {
            return Err(lengthened(&self.path));
        }
        let op = Op::SetLen { file: self.file, len };
        self.disk.perform(Filter::Truncate, "cut", &self.path, op)?;
        self.len.store(len, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.disk.perform(Filter::Sync, "sync", &self.path, Op::Sync { file: self.file })
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.reserve.as_ref().map(Reserve::bytes)
    }
}
