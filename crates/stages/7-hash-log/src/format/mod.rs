//! The bytes on the disk: what each file holds, and how it is checked before it is believed.
//!
//! Everything is little-endian. Every file begins with a magic and a format version, and every byte of it is
//! covered by a checksum: CRC-32 as in zlib and Ethernet (IEEE 802.3), which finds every single flipped bit
//! and every burst of up to 32.
//!
//! [`record`], [`extra`] and [`header`] are the log itself; [`manifest`] names the segments that make up the store.
//! Two are caches, so that opening need not read the log: [`hint`] repeats what is in a segment, without its values;
//! [`checkpoint`] is the index of a store that was closed.

pub(crate) mod checkpoint;
pub(crate) mod extra;
pub(crate) mod header;
pub(crate) mod hint;
pub(crate) mod manifest;
pub(crate) mod record;

use std::fmt;

use logladder_disk::sabotage::{self, Rule};

/// The version of every file of this stage, and of the store as a whole.
pub(crate) const FORMAT_VERSION: u16 = 1;

/// The checksum of `parts`, one after the other.
pub(crate) fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// Whether `parts` have the checksum that the file says they have.
pub(crate) fn checksum_matches(stored: u32, parts: &[&[u8]]) -> bool {
    sabotage::skips(Rule::ChecksumCheck) || stored == checksum(parts)
}

/// What is wrong with some bytes. The caller knows the file and the offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// These 16 bytes are no record's header.
    NoHeader,
    /// The record would end behind the file.
    TooShort,
    /// The checksum differs.
    Checksum,
    /// What stands before its value is nothing that is known.
    Extra,
    /// The batch that begins here is not whole.
    Batch,
    /// The record is whole, but it is not the one that belongs here: one is missing, or out of place.
    Sequence {
        /// The number that belongs here.
        expected: u64,
        /// The number that is here.
        found: u64,
    },
    /// The footer contradicts the records before it.
    Footer,
    /// Something stands behind the footer.
    BehindFooter,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => f.write_str("no record begins here"),
            Self::TooShort => f.write_str("the record that begins here would end behind the file"),
            Self::Checksum => f.write_str("the checksum of the record that begins here differs"),
            Self::Extra => f.write_str("the record that begins here says more than is known"),
            Self::Batch => f.write_str("the batch that begins here is not whole"),
            Self::Sequence { expected, found } => {
                write!(f, "the record here has sequence number {found}, where {expected} belongs")
            }
            Self::Footer => f.write_str("the segment's footer contradicts the records before it"),
            Self::BehindFooter => f.write_str("the segment goes on behind its footer"),
        }
    }
}

/// Reads fields one after the other. At the end of the bytes it says `None`, and never reads past it.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'b> {
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    pub(crate) fn of(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'b [u8]> {
        let (field, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(field)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*field)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u48(&mut self) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes[..6].copy_from_slice(&self.array::<6>()?);
        Some(u64::from_le_bytes(bytes))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'b [u8] {
        self.rest
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

/// The six bytes of a number below 2⁴⁸. The two above are zero and left out.
pub(crate) fn u48_bytes(number: u64) -> [u8; 6] {
    let mut bytes = [0; 6];
    bytes.copy_from_slice(&number.to_le_bytes()[..6]);
    bytes
}

/// A length or an offset as the index of a slice. On the 64-bit targets that the workspace supports it always
/// fits; elsewhere one that does not is larger than any slice, and so is the answer.
pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
