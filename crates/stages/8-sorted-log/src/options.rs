//! [`Options`]: what can be chosen at opening.

use logladder_engine::SyncPolicy;

/// What can be chosen at opening. A store may be opened with other options each time: each table says itself how it was
/// written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// When what was written is synced. The default is [`SyncPolicy::Always`].
    pub sync: SyncPolicy,
    /// How many bytes of log make a memtable that is full and is written as a table. The default is 16 MiB. A memtable takes
    /// about a hundred bytes of memory more for each write.
    pub memtable_bytes: u64,
    /// How large a block of a table grows, before compression. The default is 4 KiB, a page; more than 1 GiB is 1 GiB.
    pub block_bytes: usize,
    /// How large a table grows that a compaction writes. The default is 4 MiB.
    pub table_bytes: u64,
    /// How many tables of level 0, which overlap, are worth merging into level 1. The default is 4; three times as many
    /// stop the writers.
    pub level0_tables: usize,
    /// How large level 1 grows. The default is 64 MiB: four memtables.
    pub level1_bytes: u64,
    /// How many times as large as the level above each further level grows. The default is 10.
    pub level_factor: u64,
    /// Bits of the Bloom filter for each key of a table; 0 is no filter. The default is 10: one absent key in a hundred is
    /// looked for in vain. More than 64, which would be of no use, is 64.
    pub filter_bits: u32,
    /// Whether blocks are compressed. The default is not: what is compressed is decompressed at each read.
    pub compression: Compression,
    /// Who writes and merges tables.
    pub work: Work,
    /// How long the log of edits in the manifest grows, at least, before it is written anew. The default is 256 KiB.
    pub manifest_bytes: u64,
}

/// A block that is full has room for one entry of the longest key and value, and stays below 4 GiB.
const MOST_BLOCK_BYTES: usize = 1 << 30;

/// Each key sets six bits.
const MOST_FILTER_BITS: u32 = 64;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all: a value is read where it lies.
    #[default]
    None,
    /// With LZ4, where that makes the block shorter.
    Lz4,
}

/// Who writes memtables as tables, and merges tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Work {
    /// Two threads of the engine.
    #[default]
    Background,
    /// Whoever's write filled the memtable: each write is slower by what it causes, and a program does the same each time.
    Caller,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: SyncPolicy::Always,
            memtable_bytes: 16 << 20,
            block_bytes: 4096,
            table_bytes: 4 << 20,
            level0_tables: 4,
            level1_bytes: 64 << 20,
            level_factor: 10,
            filter_bits: 10,
            compression: Compression::None,
            work: Work::Background,
            manifest_bytes: 256 << 10,
        }
    }
}

impl Options {
    /// The same with another sync policy.
    #[must_use]
    pub fn with_sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }

    /// The same with memtables of another size.
    #[must_use]
    pub fn with_memtable_bytes(mut self, bytes: u64) -> Self {
        self.memtable_bytes = bytes;
        self
    }

    /// The same with blocks of another size.
    #[must_use]
    pub fn with_block_bytes(mut self, bytes: usize) -> Self {
        self.block_bytes = bytes;
        self
    }

    /// The same with tables of another size.
    #[must_use]
    pub fn with_table_bytes(mut self, bytes: u64) -> Self {
        self.table_bytes = bytes;
        self
    }

    /// The same with another number of tables in level 0.
    #[must_use]
    pub fn with_level0_tables(mut self, tables: usize) -> Self {
        self.level0_tables = tables;
        self
    }

    /// The same with a level 1 of another size, and each further level so many times as large as the one above.
    #[must_use]
    pub fn with_levels(mut self, level1_bytes: u64, level_factor: u64) -> Self {
        (self.level1_bytes, self.level_factor) = (level1_bytes, level_factor);
        self
    }

    /// The same with so many bits of a filter for each key.
    #[must_use]
    pub fn with_filter_bits(mut self, bits: u32) -> Self {
        self.filter_bits = bits;
        self
    }

    /// The same with other compression.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The same with someone else at work.
    #[must_use]
    pub fn with_work(mut self, work: Work) -> Self {
        self.work = work;
        self
    }

    /// The same with a manifest that grows so long.
    #[must_use]
    pub fn with_manifest_bytes(mut self, bytes: u64) -> Self {
        self.manifest_bytes = bytes;
        self
    }

    /// The same as far as there is a difference.
    pub(crate) fn within_limits(mut self) -> Self {
        self.sync = self.sync.simplified();
        self.block_bytes = self.block_bytes.min(MOST_BLOCK_BYTES);
        self.filter_bits = self.filter_bits.min(MOST_FILTER_BITS);
        self
    }

    /// How many bytes a level may have before some of it goes down.
    pub(crate) fn level_limit(&self, level: usize) -> u64 {
        let deeper = u32::try_from(level.saturating_sub(1)).unwrap_or(u32::MAX);
        self.level1_bytes.max(1).saturating_mul(self.level_factor.max(2).saturating_pow(deeper))
    }
}
