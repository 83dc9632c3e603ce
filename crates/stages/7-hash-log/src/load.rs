//! [`Loader`]: the index of a store that is being opened, from the hints of its segments in any order.
//!
//! The index holds no keys, and the records are not to be read yet. So while it is loaded, a place in it means an
//! entry of a hint, where the key stands; in the end each is replaced by the place of the record.

use std::collections::BTreeMap;

use logladder_engine::Result;

use crate::format::hint::{self, Entry};
use crate::format::record::Kind;
use crate::index::{Candidates, Index, Location};
use crate::segment::Segment;

/// Builds an index from hints that come in any order: of each key, the record with the highest number wins.
#[derive(Debug, Default)]
pub(crate) struct Loader {
    index: Index,
    /// The hints taken in so far, by their segments. Each has been checked.
    hints: BTreeMap<u32, Vec<u8>>,
}

impl Loader {
    /// Takes in the hint of the segment `id`, which has been checked.
    pub(crate) fn load(&mut self, id: u32, hint: Vec<u8>) -> Result<()> {
        self.hints.insert(id, hint);
        let Some(hint) = self.hints.get(&id) else { return Ok(()) };
        for (offset, entry) in hint::positions(hint) {
            self.take(Location { segment: id, offset }, &entry)?;
        }
        Ok(())
    }

    fn take(&self, location: Location, entry: &Entry<'_>) -> Result<()> {
        let hash = self.index.hash(entry.key);
        let Some(known) = self.index.add(hash, location, &Candidates::default())? else { return Ok(()) };
        for place in known.iter() {
            let Some(other) = self.entry(place).filter(|other| other.key == entry.key) else { continue };
            if other.header.sequence < entry.header.sequence {
                self.index.replace(hash, place, location)?;
            }
            return Ok(());
        }
        self.index.add(hash, location, &known)?;
        Ok(())
    }

    fn entry(&self, place: Location) -> Option<Entry<'_>> {
        hint::entry_at(self.hints.get(&place.segment)?, place.offset)
    }

    /// The index. Deleted keys are not in it. What is of use in each of the `segments` is counted.
    pub(crate) fn finish(mut self, segments: &[Segment]) -> Result<Index> {
        let by_id: BTreeMap<u32, &Segment> = segments.iter().map(|segment| (segment.id(), segment)).collect();
        let mut index = std::mem::take(&mut self.index);
        index.rewrite(|place| {
            let entry = self.entry(place)?;
            if entry.header.kind != Kind::Set {
                return None;
            }
            if let Some(segment) = by_id.get(&place.segment) {
                segment.usage().enliven(entry.header.record_len());
            }
            // A segment whose records begin past four gigabytes cannot be written.
            let offset = u32::try_from(entry.offset).ok()?;
            Some(Location { segment: place.segment, offset })
        })?;
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::header::Footer;
    use crate::format::record::Header;

    const FOOTER: Footer = Footer { records: 1, data_len: 1_000, min_sequence: 1, next_sequence: 9, crc: 0 };

    fn entry(key: &[u8], kind: Kind, sequence: u64) -> Entry<'_> {
        Entry { header: Header::new(kind, key.len(), 3, sequence).unwrap(), key, offset: sequence * 100 }
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
            for (id, entry) in (1..).zip(&order) {
                loader.load(id, hint::encode(u64::from(id), &FOOTER, &[*entry])).unwrap();
            }
            let index = loader.finish(&[]).unwrap();
            let newest = index.candidates(index.hash(b"set")).unwrap();
            assert_eq!(newest.iter().map(|place| place.offset).collect::<Vec<_>>(), [300], "{order:?}");
            assert_eq!(index.candidates(index.hash(b"gone")).unwrap(), Candidates::default(), "{order:?}");
            assert_eq!(index.len(), 1);
        }
    }
}
