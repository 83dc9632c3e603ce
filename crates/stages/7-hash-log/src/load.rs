//! [`Loader`]: the index of a store that is being opened, from its segments in any order, by several threads.
//!
//! Each segment is a [`Source`]: its hint, if it has one, or else its records. Where two records have the same hash,
//! their keys are compared; of each key the records with the highest numbers win, whatever came first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use logladder_disk::Map;
use logladder_engine::{Error, Result};

use crate::catalog::Live;
use crate::format::hint::{self, Entry};
use crate::format::index;
use crate::format::record::Record;
use crate::index::shard::Shard;
use crate::index::{self, Hash, Index, Location, SHARDS};

/// What a segment's entries are read from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The segment itself. Whoever asks for an entry has checked its record.
    Records(Map),
    /// Its hint, and where the entries begin in it.
    Hint { bytes: Map, positions: Vec<u32> },
}

impl Source {
    /// Bytes to go through.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Records(bytes) | Self::Hint { bytes, .. } => bytes.len() as u64,
        }
    }

    /// The entry of the record at `offset`.
    fn entry(&self, offset: u32) -> Option<Entry<'_>> {
        let offset = u64::from(offset);
        match self {
            Self::Records(bytes) => {
                let record = Record::unchecked(bytes.get(index(offset)..)?).ok()?;
                Some(Entry::of(&record, offset))
            }
            Self::Hint { bytes, positions } => {
                let entry = |position: u32| hint::entry_at(bytes, index(position.into()));
                let place = positions
                    .binary_search_by_key(&offset, |&at| entry(at).map_or(0, |entry| entry.offset))
                    .ok()?;
                entry(*positions.get(place)?)
            }
        }
    }
}

/// Builds an index. Sources are addressed by their place in the list, which becomes their seat: one more.
#[derive(Debug)]
pub(crate) struct Loader<'s> {
    sources: &'s [Source],
    hash_key: [u8; 16],
    versions: usize,
    /// Those that have a key so far.
    shards: Vec<Mutex<Option<Loading>>>,
    /// Of each source, bytes of the records that the index points to.
    live_bytes: Vec<AtomicU64>,
}

/// A shard, and what it knows beyond the index.
#[derive(Debug, Default)]
struct Loading {
    shard: Shard,
    /// Tombstones that are the newest of their key. They are taken out in the end.
    tombstones: Vec<(u32, Location)>,
    live: Live,
}

impl<'s> Loader<'s> {
    /// Of a store that keeps so many versions of a key.
    pub(crate) fn new(sources: &'s [Source], hash_key: [u8; 16], versions: usize) -> Self {
        Self {
            sources,
            hash_key,
            versions: versions.max(1),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            live_bytes: sources.iter().map(|_| AtomicU64::default()).collect(),
        }
    }

    /// Takes in an entry of the source at `place`.
    pub(crate) fn take(&self, place: usize, entry: &Entry<'_>) -> Result<()> {
        let hash = index::hash(&self.hash_key, entry.key);
        let location = location_of(place, entry)?;
        let mut loading = lock(&self.shards[hash.shard])?;
        let loading = loading.get_or_insert_default();
        let known: Vec<Location> = loading.shard.table().places_of(hash.print()).collect();
        if known.is_empty() {
            self.add(loading, hash, location, entry);
            loading.live.add(entry);
        } else {
            self.take_among(loading, hash, location, entry, &known);
        }
        Ok(())
    }

    /// There are records with the same hash, perhaps of the same key.
    fn take_among(
        &self,
        loading: &mut Loading,
        hash: Hash,
        location: Location,
        entry: &Entry<'_>,
        known: &[Location],
    ) {
        let mut of_key: Vec<(Location, Entry<'_>)> = known
            .iter()
            .filter_map(|&place| Some((place, self.entry(place)?)))
            .filter(|(_, other)| other.key == entry.key)
            .collect();
        if let Some((_, newest)) = of_key.first() {
            loading.live.remove(newest);
        }
        for (place, other) in &of_key {
            self.take_out(loading, hash, *place, other);
        }
        of_key.push((location, *entry));
        of_key.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.header.sequence));
        // A crash in the middle of a compaction may have left a record twice; it is the same one.
        of_key.dedup_by_key(|(_, entry)| entry.header.sequence);
        of_key.truncate(self.versions);
        // The newest goes in last, and so stands first.
        for (place, entry) in of_key.iter().rev() {
            self.add(loading, hash, *place, entry);
        }
        if let Some((_, newest)) = of_key.first() {
            loading.live.add(newest);
        }
    }

    fn entry(&self, place: Location) -> Option<Entry<'s>> {
        self.sources.get(usize::from(place.seat).checked_sub(1)?)?.entry(place.offset)
    }

    fn add(&self, loading: &mut Loading, hash: Hash, location: Location, entry: &Entry<'_>) {
        loading.shard.add(hash.print(), location);
        if self.is_passing(entry) {
            loading.tombstones.push((hash.print(), location));
        } else {
            self.live_bytes_at(location).fetch_add(entry.header.record_len(), Ordering::Relaxed);
        }
    }

    fn take_out(&self, loading: &mut Loading, hash: Hash, place: Location, entry: &Entry<'_>) {
        if loading.shard.remove(hash.print(), place) && !self.is_passing(entry) {
            self.live_bytes_at(place).fetch_sub(entry.header.record_len(), Ordering::Relaxed);
        }
    }

    /// Whether it is in the index only while that is loaded.
    fn is_passing(&self, entry: &Entry<'_>) -> bool {
        entry.is_delete() && self.versions == 1
    }

    fn live_bytes_at(&self, place: Location) -> &AtomicU64 {
        // Places are made of the sources' numbers.
        &self.live_bytes[usize::from(place.seat) - 1]
    }

    /// The index, how many bytes of each segment it points to, and how large the store is.
    pub(crate) fn finish(self) -> Result<(Index, Vec<u64>, Live)> {
        let mut shards = Vec::with_capacity(SHARDS);
        let mut live = Live::default();
        for loading in self.shards {
            let Some(loading) = loading.into_inner().map_err(|_| Error::panicked())? else {
                shards.push(None);
                continue;
            };
            for (print, place) in loading.tombstones {
                loading.shard.remove(print, place);
            }
            shards.push(Some(loading.shard));
            live.keys += loading.live.keys;
            live.bytes += loading.live.bytes;
        }
        let live_bytes = self.live_bytes.into_iter().map(AtomicU64::into_inner).collect();
        Ok((Index::of_shards(self.hash_key, shards), live_bytes, live))
    }
}

impl Live {
    /// The newest record of a key is this.
    fn add(&mut self, newest: &Entry<'_>) {
        if !newest.is_delete() {
            self.keys += 1;
            self.bytes += newest.live_len();
        }
    }

    /// It no longer is.
    fn remove(&mut self, newest: &Entry<'_>) {
        if !newest.is_delete() {
            self.keys -= 1;
            self.bytes -= newest.live_len();
        }
    }
}

/// The place in the index of an entry of the source at `place`.
fn location_of(place: usize, entry: &Entry<'_>) -> Result<Location> {
    let far = || Error::Unsupported { what: "it has more segments, or larger ones, than a store can".into() };
    let seat = u16::try_from(place + 1).map_err(|_| far())?;
    let offset = u32::try_from(entry.offset).ok().filter(|_| entry.offset <= index::MAX_OFFSET);
    Ok(Location { seat, offset: offset.ok_or_else(far)? })
}

fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| Error::panicked())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::extra::Extra;
    use crate::format::record;

    /// A source with one record at offset 32.
    fn source(key: &[u8], value: Option<&[u8]>, sequence: u64) -> Source {
        let mut bytes = vec![0; 32];
        record::encode(&mut bytes, key, value, Extra::default(), sequence).unwrap();
        Source::Records(Map::of_bytes(bytes.into()))
    }

    /// Every order in which so many things can come.
    fn orders(count: usize) -> Vec<Vec<usize>> {
        if count == 0 {
            return vec![Vec::new()];
        }
        let shorter = orders(count - 1);
        let insert = |at: usize| {
            let with = move |order: &Vec<usize>| {
                let mut order = order.clone();
                order.insert(at, count - 1);
                order
            };
            shorter.iter().map(with).collect::<Vec<_>>()
        };
        (0..count).flat_map(insert).collect()
    }

    #[test]
    fn in_whatever_order_segments_are_loaded_the_newest_records_of_a_key_win() {
        let sources = [
            source(b"set", Some(b"1"), 1),
            source(b"set", None, 2),
            source(b"set", Some(b"22"), 3),
            source(b"gone", Some(b"1"), 4),
            source(b"gone", Some(b"2"), 5),
            source(b"gone", None, 6),
        ];
        for (order, versions) in orders(6).iter().flat_map(|order| [(order, 1), (order, 2)]) {
            let loader = Loader::new(&sources, [3; 16], versions);
            for &place in order {
                let entry = sources[place].entry(32).unwrap();
                loader.take(place, &entry).unwrap();
            }
            let (index, live_bytes, live) = loader.finish().unwrap();
            let seats = |key| -> Vec<u16> {
                index.places_of(index.hash(key)).iter().map(|place| place.seat).collect()
            };
            let expected = if versions == 1 { (vec![3], vec![]) } else { (vec![3, 2], vec![6, 5]) };
            assert_eq!((seats(b"set"), seats(b"gone")), expected, "{order:?}");
            assert_eq!(live, Live { keys: 1, bytes: 5 }, "{order:?}");
            let len = |place: usize| sources[place].entry(32).unwrap().header.record_len();
            let lives = |place: usize| versions == 2 && [1, 2, 4, 5].contains(&place) || place == 2;
            let expected: Vec<u64> = (0..6).map(|place| if lives(place) { len(place) } else { 0 }).collect();
            assert_eq!(live_bytes, expected, "{order:?}");
        }
    }
}
