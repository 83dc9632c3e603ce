//! LMDB through `heed`: a copy-on-write B+tree in one mapped file.
//!
//! A set is a write transaction of its own, a get a read transaction of its own; the value is copied from the
//! map while the transaction lives.
//!
//! - *Synced*: LMDB's default. A commit is an fdatasync of the pages and a synchronous write of the meta page:
//!   [`Durability::PowerLoss`].
//! - *Relaxed*: `NO_SYNC` and `WRITE_MAP`. Pages are changed in a shared map and never synced, so they are with
//!   the kernel when the commit returns: [`Durability::ProcessCrash`]. A power loss may take the whole
//!   database, since nothing orders the meta page behind the pages it names.
//!
//! The third entry, `heed-long-read`, does all its gets in one read transaction until the next write. An
//! application that serves requests cannot, because such a transaction does not see later writes and keeps
//! every page that they replace.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use heed::types::Bytes;
use heed::{
    AnyTls, CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, TlsUsage, WithTls, WithoutTls,
};
use logladder_engine::{
    Direction, Durability, Engine, Error, KeyRange, Ordered, Result, Stats, SyncPolicy, Visit, limits,
};

use super::{Budget, Opened, copied, is_inverted, is_synced, refused};

pub(super) const RELAXED: Opened = Opened::new("NO_SYNC, WRITE_MAP", Durability::ProcessCrash);
pub(super) const SYNCED: Opened = Opened::new("default", Durability::PowerLoss);
pub(super) const LONG_READ: Opened =
    Opened::new("NO_SYNC, WRITE_MAP, one read transaction for all gets", Durability::ProcessCrash);

/// Address space that the map may take. The file is as long where LMDB writes through the map, but occupies only
/// what is used.
const MAP_BYTES: usize = 64 << 30;

/// The memory that it takes is the kernel's cache of the mapped file.
pub(super) fn open(dir: &Path, sync: SyncPolicy, _: Option<Budget>) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Heed::<WithTls>::open(EnvOpenOptions::new(), dir, sync)?))
}

pub(super) fn open_for_a_long_read(
    dir: &Path,
    sync: SyncPolicy,
    _: Option<Budget>,
) -> Result<Box<dyn Engine>> {
    let options = EnvOpenOptions::new().read_txn_without_tls();
    Ok(Box::new(LongRead { open: Mutex::new(None), store: Heed::open(options, dir, sync)? }))
}

struct Heed<T> {
    env: Env<T>,
    database: Database<'static, Bytes, Bytes>,
    durability: Durability,
    dir: PathBuf,
}

impl<T: TlsUsage> Heed<T> {
    fn open(mut options: EnvOpenOptions<T>, dir: &Path, sync: SyncPolicy) -> Result<Self> {
        fs::create_dir_all(dir).map_err(refused("make the folder", dir))?;
        options.map_size(MAP_BYTES);
        let (flags, opened) = if is_synced(sync) {
            (EnvFlags::empty(), SYNCED)
        } else {
            (EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP, RELAXED)
        };
        // SAFETY: these flags give up safety from a power loss, and from a stray pointer into the map; nothing
        // else in this program writes through pointers. The folder is the benchmark's own, made for this store,
        // on a local disk, and no other process changes a file in it while the environment is open.
        #[allow(unsafe_code, reason = "LMDB's binding has no safe way to open an environment")]
        let env = unsafe { options.flags(flags).open(dir) }.map_err(refused("open", dir))?;
        let failed = refused("make a database in", dir);
        let transaction = env.write_txn().map_err(&failed)?;
        let database = env
            .create_databases_and_commit(transaction, |opener, transaction| {
                opener.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
            })
            .map_err(failed)?
            .commit()
            .ok_or_else(|| refused("make a database in", dir)("its creation was given up"))?;
        Ok(Self { env, database, durability: opened.durability, dir: dir.to_path_buf() })
    }

    fn find<'t>(&self, transaction: &'t RoTxn<'_>, key: &[u8]) -> heed::Result<Option<&'t [u8]>> {
        // LMDB has no place for an empty key, and says so with an error.
        if key.is_empty() { Ok(None) } else { self.database.get(transaction, key) }
    }

    fn read(&self, transaction: &RoTxn<'_>, key: &[u8], value: &mut Vec<u8>) -> heed::Result<bool> {
        Ok(copied(self.find(transaction, key)?, value))
    }

    fn show(
        &self,
        transaction: &RoTxn<'_>,
        range: KeyRange<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> heed::Result<()> {
        match direction {
            Direction::Forward => until_break(self.database.range(transaction, &range)?, visit),
            Direction::Backward => until_break(self.database.rev_range(transaction, &range)?, visit),
        }
    }
}

/// Shows rows where they lie in the map.
fn until_break<'t>(
    rows: impl Iterator<Item = heed::Result<(&'t [u8], &'t [u8])>>,
    visit: &mut Visit<'_>,
) -> heed::Result<()> {
    for row in rows {
        let (key, value) = row?;
        if visit(key, value).is_break() {
            break;
        }
    }
    Ok(())
}

impl<T: TlsUsage> Engine for Heed<T>
where
    for<'e> RoTxn<'e, T>: Deref<Target = RoTxn<'e, AnyTls>>,
{
    fn name(&self) -> &'static str {
        "heed"
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = Vec::new();
        Ok(self.get_into(key, &mut value)?.then_some(value))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        let found = self.env.read_txn().and_then(|transaction| self.read(&transaction, key, value));
        found.map_err(refused("get a key from", &self.dir))
    }

    /// In the map, while the transaction lives.
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        limits::check_key(key)?;
        let look = || {
            let transaction = self.env.read_txn()?;
            Ok(self.find(&transaction, key)?.map(read).is_some())
        };
        look().map_err(refused::<heed::Error>("get a key from", &self.dir))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let set = || {
            let mut transaction = self.env.write_txn()?;
            self.database.put(&mut transaction, key, value)?;
            transaction.commit()
        };
        set().map_err(refused("set a key in", &self.dir))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let delete = || {
            let mut transaction = self.env.write_txn()?;
            self.database.delete(&mut transaction, key)?;
            transaction.commit()
        };
        delete().map_err(refused("delete a key from", &self.dir))
    }

    fn sync(&self) -> Result<()> {
        self.env.force_sync().map_err(refused("sync", &self.dir))
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let count = || self.database.len(&*self.env.read_txn()?);
        stats.live_keys = count().map_err(refused("count the keys of", &self.dir))?;
        Ok(stats)
    }

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        Some(self)
    }
}

impl<T: TlsUsage> Ordered for Heed<T>
where
    for<'e> RoTxn<'e, T>: Deref<Target = RoTxn<'e, AnyTls>>,
{
    /// In a read transaction of its own.
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        if is_inverted(range) {
            return Ok(());
        }
        let shown =
            self.env.read_txn().and_then(|transaction| self.show(&transaction, range, direction, visit));
        shown.map_err(refused("scan", &self.dir))
    }
}

struct LongRead {
    /// The transaction that all gets since the last write share. It goes before the environment it reads.
    open: Mutex<Option<RoTxn<'static, WithoutTls>>>,
    store: Heed<WithoutTls>,
}

impl LongRead {
    fn end_the_read(&self) -> Result<()> {
        *self.open.lock().map_err(|_| Error::panicked())? = None;
        Ok(())
    }
}

impl Engine for LongRead {
    fn name(&self) -> &'static str {
        "heed-long-read"
    }

    fn durability(&self) -> Durability {
        self.store.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = Vec::new();
        Ok(self.get_into(key, &mut value)?.then_some(value))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        let mut open = self.open.lock().map_err(|_| Error::panicked())?;
        let failed = refused("get a key from", &self.store.dir);
        let transaction = match &mut *open {
            Some(transaction) => transaction,
            none => none.insert(self.store.env.clone().static_read_txn().map_err(&failed)?),
        };
        self.store.read(transaction, key, value).map_err(failed)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.end_the_read()?;
        self.store.set(key, value)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.end_the_read()?;
        self.store.delete(key)
    }

    fn sync(&self) -> Result<()> {
        self.store.sync()
    }

    fn stats(&self) -> Result<Stats> {
        self.store.stats()
    }
}
