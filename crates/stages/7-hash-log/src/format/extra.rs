//! [`Extra`]: what a set or a tombstone may say beyond its key and its value. It stands before the value.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | bit 0: it is a tombstone; bit 1: an end follows; bit 2: a version follows; the others are 0 |
//! | 6 | the end: milliseconds since 1970, from which on the key has no value |
//! | 6 | the version: how many times the key had been written, this one included |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Fields, u48_bytes};

const DELETE: u8 = 1;
const EXPIRES: u8 = 2;
const VERSION: u8 = 4;

/// The most bytes that it takes.
pub(crate) const MAX_LEN: usize = 13;

/// What is said of a write beside its key and its value. Nearly always nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extra {
    /// Whether the key is deleted, where there is more to say of that.
    pub(crate) is_delete: bool,
    /// When the value ends, in milliseconds since 1970.
    pub(crate) expires: Option<u64>,
    /// Which version of the key it is.
    pub(crate) version: Option<u64>,
}

impl Extra {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Its bytes, and how many of them count: none if there is nothing to say.
    pub(crate) fn encode(&self) -> ([u8; MAX_LEN], usize) {
        let mut bytes = [0; MAX_LEN];
        let mut len = usize::from(!self.is_empty());
        bytes[0] = u8::from(self.is_delete) * DELETE;
        for (flag, number) in [(EXPIRES, self.expires), (VERSION, self.version)] {
            if let Some(number) = number {
                bytes[0] |= flag;
                bytes[len..len + 6].copy_from_slice(&u48_bytes(number));
                len += 6;
            }
        }
        (bytes, len)
    }

    /// What `value` begins with, and what stands behind it.
    pub(crate) fn decode(value: &[u8]) -> Option<(Self, &[u8])> {
        let (&flags, rest) = value.split_first()?;
        if flags & !(DELETE | EXPIRES | VERSION) != 0 {
            return None;
        }
        let mut fields = Fields::of(rest);
        let mut number = |flag| match flags & flag {
            0 => Some(None),
            _ => fields.u48().map(Some),
        };
        let extra =
            Self { is_delete: flags & DELETE != 0, expires: number(EXPIRES)?, version: number(VERSION)? };
        Some((extra, fields.rest()))
    }

    /// Whether the value has ended.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        // The clock is asked only where there is an end.
        self.expires.is_some_and(|end| end <= millis_of(SystemTime::now()))
    }
}

/// A moment as it is stored: milliseconds since 1970, from then to the year 10889.
pub(crate) fn millis_of(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min((1 << 48) - 1)
}

/// The moment that is stored so.
pub(crate) fn moment_of(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_as_it_was_written_and_says_nothing_in_no_bytes() {
        for (is_delete, expires, version) in [
            (false, None, Some(1)),
            (true, None, Some(2)),
            (false, Some(3), None),
            (false, Some(4), Some((1 << 48) - 1)),
        ] {
            let extra = Extra { is_delete, expires, version };
            let (bytes, len) = extra.encode();
            let value = [&bytes[..len], b"value"].concat();
            assert_eq!(Extra::decode(&value), Some((extra, &b"value"[..])));
        }
        assert_eq!(Extra::default().encode().1, 0);
    }

    #[test]
    fn unknown_bits_and_cut_numbers_are_refused() {
        for flags in 8..=u8::MAX {
            assert_eq!(Extra::decode(&[flags; 20]), None);
        }
        for len in 0..7 {
            assert_eq!(Extra::decode(&[EXPIRES, 0, 0, 0, 0, 0, 0][..len]), None);
        }
    }

    #[test]
    fn a_moment_is_kept_to_the_millisecond_and_the_far_ones_are_bounded() {
        let moment = UNIX_EPOCH + Duration::from_micros(1_234_567);
        assert_eq!(moment_of(millis_of(moment)), UNIX_EPOCH + Duration::from_millis(1_234));
        assert_eq!(millis_of(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(millis_of(UNIX_EPOCH + Duration::from_hours(24 * 365 * 20_000)), (1 << 48) - 1);
    }
}
