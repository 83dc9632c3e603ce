//! The manifest: which segments make up the store. It is replaced whole, and what it does not list is not part
//! of the store.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `LLHM` |
//! | 4 | 2 | the format version |
//! | 6 | 2 | zeros |
//! | 8 | 8 | the number of the active segment, the only one that may lack a footer; 0 if all are sealed |
//! | 16 | 8 | the number that the next segment will have |
//! | 24 | 8 | a sequence number that is above every one in a sealed segment |
//! | 32 | 8 | how many segments there are |
//! | 40 | 8 each | their numbers, rising |
//! | | 4 | CRC-32 of everything before |

use std::collections::BTreeSet;
use std::path::Path;

use logladder_engine::{Error, Result};

use super::{FORMAT_VERSION, Fields, checksum, checksum_matches};

/// What the manifest begins with.
pub(crate) const MAGIC: [u8; 4] = *b"LLHM";

/// The segments of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The live ones.
    pub(crate) segments: BTreeSet<u64>,
    /// The one that is appended to, if there is one.
    pub(crate) active: Option<u64>,
    /// What the next one will be called. Numbers only grow.
    pub(crate) next_segment: u64,
    /// Above every sequence number in a sealed segment. It keeps them growing even if compaction removes the
    /// record that had the highest.
    pub(crate) next_sequence: u64,
}

impl Default for Manifest {
    /// A store without a segment. The numbers begin at 1, so that 0 can mean "none".
    fn default() -> Self {
        Self { segments: BTreeSet::new(), active: None, next_segment: 1, next_sequence: 1 }
    }
}

impl Manifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.active.unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&self.next_segment.to_le_bytes());
        bytes.extend_from_slice(&self.next_sequence.to_le_bytes());
        bytes.extend_from_slice(&(self.segments.len() as u64).to_le_bytes());
        for id in &self.segments {
            bytes.extend_from_slice(&id.to_le_bytes());
        }
        let crc = checksum(&[&bytes]);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The manifest that the file at `path` holds. As in a segment, the checksum comes before the version:
    /// in every version, the last four bytes are the checksum of the rest.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |offset: u64, what: &str| Error::corrupt(path, offset, what);
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
        let _zeros = fields.u16().ok_or_else(cut)?;
        let active = fields.u64().ok_or_else(cut)?;
        let next_segment = fields.u64().ok_or_else(cut)?;
        let next_sequence = fields.u64().ok_or_else(cut)?;
        let count = fields.u64().ok_or_else(cut)?;
        let mut segments = BTreeSet::new();
        // The count is not believed: the set grows only as far as there are bytes.
        for _ in 0..count {
            segments.insert(fields.u64().ok_or_else(cut)?);
        }
        let manifest =
            Self { segments, active: (active != 0).then_some(active), next_segment, next_sequence };
        if !fields.is_at_end() || !manifest.is_consistent(count) {
            return Err(damaged(8, "the numbers in the manifest contradict each other"));
        }
        Ok(manifest)
    }

    fn is_consistent(&self, count: u64) -> bool {
        self.segments.len() as u64 == count
            && self.segments.iter().all(|&id| 0 < id && id < self.next_segment)
            && self.active.is_none_or(|id| self.segments.contains(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        Manifest {
            segments: BTreeSet::from([2, 5, 9]),
            active: Some(9),
            next_segment: 10,
            next_sequence: 700,
        }
    }

    fn decode(bytes: &[u8]) -> Result<Manifest> {
        Manifest::decode(Path::new("MANIFEST"), bytes)
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        for manifest in [Manifest::default(), example()] {
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
        bytes[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        let end = bytes.len() - 4;
        let crc = checksum(&[&bytes[..end]]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(decode(&bytes), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_damage() {
        let active_not_listed = Manifest { active: Some(3), ..example() };
        let number_from_the_future = Manifest { next_segment: 9, ..example() };
        let number_zero = Manifest { segments: BTreeSet::from([0, 9]), ..example() };
        for wrong in [active_not_listed, number_from_the_future, number_zero] {
            assert!(matches!(decode(&wrong.encode()), Err(Error::Corrupt { offset: 8, .. })), "{wrong:?}");
        }
    }
}
