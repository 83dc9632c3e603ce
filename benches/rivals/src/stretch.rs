//! [`Stretch`]: one thread's run of one operation, timed in batches, every value compared.
//!
//! As in the common benchmark, keys are prepared before a batch and values compared behind it, and only the
//! engine's own time counts. What is new here is that several stretches can run on one engine at once, and
//! that making and comparing values takes next to no time, so that the threads keep the engine busy.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use logladder_bench::Failure;
use logladder_engine::Engine;

use crate::ledger::{Ledger, State, key_text};

/// The largest batch: what fits a processor's cache with small values.
const LARGEST_BATCH: usize = 256;
/// A batch that takes less is doubled.
const SHORT: Duration = Duration::from_micros(20);
/// A batch that takes more is halved.
const LONG: Duration = Duration::from_micros(100);

/// Keys of one [`Call::GetMany`].
pub(crate) const KEYS_A_CALL: usize = 64;

/// Which call of the engine is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Set,
    Delete,
    /// [`Engine::get_into`].
    Get,
    /// [`Engine::get_many`], with [`KEYS_A_CALL`] keys; each value is copied, as by [`Call::Get`].
    GetMany,
    /// [`Engine::get_with`], all of whose bytes are read where they are: they are compared within the time.
    GetInPlace,
    /// [`Engine::get_with`], whose bytes nobody looks at. They are read again and compared outside the time.
    GetUnread,
}

/// What one thread is to do.
#[derive(Clone, Copy)]
pub(crate) struct Stretch<'s> {
    pub(crate) engine: &'s dyn Engine,
    pub(crate) ledger: &'s Ledger,
    pub(crate) call: Call,
    /// What this is called in messages.
    pub(crate) during: &'s str,
    /// After so much time it is cut off.
    pub(crate) budget: Duration,
}

/// How it went.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    pub(crate) operations: u64,
    /// The engine's time alone.
    pub(crate) time: Duration,
    /// Whether the time was over before the keys were.
    pub(crate) cut_off: bool,
}

impl Pace {
    #[allow(clippy::cast_precision_loss)] // No stretch has 2^53 operations.
    pub(crate) fn per_second(&self) -> f64 {
        self.operations as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

struct Slot<'l> {
    key: u32,
    text: [u8; 16],
    /// For a write, what it leaves; for a get, what was acknowledged before it.
    state: State,
    /// What is to be set, or what a get in place must find.
    value: &'l [u8],
    found: Vec<u8>,
    hit: bool,
    /// Whether a get in place found what it must.
    same: bool,
}

impl<'s> Stretch<'s> {
    /// Does the operation with each key, until there is none left or the time is over.
    pub(crate) fn run(&self, mut keys: impl Iterator<Item = u32>) -> Result<Pace, Failure> {
        let mut batch: Vec<Slot<'s>> = Vec::with_capacity(LARGEST_BATCH);
        batch.resize_with(LARGEST_BATCH, || self.slot());
        let deadline = Instant::now() + self.budget;
        let (mut pace, mut size) = (Pace::default(), self.smallest_batch());
        loop {
            let slots = batch[..size].iter_mut();
            let filled = slots.zip(&mut keys).map(|(slot, key)| self.prepare(slot, key)).count();
            if filled == 0 {
                return Ok(pace);
            }
            let batch = &mut batch[..filled];
            let time = self.perform(batch)?;
            batch.iter_mut().try_for_each(|slot| self.settle(slot))?;
            pace.operations += filled as u64;
            pace.time += time;
            if Instant::now() >= deadline {
                pace.cut_off = keys.next().is_some();
                return Ok(pace);
            }
            if time < SHORT {
                size = (size * 2).min(LARGEST_BATCH);
            } else if time > LONG {
                size = (size / 2).max(self.smallest_batch());
            }
        }
    }

    fn smallest_batch(&self) -> usize {
        if self.call == Call::GetMany { KEYS_A_CALL } else { 1 }
    }

    fn slot(&self) -> Slot<'s> {
        let state = self.ledger.acknowledged(u32::MAX);
        Slot { key: 0, text: [0; 16], state, value: &[], found: Vec::new(), hit: false, same: false }
    }

    fn prepare(&self, slot: &mut Slot<'s>, key: u32) {
        slot.key = key;
        slot.text = key_text(key);
        slot.state = match self.call {
            Call::Set => self.ledger.begin(key, true),
            Call::Delete => self.ledger.begin(key, false),
            Call::Get | Call::GetMany | Call::GetInPlace | Call::GetUnread => self.ledger.acknowledged(key),
        };
        if matches!(self.call, Call::Set | Call::GetInPlace) {
            slot.value = self.ledger.value(key, slot.state).unwrap_or_default();
        }
    }

    fn perform(&self, batch: &mut [Slot<'s>]) -> Result<Duration, Failure> {
        let texts: Vec<[u8; 16]> = batch.iter().map(|slot| slot.text).collect();
        let keys: Vec<&[u8]> = texts.iter().map(<[u8; 16]>::as_slice).collect();
        let started = Instant::now();
        let outcome = match self.call {
            Call::Set => batch.iter().try_for_each(|slot| self.engine.set(&slot.text, slot.value)),
            Call::Delete => batch.iter().try_for_each(|slot| self.engine.delete(&slot.text)),
            Call::Get => batch.iter_mut().try_for_each(|slot| {
                slot.hit = self.engine.get_into(&slot.text, &mut slot.found)?;
                Ok(())
            }),
            Call::GetMany => {
                let mut calls = keys.chunks(KEYS_A_CALL).zip(batch.chunks_mut(KEYS_A_CALL));
                calls.try_for_each(|(keys, slots)| {
                    self.engine.get_many(keys, &mut |place, value| slots[place].keep(value))
                })
            }
            Call::GetInPlace => batch.iter_mut().try_for_each(|slot| {
                let (expected, mut same) = (slot.value, false);
                slot.hit = self.engine.get_with(&slot.text, &mut |value| same = value == expected)?;
                slot.same = same;
                Ok(())
            }),
            Call::GetUnread => batch.iter_mut().try_for_each(|slot| {
                slot.hit = self.engine.get_with(&slot.text, &mut |value| {
                    std::hint::black_box(value);
                })?;
                Ok(())
            }),
        };
        let time = started.elapsed();
        outcome.map(|()| time).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &logladder_engine::Error) -> Failure {
        Failure::Engine {
            engine: self.engine.name().to_owned(),
            during: self.during.to_owned(),
            what: error.to_string(),
        }
    }

    /// Tells the ledger of a write, and asks it about what a get found.
    fn settle(&self, slot: &mut Slot<'_>) -> Result<(), Failure> {
        let mut was_right = true;
        match self.call {
            Call::Set | Call::Delete => {
                self.ledger.acknowledge(slot.key, slot.state);
                return Ok(());
            }
            Call::GetInPlace if slot.hit && slot.same => return Ok(()),
            Call::GetInPlace | Call::GetUnread => {
                was_right = self.call == Call::GetUnread || !slot.hit;
                let hit = self.engine.get_into(&slot.text, &mut slot.found);
                let hit = hit.map_err(|error| self.failed(&error))?;
                was_right &= hit == slot.hit;
            }
            Call::Get | Call::GetMany => {}
        }
        let found = slot.hit.then_some(slot.found.as_slice());
        if was_right && self.ledger.agrees(slot.key, slot.state, found) {
            return Ok(());
        }
        let expected = self.ledger.value(slot.key, slot.state);
        Err(Failure::wrong_value(self.engine.name(), self.during, &slot.text, expected, found))
    }
}

impl Slot<'_> {
    /// Copies what [`Engine::get_many`] shows.
    fn keep(&mut self, value: Option<&[u8]>) {
        self.hit = value.is_some();
        self.found.clear();
        self.found.extend_from_slice(value.unwrap_or_default());
    }
}

/// Runs `count` stretches at once, each in a thread of its own, and returns how each went.
pub(crate) fn together(
    count: usize,
    stretch: impl Fn(usize) -> Result<Pace, Failure> + Sync,
) -> Result<Vec<Pace>, Failure> {
    let start = Barrier::new(count);
    let run = |thread| {
        start.wait();
        stretch(thread)
    };
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|thread| scope.spawn(move || run(thread))).collect();
        threads
            .into_iter()
            // A panic goes on here: it is the engine's, and the process that runs it ends with it.
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use logladder::memory::Memory;
    use logladder_engine::{Durability, Open, Result as EngineResult, Stats};

    use super::*;

    fn stretch<'s>(engine: &'s dyn Engine, ledger: &'s Ledger, call: Call) -> Stretch<'s> {
        Stretch { engine, ledger, call, during: "test", budget: Duration::from_mins(1) }
    }

    /// An engine that forgets every write.
    struct Forgetful(Memory);

    impl Engine for Forgetful {
        fn name(&self) -> &'static str {
            "forgetful"
        }
        fn durability(&self) -> Durability {
            Durability::Never
        }
        fn get(&self, key: &[u8]) -> EngineResult<Option<Vec<u8>>> {
            self.0.get(key)
        }
        fn set(&self, _: &[u8], _: &[u8]) -> EngineResult<()> {
            Ok(())
        }
        fn delete(&self, key: &[u8]) -> EngineResult<()> {
            self.0.delete(key)
        }
        fn sync(&self) -> EngineResult<()> {
            Ok(())
        }
        fn stats(&self) -> EngineResult<Stats> {
            self.0.stats()
        }
    }

    fn memory() -> Memory {
        let folder = tempfile::tempdir().unwrap();
        Memory::open(folder.path(), logladder::memory::Options::default()).unwrap()
    }

    #[test]
    fn readers_and_a_writer_at_once_find_only_what_they_may() {
        let (engine, ledger) = (memory(), Ledger::new(100, 50, 1));
        stretch(&engine, &ledger, Call::Set).run(0..100).unwrap();
        let paces = together(3, |thread| {
            let call = if thread == 0 { Call::Set } else { Call::Get };
            stretch(&engine, &ledger, call).run((0..200).flat_map(|_| 0..100))
        });
        assert!(paces.unwrap().iter().all(|pace| pace.operations == 20_000 && !pace.cut_off));
        stretch(&engine, &ledger, Call::Get).run(100..200).unwrap();
        stretch(&engine, &ledger, Call::Delete).run(0..50).unwrap();
        for call in [Call::Get, Call::GetMany, Call::GetInPlace, Call::GetUnread] {
            assert_eq!(stretch(&engine, &ledger, call).run(0..130).unwrap().operations, 130);
        }
    }

    #[test]
    fn an_engine_that_forgets_has_no_figures() {
        let (engine, ledger) = (Forgetful(memory()), Ledger::new(10, 50, 1));
        stretch(&engine, &ledger, Call::Set).run(0..10).unwrap();
        for call in [Call::Get, Call::GetMany, Call::GetInPlace, Call::GetUnread] {
            let failure = stretch(&engine, &ledger, call).run(0..10).unwrap_err();
            let is_expected = matches!(
                &failure,
                Failure::WrongValue { engine, found, .. } if engine == "forgetful" && found == "nothing"
            );
            assert!(is_expected, "{call:?}: {failure}");
        }
    }

    #[test]
    fn a_stretch_without_time_does_a_batch_and_says_that_it_was_cut_off() {
        let (engine, ledger) = (memory(), Ledger::new(10, 50, 1));
        let hurried = Stretch { budget: Duration::ZERO, ..stretch(&engine, &ledger, Call::Set) };
        let pace = hurried.run(0..10).unwrap();
        assert!(pace.cut_off && pace.operations == 1, "{pace:?}");
    }
}
