//! The bytes of a key's file: a header, the key, the value.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | the magic `LLFK` |
//! | 4 | 1 | the format version, 1 |
//! | 5 | 3 | zeros |
//! | 8 | 4 | CRC-32 of bytes 0–7 and of everything from offset 12 on |
//! | 12 | 4 | the key's length, little-endian |
//! | 16 | 8 | the value's length, little-endian |
//! | 24 | | the key, then the value, and nothing after it |

use std::ops::Range;
use std::path::Path;

use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Error, Field, Result};

/// What every file of this stage begins with.
pub const MAGIC: [u8; 4] = *b"LLFK";
/// The format version that this code writes, and the newest that it reads.
pub const VERSION: u8 = 1;
/// Bytes before the key.
pub const HEADER_LEN: usize = 24;

/// The header and the key; the value follows as it is, without a copy.
pub(crate) fn head(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEADER_LEN + key.len());
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&[VERSION, 0, 0, 0]);
    head.extend_from_slice(&[0; 4]);
    // `limits` keeps a key within 16 bits.
    head.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
    head.extend_from_slice(&(value.len() as u64).to_le_bytes());
    head.extend_from_slice(key);
    let checksum = checksum(&head, value);
    head[8..12].copy_from_slice(&checksum.to_le_bytes());
    head
}

/// Takes a file apart into its key and value.
///
/// # Errors
///
/// [`Error::Corrupt`] or [`Error::UnsupportedVersion`].
pub(crate) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
    let Some((header, content)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        let what = format!("it has {} bytes, fewer than a header", bytes.len());
        return Err(Error::corrupt(path, bytes.len() as u64, what));
    };
    let [m0, m1, m2, m3, version, _, _, _, c0, c1, c2, c3, k0, k1, k2, k3, value_len @ ..] = *header;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(Error::corrupt(path, 0, "it does not begin with the magic `LLFK`"));
    }
    let intact = sabotage::skips(Rule::ChecksumCheck)
        || u32::from_le_bytes([c0, c1, c2, c3]) == checksum(header, content);
    if version > VERSION && intact {
        let (found, supported) = (version.into(), VERSION.into());
        return Err(Error::UnsupportedVersion { path: path.to_path_buf(), found, supported });
    }
    if !intact {
        return Err(Error::corrupt(path, 8, "its checksum does not match what it holds"));
    }
    let key_len = u64::from(u32::from_le_bytes([k0, k1, k2, k3]));
    let value_len = u64::from_le_bytes(value_len);
    if key_len.checked_add(value_len) != Some(content.len() as u64) {
        return Err(Error::corrupt(path, 12, "its lengths do not add up to the file's"));
    }
    // At most the length of `content`, as just checked.
    let (key, value) = content.split_at(usize::try_from(key_len).unwrap_or(content.len()));
    Ok((key, value))
}

/// Names the bytes of a file of this stage, for lessons and inspection. A damaged file is described as far as
/// it goes.
///
/// ```
/// # use logladder_engine::{Engine, Open};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = logladder_file_per_key::FilePerKey::open(dir.path(), Default::default())?;
/// store.set(b"name", b"anna")?;
/// let bytes = std::fs::read(dir.path().join("k-6e616d65")).unwrap();
/// let fields = logladder_file_per_key::describe("k-6e616d65", &bytes);
/// assert_eq!(fields.last().map(|field| (field.name, field.bytes.clone())), Some(("value", 28..32)));
/// # Ok::<(), logladder_engine::Error>(())
/// ```
#[must_use]
pub fn describe(file_name: &str, bytes: &[u8]) -> Vec<Field> {
    if !logladder_disk::names::is_of_key(file_name) || bytes.len() < HEADER_LEN {
        return Vec::new();
    }
    let number = |range: Range<usize>| {
        bytes[range].iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
    };
    let (key_len, value_len) = (number(12..16), number(16..24));
    let verdict = match parse(Path::new(file_name), bytes) {
        Ok(_) => "matches what it covers: everything else in the file",
        Err(_) => "does not match what it covers",
    };
    let key_end = usize::try_from(key_len).unwrap_or(usize::MAX).saturating_add(HEADER_LEN).min(bytes.len());
    let text = |range: Range<usize>| format!("{:?}", String::from_utf8_lossy(&bytes[range]));
    vec![
        Field::new(0..4, "magic", text(0..4)),
        Field::new(4..5, "version", bytes[4].to_string()),
        Field::new(5..8, "zeros", "so that the lengths are aligned"),
        Field::new(8..12, "checksum", verdict),
        Field::new(12..16, "key length", key_len.to_string()),
        Field::new(16..24, "value length", value_len.to_string()),
        Field::new(HEADER_LEN..key_end, "key", text(HEADER_LEN..key_end)),
        Field::new(key_end..bytes.len(), "value", text(key_end..bytes.len())),
    ]
}

// ANCHOR: checksum
/// Over everything but the four bytes that hold it. `head` may go on into the key.
fn checksum(head: &[u8], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head[..8]);
    hasher.update(&head[12..]);
    hasher.update(rest);
    hasher.finalize()
}
// ANCHOR_END: checksum

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut bytes = head(key, value);
        bytes.extend_from_slice(value);
        bytes
    }

    #[test]
    fn the_bytes_are_those_of_the_format_page() {
        assert_eq!(
            file(b"name", b"anna"),
            [
                &b"LLFK"[..],
                &[1, 0, 0, 0],
                &checksum(&head(b"name", b"anna"), b"anna").to_le_bytes(),
                &[4, 0, 0, 0],
                &[4, 0, 0, 0, 0, 0, 0, 0],
                b"name",
                b"anna"
            ]
            .concat()
        );
    }

    #[test]
    fn a_flip_of_any_bit_and_a_cut_at_any_byte_is_an_error() {
        let path = Path::new("k-6b6579");
        let good = file(b"key", b"a value");
        assert_eq!(parse(path, &good).unwrap(), (&b"key"[..], &b"a value"[..]));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(path, &bad).is_err(), "bit {bit}");
        }
        for len in 0..good.len() {
            assert!(parse(path, &good[..len]).is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn lengths_that_wrap_are_an_error_and_no_panic() {
        let mut bad = file(b"key", b"value");
        bad[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        let sum = checksum(&bad[..HEADER_LEN], &bad[HEADER_LEN..]);
        bad[8..12].copy_from_slice(&sum.to_le_bytes());
        assert!(matches!(parse(Path::new("k-"), &bad), Err(Error::Corrupt { offset: 12, .. })));
    }
}
