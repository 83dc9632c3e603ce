//! [`Catalog`]: what a reader needs, the index and the segments that it points into, and how much of each
//! segment is still of use.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use logladder_engine::{Error, Result};

use crate::files::segment_name;
use crate::format::header::SEGMENT_HEADER_LEN;
use crate::format::hint::Entry;
use crate::format::record::Kind;
use crate::index::{Index, Location};
use crate::segment::Segment;

/// The index, and the segments it points into.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    index: Index,
    members: HashMap<u64, Member>,
}

/// A segment, and what of it counts.
#[derive(Debug)]
struct Member {
    segment: Arc<Segment>,
    /// Bytes of the records that the index points to.
    live_bytes: u64,
    tombstones: Tombstones,
}

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

impl Catalog {
    /// The catalog of a store that has just been opened: `segments` with their tombstones, and the index that
    /// was loaded from them.
    pub(crate) fn new(index: Index, segments: Vec<(Segment, Tombstones)>) -> Self {
        let mut catalog = Self::default();
        for (segment, tombstones) in segments {
            catalog.add(Arc::new(segment), tombstones);
        }
        for (key, location) in index.iter() {
            if let Some(member) = catalog.members.get_mut(&location.segment) {
                member.live_bytes += location.record_len(key.len());
            }
        }
        catalog.index = index;
        catalog
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Where the value of `key` is, and the segment to read it from.
    ///
    /// # Errors
    ///
    /// The segment is not there. It cannot be, since one leaves only when no key points into it any more; but
    /// if it were, that must not look like a key without a value.
    pub(crate) fn find(&self, key: &[u8]) -> Result<Option<(Location, Arc<Segment>)>> {
        let Some(location) = self.index.get(key) else { return Ok(None) };
        match self.members.get(&location.segment) {
            Some(member) => Ok(Some((location, Arc::clone(&member.segment)))),
            None => Err(Error::corrupt(
                Path::new(&segment_name(location.segment)),
                location.offset,
                "the index points into a segment that the store does not have",
            )),
        }
    }

    /// A value of `key` has been written at `location`.
    pub(crate) fn put(&mut self, key: &[u8], location: Location) {
        let old = self.index.insert(key, location);
        self.enliven(key, location);
        self.kill(key, old);
    }

    /// A tombstone of `key` has been written at `grave`.
    pub(crate) fn bury(&mut self, key: &[u8], grave: Location) {
        let old = self.index.remove(key);
        if let Some(member) = self.members.get_mut(&grave.segment) {
            member.tombstones.add(grave.record_len(key.len()), grave.sequence);
        }
        self.kill(key, old);
    }

    /// The record of `key` has been copied to `copy`, which counts if the original is still the newest.
    pub(crate) fn relocate(&mut self, key: &[u8], copy: Location) {
        if let Some(old) = self.index.relocate(key, copy) {
            self.enliven(key, copy);
            self.kill(key, Some(old));
        }
    }

    fn enliven(&mut self, key: &[u8], location: Location) {
        if let Some(member) = self.members.get_mut(&location.segment) {
            member.live_bytes += location.record_len(key.len());
        }
    }

    fn kill(&mut self, key: &[u8], location: Option<Location>) {
        let Some(location) = location else { return };
        if let Some(member) = self.members.get_mut(&location.segment) {
            member.live_bytes -= location.record_len(key.len());
        }
    }

    /// Adds a segment, of which nothing counts yet but its tombstones.
    pub(crate) fn add(&mut self, segment: Arc<Segment>, tombstones: Tombstones) {
        self.members.insert(segment.id(), Member { segment, live_bytes: 0, tombstones });
    }

    /// Puts the sealed form of a segment in place of the growing one.
    pub(crate) fn replace(&mut self, sealed: Segment) {
        if let Some(member) = self.members.get_mut(&sealed.id()) {
            member.segment = Arc::new(sealed);
        }
    }

    /// Takes a segment out. Whoever is reading it keeps it.
    pub(crate) fn retire(&mut self, id: u64) {
        self.members.remove(&id);
    }

    /// The sealed segment `id`, if there is one.
    pub(crate) fn sealed(&self, id: u64) -> Option<Arc<Segment>> {
        let segment = &self.members.get(&id)?.segment;
        segment.is_sealed().then(|| Arc::clone(segment))
    }

    /// Bytes of all records, of use or not.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.members.values().map(|member| member.segment.data_len()).sum()
    }

    /// How much of each segment is of use, by number.
    pub(crate) fn usage(&self) -> Vec<SegmentUsage> {
        let mut all: Vec<SegmentUsage> = self.members.values().map(Member::usage).collect();
        all.sort_unstable_by_key(|usage| usage.id);
        all
    }

    /// Every key, in the order in which their values lie on the disk.
    pub(crate) fn keys_by_place(&self) -> Vec<Box<[u8]>> {
        let mut places: Vec<(u64, u64, Box<[u8]>)> = (self.index.iter())
            .map(|(key, location)| (location.segment, location.offset, key.into()))
            .collect();
        places.sort_unstable_by_key(|&(segment, offset, _)| (segment, offset));
        places.into_iter().map(|(_, _, key)| key).collect()
    }
}

impl Member {
    fn usage(&self) -> SegmentUsage {
        SegmentUsage {
            id: self.segment.id(),
            is_sealed: self.segment.is_sealed(),
            bytes: self.segment.data_len().saturating_sub(SEGMENT_HEADER_LEN as u64),
            live_bytes: self.live_bytes,
            tombstone_bytes: self.tombstones.bytes,
            newest_tombstone: self.tombstones.newest,
            min_sequence: self.segment.min_sequence(),
        }
    }
}
