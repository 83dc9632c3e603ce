//! [`Index`]: where the newest record of each key is.
//!
//! Bitcask's *keydir* holds every key. This one holds none: a slot is a fingerprint of the key and the place of its
//! record, eight bytes whatever the key's length. The key itself is on the record, which a read must look at
//! anyway. So the index answers with places where the key may be, and who asks compares the key; another key's
//! place is among them in one of a hundred searches at ten million keys.
//!
//! ```text
//!   key ──SipHash, the store's key──► 64 bits:  shard (10)   fingerprint (20)   unused (34)
//!                                                 │              │
//!   shards           ┌─────┬─────┬─────┐ ◄────────┘              │ × slots ÷ 2²⁰
//!                    └─────┴──┬──┴─────┘                         ▼
//!                    slots ┌──┴─────────────┬────────────────┬───────┬────────────────┐
//!   (sorted by             │ print, place   │ print, place   │ empty │ print, place   │
//!    fingerprint)          └────────────────┴────────────────┴───────┴────────────────┘
//!                            20 bits, 16 for the segment, 28 for the offset
//! ```
//!
//! A [shard](shard::Shard) is a hash table with linear probing whose slots stand in the order of their fingerprints
//! (Amble and Knuth, "Ordered Hash Tables", 1974). That bounds the search for an absent key as well, so the table
//! can be nine tenths full; and growing it is one pass from left to right, without a look at any key.
//!
//! Readers take no lock and never wait: each slot is one atomic word, and an order of changes is kept in which a
//! search from left to right misses nothing. Changes are made by one thread at a time, the one that holds the
//! writer's lock.
//!
//! The hash is keyed at random for each store, so nobody can choose keys that fall into one place.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use siphasher::sip::SipHasher13;

use shard::Shard;
use table::Table;

pub(crate) mod shard;
pub(crate) mod table;

/// Growing one shard holds the writer up for as long as it takes to copy one of so many parts.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 10;
const PRINT_BITS: u32 = 20;
const OFFSET_BITS: u32 = 28;

/// No record begins further into its segment: 256 MiB.
pub(crate) const MAX_OFFSET: u64 = (1 << OFFSET_BITS) - 1;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Location {
    /// The seat that the segment has in the [catalog](crate::catalog). None has seat 0.
    pub(crate) seat: u16,
    /// Where the record begins in it, at most [`MAX_OFFSET`].
    pub(crate) offset: u32,
}

/// Which keys may have the same place: those with the same hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash {
    pub(crate) shard: usize,
    /// From 1 to 2²⁰ − 1.
    print: u32,
}

/// The place of the newest record of each key that has a value, and of as many older ones as are kept.
#[derive(Debug)]
pub(crate) struct Index {
    /// Those that have had a key. There are a thousand of them in every small store.
    shards: Box<[OnceLock<Shard>]>,
    hash_key: [u8; 16],
}

impl Index {
    /// An index without keys, whose hash has this key.
    #[cfg(test)]
    pub(crate) fn new(hash_key: [u8; 16]) -> Self {
        Self::of_shards(hash_key, [])
    }

    /// An index of these shards, each with its number, which is below [`SHARDS`]. The others have had no key.
    pub(crate) fn of_shards(hash_key: [u8; 16], shards: impl IntoIterator<Item = (usize, Shard)>) -> Self {
        let mut all: Box<[OnceLock<Shard>]> = (0..SHARDS).map(|_| OnceLock::new()).collect();
        for (number, shard) in shards {
            all[number] = OnceLock::from(shard);
        }
        Self { shards: all, hash_key }
    }

    /// The hash of a key, in this index.
    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> Hash {
        hash(&self.hash_key, key)
    }

    /// The slots where the keys with this hash are, as they are now, if there can be any.
    #[inline]
    pub(crate) fn table(&self, hash: Hash) -> Option<impl Deref<Target = Arc<Table>> + use<>> {
        self.shards[hash.shard].get().map(Shard::table)
    }

    /// Has the slot fetched where a search for this hash begins.
    #[inline]
    pub(crate) fn prefetch(&self, hash: Hash) {
        if let Some(table) = self.table(hash) {
            table.prefetch(hash.print);
        }
    }

    /// The places of the keys with this hash, those that were added later first.
    #[cfg(test)]
    pub(crate) fn places_of(&self, hash: Hash) -> Vec<Location> {
        self.table(hash).map_or(Vec::new(), |table| table.places_of(hash.print).collect())
    }

    /// Whether a key with this hash is there.
    pub(crate) fn has(&self, hash: Hash, location: Location) -> bool {
        self.table(hash).is_some_and(|table| table.places_of(hash.print).any(|place| place == location))
    }

    /// Adds a place before the others with this hash.
    pub(crate) fn add(&self, hash: Hash, location: Location) {
        self.shards[hash.shard].get_or_init(Shard::default).add(hash.print, location);
    }

    /// Says that what was at `old` is at `new` now. `false` if nothing with this hash is at `old` any more.
    pub(crate) fn replace(&self, hash: Hash, old: Location, new: Location) -> bool {
        self.table(hash).is_some_and(|table| table.replace(hash.print, old, new))
    }

    /// Forgets what is at `location`. `false` if nothing with this hash is there any more.
    pub(crate) fn remove(&self, hash: Hash, location: Location) -> bool {
        self.shards[hash.shard].get().is_some_and(|shard| shard.remove(hash.print, location))
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> u64 {
        let tables: usize = self.shards.iter().filter_map(OnceLock::get).map(Shard::bytes).sum();
        (tables + SHARDS * size_of::<OnceLock<Shard>>()) as u64
    }

    /// The parts, in order, those that have had a key.
    pub(crate) fn shards(&self) -> impl Iterator<Item = Option<&Shard>> {
        self.shards.iter().map(OnceLock::get)
    }
}

impl Hash {
    /// Its bits in one word, in whose order those of one shard stand together, rising by fingerprint.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a shard's number has ten bits")]
    pub(crate) fn word(self) -> u32 {
        (self.shard as u32) << PRINT_BITS | self.print
    }

    /// The hash with this word.
    #[inline]
    pub(crate) fn of_word(word: u32) -> Self {
        Self { shard: (word >> PRINT_BITS) as usize, print: word & ((1 << PRINT_BITS) - 1) }
    }

    #[inline]
    pub(crate) fn print(self) -> u32 {
        self.print
    }
}

/// The hash of `key` under the store's key.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "each part is cut to the bits that it takes")]
pub(crate) fn hash(hash_key: &[u8; 16], key: &[u8]) -> Hash {
    let hash = SipHasher13::new_with_key(hash_key).hash(key);
    let shard = (hash >> (64 - SHARD_BITS)) as usize;
    let print = (hash >> (64 - SHARD_BITS - PRINT_BITS)) as u32 & ((1 << PRINT_BITS) - 1);
    // An empty slot is zero, so no key has the print 0.
    Hash { shard, print: print.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u32) -> Location {
        Location { seat: 1, offset }
    }

    #[test]
    fn a_key_is_found_where_it_was_put_last_and_not_once_it_is_removed() {
        let index = Index::new([7; 16]);
        let hash = index.hash(b"key");
        index.add(hash, at(1));
        assert!(index.replace(hash, at(1), at(2)));
        assert_eq!(index.places_of(hash), [at(2)]);
        assert!(index.remove(hash, at(2)));
        assert_eq!(index.places_of(hash), []);
    }

    /// Failure mode 2, in its smallest form.
    #[test]
    fn a_place_that_has_changed_is_neither_replaced_nor_removed() {
        let index = Index::new([7; 16]);
        let hash = index.hash(b"key");
        index.add(hash, at(2));
        assert!(!index.replace(hash, at(1), at(9)));
        assert!(!index.remove(hash, at(1)));
        assert!(index.has(hash, at(2)) && !index.has(hash, at(9)));
    }

    #[test]
    fn two_places_of_one_hash_are_both_there_the_later_first() {
        let index = Index::new([7; 16]);
        let hash = index.hash(b"key");
        index.add(hash, at(1));
        index.add(hash, at(2));
        assert_eq!(index.places_of(hash), [at(2), at(1)]);
    }

    #[test]
    fn another_key_of_the_hash_is_another_hash() {
        let (one, other) = (Index::new([1; 16]), Index::new([2; 16]));
        let differs = (0_u32..8).any(|n| one.hash(&n.to_le_bytes()) != other.hash(&n.to_le_bytes()));
        assert!(differs);
    }
}
