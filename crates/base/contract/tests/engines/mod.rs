//! Small engines that keep the contract, and what becomes of them when one of their lines is wrong. Those without
//! capabilities beyond reading, writing and compaction are in the museum, `crates/base/museum`.

pub(crate) mod ledger;

use std::collections::BTreeMap;
use std::sync::Mutex;

use logladder_engine::{Durability, Engine, Error, Result, Stats, limits};

/// The smallest engine there is: nothing survives.
#[derive(Debug, Default)]
pub(crate) struct MapEngine {
    map: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Engine for MapEngine {
    fn name(&self) -> &'static str {
        "map"
    }

    fn durability(&self) -> Durability {
        Durability::Never
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        Ok(self.map.lock().map_err(|_| Error::panicked())?.get(key).cloned())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.map.lock().map_err(|_| Error::panicked())?.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.map.lock().map_err(|_| Error::panicked())?.remove(key);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> Result<Stats> {
        let map = self.map.lock().map_err(|_| Error::panicked())?;
        let mut stats = Stats::default();
        stats.live_keys = map.len() as u64;
        stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        Ok(stats)
    }
}
