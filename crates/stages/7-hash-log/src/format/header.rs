//! The two ends of a segment: its header, and the footer that seals it.
//!
//! The header:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `LLHS` |
//! | 4 | 2 | the format version |
//! | 6 | 2 | what wrote it: 1 sets, 2 compaction |
//! | 8 | 8 | the segment's number, as in its file's name |
//! | 16 | 8 | the lowest sequence number that it may hold; if sets wrote it, the first |
//! | 24 | 4 | the store's mark, as the [manifest](super::manifest) has it: another store's segment is refused |
//! | 28 | 4 | CRC-32 of the 28 bytes before |
//!
//! The footer is a mark, and its sequence number is one more than the highest before it. Its value:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | how many records stand before it, heads of batches included |
//! | 8 | 8 | how many bytes stand before it, the header's included |
//! | 16 | 8 | the lowest sequence number among the records |
//! | 24 | 4 | CRC-32 of the checksums of those records, one after the other |
//!
//! Each record has a checksum of its own; the footer's says that they are these, all of them and in this order.

use std::path::Path;

use logladder_engine::{Error, Result};

use super::record::{self, FOOTER_VALUE_LEN, Kind, Record};
use super::{FORMAT_VERSION, Fields, Flaw, checksum, checksum_matches};

/// What every segment begins with.
pub(crate) const MAGIC: [u8; 4] = *b"LLHS";

/// Bytes before the first record.
pub(crate) const SEGMENT_HEADER_LEN: usize = 32;

/// Bytes of the footer's record.
pub(crate) const FOOTER_LEN: usize = record::HEADER_LEN + FOOTER_VALUE_LEN;

/// What wrote a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Sets and deletes: the sequence numbers go up by one.
    Sets,
    /// Compaction: records from elsewhere, in any order.
    Compaction,
}

impl Origin {
    fn code(self) -> u16 {
        match self {
            Self::Sets => 1,
            Self::Compaction => 2,
        }
    }

    fn of_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => Self::Sets,
            2 => Self::Compaction,
            _ => return None,
        })
    }
}

/// What a segment says of itself at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The mark of the store that it belongs to.
    pub(crate) store: u32,
    pub(crate) id: u64,
    pub(crate) origin: Origin,
    pub(crate) first_sequence: u64,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.origin.code().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.store.to_le_bytes());
        let crc = checksum(&[&bytes[..28]]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Whether these bytes begin with a whole header, and its mark is another store's.
    pub(crate) fn is_of_another_store(store: u32, bytes: &[u8]) -> bool {
        let Some(header) = bytes.first_chunk::<SEGMENT_HEADER_LEN>() else { return false };
        let mut rest = Fields::of(&header[24..]);
        let (mark, crc) = (rest.u32(), rest.u32());
        header.starts_with(&MAGIC)
            && crc.is_some_and(|crc| checksum_matches(crc, &[&header[..28]]))
            && mark != Some(store)
    }

    /// The header of the segment `id` of the store with this mark, which the file at `path` holds.
    ///
    /// The checksum is looked at before the version: every version of this header has it in the same place, so
    /// that a damaged header is not taken for a newer one.
    pub(crate) fn decode(path: &Path, store: u32, id: u64, bytes: &[u8]) -> Result<Self> {
        let damaged = |offset, what: String| Error::corrupt(path, offset, what);
        let cut = || damaged(bytes.len() as u64, "the file ends inside the segment's header".into());
        let header = bytes.get(..SEGMENT_HEADER_LEN).ok_or_else(cut)?;
        let mut fields = Fields::of(header);
        let magic = fields.bytes(4).ok_or_else(cut)?;
        let version = fields.u16().ok_or_else(cut)?;
        let origin = fields.u16().ok_or_else(cut)?;
        let found_id = fields.u64().ok_or_else(cut)?;
        let first_sequence = fields.u64().ok_or_else(cut)?;
        let found_store = fields.u32().ok_or_else(cut)?;
        let crc = fields.u32().ok_or_else(cut)?;
        if magic != MAGIC {
            return Err(damaged(0, "it does not begin as a segment does".into()));
        }
        if !checksum_matches(crc, &[&header[..28]]) {
            return Err(damaged(0, "the checksum of the segment's header differs".into()));
        }
        if version != FORMAT_VERSION {
            return Err(Error::UnsupportedVersion {
                path: path.to_path_buf(),
                found: version.into(),
                supported: FORMAT_VERSION.into(),
            });
        }
        let origin =
            Origin::of_code(origin).ok_or_else(|| damaged(6, "it does not say what wrote it".into()))?;
        if found_id != id {
            return Err(damaged(8, format!("it is segment {found_id} under another's name")));
        }
        if found_store != store {
            return Err(damaged(24, "it is a segment of another store".into()));
        }
        Ok(Self { store, id, origin, first_sequence })
    }
}

/// What a sealed segment says of itself at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    /// How many records stand before it.
    pub(crate) records: u64,
    /// How many bytes stand before it: where it begins.
    pub(crate) data_len: u64,
    /// The lowest sequence number among the records.
    pub(crate) min_sequence: u64,
    /// One more than the highest.
    pub(crate) next_sequence: u64,
    /// Of their checksums.
    pub(crate) crc: u32,
}

impl Footer {
    /// The footer's record.
    ///
    /// # Errors
    ///
    /// None: its length is always the same.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut value = [0; FOOTER_VALUE_LEN];
        value[..8].copy_from_slice(&self.records.to_le_bytes());
        value[8..16].copy_from_slice(&self.data_len.to_le_bytes());
        value[16..24].copy_from_slice(&self.min_sequence.to_le_bytes());
        value[24..].copy_from_slice(&self.crc.to_le_bytes());
        let mut bytes = Vec::with_capacity(FOOTER_LEN);
        record::encode_mark(&mut bytes, Kind::Footer, &value, self.next_sequence)?;
        Ok(bytes)
    }

    /// The footer in a record of that kind.
    pub(crate) fn of_record(record: &Record<'_>) -> Option<Self> {
        if record.header.kind != Kind::Footer || record.bytes.len() != FOOTER_LEN {
            return None;
        }
        let mut fields = Fields::of(record.value);
        Some(Self {
            records: fields.u64()?,
            data_len: fields.u64()?,
            min_sequence: fields.u64()?,
            crc: fields.u32()?,
            next_sequence: record.header.sequence,
        })
    }

    /// The footer that a whole sealed segment ends with. Where it begins is the file's word against the
    /// footer's, and both must agree.
    pub(crate) fn at_end_of(segment: &[u8]) -> std::result::Result<Self, Flaw> {
        let start = segment.len().checked_sub(FOOTER_LEN).ok_or(Flaw::TooShort)?;
        let record = Record::decode(&segment[start..])?;
        Self::of_record(&record).filter(|footer| footer.data_len == start as u64).ok_or(Flaw::Footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader { store: 5, id: 7, origin: Origin::Sets, first_sequence: 99 };

    fn decode(bytes: &[u8]) -> Result<SegmentHeader> {
        SegmentHeader::decode(Path::new("segment"), 5, 7, bytes)
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        for origin in [Origin::Sets, Origin::Compaction] {
            let header = SegmentHeader { origin, ..HEADER };
            assert_eq!(decode(&header.encode()).unwrap(), header);
        }
    }

    /// Failure mode 20, for the header of a segment.
    #[test]
    fn a_flipped_bit_anywhere_in_a_header_is_damage() {
        for bit in 0..SEGMENT_HEADER_LEN * 8 {
            let mut damaged = HEADER.encode();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&damaged), Err(Error::Corrupt { .. })), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_is_refused_as_that() {
        let mut newer = HEADER.encode();
        newer[4] = 2;
        let crc = checksum(&[&newer[..28]]);
        newer[28..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(decode(&newer), Err(Error::UnsupportedVersion { found: 2, supported: 1, .. })));
    }

    #[test]
    fn a_segment_under_another_ones_name_is_damage() {
        let error = SegmentHeader::decode(Path::new("segment"), 5, 8, &HEADER.encode()).unwrap_err();
        assert!(error.to_string().contains("it is segment 7 under another's name"), "{error}");
    }

    #[test]
    fn a_segment_of_another_store_is_damage() {
        let error = SegmentHeader::decode(Path::new("segment"), 6, 7, &HEADER.encode()).unwrap_err();
        assert!(error.to_string().contains("it is a segment of another store"), "{error}");
    }

    #[test]
    fn a_footer_reads_back_and_a_flipped_bit_in_it_is_noticed() {
        let footer = Footer { records: 3, data_len: 40, min_sequence: 5, next_sequence: 9, crc: 0xDEAD_BEEF };
        let segment = [vec![1; 40], footer.encode().unwrap()].concat();
        assert_eq!(Footer::at_end_of(&segment), Ok(footer));
        for bit in 40 * 8..segment.len() * 8 {
            let mut damaged = segment.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Footer::at_end_of(&damaged).is_err(), "bit {bit}");
        }
        assert_eq!(Footer::at_end_of(&segment[1..]), Err(Flaw::Footer), "its place must be its own");
    }
}
