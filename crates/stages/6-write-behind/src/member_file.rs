//! The bytes of a member's file: a header, the names of the collection and of the member, the value.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | the magic `LLWB` |
//! | 4 | 1 | the format version, 1 |
//! | 5 | 1 | 1 for a member of a collection, 0 for a key without one |
//! | 6 | 2 | zeros |
//! | 8 | 4 | CRC-32 of bytes 0–7 and of everything from offset 12 on |
//! | 12 | 2 | the length of the collection's name, little-endian |
//! | 14 | 2 | the length of the member's name, little-endian |
//! | 16 | 4 | the length of the value, little-endian |
//! | 20 | | the collection, the member, the value, and nothing after them |

use std::ops::Range;
use std::path::Path;

use logladder_disk::names::is_of_key;
use logladder_disk::sabotage::{self, Rule};
use logladder_engine::limits::MAX_KEY_LEN;
use logladder_engine::{Error, Field, Result};

/// What every file of this stage begins with.
pub const MAGIC: [u8; 4] = *b"LLWB";
/// The format version that this code writes, and the newest that it reads.
pub const VERSION: u8 = 1;
/// Bytes before the names.
pub const HEADER_LEN: usize = 20;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'b> {
    /// None for a key without a `/`.
    pub(crate) collection: Option<&'b [u8]>,
    pub(crate) member: &'b [u8],
    pub(crate) value: &'b [u8],
}

impl<'b> Entry<'b> {
    /// The header and the names. The value follows as it is, without a copy.
    pub(crate) fn head(&self) -> Vec<u8> {
        let collection = self.collection.unwrap_or_default();
        let mut head = Vec::with_capacity(HEADER_LEN + collection.len() + self.member.len());
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&[VERSION, self.collection.is_some().into(), 0, 0]);
        head.extend_from_slice(&[0; 4]);
        // `limits` keeps the key, of which these are parts, within 16 bits, and the value within 30.
        for name in [collection, self.member] {
            head.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        }
        head.extend_from_slice(&u32::try_from(self.value.len()).unwrap_or(u32::MAX).to_le_bytes());
        head.extend_from_slice(collection);
        head.extend_from_slice(self.member);
        let checksum = checksum(&[&head[..8], &head[12..], self.value]);
        head[8..12].copy_from_slice(&checksum.to_le_bytes());
        head
    }

    /// Takes a file apart.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] or [`Error::UnsupportedVersion`].
    pub(crate) fn parse(path: &Path, bytes: &'b [u8]) -> Result<Self> {
        let corrupt = |offset, what: &str| Err(Error::corrupt(path, offset, what));
        let Some((header, contents)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            let what = format!("it has {} bytes, fewer than a header", bytes.len());
            return Err(Error::corrupt(path, bytes.len() as u64, what));
        };
        let [magic @ .., version, kind, z0, z1, s0, s1, s2, s3, c0, c1, m0, m1, v0, v1, v2, v3] = *header;
        if magic != MAGIC {
            return corrupt(0, "it does not begin with the magic `LLWB`");
        }
        let found = checksum(&[&bytes[..8], &bytes[12..]]);
        if u32::from_le_bytes([s0, s1, s2, s3]) != found && !sabotage::skips(Rule::ChecksumCheck) {
            return corrupt(8, "its checksum does not match what it holds");
        }
        // Only a version that passed the check is believed: a flipped bit is damage, and no newer program.
        if version > VERSION {
            let (found, supported) = (version.into(), VERSION.into());
            return Err(Error::UnsupportedVersion { path: path.to_path_buf(), found, supported });
        }
        let collection_len = usize::from(u16::from_le_bytes([c0, c1]));
        let member_len = usize::from(u16::from_le_bytes([m0, m1]));
        let value_len = u64::from(u32::from_le_bytes([v0, v1, v2, v3]));
        let is_member = match (version, kind, [z0, z1]) {
            (VERSION, 0, [0, 0]) if collection_len == 0 => false,
            (VERSION, 1, [0, 0]) => true,
            _ => return corrupt(4, "it says to be of a kind that there is not"),
        };
        if (collection_len + member_len) as u64 + value_len != contents.len() as u64 {
            return corrupt(12, "its lengths do not add up to the file's");
        }
        if collection_len + member_len + usize::from(is_member) > MAX_KEY_LEN {
            return corrupt(12, "its key is longer than a key may be");
        }
        let (names, value) = contents.split_at(collection_len + member_len);
        let (collection, member) = names.split_at(collection_len);
        Ok(Self { collection: is_member.then_some(collection), member, value })
    }
}

/// Names the bytes of a file of this stage, for lessons and inspection. A damaged file is described as far as
/// it goes. `file_name` may come with its folder.
///
/// ```
/// # use logladder_engine::{Engine, Open};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = logladder_write_behind::WriteBehind::open(dir.path(), Default::default())?;
/// store.set(b"artist/air", b"calm")?;
/// store.sync()?;
/// let bytes = std::fs::read(dir.path().join("k-617274697374/k-616972")).unwrap();
/// let fields = logladder_write_behind::describe("k-616972", &bytes);
/// assert_eq!(fields.last().map(|field| (field.name, field.bytes.clone())), Some(("value", 29..33)));
/// # Ok::<(), logladder_engine::Error>(())
/// ```
#[must_use]
pub fn describe(file_name: &str, bytes: &[u8]) -> Vec<Field> {
    let name = file_name.rsplit('/').next().unwrap_or(file_name);
    if !is_of_key(name) || bytes.len() < HEADER_LEN {
        return Vec::new();
    }
    let number = |range: Range<usize>| {
        bytes[range].iter().rev().fold(0_usize, |number, &byte| number << 8 | usize::from(byte))
    };
    let verdict = match Entry::parse(Path::new(file_name), bytes) {
        Ok(_) => "matches what it covers: everything else in the file",
        Err(_) => "does not match what it covers",
    };
    let kind = if bytes[5] == 0 { "0: a key without a collection" } else { "1: a member of a collection" };
    let text = |range: Range<usize>| format!("{:?}", String::from_utf8_lossy(&bytes[range]));
    let member_start = (HEADER_LEN + number(12..14)).min(bytes.len());
    let value_start = (member_start + number(14..16)).min(bytes.len());
    vec![
        Field::new(0..4, "magic", text(0..4)),
        Field::new(4..5, "version", bytes[4].to_string()),
        Field::new(5..6, "kind", kind),
        Field::new(6..8, "zeros", "so that the lengths are aligned"),
        Field::new(8..12, "checksum", verdict),
        Field::new(12..14, "collection length", number(12..14).to_string()),
        Field::new(14..16, "member length", number(14..16).to_string()),
        Field::new(16..20, "value length", number(16..20).to_string()),
        Field::new(HEADER_LEN..member_start, "collection", text(HEADER_LEN..member_start)),
        Field::new(member_start..value_start, "member", text(member_start..value_start)),
        Field::new(value_start..bytes.len(), "value", text(value_start..bytes.len())),
    ]
}

/// Over everything but the four bytes that hold it.
fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AIR: Entry<'_> = Entry { collection: Some(b"artist"), member: b"air", value: b"calm" };

    fn file(entry: &Entry<'_>) -> Vec<u8> {
        [&entry.head(), entry.value].concat()
    }

    /// The file with a checksum that is right for what it now holds.
    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let sum = checksum(&[&bytes[..8], &bytes[12..]]);
        bytes[8..12].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn the_bytes_are_those_of_the_format_page() {
        let expected = [
            &b"LLWB"[..],
            &[1, 1, 0, 0],
            &[0x84, 0x24, 0xC3, 0x9D],
            &[6, 0],
            &[3, 0],
            &[4, 0, 0, 0],
            b"artist",
            b"air",
            b"calm",
        ];
        assert_eq!(file(&AIR), expected.concat());
    }

    #[test]
    fn a_file_reads_back_whatever_its_names_and_value() {
        for collection in [None, Some(&b""[..]), Some(b"artist"), Some(b"\xFF\0")] {
            for (member, value) in [(&b""[..], &b""[..]), (b"air", b"LLWB"), (b"a/b", b"\0")] {
                let entry = Entry { collection, member, value };
                assert_eq!(Entry::parse(Path::new("k-"), &file(&entry)).unwrap(), entry);
            }
        }
    }

    #[test]
    fn a_flip_of_any_bit_and_a_cut_at_any_byte_is_an_error() {
        let good = file(&AIR);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let error = Entry::parse(Path::new("k-616972"), &bad).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "bit {bit}: {error}");
        }
        for len in 0..good.len() {
            assert!(Entry::parse(Path::new("k-616972"), &good[..len]).is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut newer = file(&AIR);
        newer[4] = VERSION + 1;
        let error = Entry::parse(Path::new("k-616972"), &resealed(newer)).unwrap_err();
        assert!(matches!(error, Error::UnsupportedVersion { found: 2, supported: 1, .. }), "{error}");
    }

    #[test]
    fn absurd_fields_are_an_error_and_no_panic_even_under_a_right_checksum() {
        let absurd: [(Range<usize>, &[u8]); 7] = [
            (4..5, &[0]),
            (5..6, &[0]),
            (5..6, &[2]),
            (6..7, &[1]),
            (12..14, &[0xFF, 0xFF]),
            (14..16, &[0xFF, 0xFF]),
            (16..20, &[0xFF, 0xFF, 0xFF, 0xFF]),
        ];
        for (range, bytes) in absurd {
            let mut bad = file(&AIR);
            bad[range.clone()].copy_from_slice(bytes);
            let error = Entry::parse(Path::new("k-616972"), &resealed(bad)).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{range:?}: {error}");
        }
        let half = vec![b'x'; 40_000];
        let too_long = Entry { collection: Some(&half), member: &half, value: b"" };
        assert!(Entry::parse(Path::new("h-"), &file(&too_long)).is_err());
    }
}
