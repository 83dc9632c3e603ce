//! A record: `CRC32 | kind | sequence | version | end | key length | value length | key | value`.

use logladder_disk::sabotage::{self, Rule};

const HEADER: usize = 4 + 1 + 3 * 8 + 2 * 4;

/// The end of a value that has none.
pub(super) const NO_END: u64 = u64::MAX;

/// The bit of the kind that says that more of the same batch follows.
const CONTINUES: u8 = 0x80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Set = 1,
    Delete = 2,
    /// Behind it is what a compaction has kept: so many records as the value says. Their changes, up to the
    /// sequence, are no longer in the log.
    Base = 3,
}

#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) continues: bool,
    pub(super) sequence: u64,
    /// The version of the key; of a base, the generation of the log.
    pub(super) number: u64,
    /// In milliseconds since 1970.
    pub(super) end: u64,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// The limits of keys and values are below 2³².
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

impl Record {
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.kind == Kind::Set && !self.has_ended(now)
    }

    pub(super) fn has_ended(&self, now: u64) -> bool {
        self.end != NO_END && self.end <= now
    }

    /// `None` where the key was deleted.
    pub(super) fn value(&self) -> Option<&[u8]> {
        (self.kind == Kind::Set).then_some(&self.value)
    }

    pub(super) fn len(&self) -> u64 {
        (HEADER + self.key.len() + self.value.len()) as u64
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let mut rest = vec![self.kind as u8 | if self.continues { CONTINUES } else { 0 }];
        for number in [self.sequence, self.number, self.end] {
            rest.extend(number.to_le_bytes());
        }
        rest.extend(length(&self.key).to_le_bytes());
        rest.extend(length(&self.value).to_le_bytes());
        rest.extend(&self.key);
        rest.extend(&self.value);
        bytes.extend(crc32fast::hash(&rest).to_le_bytes());
        bytes.extend(rest);
    }

    /// The record at the beginning of `bytes`, and its length.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let short = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let (key_len, value_len) = (short(29)? as usize, short(33)? as usize);
        let end = HEADER.checked_add(key_len)?.checked_add(value_len)?;
        let rest = bytes.get(4..end)?;
        if crc32fast::hash(rest) != short(0)? && !sabotage::skips(Rule::ChecksumCheck) {
            return None;
        }
        let kind = match rest[0] & !CONTINUES {
            1 => Kind::Set,
            2 => Kind::Delete,
            3 => Kind::Base,
            _ => return None,
        };
        let (key, value) = rest[HEADER - 4..].split_at(key_len);
        let record = Self {
            kind,
            continues: rest[0] & CONTINUES != 0,
            sequence: long(5)?,
            number: long(13)?,
            end: long(21)?,
            key: key.to_vec(),
            value: value.to_vec(),
        };
        Some((record, end))
    }
}
