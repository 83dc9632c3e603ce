//! How much of each segment is still of use: what compaction goes by.

use std::time::SystemTime;

use crate::format::extra::millis_of;
use crate::format::hint::Entry;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Bytes of some records, and the highest number that one of them has.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) bytes: u64,
    pub(crate) highest: u64,
}

impl Share {
    fn add(&mut self, bytes: u64, number: u64) {
        self.bytes += bytes;
        self.highest = self.highest.max(number);
    }
}

/// What follows from the records of a segment alone, whatever the index says.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fixed {
    /// The tombstones, and the highest sequence number among them.
    pub(crate) tombstones: Share,
    /// The values that end, and when the last of them does, in milliseconds since 1970.
    pub(crate) ending: Share,
}

impl Fixed {
    /// Takes in a record of the segment.
    pub(crate) fn add(&mut self, entry: &Entry<'_>) {
        let len = entry.header.record_len();
        if entry.is_delete() {
            self.tombstones.add(len, entry.header.sequence);
        } else if let Some(end) = entry.extra.expires {
            self.ending.add(len, end);
        }
    }
}

#[derive(Debug, Default)]
struct AtomicShare {
    bytes: AtomicU64,
    highest: AtomicU64,
}

impl AtomicShare {
    fn add(&self, bytes: u64, number: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.highest.fetch_max(number, Ordering::Relaxed);
    }

    fn get(&self) -> Share {
        Share { bytes: self.bytes.load(Ordering::Relaxed), highest: self.highest.load(Ordering::Relaxed) }
    }
}

impl From<Share> for AtomicShare {
    fn from(share: Share) -> Self {
        Self { bytes: share.bytes.into(), highest: share.highest.into() }
    }
}

/// What of a segment counts, as it changes while the segment is in use. The growing segment and its sealed form
/// share it.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    live_bytes: AtomicU64,
    tombstones: AtomicShare,
    ending: AtomicShare,
}

impl Usage {
    /// Of a segment with these records, of which so many bytes are in the index.
    pub(crate) fn of(fixed: Fixed, live_bytes: u64) -> Self {
        Self {
            live_bytes: live_bytes.into(),
            tombstones: fixed.tombstones.into(),
            ending: fixed.ending.into(),
        }
    }

    /// The index points to a record of `len` bytes.
    pub(crate) fn enliven(&self, len: u64) {
        self.live_bytes.fetch_add(len, Ordering::Relaxed);
    }

    /// It no longer does.
    pub(crate) fn kill(&self, len: u64) {
        self.live_bytes.fetch_sub(len, Ordering::Relaxed);
    }

    /// A tombstone of `len` bytes has been written.
    pub(crate) fn bury(&self, len: u64, sequence: u64) {
        self.tombstones.add(len, sequence);
    }

    /// A value that ends has been written, in a record of `len` bytes.
    pub(crate) fn limit(&self, len: u64, end: u64) {
        self.ending.add(len, end);
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn fixed(&self) -> Fixed {
        Fixed { tombstones: self.tombstones.get(), ending: self.ending.get() }
    }
}

/// How much of a segment is still of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentUsage {
    /// The segment's number, as in its file's name.
    pub id: u64,
    /// Whether it is sealed. Only one that is can be compacted.
    pub is_sealed: bool,
    /// Bytes of its records.
    pub bytes: u64,
    /// Bytes of the records that the index points to.
    pub live_bytes: u64,
    /// Bytes of tombstones. They are of use for as long as an older segment may hold a value of their key.
    pub tombstone_bytes: u64,
    /// The highest sequence number among the tombstones; 0 if there are none.
    pub newest_tombstone: u64,
    /// The lowest sequence number of any record.
    pub min_sequence: u64,
    /// Bytes of the records whose values end by themselves, in use or not.
    pub ending_bytes: u64,
    /// When the last of them does, in milliseconds since 1970; 0 if there are none.
    pub last_end: u64,
}

impl SegmentUsage {
    /// Bytes of what has been overwritten or deleted, or has ended. Values that end count once all of them have.
    #[must_use]
    pub fn dead_bytes(&self) -> u64 {
        let overwritten = self.bytes.saturating_sub(self.live_bytes).saturating_sub(self.tombstone_bytes);
        let has_ended = self.ending_bytes > 0 && self.last_end <= millis_of(SystemTime::now());
        if has_ended { overwritten.max(self.ending_bytes) } else { overwritten }
    }
}
