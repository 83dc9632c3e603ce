//! A hint: what a sealed segment holds, without the values. Opening reads hints instead of segments.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `LLHH` |
//! | 4 | 2 | the format version |
//! | 6 | 2 | zeros |
//! | 8 | 8 | the segment's number |
//! | 16 | 8 | how many records the segment has, as its footer says |
//! | 24 | 8 | how many bytes stand before the footer, as it says |
//! | 32 | 4 | the checksum of the records, as it says |
//! | 36 | 8 | how many entries follow |
//! | 44 | | the entries, rising by offset |
//! | | 4 | CRC-32 of everything before |
//!
//! An entry stands for a record that says something of a key.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 12 | the record's header without its checksum: kind and lengths, sequence number |
//! | 12 | 8 | where the record begins in the segment |
//! | 20 | | the key; if the record says [more](super::extra), that follows |
//!
//! A hint is a cache: whatever it says follows from the segment. One that is missing, cut or damaged, or that
//! belongs to another state of the segment, is as good as none: then the segment is read. That is no loss where the
//! values are small, since a page of the segment is then full of keys; so a hint is written only where it is much
//! smaller than the segment.

use super::extra::Extra;
use super::header::{Footer, SEGMENT_HEADER_LEN};
use super::record::{Header, Kind, Record};
use super::{FORMAT_VERSION, Fields, checksum, checksum_matches};

/// What a hint begins with.
pub(crate) const MAGIC: [u8; 4] = *b"LLHH";

/// Where the entries begin, and how long one is without its key.
const ENTRIES: usize = 44;
const ENTRY_LEN: usize = 20;

/// A record, without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'b> {
    pub(crate) header: Header,
    pub(crate) key: &'b [u8],
    pub(crate) extra: Extra,
    /// Where the record begins in the segment.
    pub(crate) offset: u64,
}

/// The entry that begins at `position` of a hint that was [decoded](decode) before.
pub(crate) fn entry_at(hint: &[u8], position: usize) -> Option<Entry<'_>> {
    Entry::decode(&mut Fields::of(hint.get(position..)?))
}

impl<'b> Entry<'b> {
    /// That of the record at `offset`.
    pub(crate) fn of(record: &Record<'b>, offset: u64) -> Self {
        Self { header: record.header, key: record.key, extra: record.extra, offset }
    }

    /// Whether the record takes its key's value away.
    pub(crate) fn is_delete(&self) -> bool {
        self.header.kind == Kind::Tombstone || self.extra.is_delete
    }

    /// Bytes of the key and what was set.
    pub(crate) fn live_len(&self) -> u64 {
        let (_, extra_len) = self.extra.encode();
        (u64::from(self.header.key_len) + u64::from(self.header.value_len)).saturating_sub(extra_len as u64)
    }

    fn decode(fields: &mut Fields<'b>) -> Option<Self> {
        let header = Header::decode(fields)?;
        let offset = fields.u64()?;
        let key = fields.bytes(usize::from(header.key_len))?;
        let mut extra = Extra::default();
        if header.kind == Kind::Extended {
            let before = fields.rest();
            let behind;
            (extra, behind) = Extra::decode(before)?;
            fields.bytes(before.len() - behind.len())?;
        }
        Some(Self { header, key, extra, offset })
    }

    /// How many bytes it takes.
    pub(crate) fn len(&self) -> usize {
        ENTRY_LEN + self.key.len() + self.extra.encode().1
    }

    /// Whether a segment that ends with `footer` has room for such a record.
    fn is_within(&self, footer: &Footer) -> bool {
        let end = self.offset.checked_add(self.header.record_len());
        self.header.kind.has_key()
            && self.offset >= SEGMENT_HEADER_LEN as u64
            && end.is_some_and(|end| end <= footer.data_len)
            && (footer.min_sequence..footer.next_sequence).contains(&self.header.sequence)
    }
}

/// How many bytes a hint without entries takes.
pub(crate) const EMPTY_LEN: u64 = ENTRIES as u64 + 4;

/// The bytes of the hint of segment `id`.
pub(crate) fn encode(id: u64, footer: &Footer, entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = head(id, footer).to_vec();
    bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for entry in entries {
        bytes.extend_from_slice(&entry.header.encode());
        bytes.extend_from_slice(&entry.offset.to_le_bytes());
        bytes.extend_from_slice(entry.key);
        let (extra, extra_len) = entry.extra.encode();
        bytes.extend_from_slice(&extra[..extra_len]);
    }
    let crc = checksum(&[&bytes]);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// The positions of the entries of the hint of segment `id`, rising by the offset of the record, if it is whole and
/// belongs to the segment that ends with `footer`.
pub(crate) fn decode(bytes: &[u8], id: u64, footer: &Footer) -> Option<Vec<u32>> {
    let (rest, crc) = bytes.split_last_chunk::<4>()?;
    if !checksum_matches(u32::from_le_bytes(*crc), &[rest]) {
        return None;
    }
    let head = head(id, footer);
    let mut fields = Fields::of(rest);
    if fields.bytes(head.len())? != head {
        return None;
    }
    let count = fields.u64()?;
    // The count is not believed: the list grows only as far as there are bytes.
    let mut positions = Vec::new();
    let mut behind = 0;
    for _ in 0..count {
        let position = rest.len() - fields.rest().len();
        let entry = Entry::decode(&mut fields).filter(|entry| entry.is_within(footer))?;
        if entry.offset < behind {
            return None;
        }
        behind = entry.offset + 1;
        positions.push(u32::try_from(position).ok()?);
    }
    fields.is_at_end().then_some(positions)
}

/// Everything before the number of entries: what binds a hint to one state of one segment.
fn head(id: u64, footer: &Footer) -> [u8; 36] {
    let mut head = [0; 36];
    head[..4].copy_from_slice(&MAGIC);
    head[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    head[8..16].copy_from_slice(&id.to_le_bytes());
    head[16..24].copy_from_slice(&footer.records.to_le_bytes());
    head[24..32].copy_from_slice(&footer.data_len.to_le_bytes());
    head[32..].copy_from_slice(&footer.crc.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOOTER: Footer =
        Footer { records: 3, data_len: 200, min_sequence: 5, next_sequence: 9, crc: 0xABCD };

    fn entry(key: &[u8], kind: Kind, sequence: u64, offset: u64) -> Entry<'_> {
        let header = Header::new(kind, key.len(), 10, sequence).unwrap();
        Entry { header, key, extra: Extra::default(), offset }
    }

    fn example() -> Vec<u8> {
        encode(7, &FOOTER, &[entry(b"a", Kind::Set, 5, 32), entry(b"", Kind::Tombstone, 8, 60)])
    }

    /// With its last four bytes made right.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let end = bytes.len() - 4;
        let crc = checksum(&[&bytes[..end]]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[test]
    fn a_hint_reads_back_as_it_was_written() {
        let bytes = example();
        let positions = decode(&bytes, 7, &FOOTER).unwrap();
        let entries: Vec<Entry<'_>> =
            positions.iter().map(|&at| entry_at(&bytes, super::super::index(at.into())).unwrap()).collect();
        let entries_len: u64 = entries.iter().map(|entry| entry.len() as u64).sum();
        assert_eq!(entries_len + EMPTY_LEN, bytes.len() as u64);
        assert_eq!(entries, [entry(b"a", Kind::Set, 5, 32), entry(b"", Kind::Tombstone, 8, 60)]);
    }

    #[test]
    fn a_flipped_bit_or_a_cut_anywhere_makes_a_hint_worthless() {
        let bytes = example();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged, 7, &FOOTER), None, "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len], 7, &FOOTER), None, "cut to {len}");
        }
    }

    #[test]
    fn a_hint_of_another_segment_or_another_state_of_it_is_worthless() {
        let bytes = example();
        assert_eq!(decode(&bytes, 8, &FOOTER), None);
        for other in [
            Footer { records: 4, ..FOOTER },
            Footer { data_len: 201, ..FOOTER },
            Footer { crc: 0xABCE, ..FOOTER },
        ] {
            assert_eq!(decode(&bytes, 7, &other), None);
        }
    }

    #[test]
    fn an_entry_that_points_outside_the_segment_makes_a_hint_worthless() {
        for wrong in [
            entry(b"a", Kind::Set, 5, 31),
            entry(b"a", Kind::Set, 5, 200 - 26),
            entry(b"a", Kind::Set, 5, u64::MAX),
            entry(b"a", Kind::Set, 4, 32),
            entry(b"a", Kind::Set, 9, 32),
            entry(b"", Kind::Footer, 5, 32),
        ] {
            assert_eq!(decode(&encode(7, &FOOTER, &[wrong]), 7, &FOOTER), None, "{wrong:?}");
        }
        assert!(decode(&encode(7, &FOOTER, &[entry(b"a", Kind::Set, 5, 200 - 27)]), 7, &FOOTER).is_some());
    }

    /// Failure mode 25: a count that the bytes cannot bear is refused, not allocated.
    #[test]
    fn an_absurd_count_is_refused_without_being_allocated() {
        let mut bytes = example();
        bytes[36..44].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(decode(&sealed(bytes), 7, &FOOTER), None);
    }

    #[test]
    fn bytes_behind_the_last_entry_make_a_hint_worthless() {
        let mut bytes = example();
        bytes.push(0);
        assert_eq!(decode(&sealed(bytes), 7, &FOOTER), None);
    }
}
