//! `sled` 0.34: a lock-free B-link tree over a log of page fragments.
//!
//! A set is `Db::insert`, a get `Db::get`, whose bytes are copied into the caller's buffer.
//!
//! - *Relaxed*: the default. Writes gather in buffers of the process, which a thread writes out every 500 ms:
//!   [`Durability::Eventual`].
//! - *Synced*: `Db::flush` after each write. Its documentation promises that a flushed write survives a crash of
//!   the system; but on Linux the source of 0.34 calls `sync_file_range`, which neither flushes the
//!   disk's cache nor writes the file's length. So the most that can be stated is
//!   [`Durability::ProcessCrash`], and the engine stands in that group.

use std::path::{Path, PathBuf};

use logladder_engine::{Durability, Engine, Result, Stats, SyncPolicy, limits};
use sled::Db;

use super::{Budget, Opened, copied, is_synced, refused};

pub(super) const RELAXED: Opened = Opened::new("default (flushes every 500 ms)", Durability::Eventual);
pub(super) const SYNCED: Opened =
    Opened::new("flush after each write (sync_file_range)", Durability::ProcessCrash);

pub(super) fn open(dir: &Path, sync: SyncPolicy, _: Option<Budget>) -> Result<Box<dyn Engine>> {
    let db = sled::open(dir).map_err(refused("open", dir))?;
    Ok(Box::new(Sled { db, synced: is_synced(sync), dir: dir.to_path_buf() }))
}

struct Sled {
    db: Db,
    synced: bool,
    dir: PathBuf,
}

impl Sled {
    fn flush(&self) -> sled::Result<()> {
        if self.synced { self.db.flush().map(drop) } else { Ok(()) }
    }
}

impl Engine for Sled {
    fn name(&self) -> &'static str {
        "sled"
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
        let found = self.db.get(key).map_err(refused("get a key from", &self.dir))?;
        Ok(copied(found, value))
    }

    /// In the bytes that the engine returns.
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        limits::check_key(key)?;
        let found = self.db.get(key).map_err(refused("get a key from", &self.dir))?;
        Ok(found.map(|found| read(&found)).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let set = self.db.insert(key, value).and_then(|_| self.flush());
        set.map_err(refused("set a key in", &self.dir))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let deleted = self.db.remove(key).and_then(|_| self.flush());
        deleted.map_err(refused("delete a key from", &self.dir))
    }

    fn sync(&self) -> Result<()> {
        self.db.flush().map(drop).map_err(refused("sync", &self.dir))
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        stats.live_keys = self.db.len() as u64;
        Ok(stats)
    }
}
