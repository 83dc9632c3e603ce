//! [`Scale`]: a store of many keys. What it holds in memory, and how long it takes to open.
//!
//! ```text
//!   parent                first process           second process            third process
//!     │── request ─────────►│ fill · sync
//!     │                     │ look at its memory
//!     │                     │ set some again
//!     │◄── "10,000,000" ────│
//!     │── SIGKILL ─────────►╳
//!     │── request ───────────────────────────────►│ open, timed
//!     │◄── "1.2 s" ───────────────────────────────│ look for some, close
//!     │── request ─────────────────────────────────────────────────────────►│ open, timed
//!     │◄── "0.3 s" ─────────────────────────────────────────────────────────│ look for some, close
//! ```
//!
//! The second process opens what a crash has left, the third what a clean close has. The store was synced before
//! the crash, since else there is nothing to open of an engine that keeps its writes to itself; the sets behind
//! that see to it that there is something to recover. The kernel's cache is warm.

use std::path::Path;
use std::time::{Duration, Instant};

use logladder_bench::{Contestant, Failure, Heap};
use logladder_disk::RealDisk;
use logladder_engine::{Engine, SyncPolicy};
use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, key_text};
use crate::memory::{Held, touch_memory};
use crate::session::{failed, shuffled};
use crate::stretch::{Call, Stretch};

/// Sets after the sync and before the crash.
const AFTER_THE_SYNC: usize = 1000;
/// Keys that are looked for once the store is open.
const LOOKED_FOR: usize = 10_000;

/// What the processes must agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scale {
    pub(crate) keys: u32,
    pub(crate) value_len: u32,
    /// How long the fill may take.
    pub(crate) write_millis: u64,
    pub(crate) seed: u64,
}

/// What the first process found out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Filled {
    /// Keys that the fill had time for.
    pub(crate) keys: u64,
    /// Bytes of heap that the engine holds, where they are counted.
    pub(crate) heap: Option<u64>,
    /// Bytes of its own pages, where the system tells.
    pub(crate) anonymous: Option<u64>,
}

/// What another process found out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) seconds: f64,
    /// How many keys were looked for.
    pub(crate) looked_for: u64,
    /// How many of those had their value.
    pub(crate) kept: u64,
}

impl Scale {
    pub(crate) fn budget(&self) -> Duration {
        Duration::from_millis(self.write_millis)
    }

    /// Fills a store, and returns the engine, still open, and what it holds.
    pub(crate) fn fill(
        &self,
        contestant: &Contestant,
        folder: &Path,
        heap: Option<&'static Heap>,
        doing: &mut dyn FnMut(&str),
    ) -> Result<(Box<dyn Engine>, Filled), Failure> {
        touch_memory(self.keys, self.value_len);
        let ledger = Ledger::new(self.keys, self.value_len as usize, self.seed);
        let order = shuffled(self.keys, self.seed);
        let before = Held::now(heap);

        doing("fill");
        let engine = open(contestant, folder)?;
        let stretch = |during| Stretch {
            engine: &*engine,
            ledger: &ledger,
            call: Call::Set,
            during,
            budget: self.budget(),
        };
        let filled = stretch("fill").run(order.iter().copied())?;
        doing("sync");
        engine.sync().map_err(failed(contestant.name(), "sync"))?;
        let Held { heap, anonymous } = Held::now(heap).since(before);
        let known = usize::try_from(filled.operations).unwrap_or(usize::MAX).min(order.len());
        stretch("set some again").run(order[..known].iter().copied().take(AFTER_THE_SYNC))?;
        Ok((engine, Filled { keys: filled.operations, heap, anonymous }))
    }

    /// Opens a store that [`fill`](Self::fill) has filled, looks for some keys of it, and closes it.
    pub(crate) fn reopen(
        &self,
        contestant: &Contestant,
        folder: &Path,
        filled: u64,
    ) -> Result<Opened, Failure> {
        let ledger = Ledger::new(self.keys, self.value_len as usize, self.seed);
        let mut known = shuffled(self.keys, self.seed);
        known.truncate(usize::try_from(filled).unwrap_or(usize::MAX));
        let untouched = known.get(AFTER_THE_SYNC..).unwrap_or_default();

        let started = Instant::now();
        let engine = open(contestant, folder)?;
        let seconds = started.elapsed().as_secs_f64();
        let every = (untouched.len() / LOOKED_FOR).max(1);
        let mut opened = Opened { seconds, looked_for: 0, kept: 0 };
        let mut found = Vec::new();
        for &key in untouched.iter().step_by(every) {
            opened.looked_for += 1;
            let hit = engine.get_into(&key_text(key), &mut found);
            let hit = hit.map_err(failed(contestant.name(), "get after opening"))?;
            // This process knows of no write; the first one wrote the key once.
            let expected = ledger.value(key, ledger.begin(key, true));
            opened.kept += u64::from(hit && expected == Some(found.as_slice()));
        }
        engine.close().map_err(failed(contestant.name(), "close"))?;
        Ok(opened)
    }
}

fn open(contestant: &Contestant, folder: &Path) -> Result<Box<dyn Engine>, Failure> {
    let engine = contestant.open(RealDisk::shared(), &folder.join("store"), SyncPolicy::Never);
    engine.map_err(failed(contestant.name(), "open"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_filled_is_found_by_each_process_that_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let contestant = logladder::stage("hash-log").map(Contestant::stage).unwrap();
        let scale = Scale { keys: 3000, value_len: 100, write_millis: 60_000, seed: 3 };
        let (engine, filled) = scale.fill(&contestant, folder.path(), None, &mut |_| {}).unwrap();
        assert_eq!((filled.keys, filled.heap), (3000, None));
        drop(engine);
        for _ in 0..2 {
            let opened = scale.reopen(&contestant, folder.path(), filled.keys).unwrap();
            assert_eq!((opened.looked_for, opened.kept), (2000, 2000));
        }

        let engine = open(&contestant, folder.path()).unwrap();
        let last = shuffled(3000, 3)[2999];
        engine.delete(&key_text(last)).unwrap();
        drop(engine);
        assert_eq!(scale.reopen(&contestant, folder.path(), 3000).unwrap().kept, 1999);
    }
}
