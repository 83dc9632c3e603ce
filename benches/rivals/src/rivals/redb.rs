//! `redb`: a copy-on-write B-tree in one file, in Rust.
//!
//! A set is a write transaction of its own, a get a read transaction that opens the table; the value is copied
//! out of the page while the transaction lives.
//!
//! - *Synced*: `Durability::Immediate`, the default. A commit returns after an fdatasync:
//!   [`Durability::PowerLoss`].
//! - *Relaxed*: `Durability::None`. By its documentation such a commit is not persisted until one with
//!   `Immediate` follows; until then it lies in the process's own cache, and goes with the process:
//!   [`Durability::OnSync`]. The store's `sync` is an empty commit with `Immediate`.

use std::fs;
use std::path::{Path, PathBuf};

use logladder_engine::{
    Direction, Durability, Engine, KeyRange, Ordered, Result, Stats, SyncPolicy, Visit, limits,
};
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use super::{Budget, Opened, go_through, is_inverted, is_synced, refused};

pub(super) const RELAXED: Opened = Opened::new("Durability::None", Durability::OnSync);
pub(super) const SYNCED: Opened = Opened::new("Durability::Immediate", Durability::PowerLoss);

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");

pub(super) fn open(dir: &Path, sync: SyncPolicy, budget: Option<Budget>) -> Result<Box<dyn Engine>> {
    fs::create_dir_all(dir).map_err(refused("make the folder", dir))?;
    let mut builder = Database::builder();
    if let Some(budget) = budget {
        builder.set_cache_size(usize::try_from(budget.cache).unwrap_or(usize::MAX));
    }
    let database = builder.create(dir.join("redb")).map_err(refused("open", dir))?;
    let store = Redb { database, synced: is_synced(sync), dir: dir.to_path_buf() };
    // A get does not make the table; so it is there from the start.
    let make_table = || -> std::result::Result<(), redb::Error> {
        let transaction = store.database.begin_write()?;
        transaction.open_table(TABLE)?;
        Ok(transaction.commit()?)
    };
    make_table().map_err(refused("make a table in", dir))?;
    Ok(Box::new(store))
}

struct Redb {
    database: Database,
    synced: bool,
    dir: PathBuf,
}

impl Redb {
    /// One transaction, committed with the durability that was chosen.
    fn write(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, &[u8], &[u8]>) -> redb::Result<()>,
    ) -> std::result::Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        if !self.synced {
            transaction.set_durability(redb::Durability::None)?;
        }
        change(&mut transaction.open_table(TABLE)?)?;
        Ok(transaction.commit()?)
    }

    fn read(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> std::result::Result<bool, redb::Error> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        let found = table.get(key)?;
        Ok(found.map(|found| read(found.value())).is_some())
    }

    fn show(
        &self,
        range: KeyRange<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> std::result::Result<(), redb::Error> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        go_through(table.range::<&[u8]>(range)?, direction, |row| {
            let (key, value) = row?;
            Ok(visit(key.value(), value.value()))
        })
    }

    fn count(&self) -> std::result::Result<u64, redb::Error> {
        Ok(self.database.begin_read()?.open_table(TABLE)?.len()?)
    }
}

impl Engine for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn durability(&self) -> Durability {
        if self.synced { SYNCED.durability } else { RELAXED.durability }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = Vec::new();
        Ok(self.get_into(key, &mut value)?.then_some(value))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        self.get_with(key, &mut |found| value.extend_from_slice(found))
    }

    /// In the page, while the transaction lives.
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        limits::check_key(key)?;
        self.read(key, read).map_err(refused("get a key from", &self.dir))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let set = self.write(|table| table.insert(key, value).map(drop));
        set.map_err(refused("set a key in", &self.dir))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let deleted = self.write(|table| table.remove(key).map(drop));
        deleted.map_err(refused("delete a key from", &self.dir))
    }

    fn sync(&self) -> Result<()> {
        let commit =
            || -> std::result::Result<(), redb::Error> { Ok(self.database.begin_write()?.commit()?) };
        commit().map_err(refused("sync", &self.dir))
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        stats.live_keys = self.count().map_err(refused("count the keys of", &self.dir))?;
        Ok(stats)
    }

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        Some(self)
    }
}

impl Ordered for Redb {
    /// In the pages, in a read transaction of its own.
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        if is_inverted(range) {
            return Ok(());
        }
        self.show(range, direction, visit).map_err(refused("scan", &self.dir))
    }
}
