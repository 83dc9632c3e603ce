//! The kill test: a process sets keys, says how many were acknowledged, and is killed while it idles. Another one
//! opens the store and counts them.
//!
//! ```text
//!   parent                         first process                   second process
//!     │── request ──────────────────►│ set, set, … set
//!     │◄── "acknowledged 100,000" ───│
//!     │── SIGKILL ──────────────────►╳
//!     │── request ──────────────────────────────────────────────────►│ open, look for each
//!     │◄── "99,402 kept, 0 wrong" ───────────────────────────────────│
//! ```
//!
//! No power is lost: what is with the kernel stays. So what is missing was in the process's own memory when
//! the engine said that it was set.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use logladder_bench::{Contestant, Failure};
use logladder_disk::RealDisk;
use logladder_engine::{Engine, SyncPolicy};
use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, key_text};
use crate::session::{failed, shuffled};
use crate::stretch::{Call, Stretch};

/// Bytes of each value.
const VALUE_LEN: usize = 100;

/// What the two processes must agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kill {
    pub(crate) sets: u32,
    /// After so long the first process sets no more.
    pub(crate) budget_millis: u64,
    pub(crate) synced: bool,
    pub(crate) seed: u64,
}

impl Kill {
    fn ledger(&self) -> Ledger {
        Ledger::new(self.sets, VALUE_LEN, self.seed)
    }

    fn order(&self) -> Vec<u32> {
        shuffled(self.sets, self.seed)
    }

    fn open(&self, contestant: &Contestant, folder: &Path) -> Result<Box<dyn Engine>, Failure> {
        let sync = if self.synced { SyncPolicy::Always } else { SyncPolicy::Never };
        contestant
            .open(RealDisk::shared(), &folder.join("store"), sync)
            .map_err(failed(contestant.name(), "open"))
    }

    /// Sets the keys, and returns the engine, still open, and how many sets it acknowledged.
    pub(crate) fn set(
        &self,
        contestant: &Contestant,
        folder: &Path,
    ) -> Result<(Box<dyn Engine>, u64), Failure> {
        let (ledger, engine) = (self.ledger(), self.open(contestant, folder)?);
        let stretch = Stretch {
            engine: &*engine,
            ledger: &ledger,
            call: Call::Set,
            during: "set before the kill",
            budget: Duration::from_millis(self.budget_millis),
        };
        let acknowledged = stretch.run(self.order().into_iter())?.operations;
        Ok((engine, acknowledged))
    }

    /// Opens the store that a killed process left, and counts what is there of what it acknowledged, and what has
    /// another value.
    pub(crate) fn recount(
        &self,
        contestant: &Contestant,
        folder: &Path,
        acknowledged: u64,
    ) -> Result<(u64, u64), Failure> {
        let engine = self.open(contestant, folder)?;
        let ledger = self.ledger();
        let acknowledged = usize::try_from(acknowledged).unwrap_or(usize::MAX);
        let mut awaited = vec![false; self.sets as usize];
        self.order().into_iter().take(acknowledged).for_each(|key| awaited[key as usize] = true);
        let (mut kept, mut wrong) = (0, 0);
        let mut count = |key: u32, found: &[u8]| {
            let state = ledger.begin(key, true);
            if ledger.value(key, state) == Some(found) { kept += 1 } else { wrong += 1 }
        };
        let failed = |error| failed(contestant.name(), "count after the kill")(error);
        if let Some(iterate) = engine.as_iterate() {
            // Some stages search the whole log for a key.
            let mut visit = |key: &[u8], value: &[u8]| {
                if let Some(key) = key_number(key).filter(|&key| awaited.get(key as usize) == Some(&true)) {
                    count(key, value);
                }
                ControlFlow::Continue(())
            };
            iterate.for_each(&mut visit).map_err(failed)?;
        } else {
            let mut value = Vec::new();
            for key in (0..self.sets).filter(|&key| awaited[key as usize]) {
                if engine.get_into(&key_text(key), &mut value).map_err(failed)? {
                    count(key, &value);
                }
            }
        }
        Ok((kept, wrong))
    }
}

fn key_number(key: &[u8]) -> Option<u32> {
    std::str::from_utf8(key).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recount_sees_what_is_missing_and_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let contestant = logladder::stage("file-per-key").map(Contestant::stage).unwrap();
        let kill = Kill { sets: 50, budget_millis: 60_000, synced: false, seed: 5 };
        let (engine, acknowledged) = kill.set(&contestant, folder.path()).unwrap();
        assert_eq!(acknowledged, 50);
        engine.delete(&key_text(3)).unwrap();
        engine.set(&key_text(4), b"something else").unwrap();
        engine.set(b"a key of nobody's", b"value").unwrap();
        drop(engine);
        assert_eq!(kill.recount(&contestant, folder.path(), 50).unwrap(), (48, 1));
    }
}
