//! [`Session`]: what is done to one engine in one process, in this order, and what of it is timed.
//!
//! ```text
//!   relaxed:  fill · sync · overwrite · sync · get · get by two threads · get absent · set beside get · delete
//!   synced:   set by one thread · set by eight threads
//!   both:     every key compared · close
//! ```
//!
//! The sync between writing and reading keeps what the writes left to do out of the time of the reads. A
//! measure that is not asked for is left out, but the fill is always there. A session works with the keys that
//! the fill had time for.

use std::path::Path;
use std::time::Duration;

use logladder_bench::{Contestant, Failure, Operation};
use logladder_disk::RealDisk;
use logladder_engine::{Engine, SyncPolicy};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::measure::Measure;
use crate::stretch::{Pace, Stretch, together};

/// Threads of [`Measure::DurableSetEightThreads`].
const WRITERS: usize = 8;
/// Gets end after so many times the number of keys, if the time is not over first.
const GETS_PER_KEY: usize = 2;

/// What to do with one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// What to time: all relaxed, or all synced.
    pub(crate) measures: Vec<Measure>,
    pub(crate) synced: bool,
    pub(crate) keys: u32,
    pub(crate) value_len: u32,
    /// How long each of fill, overwrite and delete may take.
    pub(crate) write_millis: u64,
    /// How long each other measure may take, or takes.
    pub(crate) read_millis: u64,
    pub(crate) seed: u64,
}

/// One measure of one session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timed {
    pub(crate) measure: Measure,
    pub(crate) per_second: f64,
    pub(crate) operations: u64,
    /// Whether the time was over before the work was.
    pub(crate) cut_off: bool,
}

impl Session {
    /// The longest it should take, without opening and closing.
    pub(crate) fn budget(&self) -> Duration {
        // Fill, overwrite and delete; two kinds of gets, absent ones, the mix and the check.
        let millis = self.write_millis.saturating_mul(3).saturating_add(self.read_millis.saturating_mul(5));
        Duration::from_millis(millis)
    }

    /// Touches about as much memory as the store and its pages in the kernel's cache will take, and gives it back.
    ///
    /// On a virtual machine the first touch of a page can cost 5–11 µs, because the host must find one; whoever
    /// came first would pay for all that follow.
    fn touch_memory(&self) {
        const MOST: u64 = 1 << 30;
        let bytes =
            u64::from(self.keys).saturating_mul(u64::from(self.value_len) + 16).saturating_mul(4).min(MOST);
        let mut memory = vec![0u8; usize::try_from(bytes).unwrap_or(0)];
        memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        std::hint::black_box(&memory);
    }

    /// Measures the engine in an empty folder. `doing` is told what is being done.
    pub(crate) fn run(
        &self,
        contestant: &Contestant,
        folder: &Path,
        doing: &mut dyn FnMut(&str),
    ) -> Result<Vec<Timed>, Failure> {
        let failed = |during: &str| {
            let (engine, during) = (contestant.name().to_owned(), during.to_owned());
            move |error: logladder_engine::Error| Failure::Engine { engine, during, what: error.to_string() }
        };
        let ledger = Ledger::new(self.keys, self.value_len as usize, self.seed);
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut order: Vec<u32> = (0..self.keys).collect();
        order.shuffle(&mut random);

        doing("warm up");
        self.touch_memory();
        let sync = if self.synced { SyncPolicy::Always } else { SyncPolicy::Never };
        let engine =
            contestant.open(RealDisk::shared(), &folder.join("store"), sync).map_err(failed("open"))?;
        let mut progress =
            Progress { session: self, engine: &*engine, ledger: &ledger, doing, timed: Vec::new() };
        if self.synced {
            progress.durable(&order)?;
        } else {
            progress.relaxed(&mut order, &mut random)?;
        }
        let timed = progress.finish(&order)?;
        engine.close().map_err(failed("close"))?;
        Ok(timed)
    }
}

/// A session under way.
struct Progress<'p> {
    session: &'p Session,
    engine: &'p dyn Engine,
    ledger: &'p Ledger,
    doing: &'p mut dyn FnMut(&str),
    timed: Vec<Timed>,
}

impl Progress<'_> {
    fn stretch(&self, operation: Operation, during: &'static str) -> Stretch<'_> {
        let is_each_key_once = matches!(during, "fill" | "overwrite" | "delete");
        let millis = if is_each_key_once { self.session.write_millis } else { self.session.read_millis };
        let budget = Duration::from_millis(millis);
        Stretch { engine: self.engine, ledger: self.ledger, operation, during, budget }
    }

    /// Does what is asked for, if it is, and keeps how it went.
    fn time(
        &mut self,
        measure: Measure,
        operation: Operation,
        work: impl FnOnce(Stretch<'_>) -> Result<Vec<Pace>, Failure>,
    ) -> Result<(), Failure> {
        if self.session.measures.contains(&measure) {
            (self.doing)(measure.name());
            let paces = work(self.stretch(operation, measure.name()))?;
            self.keep(measure, &paces);
        }
        Ok(())
    }

    fn keep(&mut self, measure: Measure, paces: &[Pace]) {
        self.timed.push(Timed {
            measure,
            per_second: paces.iter().map(Pace::per_second).sum(),
            operations: paces.iter().map(|pace| pace.operations).sum(),
            cut_off: paces.iter().any(|pace| pace.cut_off),
        });
    }

    fn sync(&mut self) -> Result<(), Failure> {
        (self.doing)("sync");
        self.engine.sync().map_err(|error| Failure::Engine {
            engine: self.engine.name().to_owned(),
            during: "sync".to_owned(),
            what: error.to_string(),
        })
    }

    fn relaxed(&mut self, order: &mut Vec<u32>, random: &mut ChaCha8Rng) -> Result<(), Failure> {
        (self.doing)("fill");
        let pace = self.stretch(Operation::Set, "fill").run(order.iter().copied())?;
        // What was not filled is not there.
        order.truncate(usize::try_from(pace.operations).unwrap_or(usize::MAX));
        if self.session.measures.contains(&Measure::Fill) {
            self.keep(Measure::Fill, &[pace]);
        }
        self.sync()?;

        order.shuffle(random);
        let known = order.as_slice();
        self.time(Measure::Overwrite, Operation::Set, |stretch| {
            Ok(vec![stretch.run(known.iter().copied())?])
        })?;
        self.sync()?;
        self.reads(known, random.random())?;
        self.mixed(known, random.random())?;

        order.shuffle(random);
        self.time(Measure::Delete, Operation::Delete, |stretch| Ok(vec![stretch.run(order.iter().copied())?]))
    }

    fn reads(&mut self, known: &[u32], seed: u64) -> Result<(), Failure> {
        let gets = known.len().saturating_mul(GETS_PER_KEY);
        self.time(Measure::Get, Operation::Get, |stretch| {
            Ok(vec![endless(stretch.run(any_of(known, seed).take(gets))?)])
        })?;
        self.time(Measure::GetTwoThreads, Operation::Get, |stretch| {
            together(2, |thread| {
                stretch.run(any_of(known, seed ^ (thread as u64 + 1)).take(gets)).map(endless)
            })
        })?;
        self.time(Measure::GetAbsent, Operation::GetMiss, |stretch| {
            let behind_the_last =
                any_of(known, seed ^ 3).map(|key| key.saturating_add(stretch.ledger.keys()));
            Ok(vec![endless(stretch.run(behind_the_last.take(gets))?)])
        })
    }

    fn mixed(&mut self, known: &[u32], seed: u64) -> Result<(), Failure> {
        if !self.session.measures.contains(&Measure::WriteBesideRead) {
            return Ok(());
        }
        (self.doing)("set beside get");
        let sides = [(Measure::WriteBesideRead, Operation::Set), (Measure::ReadBesideWrite, Operation::Get)];
        let stretches = sides.map(|(measure, operation)| self.stretch(operation, measure.name()));
        let paces = together(2, |side| stretches[side].run(any_of(known, seed ^ side as u64)).map(endless))?;
        for (pace, (measure, _)) in paces.into_iter().zip(sides) {
            self.keep(measure, &[pace]);
        }
        Ok(())
    }

    fn durable(&mut self, order: &[u32]) -> Result<(), Failure> {
        let seed = self.session.seed;
        self.time(Measure::DurableSet, Operation::Set, |stretch| {
            Ok(vec![endless(stretch.run(any_of(order, seed))?)])
        })?;
        self.time(Measure::DurableSetEightThreads, Operation::Set, |stretch| {
            // A share of the keys for each, since a key has one writer at a time.
            let shares: Vec<&[u32]> = order.chunks(order.len().div_ceil(WRITERS).max(1)).collect();
            together(shares.len(), |thread| {
                stretch.run(any_of(shares[thread], seed ^ (thread as u64 + 1))).map(endless)
            })
        })
    }

    /// Compares every key once more, as far as the time reaches.
    fn finish(self, order: &[u32]) -> Result<Vec<Timed>, Failure> {
        (self.doing)("check");
        self.stretch(Operation::Get, "check").run(order.iter().copied())?;
        Ok(self.timed)
    }
}

/// Of work that is repeated as often as the time allows, nothing is cut off.
fn endless(pace: Pace) -> Pace {
    Pace { cut_off: false, ..pace }
}

/// Keys at random, without end. None if there are none.
fn any_of(keys: &[u32], seed: u64) -> impl Iterator<Item = u32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    std::iter::from_fn(move || (!keys.is_empty()).then(|| keys[random.random_range(0..keys.len())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_times_exactly_what_it_is_asked_for() {
        let quick = Session {
            measures: Measure::ALL.into_iter().filter(|measure| !measure.is_durable()).collect(),
            synced: false,
            keys: 200,
            value_len: 100,
            write_millis: 60_000,
            read_millis: 20,
            seed: 1,
        };
        let durable = Session {
            measures: Measure::ALL.into_iter().filter(|measure| measure.is_durable()).collect(),
            synced: true,
            ..quick.clone()
        };
        let one = Session { measures: vec![Measure::GetAbsent], ..quick.clone() };
        let contestant = logladder::stage("memory").map(Contestant::stage).unwrap();
        for session in [quick, durable, one] {
            let folder = tempfile::tempdir().unwrap();
            let timed = session.run(&contestant, folder.path(), &mut |_| {}).unwrap();
            assert_eq!(timed.iter().map(|timed| timed.measure).collect::<Vec<_>>(), session.measures);
            assert!(
                timed.iter().all(|timed| timed.operations > 0 && timed.per_second > 0.0 && !timed.cut_off)
            );
        }
    }
}
