//! [`WriteBehind`]: the engine.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, OpenOn, RealDisk, StoreFolder};
use logladder_engine::{
    Backup, Collections, Durability, Engine, Iterate, Open, Result, Stats, Visit, check_collection,
    collection_and_member, limits,
};

use crate::janitor::JanitorThread;
use crate::load::load;
use crate::options::Options;
use crate::queue::Queue;
use crate::store::Store;
use crate::turns::Turns;

pub(crate) const STAGE: &str = "write-behind";
pub(crate) const FORMAT_VERSION: u32 = 1;

/// A store that keeps everything in memory, and writes it to the disk behind its user's back.
#[derive(Debug)]
pub struct WriteBehind {
    store: Arc<Store>,
    janitor: JanitorThread,
}

impl WriteBehind {
    /// What the last attempt to write to the disk said, if it failed. What it was to write is tried again, and in
    /// [`Stats::unwritten_keys`] until that succeeds.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.store.queue.last_failure()
    }
}

impl Drop for WriteBehind {
    /// Writes what is left, as far as that can be done. Who wants to know calls `close`.
    fn drop(&mut self) {
        let _ = self.janitor.stop();
        let _ = self.store.write_queued();
    }
}

impl Engine for WriteBehind {
    fn name(&self) -> &'static str {
        STAGE
    }

    /// [`Durability::Eventual`], whatever the sync policy: no write waits for the disk.
    fn durability(&self) -> Durability {
        Durability::Eventual
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        Ok(self.store.get(key)?.map(|value| value.to_vec()))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        value.clear();
        let Some(found) = self.store.get(key)? else { return Ok(false) };
        value.extend_from_slice(&found);
        Ok(true)
    }

    /// In place: nothing is copied, and nothing held that a writer would wait for.
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        limits::check_key(key)?;
        let Some(found) = self.store.get(key)? else { return Ok(false) };
        read(&found);
        Ok(true)
    }

    /// Needs the disk only where the queue is full and the key does not wait in it with as long a value; an error then
    /// says why it stays so, and the key has the value that it had.
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.store.set(key, value).map(drop)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.store.delete(key)
    }

    /// Writes, in this thread and at once, what is in the queue, also what has failed before, and syncs it. After one
    /// that failed, a later one may succeed, and then everything is on the disk.
    fn sync(&self) -> Result<()> {
        self.store.sync()?;
        // There may have been nothing to write. What was written before is to be found there all the same.
        self.store.folder.check_in_place()
    }

    fn trouble(&self) -> Option<String> {
        self.last_failure().or_else(|| self.store.folder.trouble())
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        stats.disk_bytes = self.store.folder.disk_bytes()?;
        for collection in self.store.memory.collections()? {
            let (keys, bytes, index) = collection.sizes()?;
            stats.live_keys += keys;
            stats.live_bytes += bytes;
            stats.index_bytes += index;
            let dir = self.store.dir_of(&collection);
            // Unless someone has removed it.
            if collection.has_folder() && self.store.disk().entry(&dir)?.is_some() {
                let files = self.store.disk().list(&dir)?;
                // A file that takes no space may have any length.
                stats.disk_bytes =
                    files.iter().fold(stats.disk_bytes, |sum, file| sum.saturating_add(file.len));
            }
        }
        stats.unwritten_keys = self.store.queue.unwritten() as u64;
        stats.failed_writes = self.store.queue.failures();
        Ok(stats)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        let stopped = self.janitor.stop();
        // Also when the janitor has panicked: what it left is in the queue.
        self.sync()?;
        stopped
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_collections(&self) -> Option<&dyn Collections> {
        Some(self)
    }

    fn as_backup(&self) -> Option<&dyn Backup> {
        Some(self)
    }
}

impl Iterate for WriteBehind {
    /// Copies the list of keys and values, not their bytes, and shows what is in it.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let mut key = Vec::new();
        for (collection, contents) in self.store.memory.snapshot()? {
            for (member, value) in contents {
                collection.key_into(&member, &mut key);
                if visit(&key, &value) == ControlFlow::Break(()) {
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

impl Collections for WriteBehind {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_entry(key, value)?;
        collection_and_member(key)?;
        Ok(self.store.set(key, value)?.map(|old| old.to_vec()))
    }

    fn get_all(&self, collection: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        check_collection(collection)?;
        let Some(collection) = self.store.memory.collection(collection)? else { return Ok(()) };
        for (member, value) in collection.contents()? {
            if visit(&member, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn delete_all(&self, collection: &[u8]) -> Result<u64> {
        check_collection(collection)?;
        self.store.delete_all(collection)
    }

    fn collections(&self) -> Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for collection in self.store.memory.collections()? {
            // The nameless ones are no collections: see `Collections`.
            if let Some(name) = collection.name.as_deref().filter(|name| !name.is_empty())
                && collection.is_live()?
            {
                names.push(name.to_vec());
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

impl Backup for WriteBehind {
    fn backup(&self, dir: &Path) -> Result<()> {
        self.store.backup(dir).map_err(|error| error.of_copy(self.store.folder.dir()))
    }
}

impl Open for WriteBehind {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl OpenOn for WriteBehind {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, mut options: Options) -> Result<Self> {
        options.sync = options.sync.simplified();
        // Its files lie in folders, so none in this one is its own.
        let folder = StoreFolder::open_unclaimed(disk, dir, STAGE, FORMAT_VERSION, |_| false)?;
        let (memory, are_files) = load(&folder)?;
        let queue = Queue::new(options, are_files);
        let store = Arc::new(Store { folder, options, memory, queue, turns: Turns::default() });
        let janitor = JanitorThread::start(&store)?;
        Ok(Self { store, janitor })
    }
}
