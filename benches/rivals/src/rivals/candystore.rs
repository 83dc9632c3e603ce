//! `candystore`: a mapped hash index over append-only files; of the rivals the one most like `hash-log`.
//!
//! A set is `CandyStore::set`, which reads and returns the value it replaces; a get is `CandyStore::get`,
//! which allocates the value it returns.
//!
//! - *Relaxed*: the default. A write goes to the kernel and the index is a shared map:
//!   [`Durability::ProcessCrash`]. A thread makes a checkpoint every five seconds or 128 KiB.
//! - *Synced*: `CandyStore::flush` after each write, which syncs the index, the data files and the folder; its
//!   documentation counts on it for a loss of power: [`Durability::PowerLoss`].
//!
//! Values end at 65,471 bytes, keys at 16,367.

use std::path::{Path, PathBuf};

use candystore::{CandyStore, Config};
use logladder_engine::{Durability, Engine, Result, Stats, SyncPolicy, limits};

use super::{Budget, Opened, copied, is_synced, refused};

pub(super) const RELAXED: Opened = Opened::new("default", Durability::ProcessCrash);
pub(super) const SYNCED: Opened = Opened::new("flush after each write", Durability::PowerLoss);

pub(super) fn open(dir: &Path, sync: SyncPolicy, _: Option<Budget>) -> Result<Box<dyn Engine>> {
    let store = CandyStore::open(dir, Config::default()).map_err(refused("open", dir))?;
    Ok(Box::new(Candy { store, synced: is_synced(sync), dir: dir.to_path_buf() }))
}

struct Candy {
    store: CandyStore,
    synced: bool,
    dir: PathBuf,
}

impl Candy {
    fn flush(&self) -> candystore::Result<()> {
        if self.synced { self.store.flush() } else { Ok(()) }
    }
}

impl Engine for Candy {
    fn name(&self) -> &'static str {
        "candystore"
    }

    fn durability(&self) -> Durability {
        if self.synced { SYNCED.durability } else { RELAXED.durability }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        self.store.get(key).map_err(refused("get a key from", &self.dir))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        Ok(copied(self.get(key)?, value))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let set = self.store.set(key, value).and_then(|_| self.flush());
        set.map_err(refused("set a key in", &self.dir))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let deleted = self.store.remove(key).and_then(|_| self.flush());
        deleted.map_err(refused("delete a key from", &self.dir))
    }

    fn sync(&self) -> Result<()> {
        self.store.flush().map_err(refused("sync", &self.dir))
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        stats.live_keys = self.store.num_items() as u64;
        Ok(stats)
    }
}
