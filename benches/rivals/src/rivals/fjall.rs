//! `fjall`: a log-structured merge tree in Rust: a journal, memtables, sorted tables.
//!
//! A set is `Keyspace::insert`, a get `Keyspace::get`, whose slice is copied into the caller's buffer, a scan
//! `Keyspace::range`.
//!
//! - *Relaxed*: the default. Each insert hands its journal record to the kernel (`PersistMode::Buffer`) before
//!   it returns: [`Durability::ProcessCrash`].
//! - *Synced*: `Database::persist(PersistMode::SyncAll)` after each write, as its documentation says: an
//!   fsync of the journal, [`Durability::PowerLoss`].

use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use logladder_engine::{
    Direction, Durability, Engine, KeyRange, Ordered, Result, Stats, SyncPolicy, Visit, limits,
};

use super::{Budget, Opened, copied, go_through, is_inverted, is_synced, refused};

pub(super) const RELAXED: Opened = Opened::new("default (PersistMode::Buffer)", Durability::ProcessCrash);
pub(super) const SYNCED: Opened = Opened::new("persist(SyncAll) after each write", Durability::PowerLoss);

pub(super) fn open(dir: &Path, sync: SyncPolicy, budget: Option<Budget>) -> Result<Box<dyn Engine>> {
    let builder = Database::builder(dir);
    let builder = match budget {
        Some(budget) => builder.cache_size(budget.cache),
        None => builder,
    };
    let database = builder.open().map_err(refused("open", dir))?;
    let options = || match budget {
        Some(budget) => KeyspaceCreateOptions::default().max_memtable_size(budget.write_buffer),
        None => KeyspaceCreateOptions::default(),
    };
    let keyspace = database.keyspace("entries", options).map_err(refused("make a keyspace in", dir))?;
    Ok(Box::new(Fjall { database, keyspace, synced: is_synced(sync), dir: dir.to_path_buf() }))
}

struct Fjall {
    database: Database,
    keyspace: Keyspace,
    synced: bool,
    dir: PathBuf,
}

impl Fjall {
    fn persist(&self) -> fjall::Result<()> {
        if self.synced { self.database.persist(PersistMode::SyncAll) } else { Ok(()) }
    }
}

impl Engine for Fjall {
    fn name(&self) -> &'static str {
        "fjall"
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
        let found = self.keyspace.get(key).map_err(refused("get a key from", &self.dir))?;
        Ok(copied(found, value))
    }

    /// In the slice that the engine returns.
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        limits::check_key(key)?;
        let found = self.keyspace.get(key).map_err(refused("get a key from", &self.dir))?;
        Ok(found.map(|found| read(&found)).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let set = self.keyspace.insert(key, value).and_then(|()| self.persist());
        set.map_err(refused("set a key in", &self.dir))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let deleted = self.keyspace.remove(key).and_then(|()| self.persist());
        deleted.map_err(refused("delete a key from", &self.dir))
    }

    fn sync(&self) -> Result<()> {
        self.database.persist(PersistMode::SyncAll).map_err(refused("sync", &self.dir))
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        stats.live_keys = self.keyspace.len().map_err(refused("count the keys of", &self.dir))? as u64;
        Ok(stats)
    }

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        Some(self)
    }
}

impl Ordered for Fjall {
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        if is_inverted(range) {
            return Ok(());
        }
        let rows = self.keyspace.range::<&[u8], _>(range);
        let shown = go_through(rows, direction, |row| {
            let (key, value) = row.into_inner()?;
            Ok::<_, fjall::Error>(visit(&key, &value))
        });
        shown.map_err(refused("scan", &self.dir))
    }
}
