//! The manifest: which files make up the store. It is text, replaced whole, and what it does not list is no part of
//! the store.
//!
//! ```text
//! logladder replay-log manifest 2
//! hash 000102030405060708090a0b0c0d0e0f
//! versions counted
//! next 4
//! sequence 17
//! base base-0000000003.snapshot 1234 89abcdef
//! log appendonly-0000000002.aof
//! crc32 1a2b3c4d
//! ```
//!
//! `hash` is the key of the hash by which keys are spread, chosen at random when the store was made. `versions counted`
//! stands in the manifest of a store that counts the versions of keys, which is format version 2; without that line it is
//! version 1, the same in all else. `next` is the number that the next new file gets. `sequence` is how many changes the base holds the outcome of.
//! The base, if there is one, has its length in bytes and a CRC-32: of all of it for lines, of its ends for a snapshot,
//! which has others inside. The logs follow, in order; each but the last was on the disk before the next one got its
//! first line. The last line is the CRC-32 of everything before it.
//!
//! A folder without a manifest holds `appendonly-0000000001.aof` alone, or nothing: a store that is being made, or a
//! file that was brought from elsewhere. Opening it writes the manifest.

use std::fmt::Write as _;
use std::path::Path;

use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Error, Result};

use crate::files::FileKind;

const HEAD: &str = "logladder replay-log manifest ";
/// The newest version that is read, and that of a manifest which says that versions are counted. The others have 1.
const VERSION: u32 = 2;

/// A manifest has some hundred bytes, and a line more for each rewrite that failed since the last that did not.
const LONGEST: usize = 16 << 20;

/// No store comes near this number of files or changes. What follows counts on from it and cannot overflow.
const MOST: u64 = 1 << 62;

/// What stands in the manifest's place in a folder that is still being filled with a copy of a store.
pub(crate) const UNFINISHED_COPY: &[u8] =
    b"an unfinished copy of a store: remove this folder and copy again\n";

/// The file that a rewrite or a snapshot made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Base {
    /// A snapshot, or rewritten lines.
    pub(crate) file: FileKind,
    /// Its length in bytes.
    pub(crate) len: u64,
    /// Its checksum.
    pub(crate) crc: u32,
}

/// Which files make up the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The key of the hash that the map uses.
    pub(crate) hash_key: [u8; 16],
    /// Whether the base has the numbers of versions, and the next one is to have them.
    pub(crate) counts_versions: bool,
    /// The number of the next new file. Numbers only grow.
    pub(crate) next: u64,
    /// How many changes were made before the first log.
    pub(crate) sequence: u64,
    pub(crate) base: Option<Base>,
    /// The numbers of the append-only files, rising.
    pub(crate) logs: Vec<u64>,
}

impl Manifest {
    /// Of a store that has none yet.
    pub(crate) fn first(hash_key: [u8; 16]) -> Self {
        Self { hash_key, counts_versions: false, next: 2, sequence: 0, base: None, logs: vec![1] }
    }

    /// Whether this file is a part of the store.
    pub(crate) fn lists(&self, file: FileKind) -> bool {
        match file {
            FileKind::Manifest => true,
            FileKind::Aof(number) | FileKind::Sums(number) => self.logs.contains(&number),
            FileKind::Snapshot(_) | FileKind::Rewritten(_) => self.base.is_some_and(|base| base.file == file),
        }
    }

    pub(crate) fn encode(&self) -> String {
        let hash = u128::from_be_bytes(self.hash_key);
        let Self { next, sequence, .. } = self;
        let (version, counted) = if self.counts_versions { (VERSION, "versions counted\n") } else { (1, "") };
        let mut text =
            format!("{HEAD}{version}\nhash {hash:032x}\n{counted}next {next}\nsequence {sequence}\n");
        // Writing to a string cannot fail.
        if let Some(base) = &self.base {
            let _ = writeln!(text, "base {} {} {:08x}", base.file.name(), base.len, base.crc);
        }
        for &log in &self.logs {
            let _ = writeln!(text, "log {}", FileKind::Aof(log).name());
        }
        let crc = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "crc32 {crc:08x}");
        text
    }

    /// The manifest that the file at `path` holds. Each has one spelling, and no other is taken.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |what: &str| Error::corrupt(path, 0, what);
        if bytes == UNFINISHED_COPY {
            return Err(damaged("the copy of a store in this folder was never finished: make another"));
        }
        if bytes.len() > LONGEST {
            return Err(damaged("it is too long for a manifest"));
        }
        let text = str::from_utf8(bytes).map_err(|_| damaged("it is no text"))?;
        let rest = text.strip_prefix(HEAD).ok_or_else(|| damaged("it does not begin as a manifest does"))?;
        let crc_at = text.trim_end().rfind('\n').map_or(0, |end| end + 1);
        let crc = text[crc_at..].strip_prefix("crc32 ").map(str::trim_end);
        let is_right =
            crc.and_then(|crc| u32::from_str_radix(crc, 16).ok()) == Some(crc32fast::hash(&bytes[..crc_at]));
        if !is_right && !sabotage::skips(Rule::ChecksumCheck) {
            return Err(damaged("its checksum differs"));
        }
        let version = rest.lines().next().and_then(|version| version.parse().ok());
        match version {
            Some(1..=VERSION) => {}
            Some(found) => {
                return Err(Error::UnsupportedVersion {
                    path: path.to_path_buf(),
                    found,
                    supported: VERSION,
                });
            }
            None => return Err(damaged("it names no format version")),
        }
        let manifest = Self::parse(rest).ok_or_else(|| damaged("a line in it is none of a manifest's"))?;
        let is_whole = manifest.encode() == text || sabotage::skips(Rule::ChecksumCheck);
        let is_rising = manifest.logs.is_sorted_by(|one, next| one < next);
        let counts_on = manifest.next <= MOST && manifest.sequence <= MOST;
        let is_used = |number| number > 0 && number < manifest.next;
        if !is_whole || !is_rising || !counts_on || !manifest.numbers().all(is_used) {
            return Err(damaged("its lines contradict each other"));
        }
        Ok(manifest)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let base = self.base.and_then(|base| match base.file {
            FileKind::Snapshot(number) | FileKind::Rewritten(number) => Some(number),
            _ => None,
        });
        self.logs.iter().copied().chain(base)
    }

    /// The lines behind the first.
    fn parse(text: &str) -> Option<Self> {
        let mut manifest = Self { next: 0, logs: Vec::new(), ..Self::first([0; 16]) };
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split(' ').collect();
            match *words.as_slice() {
                ["hash", key] => manifest.hash_key = u128::from_str_radix(key, 16).ok()?.to_be_bytes(),
                ["versions", "counted"] => manifest.counts_versions = true,
                ["next", number] => manifest.next = number.parse().ok()?,
                ["sequence", number] => manifest.sequence = number.parse().ok()?,
                ["base", name, len, crc] => {
                    let file = FileKind::of(name)
                        .filter(|file| matches!(file, FileKind::Snapshot(_) | FileKind::Rewritten(_)))?;
                    let base = Base { file, len: len.parse().ok()?, crc: u32::from_str_radix(crc, 16).ok()? };
                    manifest.base = Some(base);
                }
                ["log", name] => match FileKind::of(name)? {
                    FileKind::Aof(number) => manifest.logs.push(number),
                    _ => return None,
                },
                ["crc32", _] => {}
                _ => return None,
            }
        }
        Some(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let base = Base { file: FileKind::Snapshot(3), len: 1_234, crc: 0x89AB_CDEF };
        let hash_key = *b"sixteen bytes it";
        Manifest {
            hash_key,
            counts_versions: false,
            next: 6,
            sequence: 17,
            base: Some(base),
            logs: vec![4, 5],
        }
    }

    fn decode(bytes: &[u8]) -> Result<Manifest> {
        Manifest::decode(Path::new("MANIFEST"), bytes)
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        let rewritten = Base { file: FileKind::Rewritten(1), len: 0, crc: 0 };
        let lines = Manifest { base: Some(rewritten), logs: vec![2], ..example() };
        let nothing = Manifest { base: None, logs: Vec::new(), ..example() };
        let counted = Manifest { counts_versions: true, ..example() };
        for manifest in [Manifest::first([0; 16]), example(), lines, nothing, counted] {
            assert_eq!(decode(manifest.encode().as_bytes()).unwrap(), manifest);
        }
    }

    #[test]
    fn a_flipped_bit_or_a_cut_anywhere_is_damage() {
        let bytes = example().encode().into_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&damaged), Err(Error::Corrupt { .. })), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(matches!(decode(&bytes[..len]), Err(Error::Corrupt { .. })), "cut to {len}");
        }
    }

    fn with_crc(text: &str) -> Vec<u8> {
        format!("{text}crc32 {:08x}\n", crc32fast::hash(text.as_bytes())).into_bytes()
    }

    #[test]
    fn lines_that_contradict_each_other_are_damage_and_a_newer_version_is_named() {
        for text in [
            "hash 00000000000000000000000000000000\nnext 2\nsequence 0\nlog appendonly-0000000002.aof\n",
            "hash 00000000000000000000000000000000\nnext 9\nsequence 0\nlog appendonly-0000000003.aof\nlog appendonly-0000000002.aof\n",
            "next 9\nsequence 0\nbase appendonly-0000000002.aof 1 00000000\n",
            "hash 00000000000000000000000000000000\nnext 9\nsequence 0\nlog appendonly-0000000000.aof\n",
            "next 09\nsequence 0\n",
            "hash 00000000000000000000000000000000\nnext 18446744073709551615\nsequence 0\n",
            "hash 00000000000000000000000000000000\nnext 1\nsequence 18446744073709551615\n",
            "next 9\n",
        ] {
            let refused = decode(&with_crc(&format!("{HEAD}1\n{text}")));
            assert!(matches!(refused, Err(Error::Corrupt { .. })), "{text}");
        }
        let newer = decode(&with_crc(&format!("{HEAD}3\nsomething new\n")));
        assert!(matches!(newer, Err(Error::UnsupportedVersion { found: 3, supported: 2, .. })));
        // The version says whether versions are counted.
        let counted = Manifest { counts_versions: true, ..example() }.encode();
        let (lines, _) = counted.rsplit_once("crc32").unwrap();
        decode(&with_crc(lines)).unwrap();
        let older = with_crc(&lines.replacen("manifest 2", "manifest 1", 1));
        assert!(matches!(decode(&older), Err(Error::Corrupt { .. })));
    }
}
