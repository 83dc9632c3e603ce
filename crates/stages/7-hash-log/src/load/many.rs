//! Records with the same hash, while an index is loaded.
//!
//! Up to eight of them stand in the index at once, and those that come are merged with them. The records of a hash
//! that has more, because a key has many versions, are put aside and only counted. Now and then they are *sifted*: all are
//! looked up and sorted, and what no key keeps goes. That is done when they are at least twice as many as the last time,
//! so each record is looked up twice on average, and what is put aside is never more than twice what is kept. In the
//! end the shard is laid out anew with all of them in their places.

use std::sync::OnceLock;

use logladder_engine::{Error, Result};

use super::{Entry, Hash, Loader, Loading, Location, Part, lock};
use crate::index::shard::Shard;
use crate::index::table::Slot;

/// So many records of a hash stand in the index while that is loaded.
const FEW: usize = 8;

/// The records of one hash that has more.
#[derive(Debug)]
pub(super) struct Many {
    places: Vec<Location>,
    /// They are sifted when they are so many.
    sift_at: usize,
}

/// A record that has been looked up.
struct Found<'s> {
    key: &'s [u8],
    sequence: u64,
    place: Location,
    part: Part,
}

/// The records of each key, which stand together.
fn by_key<'f, 's>(found: &'f [Found<'s>]) -> impl Iterator<Item = &'f [Found<'s>]> {
    found.chunk_by(|one, next| one.key == next.key)
}

impl<'s> Loader<'s> {
    /// Takes in records of a hash of which there are others: at `known`, in the index, or among these.
    pub(super) fn take_among(
        &self,
        loading: &mut Loading,
        hash: Hash,
        known: &[Location],
        places: impl Iterator<Item = Location>,
    ) -> Result<()> {
        let mut found = self.look_up(known.iter().copied())?;
        self.sift(&mut found);
        for of_key in by_key(&found) {
            if let Some(newest) = of_key.first() {
                loading.live.remove(newest.part);
            }
        }
        for record in &found {
            self.take_out(loading, hash, record.place, record.part);
        }
        found.extend(self.look_up(places)?);
        self.sift(&mut found);
        if found.len() > FEW {
            loading.many.insert(hash.print(), self.many_of(&found));
            return Ok(());
        }
        for of_key in by_key(&found) {
            if let Some(newest) = of_key.first() {
                loading.live.add(newest.part);
            }
            // The newest goes in last, and so stands first.
            for record in of_key.iter().rev() {
                self.add(loading, hash, record.place, record.part);
            }
        }
        Ok(())
    }

    /// Takes in records of a hash that has many.
    pub(super) fn take_one_of_many(
        &self,
        many: &mut Many,
        places: impl Iterator<Item = Location>,
    ) -> Result<()> {
        many.places.extend(places);
        if many.places.len() >= many.sift_at {
            let mut found = self.look_up(many.places.iter().copied())?;
            self.sift(&mut found);
            *many = self.many_of(&found);
        }
        Ok(())
    }

    fn many_of(&self, found: &[Found<'s>]) -> Many {
        let places: Vec<Location> = found.iter().map(|record| record.place).collect();
        // As long as a key may keep them all, there is nothing to be gained.
        let sift_at = (2 * places.len()).max(self.versions.saturating_add(1));
        Many { places, sift_at }
    }

    fn look_up(&self, places: impl Iterator<Item = Location>) -> Result<Vec<Found<'s>>> {
        let look = |place| {
            let entry: Entry<'s> = self.entry(place)?;
            Some(Found { key: entry.key, sequence: entry.header.sequence, place, part: Part::of(&entry) })
        };
        // It was gathered from there.
        let changed = || Error::Unsupported { what: "its files change while it is being opened".into() };
        places.map(|place| look(place).ok_or_else(changed)).collect()
    }

    /// Leaves of each key the newest records, as many as are kept. Those of a key stand together, the newest first.
    fn sift(&self, found: &mut Vec<Found<'s>>) {
        let newest_first = |one: &Found<'_>, other: &Found<'_>| {
            (one.key.cmp(other.key)).then(other.sequence.cmp(&one.sequence)).then(one.place.cmp(&other.place))
        };
        found.sort_unstable_by(newest_first);
        // A crash in the middle of a compaction may have left a record twice; it is the same one.
        found.dedup_by(|next, one| next.sequence == one.sequence && next.key == one.key);
        let (mut key, mut of_key) = (None, 0);
        found.retain(|record| {
            if key != Some(record.key) {
                (key, of_key) = (Some(record.key), 0);
            }
            of_key += 1;
            of_key <= self.versions
        });
    }

    /// Bytes of memory to go through in the end: the shards, and the records that were put aside.
    pub(super) fn bytes_to_finish(&self) -> Result<u64> {
        let mut bytes = 0;
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            let loading = lock(shard)?;
            let many: usize = loading.many.values().map(|many| many.places.len()).sum();
            bytes += loading.shard.bytes() + many * size_of::<Found<'_>>();
        }
        Ok(bytes as u64)
    }

    /// Puts what was put aside into the shard. The other records with such a hash are not there.
    pub(super) fn add_many(&self, loading: &mut Loading) -> Result<()> {
        if loading.many.is_empty() {
            return Ok(());
        }
        let mut slots: Vec<Slot> =
            loading.shard.table().slots().filter(|slot| slot.location().is_some()).collect();
        for (print, many) in std::mem::take(&mut loading.many) {
            let mut found = self.look_up(many.places.into_iter())?;
            self.sift(&mut found);
            for of_key in by_key(&found) {
                if let Some(newest) = of_key.first() {
                    loading.live.add(newest.part);
                }
            }
            for record in found.iter().filter(|record| !self.is_passing(record.part)) {
                self.count_live(record.place, record.part);
                slots.push(Slot::new(print, record.place));
            }
        }
        // It keeps the order of those with the same fingerprint.
        slots.sort_by_key(|slot| slot.print());
        loading.shard = Shard::of_slots(slots.len(), slots.into_iter());
        Ok(())
    }
}
