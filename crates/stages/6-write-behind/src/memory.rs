//! [`Memory`]: the two layers of maps, from which every read is served.
//!
//! ```text
//!   "artist/air" ──► the shards: "artist" ──► its members: "air" ──► the value
//!   "alone"      ─────────── no collection ─► its members: "alone" ► the value
//! ```
//!
//! Each collection has a lock of its own, so that readers of one never wait for writers of another. What they share is
//! the lock of a shard, which is held for as long as it takes to find a collection or to add one, and under
//! which nobody waits for anything. A value is shared with who reads it: it is copied under no lock.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use logladder_disk::names::file_name;
use logladder_engine::{Error, Result, split_at_collection};

use crate::queue::{Queue, Waiting};

/// So many locks share the collections between them.
const SHARDS: usize = 16;

/// The folder of the keys without a collection. No other is called so: see [`file_name`].
pub(crate) const LOOSE: &str = "loose";

type Shard = HashMap<Box<[u8]>, Arc<Collection>>;
type Members = HashMap<Arc<[u8]>, Member>;

/// Members and their values, at one moment.
pub(crate) type Contents = Vec<(Arc<[u8]>, Arc<[u8]>)>;

/// Every collection.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Seeded at random, so that nobody can choose names that fall into one shard.
    hash: RandomState,
    shards: [RwLock<Shard>; SHARDS],
    /// The keys without a `/`.
    loose: Arc<Collection>,
}

/// A collection and its members. It stays in memory, and its folder on the disk, when its last member has gone.
#[derive(Debug)]
pub(crate) struct Collection {
    /// None for the keys without a `/`.
    pub(crate) name: Option<Box<[u8]>>,
    /// The name of its folder.
    pub(crate) folder: String,
    /// Whether that folder is on the disk.
    has_folder: AtomicBool,
    members: RwLock<Members>,
}

/// A member, from when it is set until it is deleted and its file is removed.
#[derive(Debug)]
struct Member {
    name: Arc<[u8]>,
    /// None when it was deleted, and its file may be there.
    value: Option<Arc<[u8]>>,
    /// Whether it is not as it is on the disk: its mark, which goes only when what it marks has been written.
    is_dirty: bool,
    /// Whether it is in the queue. A dirty one that is not is being written.
    is_queued: bool,
}

impl Member {
    fn bytes(&self) -> u64 {
        (self.name.len() + self.value.as_ref().map_or(0, |value| value.len())) as u64
    }
}

impl Memory {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            hash: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
            loose: Collection::new(None, LOOSE.into()),
        }
    }

    fn shard(&self, name: &[u8]) -> &RwLock<Shard> {
        // Less than the number of shards.
        &self.shards[usize::try_from(self.hash.hash_one(name) % SHARDS as u64).unwrap_or(0)]
    }

    /// The collection of this name, if it is known.
    pub(crate) fn collection(&self, name: &[u8]) -> Result<Option<Arc<Collection>>> {
        Ok(self.shard(name).read().map_err(|_| Error::panicked())?.get(name).map(Arc::clone))
    }

    /// The collection of a key, if it is known, and the member's name in it.
    pub(crate) fn find<'k>(&self, key: &'k [u8]) -> Result<Option<(Arc<Collection>, &'k [u8])>> {
        let (name, member) = split_at_collection(key);
        let collection = match name {
            None => Some(Arc::clone(&self.loose)),
            Some(name) => self.collection(name)?,
        };
        Ok(collection.map(|collection| (collection, member)))
    }

    /// The collection of a key, and the member's name in it.
    pub(crate) fn find_or_add<'k>(&self, key: &'k [u8]) -> Result<(Arc<Collection>, &'k [u8])> {
        if let Some(found) = self.find(key)? {
            return Ok(found);
        }
        let (name, member) = split_at_collection(key);
        Ok((self.add(name)?, member))
    }

    /// The collection of this name, or the one of those without, which is made if it is not there.
    pub(crate) fn add(&self, name: Option<&[u8]>) -> Result<Arc<Collection>> {
        let Some(name) = name else { return Ok(Arc::clone(&self.loose)) };
        let mut shard = self.shard(name).write().map_err(|_| Error::panicked())?;
        // Another thread may have come first.
        if let Some(collection) = shard.get(name) {
            return Ok(Arc::clone(collection));
        }
        let collection = Collection::new(Some(name.into()), file_name(name));
        shard.insert(name.into(), Arc::clone(&collection));
        Ok(collection)
    }

    /// Every collection.
    pub(crate) fn collections(&self) -> Result<Vec<Arc<Collection>>> {
        let mut collections = vec![Arc::clone(&self.loose)];
        for shard in &self.shards {
            let shard = shard.read().map_err(|_| Error::panicked())?;
            collections.extend(shard.values().map(Arc::clone));
        }
        Ok(collections)
    }

    /// What all collections hold at one moment. Writers wait while it is copied: the list of keys and values, not
    /// their bytes.
    pub(crate) fn snapshot(&self) -> Result<Vec<(Arc<Collection>, Contents)>> {
        // With these, no collection is added.
        let mut shards = Vec::with_capacity(SHARDS);
        for shard in &self.shards {
            shards.push(shard.read().map_err(|_| Error::panicked())?);
        }
        let known = shards.iter().flat_map(|shard| shard.values());
        let collections: Vec<&Arc<Collection>> = std::iter::once(&self.loose).chain(known).collect();
        // A writer has one of these at a time, and asks for no other meanwhile: nobody waits in a circle.
        let held = collections.iter().map(|collection| collection.members()).collect::<Result<Vec<_>>>()?;
        let contents = held.iter().map(|members| contents(members));
        Ok(collections.iter().map(|collection| Arc::clone(collection)).zip(contents).collect())
    }
}

fn contents(members: &Members) -> Contents {
    let live = |member: &Member| Some((Arc::clone(&member.name), Arc::clone(member.value.as_ref()?)));
    members.values().filter_map(live).collect()
}

impl Collection {
    fn new(name: Option<Box<[u8]>>, folder: String) -> Arc<Self> {
        Arc::new(Self { name, folder, has_folder: AtomicBool::new(false), members: RwLock::default() })
    }

    fn members(&self) -> Result<RwLockReadGuard<'_, Members>> {
        self.members.read().map_err(|_| Error::panicked())
    }

    fn members_mut(&self) -> Result<RwLockWriteGuard<'_, Members>> {
        self.members.write().map_err(|_| Error::panicked())
    }

    pub(crate) fn has_folder(&self) -> bool {
        self.has_folder.load(Ordering::Acquire)
    }

    pub(crate) fn note_folder(&self) {
        self.has_folder.store(true, Ordering::Release);
    }

    /// Someone has removed it.
    pub(crate) fn forget_folder(&self) {
        self.has_folder.store(false, Ordering::Release);
    }

    /// The key of a member.
    pub(crate) fn key_into(&self, member: &[u8], key: &mut Vec<u8>) {
        key.clear();
        if let Some(name) = &self.name {
            key.extend_from_slice(name);
            key.push(b'/');
        }
        key.extend_from_slice(member);
    }

    /// The value of a member.
    pub(crate) fn get(&self, member: &[u8]) -> Result<Option<Arc<[u8]>>> {
        Ok(self.members()?.get(member).and_then(|member| member.value.clone()))
    }

    /// What it holds at one moment.
    pub(crate) fn contents(&self) -> Result<Contents> {
        Ok(contents(&*self.members()?))
    }

    /// Whether it has a member.
    pub(crate) fn is_live(&self) -> Result<bool> {
        Ok(self.members()?.values().any(|member| member.value.is_some()))
    }

    /// How many members it has, the bytes of their keys and values, and those of the map.
    pub(crate) fn sizes(&self) -> Result<(u64, u64, u64)> {
        let members = self.members()?;
        let prefix = self.name.as_ref().map_or(0, |name| name.len() + 1);
        let (mut keys, mut bytes, mut names) = (0, 0, 0);
        for member in members.values() {
            names += member.name.len();
            if let Some(value) = &member.value {
                keys += 1;
                bytes += prefix + member.name.len() + value.len();
            }
        }
        // A place in the table, used or not, has a control byte.
        let place = size_of::<(Arc<[u8]>, Member)>() + 1;
        Ok((keys, bytes as u64, (members.capacity() * place + names) as u64))
    }

    /// A member that is on the disk.
    pub(crate) fn load(&self, member: &[u8], value: Arc<[u8]>) -> Result<()> {
        let name: Arc<[u8]> = member.into();
        let loaded =
            Member { name: Arc::clone(&name), value: Some(value), is_dirty: false, is_queued: false };
        self.members_mut()?.insert(name, loaded);
        Ok(())
    }

    /// Gives a member this value, or none, and says which it had.
    pub(crate) fn write(
        self: &Arc<Self>,
        member: &[u8],
        value: Option<Arc<[u8]>>,
        queue: &Queue,
    ) -> Result<Option<Arc<[u8]>>> {
        let mut members = self.members_mut()?;
        if let Some(known) = members.get_mut(member) {
            return Ok(self.change(known, value, queue));
        }
        // Deleting what is not there changes nothing.
        if value.is_some() {
            let name: Arc<[u8]> = member.into();
            let new = Member { name: Arc::clone(&name), value: None, is_dirty: false, is_queued: false };
            let new = members.entry(name).or_insert(new);
            self.change(new, value, queue);
        }
        Ok(None)
    }

    /// Whether a member is not written yet, and has a value of so many bytes or more.
    pub(crate) fn waits_with(&self, member: &[u8], len: usize) -> Result<bool> {
        let waits =
            |member: &Member| member.is_dirty && member.value.as_ref().map_or(0, |value| value.len()) >= len;
        Ok(self.members()?.get(member).is_some_and(waits))
    }

    /// Deletes every member, and says how many there were.
    pub(crate) fn delete_all(self: &Arc<Self>, queue: &Queue) -> Result<u64> {
        let mut members = self.members_mut()?;
        let deleted = members.values_mut().filter_map(|member| self.change(member, None, queue));
        Ok(deleted.count() as u64)
    }

    /// Changes the value of a member, marks it and sees that it is in the queue. A delete of what is deleted is none.
    fn change(
        self: &Arc<Self>,
        member: &mut Member,
        value: Option<Arc<[u8]>>,
        queue: &Queue,
    ) -> Option<Arc<[u8]>> {
        if value.is_none() && member.value.is_none() {
            return None;
        }
        let before = member.bytes();
        let old = std::mem::replace(&mut member.value, value);
        self.mark(member, before, queue);
        old
    }

    fn mark(self: &Arc<Self>, member: &mut Member, bytes_before: u64, queue: &Queue) {
        if member.is_dirty {
            queue.recount(bytes_before, member.bytes());
        } else {
            member.is_dirty = true;
            queue.count(member.bytes());
        }
        self.enqueue(member, queue);
    }

    fn enqueue(self: &Arc<Self>, member: &mut Member, queue: &Queue) {
        if !member.is_queued {
            member.is_queued = true;
            queue.push(Waiting { collection: Arc::clone(self), member: Arc::clone(&member.name) });
        }
    }

    /// Marks every member that is not, and says how many: nothing of what was written is relied on any more.
    pub(crate) fn mark_all(self: &Arc<Self>, queue: &Queue) -> Result<usize> {
        let mut members = self.members_mut()?;
        let clean = members.values_mut().filter(|member| !member.is_dirty);
        Ok(clean.map(|member| self.mark(member, 0, queue)).count())
    }

    /// The value that is to be written of a member that was taken from the queue; none if its file is to go. From now
    /// on, a change puts it into the queue again.
    pub(crate) fn begin_writing(&self, member: &[u8]) -> Result<Option<Arc<[u8]>>> {
        let mut members = self.members_mut()?;
        let Some(member) = members.get_mut(member) else { return Ok(None) };
        member.is_queued = false;
        Ok(member.value.clone())
    }

    // ANCHOR: end_writing
    /// What was begun is done, or has failed. The mark goes only if it is done, and nothing has changed since; what has
    /// failed goes into the queue again.
    pub(crate) fn end_writing(self: &Arc<Self>, name: &[u8], is_done: bool, queue: &Queue) {
        // It ends also where a thread panicked under the lock: one statement at a time, and none of them half.
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        let Some(member) = members.get_mut(name) else { return };
        if !is_done {
            self.enqueue(member, queue);
        } else if !member.is_queued {
            member.is_dirty = false;
            queue.discount(member.bytes());
            if member.value.is_none() {
                members.remove(name);
            }
        }
    }
    // ANCHOR_END: end_writing
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::options::Options;

    /// A signal that never comes fails the test instead of hanging it.
    const FAR_TOO_LONG: Duration = Duration::from_mins(2);

    #[test]
    fn readers_of_one_collection_do_not_wait_for_a_writer_of_another() {
        let (memory, queue) = (Memory::new(), Queue::new(Options::default(), false));
        // More collections than shards: some share one with the collection that is being written.
        let keys: Vec<Vec<u8>> = (0..=4 * SHARDS).map(|number| format!("{number}/m").into_bytes()).collect();
        for key in &keys {
            let (collection, member) = memory.find_or_add(key).unwrap();
            collection.write(member, Some(Arc::from(&key[..])), &queue).unwrap();
        }
        let written = memory.collection(b"0").unwrap().unwrap();
        let _writer = written.members_mut().unwrap();
        let (done, is_done) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                for key in &keys[1..] {
                    let (collection, member) = memory.find(key).unwrap().unwrap();
                    assert_eq!(collection.get(member).unwrap().as_deref(), Some(&key[..]));
                }
                memory.find_or_add(b"a new one/m").unwrap();
                memory.find_or_add(b"without a stroke").unwrap();
                done.send(()).unwrap();
            });
            is_done.recv_timeout(FAR_TOO_LONG).unwrap();
        });
    }

    #[test]
    fn a_member_is_queued_once_counted_once_and_gone_when_its_delete_is_written() {
        let (memory, queue) = (Memory::new(), Queue::new(Options::default(), false));
        let (collection, member) = memory.find_or_add(b"c/member").unwrap();
        for value in [&b"1"[..], b"22", b"333"] {
            collection.write(member, Some(Arc::from(value)), &queue).unwrap();
        }
        assert_eq!((queue.len(), queue.unwritten()), (1, 1));
        let taken = queue.take(10);
        assert_eq!(collection.begin_writing(member).unwrap().as_deref(), Some(&b"333"[..]));
        collection.write(member, None, &queue).unwrap();
        collection.end_writing(&taken[0].member, true, &queue);
        assert_eq!((queue.len(), queue.unwritten()), (1, 1), "the delete is to be written");
        let taken = queue.take(10);
        assert_eq!(collection.begin_writing(member).unwrap(), None);
        collection.end_writing(&taken[0].member, true, &queue);
        assert_eq!((queue.len(), queue.unwritten()), (0, 0));
        assert!(collection.members().unwrap().is_empty());
        assert!(!queue.is_full(), "what was counted has been discounted");
    }
}
