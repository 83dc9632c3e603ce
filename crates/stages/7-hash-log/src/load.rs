//! [`Loader`]: the index of a store that is being opened, from its segments in any order, by several threads.
//!
//! Each segment is a [`Source`]: its hint, if it has one, or else its records. Where several records have the same hash,
//! they are looked up and sorted by key and number; of each key those with the highest numbers win, whatever came
//! first. Of a key with thousands of versions that is not done for each of them: see [`many`].
//!
//! Each key goes somewhere else in the index, and a thread that waited for that memory key by key would do little
//! besides. So an [`Intake`] gathers entries, sorts them by their hash, and goes through the index from one end to
//! the other:
//!
//! ```text
//!   segment ──► 128 Ki entries, 16 bytes each ──► sorted ──► shard 0, its places from left to right
//!                                                            shard 1, its places from left to right
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};

use logladder_disk::Map;
use logladder_disk::parallel::for_each;
use logladder_engine::{Error, Result};

use crate::catalog::Live;
use crate::format::hint::{self, Entry};
use crate::format::index;
use crate::format::record::Record;
use crate::index::shard::Shard;
use crate::index::{self, Hash, Index, Location, SHARDS};
use many::Many;

mod many;

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
    /// Those that have a key so far. Each in a box: of a small store most have none, and going through them all should
    /// mean neither to go through their memory nor to lock them.
    shards: Vec<OnceLock<Box<Mutex<Loading>>>>,
    /// Of each source, bytes of the records that the index points to.
    live_bytes: Vec<AtomicU64>,
    /// How often a record was looked up.
    #[cfg(test)]
    looked_up: AtomicU64,
}

/// So many entries are taken in at once. The more there are, the fewer places of the index lie between two of them;
/// with those of 16 bytes they are 2 MiB, for each thread.
const GATHERED: usize = 128 * 1024;

/// An entry on its way into the index, without its key: if that is asked for, its source has it.
#[derive(Debug, Clone, Copy)]
struct Gathered {
    hash: u32,
    offset: u32,
    part: Part,
}

impl Gathered {
    fn hash(&self) -> Hash {
        Hash::of_word(self.hash)
    }
}

/// What a record is of the store's size.
#[derive(Debug, Clone, Copy)]
struct Part {
    record_len: u32,
    /// [`Part::DELETE`] if it takes its key's value away.
    live_len: u32,
}

impl Part {
    /// No key and value together are as long.
    const DELETE: u32 = u32::MAX;

    fn of(entry: &Entry<'_>) -> Self {
        // The limits of a key and a value, 65,535 and 2³⁰ − 1, are checked when a record is read.
        let short = |len: u64| u32::try_from(len).unwrap_or(u32::MAX - 1);
        let live_len = if entry.is_delete() { Self::DELETE } else { short(entry.live_len()) };
        Self { record_len: short(entry.header.record_len()), live_len }
    }

    fn is_delete(self) -> bool {
        self.live_len == Self::DELETE
    }
}

/// Takes in the entries of one source, many at once.
#[derive(Debug)]
pub(crate) struct Intake<'l, 's> {
    loader: &'l Loader<'s>,
    seat: u16,
    gathered: Vec<Gathered>,
}

impl Intake<'_, '_> {
    /// Takes in an entry, at once or later.
    pub(crate) fn push(&mut self, entry: &Entry<'_>) -> Result<()> {
        let hash = index::hash(&self.loader.hash_key, entry.key).word();
        let offset = u32::try_from(entry.offset).ok().filter(|_| entry.offset <= index::MAX_OFFSET);
        let far = || Error::Unsupported { what: "it has larger segments than a store can".into() };
        self.gathered.push(Gathered { hash, offset: offset.ok_or_else(far)?, part: Part::of(entry) });
        if self.gathered.len() < GATHERED { Ok(()) } else { self.finish() }
    }

    /// Takes in what it still has.
    pub(crate) fn finish(&mut self) -> Result<()> {
        // Of a key that is there twice, either may come first.
        self.gathered.sort_unstable_by_key(|gathered| gathered.hash);
        for of_shard in self.gathered.chunk_by(|one, next| one.hash().shard == next.hash().shard) {
            if let Some(first) = of_shard.first() {
                self.loader.take_all(first.hash().shard, self.seat, of_shard)?;
            }
        }
        self.gathered.clear();
        Ok(())
    }
}

/// A shard, and what it knows beyond the index.
#[derive(Debug, Default)]
struct Loading {
    shard: Shard,
    /// Tombstones that are the newest of their key. They are taken out in the end.
    tombstones: Vec<(u32, Location)>,
    live: Live,
    /// By fingerprint, records that are not in the shard yet, because the hash has too many of them.
    many: BTreeMap<u32, Many>,
}

impl<'s> Loader<'s> {
    /// Of a store that keeps so many versions of a key.
    pub(crate) fn new(sources: &'s [Source], hash_key: [u8; 16], versions: usize) -> Self {
        Self {
            sources,
            hash_key,
            versions: versions.max(1),
            shards: (0..SHARDS).map(|_| OnceLock::new()).collect(),
            live_bytes: sources.iter().map(|_| AtomicU64::default()).collect(),
            #[cfg(test)]
            looked_up: AtomicU64::default(),
        }
    }

    /// To take in the entries of the source at `place`.
    pub(crate) fn intake(&self, place: usize) -> Result<Intake<'_, 's>> {
        let far = || Error::Unsupported { what: "it has more segments than a store can".into() };
        let seat = u16::try_from(place + 1).map_err(|_| far())?;
        Ok(Intake { loader: self, seat, gathered: Vec::new() })
    }

    /// Takes in entries of one shard, in the order of their hashes.
    fn take_all(&self, shard: usize, seat: u16, gathered: &[Gathered]) -> Result<()> {
        let loading = &mut *lock(self.shards[shard].get_or_init(Box::default))?;
        loading.shard.reserve(gathered.len());
        let table = loading.shard.table();
        for gathered in gathered {
            table.prefetch(gathered.hash().print());
        }
        drop(table);
        for same in gathered.chunk_by(|one, next| one.hash == next.hash) {
            self.take(loading, seat, same)?;
        }
        Ok(())
    }

    /// Takes in entries of one hash.
    fn take(&self, loading: &mut Loading, seat: u16, same: &[Gathered]) -> Result<()> {
        let Some(first) = same.first() else { return Ok(()) };
        let hash = first.hash();
        let places = same.iter().map(|gathered| Location { seat, offset: gathered.offset });
        if let Some(many) = loading.many.get_mut(&hash.print()) {
            return self.take_one_of_many(many, places);
        }
        let known: Vec<Location> = loading.shard.table().places_of(hash.print()).collect();
        if known.is_empty() && same.len() == 1 {
            self.add(loading, hash, Location { seat, offset: first.offset }, first.part);
            loading.live.add(first.part);
            return Ok(());
        }
        self.take_among(loading, hash, &known, places)
    }

    fn entry(&self, place: Location) -> Option<Entry<'s>> {
        #[cfg(test)]
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        self.sources.get(usize::from(place.seat).checked_sub(1)?)?.entry(place.offset)
    }

    fn add(&self, loading: &mut Loading, hash: Hash, location: Location, part: Part) {
        loading.shard.add(hash.print(), location);
        if self.is_passing(part) {
            loading.tombstones.push((hash.print(), location));
        } else {
            self.count_live(location, part);
        }
    }

    fn take_out(&self, loading: &mut Loading, hash: Hash, place: Location, part: Part) {
        if loading.shard.remove(hash.print(), place) && !self.is_passing(part) {
            self.live_bytes_at(place).fetch_sub(part.record_len.into(), Ordering::Relaxed);
        }
    }

    /// Whether it is in the index only while that is loaded.
    fn is_passing(&self, part: Part) -> bool {
        part.is_delete() && self.versions == 1
    }

    fn count_live(&self, place: Location, part: Part) {
        self.live_bytes_at(place).fetch_add(part.record_len.into(), Ordering::Relaxed);
    }

    fn live_bytes_at(&self, place: Location) -> &AtomicU64 {
        // Places are made of the sources' numbers.
        &self.live_bytes[usize::from(place.seat) - 1]
    }

    /// The index, how many bytes of each segment it points to, and how large the store is.
    pub(crate) fn finish(self) -> Result<(Index, Vec<u64>, Live)> {
        let bytes = self.bytes_to_finish()?;
        let loaded: Vec<(usize, &Mutex<Loading>)> = (self.shards.iter().enumerate())
            .filter_map(|(number, loading)| Some((number, &**loading.get()?)))
            .collect();
        let mut shards = Vec::with_capacity(loaded.len());
        let mut live = Live::default();
        let finished = for_each(loaded.len(), bytes, |at| self.finish_shard(loaded[at].1))?;
        for ((number, _), (shard, of_shard)) in loaded.into_iter().zip(finished) {
            shards.push((number, shard));
            live.keys += of_shard.keys;
            live.bytes += of_shard.bytes;
        }
        let live_bytes = self.live_bytes.into_iter().map(AtomicU64::into_inner).collect();
        Ok((Index::of_shards(self.hash_key, shards), live_bytes, live))
    }

    fn finish_shard(&self, loading: &Mutex<Loading>) -> Result<(Shard, Live)> {
        let mut loading = std::mem::take(&mut *lock(loading)?);
        for (print, place) in loading.tombstones.drain(..) {
            loading.shard.remove(print, place);
        }
        self.add_many(&mut loading)?;
        loading.shard.trim();
        Ok((loading.shard, loading.live))
    }
}

impl Live {
    /// The newest record of a key is this.
    fn add(&mut self, newest: Part) {
        if !newest.is_delete() {
            self.keys += 1;
            self.bytes += u64::from(newest.live_len);
        }
    }

    /// It no longer is.
    fn remove(&mut self, newest: Part) {
        if !newest.is_delete() {
            self.keys -= 1;
            self.bytes -= u64::from(newest.live_len);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| Error::panicked())
}

#[cfg(test)]
mod tests;
