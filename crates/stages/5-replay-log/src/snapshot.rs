//! The format of a snapshot, and writing one.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `LLRS` |
//! | 4 | 2 | the format version |
//! | 6 | 2 | zeros |
//! | 8 | 8 | how many changes it holds the outcome of |
//! | 16 | 4 | CRC-32 of the 16 bytes before |
//! | 20 | … | blocks |
//! | | 28 | the footer |
//!
//! A block:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | the length of its records in bytes |
//! | 4 | 4 | how many records |
//! | 8 | 4 | what they are: 0 keys with their values, 1 keys with the number of their newest version |
//! | 12 | 4 | CRC-32 of the 12 bytes before and the records |
//! | 16 | … | the records |
//!
//! A record of the first kind is the length of the key (2 bytes), the length of the value (4), the key, the value; one
//! of the second the length of the key (2), the number (8), the key. The footer:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `LLRE` |
//! | 4 | 4 | how many blocks |
//! | 8 | 8 | how many keys with values |
//! | 16 | 8 | the length of the file in bytes |
//! | 24 | 4 | CRC-32 of the file's first 20 bytes and the footer's first 24; the manifest repeats it |
//!
//! Everything is little-endian. Blocks are checked and read on their own, so that several threads can load a
//! snapshot at once.

use logladder_engine::{Error, Result};

use crate::entry::Entry;
use crate::unfinished::Unfinished;

pub(crate) const MAGIC: [u8; 4] = *b"LLRS";
pub(crate) const END_MAGIC: [u8; 4] = *b"LLRE";
pub(crate) const VERSION: u16 = 1;
pub(crate) const HEADER_LEN: usize = 20;
pub(crate) const BLOCK_HEADER_LEN: usize = 16;
pub(crate) const FOOTER_LEN: usize = 28;

/// The records of a block: keys with values.
pub(crate) const ENTRIES: u32 = 0;
/// The records of a block: keys with the number of their newest version.
pub(crate) const COUNTS: u32 = 1;

/// A block is written as soon as it is so long.
const BLOCK_LEN: usize = 256 * 1024;

/// And even under the lock of a table when it is so long: a table may hold values of any size.
const LARGEST_BLOCK_LEN: usize = 64 << 20;

/// So much is written before it is synced, so that the sync at the end does not hold up the syncs of others. Redis
/// has the same: `rdb-save-incremental-fsync`.
const SYNC_STEP: u64 = 8 << 20;

/// The checksum of `parts`, one after the other.
pub(crate) fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// A file that is written in large pieces.
#[derive(Debug)]
pub(crate) struct Pieces<'f> {
    file: &'f Unfinished,
    unsynced: u64,
}

impl<'f> Pieces<'f> {
    pub(crate) fn to(file: &'f Unfinished) -> Self {
        Self { file, unsynced: 0 }
    }

    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<()> {
        self.file.append(piece)?;
        self.unsynced += piece.len() as u64;
        if self.unsynced >= SYNC_STEP {
            self.file.sync()?;
            self.unsynced = 0;
        }
        Ok(())
    }
}

/// A snapshot that is being written.
#[derive(Debug)]
pub(crate) struct SnapshotWriter<'f> {
    pieces: Pieces<'f>,
    header: [u8; HEADER_LEN],
    /// The block under way, with room for its header.
    block: Vec<u8>,
    kind: u32,
    records: u32,
    blocks: u32,
    keys: u64,
    len: u64,
    /// What failed while nobody could be told.
    failure: Option<Error>,
}

impl<'f> SnapshotWriter<'f> {
    /// Begins a snapshot that holds the outcome of so many changes.
    pub(crate) fn begin(file: &'f Unfinished, sequence: u64) -> Result<Self> {
        let mut header = [0; HEADER_LEN];
        header[..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&VERSION.to_le_bytes());
        header[8..16].copy_from_slice(&sequence.to_le_bytes());
        let crc = checksum(&[&header[..16]]);
        header[16..].copy_from_slice(&crc.to_le_bytes());
        let mut pieces = Pieces::to(file);
        pieces.append(&header)?;
        let mut block = Vec::with_capacity(BLOCK_LEN + BLOCK_LEN / 4);
        block.resize(BLOCK_HEADER_LEN, 0);
        let len = HEADER_LEN as u64;
        Ok(Self { pieces, header, block, kind: ENTRIES, records: 0, blocks: 0, keys: 0, len, failure: None })
    }

    /// Adds a key with its value. It takes a copy, and writes only if a table turns out to be very large.
    pub(crate) fn push(&mut self, entry: &Entry) {
        let (key, value) = (entry.key(), entry.value());
        // Both have passed the limits: 65,535 and 2³⁰−1.
        let key_len = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let value_len = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.make_room(key.len() + value.len(), ENTRIES);
        self.block.extend_from_slice(&key_len.to_le_bytes());
        self.block.extend_from_slice(&value_len.to_le_bytes());
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(value);
        self.records += 1;
        self.keys += 1;
    }

    /// Adds the number of a key's newest version.
    pub(crate) fn push_count(&mut self, key: &[u8], count: u64) {
        let key_len = u16::try_from(key.len()).unwrap_or(u16::MAX);
        self.make_room(key.len(), COUNTS);
        self.block.extend_from_slice(&key_len.to_le_bytes());
        self.block.extend_from_slice(&count.to_le_bytes());
        self.block.extend_from_slice(key);
        self.records += 1;
    }

    fn make_room(&mut self, len: usize, kind: u32) {
        if (self.records > 0 && self.block.len() + len > LARGEST_BLOCK_LEN) || self.kind != kind {
            let written = self.write_block();
            self.note(written);
        }
        self.kind = kind;
    }

    fn note(&mut self, outcome: Result<()>) {
        if let Err(failure) = outcome {
            self.failure.get_or_insert(failure);
        }
    }

    /// Writes what has been added, if it is worth it. To be called under no lock of a table.
    pub(crate) fn write_full_blocks(&mut self) -> Result<()> {
        if self.block.len() >= BLOCK_LEN {
            self.write_block()?;
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    fn write_block(&mut self) -> Result<()> {
        if self.records == 0 {
            return Ok(());
        }
        let records_len = u32::try_from(self.block.len() - BLOCK_HEADER_LEN).unwrap_or(u32::MAX);
        self.block[..4].copy_from_slice(&records_len.to_le_bytes());
        self.block[4..8].copy_from_slice(&self.records.to_le_bytes());
        self.block[8..12].copy_from_slice(&self.kind.to_le_bytes());
        let crc = checksum(&[&self.block[..12], &self.block[BLOCK_HEADER_LEN..]]);
        self.block[12..16].copy_from_slice(&crc.to_le_bytes());
        self.pieces.append(&self.block)?;
        self.len += self.block.len() as u64;
        self.blocks += 1;
        self.records = 0;
        self.block.truncate(BLOCK_HEADER_LEN);
        // A large value does not keep its memory until the end.
        self.block.shrink_to(2 * BLOCK_LEN);
        Ok(())
    }

    /// Writes the rest. Gives the length of the file and the checksum of its ends.
    pub(crate) fn finish(mut self) -> Result<(u64, u32)> {
        self.write_block()?;
        self.failure.take().map_or(Ok(()), Err)?;
        let len = self.len + FOOTER_LEN as u64;
        let mut footer = END_MAGIC.to_vec();
        footer.extend_from_slice(&self.blocks.to_le_bytes());
        footer.extend_from_slice(&self.keys.to_le_bytes());
        footer.extend_from_slice(&len.to_le_bytes());
        let crc = checksum(&[&self.header, &footer]);
        footer.extend_from_slice(&crc.to_le_bytes());
        self.pieces.append(&footer)?;
        Ok((len, crc))
    }
}
