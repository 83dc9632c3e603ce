//! The files of a store, by their names, and the header that each of them begins with.

use std::path::Path;

use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Error, Result};

use crate::bytes::Reader;

/// The name of the [manifest](crate::manifest).
pub(crate) const MANIFEST: &str = "MANIFEST";

/// The version of all formats of this stage.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// No store comes so far: neither a file nor a write has a larger number. What lies beyond is left as room, so that no
/// number that is counted up ever begins again at 0.
pub(crate) const MOST_NUMBER: u64 = 1 << 62;

/// How long a [`Header`] is.
pub(crate) const HEADER_LEN: usize = 32;

/// What a file of a store is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Manifest,
    Log(u64),
    Table(u64),
}

impl FileKind {
    /// `None` if no file of this stage has such a name. A number has ten digits, or more if it needs them: it is compared
    /// as a number, never as text, so 10000000000 comes after 9999999999.
    pub(crate) fn of(name: &str) -> Option<Self> {
        if name == MANIFEST {
            return Some(Self::Manifest);
        }
        let (digits, extension) = name.split_once('.')?;
        let number = digits.parse().ok().filter(|&number| number > 0)?;
        let kind = match extension {
            "log" => Self::Log(number),
            "table" => Self::Table(number),
            _ => return None,
        };
        (kind.name() == name).then_some(kind)
    }

    /// The name of the file.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Manifest => MANIFEST.to_owned(),
            Self::Log(number) => format!("{number:010}.log"),
            Self::Table(number) => format!("{number:010}.table"),
        }
    }

    /// Its number. The manifest has none.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Manifest => 0,
            Self::Log(number) | Self::Table(number) => number,
        }
    }

    pub(crate) fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Manifest => b"LLSLMAN\n",
            Self::Log(_) => b"LLSLLOG\n",
            Self::Table(_) => b"LLSLTAB\n",
        }
    }
}

/// The first bytes of every file: which kind it is, its number, and for a log the sequence number of its first write.
///
/// ```text
///   ┌─────────┬─────────┬───────┬────────┬────────────────┐
///   │  magic  │ version │ CRC32 │ number │ first sequence │
///   └─────────┴─────────┴───────┴────────┴────────────────┘
///        8         4        4       8            8
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: FileKind,
    /// 0 in other files than a log.
    pub(crate) first_sequence: u64,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(self.kind.magic());
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.kind.number().to_le_bytes());
        bytes[24..].copy_from_slice(&self.first_sequence.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header of the file at `path`, which should be a `kind`.
    ///
    /// # Errors
    ///
    /// It is damaged, or another file's, or of a newer version.
    pub(crate) fn decode(path: &Path, kind: FileKind, bytes: &[u8]) -> Result<Self> {
        let damaged = |what: &str| Error::corrupt(path, 0, what);
        let bytes = bytes.get(..HEADER_LEN).ok_or_else(|| damaged("the file ends within its header"))?;
        if bytes[..8] != kind.magic()[..] {
            return Err(damaged("it does not begin as a file of this kind does"));
        }
        let mut fields = Reader::at(bytes, 8);
        let (Some(version), Some(crc), Some(number), Some(first_sequence)) =
            (fields.u32(), fields.u32(), fields.u64(), fields.u64())
        else {
            return Err(damaged("the file ends within its header"));
        };
        if crc != checksum(bytes) && !sabotage::skips(Rule::ChecksumCheck) {
            return Err(damaged("the checksum of the header does not match"));
        }
        if version != FORMAT_VERSION {
            let path = path.to_path_buf();
            return Err(Error::UnsupportedVersion { path, found: version, supported: FORMAT_VERSION });
        }
        if number != kind.number() {
            return Err(damaged(&format!("its header says that it is file {number}: it was renamed")));
        }
        Ok(Self { kind, first_sequence })
    }

    /// Whether `bytes` are what a crash left of a file of this kind in which nothing was ever written: a beginning of
    /// its header, then perhaps zeros where the length reached the disk and the bytes did not.
    pub(crate) fn is_unfinished(kind: FileKind, bytes: &[u8]) -> bool {
        let written = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let magic = &kind.magic()[..written.min(8)];
        written < HEADER_LEN && bytes.starts_with(magic) && checksum_of_beginning(bytes) != Some(true)
    }
}

/// Whether these bytes are a whole header with the right checksum; `None` if they are too few.
fn checksum_of_beginning(bytes: &[u8]) -> Option<bool> {
    let bytes = bytes.get(..HEADER_LEN)?;
    let crc = Reader::at(bytes, 12).u32()?;
    Some(crc == checksum(bytes))
}

/// Of a header, without the place of the checksum itself.
fn checksum(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..12]);
    hasher.update(&header[16..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_the_file_is_and_back() {
        assert_eq!(FileKind::Table(7).name(), "0000000007.table");
        for number in [1, 9_999, 10_000, 9_999_999_999, 10_000_000_000, u64::MAX] {
            for kind in [FileKind::Log(number), FileKind::Table(number)] {
                assert_eq!(FileKind::of(&kind.name()), Some(kind));
            }
        }
        for name in
            ["0000000000.log", "1.log", "00000000001.log", "+000000001.log", "0000000001.log.tmp", "x"]
        {
            assert_eq!(FileKind::of(name), None, "{name}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_header_is_noticed() {
        let kind = FileKind::Log(3);
        let header = Header { kind, first_sequence: 42 };
        let bytes = header.encode();
        let path = Path::new("0000000003.log");
        assert_eq!(Header::decode(path, kind, &bytes).unwrap(), header);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(path, kind, &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_beginning_of_a_header_is_an_unfinished_file_and_a_whole_one_is_not() {
        let kind = FileKind::Log(3);
        let bytes = Header { kind, first_sequence: 42 }.encode();
        // It ends with zeros, of which a crash may leave any number.
        for len in 0..24 {
            assert!(Header::is_unfinished(kind, &bytes[..len]), "{len}");
            let mut zeros = bytes[..len].to_vec();
            zeros.resize(4_096, 0);
            assert!(Header::is_unfinished(kind, &zeros), "{len}");
        }
        assert!(!Header::is_unfinished(kind, &bytes));
        assert!(!Header::is_unfinished(kind, b"something else"));
    }
}
