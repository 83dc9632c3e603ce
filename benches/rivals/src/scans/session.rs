//! [`Session`]: what is done to one engine in one process, and what of it is timed.

use std::path::Path;
use std::time::{Duration, Instant};

use logladder_bench::{Contestant, Failure};
use logladder_disk::RealDisk;
use logladder_engine::{Direction, Engine, Ordered, SyncPolicy};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::rows::Rows;
use super::system;
use crate::ledger::Ledger;
use crate::memory::{Held, touch_memory};
use crate::rivals::Budget;
use crate::session::{any_of, failed};
use crate::space::occupied;
use crate::stretch::{Call, Stretch};

/// What to do with one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) keys: u32,
    pub(crate) value_len: u32,
    /// How long the fill may take.
    pub(crate) write_millis: u64,
    /// How long each way of reading is repeated.
    pub(crate) read_millis: u64,
    /// How long it may take to settle.
    pub(crate) settle_millis: u64,
    pub(crate) budget: Budget,
    pub(crate) seed: u64,
}

/// What was found out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scanned {
    /// Keys that the fill had time for.
    pub(crate) keys: u64,
    /// Whether there were more.
    pub(crate) cut_off: bool,
    /// Of each, how many in a second: sets, gets, rows of whole scans, short scans.
    pub(crate) fill: f64,
    pub(crate) get: f64,
    pub(crate) get_absent: f64,
    pub(crate) rows_forward: f64,
    pub(crate) rows_backward: f64,
    pub(crate) short_scans: f64,
    /// How long it took to settle.
    pub(crate) settle_seconds: f64,
    /// Bytes of keys and values.
    pub(crate) user_bytes: u64,
    /// Bytes that the process had written when it had settled, where the system tells.
    pub(crate) written_bytes: Option<u64>,
    /// Bytes on the disk then.
    pub(crate) disk_bytes: u64,
    /// Bytes of the process's own pages after everything was read, where the system tells.
    pub(crate) own_bytes: Option<u64>,
}

impl Session {
    pub(crate) fn limit(&self) -> Duration {
        // Gets, absent gets, whole scans both ways, short scans; and one whole scan may outlast its time.
        let reads = self.read_millis.saturating_mul(10);
        Duration::from_millis(self.write_millis.saturating_add(self.settle_millis).saturating_add(reads))
    }

    /// Measures the engine in an empty folder. `doing` is told what is being done.
    pub(crate) fn run(
        &self,
        contestant: &Contestant,
        folder: &Path,
        doing: &mut dyn FnMut(&str),
    ) -> Result<Scanned, Failure> {
        let name = contestant.name();
        let ledger = Ledger::new(self.keys.saturating_mul(2), self.value_len as usize, self.seed);
        let mut order: Vec<u32> = (0..self.keys).map(|number| 2 * number).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        let store = folder.join("store");

        doing("warm up");
        touch_memory(self.keys, self.value_len);
        let (held, written) = (Held::now(None), system::written());
        let opened = contestant.open(RealDisk::shared(), &store, SyncPolicy::Never);
        let engine = opened.map_err(failed(name, "open"))?;
        let ordered = engine.as_ordered().ok_or_else(|| Failure::Engine {
            engine: name.to_owned(),
            during: "scan".to_owned(),
            what: "it does not keep keys in order".to_owned(),
        })?;

        doing("fill");
        let write_time = Duration::from_millis(self.write_millis);
        let fill = stretch(&*engine, &ledger, Call::Set, write_time).run(order.iter().copied())?;
        order.truncate(usize::try_from(fill.operations).unwrap_or(usize::MAX));
        doing("settle");
        engine.sync().map_err(failed(name, "sync"))?;
        let settled = system::settle(Duration::from_millis(self.settle_millis));
        let written_bytes = system::written().zip(written).map(|(now, before)| now.saturating_sub(before));
        let disk_bytes = occupied(&store)
            .map_err(|error| Failure::system(format!("measure {}", store.display()), &error))?;

        doing("compare every row");
        let rows = Rows::of(&ledger, &order);
        for direction in [Direction::Forward, Direction::Backward] {
            rows.compare(name, ordered, direction)?;
        }
        let read_time = Duration::from_millis(self.read_millis);
        let gets = |keys: &mut dyn Iterator<Item = u32>| {
            let stretch = stretch(&*engine, &ledger, Call::Get, read_time);
            stretch.run(keys).map(|pace| pace.per_second())
        };
        doing("get");
        let get = gets(&mut any_of(&order, self.seed ^ 1))?;
        doing("get absent");
        let get_absent = gets(&mut any_of(&order, self.seed ^ 2).map(|key| key + 1))?;
        doing("scan forward");
        let rows_forward = self.whole_scans(name, &rows, ordered, Direction::Forward)?;
        doing("scan backward");
        let rows_backward = self.whole_scans(name, &rows, ordered, Direction::Backward)?;
        doing("short scans");
        let short_scans = self.short_scans(name, &rows, ordered)?;
        let own_bytes = Held::now(None).since(held).anonymous;
        engine.close().map_err(failed(name, "close"))?;
        Ok(Scanned {
            keys: fill.operations,
            cut_off: fill.cut_off,
            fill: fill.per_second(),
            get,
            get_absent,
            rows_forward,
            rows_backward,
            short_scans,
            settle_seconds: settled.as_secs_f64(),
            user_bytes: fill.operations.saturating_mul(16 + u64::from(self.value_len)),
            written_bytes,
            disk_bytes,
            own_bytes,
        })
    }

    /// Rows per second of scans of everything, one after the other until the time is over.
    fn whole_scans(
        &self,
        engine: &str,
        rows: &Rows<'_>,
        ordered: &dyn Ordered,
        direction: Direction,
    ) -> Result<f64, Failure> {
        let (started, mut scans, mut time) = (Instant::now(), 0, Duration::ZERO);
        while scans == 0 || started.elapsed() < Duration::from_millis(self.read_millis) {
            time += rows.scan_all(engine, ordered, direction)?;
            scans += 1;
        }
        Ok(rate(scans * rows.len() as u64, time))
    }

    /// How many scans of a few rows in a second, each from a key at random on.
    fn short_scans(&self, engine: &str, rows: &Rows<'_>, ordered: &dyn Ordered) -> Result<f64, Failure> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 3);
        let (started, mut scans, mut time) = (Instant::now(), 0, Duration::ZERO);
        while rows.len() > 0 && (scans == 0 || started.elapsed() < Duration::from_millis(self.read_millis)) {
            time += rows.scan_some(engine, ordered, random.random_range(0..rows.len()))?;
            scans += 1;
        }
        Ok(rate(scans, time))
    }
}

fn stretch<'s>(engine: &'s dyn Engine, ledger: &'s Ledger, call: Call, budget: Duration) -> Stretch<'s> {
    let during = if call == Call::Set { "fill" } else { "get" };
    Stretch { engine, ledger, call, during, budget }
}

#[allow(clippy::cast_precision_loss)] // No session shows 2^53 rows.
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entrant::Entrant;
    use crate::scans::{ENGINE, MAPPED, contestant};

    fn quick() -> Session {
        let budget = Budget { write_buffer: 1 << 20, cache: 1 << 20 };
        Session {
            keys: 500,
            value_len: 100,
            write_millis: 60_000,
            read_millis: 10,
            settle_millis: 0,
            budget,
            seed: 4,
        }
    }

    #[test]
    fn ours_and_a_rival_are_filled_and_every_way_of_reading_has_a_rate() {
        for name in [ENGINE, MAPPED] {
            let (folder, session) = (tempfile::tempdir().unwrap(), quick());
            let contestant = contestant(Entrant::find(name).unwrap(), session.budget);
            assert_eq!(contestant.name(), name);
            let seen = session.run(&contestant, folder.path(), &mut |_| {}).unwrap();
            assert_eq!((seen.keys, seen.cut_off, seen.user_bytes), (500, false, 500 * 116));
            let rates = [seen.fill, seen.get, seen.get_absent, seen.rows_forward, seen.rows_backward];
            assert!(rates.into_iter().chain([seen.short_scans]).all(|rate| rate > 0.0), "{seen:?}");
            assert!(seen.disk_bytes > 0, "{seen:?}");
        }
    }

    #[test]
    fn an_engine_without_an_order_says_so() {
        let (folder, session) = (tempfile::tempdir().unwrap(), quick());
        let contestant = contestant(Entrant::find("hash-log").unwrap(), session.budget);
        let failure = session.run(&contestant, folder.path(), &mut |_| {}).unwrap_err();
        assert!(failure.to_string().contains("does not keep keys in order"), "{failure}");
    }
}
