//! [`SortedLog`]: the engine.

use std::iter;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, OpenOn, RealDisk, StoreFolder};
use logladder_engine::{
    Atomic, Backup, Batch, Compact, Compacted, Direction, Durability, Engine, Iterate, KeyRange, Open,
    Ordered, Repair, Result, Stalls, Stats, Visit, Write, limits,
};

use crate::Options;
use crate::background::Background;
use crate::files::{FORMAT_VERSION, FileKind};
use crate::recover::{Recovered, recover};
use crate::snapshot::Snapshot;
use crate::store::Store;

pub(crate) const STAGE: &str = "sorted-log";

const ALL: KeyRange<'static> = (Bound::Unbounded, Bound::Unbounded);

/// A store of sorted tables, with a memtable and a write-ahead log in front of them.
///
/// It can be shared between threads. Readers never wait for a writer, nor for compaction.
///
/// What it can do beyond [`Engine`] are traits; each is used once it is in scope:
///
/// ```
/// use std::ops::{Bound, ControlFlow};
/// use logladder_sorted_log::{Direction, Engine, Open, Options, Ordered, SortedLog};
///
/// # let dir = tempfile::tempdir().unwrap();
/// let store = SortedLog::open(dir.path(), Options::default())?;
/// for name in ["carla", "anna", "bob"] {
///     store.set(name.as_bytes(), b"hello")?;
/// }
/// let before = store.snapshot();
/// store.delete(b"bob")?;
///
/// let mut names = Vec::new();
/// let from_b = (Bound::Included(&b"b"[..]), Bound::Unbounded);
/// store.scan(from_b, Direction::Backward, &mut |name, _| {
///     names.push(String::from_utf8_lossy(name).into_owned());
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(names, ["carla"]);
/// assert_eq!(before.get(b"bob")?, Some(b"hello".to_vec()));
/// # Ok::<(), logladder_sorted_log::Error>(())
/// ```
#[derive(Debug)]
pub struct SortedLog {
    /// Before the store, so that its threads have ended when the folder's lock is released.
    background: Background,
    store: Arc<Store>,
    repairs: Vec<Repair>,
    left_alone: Vec<PathBuf>,
}

impl SortedLog {
    /// The store as it is now, whatever is written later.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.store.now_kept())
    }

    /// Writes everything that is in memory as tables of level 0.
    ///
    /// # Errors
    ///
    /// As [`Engine::set`].
    pub fn flush(&self) -> Result<()> {
        self.store.flush_all()
    }

    /// How many tables each level has, level 0 first, and how many bytes they take.
    #[must_use]
    pub fn levels(&self) -> Vec<(usize, u64)> {
        let (state, _) = self.store.now();
        let levels = state.tables.levels.iter();
        levels.map(|tables| (tables.len(), tables.iter().map(|table| table.meta.len).sum())).collect()
    }

    /// The files that opening found under names that tables and logs have, and that are none of this store's: a table that
    /// someone put there, or something else altogether. They are never read, changed or removed. Move them away once
    /// you know what they are.
    #[must_use]
    pub fn left_alone(&self) -> &[PathBuf] {
        &self.left_alone
    }

    fn read<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        limits::check_key(key)?;
        let (state, sequence) = self.store.now();
        state.get(key, sequence, read)
    }
}

impl Engine for SortedLog {
    fn name(&self) -> &'static str {
        STAGE
    }

    fn durability(&self) -> Durability {
        self.store.options.sync.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(key, <[u8]>::to_vec)
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        Ok(self.read(key, |found| value.extend_from_slice(found))?.is_some())
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.read(key, read)?.is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.write(iter::once(Write::Set(key, value)))
    }

    /// A tombstone is written, whether the key is there or not: to find out would take longer.
    fn delete(&self, key: &[u8]) -> Result<()> {
        self.store.write(iter::once(Write::Delete(key)))
    }

    fn sync(&self) -> Result<()> {
        self.store.sync()?;
        // It is on the disk. Whoever asks wants to find it there.
        self.store.folder.check_in_place()
    }

    /// Goes through the whole store, to count its keys.
    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let (kept, sequence) = self.store.now_kept();
        kept.scan(ALL, sequence, Direction::Forward, &mut |key, value| {
            stats.live_keys += 1;
            stats.live_bytes += (key.len() + value.len()) as u64;
            ControlFlow::Continue(())
        })?;
        let memtables = iter::once(&kept.active).chain(&kept.full).map(|memtable| memtable.bytes());
        let tables = kept.tables.all().map(|table| table.memory());
        stats.index_bytes = memtables.chain(tables).sum::<usize>() as u64;
        stats.disk_bytes = self.store.folder.disk_bytes()?;
        stats.unreserved_files = self.store.unreserved_files();
        stats.stalls = self.stalls();
        Ok(stats)
    }

    /// A writer waits while more is waiting to be written as tables and merged than should be.
    fn stalls(&self) -> Option<Stalls> {
        Some(self.store.stalls.so_far())
    }

    fn trouble(&self) -> Option<String> {
        self.store.folder.trouble().or_else(|| self.store.damage.trouble())
    }

    fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    /// Ends the threads, syncs the log and gives back the space that was reserved for it. What is in memory is read from the
    /// log at the next opening: tables of a few keys would only have to be merged.
    fn close(mut self: Box<Self>) -> Result<()> {
        let ended = self.background.stop();
        self.store.close().and(ended)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        Some(self)
    }

    fn as_atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        Some(self)
    }

    fn as_backup(&self) -> Option<&dyn Backup> {
        Some(self)
    }
}

impl Iterate for SortedLog {
    /// In the order of the keys.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.scan(ALL, Direction::Forward, visit)
    }

    fn is_consistent(&self) -> bool {
        true
    }
}

impl Ordered for SortedLog {
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        let (state, sequence) = self.store.now_kept();
        state.scan(range, sequence, direction, visit)
    }
}

impl Atomic for SortedLog {
    /// A batch is one record of the log. Its keys and values may have 1 GiB and 1 MiB, less ten bytes for each write.
    fn write(&self, batch: &Batch) -> Result<()> {
        if batch.is_empty() {
            return self.store.writer().map(drop);
        }
        let writes: Vec<Write<'_>> = batch.iter().collect();
        self.store.write(writes.iter().copied())
    }

    fn compare_and_set(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool> {
        self.store.compare_and_set(key, expected, new)
    }
}

impl Compact for SortedLog {
    /// Merges everything into one level.
    fn compact(&self) -> Result<Compacted> {
        self.store.compact()
    }
}

impl Backup for SortedLog {
    /// Tables get a second name, where the file system has such a thing; elsewhere they are copied.
    fn backup(&self, dir: &Path) -> Result<()> {
        self.store.backup(dir).map_err(|error| error.of_copy(self.store.folder.dir()))
    }
}

impl Open for SortedLog {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl OpenOn for SortedLog {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        let owns = |name: &str| FileKind::of(name).is_some();
        let folder = StoreFolder::open_unclaimed(disk, dir, STAGE, FORMAT_VERSION, owns)?;
        Self::open_in(folder, options)
    }
}

impl SortedLog {
    /// Opens the store in a folder that is locked.
    ///
    /// # Errors
    ///
    /// As [`Open::open`], but for what is said of the folder itself.
    pub(crate) fn open_in(folder: StoreFolder, options: Options) -> Result<Self> {
        let options = options.within_limits();
        let Recovered { parts, repairs, left_alone } = recover(&folder, &options)?;
        let store = Arc::new(Store::new(folder, options, parts));
        let background = Background::start(&store)?;
        Ok(Self { background, store, repairs, left_alone })
    }
}
