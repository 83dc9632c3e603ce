//! [`Index`]: where the newest record of each key is.
//!
//! Bitcask's *keydir* holds every key. This one holds none: a slot is a fingerprint of the key and the place of
//! its record, twelve bytes whatever the key's length. The key itself is on the record, which a read must look
//! at anyway. So the index answers with *candidates*, and who asks compares the key; two keys share a
//! fingerprint once in some 2⁴² pairs.
//!
//! ```text
//!   key ──SipHash, seeded at random──► 64 bits:  shard (10)   fingerprint (32)   unused (22)
//!                                                  │              │
//!   shards, a lock each   ┌────┬────┬────┬────┐ ◄──┘              │ × slots ÷ 2³²
//!                         └────┴─┬──┴────┴────┘                   ▼
//!                    slots   ┌───┴──────────────┬──────────────────┬───────┬──────────────────┐
//!      (sorted by print)     │ print, seg, off  │ print, seg, off  │ empty │ print, seg, off  │
//!                            └──────────────────┴──────────────────┴───────┴──────────────────┘
//! ```
//!
//! A shard is a hash table with linear probing whose slots stand in the order of their fingerprints (Amble and
//! Knuth, "Ordered Hash Tables", 1974). That bounds the search for an absent key as well, so the table can be
//! nine tenths full; and growing it is one pass from left to right, without a look at any key.
//!
//! The hash is keyed at random for each opening, so nobody can choose keys that fall into one place.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use logladder_engine::{Error, Result};

use shard::Shard;

mod shard;

/// Locks that share the keys between them. A reader meets a writer in one write of a thousand, and the growth of
/// one shard holds nobody else up.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 10;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Location {
    /// The segment's number. No segment has the number 0.
    pub(crate) segment: u32,
    /// Where the record begins in it.
    pub(crate) offset: u32,
}

/// Which keys may have the same place: those with the same hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash {
    shard: usize,
    fingerprint: u32,
}

/// The records that a key may be on. Nearly always there is one, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Candidates {
    first: Option<Location>,
    others: Vec<Location>,
}

impl Candidates {
    /// They, one after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Location> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    fn push(&mut self, location: Location) {
        match self.first {
            None => self.first = Some(location),
            Some(_) => self.others.push(location),
        }
    }
}

/// The place of the newest record of each key that has a value.
#[derive(Debug)]
pub(crate) struct Index {
    shards: Box<[RwLock<Shard>]>,
    seed: RandomState,
    len: AtomicU64,
}

impl Default for Index {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, seed: RandomState::new(), len: AtomicU64::new(0) }
    }
}

impl Index {
    /// The hash of a key, in this index.
    #[allow(clippy::cast_possible_truncation, reason = "each part is cut to the bits that it takes")]
    pub(crate) fn hash(&self, key: &[u8]) -> Hash {
        let hash = self.seed.hash_one(key);
        let shard = (hash >> (64 - SHARD_BITS)) as usize;
        Hash { shard, fingerprint: (hash >> (32 - SHARD_BITS)) as u32 }
    }

    /// The places of the keys with this hash.
    pub(crate) fn candidates(&self, hash: Hash) -> Result<Candidates> {
        Ok(candidates_in(&*self.shard(hash)?, hash))
    }

    /// Whether a key with this hash is there.
    pub(crate) fn has(&self, hash: Hash, location: Location) -> Result<bool> {
        Ok(self.shard(hash)?.find(hash.fingerprint, location).is_some())
    }

    /// Adds a key that is in none of the `known` places, which are all that its hash had. If it has others by now,
    /// nothing is added, and those are the answer.
    pub(crate) fn add(
        &self,
        hash: Hash,
        location: Location,
        known: &Candidates,
    ) -> Result<Option<Candidates>> {
        let mut shard = self.shard_mut(hash)?;
        let present = candidates_in(&shard, hash);
        if present != *known {
            return Ok(Some(present));
        }
        shard.insert(hash.fingerprint, location);
        self.len.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }

    /// Says that what was at `old` is at `new` now. `false` if nothing with this hash is at `old` any more.
    pub(crate) fn replace(&self, hash: Hash, old: Location, new: Location) -> Result<bool> {
        Ok(self.shard_mut(hash)?.replace(hash.fingerprint, old, new))
    }

    /// Forgets what is at `location`. `false` if nothing with this hash is there any more.
    pub(crate) fn remove(&self, hash: Hash, location: Location) -> Result<bool> {
        let removed = self.shard_mut(hash)?.remove(hash.fingerprint, location);
        self.len.fetch_sub(u64::from(removed), Ordering::Relaxed);
        Ok(removed)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> Result<u64> {
        let mut bytes = SHARDS * size_of::<RwLock<Shard>>();
        for shard in &self.shards {
            bytes += shard.read().map_err(|_| Error::panicked())?.bytes();
        }
        Ok(bytes as u64)
    }

    /// The places in a shard, of which there are [`SHARDS`].
    pub(crate) fn places(&self, shard: usize) -> Result<Vec<Location>> {
        Ok(self.shards[shard].read().map_err(|_| Error::panicked())?.places().collect())
    }

    /// Puts another place, or none, in place of each.
    pub(crate) fn rewrite(&mut self, mut to: impl FnMut(Location) -> Option<Location>) -> Result<()> {
        let mut len = 0;
        for shard in &mut self.shards {
            let shard = shard.get_mut().map_err(|_| Error::panicked())?;
            shard.rewrite(&mut to);
            len += shard.len() as u64;
        }
        self.len = AtomicU64::new(len);
        Ok(())
    }

    fn shard(&self, hash: Hash) -> Result<RwLockReadGuard<'_, Shard>> {
        self.shards[hash.shard].read().map_err(|_| Error::panicked())
    }

    fn shard_mut(&self, hash: Hash) -> Result<RwLockWriteGuard<'_, Shard>> {
        self.shards[hash.shard].write().map_err(|_| Error::panicked())
    }
}

fn candidates_in(shard: &Shard, hash: Hash) -> Candidates {
    let mut candidates = Candidates::default();
    shard.for_each(hash.fingerprint, |location| candidates.push(location));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u32) -> Location {
        Location { segment: 1, offset }
    }

    #[test]
    fn a_key_is_found_where_it_was_put_last_and_not_once_it_is_removed() {
        let index = Index::default();
        let hash = index.hash(b"key");
        let none = Candidates::default();
        assert_eq!(index.add(hash, at(1), &none).unwrap(), None);
        assert!(index.replace(hash, at(1), at(2)).unwrap());
        assert_eq!(index.candidates(hash).unwrap().iter().collect::<Vec<_>>(), [at(2)]);
        assert!(index.remove(hash, at(2)).unwrap());
        assert_eq!((index.candidates(hash).unwrap(), index.len()), (none, 0));
    }

    /// Failure mode 2, in its smallest form.
    #[test]
    fn a_place_that_has_changed_is_neither_replaced_nor_removed() {
        let index = Index::default();
        let hash = index.hash(b"key");
        index.add(hash, at(2), &Candidates::default()).unwrap();
        assert!(!index.replace(hash, at(1), at(9)).unwrap());
        assert!(!index.remove(hash, at(1)).unwrap());
        assert!(index.has(hash, at(2)).unwrap() && !index.has(hash, at(9)).unwrap());
    }

    #[test]
    fn two_keys_of_one_hash_are_both_there_and_the_second_is_added_only_by_who_has_seen_the_first() {
        let index = Index::default();
        let hash = index.hash(b"key");
        let none = Candidates::default();
        index.add(hash, at(1), &none).unwrap();
        let first = index.add(hash, at(2), &none).unwrap().expect("the first is in the way");
        assert_eq!(index.add(hash, at(2), &first).unwrap(), None);
        let mut both: Vec<Location> = index.candidates(hash).unwrap().iter().collect();
        both.sort_unstable();
        assert_eq!((both, index.len()), (vec![at(1), at(2)], 2));
    }

    #[test]
    fn two_indexes_do_not_share_a_seed() {
        let (one, other) = (Index::default(), Index::default());
        let differs = (0_u32..8).any(|n| one.hash(&n.to_le_bytes()) != other.hash(&n.to_le_bytes()));
        assert!(differs);
    }
}
