//! [`ReplayLog`]: the engine.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use logladder_disk::{Disk, OpenOn, Poison, RealDisk, StoreFolder};
use logladder_engine::{
    Atomic, Backup, Batch, Changes, Compact, Compacted, Durability, Engine, History, Iterate, Open, Position,
    Repair, Result, Stats, Visit, VisitChange, VisitVersion, limits,
};

use crate::background::{Background, Signal};
use crate::commit::Commits;
use crate::entry::Entry;
use crate::files::FileKind;
use crate::map::TABLES;
use crate::options::Options;
use crate::recover::recover;
use crate::report::Replay;
use crate::store::Store;

pub(crate) const STAGE: &str = "replay-log";
pub(crate) const FORMAT_VERSION: u32 = 1;

/// A store that has everything in memory, and on the disk what it takes to have it there again.
#[derive(Debug)]
pub struct ReplayLog {
    // First, so that its threads have ended before the store is let go.
    background: Background,
    store: Arc<Store>,
}

impl ReplayLog {
    /// What opening this store read.
    #[must_use]
    pub fn replay(&self) -> &Replay {
        &self.store.replay
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Makes a snapshot now, or with [`Persistence::AppendOnly`](crate::Persistence::AppendOnly) a rewrite, while reads and writes go on. Does nothing
    /// if nothing has changed since the last one. It survives a loss of power when this returns.
    ///
    /// # Errors
    ///
    /// The disk failed. Nothing is lost: what was on the disk is still there.
    pub fn snapshot(&self) -> Result<()> {
        self.store.rewrite().map(drop)
    }
}

impl Engine for ReplayLog {
    fn name(&self) -> &'static str {
        STAGE
    }

    fn durability(&self) -> Durability {
        self.store.options.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        self.store.map.get(key, <[u8]>::to_vec)
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        value.clear();
        Ok(self.store.map.get(key, |found| value.extend_from_slice(found))?.is_some())
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        limits::check_key(key)?;
        Ok(self.store.map.get(key, read)?.is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.set(key, value)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.store.delete(key)
    }

    /// With [`Persistence::Snapshots`](crate::Persistence::Snapshots) this makes one, if anything has changed.
    fn sync(&self) -> Result<()> {
        self.store.sync()?;
        // It is on the disk. Whoever asks wants to find it there.
        self.store.folder.check_in_place()
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        (stats.live_keys, stats.live_bytes, stats.index_bytes) = self.store.map.sizes()?;
        stats.disk_bytes = self.store.folder.disk_bytes()?;
        Ok(stats)
    }

    fn trouble(&self) -> Option<String> {
        self.store.folder.trouble()
    }

    fn repairs(&self) -> &[Repair] {
        &self.store.repairs
    }

    /// Ends the threads, then syncs. It also reports a snapshot or a rewrite in the background that failed.
    fn close(mut self: Box<Self>) -> Result<()> {
        self.background.stop()?;
        self.sync()?;
        self.store.signal.take_failure().map_or(Ok(()), Err)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    /// With [`Options::history`] alone.
    fn as_history(&self) -> Option<&dyn History> {
        self.store.options.shows_versions().then_some(self)
    }

    /// Not with [`Persistence::Snapshots`](crate::Persistence::Snapshots), which have no log to follow.
    fn as_changes(&self) -> Option<&dyn Changes> {
        self.store.options.has_log().then_some(self)
    }

    /// Not with [`Persistence::Snapshots`](crate::Persistence::Snapshots): each of those takes the place of the last one anyway.
    fn as_compact(&self) -> Option<&dyn Compact> {
        self.store.options.has_log().then_some(self)
    }

    fn as_backup(&self) -> Option<&dyn Backup> {
        Some(self)
    }
}

impl Iterate for ReplayLog {
    /// Copies a thousandth of the store at a time.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let view = self.store.moment().view;
        for table in 0..TABLES {
            let mut entries: Vec<Entry> = Vec::new();
            self.store.map.show_table(table, &view, |entry| entries.push(entry.clone()))?;
            for entry in entries {
                if visit(entry.key(), entry.value()) == ControlFlow::Break(()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn is_consistent(&self) -> bool {
        true
    }
}

impl Atomic for ReplayLog {
    /// A batch is one line of the file. All its keys and values together may have as many bytes as the longest value.
    fn write(&self, batch: &Batch) -> Result<()> {
        self.store.write(batch)
    }

    fn compare_and_set(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool> {
        self.store.compare_and_set(key, expected, new)
    }
}

impl Compact for ReplayLog {
    /// A rewrite, or a snapshot in place of all lines.
    fn compact(&self) -> Result<Compacted> {
        self.store.rewrite()
    }
}

impl Backup for ReplayLog {
    fn backup(&self, dir: &Path) -> Result<()> {
        self.store.backup(dir).map_err(|error| error.of_copy(self.store.folder.dir()))
    }
}

impl Changes for ReplayLog {
    fn position(&self) -> Result<Position> {
        Ok(self.store.trail().end())
    }

    /// The last rewrite.
    fn earliest_position(&self) -> Result<Position> {
        Ok(self.store.trail().earliest())
    }

    fn changes(&self, since: Position, visit: &mut VisitChange<'_>) -> Result<Position> {
        self.store.changes(since, visit)
    }
}

impl History for ReplayLog {
    /// Reads all lines since the last rewrite: older versions are gone.
    fn versions(&self, key: &[u8], visit: &mut VisitVersion<'_>) -> Result<()> {
        limits::check_key(key)?;
        self.store.versions(key, visit)
    }
}

impl Open for ReplayLog {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl OpenOn for ReplayLog {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, mut options: Options) -> Result<Self> {
        let start = Instant::now();
        options.sync = options.sync.simplified();
        let owns = |name: &str| FileKind::of(name).is_some();
        let folder = StoreFolder::open_unclaimed(disk, dir, STAGE, FORMAT_VERSION, owns)?;
        let mut recovered = recover(&folder, &options)?;
        recovered.replay.duration = start.elapsed();
        let store = Arc::new(Store {
            folder,
            options,
            map: recovered.map,
            commits: Commits::beginning_at(recovered.writer.sequence),
            writer: Mutex::new(recovered.writer),
            files: Mutex::new(recovered.files),
            rewrite_at: AtomicU64::new(u64::MAX),
            poison: Poison::default(),
            repairs: recovered.repairs,
            replay: recovered.replay,
            signal: Signal::default(),
            counts_versions: recovered.counts_versions,
        });
        store.await_growth(&*store.files()?, 0);
        Ok(Self { background: Background::start(&store)?, store })
    }
}
