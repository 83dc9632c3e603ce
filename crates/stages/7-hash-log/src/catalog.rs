//! [`Catalog`]: what a reader needs, the index and the segments that it points into.
//!
//! A reader takes the lock of one shard of the index for one look, and then reads the record in the segment,
//! under no lock at all. Segments come and go behind its back; whoever holds one keeps it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use logladder_engine::{Error, Result};

use crate::files::segment_name;
use crate::format::record::Record;
use crate::index::{Candidates, Hash, Index, Location, SHARDS};
use crate::segment::Segment;
use crate::usage::SegmentUsage;

/// How often a place may turn out to have moved before it is taken for damage. A key moves when it is written
/// or compacted; a reader that is overtaken so often is not overtaken.
const OVERTAKEN: usize = 10_000;

/// The index, and the segments it points into.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    index: Index,
    segments: ArcSwap<Segments>,
}

/// The segments of a store at one moment, by number.
#[derive(Debug, Default, Clone)]
pub(crate) struct Segments(Vec<Arc<Segment>>);

impl Segments {
    /// The segment `id`, if there is one.
    pub(crate) fn get(&self, id: u32) -> Option<&Arc<Segment>> {
        let place = self.0.binary_search_by_key(&id, |segment| segment.id()).ok()?;
        self.0.get(place)
    }

    /// They, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.0.iter()
    }

    /// Adds a segment, or puts it in place of the one with its number.
    fn put(&mut self, segment: Arc<Segment>) {
        match self.0.binary_search_by_key(&segment.id(), |segment| segment.id()) {
            Ok(place) => self.0[place] = segment,
            Err(place) => self.0.insert(place, segment),
        }
    }
}

/// The place of each key's record, and the segments to read them from, which stay as long as they are held.
#[derive(Debug)]
pub(crate) struct Places {
    /// In the order in which the records lie on the disk.
    pub(crate) in_order: Vec<Location>,
    pub(crate) segments: BTreeMap<u32, Arc<Segment>>,
}

/// What the index says of a key, once the records have been looked at.
#[derive(Debug)]
enum Found {
    /// It is on the record there.
    At {
        location: Location,
        segment: Arc<Segment>,
        /// The length of the record.
        len: u64,
    },
    /// It is on none of these records.
    Nowhere(Candidates),
}

impl Catalog {
    /// The catalog of a store that has just been opened.
    pub(crate) fn new(index: Index, segments: Vec<Segment>) -> Self {
        let mut all = Segments::default();
        for segment in segments {
            all.put(Arc::new(segment));
        }
        Self { index, segments: ArcSwap::from_pointee(all) }
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// The segments of this moment.
    pub(crate) fn segments(&self) -> Arc<Segments> {
        self.segments.load_full()
    }

    /// Hands the newest record of `key` to `read`, if it has a value. The segment stays as long as `read` runs.
    ///
    /// # Errors
    ///
    /// A record that may be the key's is damaged.
    pub(crate) fn read<T>(&self, key: &[u8], read: impl FnOnce(&Record<'_>) -> T) -> Result<Option<T>> {
        let hash = self.index.hash(key);
        let mut read = Some(read);
        self.search(hash, |_, _, record| {
            if record.key != key {
                return None;
            }
            // The search ends here, so `read` is still there.
            read.take().map(|read| read(record))
        })
        .map(std::result::Result::ok)
    }

    /// Shows the records that a key with this hash may be on until `look` is content with one. If it is with
    /// none, the candidates are the error.
    fn search<T>(
        &self,
        hash: Hash,
        mut look: impl FnMut(&Arc<Segment>, Location, &Record<'_>) -> Option<T>,
    ) -> Result<std::result::Result<T, Candidates>> {
        'again: for _ in 0..OVERTAKEN {
            let candidates = self.index.candidates(hash)?;
            let segments = self.segments.load();
            let mut damage = None;
            for location in candidates.iter() {
                // A compaction may have moved the record and removed the segment since the look at the index.
                let Some(segment) = segments.get(location.segment) else { continue 'again };
                let outcome = segment.with_record(location, |record| look(segment, location, record));
                match outcome {
                    Ok(Some(found)) => return Ok(Ok(found)),
                    Ok(None) => {}
                    // Perhaps it is another key's, and this key's is whole.
                    Err(error) => damage = Some(error),
                }
            }
            return match damage {
                None => Ok(Err(candidates)),
                Some(error) => Err(error),
            };
        }
        Err(Error::corrupt(
            Path::new(&segment_name(u64::from(
                self.index.candidates(hash)?.iter().next().map_or(0, |at| at.segment),
            ))),
            0,
            "the index points into a segment that the store does not have",
        ))
    }

    fn find(&self, hash: Hash, key: &[u8]) -> Result<Found> {
        let found = self.search(hash, |segment, location, record| {
            let len = record.header.record_len();
            (record.key == key).then(|| Found::At { location, segment: Arc::clone(segment), len })
        })?;
        Ok(found.unwrap_or_else(Found::Nowhere))
    }

    /// Whether `key` has a value.
    pub(crate) fn has(&self, key: &[u8]) -> Result<bool> {
        Ok(self.read(key, |_| ())?.is_some())
    }

    /// Whether the newest record of `key` is the one at `location`.
    pub(crate) fn is_current(&self, key: &[u8], location: Location) -> Result<bool> {
        self.index.has(self.index.hash(key), location)
    }

    /// A value of `key` has been written at `location`, in a record of `len` bytes.
    pub(crate) fn put(&self, key: &[u8], location: Location, len: u64) -> Result<()> {
        let hash = self.index.hash(key);
        self.enliven(location, len);
        // Most keys that are not there have no candidates either, and then one look is enough.
        if self.index.add(hash, location, &Candidates::default())?.is_none() {
            return Ok(());
        }
        // Nobody else writes meanwhile, but a compaction may move what is there: then it is looked for again.
        loop {
            match self.find_whatever(hash, key)? {
                Found::At { location: old, segment, len: old_len } => {
                    if self.index.replace(hash, old, location)? {
                        segment.usage().kill(old_len);
                        return Ok(());
                    }
                }
                Found::Nowhere(known) => {
                    if self.index.add(hash, location, &known)?.is_none() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// As `find`, but a damaged record is nobody's: the new value of a key must not depend on its old one.
    fn find_whatever(&self, hash: Hash, key: &[u8]) -> Result<Found> {
        match self.find(hash, key) {
            Err(Error::Corrupt { .. }) => Ok(Found::Nowhere(self.index.candidates(hash)?)),
            found => found,
        }
    }

    /// A tombstone of `key` has been written into the segment `grave`.
    pub(crate) fn bury(&self, key: &[u8], grave: u32, len: u64, sequence: u64) -> Result<()> {
        if let Some(segment) = self.segments.load().get(grave) {
            segment.usage().bury(len, sequence);
        }
        let hash = self.index.hash(key);
        loop {
            match self.find(hash, key)? {
                Found::Nowhere(candidates) if self.index.candidates(hash)? == candidates => return Ok(()),
                Found::Nowhere(_) => {}
                Found::At { location: old, segment, len: old_len } => {
                    if self.index.remove(hash, old)? {
                        segment.usage().kill(old_len);
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The record with this number has been copied to `copy`, which counts if the original is still the newest of
    /// its key.
    pub(crate) fn relocate(&self, record: &Record<'_>, copy: Location) -> Result<()> {
        let hash = self.index.hash(record.key);
        let sequence = record.header.sequence;
        let original = self.search(hash, |segment, location, found| {
            // A copy has the number of its original, and a later write has another.
            let is_original = found.key == record.key && found.header.sequence == sequence;
            is_original.then(|| (location, Arc::clone(segment)))
        })?;
        let len = record.header.record_len();
        if let Ok((original, segment)) = original
            && self.index.replace(hash, original, copy)?
        {
            self.enliven(copy, len);
            segment.usage().kill(len);
        }
        Ok(())
    }

    fn enliven(&self, location: Location, len: u64) {
        if let Some(segment) = self.segments.load().get(location.segment) {
            segment.usage().enliven(len);
        }
    }

    /// Adds a segment, or puts its sealed form in place of the growing one, and returns it.
    pub(crate) fn add(&self, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        self.segments.rcu(|all| {
            let mut all = Segments::clone(all);
            all.put(Arc::clone(&segment));
            all
        });
        segment
    }

    /// Takes a segment out. Whoever is reading it keeps it.
    pub(crate) fn retire(&self, id: u32) {
        self.segments.rcu(|all| {
            let mut all = Segments::clone(all);
            all.0.retain(|segment| segment.id() != id);
            all
        });
    }

    /// Bytes of all records, of use or not.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.data_len()).sum()
    }

    /// The place of each key's record at this moment.
    pub(crate) fn places(&self) -> Result<Places> {
        let mut places = Vec::new();
        let mut held = BTreeMap::new();
        for shard in 0..SHARDS {
            // A segment may be gone between the look at the shard and the one at the segments. Then nothing in
            // the shard points into it any more.
            let of_shard = loop {
                let of_shard = self.index.places(shard)?;
                let segments = self.segments.load();
                let mut known = true;
                for place in &of_shard {
                    if held.contains_key(&place.segment) {
                        continue;
                    }
                    match segments.get(place.segment) {
                        Some(segment) => drop(held.insert(place.segment, Arc::clone(segment))),
                        None => known = false,
                    }
                }
                if known {
                    break of_shard;
                }
            };
            places.extend(of_shard);
        }
        places.sort_unstable();
        Ok(Places { in_order: places, segments: held })
    }

    /// How much of each segment is of use, by number.
    pub(crate) fn usage(&self) -> Vec<SegmentUsage> {
        self.segments.load().iter().map(|segment| segment.usage_now()).collect()
    }

    /// Bytes of the keys that have a value, and of those values.
    pub(crate) fn live_bytes(&self) -> u64 {
        let records: u64 = self.usage().iter().map(|usage| usage.live_bytes).sum();
        records.saturating_sub(self.index.len() * crate::format::record::HEADER_LEN as u64)
    }
}
