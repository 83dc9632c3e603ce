//! A sorted table: a file of keys in order, which never changes.
//!
//! ```text
//!   ┌────────┬───────┬───────┬───┬────────┬───────┬────────┐
//!   │ header │ block │ block │ … │ filter │ index │ footer │
//!   └────────┴───────┴───────┴───┴────────┴───────┴────────┘
//!   32 bytes                                       44 bytes
//!   a block:   its bytes, 0 or 1 (LZ4), CRC32 of both
//!   filter:    lines of a Bloom filter, CRC32
//!   index:     for each block where its keys start, and its length (varints); CRC32
//!   footer:    where the filter starts, where the index, how many entries, the number (u64 each), the contents (u32),
//!              CRC32, "LLSL"
//! ```
//!
//! The *contents* are the CRC32 of all the checksums before the footer, those of the blocks, the filter and the index: a
//! fingerprint of the whole file that costs a few bytes of work a block. The manifest knows the checksum of the footer, so a
//! table of the same shape from another store is not taken for this one.
//!
//! The file is mapped into memory. Opening it checks the header, the footer, the index and the filter, and copies those two:
//! a filter that is damaged behind an open store would have keys be missing without a word. A block is checked
//! when it is first read, and a bit in memory remembers that. So no damaged byte is ever believed, a store of
//! many tables opens at once, and what is read often is not checked often. What a disk does to a block after its first
//! read, the page cache of the kernel does not see either.

pub(crate) mod block;
pub(crate) mod build;
pub(crate) mod cursor;
pub(crate) mod filter;
mod index;
pub(crate) mod look;

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Disk, Map};
use logladder_engine::{Error, Result};

use self::block::{Answer, Block};
use self::index::Index;
use crate::bytes::{Reader, index};
use crate::files::{FileKind, HEADER_LEN, Header};

/// The mark of a block that stands as it is.
const PLAIN: u8 = 0;

/// The mark of a block that LZ4 compressed.
pub(crate) const COMPRESSED: u8 = 1;

/// How long the footer is.
pub(crate) const FOOTER_LEN: usize = 44;

/// So many bytes of it have a checksum.
pub(crate) const SIGNED_LEN: usize = 36;

/// The last bytes of the file.
const FOOTER_MAGIC: &[u8; 4] = b"LLSL";

/// The largest block, decompressed: one entry may be this much larger than the limit.
const MAX_BLOCK: usize = 3 << 30;

/// What is said of a table that is whole and not the one that it should be.
const STRANGE: &str = "it is another table than the one that the manifest names, of another store or of an older copy: put the \
                       right one in its place, or let `logladder check --repair FOLDER` make a store of the rest";

/// No byte of LZ4 becomes more than so many.
const MOST_COMPRESSED: usize = 255;

/// What the manifest knows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableMeta {
    pub(crate) number: u64,
    /// How long the file is.
    pub(crate) len: u64,
    /// How many keys it has, tombstones included.
    pub(crate) entries: u64,
    /// How many of those are tombstones.
    pub(crate) tombstones: u64,
    /// The checksum of its footer, which stands for the whole file: a table of the same name from elsewhere has another.
    pub(crate) crc: u32,
    pub(crate) smallest: Vec<u8>,
    pub(crate) largest: Vec<u8>,
}

/// The end of the file.
#[derive(Debug, Clone, Copy)]
struct Footer {
    filter_at: u64,
    index_at: u64,
    entries: u64,
    number: u64,
    /// The checksum of all checksums before it.
    contents: u32,
}

impl Footer {
    /// Its bytes, and its checksum.
    fn encode(self) -> ([u8; FOOTER_LEN], u32) {
        let mut bytes = [0; FOOTER_LEN];
        let fields = [self.filter_at, self.index_at, self.entries, self.number];
        for (field, place) in fields.iter().zip(bytes.chunks_exact_mut(8)) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes[32..SIGNED_LEN].copy_from_slice(&self.contents.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..SIGNED_LEN]);
        bytes[SIGNED_LEN..SIGNED_LEN + 4].copy_from_slice(&crc.to_le_bytes());
        bytes[SIGNED_LEN + 4..].copy_from_slice(FOOTER_MAGIC);
        (bytes, crc)
    }

    fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        let mut fields = Reader::new(bytes);
        let footer = Self {
            filter_at: fields.u64()?,
            index_at: fields.u64()?,
            entries: fields.u64()?,
            number: fields.u64()?,
            contents: fields.u32()?,
        };
        let crc = fields.u32()?;
        let is_right = crc == crc32fast::hash(&bytes[..SIGNED_LEN]) || sabotage::skips(Rule::ChecksumCheck);
        (is_right && fields.take(4)? == FOOTER_MAGIC).then_some((footer, crc))
    }

    /// Where the footer of the table `bytes` is, what it says, and its checksum.
    fn of(path: &Path, bytes: &[u8]) -> Result<(usize, Self, u32)> {
        let damaged = |offset: usize, what: &str| Error::corrupt(path, offset as u64, what);
        let at = bytes.len().checked_sub(FOOTER_LEN).filter(|&at| at >= HEADER_LEN);
        let at = at.ok_or_else(|| damaged(0, "it is too short to be a table"))?;
        let decoded = Self::decode(&bytes[at..]);
        let (footer, crc) =
            decoded.ok_or_else(|| damaged(at, "the checksum of the footer does not match"))?;
        Ok((at, footer, crc))
    }

    /// The index of the table `bytes`, whose footer this is.
    fn index(self, path: &Path, bytes: &[u8], footer_at: usize) -> Result<Index> {
        let at = index(self.index_at);
        let decoded = Index::decode(section(path, bytes, at..footer_at, "index")?, self.filter_at);
        decoded.ok_or_else(|| Error::corrupt(path, at as u64, "the index names blocks that cannot be there"))
    }
}

/// The checksum of the footer of the table `bytes`, which stands for the whole file, unless that footer is damaged.
pub(crate) fn checksum_of(path: &Path, bytes: &[u8]) -> Option<u32> {
    Footer::of(path, bytes).ok().map(|(_, _, crc)| crc)
}

/// A part of the table `bytes`, behind which its checksum stands.
fn section<'b>(path: &Path, bytes: &'b [u8], range: Range<usize>, name: &str) -> Result<&'b [u8]> {
    let end = range.end.checked_sub(4);
    let part = end.and_then(|end| bytes.get(range.start..end));
    let crc = end.and_then(|at| Reader::at(bytes, at).u32());
    match (part, crc) {
        (Some(part), Some(crc)) if crc == crc32fast::hash(part) || sabotage::skips(Rule::ChecksumCheck) => {
            Ok(part)
        }
        _ => {
            let what = format!("the checksum of the {name} does not match");
            Err(Error::corrupt(path, range.start as u64, what))
        }
    }
}

/// Whether the checksum at the end of a block is that of all before it.
fn has_right_sum(stored: &[u8]) -> bool {
    let (bytes, crc) = stored.split_at(stored.len() - 4);
    crc == crc32fast::hash(bytes).to_le_bytes() || sabotage::skips(Rule::ChecksumCheck)
}

/// What a block was before it was compressed, if it was. `None` if that cannot be.
#[inline]
fn plain(stored: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (bytes, trailer) = stored.split_at(stored.len() - 5);
    match trailer[0] {
        PLAIN => Some(Cow::Borrowed(bytes)),
        COMPRESSED if is_possible_len(bytes) => {
            lz4_flex::decompress_size_prepended(bytes).ok().map(Cow::Owned)
        }
        _ => None,
    }
}

/// A table that is open.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) meta: TableMeta,
    path: PathBuf,
    map: Map,
    index: Index,
    filter: Box<[u8]>,
    /// A bit for each block: whether its checksum has been compared.
    verified: Box<[AtomicU64]>,
}

impl Table {
    /// Opens the table that the manifest describes.
    ///
    /// # Errors
    ///
    /// It is not there, or damaged, or another's.
    pub(crate) fn open(disk: &dyn Disk, path: &Path, meta: TableMeta) -> Result<Self> {
        let damaged = |offset: usize, what: &str| Error::corrupt(path, offset as u64, what);
        if disk.entry(path)?.is_none() {
            return Err(damaged(0, "it is missing, and the manifest names it"));
        }
        let map = disk.map(path)?;
        Header::decode(path, FileKind::Table(meta.number), &map)?;
        if map.len() as u64 != meta.len {
            let what = format!("the file has {} bytes, and the manifest says {}", map.len(), meta.len);
            return Err(damaged(map.len().min(index(meta.len)), &what));
        }
        let (footer_at, footer, crc) = Footer::of(path, &map)?;
        if crc != meta.crc || footer.number != meta.number || footer.entries != meta.entries {
            return Err(damaged(footer_at, STRANGE));
        }
        Self::of_map(path, map, meta, footer_at, footer)
    }

    /// Opens a table that no manifest names, to go through its entries: what its smallest and largest keys are, only a
    /// manifest would say.
    ///
    /// # Errors
    ///
    /// It is not whole.
    pub(crate) fn open_unlisted(disk: &dyn Disk, path: &Path, number: u64) -> Result<Self> {
        let map = disk.map(path)?;
        Header::decode(path, FileKind::Table(number), &map)?;
        let (footer_at, footer, crc) = Footer::of(path, &map)?;
        let (len, entries) = (map.len() as u64, footer.entries);
        let (smallest, largest) = (Vec::new(), Vec::new());
        let meta = TableMeta { number, len, entries, tombstones: 0, crc, smallest, largest };
        Self::of_map(path, map, meta, footer_at, footer)
    }

    fn of_map(path: &Path, map: Map, meta: TableMeta, footer_at: usize, footer: Footer) -> Result<Self> {
        let (filter_at, index_at) = (index(footer.filter_at), index(footer.index_at));
        let filter = section(path, &map, filter_at..index_at, "filter")?.into();
        let index = footer.index(path, &map, footer_at)?;
        let verified = (0..index.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { meta, path: path.to_path_buf(), map, index, filter, verified })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How much memory it takes.
    pub(crate) fn memory(&self) -> usize {
        self.index.keys.len() + 20 * self.index.len() + self.filter.len()
    }

    /// Hands what the table says of `key` to `read`, if it says anything: a value, or none for a tombstone.
    #[inline]
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        hash: u64,
        read: impl FnOnce(Option<&[u8]>) -> R,
    ) -> Result<Option<R>> {
        if key < self.meta.smallest.as_slice()
            || key > self.meta.largest.as_slice()
            || !filter::may_have(&self.filter, hash)
        {
            return Ok(None);
        }
        let number = self.index.block_of(key);
        let bytes = self.block(number)?;
        let found = Block::parse(&bytes).and_then(|block| block.find(key));
        let found = found.ok_or_else(|| self.senseless(number))?;
        Ok(match found {
            Answer::Nothing => None,
            Answer::Deleted => Some(read(None)),
            Answer::Value(range) => Some(read(Some(&bytes[range]))),
        })
    }

    /// How many bytes its blocks take. Its writes took as many in the log, at least.
    pub(crate) fn block_bytes(&self) -> u64 {
        self.index.offsets[self.index.len()] - HEADER_LEN as u64
    }

    pub(crate) fn blocks(&self) -> usize {
        self.index.len()
    }

    /// The last block that may have `key`.
    pub(crate) fn block_of(&self, key: &[u8]) -> usize {
        self.index.block_of(key)
    }

    /// The bytes of a block, checked.
    ///
    /// # Errors
    ///
    /// It is damaged.
    #[inline]
    pub(crate) fn block(&self, number: usize) -> Result<Cow<'_, [u8]>> {
        let (start, end) = (index(self.index.offsets[number]), index(self.index.offsets[number + 1]));
        let stored = &self.map[start..end];
        let (word, bit) = (&self.verified[number / 64], 1 << (number % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            if !has_right_sum(stored) {
                return Err(Error::corrupt(
                    &self.path,
                    start as u64,
                    "the checksum of the block does not match",
                ));
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        plain(stored).ok_or_else(|| self.senseless(number))
    }

    /// The bytes of the file from where a block begins.
    #[inline]
    pub(crate) fn file_from(&self, block: usize) -> &[u8] {
        &self.map[index(self.index.offsets[block])..]
    }

    /// The error of a block that cannot be read though its checksum is right.
    pub(crate) fn senseless(&self, block: usize) -> Error {
        let what = "the block makes no sense, though its checksum matches";
        Error::corrupt(&self.path, self.index.offsets[block], what)
    }
}

/// Whether these bytes of LZ4 can become as many as they say: memory is needed for those before they are there.
fn is_possible_len(bytes: &[u8]) -> bool {
    let len = Reader::new(bytes).u32().map(|len| len as usize);
    len.is_some_and(|len| len <= MAX_BLOCK && len <= bytes.len().saturating_mul(MOST_COMPRESSED))
}
