//! RocksDB: the log-structured merge tree that others are measured by, in C++. Behind the feature `rocksdb`.
//!
//! A set is `DB::put_opt`, a get `DB::get_pinned`, whose bytes are copied into the caller's buffer.
//!
//! - *Relaxed*: the default. A write goes to the write-ahead log without a sync: [`Durability::ProcessCrash`].
//! - *Synced*: `WriteOptions::set_sync(true)`, an fdatasync of the log that concurrent writers share:
//!   [`Durability::PowerLoss`].

use std::path::{Path, PathBuf};

use logladder_engine::{Durability, Engine, Result, Stats, SyncPolicy, limits};
use rocksdb::{DB, IteratorMode, Options, WriteOptions};

use super::{Opened, copied, is_synced, refused};

pub(super) const RELAXED: Opened = Opened::new("write-ahead log without sync", Durability::ProcessCrash);
pub(super) const SYNCED: Opened = Opened::new("write-ahead log with sync", Durability::PowerLoss);

pub(super) fn open(dir: &Path, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
    let mut options = Options::default();
    options.create_if_missing(true);
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
}
