//! A record: one set, one delete, or the footer of a segment.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | CRC-32 of everything behind it: the rest of the header, the key and the value |
//! | 4 | 4 | the top two bits: the kind (1 set, 2 tombstone, 3 footer); the low 30: the value's length |
//! | 8 | 2 | the key's length |
//! | 10 | 6 | the sequence number |
//! | 16 | | the key, then the value |
//!
//! There is no kind 0, so that zeros are never a record. The checksum covers the header, so that no length is
//! believed that was not written.

use logladder_engine::{Error, Result, limits};

use super::{Fields, Flaw, checksum, checksum_matches, index, u48_bytes};

/// Bytes before the key.
pub(crate) const HEADER_LEN: usize = 16;

/// The greatest sequence number that a set or a delete can have. A footer has one more than the last record
/// before it, and that must fit in six bytes as well.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 2;

const VALUE_LEN_BITS: u32 = 30;

/// What a record does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The key has this value.
    Set,
    /// The key has no value. A grave marker: it says that something older is dead.
    Tombstone,
    /// The segment ends here.
    Footer,
}

impl Kind {
    fn code(self) -> u32 {
        match self {
            Self::Set => 1,
            Self::Tombstone => 2,
            Self::Footer => 3,
        }
    }

    /// The kind and the value's length, as they share four bytes.
    fn pack(self, value_len: u32) -> u32 {
        self.code() << VALUE_LEN_BITS | value_len
    }

    /// The reverse of [`pack`](Self::pack).
    pub(crate) fn unpack(packed: u32) -> Option<(Self, u32)> {
        let kind = match packed >> VALUE_LEN_BITS {
            1 => Self::Set,
            2 => Self::Tombstone,
            3 => Self::Footer,
            _ => return None,
        };
        Some((kind, packed & ((1 << VALUE_LEN_BITS) - 1)))
    }
}

/// The header of a record, without its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) value_len: u32,
    pub(crate) key_len: u16,
    pub(crate) sequence: u64,
}

impl Header {
    /// The header of a record with a key and a value of these lengths, if they have room in it.
    pub(crate) fn new(kind: Kind, key_len: usize, value_len: usize, sequence: u64) -> Result<Self> {
        let too_large =
            |what, len: usize, limit: usize| Error::TooLarge { what, len: len as u64, limit: limit as u64 };
        let short_key =
            u16::try_from(key_len).map_err(|_| too_large("the key", key_len, limits::MAX_KEY_LEN))?;
        let short_value = u32::try_from(value_len)
            .ok()
            .filter(|_| value_len <= limits::MAX_VALUE_LEN)
            .ok_or_else(|| too_large("the value", value_len, limits::MAX_VALUE_LEN))?;
        Ok(Self { kind, value_len: short_value, key_len: short_key, sequence })
    }

    /// The header as it is written, behind the checksum.
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN - 4] {
        let mut bytes = [0; HEADER_LEN - 4];
        bytes[..4].copy_from_slice(&self.kind.pack(self.value_len).to_le_bytes());
        bytes[4..6].copy_from_slice(&self.key_len.to_le_bytes());
        bytes[6..].copy_from_slice(&u48_bytes(self.sequence));
        bytes
    }

    /// The next header of `fields`, behind its checksum. Nothing of it has been checked.
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let (kind, value_len) = Kind::unpack(fields.u32()?)?;
        Some(Self { kind, value_len, key_len: fields.u16()?, sequence: fields.u48()? })
    }

    /// The length of the whole record.
    pub(crate) fn record_len(&self) -> u64 {
        HEADER_LEN as u64 + u64::from(self.key_len) + u64::from(self.value_len)
    }
}

/// A record in the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'b> {
    pub(crate) header: Header,
    pub(crate) key: &'b [u8],
    pub(crate) value: &'b [u8],
    /// All of it, as it would be copied elsewhere.
    pub(crate) bytes: &'b [u8],
}

impl<'b> Record<'b> {
    /// The record that `bytes` begins with, checked.
    pub(crate) fn decode(bytes: &'b [u8]) -> std::result::Result<Self, Flaw> {
        let mut fields = Fields::of(bytes);
        let stored = fields.u32().ok_or(Flaw::NoHeader)?;
        let header = Header::decode(&mut fields).ok_or(Flaw::NoHeader)?;
        let bytes = bytes.get(..index(header.record_len())).ok_or(Flaw::TooShort)?;
        if !checksum_matches(stored, &[&bytes[4..]]) {
            return Err(Flaw::Checksum);
        }
        let (key, value) = bytes[HEADER_LEN..].split_at(usize::from(header.key_len));
        Ok(Self { header, key, value, bytes })
    }
}

/// Writes a record behind what is in `buffer`.
pub(crate) fn encode(buffer: &mut Vec<u8>, header: Header, key: &[u8], value: &[u8]) {
    let head = header.encode();
    buffer.reserve(index(header.record_len()));
    buffer.extend_from_slice(&checksum(&[&head, key, value]).to_le_bytes());
    buffer.extend_from_slice(&head);
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(kind: Kind, key: &[u8], value: &[u8], sequence: u64) -> Vec<u8> {
        let mut buffer = Vec::new();
        let header = Header::new(kind, key.len(), value.len(), sequence).unwrap();
        encode(&mut buffer, header, key, value);
        buffer
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for kind in [Kind::Set, Kind::Tombstone] {
            for (key, value) in [(&b""[..], &b""[..]), (b"k", b""), (b"", b"v"), (b"key", b"value")] {
                let bytes = encoded(kind, key, value, MAX_SEQUENCE);
                let record = Record::decode(&bytes).unwrap();
                assert_eq!((record.key, record.value), (key, value));
                assert_eq!((record.header.kind, record.header.sequence), (kind, MAX_SEQUENCE));
                assert_eq!(record.bytes, bytes);
            }
        }
    }

    /// Failure mode 18: a length that wraps turns a value into a tombstone.
    #[test]
    fn the_longest_lengths_pass_the_encoder_and_one_byte_more_is_refused() {
        let (key, value) = (limits::MAX_KEY_LEN, limits::MAX_VALUE_LEN);
        let longest = Header::new(Kind::Set, key, value, MAX_SEQUENCE).unwrap();
        assert_eq!(Header::decode(&mut Fields::of(&longest.encode())), Some(longest));
        assert_eq!(longest.record_len(), 16 + 65_535 + (1 << 30) - 1);

        assert!(matches!(
            Header::new(Kind::Set, key + 1, 0, 1),
            Err(Error::TooLarge { what: "the key", .. })
        ));
        for len in [value + 1, 1 << 31, (1 << 32) - 1, 1 << 32, usize::MAX] {
            let refused = Header::new(Kind::Set, 1, len, 1);
            assert!(matches!(refused, Err(Error::TooLarge { what: "the value", .. })), "{len}");
        }
    }

    /// Failure mode 20: a checksum that leaves out the header.
    #[test]
    fn a_flipped_bit_anywhere_in_a_record_is_noticed() {
        let bytes = encoded(Kind::Set, b"key", b"value", 77);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::decode(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn zeros_are_never_a_record() {
        assert_eq!(Record::decode(&[0; 64]), Err(Flaw::NoHeader));
    }

    #[test]
    fn a_record_cut_anywhere_is_not_one() {
        let bytes = encoded(Kind::Set, b"key", b"value", 77);
        for len in 0..bytes.len() {
            assert!(matches!(Record::decode(&bytes[..len]), Err(Flaw::NoHeader | Flaw::TooShort)), "{len}");
        }
    }
}
