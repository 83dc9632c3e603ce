//! [`HashLog`]: the engine.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use logladder_disk::{Disk, OpenOn, RealDisk, StoreFolder};
use logladder_engine::{
    Atomic, Backup, Batch, Changes, Compact, Compacted, Durability, Engine, Expire, Expiry, History, Iterate,
    Open, Position, Repair, Result, Stats, Visit, VisitChange, VisitVersion, limits,
};

use crate::Options;
use crate::background::Background;
use crate::files::FileKind;
use crate::format::FORMAT_VERSION;
use crate::format::extra::{millis_of, moment_of};
use crate::read::ValueRef;
use crate::recover::recover;
use crate::store::Store;
use crate::usage::SegmentUsage;

pub(crate) const STAGE: &str = "hash-log";

/// A store of log segments with an index in memory.
///
/// It can be shared between threads. Readers never wait for a writer, nor for compaction.
///
/// What it can do beyond [`Engine`] are traits; each is used once it is in scope:
///
/// ```
/// use logladder_hash_log::{Atomic, Batch, Engine, HashLog, Open, Options};
///
/// # let dir = tempfile::tempdir().unwrap();
/// let store = HashLog::open(dir.path(), Options::default())?;
///
/// // After a crash all of a batch is there, or none.
/// let mut batch = Batch::new();
/// batch.set(b"anna", b"50").set(b"bob", b"150").delete(b"transfer");
/// store.write(&batch)?;
///
/// // A write that depends on what is there: it is refused if the value is another.
/// assert!(store.compare_and_set(b"anna", Some(b"50"), Some(b"60"))?);
/// assert!(!store.compare_and_set(b"anna", Some(b"50"), Some(b"70"))?);
///
/// // A value where it lies, without a copy of it.
/// let value = store.get_ref(b"anna")?;
/// assert_eq!(value.as_deref(), Some(&b"60"[..]));
///
/// // Syncs everything, and leaves a checkpoint: the next opening need not read the log.
/// Box::new(store).close()?;
/// # Ok::<(), logladder_hash_log::Error>(())
/// ```
#[derive(Debug)]
pub struct HashLog {
    /// Before the store, so that its threads have ended when the folder's lock is released.
    background: Background,
    store: Arc<Store>,
    repairs: Vec<Repair>,
}

impl HashLog {
    /// The value of `key` where it lies in the store, if it has one: nothing is copied.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`].
    pub fn get_ref(&self, key: &[u8]) -> Result<Option<ValueRef>> {
        self.store.get_ref(key)
    }

    /// How much of each segment is of use, by number.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentUsage> {
        self.store.catalog.usage()
    }

    /// Seals the segment that is being written, if there is one; the next write begins another. From then on the
    /// file never changes.
    ///
    /// # Errors
    ///
    /// As [`Engine::set`].
    pub fn seal(&self) -> Result<()> {
        self.store.seal()
    }

    /// Compacts exactly these segments, whatever there is to gain, as far as they exist and are sealed. It takes
    /// any subset. [`Compact::compact`] and the background choose for themselves.
    ///
    /// # Errors
    ///
    /// As [`Compact::compact`].
    pub fn compact_segments(&self, ids: &[u64]) -> Result<Compacted> {
        self.store.signal.report()?;
        self.store.compact_segments(ids)
    }

    /// Holds the compaction in the background, in the middle of a segment if it is there. The disk fills faster
    /// meanwhile.
    pub fn pause_compaction(&self) {
        self.store.signal.pause(true);
    }

    /// Lets the compaction in the background go on.
    pub fn resume_compaction(&self) {
        self.store.signal.pause(false);
    }

    /// How many bytes the compaction that runs has gone through, and of how many; none if none runs.
    #[must_use]
    pub fn compaction_progress(&self) -> Option<(u64, u64)> {
        self.store.signal.progress()
    }
}

impl Engine for HashLog {
    fn name(&self) -> &'static str {
        STAGE
    }

    fn durability(&self) -> Durability {
        self.store.options.sync.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.get_with(key, <[u8]>::to_vec)
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        Ok(self.store.get_with(key, |found| value.extend_from_slice(found))?.is_some())
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.store.get_with(key, read)?.is_some())
    }

    fn get_many(&self, keys: &[&[u8]], visit: &mut dyn FnMut(usize, Option<&[u8]>)) -> Result<()> {
        self.store.get_many(keys, visit)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.set(key, value, None)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.store.delete(key)
    }

    /// Also reports, once, why a thread of the engine failed.
    fn sync(&self) -> Result<()> {
        self.store.sync()?;
        // It is on the disk. Whoever asks wants to find it there.
        self.store.folder.check_in_place()?;
        self.store.signal.report()
    }

    /// A value that has ended counts until compaction has removed it.
    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let catalog = &self.store.catalog;
        let live = catalog.live();
        stats.live_keys = live.keys;
        stats.live_bytes = live.bytes;
        stats.index_bytes = catalog.index().bytes();
        stats.disk_bytes = self.store.folder.disk_bytes()?;
        stats.unreserved_files =
            catalog.segments().iter().filter(|(_, segment)| segment.is_unreserved()).count() as u64;
        Ok(stats)
    }

    fn trouble(&self) -> Option<String> {
        self.store.folder.trouble()
    }

    fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    /// Ends the threads, seals everything that was written, and leaves a checkpoint, so that the next open is a copy
    /// of it. Where sessions have left many small segments, they are merged.
    fn close(mut self: Box<Self>) -> Result<()> {
        let ended = self.background.stop();
        let closed = self.store.close();
        let reported = self.store.signal.report();
        closed.and(ended).and(reported)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn as_history(&self) -> Option<&dyn History> {
        (self.store.catalog.versions() > 1).then_some(self)
    }

    fn as_changes(&self) -> Option<&dyn Changes> {
        Some(self)
    }

    fn as_expire(&self) -> Option<&dyn Expire> {
        Some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        Some(self)
    }

    fn as_backup(&self) -> Option<&dyn Backup> {
        Some(self)
    }
}

impl Iterate for HashLog {
    /// In the order in which the values lie on the disk, so that they are read in long runs.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.store.snapshot()?.for_each(visit)
    }

    fn is_consistent(&self) -> bool {
        true
    }
}

impl Atomic for HashLog {
    /// A batch is one piece of the log. Its records may take 268,435,395 bytes, which is 256 MiB less 61: a write takes
    /// 16 bytes, its key and its value, and where versions are kept 7 bytes more.
    fn write(&self, batch: &Batch) -> Result<()> {
        self.store.write(batch)
    }

    fn compare_and_set(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool> {
        self.store.compare_and_set(key, expected, new)
    }
}

impl History for HashLog {
    /// As many as [`Options::versions`] says.
    fn versions(&self, key: &[u8], visit: &mut VisitVersion<'_>) -> Result<()> {
        limits::check_key(key)?;
        self.store.versions(key, visit)
    }
}

impl Changes for HashLog {
    fn position(&self) -> Result<Position> {
        self.store.position()
    }

    /// Compaction takes segments out of the log from which changes are read.
    fn earliest_position(&self) -> Result<Position> {
        self.store.earliest_position()
    }

    fn changes(&self, since: Position, visit: &mut VisitChange<'_>) -> Result<Position> {
        self.store.changes(since, visit)
    }
}

impl Expire for HashLog {
    fn set_until(&self, key: &[u8], value: &[u8], end: SystemTime) -> Result<()> {
        self.store.set(key, value, Some(millis_of(end)))
    }

    fn expiry(&self, key: &[u8]) -> Result<Expiry> {
        limits::check_key(key)?;
        let found =
            self.store.catalog.read(key, |record| match (record.live_value(), record.extra.expires) {
                (None, _) => Expiry::Absent,
                (Some(_), None) => Expiry::Never,
                (Some(_), Some(end)) => Expiry::At(moment_of(end)),
            })?;
        Ok(found.unwrap_or(Expiry::Absent))
    }
}

impl Compact for HashLog {
    /// Takes every segment that has anything to give up, the active one included.
    fn compact(&self) -> Result<Compacted> {
        self.store.signal.report()?;
        self.store.compact()
    }
}

impl Backup for HashLog {
    /// Sealed segments get a second name, where the file system has such a thing; elsewhere they are copied.
    fn backup(&self, dir: &Path) -> Result<()> {
        self.store.backup(dir).map_err(|error| error.of_copy(self.store.folder.dir()))
    }
}

impl Open for HashLog {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl OpenOn for HashLog {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        let owns = |name: &str| FileKind::of(name).is_some();
        let folder = StoreFolder::open_unclaimed(disk, dir, STAGE, FORMAT_VERSION.into(), owns)?;
        Self::open_in(folder, options)
    }
}

impl HashLog {
    /// Opens the store in a folder that is locked.
    ///
    /// # Errors
    ///
    /// As [`Open::open`], but for what is said of the folder itself.
    pub(crate) fn open_in(folder: StoreFolder, mut options: Options) -> Result<Self> {
        options.sync = options.sync.simplified();
        let mut recovered = recover(&folder, &options)?;
        let repairs = std::mem::take(&mut recovered.repairs);
        let store = Arc::new(Store::new(folder, options, recovered));
        let background = Background::start(&store)?;
        Ok(Self { background, store, repairs })
    }
}
