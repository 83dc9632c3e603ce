//! [`Catalog`]: what a reader needs, the index and the segments that it points into.
//!
//! A reader looks into the index, and then at the record in the segment; it takes no lock and waits for nobody.
//! Segments come and go behind its back; whoever holds one keeps it.
//!
//! While the store is open, each segment has a *seat*, a number of sixteen bits that the index can afford. The seat
//! of a segment that is gone is given to another. So the order matters: a reader looks at the slot first and at the
//! seat after that. Then the seat has the segment that the slot meant, or one that came later; and a record of the
//! key in a segment that came later was the newest of its key at some moment since.

use std::sync::Arc;

use logladder_engine::{Error, Result};

use crate::format::record::Record;
use crate::index::{Hash, Index, Location};
use crate::segment::Segment;
use crate::sync::ArcSwap;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::usage::SegmentUsage;

/// How often a place may turn out to have moved before it is taken for damage. A key moves when it is written
/// or compacted; a reader that is overtaken so often is not overtaken.
const OVERTAKEN: usize = 10_000;

/// The index, and the segments it points into.
#[derive(Debug)]
pub(crate) struct Catalog {
    index: Index,
    segments: ArcSwap<Segments>,
    /// How many versions of a key are kept, at least one.
    versions: usize,
    /// Keys that have a value, whether or not it has ended, and their bytes.
    live_keys: AtomicU64,
    live_bytes: AtomicU64,
}

/// The segments of a store at one moment, by seat.
#[derive(Debug, Default, Clone)]
pub(crate) struct Segments(Vec<Option<Arc<Segment>>>);

impl Segments {
    /// The segment in this seat, if there is one.
    #[inline]
    pub(crate) fn get(&self, seat: u16) -> Option<&Arc<Segment>> {
        self.0.get(usize::from(seat))?.as_ref()
    }

    /// They, with their seats.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Arc<Segment>)> {
        (0..=u16::MAX).zip(&self.0).filter_map(|(seat, segment)| Some((seat, segment.as_ref()?)))
    }

    /// A seat that nobody has.
    fn free_seat(&self) -> Option<u16> {
        (1..=u16::MAX).find(|&seat| self.get(seat).is_none())
    }

    fn put(&mut self, seat: u16, segment: Arc<Segment>) {
        let seat = usize::from(seat);
        if self.0.len() <= seat {
            self.0.resize(seat + 1, None);
        }
        self.0[seat] = Some(segment);
    }
}

/// The record that was a key's newest.
#[derive(Debug, Clone, Copy)]
struct Old {
    location: Location,
    /// The length of the record.
    len: u64,
    /// Bytes of its key and its value, if it has one.
    live_len: Option<u64>,
}

/// How large a store is, in keys and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Live {
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
}

impl Catalog {
    /// The catalog of a store that has just been opened.
    pub(crate) fn new(index: Index, segments: Segments, versions: usize, live: Live) -> Self {
        Self {
            index,
            segments: ArcSwap::from_pointee(segments),
            versions: versions.max(1),
            live_keys: live.keys.into(),
            live_bytes: live.bytes.into(),
        }
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// The segments of this moment.
    pub(crate) fn segments(&self) -> Arc<Segments> {
        self.segments.load_full()
    }

    /// How many versions of each key are kept, the newest included.
    pub(crate) fn versions(&self) -> usize {
        self.versions
    }

    pub(crate) fn live(&self) -> Live {
        Live { keys: self.live_keys.load(Ordering::Relaxed), bytes: self.live_bytes.load(Ordering::Relaxed) }
    }

    /// Hands the newest record of `key` to `read`, if there is one. The segment stays as long as `read` runs.
    ///
    /// # Errors
    ///
    /// A record that may be the key's is damaged.
    #[inline]
    pub(crate) fn read<T>(&self, key: &[u8], read: impl FnOnce(&Record<'_>) -> T) -> Result<Option<T>> {
        let mut read = Some(read);
        self.search(self.index.hash(key), |_, _, record| {
            if record.key != key {
                return None;
            }
            // The search ends here, so `read` is still there.
            read.take().map(|read| read(record))
        })
    }

    // ANCHOR: search
    /// Shows the records that a key with this hash may be on, until `look` is content with one.
    #[inline]
    pub(crate) fn search<T>(
        &self,
        hash: Hash,
        mut look: impl FnMut(&Arc<Segment>, Location, &Record<'_>) -> Option<T>,
    ) -> Result<Option<T>> {
        'again: for _ in 0..OVERTAKEN {
            let mut damage = None;
            let Some(table) = self.index.table(hash) else { return Ok(None) };
            for location in table.places_of(hash.print()) {
                // After the look at the slot: see above.
                let segments = self.segments.load();
                // A compaction may have moved the record and removed the segment since the look at the slot.
                let Some(segment) = segments.get(location.seat) else { continue 'again };
                match segment.with_record(location.offset, |record| look(segment, location, record)) {
                    Ok(Some(found)) => return Ok(Some(found)),
                    Ok(None) => {}
                    // The seat may have been given away, and this is the middle of another record.
                    Err(_) if !self.index.has(hash, location) => continue 'again,
                    // Perhaps it is this key's newest version. What stands behind it is no answer.
                    Err(error) if self.versions > 1 => return Err(error),
                    // Of each key there is one record, so if this key's is whole, the damaged one is another's.
                    Err(error) => damage = Some(error),
                }
            }
            return match damage {
                None => Ok(None),
                Some(error) => Err(error),
            };
        }
        Err(Error::Poisoned { why: "the index points into a segment that the store does not have".into() })
    }
    // ANCHOR_END: search

    /// Has the slot fetched into the processor's cache where a search for this hash begins. Waiting for memory is most
    /// of a read and of a write: for the slot, and then for the record.
    #[inline]
    pub(crate) fn prefetch_slot(&self, hash: Hash) {
        self.index.prefetch(hash);
    }

    /// Has the first `len` bytes of that record fetched.
    #[inline]
    pub(crate) fn prefetch_record(&self, hash: Hash, len: usize) {
        let Some(table) = self.index.table(hash) else { return };
        if let Some(location) = table.places_of(hash.print()).next()
            && let Some(segment) = self.segments.load().get(location.seat)
        {
            segment.prefetch(location.offset, len);
        }
    }

    /// What was the newest record of `key`. To be called by who holds the writer's lock.
    ///
    /// Its checksum is not looked at: the new value of a key must not depend on its old one, so a damaged one would be
    /// passed over all the same, and what is damaged but for its key is counted as what it says it is.
    fn find_old(&self, segments: &Segments, hash: Hash, key: &[u8]) -> Option<Old> {
        self.index.table(hash)?.places_of(hash.print()).find_map(|location| {
            segments.get(location.seat)?.with_unchecked_record(location.offset, |record| {
                (record.key == key).then(|| Old {
                    location,
                    len: record.header.record_len(),
                    live_len: (!record.is_delete()).then_some(live_len(record)),
                })
            })?
        })
    }

    /// Whether the index points to the record of `key` at `location`.
    pub(crate) fn is_current(&self, key: &[u8], location: Location) -> bool {
        self.index.has(self.index.hash(key), location)
    }

    /// A record of a key has been written at `location`. To be called by who holds the writer's lock.
    ///
    /// # Errors
    ///
    /// The index points where there is nothing.
    pub(crate) fn put(&self, hash: Hash, location: Location, record: &Record<'_>) -> Result<()> {
        let segments = self.segments.load();
        let len = record.header.record_len();
        let old = self.find_old(&segments, hash, record.key);
        if let Some(segment) = segments.get(location.seat) {
            let usage = segment.usage();
            if record.is_delete() {
                usage.bury(len, record.header.sequence);
            } else if let Some(end) = record.extra.expires {
                usage.limit(len, end);
            }
            if self.versions > 1 || !record.is_delete() {
                usage.enliven(len);
            }
        }
        let kill = |old: Old| {
            if let Some(segment) = segments.get(old.location.seat) {
                segment.usage().kill(old.len);
            }
        };
        match old {
            _ if self.versions > 1 => {
                self.index.add(hash, location);
                self.forget_versions(hash, record.key)?;
            }
            Some(old) if record.is_delete() => {
                if self.index.remove(hash, old.location) {
                    kill(old);
                }
            }
            Some(old) => {
                if self.index.replace(hash, old.location, location) {
                    kill(old);
                }
            }
            None if record.is_delete() => {}
            None => self.index.add(hash, location),
        }
        self.count(old.and_then(|old| old.live_len), (!record.is_delete()).then_some(live_len(record)));
        Ok(())
    }

    /// A key had a value with so many bytes, and has another now.
    fn count(&self, old: Option<u64>, new: Option<u64>) {
        let (keys, bytes) = (
            u64::from(new.is_some()).wrapping_sub(old.is_some().into()),
            new.unwrap_or(0).wrapping_sub(old.unwrap_or(0)),
        );
        // Most writes change neither.
        if keys != 0 {
            self.live_keys.fetch_add(keys, Ordering::Relaxed);
        }
        if bytes != 0 {
            self.live_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Takes the versions of a key that are no longer kept out of the index.
    fn forget_versions(&self, hash: Hash, key: &[u8]) -> Result<()> {
        let Some(table) = self.index.table(hash) else { return Ok(()) };
        // Then there is none, and no record need be looked at.
        if table.places_of(hash.print()).count() <= self.versions {
            return Ok(());
        }
        let mut of_key = 0;
        let mut old = Vec::new();
        self.search(hash, |segment, location, record| {
            if record.key == key {
                of_key += 1;
                if of_key > self.versions {
                    old.push((location, Arc::clone(segment), record.header.record_len()));
                }
            }
            None::<()>
        })?;
        for (location, segment, len) in old {
            if self.index.remove(hash, location) {
                segment.usage().kill(len);
            }
        }
        Ok(())
    }

    /// Takes the key whose record is at `location` out of the index, if it still is. To be called by who holds the
    /// writer's lock.
    ///
    /// # Errors
    ///
    /// The record is damaged.
    pub(crate) fn forget(&self, hash: Hash, location: Location) -> Result<()> {
        let segments = self.segments.load();
        let Some(segment) = segments.get(location.seat) else { return Ok(()) };
        let (len, live_len) =
            segment.with_record(location.offset, |record| (record.header.record_len(), live_len(record)))?;
        if self.index.remove(hash, location) {
            segment.usage().kill(len);
            self.count(Some(live_len), None);
        }
        Ok(())
    }

    /// The `original` record has been copied to `copy`, which counts if the index still points to the original. To
    /// be called by who holds the writer's lock.
    pub(crate) fn relocate(&self, record: &Record<'_>, original: Location, copy: Location) {
        let hash = self.index.hash(record.key);
        if self.index.replace(hash, original, copy) {
            let segments = self.segments.load();
            let len = record.header.record_len();
            if let Some(segment) = segments.get(copy.seat) {
                segment.usage().enliven(len);
            }
            if let Some(segment) = segments.get(original.seat) {
                segment.usage().kill(len);
            }
        }
    }

    /// Adds a segment, and gives it a seat. To be called by who holds the writer's lock.
    ///
    /// # Errors
    ///
    /// All seats are taken: there are 65,535.
    pub(crate) fn add(&self, segment: Segment) -> Result<u16> {
        let mut all = Segments::clone(&self.segments.load());
        let seat = all.seat_for(&segment)?;
        all.put(seat, Arc::new(segment));
        self.segments.store(Arc::new(all));
        Ok(seat)
    }

    /// Puts the sealed form of a segment in place of the growing one. To be called by who holds the writer's lock.
    pub(crate) fn replace(&self, seat: u16, segment: Segment) {
        let mut all = Segments::clone(&self.segments.load());
        all.put(seat, Arc::new(segment));
        self.segments.store(Arc::new(all));
    }

    /// Takes a segment out. Whoever is reading it keeps it. To be called by who holds the writer's lock.
    pub(crate) fn retire(&self, seat: u16) {
        let mut all = Segments::clone(&self.segments.load());
        if let Some(place) = all.0.get_mut(usize::from(seat)) {
            *place = None;
        }
        self.segments.store(Arc::new(all));
    }

    /// How much of each segment is of use, by number.
    pub(crate) fn usage(&self) -> Vec<SegmentUsage> {
        let mut all: Vec<SegmentUsage> =
            self.segments.load().iter().map(|(_, segment)| segment.usage_now()).collect();
        all.sort_unstable_by_key(|usage| usage.id);
        all
    }
}

impl Segments {
    /// These, in the seats 1, 2, 3 and so on.
    ///
    /// # Errors
    ///
    /// They are more than there are seats.
    pub(crate) fn of(segments: Vec<Segment>) -> Result<Self> {
        let mut all = Self(vec![None]);
        for segment in segments {
            if all.0.len() > usize::from(u16::MAX) {
                return Err(no_seat(&segment));
            }
            all.0.push(Some(Arc::new(segment)));
        }
        Ok(all)
    }

    fn seat_for(&self, segment: &Segment) -> Result<u16> {
        self.free_seat().ok_or_else(|| no_seat(segment))
    }
}

/// Bytes of the record's key and its value.
fn live_len(record: &Record<'_>) -> u64 {
    (record.key.len() + record.value.len()) as u64
}

fn no_seat(segment: &Segment) -> Error {
    let what = "the store has 65,535 segments: compact it, or choose larger ones (segment_bytes)";
    Error::io("open another segment beside", segment.path(), std::io::Error::other(what))
}
