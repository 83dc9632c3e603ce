//! [`Index`]: where the value of each key is. This is Bitcask's *keydir*: every key in memory, and one seek to
//! any value.
//!
//! It hides how it is made behind a few methods, so that a smaller one can take its place.

use std::collections::HashMap;

use crate::format::hint::Entry;
use crate::format::record::{HEADER_LEN, Header, Kind};

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    /// The segment's number.
    pub(crate) segment: u64,
    /// Where the record begins in it.
    pub(crate) offset: u64,
    /// The record's number: no other record of the store has it, unless it is a copy.
    pub(crate) sequence: u64,
    /// The length of the value.
    pub(crate) value_len: u32,
}

impl Location {
    /// Where the record is that `entry` of the segment stands for.
    pub(crate) fn of(segment: u64, entry: &Entry<'_>) -> Self {
        let Header { sequence, value_len, .. } = entry.header;
        Self { segment, offset: entry.offset, sequence, value_len }
    }

    /// The length of the record there, whose key has `key_len` bytes.
    pub(crate) fn record_len(&self, key_len: usize) -> u64 {
        HEADER_LEN as u64 + key_len as u64 + u64::from(self.value_len)
    }
}

/// Every key that has a value, and where that is.
#[derive(Debug, Default)]
pub(crate) struct Index {
    places: HashMap<Box<[u8]>, Location>,
    key_bytes: u64,
    value_bytes: u64,
}

impl Index {
    /// Where the value of `key` is.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Location> {
        self.places.get(key).copied()
    }

    /// Says that the value of `key` is there now, and returns where it was.
    pub(crate) fn insert(&mut self, key: &[u8], location: Location) -> Option<Location> {
        self.value_bytes += u64::from(location.value_len);
        // A key that is known needs no new copy.
        if let Some(place) = self.places.get_mut(key) {
            self.value_bytes -= u64::from(place.value_len);
            return Some(std::mem::replace(place, location));
        }
        self.key_bytes += key.len() as u64;
        self.places.insert(key.into(), location)
    }

    /// Forgets `key`, and returns where its value was.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Location> {
        let location = self.places.remove(key)?;
        self.key_bytes -= key.len() as u64;
        self.value_bytes -= u64::from(location.value_len);
        Some(location)
    }

    /// Says that the record of `key` has been copied there. Only if it is still the newest: a copy has the
    /// number of its original, and a later write has another. Returns where the original was.
    pub(crate) fn relocate(&mut self, key: &[u8], copy: Location) -> Option<Location> {
        let place = self.places.get_mut(key).filter(|place| place.sequence == copy.sequence)?;
        Some(std::mem::replace(place, copy))
    }

    /// Every key with its place, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Location)> {
        self.places.iter().map(|(key, location)| (&**key, location))
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of the keys and their values.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.key_bytes + self.value_bytes
    }

    /// Bytes of memory: an estimate. A slot of the map is a pointer and a length, the place, and one byte of the
    /// hash; each key is an allocation of its own.
    pub(crate) fn bytes(&self) -> u64 {
        let slot = size_of::<(Box<[u8]>, Location)>() + 1;
        (self.places.capacity() * slot) as u64 + self.key_bytes
    }
}

/// Builds an index from entries that come in any order: of each key, the one with the highest number wins.
#[derive(Debug, Default)]
pub(crate) struct Loader {
    index: Index,
    /// The newest tombstone of each key that has one. An older set may still come.
    graves: HashMap<Box<[u8]>, u64>,
}

impl Loader {
    /// Takes in an entry of the segment `id`.
    pub(crate) fn load(&mut self, id: u64, entry: &Entry<'_>) {
        let sequence = entry.header.sequence;
        if self.index.get(entry.key).is_some_and(|place| place.sequence >= sequence) {
            return;
        }
        if entry.header.kind == Kind::Tombstone {
            self.index.remove(entry.key);
            let newest = self.graves.entry(entry.key.into()).or_insert(sequence);
            *newest = sequence.max(*newest);
            return;
        }
        if self.graves.get(entry.key).is_some_and(|&grave| grave > sequence) {
            return;
        }
        self.index.insert(entry.key, Location::of(id, entry));
    }

    /// The index. Deleted keys are not in it.
    pub(crate) fn finish(self) -> Index {
        self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &[u8], kind: Kind, sequence: u64) -> Entry<'_> {
        Entry { header: Header::new(kind, key.len(), 3, sequence).unwrap(), key, offset: sequence * 100 }
    }

    fn place(sequence: u64) -> Location {
        Location { segment: 1, offset: sequence * 100, sequence, value_len: 3 }
    }

    /// Every order in which `items` can come.
    fn orders<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
        if items.is_empty() {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for first in 0..items.len() {
            let mut rest = items.to_vec();
            let head = rest.remove(first);
            all.extend(orders(&rest).into_iter().map(|tail| [vec![head], tail].concat()));
        }
        all
    }

    #[test]
    fn in_whatever_order_segments_are_loaded_the_newest_record_of_a_key_wins() {
        let records = [
            entry(b"set", Kind::Set, 1),
            entry(b"set", Kind::Tombstone, 2),
            entry(b"set", Kind::Set, 3),
            entry(b"gone", Kind::Set, 4),
            entry(b"gone", Kind::Set, 5),
            entry(b"gone", Kind::Tombstone, 6),
        ];
        for order in orders(&records) {
            let mut loader = Loader::default();
            for entry in &order {
                loader.load(1, entry);
            }
            let index = loader.finish();
            assert_eq!(index.get(b"set"), Some(place(3)), "{order:?}");
            assert_eq!((index.get(b"gone"), index.len()), (None, 1), "{order:?}");
            assert_eq!(index.live_bytes(), 6);
        }
    }

    /// Failure mode 2, in its smallest form.
    #[test]
    fn a_copy_does_not_take_the_place_of_a_newer_write() {
        let mut index = Index::default();
        index.insert(b"k", place(1));
        let copy_of = |sequence| Location { segment: 9, ..place(sequence) };
        assert_eq!(index.relocate(b"k", copy_of(1)), Some(place(1)));
        index.insert(b"k", place(2));
        assert_eq!(index.relocate(b"k", copy_of(1)), None);
        assert_eq!(index.get(b"k"), Some(place(2)));
        index.remove(b"k");
        assert_eq!(index.relocate(b"k", copy_of(2)), None);
        assert_eq!((index.len(), index.live_bytes()), (0, 0));
    }
}
