//! RocksDB: the log-structured merge tree that others are measured by, in C++. Behind the feature `rocksdb`.
//!
//! A set is `DB::put_opt`, a get `DB::get_pinned`, whose bytes are copied into the caller's buffer, a scan
//! `DB::raw_iterator`, which copies nothing.
//!
//! - *Relaxed*: the default. A write goes to the write-ahead log without a sync: [`Durability::ProcessCrash`].
//! - *Synced*: `WriteOptions::set_sync(true)`, an fdatasync of the log that concurrent writers share:
//!   [`Durability::PowerLoss`].

use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};

use logladder_engine::{
    Direction, Durability, Engine, KeyRange, Ordered, Result, Stats, SyncPolicy, Visit, limits,
};
use rocksdb::{BlockBasedOptions, Cache, DB, IteratorMode, Options, WriteOptions};

use super::{Budget, Opened, copied, is_inverted, is_synced, refused};

pub(super) const RELAXED: Opened = Opened::new("write-ahead log without sync", Durability::ProcessCrash);
pub(super) const SYNCED: Opened = Opened::new("write-ahead log with sync", Durability::PowerLoss);

pub(super) fn open(dir: &Path, sync: SyncPolicy, budget: Option<Budget>) -> Result<Box<dyn Engine>> {
    let mut options = Options::default();
    options.create_if_missing(true);
    if let Some(budget) = budget {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        options.set_write_buffer_size(bytes(budget.write_buffer));
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&Cache::new_lru_cache(bytes(budget.cache)));
        // By default it has no filter, and looks for every absent key in each table.
        blocks.set_bloom_filter(10.0, false);
        options.set_block_based_table_factory(&blocks);
    }
    let db = DB::open(&options, dir).map_err(refused("open", dir))?;
    let synced = is_synced(sync);
    let mut writes = WriteOptions::default();
    writes.set_sync(synced);
    Ok(Box::new(Rocks { db, writes, synced, dir: dir.to_path_buf() }))
}

struct Rocks {
    db: DB,
    writes: WriteOptions,
    synced: bool,
    dir: PathBuf,
}

impl Engine for Rocks {
    fn name(&self) -> &'static str {
        "rocksdb"
    }

    fn durability(&self) -> Durability {
        if self.synced { SYNCED.durability } else { RELAXED.durability }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = Vec::new();
        Ok(self.get_into(key, &mut value)?.then_some(value))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        let found = self.db.get_pinned(key).map_err(refused("get a key from", &self.dir))?;
        Ok(copied(found, value))
    }

    /// In the engine's block, which is pinned meanwhile.
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        limits::check_key(key)?;
        let found = self.db.get_pinned(key).map_err(refused("get a key from", &self.dir))?;
        Ok(found.map(|found| read(&found)).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.db.put_opt(key, value, &self.writes).map_err(refused("set a key in", &self.dir))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.db.delete_opt(key, &self.writes).map_err(refused("delete a key from", &self.dir))
    }

    fn sync(&self) -> Result<()> {
        self.db.flush_wal(true).map_err(refused("sync", &self.dir))
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        for entry in self.db.iterator(IteratorMode::Start) {
            entry.map_err(refused("count the keys of", &self.dir))?;
            stats.live_keys += 1;
        }
        Ok(stats)
    }

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        Some(self)
    }
}

impl Ordered for Rocks {
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        if is_inverted(range) {
            return Ok(());
        }
        let mut rows = self.db.raw_iterator();
        let (from, forward) = match direction {
            Direction::Forward => (range.0, true),
            Direction::Backward => (range.1, false),
        };
        match from {
            Bound::Included(key) | Bound::Excluded(key) if forward => rows.seek(key),
            Bound::Included(key) | Bound::Excluded(key) => rows.seek_for_prev(key),
            Bound::Unbounded if forward => rows.seek_to_first(),
            Bound::Unbounded => rows.seek_to_last(),
        }
        while let Some((key, value)) = rows.item() {
            let is_the_excluded_start = from == Bound::Excluded(key);
            if !is_the_excluded_start
                && (!RangeBounds::<[u8]>::contains(&range, key) || visit(key, value).is_break())
            {
                break;
            }
            if forward { rows.next() } else { rows.prev() }
        }
        rows.status().map_err(refused("scan", &self.dir))
    }
}
