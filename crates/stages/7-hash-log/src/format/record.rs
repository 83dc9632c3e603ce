//! A record: one set, one delete, or a mark: the head of a batch, the footer of a segment.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | CRC-32 of everything behind it: the rest of the header, the key and the value |
//! | 4 | 4 | the top two bits: the kind; the low 30: the value's length |
//! | 8 | 2 | the key's length |
//! | 10 | 6 | the sequence number |
//! | 16 | | the key, then the value |
//!
//! The kinds: 1 is a set and 2 a tombstone. 3 is a mark, which has no key: with a value of 12 bytes it is the
//! head of a batch, with one of 28 the [footer](super::header). 0 is a set or a tombstone that says
//! [more](Extra); it has at least one byte of value, so that zeros are never a record.
//!
//! The checksum covers the header, so that no length is believed that was not written.

use logladder_engine::{Error, Result, limits};

use super::extra::Extra;
use super::{Fields, Flaw, checksum, checksum_matches, index, u48_bytes};

/// Bytes before the key.
pub(crate) const HEADER_LEN: usize = 16;

/// The greatest sequence number that a set or a delete can have. A footer has one more than the last record
/// before it, and that must fit in six bytes as well.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 2;

const VALUE_LEN_BITS: u32 = 30;

/// What the value of a mark must measure.
pub(crate) const BATCH_LEN: usize = 12;
pub(crate) const FOOTER_VALUE_LEN: usize = 28;

/// What a record does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The key has this value.
    Set,
    /// The key has no value. A grave marker: it says that something older is dead.
    Tombstone,
    /// One of these two, with [`Extra`].
    Extended,
    /// The records behind it are all there or none is.
    Batch,
    /// The segment ends here.
    Footer,
}

impl Kind {
    /// The kind and the value's length, as they share four bytes.
    fn pack(self, value_len: u32) -> u32 {
        let code = match self {
            Self::Extended => 0,
            Self::Set => 1,
            Self::Tombstone => 2,
            Self::Batch | Self::Footer => 3,
        };
        code << VALUE_LEN_BITS | value_len
    }

    /// The reverse of [`pack`](Self::pack).
    pub(crate) fn unpack(packed: u32) -> Option<(Self, u32)> {
        let len = packed & ((1 << VALUE_LEN_BITS) - 1);
        let kind = match (packed >> VALUE_LEN_BITS, len) {
            (0, 1..) => Self::Extended,
            (1, _) => Self::Set,
            (2, _) => Self::Tombstone,
            (3, 12) => Self::Batch,
            (3, 28) => Self::Footer,
            _ => return None,
        };
        Some((kind, len))
    }

    /// Whether it says something of a key.
    pub(crate) fn has_key(self) -> bool {
        matches!(self, Self::Set | Self::Tombstone | Self::Extended)
    }
}

/// The header of a record, without its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// With what is [extra](Extra).
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
    /// Of a set, what was set; of a tombstone, nothing.
    pub(crate) value: &'b [u8],
    pub(crate) extra: Extra,
    /// All of it, as it would be copied elsewhere.
    pub(crate) bytes: &'b [u8],
}

impl<'b> Record<'b> {
    /// The record that `bytes` begins with, checked.
    #[inline]
    pub(crate) fn decode(bytes: &'b [u8]) -> std::result::Result<Self, Flaw> {
        let record = Self::unchecked(bytes)?;
        let (stored, rest) = record.bytes.split_first_chunk::<4>().ok_or(Flaw::NoHeader)?;
        if !checksum_matches(u32::from_le_bytes(*stored), &[rest]) {
            return Err(Flaw::Checksum);
        }
        Ok(record)
    }

    /// The record that `bytes` begins with, if it is known to be one: its checksum is not compared.
    #[inline]
    pub(crate) fn unchecked(bytes: &'b [u8]) -> std::result::Result<Self, Flaw> {
        let mut fields = Fields::of(bytes);
        let _checksum = fields.u32().ok_or(Flaw::NoHeader)?;
        let header = Header::decode(&mut fields).ok_or(Flaw::NoHeader)?;
        let bytes = bytes.get(..index(header.record_len())).ok_or(Flaw::TooShort)?;
        let (key, value) = bytes[HEADER_LEN..].split_at(usize::from(header.key_len));
        let (extra, value) = match header.kind {
            Kind::Extended => Extra::decode(value).ok_or(Flaw::Extra)?,
            _ => (Extra::default(), value),
        };
        Ok(Self { header, key, value, extra, bytes })
    }

    /// Whether it takes its key's value away.
    pub(crate) fn is_delete(&self) -> bool {
        self.header.kind == Kind::Tombstone || self.extra.is_delete
    }

    /// The value that the key has by this record at this moment.
    #[inline]
    pub(crate) fn live_value(&self) -> Option<&'b [u8]> {
        (!self.is_delete() && !self.extra.has_ended()).then_some(self.value)
    }

    /// What is stored in its checksum's place.
    pub(crate) fn checksum(&self) -> [u8; 4] {
        self.bytes.first_chunk().copied().unwrap_or_default()
    }
}

/// Writes a record behind what is in `buffer`, and says what its header is. Without a value it is a tombstone.
///
/// # Errors
///
/// [`Error::TooLarge`]; then nothing was written.
pub(crate) fn encode(
    buffer: &mut Vec<u8>,
    key: &[u8],
    value: Option<&[u8]>,
    extra: Extra,
    sequence: u64,
) -> Result<Header> {
    let extra = Extra { is_delete: value.is_none() && !extra.is_empty(), ..extra };
    let (more, more_len) = extra.encode();
    let more = &more[..more_len];
    let kind = match value {
        _ if !more.is_empty() => Kind::Extended,
        Some(_) => Kind::Set,
        None => Kind::Tombstone,
    };
    let value = value.unwrap_or_default();
    let header = Header::new(kind, key.len(), value.len().saturating_add(more_len), sequence)?;
    append(buffer, header, key, more, value);
    Ok(header)
}

/// Writes a mark behind what is in `buffer`: its value says which.
pub(crate) fn encode_mark(buffer: &mut Vec<u8>, kind: Kind, value: &[u8], sequence: u64) -> Result<Header> {
    let header = Header::new(kind, 0, value.len(), sequence)?;
    append(buffer, header, &[], &[], value);
    Ok(header)
}

fn append(buffer: &mut Vec<u8>, header: Header, key: &[u8], more: &[u8], value: &[u8]) {
    let start = buffer.len();
    buffer.reserve(index(header.record_len()));
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&header.encode());
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(more);
    buffer.extend_from_slice(value);
    let crc = checksum(&[&buffer[start + 4..]]);
    buffer[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// What the head of a batch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHead {
    /// How many records follow it.
    pub(crate) count: u32,
    /// How many bytes those are.
    pub(crate) len: u64,
}

impl BatchHead {
    pub(crate) fn encode(self) -> [u8; BATCH_LEN] {
        let mut value = [0; BATCH_LEN];
        value[..4].copy_from_slice(&self.count.to_le_bytes());
        value[4..].copy_from_slice(&self.len.to_le_bytes());
        value
    }

    /// The head in a record of that kind.
    pub(crate) fn of_record(record: &Record<'_>) -> Option<Self> {
        if record.header.kind != Kind::Batch || !record.key.is_empty() {
            return None;
        }
        let mut fields = Fields::of(record.value);
        Some(Self { count: fields.u32()?, len: fields.u64()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(key: &[u8], value: Option<&[u8]>, extra: Extra, sequence: u64) -> Vec<u8> {
        let mut buffer = Vec::new();
        encode(&mut buffer, key, value, extra, sequence).unwrap();
        buffer
    }

    fn plain() -> Vec<u8> {
        encoded(b"key", Some(b"value"), Extra::default(), 77)
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let extras = [
            Extra::default(),
            Extra { expires: Some(1), ..Extra::default() },
            Extra { version: Some((1 << 48) - 1), ..Extra::default() },
            Extra { expires: Some((1 << 48) - 1), version: Some(2), is_delete: false },
        ];
        for extra in extras {
            for (key, value) in [
                (&b""[..], Some(&b""[..])),
                (b"k", Some(b"")),
                (b"", Some(b"v")),
                (b"key", Some(b"value")),
                (b"key", None),
            ] {
                let bytes = encoded(key, value, extra, MAX_SEQUENCE);
                let record = Record::decode(&bytes).unwrap();
                assert_eq!((record.key, record.value), (key, value.unwrap_or_default()));
                assert_eq!((record.is_delete(), record.header.sequence), (value.is_none(), MAX_SEQUENCE));
                assert_eq!((record.extra.expires, record.extra.version), (extra.expires, extra.version));
                assert_eq!(record.bytes, bytes);
            }
        }
    }

    #[test]
    fn a_set_and_a_tombstone_take_sixteen_bytes_more_than_their_key_and_value() {
        assert_eq!(plain().len(), 16 + 8);
        assert_eq!(encoded(b"key", None, Extra::default(), 1).len(), 16 + 3);
    }

    #[test]
    fn the_head_of_a_batch_reads_back() {
        let head = BatchHead { count: 3, len: 1 << 40 };
        let mut bytes = Vec::new();
        encode_mark(&mut bytes, Kind::Batch, &head.encode(), 9).unwrap();
        assert_eq!(BatchHead::of_record(&Record::decode(&bytes).unwrap()), Some(head));
        assert_eq!(BatchHead::of_record(&Record::decode(&plain()).unwrap()), None);
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
        let extended = encoded(b"key", Some(b"value"), Extra { version: Some(7), ..Extra::default() }, 77);
        for bytes in [plain(), extended] {
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(Record::decode(&damaged).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn zeros_are_never_a_record() {
        for len in [16, 17, 64] {
            assert_eq!(Record::decode(&vec![0; len]), Err(Flaw::NoHeader));
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_not_one() {
        let bytes = plain();
        for len in 0..bytes.len() {
            assert!(matches!(Record::decode(&bytes[..len]), Err(Flaw::NoHeader | Flaw::TooShort)), "{len}");
        }
    }
}
