//! [`Engine`] and [`Open`]: what every stage does, whatever it is made of.

use std::fmt::Debug;
use std::path::Path;

use crate::{
    Atomic, Backup, Changes, Cluster, Collections, Compact, Durability, Expire, Follow, History, Iterate,
    Ordered, Repair, Result, Stalls, Stats,
};

/// A key-value store.
///
/// Every method takes `&self`, and every engine can be shared between threads: a compactor, a janitor and N
/// callers use one engine at once. A write is *acknowledged* when the call returns `Ok`; a read that starts
/// after that sees it, from any thread.
///
/// The trait is object-safe on purpose. The benchmark, the command line and a learner's engine all hold a
/// `Box<dyn Engine>`; the virtual call costs less than a nanosecond, far below what an engine does.
///
/// # After a failed write
///
/// A [`set`](Engine::set), [`delete`](Engine::delete) or [`sync`](Engine::sync) that failed because of the
/// disk leaves the engine refusing writes with [`Error::Poisoned`](crate::Error::Poisoned) until it is
/// opened again; reads go on. Nobody can know what part of a failed write reached the disk, and after a
/// failed `fsync` the kernel may have marked the lost pages clean, so that the next one says yes (Rebello
/// et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
///
/// A stage whose durability is [`Eventual`](Durability::Eventual) may go on instead: it still has in memory what it
/// failed to write, and writes all of it again, to another file, so that nothing of the failed one is relied on. There
/// a `sync` that says yes after one that said no has made everything durable, as ever.
pub trait Engine: Send + Sync {
    /// The stage's short name, such as `scan-log`.
    fn name(&self) -> &'static str;

    /// The crash that an acknowledged write survives, with the options this engine was opened with.
    fn durability(&self) -> Durability;

    /// The value of `key`, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// The file could not be read, or what it holds fails its checks.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Puts the value of `key` into `value` (cleared first) and says whether there was one.
    ///
    /// For loops that read much: one buffer instead of an allocation for each read.
    ///
    /// # Errors
    ///
    /// As [`get`](Engine::get). What `value` then holds is not said.
    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        match self.get(key)? {
            Some(found) => {
                value.extend_from_slice(&found);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Hands the value of `key` to `read`, once, in place if the stage can, and says whether there was one. The stage
    /// may hold something while `read` runs, which must not call the engine; whoever wants to keep the value copies
    /// it.
    ///
    /// # Errors
    ///
    /// As [`get`](Engine::get); then `read` has not been called.
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let value = self.get(key)?;
        if let Some(value) = &value {
            read(value);
        }
        Ok(value.is_some())
    }

    /// Hands each of `keys`, by its place in the list, and its value, if it has one, to `visit`. Each place is shown
    /// once, in any order; a key that is in the list twice has two. It is as many reads, not one of a single moment;
    /// a stage that can look for several keys at once does. `visit` must not call the engine.
    ///
    /// # Errors
    ///
    /// As [`get`](Engine::get); some keys may have been shown before the error.
    fn get_many(&self, keys: &[&[u8]], visit: &mut dyn FnMut(usize, Option<&[u8]>)) -> Result<()> {
        let mut value = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let found = self.get_into(key, &mut value)?;
            visit(place, found.then_some(value.as_slice()));
        }
        Ok(())
    }

    /// Sets `key` to `value`, whether it had one or not.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::Error::TooLarge) past the [`limits`](crate::limits), which changes nothing;
    /// [`Io`](crate::Error::Io) if the disk failed, after which writes are refused.
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Removes `key`. Removing an absent key is fine.
    ///
    /// It does not say whether the key was there: for a log, that question is a scan of its own.
    ///
    /// # Errors
    ///
    /// As [`set`](Engine::set).
    fn delete(&self, key: &[u8]) -> Result<()>;

    /// Returns when everything acknowledged so far survives a power loss, as far as the stage can: see
    /// [`Durability`].
    ///
    /// # Errors
    ///
    /// The disk failed: what was acknowledged since the last successful `sync` may be lost.
    fn sync(&self) -> Result<()>;

    /// Sizes and counts. May take time that grows with the number of keys.
    ///
    /// # Errors
    ///
    /// As [`get`](Engine::get).
    fn stats(&self) -> Result<Stats>;

    /// What opening this store had to cut off, and where each piece was kept.
    ///
    /// Empty after a clean shutdown, and for a stage with no files.
    fn repairs(&self) -> &[Repair] {
        &[]
    }

    /// How often writers had to wait for room, and how long, if the stage ever lets them. [`stats`](Engine::stats) says it
    /// too, and may have to count keys for the rest; this answers at once, also while a writer waits.
    fn stalls(&self) -> Option<Stalls> {
        None
    }

    /// Why writes that were acknowledged are not where they belong, if the last attempt of the engine itself to put them
    /// there failed, which it tries again; or if the store's folder was moved or removed, or replaced by another, since it
    /// was opened; or if the engine has met damage that it works around. It may look at the file system for that.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Syncs and gives the store back, so that another process can open it.
    ///
    /// Dropping an engine releases its lock as well, but cannot report an error.
    ///
    /// # Errors
    ///
    /// As [`sync`](Engine::sync).
    fn close(self: Box<Self>) -> Result<()> {
        self.sync()
    }

    /// Visiting every key, if the stage can.
    fn as_iterate(&self) -> Option<&dyn Iterate> {
        None
    }

    /// Keys in their order, from any to any other, if the stage keeps them so.
    fn as_ordered(&self) -> Option<&dyn Ordered> {
        None
    }

    /// Several writes as one, and a write that depends on what is there, if the stage can.
    fn as_atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    /// What a key was before, if the stage can say.
    fn as_history(&self) -> Option<&dyn History> {
        None
    }

    /// Following what is written, if the stage can.
    fn as_changes(&self) -> Option<&dyn Changes> {
        None
    }

    /// Values that end by themselves, if the stage can.
    fn as_expire(&self) -> Option<&dyn Expire> {
        None
    }

    /// Keys in two layers, if the stage has them.
    fn as_collections(&self) -> Option<&dyn Collections> {
        None
    }

    /// Reclaiming the space of what was overwritten or deleted, if the stage can.
    fn as_compact(&self) -> Option<&dyn Compact> {
        None
    }

    /// A copy of the store while it is in use, if the stage can.
    fn as_backup(&self) -> Option<&dyn Backup> {
        None
    }

    /// The members that keep the store, if there are several.
    fn as_cluster(&self) -> Option<&dyn Cluster> {
        None
    }

    /// How far behind it is, if it is a copy that follows another store.
    fn as_follow(&self) -> Option<&dyn Follow> {
        None
    }
}

/// How an engine comes to be: from a folder and its options.
///
/// ```
/// use logladder_engine::{Open, Result};
///
/// fn open_anywhere<E: Open>(folder: &std::path::Path) -> Result<E> {
///     E::open(folder, E::Options::default())
/// }
/// ```
pub trait Open: Engine + Sized + 'static {
    /// What can be chosen at opening. The default is the safe choice.
    type Options: Clone + Debug + Default;

    /// Opens the store in the folder `dir`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`Locked`](crate::Error::Locked) if it is open already, in this process or another;
    /// [`ForeignStore`](crate::Error::ForeignStore) if the folder holds something else;
    /// [`UnsupportedVersion`](crate::Error::UnsupportedVersion) if it is newer than this code;
    /// [`Corrupt`](crate::Error::Corrupt) if a file is damaged, in which case none is changed.
    fn open(dir: &Path, options: Self::Options) -> Result<Self>;
}
