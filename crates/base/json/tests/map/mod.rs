// The smallest engine there is, for the tests and the example of `Documents`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use logladder_engine::{Durability, Error, Result, Stats};

#[derive(Debug, Default)]
#[allow(unreachable_pub, reason = "it is included in three places")]
pub struct Map(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl logladder_engine::Engine for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn durability(&self) -> Durability {
        Durability::Never
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.lock().map_err(|_| Error::panicked())?.get(key).cloned())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.lock().map_err(|_| Error::panicked())?.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.0.lock().map_err(|_| Error::panicked())?.remove(key);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> Result<Stats> {
        Ok(Stats::default())
    }
}
