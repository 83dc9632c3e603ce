//! One record of a segment, and the header before the first. All numbers are little-endian.
//!
//! ```text
//!   segment   "LLMU" │ first: u32 │ CRC: u32 │ record │ record │ … │ end
//!   record    CRC: u32 │ kind: u8 │ stamp: u64 │ key length: u16 │ value length: u32 │ key │ value
//! ```
//!
//! `first` is the lowest number of a segment whose records are in this one: its own, or after a compaction that of the
//! first source. The CRC of a record covers all that follows it. A record of the kind *end* says that the segment is
//! complete.

use logladder_engine::limits::MAX_KEY_LEN;

use crate::Bug;

const MAGIC: [u8; 4] = *b"LLMU";

/// The length of a segment's header, in bytes.
pub(crate) const SEGMENT_HEADER: usize = 12;

/// The length of a record's checksum, in bytes.
const CHECKSUM: usize = 4;

/// The length of a record without its key and its value, in bytes.
pub(crate) const RECORD_HEADER: usize = 19;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The key has this value.
    Value,
    /// The key has no value.
    Tombstone,
    /// No record follows.
    End,
}

impl Kind {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Value => b'V',
            Self::Tombstone => b'T',
            Self::End => b'E',
        }
    }

    /// The kind that is written so.
    pub(crate) fn of(byte: u8) -> Option<Self> {
        [Self::Value, Self::Tombstone, Self::End].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// A record whose checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'b> {
    pub(crate) kind: Kind,
    /// The record of a key with the highest stamp is its newest.
    pub(crate) stamp: u64,
    pub(crate) key: &'b [u8],
    pub(crate) value: &'b [u8],
}

impl Record<'_> {
    pub(crate) fn len(&self) -> usize {
        RECORD_HEADER + self.key.len() + self.value.len()
    }
}

/// The record that ends a segment.
pub(crate) const END: Record<'static> = Record { kind: Kind::End, stamp: 0, key: &[], value: &[] };

/// The limits of values are below 2³².
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The bytes of a record whose key and value are within the limits.
pub(crate) fn encode(bug: Bug, record: &Record<'_>) -> Vec<u8> {
    // ANCHOR: wraps-lengths
    let value_len = if bug == Bug::WrapsLengths {
        length(record.value) % 65_536 // two bytes were enough for everyone
    } else {
        length(record.value)
    };
    // ANCHOR_END: wraps-lengths
    let key_len = u16::try_from(record.key.len()).unwrap_or(u16::MAX);
    debug_assert!(record.key.len() <= MAX_KEY_LEN, "the caller has checked it");
    let mut rest = vec![record.kind.byte()];
    rest.extend(record.stamp.to_le_bytes());
    rest.extend(key_len.to_le_bytes());
    rest.extend(value_len.to_le_bytes());
    rest.extend(record.key);
    rest.extend(record.value);
    [&checksum(bug, &rest).to_le_bytes()[..], &rest].concat()
}

/// Of what follows the checksum of a record.
pub(crate) fn checksum(bug: Bug, rest: &[u8]) -> u32 {
    // ANCHOR: unchecked-header
    let covered = if bug == Bug::UncheckedHeader { &rest[RECORD_HEADER - CHECKSUM..] } else { rest };
    // ANCHOR_END: unchecked-header
    crc32fast::hash(covered)
}

/// The length of the record at the beginning of `bytes`, as its header claims it.
pub(crate) fn claimed_len(bytes: &[u8]) -> Option<usize> {
    let key_len = u16::from_le_bytes(array(bytes, 13)?);
    let value_len = u32::from_le_bytes(array(bytes, 15)?);
    RECORD_HEADER.checked_add(usize::from(key_len))?.checked_add(usize::try_from(value_len).ok()?)
}

/// The record at the beginning of `bytes`, if there is one and its checksum is right.
pub(crate) fn parse(bug: Bug, bytes: &[u8]) -> Option<Record<'_>> {
    let rest = bytes.get(CHECKSUM..claimed_len(bytes)?)?;
    // ANCHOR: believes-records
    if bug != Bug::BelievesRecords && checksum(bug, rest) != u32::from_le_bytes(array(bytes, 0)?) {
        return None;
    }
    // ANCHOR_END: believes-records
    let key_len = usize::from(u16::from_le_bytes(array(bytes, 13)?));
    let (key, value) = rest.get(RECORD_HEADER - CHECKSUM..)?.split_at_checked(key_len)?;
    Some(Record { kind: Kind::of(rest[0])?, stamp: u64::from_le_bytes(array(bytes, 5)?), key, value })
}

/// So many bytes from `at` on.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The bytes of a segment's header.
pub(crate) fn segment_header(first: u32) -> Vec<u8> {
    let said = [&MAGIC[..], &first.to_le_bytes()].concat();
    [&said[..], &crc32fast::hash(&said).to_le_bytes()].concat()
}

/// The lowest number whose records are in the segment, if the header is right.
pub(crate) fn parse_segment_header(bytes: &[u8]) -> Option<u32> {
    let first = u32::from_le_bytes(array(bytes, 4)?);
    (bytes.get(..SEGMENT_HEADER)? == segment_header(first)).then_some(first)
}
