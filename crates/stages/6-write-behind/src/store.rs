//! [`Store`]: what the engine and its janitor share.

use std::path::PathBuf;
use std::sync::Arc;

use logladder_disk::names::file_name;
use logladder_disk::{Disk, StoreFolder};
use logladder_engine::Result;

use crate::memory::{Collection, Memory};
use crate::options::Options;
use crate::queue::Queue;
use crate::turns::Turns;
use crate::write::BATCH_KEYS;

/// What the engine and its janitor share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) folder: StoreFolder,
    pub(crate) options: Options,
    pub(crate) memory: Memory,
    pub(crate) queue: Queue,
    /// One writes to the disk at a time: two would share the temporary file of a key.
    pub(crate) turns: Turns,
}

impl Store {
    pub(crate) fn disk(&self) -> &dyn Disk {
        &**self.folder.disk()
    }

    /// The folder of a collection.
    pub(crate) fn dir_of(&self, collection: &Collection) -> PathBuf {
        self.folder.path(&collection.folder)
    }

    /// The file of a member.
    pub(crate) fn path_of(&self, collection: &Collection, member: &[u8]) -> PathBuf {
        self.dir_of(collection).join(file_name(member))
    }

    /// Returns when the queue has room, as `is_full` says it: who finds none waits for who is writing, and if that makes
    /// none, writes.
    ///
    /// # Errors
    ///
    /// It could not be written. Then there is no room.
    fn make_room(&self, is_full: impl Fn() -> bool) -> Result<()> {
        while is_full() {
            if let Some(turn) = self.turns.take_unless(|| !is_full())
                && is_full()
            {
                self.write_batch(&turn, BATCH_KEYS).1?;
            }
        }
        Ok(())
    }

    /// Whether the key is in the queue with a value of so many bytes or more: to give it another takes no room.
    fn has_room_of_its_own(&self, key: &[u8], len: usize) -> Result<bool> {
        match self.memory.find(key)? {
            Some((collection, member)) => collection.waits_with(member, len),
            None => Ok(false),
        }
    }

    /// Gives a key this value, and says which it had.
    pub(crate) fn set(&self, key: &[u8], value: &[u8]) -> Result<Option<Arc<[u8]>>> {
        if self.queue.is_full() && !self.has_room_of_its_own(key, value.len())? {
            self.make_room(|| self.queue.is_full())?;
        }
        // Copied under no lock.
        let value = Arc::from(value);
        let (collection, member) = self.memory.find_or_add(key)?;
        collection.write(member, Some(value), &self.queue)
    }

    /// Deletes a key. It may be what frees the space that the queue waits for, so it needs less room than a set.
    pub(crate) fn delete(&self, key: &[u8]) -> Result<()> {
        if self.queue.is_full_of_deletes() && !self.has_room_of_its_own(key, 0)? {
            self.make_room(|| self.queue.is_full_of_deletes())?;
        }
        if let Some((collection, member)) = self.memory.find(key)? {
            collection.write(member, None, &self.queue)?;
        }
        Ok(())
    }

    /// Deletes the members of a collection, and says how many there were.
    pub(crate) fn delete_all(&self, name: &[u8]) -> Result<u64> {
        self.make_room(|| self.queue.is_full_of_deletes())?;
        match self.memory.collection(name)? {
            Some(collection) => collection.delete_all(&self.queue),
            None => Ok(0),
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        match self.memory.find(key)? {
            Some((collection, member)) => collection.get(member),
            None => Ok(None),
        }
    }
}
