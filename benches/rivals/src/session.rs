//! [`Session`]: what is done to one engine in one process, in this order, and what of it is timed.
//!
//! ```text
//!   relaxed:  fill · sync · overwrite · sync · get · get 64 a call · get in place · get by two threads
//!             · get absent · set beside get · delete
//!   synced:   set by one thread · set by eight threads
//!   both:     every key compared · close
//! ```
//!
//! The sync between writing and reading keeps what the writes left to do out of the time of the reads. A
//! measure that is not asked for is left out, but the fill is always there. A session works with the keys that
//! the fill had time for.

use std::path::Path;
use std::time::Duration;

use logladder_bench::{Contestant, Failure};
use logladder_disk::RealDisk;
use logladder_engine::{Engine, SyncPolicy};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::measure::Measure;
use crate::memory::touch_memory;
use crate::stretch::{Call, Pace, Stretch, together};

/// Threads of [`Measure::DurableSetEightThreads`].
const WRITERS: usize = 8;
/// Gets end after so many times the number of keys, if the time is not over first.
const GETS_PER_KEY: usize = 2;
/// But not before there were so many.
const FEWEST_GETS: usize = 100_000;

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
        let is_each_key_once =
            |measure: &&Measure| matches!(measure, Measure::Fill | Measure::Overwrite | Measure::Delete);
        let writes = self.measures.iter().filter(is_each_key_once).count() as u64;
        // A relaxed session always fills, and each ends with a check.
        let fills = u64::from(!self.synced && !self.measures.contains(&Measure::Fill));
        let others = self.measures.len() as u64 - writes + 1;
        Duration::from_millis(
            self.write_millis
                .saturating_mul(writes + fills)
                .saturating_add(self.read_millis.saturating_mul(others)),
        )
    }

    /// Measures the engine in an empty folder. `doing` is told what is being done.
    pub(crate) fn run(
        &self,
        contestant: &Contestant,
        folder: &Path,
        doing: &mut dyn FnMut(&str),
    ) -> Result<Vec<Timed>, Failure> {
        let failed = |during| failed(contestant.name(), during);
        let ledger = Ledger::new(self.keys, self.value_len as usize, self.seed);
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut order: Vec<u32> = (0..self.keys).collect();
        order.shuffle(&mut random);

        doing("warm up");
        touch_memory(self.keys, self.value_len);
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
    fn stretch(&self, call: Call, during: &'static str) -> Stretch<'_> {
        let is_each_key_once = matches!(during, "fill" | "overwrite" | "delete");
        let millis = if is_each_key_once { self.session.write_millis } else { self.session.read_millis };
        let budget = Duration::from_millis(millis);
        Stretch { engine: self.engine, ledger: self.ledger, call, during, budget }
    }

    /// Does what is asked for, if it is, and keeps how it went.
    fn time(
        &mut self,
        measure: Measure,
        call: Call,
        work: impl FnOnce(Stretch<'_>) -> Result<Vec<Pace>, Failure>,
    ) -> Result<(), Failure> {
        if self.session.measures.contains(&measure) {
            (self.doing)(measure.name());
            let paces = work(self.stretch(call, measure.name()))?;
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
        self.engine.sync().map_err(failed(self.engine.name(), "sync"))
    }

    fn relaxed(&mut self, order: &mut Vec<u32>, random: &mut ChaCha8Rng) -> Result<(), Failure> {
        (self.doing)("fill");
        let pace = self.stretch(Call::Set, "fill").run(order.iter().copied())?;
        // What was not filled is not there.
        order.truncate(usize::try_from(pace.operations).unwrap_or(usize::MAX));
        if self.session.measures.contains(&Measure::Fill) {
            self.keep(Measure::Fill, &[pace]);
        }
        self.sync()?;

        order.shuffle(random);
        let known = order.as_slice();
        self.time(Measure::Overwrite, Call::Set, |stretch| Ok(vec![stretch.run(known.iter().copied())?]))?;
        self.sync()?;
        self.reads(known, random.random())?;
        self.mixed(known, random.random())?;

        order.shuffle(random);
        self.time(Measure::Delete, Call::Delete, |stretch| Ok(vec![stretch.run(order.iter().copied())?]))
    }

    fn reads(&mut self, known: &[u32], seed: u64) -> Result<(), Failure> {
        let gets = known.len().saturating_mul(GETS_PER_KEY).max(FEWEST_GETS);
        let by_one_thread = [
            (Measure::Get, Call::Get),
            (Measure::GetMany, Call::GetMany),
            (Measure::GetInPlace, Call::GetInPlace),
            (Measure::GetUnread, Call::GetUnread),
        ];
        for (measure, call) in by_one_thread {
            self.time(measure, call, |stretch| {
                Ok(vec![endless(stretch.run(any_of(known, seed).take(gets))?)])
            })?;
        }
        self.time(Measure::GetTwoThreads, Call::Get, |stretch| {
            together(2, |thread| {
                stretch.run(any_of(known, seed ^ (thread as u64 + 1)).take(gets)).map(endless)
            })
        })?;
        self.time(Measure::GetAbsent, Call::Get, |stretch| {
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
        let sides = [(Measure::WriteBesideRead, Call::Set), (Measure::ReadBesideWrite, Call::Get)];
        let stretches = sides.map(|(measure, call)| self.stretch(call, measure.name()));
        let paces = together(2, |side| stretches[side].run(any_of(known, seed ^ side as u64)).map(endless))?;
        for (pace, (measure, _)) in paces.into_iter().zip(sides) {
            self.keep(measure, &[pace]);
        }
        Ok(())
    }

    fn durable(&mut self, order: &[u32]) -> Result<(), Failure> {
        let seed = self.session.seed;
        self.time(Measure::DurableSet, Call::Set, |stretch| {
            Ok(vec![endless(stretch.run(any_of(order, seed))?)])
        })?;
        self.time(Measure::DurableSetEightThreads, Call::Set, |stretch| {
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
        self.stretch(Call::Get, "check").run(order.iter().copied())?;
        Ok(self.timed)
    }
}

/// An engine's error, as a reason to have no figures of it.
pub(crate) fn failed(engine: &str, during: &str) -> impl FnOnce(logladder_engine::Error) -> Failure {
    let (engine, during) = (engine.to_owned(), during.to_owned());
    move |error| Failure::Engine { engine, during, what: error.to_string() }
}

/// The numbers of so many keys, in the order in which they are set.
pub(crate) fn shuffled(keys: u32, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..keys).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}

/// Of work that is repeated as often as the time allows, nothing is cut off.
fn endless(pace: Pace) -> Pace {
    Pace { cut_off: false, ..pace }
}

/// Keys at random, without end. None if there are none.
pub(crate) fn any_of(keys: &[u32], seed: u64) -> impl Iterator<Item = u32> {
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
