//! Writing a table: sorted keys in, one file out, which never changes again.

use std::path::Path;

use crc32fast::Hasher;
use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Disk, File};
use logladder_engine::Result;

use super::block::{BlockBuilder, common_len};
use super::{COMPRESSED, FOOTER_LEN, Footer, PLAIN, TableMeta, filter};
use crate::bytes::{put_key, put_varint};
use crate::files::{FileKind, HEADER_LEN, Header};
use crate::{Compression, Options};

/// Bytes are handed to the disk in pieces of this size.
const PIECE: usize = 1 << 20;

/// Writes one table.
#[derive(Debug)]
pub(crate) struct TableBuilder {
    file: Box<dyn File>,
    number: u64,
    options: Options,
    /// What the file does not have yet.
    buffer: Vec<u8>,
    /// How long the file is with that.
    len: u64,
    block: BlockBuilder,
    /// The first key of the next block, shortened to what tells it from the last of the block before.
    start: Vec<u8>,
    index: Vec<u8>,
    hashes: Vec<u64>,
    /// Of the checksums so far.
    contents: Hasher,
    entries: u64,
    tombstones: u64,
    smallest: Vec<u8>,
    largest: Vec<u8>,
}

impl TableBuilder {
    /// Makes the file of table `number`.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub(crate) fn create(disk: &dyn Disk, path: &Path, number: u64, options: &Options) -> Result<Self> {
        let header = Header { kind: FileKind::Table(number), first_sequence: 0 };
        Ok(Self {
            file: disk.create(path)?,
            number,
            options: *options,
            buffer: header.encode().to_vec(),
            len: HEADER_LEN as u64,
            block: BlockBuilder::default(),
            start: Vec::new(),
            index: Vec::new(),
            hashes: Vec::new(),
            contents: Hasher::new(),
            entries: 0,
            tombstones: 0,
            smallest: Vec::new(),
            largest: Vec::new(),
        })
    }

    /// Adds an entry whose key is greater than the last.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(crate) fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        if self.entries == 0 {
            self.smallest = key.to_vec();
        } else if self.block.is_empty() {
            // A block has been ended: `largest` is its last key.
            let differs_at = common_len(&self.largest, key);
            self.start = key[..key.len().min(differs_at + 1)].to_vec();
        }
        self.block.add(key, value);
        self.entries += 1;
        self.tombstones += u64::from(value.is_none());
        if self.options.filter_bits > 0 {
            self.hashes.push(filter::hash(key));
        }
        if self.block.len() >= self.options.block_bytes { self.end_block() } else { Ok(()) }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How long the file is by now, about.
    pub(crate) fn len(&self) -> u64 {
        self.len + self.block.len() as u64
    }

    fn end_block(&mut self) -> Result<()> {
        self.largest = self.block.last_key().to_vec();
        let plain = self.block.finish();
        let before = self.buffer.len();
        let compressed = (self.options.compression == Compression::Lz4)
            .then(|| lz4_flex::compress_prepend_size(plain))
            .filter(|compressed| compressed.len() < plain.len());
        let (bytes, kind) = compressed.as_deref().map_or((plain, PLAIN), |bytes| (bytes, COMPRESSED));
        self.buffer.extend_from_slice(bytes);
        self.buffer.push(kind);
        let crc = crc32fast::hash(&self.buffer[before..]).to_le_bytes();
        self.buffer.extend_from_slice(&crc);
        self.contents.update(&crc);
        let len = (self.buffer.len() - before) as u64;
        self.len += len;
        put_key(&mut self.index, &self.start);
        put_varint(&mut self.index, len);
        self.block.clear();
        if self.buffer.len() >= PIECE { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<()> {
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Appends something with its checksum behind it.
    fn put_section(&mut self, bytes: &[u8]) {
        let crc = crc32fast::hash(bytes).to_le_bytes();
        self.buffer.extend_from_slice(bytes);
        self.buffer.extend_from_slice(&crc);
        self.contents.update(&crc);
        self.len += bytes.len() as u64 + 4;
    }

    /// Ends the table, and syncs it.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(crate) fn finish(mut self) -> Result<TableMeta> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        let filter_at = self.len;
        self.put_section(&filter::build(&self.hashes, self.options.filter_bits));
        let index_at = self.len;
        let index = std::mem::take(&mut self.index);
        self.put_section(&index);
        let contents = self.contents.clone().finalize();
        let footer = Footer { filter_at, index_at, entries: self.entries, number: self.number, contents };
        let (bytes, crc) = footer.encode();
        self.buffer.extend_from_slice(&bytes);
        self.len += FOOTER_LEN as u64;
        self.hand_over()?;
        if !sabotage::skips(Rule::CopySyncedFirst) {
            self.file.sync()?;
        }
        Ok(TableMeta {
            number: self.number,
            len: self.len,
            entries: self.entries,
            tombstones: self.tombstones,
            crc,
            smallest: self.smallest,
            largest: self.largest,
        })
    }
}
