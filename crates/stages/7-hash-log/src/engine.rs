//! [`HashLog`]: the engine.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, OpenOn, RealDisk, StoreFolder};
use logladder_engine::{
    Compact, Compacted, Durability, Engine, Iterate, Open, Repair, Result, Stats, Visit, limits,
};

use crate::background::Background;
use crate::files::FileKind;
use crate::format::FORMAT_VERSION;
use crate::recover::recover;
use crate::store::Store;
use crate::usage::SegmentUsage;
use crate::{Compaction, Options};

const STAGE: &str = "hash-log";

/// A store of log segments with an index in memory.
///
/// It can be shared between threads. Readers never wait for a write to reach the disk, nor for compaction.
#[derive(Debug)]
pub struct HashLog {
    /// Before the store, so that its thread has ended when the folder's lock is released.
    background: Option<Background>,
    store: Arc<Store>,
    repairs: Vec<Repair>,
}

impl HashLog {
    /// How much of each segment is of use, by number.
    ///
    /// # Errors
    ///
    /// A thread panicked in the middle of a write.
    pub fn segments(&self) -> Result<Vec<SegmentUsage>> {
        Ok(self.store.catalog.usage())
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
}

impl Engine for HashLog {
    fn name(&self) -> &'static str {
        STAGE
    }

    fn durability(&self) -> Durability {
        self.store.options.sync.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = Vec::new();
        Ok(self.get_into(key, &mut value)?.then_some(value))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        self.store.get_into(key, value)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.set(key, value)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.store.delete(key)
    }

    /// Also reports, once, why a compaction in the background failed.
    fn sync(&self) -> Result<()> {
        self.store.sync()?;
        self.store.signal.report()
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let catalog = &self.store.catalog;
        stats.live_keys = catalog.index().len();
        stats.live_bytes = catalog.live_bytes();
        stats.index_bytes = catalog.index().bytes()?;
        stats.disk_bytes = self.store.folder.disk_bytes()?;
        Ok(stats)
    }

    fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    /// Ends the compaction thread and seals the active segment, so that the next open reads hints only. Where that
    /// has left many crumbs, they are merged.
    fn close(mut self: Box<Self>) -> Result<()> {
        let ended = self.background.as_mut().map_or(Ok(()), Background::stop);
        let sealed = self.store.seal();
        let merged = if self.store.options.compaction == Compaction::Background && sealed.is_ok() {
            self.store.compact_crumbs()
        } else {
            Ok(())
        };
        let reported = self.store.signal.report();
        sealed.and(ended).and(merged).and(reported)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        Some(self)
    }
}

impl Iterate for HashLog {
    /// In the order in which the values lie on the disk when it begins, so that they are read in long runs.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let catalog = &self.store.catalog;
        let places = catalog.places()?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for place in places.in_order {
            let Some(segment) = places.segments.get(&place.segment) else { continue };
            segment.with_record(place, |record| {
                key.clear();
                key.extend_from_slice(record.key);
            })?;
            if self.store.get_into(&key, &mut value)? && visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl Compact for HashLog {
    /// Takes every segment that has anything to give up, the active one included.
    fn compact(&self) -> Result<Compacted> {
        self.store.signal.report()?;
        self.store.compact()
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
        let mut recovered = recover(&folder)?;
        let repairs = std::mem::take(&mut recovered.repairs);
        let store = Arc::new(Store::new(folder, options, recovered));
        let background = match options.compaction {
            Compaction::Background => {
                // What the last process left may be worth it.
                store.signal.wake();
                Some(Background::start(&store)?)
            }
            Compaction::OnDemand => None,
        };
        Ok(Self { background, store, repairs })
    }
}
