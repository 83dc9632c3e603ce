//! A hash map: the baseline that every other engine is compared with.
//!
//! ```text
//!   set("name", "anna")            get("name")
//!         ▼                             ▲
//!   ┌── a HashMap behind a lock ────────┴──┐
//!   │  "name" → "anna"   "city" → "Dhaka"  │      many readers at once, or one writer
//!   └──────────────────────────────────────┘
//! ```
//!
//! Crash contract: none. When the store is closed, dropped or killed, its data is gone.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, RwLock};

use logladder_disk::{Disk, OpenOn, RealDisk};
use logladder_engine::{
    Durability, Engine, Error, Field, Iterate, Open, Result, Stats, SyncPolicy, Visit, limits,
};

const NAME: &str = "mine";

/// A store in memory.
#[derive(Debug, Default)]
pub struct Store {
    map: RwLock<HashMap<Vec<u8>, Vec<u8>>>,
}

impl OpenOn for Store {
    /// The folder is neither read nor made.
    fn open_on(_disk: Arc<dyn Disk>, _dir: &Path, _sync: SyncPolicy) -> Result<Self> {
        Ok(Self::default())
    }
}

impl Engine for Store {
    fn name(&self) -> &'static str {
        NAME
    }

    fn durability(&self) -> Durability {
        Durability::Never
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        //~ step 1 set: set
        //~ do Put the key and its value into the map, in place of the value that the key may have.
        //~ hint `self.map.write()` gives the map to one thread alone. It fails if a thread panicked while it had it: hand that on
        //~ + as `Error::panicked()`, by `map_err`.
        //~ hint The map owns its keys and values, and these are borrowed: `to_vec` copies them. `insert` replaces.
        //~ hint
        //~ + let mut map = self.map.write().map_err(|_| Error::panicked())?;
        //~ + map.insert(key.to_vec(), value.to_vec());
        //~ + Ok(())
        let mut map = self.map.write().map_err(|_| Error::panicked())?;
        map.insert(key.to_vec(), value.to_vec());
        Ok(())
        //~ end
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        //~ step 2 get: get
        //~ do Give a copy of the key's value, or None.
        //~ hint `self.map.read()` lets many threads look at once.
        //~ hint A `HashMap<Vec<u8>, _>` can be asked for a `&[u8]`. What it gives is borrowed from it, and must be copied before the
        //~ + lock is gone: `cloned`.
        //~ hint Ok(self.map.read().map_err(|_| Error::panicked())?.get(key).cloned())
        Ok(self.map.read().map_err(|_| Error::panicked())?.get(key).cloned())
        //~ end
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        //~ step 3 delete: delete
        //~ do Take the key out of the map. That it was not there is fine.
        //~ hint It is a write: the same lock as in `set`.
        //~ hint `HashMap::remove` gives what was there, or None. Neither matters here.
        //~ hint
        //~ + self.map.write().map_err(|_| Error::panicked())?.remove(key);
        //~ + Ok(())
        self.map.write().map_err(|_| Error::panicked())?.remove(key);
        Ok(())
        //~ end
    }

    /// Does nothing: there is nowhere to put it.
    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        //~ step 4 stats: stats
        //~ do Say how many keys there are, and how many bytes they and their values have together.
        //~ hint `stats.live_keys` and `stats.live_bytes` are numbers of type `u64`.
        //~ hint The sum goes over `map.iter()`, which gives pairs: the length of the key and that of the value.
        //~ hint
        //~ + let map = self.map.read().map_err(|_| Error::panicked())?;
        //~ + stats.live_keys = map.len() as u64;
        //~ + stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        //~ + Ok(stats)
        let map = self.map.read().map_err(|_| Error::panicked())?;
        stats.live_keys = map.len() as u64;
        stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        Ok(stats)
        //~ end
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }
}

impl Iterate for Store {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        //~ step 5 visit: visit
        //~ checks model
        //~ do Show every key and its value to `visit`, until it answers `ControlFlow::Break`. A visitor may read and write the store,
        //~ + so no lock may be held while it runs.
        //~ hint Copy the list of keys first, and let the lock go. Then take each key in its turn.
        //~ hint A key may have been deleted since. `self.get` says so, and gives the value of the moment.
        //~ hint
        //~ + let keys: Vec<Vec<u8>> = self.map.read().map_err(|_| Error::panicked())?.keys().cloned().collect();
        //~ + for key in keys {
        //~ +     let Some(value) = self.get(&key)? else { continue };
        //~ +     if visit(&key, &value) == ControlFlow::Break(()) { break; }
        //~ + }
        //~ + Ok(())
        let keys: Vec<Vec<u8>> = self.map.read().map_err(|_| Error::panicked())?.keys().cloned().collect();
        for key in keys {
            let Some(value) = self.get(&key)? else { continue };
            if visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
        //~ end
    }
}

impl Open for Store {
    type Options = SyncPolicy;

    fn open(dir: &Path, sync: SyncPolicy) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, sync)
    }
}

/// It has no files whose bytes could be named.
#[must_use]
pub fn describe(_file: &str, _bytes: &[u8]) -> Vec<Field> {
    Vec::new()
}
