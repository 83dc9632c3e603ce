//! [`Segment`]: a file of a raw log, by one of two means.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use logladder_disk::{Disk, File, RealDisk};
use logladder_engine::{Error, Result};

/// Bytes of a segment.
pub(super) const SEGMENT_BYTES: u64 = 256 << 20;

/// How bytes come into a segment and out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// By system calls.
    Written,
    /// By copies into and out of a shared map.
    Mapped,
}

#[derive(Debug)]
pub(super) enum Segment {
    Written { file: fs::File, path: PathBuf, len: AtomicU64 },
    Mapped(Box<dyn File>),
}

impl Segment {
    /// Makes a segment. Its space is reserved if it is mapped, or will be synced after each write.
    pub(super) fn create(path: &Path, means: Means, synced: bool) -> Result<Self> {
        if means == Means::Mapped {
            return Ok(Self::Mapped(RealDisk.reserve(path, SEGMENT_BYTES)?));
        }
        if synced {
            // The space stays when the map goes.
            drop(RealDisk.reserve(path, SEGMENT_BYTES)?);
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|source| Error::io("open", path, source))?;
        Ok(Self::Written { file, path: path.to_path_buf(), len: AtomicU64::new(0) })
    }

    fn len(&self) -> u64 {
        match self {
            Self::Written { len, .. } => len.load(Ordering::Relaxed),
            Self::Mapped(file) => file.len(),
        }
    }

    pub(super) fn has_room_for(&self, bytes: &[u8]) -> bool {
        self.len().saturating_add(bytes.len() as u64) <= SEGMENT_BYTES
    }

    /// Appends and returns the offset. One thread at a time.
    pub(super) fn append(&self, bytes: &[u8]) -> Result<u64> {
        match self {
            Self::Written { file, path, len } => {
                let start = len.load(Ordering::Relaxed);
                file.write_all_at(bytes, start).map_err(|source| Error::io("append to", path, source))?;
                len.store(start + bytes.len() as u64, Ordering::Relaxed);
                Ok(start)
            }
            Self::Mapped(file) => file.append(bytes),
        }
    }

    /// The bytes from `offset` on in place, if the segment is mapped.
    pub(super) fn bytes(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let Self::Mapped(file) = self else { return None };
        file.bytes()?.get(usize::try_from(offset).ok()?..)?.get(..len)
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        match self {
            Self::Written { file, path, .. } => {
                file.read_exact_at(buffer, offset).map_err(|source| Error::io("read", path, source))
            }
            Self::Mapped(file) => file.read_at(offset, buffer),
        }
    }

    pub(super) fn sync(&self) -> Result<()> {
        match self {
            Self::Written { file, path, .. } => {
                file.sync_data().map_err(|source| Error::io("sync", path, source))
            }
            Self::Mapped(file) => file.sync(),
        }
    }
}
