//! [`Meter`]: repeats one operation, times it and compares every value that is read.
//!
//! ```text
//!   fill a batch ──► time it ──► compare what was read ──► fill the next …   until nothing is left
//!   (keys, values)   (engine)    (with what was stored)                      or the time is over
//! ```
//!
//! Only the middle step counts as the engine's time. A batch is one operation as long as that takes more
//! than some microseconds; for faster ones it grows, so that reading the clock costs little beside it.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use logladder_engine::Engine;

use crate::report::{Latency, Operation, Phase};
use crate::statistics::Slices;
use crate::{Failure, Progress};

/// The largest batch: what fits a processor's cache with small values.
const LARGEST_BATCH: usize = 256;
/// A batch that takes less is doubled.
const SHORT: Duration = Duration::from_micros(20);
/// A batch that takes more is halved.
const LONG: Duration = Duration::from_micros(100);
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// The longest latency that is told apart from longer ones: an hour, in nanoseconds.
const HIGHEST_LATENCY: u64 = 3_600_000_000_000;

/// One operation to do: what to hand to the engine and what it must answer.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: Vec<u8>,
    /// The value to set, or to expect if the key is `present`.
    pub(crate) value: Vec<u8>,
    /// For reads: whether the key has a value.
    pub(crate) present: bool,
    found: Vec<u8>,
    hit: bool,
}

impl Entry {
    /// Takes a key and a value, copied.
    pub(crate) fn assign(&mut self, key: &[u8], value: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.value.clear();
        self.value.extend_from_slice(value);
    }

    fn perform(&mut self, engine: &dyn Engine, operation: Operation) -> logladder_engine::Result<()> {
        match operation {
            Operation::Set => engine.set(&self.key, &self.value),
            Operation::Delete => engine.delete(&self.key),
            Operation::Get | Operation::GetMiss => {
                self.hit = engine.get_into(&self.key, &mut self.found)?;
                Ok(())
            }
        }
    }

    fn check(&self, engine: &dyn Engine, during: &str) -> Result<(), Failure> {
        let expected = self.present.then_some(self.value.as_slice());
        let found = self.hit.then_some(self.found.as_slice());
        if expected == found {
            return Ok(());
        }
        Err(Failure::wrong_value(engine.name(), during, &self.key, expected, found))
    }
}

/// What to repeat, and until when.
pub(crate) struct Task<'t> {
    pub(crate) operation: Operation,
    /// What this is called in progress and messages.
    pub(crate) during: &'t str,
    /// How many operations there are, if that is known.
    pub(crate) wanted: Option<u64>,
    pub(crate) budget: Duration,
    /// Puts the next operation into the entry, or says that there is none.
    pub(crate) feed: &'t mut dyn FnMut(&mut Entry) -> bool,
}

/// Times operations. It owns the buffers, so that nothing is allocated while an engine is measured.
pub(crate) struct Meter<'m> {
    batch: Vec<Entry>,
    values_checked: u64,
    progress: &'m mut dyn FnMut(Progress),
}

impl<'m> Meter<'m> {
    pub(crate) fn new(progress: &'m mut dyn FnMut(Progress)) -> Self {
        let batch = std::iter::repeat_with(Entry::default).take(LARGEST_BATCH).collect();
        Self { batch, values_checked: 0, progress }
    }

    /// How many values were compared so far.
    pub(crate) fn values_checked(&self) -> u64 {
        self.values_checked
    }

    /// Heap bytes of the batch, which are none of the engine's.
    pub(crate) fn buffer_bytes(&self) -> u64 {
        let held = |entry: &Entry| entry.key.capacity() + entry.value.capacity() + entry.found.capacity();
        self.batch.iter().map(held).sum::<usize>() as u64
    }

    /// Repeats the task's operation until nothing is left to do or the time is over.
    pub(crate) fn measure(&mut self, engine: &dyn Engine, task: &mut Task<'_>) -> Result<Phase, Failure> {
        let started = Instant::now();
        let mut told = started;
        let mut slices = Slices::new();
        let mut latencies = histogram()?;
        let (mut done, mut size) = (0u64, 1);
        let exhausted = loop {
            let filled =
                self.batch[..size].iter_mut().map_while(|entry| (task.feed)(entry).then_some(())).count();
            if filled == 0 {
                break true;
            }
            let (whole, middle) = self.perform(engine, task, filled)?;
            slices.add(filled as u64, whole);
            latencies.saturating_record(nanoseconds(middle));
            done += filled as u64;
            if matches!(task.operation, Operation::Get | Operation::GetMiss) {
                self.batch[..filled].iter().try_for_each(|entry| entry.check(engine, task.during))?;
                self.values_checked += filled as u64;
            }
            if whole < SHORT {
                size = (size * 2).min(LARGEST_BATCH);
            } else if whole > LONG {
                size = (size / 2).max(1);
            }
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                self.tell(engine, task, done, started.elapsed());
            }
            if started.elapsed() >= task.budget {
                break false;
            }
        };
        self.tell(engine, task, done, started.elapsed());
        Ok(Phase {
            operation: task.operation,
            rate: slices.rate(),
            latency: latency(&latencies),
            done,
            wanted: task.wanted,
            seconds: started.elapsed().as_secs_f64(),
            cut_off: !exhausted && task.wanted.is_some_and(|wanted| done < wanted),
        })
    }

    /// Does the first `filled` operations of the batch. Returns the time of all and of the middle one.
    fn perform(
        &mut self,
        engine: &dyn Engine,
        task: &Task<'_>,
        filled: usize,
    ) -> Result<(Duration, Duration), Failure> {
        let (before, rest) = self.batch[..filled].split_at_mut(filled / 2);
        let (middle, after) = rest.split_at_mut(1);
        let run = |entries: &mut [Entry]| {
            for entry in entries {
                entry.perform(engine, task.operation).map_err(|error| Failure::Engine {
                    engine: engine.name().to_owned(),
                    during: task.during.to_owned(),
                    what: error.to_string(),
                })?;
            }
            Ok(Instant::now())
        };
        let start = Instant::now();
        let middle_start = run(before)?;
        let middle_end = run(middle)?;
        let end = run(after)?;
        Ok((end - start, middle_end - middle_start))
    }

    fn tell(&mut self, engine: &dyn Engine, task: &Task<'_>, done: u64, elapsed: Duration) {
        (self.progress)(Progress {
            engine: engine.name().to_owned(),
            step: task.during.to_owned(),
            done,
            wanted: task.wanted,
            seconds: elapsed.as_secs_f64(),
            budget: task.budget.as_secs_f64(),
        });
    }
}

pub(crate) fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_bounds(1, HIGHEST_LATENCY, 3)
        .map_err(|error| Failure::system("make a histogram", &error))
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1)
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    Latency {
        p50: histogram.value_at_quantile(0.5),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
        timed: histogram.len(),
    }
}
