//! [`Latency`]: what single gets take while nothing else goes on, beside a writer, and beside a writer and the
//! compaction that it causes. For `hash-log` alone, whose compaction can be switched off.
//!
//! | condition | in the store | meanwhile |
//! |---|---|---|
//! | idle | each key once, nothing to compact | nothing |
//! | writing | `Compaction::OnDemand` | a thread overwrites random keys |
//! | compacting | `Compaction::Background` | the same, and the engine compacts |
//!
//! Beside idle stands what an application sees; beside writing, what compaction adds to it. The clock is read
//! before and after each get, which adds some tens of nanoseconds to each.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use logladder::hash_log::{Compaction, HashLog, Options};
use logladder_bench::Failure;
use logladder_engine::{Engine, Open};
use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, key_text};
use crate::memory::touch_memory;
use crate::session::{any_of, failed, shuffled};
use crate::stretch::{Call, Stretch};

/// The one engine that this is measured of.
pub(crate) const ENGINE: &str = "hash-log";
/// The longest get that is told from a longer one, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// How much there is to read, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) keys: u32,
    pub(crate) value_len: u32,
    /// How long the fill may take.
    pub(crate) write_millis: u64,
    /// How long gets are measured under each condition. The writer begins half as long before.
    pub(crate) read_millis: u64,
    pub(crate) seed: u64,
}

/// What goes on beside the gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Beside {
    /// Nothing.
    Idle,
    /// A writer, and no compaction.
    Writing,
    /// A writer, and compaction.
    Compacting,
}

/// What was seen under one condition. Times are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tail {
    /// What went on beside the gets.
    pub beside: Beside,
    /// What half of the gets did not exceed.
    pub p50: u64,
    /// What all but one in a hundred did not exceed.
    pub p99: u64,
    /// What all but one in a thousand did not exceed.
    pub p999: u64,
    /// The longest.
    pub longest: u64,
    /// How many gets there were.
    pub gets: u64,
    /// How many sets there were meanwhile.
    pub sets: u64,
    /// How many segments were compacted away meanwhile, of those that there were before.
    pub compacted: u64,
}

impl Latency {
    pub(crate) fn budget(&self) -> Duration {
        Duration::from_millis(
            self.write_millis.saturating_mul(2).saturating_add(self.read_millis.saturating_mul(4)),
        )
    }

    pub(crate) fn run(&self, folder: &Path, doing: &mut dyn FnMut(&str)) -> Result<Vec<Tail>, Failure> {
        touch_memory(self.keys, self.value_len);
        let plans: [(Compaction, &[Beside]); 2] = [
            (Compaction::OnDemand, &[Beside::Idle, Beside::Writing]),
            (Compaction::Background, &[Beside::Compacting]),
        ];
        let mut tails = Vec::new();
        for (place, (compaction, conditions)) in plans.into_iter().enumerate() {
            doing("fill");
            let store = folder.join(format!("store-{place}"));
            let options = Options::default().with_compaction(compaction);
            let engine = HashLog::open(&store, options).map_err(failed(ENGINE, "open"))?;
            let ledger = Ledger::new(self.keys, self.value_len as usize, self.seed);
            let mut known = shuffled(self.keys, self.seed);
            let budget = Duration::from_millis(self.write_millis);
            let fill = Stretch { engine: &engine, ledger: &ledger, call: Call::Set, during: "fill", budget };
            let filled = fill.run(known.iter().copied())?;
            known.truncate(usize::try_from(filled.operations).unwrap_or(usize::MAX));
            engine.sync().map_err(failed(ENGINE, "sync"))?;
            for &beside in conditions {
                doing(beside.name());
                tails.push(self.observe(&engine, &ledger, &known, beside)?);
            }
            Box::new(engine).close().map_err(failed(ENGINE, "close"))?;
        }
        Ok(tails)
    }

    fn observe(
        &self,
        engine: &HashLog,
        ledger: &Ledger,
        known: &[u32],
        beside: Beside,
    ) -> Result<Tail, Failure> {
        let window = Duration::from_millis(self.read_millis);
        if beside == Beside::Idle {
            let gets = self.read(engine, ledger, known, window)?;
            return Ok(tail(&gets, beside, 0, 0));
        }
        let before = segments(engine);
        let writer = Stretch {
            engine,
            ledger,
            call: Call::Set,
            during: beside.name(),
            // It goes on until the reader has ended.
            budget: window / 2 + window + window / 10,
        };
        let (gets, sets) = thread::scope(|scope| {
            let sets = scope.spawn(|| writer.run(any_of(known, self.seed ^ 1)));
            thread::sleep(window / 2);
            let gets = self.read(engine, ledger, known, window);
            let sets = sets.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Failure>((gets?, sets?.operations))
        })?;
        let after = segments(engine);
        let gone = before.difference(&after).count() as u64;
        Ok(tail(&gets, beside, sets, gone))
    }

    /// Gets of random keys, each timed, each value compared.
    fn read(
        &self,
        engine: &HashLog,
        ledger: &Ledger,
        known: &[u32],
        window: Duration,
    ) -> Result<Histogram<u64>, Failure> {
        let mut gets = Histogram::new_with_bounds(1, LONGEST, 3)
            .map_err(|error| Failure::system("make a histogram", &error))?;
        let mut value = Vec::new();
        let deadline = Instant::now() + window;
        for key in any_of(known, self.seed ^ 2) {
            let (text, state) = (key_text(key), ledger.acknowledged(key));
            let started = Instant::now();
            let hit = engine.get_into(&text, &mut value);
            let ended = Instant::now();
            let nanoseconds = u64::try_from((ended - started).as_nanos()).unwrap_or(u64::MAX);
            gets.saturating_record(nanoseconds);
            let hit = hit.map_err(failed(ENGINE, "get"))?;
            let found = hit.then_some(value.as_slice());
            if !ledger.agrees(key, state, found) {
                let expected = ledger.value(key, state);
                return Err(Failure::wrong_value(ENGINE, "get", &text, expected, found));
            }
            if ended >= deadline {
                break;
            }
        }
        Ok(gets)
    }
}

fn tail(gets: &Histogram<u64>, beside: Beside, sets: u64, compacted: u64) -> Tail {
    let at = |percent| gets.value_at_quantile(percent);
    Tail {
        beside,
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        longest: gets.max(),
        gets: gets.len(),
        sets,
        compacted,
    }
}

fn segments(engine: &HashLog) -> BTreeSet<u64> {
    engine.segments().into_iter().map(|segment| segment.id).collect()
}

impl Beside {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Writing => "a writer, no compaction",
            Self::Compacting => "a writer and compaction",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gets_are_counted_under_each_condition_and_nothing_is_compacted_without_compaction() {
        let folder = tempfile::tempdir().unwrap();
        let latency = Latency { keys: 2000, value_len: 100, write_millis: 60_000, read_millis: 100, seed: 9 };
        let tails = latency.run(folder.path(), &mut |_| {}).unwrap();
        let conditions: Vec<_> = tails.iter().map(|tail| tail.beside).collect();
        assert_eq!(conditions, [Beside::Idle, Beside::Writing, Beside::Compacting]);
        assert!(tails.iter().all(|tail| tail.gets > 0 && tail.p50 <= tail.p999), "{tails:?}");
        assert_eq!((tails[0].sets, tails[0].compacted, tails[1].compacted), (0, 0, 0), "{tails:?}");
        assert!(tails[1].sets > 0 && tails[2].sets > 0, "{tails:?}");
    }
}
