//! A file of the [`RecordingDisk`]: it knows its own length, as a real one's handle does, and leaves the rest to
//! the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use logladder_engine::{Error, Result};

use crate::mapped::Reserve;
use crate::real::{lengthened, read_slice_at, reserved_up_to};
use crate::{File, Filter, Op, RESERVE_STEP, RecordingDisk};

#[derive(Debug)]
pub(crate) struct RecordedFile {
    disk: RecordingDisk,
    path: PathBuf,
    file: usize,
    /// Where appends are copies, and how far they may reach.
    reserve: Option<(Reserve, u64)>,
    len: AtomicU64,
    /// How much space is reserved.
    reserved: Mutex<u64>,
}

impl RecordedFile {
    /// The file numbered `file`, of which `len` bytes are there; with a `reserve` if appends are copies.
    pub(crate) fn new(
        disk: RecordingDisk,
        path: &Path,
        file: usize,
        reserve: Option<(Reserve, u64)>,
        len: u64,
    ) -> Self {
        let reserved = reserve.as_ref().map_or(0, |(_, capacity)| RESERVE_STEP.min(*capacity));
        Self {
            disk,
            path: path.to_path_buf(),
            file,
            reserve,
            len: AtomicU64::new(len),
            reserved: Mutex::new(reserved),
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
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = self.len();
        let end = offset + bytes.len() as u64;
        if let Some((_, capacity)) = &self.reserve {
            if end > *capacity {
                let kind = io::ErrorKind::StorageFull;
                return Err(Error::io("append to", &self.path, io::Error::from(kind)));
            }
            if end > *reserved {
                let len = reserved_up_to(end, *capacity);
                let op = Op::SetLen { file: self.file, len };
                self.disk.perform(Filter::Truncate, "append to", &self.path, op)?;
                *reserved = len;
            }
        }
        let op = Op::Write { file: self.file, offset, bytes: bytes.to_vec() };
        self.disk.perform(Filter::Append, "append to", &self.path, op)?;
        if let Some((reserve, _)) = &self.reserve {
            reserve
                .append(bytes, None, |_, end| Ok(end))
                .map_err(|source| Error::io("append to", &self.path, source))?;
        }
        self.len.store(offset + bytes.len() as u64, Ordering::Release);
        Ok(offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let state = self.disk.state();
        read_slice_at(state.now.bytes_of(self.file), &self.path, offset, buffer)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        let _writer = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
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
        self.reserve.as_ref().map(|(reserve, _)| reserve.bytes())
    }
}
