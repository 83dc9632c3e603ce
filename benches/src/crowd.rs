//! The latency benchmark of dskvs: a crowd of threads with large values, and how long each operation took one of them.
//!
//! Ten threads share 2,048 keys of 10,000 bytes between them. In a round, each key is put, put again, read twice and
//! deleted; between these the threads wait for each other. Rounds follow until the time is over.
//!
//! Each operation is timed on its own, by the thread that does it; two readings of the clock, some 50 ns, are in its
//! figure. Making values and comparing what was read is not. A value that is read in place is lent, as that of dskvs is,
//! and compared by the mark that tells its key and its version while it is; one that is copied is compared whole. With more threads than cores, an operation may wait for its thread's turn, and
//! that is part of its latency, as it would be in a program.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use logladder_engine::{Engine, SyncPolicy};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::meter::{histogram, nanoseconds};
use crate::report::Run;
use crate::trial::{Conditions, Trial};
use crate::{Contestant, Deed, Failure, Heap, Progress, Spread};

/// Bytes of a value that tell which key it is of and which of its values it is; the others are the same in many.
const MARK: usize = 16;

/// How many threads do what, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// The name in reports.
    pub name: String,
    /// Threads at once.
    pub threads: u32,
    /// Keys, shared between the threads.
    pub keys: u32,
    /// Bytes of a value: 16 at least.
    pub value_len: u32,
    /// How long all rounds of one engine may take, in milliseconds.
    pub budget_millis: u64,
    /// How many rounds are done at most, whatever the time.
    pub most_rounds: u32,
    /// Whether the engine syncs before each write is acknowledged.
    pub sync_each_write: bool,
    /// Where values come from.
    pub seed: u64,
}

/// What dskvs' author printed of this benchmark, in operations a second of one thread: one divided by the average
/// latency. Go, another machine.
pub const PUBLISHED: [(Deed, f64); 3] =
    [(Deed::Put, 766.0), (Deed::GetInPlace, 1_072_961.0), (Deed::Delete, 1_745.0)];

impl Crowd {
    /// The benchmark of dskvs: 10 threads, 2,048 keys, values of 10,000 bytes.
    #[must_use]
    pub fn dskvs(budget: Duration, sync_each_write: bool) -> Self {
        Self {
            name: "dskvs".into(),
            threads: 10,
            keys: 2_048,
            value_len: 10_000,
            budget_millis: u64::try_from(budget.as_millis()).unwrap_or(u64::MAX),
            most_rounds: 50,
            sync_each_write,
            seed: crate::SEED,
        }
    }

    /// The longest it should take, without opening and closing.
    #[must_use]
    pub fn budget(&self) -> Duration {
        Duration::from_millis(self.budget_millis)
    }

    /// Measures an engine in this process, in a folder that is empty.
    ///
    /// # Errors
    ///
    /// The engine failed, or answered wrongly.
    pub fn run(
        &self,
        contestant: &Contestant,
        folder: &Path,
        heap: Option<&'static Heap>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run, Failure> {
        let text = self.text();
        let mut members = (0..self.threads.max(1))
            .map(|thread| Member::new(self, thread, &text))
            .collect::<Result<Vec<Member<'_>>, Failure>>()?;
        let sync = if self.sync_each_write { SyncPolicy::Always } else { SyncPolicy::Never };
        let engine_name = contestant.name().to_owned();
        // The trial tells its own steps to nobody: there are none but the warm-up.
        let quiet: &mut dyn FnMut(Progress) = &mut |_| {};
        let conditions = Conditions { contestant, folder, heap, progress: quiet };
        let (trial, engine) = Trial::begin(conditions, &self.name, sync)?;

        let mut spreads: Vec<Spread> = Vec::new();
        let (started, mut longest) = (Instant::now(), Duration::ZERO);
        for round in 0..self.most_rounds.max(1) {
            let begun = Instant::now();
            if round > 0 && started.elapsed() + longest > self.budget() {
                break;
            }
            for (deed, share) in SHARES {
                let together = Together { deed, deadline: Instant::now() + self.budget() * share / 100 };
                let (seconds, cut_off) = together.work(&*engine, &mut members)?;
                add(&mut spreads, deed, seconds, cut_off);
                progress(Progress {
                    engine: engine_name.clone(),
                    step: deed.name().to_owned(),
                    done: u64::from(round) + 1,
                    wanted: Some(self.most_rounds.into()),
                    seconds: started.elapsed().as_secs_f64(),
                    budget: self.budget().as_secs_f64(),
                });
            }
            longest = longest.max(begun.elapsed());
        }
        for spread in &mut spreads {
            let mut all = histogram()?;
            for member in &members {
                all.add(&member.latencies[spread.deed as usize])
                    .map_err(|error| Failure::system("add histograms", &error))?;
            }
            spread.fill(&all, self.value_len.into());
        }
        let checked = members.iter().map(|member| member.values_checked).sum();
        let mut run = trial.finish(engine)?;
        run.spreads = spreads;
        run.values_checked = checked;
        Ok(run)
    }

    /// Letters, so that a text format has no extra work. A value is a mark and a piece of this.
    fn text(&self) -> Vec<u8> {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let len = self.keys as usize + self.value_len as usize;
        (0..len).map(|_| letters[random.random_range(0..letters.len())]).collect()
    }
}

/// How much of the time, in percent, each step of the first round may take at most.
const SHARES: [(Deed, u32); 5] =
    [(Deed::Put, 35), (Deed::Rewrite, 25), (Deed::Get, 10), (Deed::GetInPlace, 10), (Deed::Delete, 15)];

fn add(spreads: &mut Vec<Spread>, deed: Deed, seconds: f64, cut_off: bool) {
    match spreads.iter_mut().find(|spread| spread.deed == deed) {
        Some(spread) => {
            spread.seconds += seconds;
            spread.cut_off |= cut_off;
        }
        None => spreads.push(Spread { deed, seconds, cut_off, ..Spread::default() }),
    }
}

/// One thread's keys, and what it has found out.
struct Member<'t> {
    text: &'t [u8],
    value_len: usize,
    /// The keys and the number of the value that each has.
    keys: Vec<(u32, Vec<u8>, Option<u32>)>,
    next_version: u32,
    value: Vec<u8>,
    found: Vec<u8>,
    latencies: [Histogram<u64>; Deed::COUNT],
    values_checked: u64,
}

impl<'t> Member<'t> {
    fn new(crowd: &Crowd, thread: u32, text: &'t [u8]) -> Result<Self, Failure> {
        let mine = (thread..crowd.keys).step_by(crowd.threads.max(1) as usize);
        let key = |number| (number, format!("thread-{thread}/{number:06}").into_bytes(), None);
        let one = histogram()?;
        Ok(Self {
            text,
            value_len: (crowd.value_len as usize).max(MARK),
            keys: mine.map(key).collect(),
            next_version: 0,
            value: Vec::new(),
            found: Vec::new(),
            latencies: std::array::from_fn(|_| one.clone()),
            values_checked: 0,
        })
    }

    /// Does the deed with each key, until the time is over. Says whether it was.
    fn work(&mut self, engine: &dyn Engine, deed: Deed, deadline: Instant) -> Result<bool, Failure> {
        for place in 0..self.keys.len() {
            if Instant::now() >= deadline {
                return Ok(true);
            }
            let failed = |error: logladder_engine::Error| Failure::Engine {
                engine: engine.name().to_owned(),
                during: deed.name().to_owned(),
                what: error.to_string(),
            };
            let took = self.perform(engine, deed, place).map_err(failed)?;
            if let Some(took) = took {
                self.latencies[deed as usize].saturating_record(nanoseconds(took));
                self.check(engine, deed, place)?;
            }
        }
        Ok(false)
    }

    /// None if the key is not in a state for the deed, because an earlier step was cut off.
    fn perform(
        &mut self,
        engine: &dyn Engine,
        deed: Deed,
        place: usize,
    ) -> logladder_engine::Result<Option<Duration>> {
        let (number, key, version) = &mut self.keys[place];
        if (deed == Deed::Put) == version.is_some() {
            return Ok(None);
        }
        if matches!(deed, Deed::Put | Deed::Rewrite) {
            *version = Some(self.next_version);
            self.next_version += 1;
        }
        let Some(current) = *version else { return Ok(None) };
        make(&mut self.value, self.text, self.value_len, *number, current);
        let expected = self.value.as_slice();
        let started = Instant::now();
        match deed {
            Deed::Put | Deed::Rewrite => engine.set(key, expected)?,
            Deed::Get => {
                if !engine.get_into(key, &mut self.found)? {
                    self.found.clear();
                }
            }
            Deed::GetInPlace => {
                let mut is_right = false;
                engine.get_with(key, &mut |value| {
                    is_right = value.len() == expected.len() && value.starts_with(&expected[..MARK]);
                })?;
                let took = started.elapsed();
                self.found.clear();
                if is_right {
                    self.found.extend_from_slice(expected);
                }
                return Ok(Some(took));
            }
            Deed::Delete => {
                engine.delete(key)?;
                *version = None;
            }
        }
        Ok(Some(started.elapsed()))
    }

    fn check(&mut self, engine: &dyn Engine, deed: Deed, place: usize) -> Result<(), Failure> {
        if !matches!(deed, Deed::Get | Deed::GetInPlace) {
            return Ok(());
        }
        self.values_checked += 1;
        if self.found == self.value {
            return Ok(());
        }
        let key = &self.keys[place].1;
        Err(Failure::wrong_value(engine.name(), deed.name(), key, Some(&self.value), Some(&self.found)))
    }
}

/// The value of a key in a version.
fn make(value: &mut Vec<u8>, text: &[u8], len: usize, number: u32, version: u32) {
    value.clear();
    value.extend_from_slice(format!("{number:08x}{version:08x}").as_bytes());
    let from = number as usize;
    value.extend_from_slice(&text[from..from + len - MARK]);
}

/// One step of all threads.
struct Together {
    deed: Deed,
    deadline: Instant,
}

impl Together {
    /// Says how long it took, from when the first thread began to when the last one was done, and whether it was cut off.
    fn work(&self, engine: &dyn Engine, members: &mut [Member<'_>]) -> Result<(f64, bool), Failure> {
        let gate = Barrier::new(members.len());
        let outcomes: Vec<_> = thread::scope(|scope| {
            let gate = &gate;
            let work = |member| {
                scope.spawn(move || {
                    gate.wait();
                    let begun = Instant::now();
                    let cut_off = Member::work(member, engine, self.deed, self.deadline);
                    (begun, Instant::now(), cut_off)
                })
            };
            let threads: Vec<_> = members.iter_mut().map(work).collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let (mut first, mut last, mut cut_off) = (None::<Instant>, None::<Instant>, false);
        for outcome in outcomes {
            let (begun, ended, outcome) = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            first = first.into_iter().chain([begun]).min();
            last = last.into_iter().chain([ended]).max();
            cut_off |= outcome?;
        }
        let seconds = first.zip(last).map_or(0.0, |(first, last)| (last - first).as_secs_f64());
        Ok((seconds, cut_off))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Crowd {
        Crowd { keys: 40, value_len: 500, most_rounds: 3, ..Crowd::dskvs(Duration::from_mins(1), false) }
    }

    fn run(crowd: &Crowd, stage: &str) -> Run {
        let folder = tempfile::tempdir().unwrap();
        let contestant = Contestant::stage(logladder::stage(stage).unwrap());
        crowd.run(&contestant, folder.path(), None, &mut |_| {}).unwrap()
    }

    #[test]
    fn each_key_is_put_rewritten_read_twice_and_deleted_in_each_round() {
        for stage in ["memory", "hash-log"] {
            let run = run(&small(), stage);
            let deeds: Vec<Deed> = run.spreads.iter().map(|spread| spread.deed).collect();
            assert_eq!(deeds, SHARES.map(|(deed, _)| deed));
            for spread in &run.spreads {
                assert_eq!((spread.operations, spread.cut_off), (40 * 3, false), "{stage}: {spread:?}");
                assert!(spread.min <= spread.p50 && spread.p50 <= spread.p99 && spread.p9999 <= spread.max);
            }
            assert_eq!(run.values_checked, 2 * 40 * 3);
        }
    }

    #[test]
    fn what_takes_too_long_is_cut_off_and_says_so() {
        let crowd = Crowd { budget_millis: 0, ..small() };
        let run = run(&crowd, "json-file");
        assert!(run.spreads.iter().all(|spread| spread.cut_off && spread.operations < 40));
    }

    #[test]
    fn a_value_tells_its_key_and_its_version() {
        let text = small().text();
        let mut values = Vec::new();
        for (number, version) in [(0, 0), (0, 1), (1, 0), (39, 7)] {
            let mut value = Vec::new();
            make(&mut value, &text, 500, number, version);
            assert_eq!(value.len(), 500);
            assert!(!values.contains(&value));
            values.push(value);
        }
    }
}
