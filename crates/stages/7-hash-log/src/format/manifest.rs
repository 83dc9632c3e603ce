//! The manifest: which segments make up the store. It is replaced whole, and what it does not list is not part
//! of the store.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `LLHM` |
//! | 4 | 2 | the format version |
//! | 6 | 2 | how many earlier versions of each key are kept, besides the newest; zero was always here at first |
//! | 8 | 16 | the key of the hash that the index uses, chosen at random when the store was made |
//! | 24 | 8 | the number that the next segment will have |
//! | 32 | 8 | a sequence number that is above every one in a sealed segment |
//! | 40 | 8 | how many sealed segments there are |
//! | 48 | 8 | how many segments of the tail there are |
//! | 56 | 8 each | the numbers of the sealed ones, rising |
//! | | 8 each | the numbers of the tail, rising: those that may lack a footer; the last one is appended to |
//! | | 4 | CRC-32 of everything before |
//!
//! The checksum of the key is the store's *mark*. It stands in the header of every segment, so that one that was
//! copied from another store is not taken for a part of this one.

use std::collections::BTreeSet;
use std::path::Path;

use logladder_engine::{Error, Result};

use super::{FORMAT_VERSION, Fields, checksum, checksum_matches};

/// What the manifest begins with.
pub(crate) const MAGIC: [u8; 4] = *b"LLHM";

/// What stands in the manifest's place in a folder that is still being filled with a copy of a store.
pub(crate) const UNFINISHED_COPY: &[u8] =
    b"an unfinished copy of a store: remove this folder and copy again\n";

/// The segments of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The key of the hash that the index uses.
    pub(crate) hash_key: [u8; 16],
    /// How many versions of each key are kept besides the newest.
    pub(crate) earlier_versions: u16,
    /// Those that are whole, and on the disk.
    pub(crate) sealed: BTreeSet<u64>,
    /// Those behind them in the log, that may not be. The last is the one that is appended to.
    pub(crate) tail: BTreeSet<u64>,
    /// What the next one will be called. Numbers only grow.
    pub(crate) next_segment: u64,
    /// Above every sequence number in a sealed segment. It keeps them growing even if compaction removes the
    /// record that had the highest.
    pub(crate) next_sequence: u64,
}

impl Manifest {
    /// A store without a segment. The numbers begin at 1, so that 0 can mean "none".
    pub(crate) fn empty(hash_key: [u8; 16]) -> Self {
        let (sealed, tail) = (BTreeSet::new(), BTreeSet::new());
        Self { hash_key, earlier_versions: 0, sealed, tail, next_segment: 1, next_sequence: 1 }
    }

    /// What every segment of the store is marked with.
    pub(crate) fn mark(&self) -> u32 {
        checksum(&[&self.hash_key])
    }

    /// Whether this segment is one of the store's.
    pub(crate) fn lists(&self, id: u64) -> bool {
        self.sealed.contains(&id) || self.tail.contains(&id)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.earlier_versions.to_le_bytes());
        bytes.extend_from_slice(&self.hash_key);
        let counts = [self.sealed.len() as u64, self.tail.len() as u64];
        let numbers = [self.next_segment, self.next_sequence].into_iter().chain(counts);
        for number in numbers.chain(self.sealed.iter().copied()).chain(self.tail.iter().copied()) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let crc = checksum(&[&bytes]);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The manifest that the file at `path` holds. As in a segment, the checksum comes before the version:
    /// in every version, the last four bytes are the checksum of the rest.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |offset: u64, what: &str| Error::corrupt(path, offset, what);
        if bytes == UNFINISHED_COPY {
            return Err(damaged(0, "the copy of a store in this folder was never finished: make another"));
        }
        let (rest, crc) =
            bytes.split_last_chunk::<4>().ok_or_else(|| damaged(0, "it is too short for a manifest"))?;
        if !rest.starts_with(&MAGIC) {
            return Err(damaged(0, "it does not begin as a manifest does"));
        }
        if !checksum_matches(u32::from_le_bytes(*crc), &[rest]) {
            return Err(damaged(0, "the checksum of the manifest differs"));
        }
        let cut = || damaged(rest.len() as u64, "the manifest ends inside a field");
        let mut fields = Fields::of(&rest[MAGIC.len()..]);
        let version = fields.u16().ok_or_else(cut)?;
        if version != FORMAT_VERSION {
            return Err(Error::UnsupportedVersion {
                path: path.to_path_buf(),
                found: version.into(),
                supported: FORMAT_VERSION.into(),
            });
        }
        let earlier_versions = fields.u16().ok_or_else(cut)?;
        let hash_key = fields.array().ok_or_else(cut)?;
        let next_segment = fields.u64().ok_or_else(cut)?;
        let next_sequence = fields.u64().ok_or_else(cut)?;
        let counts = [fields.u64().ok_or_else(cut)?, fields.u64().ok_or_else(cut)?];
        let mut lists = [BTreeSet::new(), BTreeSet::new()];
        for (list, count) in lists.iter_mut().zip(counts) {
            // The count is not believed: the set grows only as far as there are bytes.
            for _ in 0..count {
                list.insert(fields.u64().ok_or_else(cut)?);
            }
        }
        let [sealed, tail] = lists;
        let manifest = Self { hash_key, earlier_versions, sealed, tail, next_segment, next_sequence };
        if !fields.is_at_end() || !manifest.is_consistent(counts) {
            return Err(damaged(8, "the numbers in the manifest contradict each other"));
        }
        Ok(manifest)
    }

    fn is_consistent(&self, counts: [u64; 2]) -> bool {
        [self.sealed.len() as u64, self.tail.len() as u64] == counts
            && self.sealed.is_disjoint(&self.tail)
            && self.sealed.iter().chain(&self.tail).all(|&id| 0 < id && id < self.next_segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        Manifest {
            hash_key: *b"sixteen bytes it",
            earlier_versions: 2,
            sealed: BTreeSet::from([2, 5]),
            tail: BTreeSet::from([7, 9]),
            next_segment: 10,
            next_sequence: 700,
        }
    }

    fn decode(bytes: &[u8]) -> Result<Manifest> {
        Manifest::decode(Path::new("MANIFEST"), bytes)
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        for manifest in [Manifest::empty([0; 16]), example()] {
            assert_eq!(decode(&manifest.encode()).unwrap(), manifest);
        }
    }

    #[test]
    fn a_flipped_bit_or_a_cut_anywhere_is_damage() {
        let bytes = example().encode();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&damaged), Err(Error::Corrupt { .. })), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(matches!(decode(&bytes[..len]), Err(Error::Corrupt { .. })), "cut to {len}");
        }
    }

    /// Failure mode 25: a count of 2⁶⁴−1 segments with the right checksum is refused, not allocated.
    #[test]
    fn an_absurd_count_is_refused_without_being_allocated() {
        let mut bytes = example().encode();
        bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
        let end = bytes.len() - 4;
        let crc = checksum(&[&bytes[..end]]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(decode(&bytes), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_damage() {
        let in_both_lists = Manifest { tail: BTreeSet::from([5, 9]), ..example() };
        let number_from_the_future = Manifest { next_segment: 9, ..example() };
        let number_zero = Manifest { sealed: BTreeSet::from([0, 2]), ..example() };
        for wrong in [in_both_lists, number_from_the_future, number_zero] {
            assert!(matches!(decode(&wrong.encode()), Err(Error::Corrupt { offset: 8, .. })), "{wrong:?}");
        }
    }
}
