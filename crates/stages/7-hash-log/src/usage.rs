//! How much of each segment is still of use: what compaction goes by.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::format::hint::Entry;
use crate::format::record::Kind;

/// The tombstones of a segment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstones {
    /// Bytes of their records.
    pub(crate) bytes: u64,
    /// The highest sequence number among them; 0 if there are none.
    pub(crate) newest: u64,
}

impl Tombstones {
    /// Those among `entries`.
    pub(crate) fn among(entries: &[Entry<'_>]) -> Self {
        let mut tombstones = Self::default();
        for entry in entries.iter().filter(|entry| entry.header.kind == Kind::Tombstone) {
            tombstones.add(entry.header.record_len(), entry.header.sequence);
        }
        tombstones
    }

    fn add(&mut self, record_len: u64, sequence: u64) {
        self.bytes += record_len;
        self.newest = self.newest.max(sequence);
    }
}

/// What of a segment counts, as it changes while the segment is in use. The growing segment and its sealed form
/// share it.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    live_bytes: AtomicU64,
    tombstone_bytes: AtomicU64,
    newest_tombstone: AtomicU64,
}

impl Usage {
    /// Of a segment with these tombstones, of which nothing else counts yet.
    pub(crate) fn of(tombstones: Tombstones) -> Self {
        Self {
            live_bytes: AtomicU64::new(0),
            tombstone_bytes: AtomicU64::new(tombstones.bytes),
            newest_tombstone: AtomicU64::new(tombstones.newest),
        }
    }

    /// A record of `len` bytes is the newest of its key.
    pub(crate) fn enliven(&self, len: u64) {
        self.live_bytes.fetch_add(len, Ordering::Relaxed);
    }

    /// A record of `len` bytes no longer is.
    pub(crate) fn kill(&self, len: u64) {
        self.live_bytes.fetch_sub(len, Ordering::Relaxed);
    }

    /// A tombstone of `len` bytes has been written.
    pub(crate) fn bury(&self, len: u64, sequence: u64) {
        self.tombstone_bytes.fetch_add(len, Ordering::Relaxed);
        self.newest_tombstone.fetch_max(sequence, Ordering::Relaxed);
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn tombstones(&self) -> Tombstones {
        Tombstones {
            bytes: self.tombstone_bytes.load(Ordering::Relaxed),
            newest: self.newest_tombstone.load(Ordering::Relaxed),
        }
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
    /// Bytes of the records that are the newest of their key, and have a value.
    pub live_bytes: u64,
    /// Bytes of tombstones. They are of use for as long as an older segment may hold a value of their key.
    pub tombstone_bytes: u64,
    /// The highest sequence number among the tombstones; 0 if there are none.
    pub newest_tombstone: u64,
    /// The lowest sequence number of any record.
    pub min_sequence: u64,
}

impl SegmentUsage {
    /// Bytes of what has been overwritten or deleted.
    #[must_use]
    pub fn dead_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.live_bytes).saturating_sub(self.tombstone_bytes)
    }
}
