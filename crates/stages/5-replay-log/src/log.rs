//! [`Log`]: one append-only file, its sums, and marks to find places in it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use logladder_disk::{File, StoreFolder};
use logladder_engine::Result;

use crate::files::FileKind;
use crate::sums::Sum;

/// A place in a file is at most about so many bytes behind a mark.
pub(crate) const MARK_STEP: u64 = 64 * 1024;

/// So much is read at once to be summed.
const PIECE_LEN: u64 = 64 * 1024;

/// A line's end, and how many changes had been made by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: u64,
    pub(crate) sequence: u64,
}

/// Places of a file to begin reading at: its beginning, and a line's end now and then.
#[derive(Debug)]
pub(crate) struct Marks(Vec<Mark>);

impl Marks {
    /// Of a file whose first line is change number `sequence` + 1.
    pub(crate) fn from(sequence: u64) -> Self {
        Self(vec![Mark { offset: 0, sequence }])
    }

    /// Takes in a line's end, if the last one is far away. They come in order.
    pub(crate) fn note(&mut self, mark: Mark) {
        if self.0.last().is_none_or(|last| mark.offset.saturating_sub(last.offset) >= MARK_STEP) {
            self.0.push(mark);
        }
    }
}

/// The sums of an append-only file.
#[derive(Debug, Default)]
struct Sums {
    /// Made when there is something to say.
    file: Option<Box<dyn File>>,
    /// How many bytes of lines they cover, and the CRC-32 of those.
    covered: u64,
    crc: crc32fast::Hasher,
}

/// An append-only file of the store.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) number: u64,
    pub(crate) file: Box<dyn File>,
    sums: Mutex<Sums>,
    /// How far it is on the disk, in bytes.
    synced: AtomicU64,
    marks: Mutex<Marks>,
}

impl Log {
    /// A file that is read from these places.
    pub(crate) fn new(number: u64, file: Box<dyn File>, marks: Marks) -> Self {
        Self { number, file, sums: Mutex::default(), synced: AtomicU64::new(0), marks: Mutex::new(marks) }
    }

    /// Says how many changes were made before its first line.
    pub(crate) fn begin_at(&mut self, sequence: u64) {
        *self.marks() = Marks::from(sequence);
    }

    /// The same with sums that are there already, and cover so much.
    pub(crate) fn with_sums(self, file: Box<dyn File>, covered: u64, crc: crc32fast::Hasher) -> Self {
        *self.sums() = Sums { file: Some(file), covered, crc };
        self
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes had been made before its first line.
    pub(crate) fn first_sequence(&self) -> u64 {
        self.marks().0.first().map_or(0, |mark| mark.sequence)
    }

    /// Remembers a line's end, now and then.
    pub(crate) fn note(&self, mark: Mark) {
        self.marks().note(mark);
    }

    /// The last mark at `offset` or before.
    pub(crate) fn mark_before(&self, offset: u64) -> Mark {
        let marks = self.marks();
        let behind = marks.0.partition_point(|mark| mark.offset <= offset);
        marks.0.get(behind.saturating_sub(1)).copied().unwrap_or(Mark { offset: 0, sequence: 0 })
    }

    /// Returns when the first `end` bytes are on the disk, which is nothing to do if they are already.
    pub(crate) fn sync_up_to(&self, end: u64) -> Result<()> {
        if end > self.synced.load(Ordering::Acquire) {
            self.file.sync()?;
            self.synced.fetch_max(end, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Covers the first `end` bytes, which are on the disk, by a sum, if that is at least `step` bytes more than the
    /// last one covers. It reads them back for that: whoever writes them has better things to do.
    pub(crate) fn cover(&self, folder: &StoreFolder, end: u64, step: u64) -> Result<()> {
        let mut sums = self.sums();
        let Sums { file, covered, crc } = &mut *sums;
        if end < covered.saturating_add(step.max(1)) {
            return Ok(());
        }
        let mut piece = Vec::new();
        while *covered < end {
            let len = PIECE_LEN.min(end - *covered);
            // At most PIECE_LEN.
            piece.resize(usize::try_from(len).unwrap_or(0), 0);
            self.file.read_at(*covered, &mut piece)?;
            crc.update(&piece);
            *covered += len;
        }
        let made = if let Some(file) = file.take() {
            file
        } else {
            folder.check_in_place()?;
            folder.disk().create(&folder.path(&FileKind::Sums(self.number).name()))?
        };
        let sum = Sum { covers: end, crc: crc.clone().finalize() };
        file.insert(made).append(&sum.encode(self.number)).map(drop)
    }
}
