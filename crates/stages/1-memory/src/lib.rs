//! Stage 1: a hash map. The baseline of every comparison.
//!
//! ```text
//!   set("name", "anna")                      get("name")
//!         │                                       ▲
//!         ▼                                       │
//!   ┌───────────────── a HashMap behind a lock ───┴──┐
//!   │  "name" → "anna"     "city" → "Dhaka"      …   │
//!   └────────────────────────────────────────────────┘
//!                     (no file at all)
//! ```
//!
//! Every store is judged by what it adds to this one: nothing that also keeps its data can be faster to
//! write, and few are as fast to read.
//!
//! # Crash contract
//!
//! [`Durability::Never`]: when the store is dropped, closed or killed, its data is gone. Opening it again, in
//! whatever folder, gives an empty store. The folder is neither read nor made.
//!
//! # What this stage does not do; the next one fixes it
//!
//! It forgets. Stage 2 writes everything into a file on every set. It also holds every key and value in
//! memory, which stages 2, 5 and 6 do as well, and stage 7 stops doing.
//!
//! # Examples
//!
//! ```
//! use logladder_engine::Engine;
//! use logladder_memory::Memory;
//!
//! let store = Memory::default();
//! store.set(b"name", b"anna")?;
//! assert_eq!(store.get(b"name")?.as_deref(), Some(&b"anna"[..]));
//! store.delete(b"name")?;
//! assert_eq!(store.get(b"name")?, None);
//! # Ok::<(), logladder_engine::Error>(())
//! ```

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use logladder_disk::{Disk, OpenOn};
use logladder_engine::{
    Atomic, Batch, Durability, Engine, Error, Iterate, Open, Result, Stats, Visit, Write, limits,
};

// ANCHOR: struct
/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// Many readers at once, or one writer. The hash is seeded at random, so that nobody can choose keys that
    /// all fall into one bucket.
    map: RwLock<Map>,
}
// ANCHOR_END: struct

type Map = HashMap<Box<[u8]>, Box<[u8]>>;

/// A key that is there already keeps its place and its copy of the key.
fn put(map: &mut Map, key: &[u8], value: Box<[u8]>) {
    match map.get_mut(key) {
        Some(old) => *old = value,
        None => drop(map.insert(Box::from(key), value)),
    }
}

/// Nothing can be chosen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {}

impl Memory {
    fn reader(&self) -> Result<RwLockReadGuard<'_, Map>> {
        self.map.read().map_err(|_| Error::panicked())
    }

    fn writer(&self) -> Result<RwLockWriteGuard<'_, Map>> {
        self.map.write().map_err(|_| Error::panicked())
    }
}

impl Engine for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn durability(&self) -> Durability {
        Durability::Never
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        Ok(self.reader()?.get(key).map(|value| value.to_vec()))
    }

    // ANCHOR: get_into
    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        value.clear();
        let map = self.reader()?;
        let Some(found) = map.get(key) else { return Ok(false) };
        value.extend_from_slice(found);
        Ok(true)
    }
    // ANCHOR_END: get_into

    /// Writers wait while `read` runs.
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        limits::check_key(key)?;
        let map = self.reader()?;
        let Some(found) = map.get(key) else { return Ok(false) };
        read(found);
        Ok(true)
    }

    // ANCHOR: set
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        // Copied before the lock is taken.
        let value = Box::from(value);
        put(&mut *self.writer()?, key, value);
        Ok(())
    }
    // ANCHOR_END: set

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.writer()?.remove(key);
        Ok(())
    }

    /// Does nothing: there is nowhere to put it.
    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> Result<Stats> {
        let map = self.reader()?;
        let mut stats = Stats::default();
        stats.live_keys = map.len() as u64;
        stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        // Two fat pointers and a control byte for each place in the table, used or not.
        let place = size_of::<(Box<[u8]>, Box<[u8]>)>() + 1;
        let key_bytes: usize = map.keys().map(|key| key.len()).sum();
        stats.index_bytes = (map.capacity() * place + key_bytes) as u64;
        Ok(stats)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
}

/// Where all writers wait for one lock, several writes are one as soon as they are done under it.
impl Atomic for Memory {
    fn write(&self, batch: &Batch) -> Result<()> {
        // All limits first: once a write is done, the others must be.
        for write in batch.iter() {
            match write {
                Write::Set(key, value) => limits::check_entry(key, value)?,
                Write::Delete(key) => limits::check_key(key)?,
            }
        }
        let mut map = self.writer()?;
        for write in batch.iter() {
            match write {
                Write::Set(key, value) => put(&mut map, key, Box::from(value)),
                Write::Delete(key) => drop(map.remove(key)),
            }
        }
        Ok(())
    }

    fn compare_and_set(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool> {
        limits::check_entry(key, new.unwrap_or_default())?;
        let mut map = self.writer()?;
        if map.get(key).map(|value| &**value) != expected {
            return Ok(false);
        }
        match new {
            Some(value) => put(&mut map, key, Box::from(value)),
            None => drop(map.remove(key)),
        }
        Ok(true)
    }
}

impl Iterate for Memory {
    // ANCHOR: for_each
    /// Copies the list of keys first, and each value when its turn comes.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let keys: Vec<Box<[u8]>> = self.reader()?.keys().cloned().collect();
        let mut value = Vec::new();
        for key in keys {
            if self.get_into(&key, &mut value)? && visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
    // ANCHOR_END: for_each
}

impl Open for Memory {
    type Options = Options;

    fn open(_dir: &Path, _options: Options) -> Result<Self> {
        Ok(Self::default())
    }
}

impl OpenOn for Memory {
    fn open_on(_disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        Self::open(dir, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_under_the_lock_becomes_a_typed_error_and_no_second_panic() {
        let store = Memory::default();
        let outcome = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _held = store.map.write();
                    panic!("on purpose");
                })
                .join()
        });
        assert!(outcome.is_err());
        assert!(matches!(store.get(b"key"), Err(Error::Poisoned { .. })));
        assert!(matches!(store.set(b"key", b"value"), Err(Error::Poisoned { .. })));
    }
}
