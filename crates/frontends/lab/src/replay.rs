//! Repeats the calls of a check beside a map, on a disk of its own, until one is answered wrongly.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use logladder_disk::RecordingDisk;
use logladder_engine::limits::MAX_KEY_LEN;
use logladder_engine::{Direction, Durability, Engine, Error, Result, SyncPolicy};

use crate::deed::{Deed, show_pairs, show_value};
use crate::revisit::revisit;
use crate::starter::OpenEngine;

/// The folder of the store.
pub(crate) const DIR: &str = "/store";

/// So often is looked whether another call has begun, before one is taken to be stuck.
const LOOKS: u32 = 4;

/// What a store should hold.
pub(crate) type Map = BTreeMap<Vec<u8>, Vec<u8>>;
/// The two ends of a range.
type Ends<'k> = (Bound<&'k Vec<u8>>, Bound<&'k Vec<u8>>);

/// A wrong answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) found: String,
    pub(crate) expected: String,
    pub(crate) kind: Kind,
}

/// Two wrong answers of one kind are taken for the same bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Answer,
    Refusal,
    Panic,
    /// There is no answer.
    Stuck,
}

/// The first call that is answered wrongly.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// Its place among the calls.
    pub(crate) at: usize,
    pub(crate) difference: Difference,
    /// The disk as it was then.
    pub(crate) disk: RecordingDisk,
}

/// Repeats the calls on a fresh disk. Gives the first that is answered wrongly, and nothing if none is, or if the calls do not
/// tell what the answers should be. An engine that begins no call for as long as `patience` is stuck: its thread is left behind.
pub(crate) fn run(open: OpenEngine, deeds: &[Deed], patience: Duration) -> Option<Wrong> {
    let disk = RecordingDisk::new();
    let (sender, receiver) = channel();
    let (at, pulse) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut twin = Twin {
        open,
        disk: disk.clone(),
        engine: None,
        model: Model { map: Map::new(), is_synced: true, pulse: Arc::clone(&pulse) },
    };
    let (deeds, place) = (deeds.to_vec(), Arc::clone(&at));
    let work = move || {
        let wrong = deeds.iter().enumerate().find_map(|(number, deed)| {
            place.store(number, Ordering::SeqCst);
            match twin.checked_step(deed) {
                Step::Right => None,
                Step::Unclear => Some(None),
                Step::Wrong(difference) => Some(Some((number, difference))),
            }
        });
        // Before the files are looked at. An engine that panics now has been judged already.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(twin)));
        // Nobody listens any more if the time is over.
        let _ = sender.send(wrong.flatten());
    };
    thread::Builder::new().name("replay".to_owned()).spawn(work).ok()?;
    let (mut seen, mut still) = (0, 0);
    while still < LOOKS {
        match receiver.recv_timeout(patience / LOOKS) {
            Ok(wrong) => return wrong.map(|(at, difference)| Wrong { at, difference, disk }),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                let now = pulse.load(Ordering::SeqCst);
                still = if now == seen { still + 1 } else { 0 };
                seen = now;
            }
        }
    }
    Some(Wrong { at: at.load(Ordering::SeqCst), difference: stuck(), disk })
}

fn stuck() -> Difference {
    Difference {
        found: "no answer: a deadlock, or a loop without an end".to_owned(),
        expected: "an answer".to_owned(),
        kind: Kind::Stuck,
    }
}

/// What a call showed.
pub(crate) enum Step {
    Right,
    Wrong(Difference),
    /// It cannot be told.
    Unclear,
}

/// An engine, and what it should hold.
struct Twin {
    open: OpenEngine,
    disk: RecordingDisk,
    engine: Option<Box<dyn Engine>>,
    model: Model,
}

/// What an engine should hold.
pub(crate) struct Model {
    pub(crate) map: Map,
    is_synced: bool,
    /// Counts the calls that were begun.
    pub(crate) pulse: Arc<AtomicUsize>,
}

impl Twin {
    /// Does the step. That the engine panics is a wrong answer as well.
    fn checked_step(&mut self, deed: &Deed) -> Step {
        self.model.pulse.fetch_add(1, Ordering::SeqCst);
        catch_unwind(AssertUnwindSafe(|| self.step(deed))).unwrap_or_else(|panic| {
            let message = (panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            let found = format!("a panic: {message}");
            let expected = "no panic, whatever it is asked".to_owned();
            Step::Wrong(Difference { found, expected, kind: Kind::Panic })
        })
    }

    fn step(&mut self, deed: &Deed) -> Step {
        if *deed == Deed::Open {
            if self.engine.is_some() {
                return Step::Unclear;
            }
            return match (self.open)(Arc::new(self.disk.clone()), Path::new(DIR), SyncPolicy::Always) {
                Ok(engine) => {
                    self.engine = Some(engine);
                    Step::Right
                }
                Err(error) => refused(&error),
            };
        }
        if !matches!(deed, Deed::Close | Deed::Drop) {
            return match self.engine.as_deref() {
                Some(engine) => self.model.call(engine, deed),
                None => Step::Unclear,
            };
        }
        let Some(engine) = self.engine.take() else { return Step::Unclear };
        let (durability, model) = (engine.durability(), &mut self.model);
        if durability == Durability::Never {
            model.map.clear();
        } else if *deed == Deed::Drop && durability < Durability::ProcessCrash && !model.is_synced {
            return Step::Unclear;
        }
        if *deed == Deed::Close { done(engine.close()) } else { Step::Right }
    }
}

impl Model {
    /// Does what can be done to an open engine.
    pub(crate) fn call(&mut self, engine: &dyn Engine, deed: &Deed) -> Step {
        self.pulse.fetch_add(1, Ordering::SeqCst);
        match deed {
            Deed::Set(key, value) => {
                let outcome = engine.set(key, value);
                self.is_synced = false;
                if key.len() <= MAX_KEY_LEN {
                    self.map.insert(key.clone(), value.clone());
                }
                limited(key, outcome)
            }
            Deed::Delete(key) => {
                let outcome = engine.delete(key);
                self.is_synced = false;
                self.map.remove(key);
                limited(key, outcome)
            }
            Deed::Sync => {
                self.is_synced = true;
                done(engine.sync())
            }
            Deed::Compact => done(engine.as_compact().map_or(Ok(()), |it| it.compact().map(drop))),
            Deed::Visit(visited) => match engine.as_iterate() {
                Some(iterate) => revisit(self, engine, iterate, visited),
                None => Step::Right,
            },
            Deed::Open | Deed::Close | Deed::Drop => Step::Unclear,
            read => self.read(engine, read),
        }
    }

    fn read(&self, engine: &dyn Engine, deed: &Deed) -> Step {
        let expected = |key: &Vec<u8>| self.map.get(key).map(Vec::as_slice);
        match deed {
            Deed::Get(key) if key.len() <= MAX_KEY_LEN => answer(engine.get(key), expected(key)),
            Deed::GetInto(key) if key.len() <= MAX_KEY_LEN => {
                let mut buffer = b"what was there before".to_vec();
                let found = engine.get_into(key, &mut buffer);
                answer(found.map(|found| found.then_some(buffer)), expected(key))
            }
            Deed::GetWith(key) if key.len() <= MAX_KEY_LEN => {
                let mut shown = None;
                let found = engine.get_with(key, &mut |value| shown = Some(value.to_vec()));
                answer(found.map(|_| shown), expected(key))
            }
            Deed::GetMany(keys) if keys.iter().all(|key| key.len() <= MAX_KEY_LEN) => {
                let list: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                let mut shown: Vec<Option<Vec<u8>>> = vec![None; keys.len()];
                let outcome = engine.get_many(&list, &mut |place, value| {
                    if let Some(slot) = shown.get_mut(place) {
                        *slot = value.map(<[u8]>::to_vec);
                    }
                });
                if let Err(error) = outcome {
                    return refused(&error);
                }
                let pairs = keys.iter().zip(shown);
                let wrong = pairs.map(|(key, shown)| answer(Ok(shown), expected(key)));
                wrong.into_iter().find(|step| !matches!(step, Step::Right)).unwrap_or(Step::Right)
            }
            Deed::Stats => self.counts(engine),
            Deed::Scan(start, end, direction) => {
                self.scans(engine, (start.as_ref(), end.as_ref()), *direction)
            }
            // A key over the limit is refused, and that is right.
            _ => Step::Right,
        }
    }

    fn counts(&self, engine: &dyn Engine) -> Step {
        let stats = match engine.stats() {
            Ok(stats) => stats,
            Err(error) => return refused(&error),
        };
        let bytes: usize = self.map.iter().map(|(key, value)| key.len() + value.len()).sum();
        let say = |keys: u64, bytes: u64| format!("{keys} live keys of {bytes} bytes");
        let (keys, bytes) = (self.map.len() as u64, bytes as u64);
        if (stats.live_keys, stats.live_bytes) == (keys, bytes) {
            return Step::Right;
        }
        wrong(say(stats.live_keys, stats.live_bytes), say(keys, bytes))
    }

    fn scans(&self, engine: &dyn Engine, range: Ends<'_>, direction: Direction) -> Step {
        let Some(ordered) = engine.as_ordered() else { return Step::Right };
        let mut shown: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let keys = (range.0.map(Vec::as_slice), range.1.map(Vec::as_slice));
        let outcome = ordered.scan(keys, direction, &mut |key, value| {
            shown.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        });
        if let Err(error) = outcome {
            return refused(&error);
        }
        let is_within = |(key, _): &(&Vec<u8>, &Vec<u8>)| RangeBounds::<Vec<u8>>::contains(&range, *key);
        let mut expected: Vec<_> = self.map.iter().filter(is_within).collect();
        if direction == Direction::Backward {
            expected.reverse();
        }
        let shown: Vec<_> = shown.iter().map(|(key, value)| (key, value)).collect();
        if shown == expected {
            return Step::Right;
        }
        wrong(show_pairs(&shown), show_pairs(&expected))
    }
}

pub(crate) fn wrong(found: String, expected: String) -> Step {
    Step::Wrong(Difference { found, expected, kind: Kind::Answer })
}

pub(crate) fn refused(error: &Error) -> Step {
    let expected = "no error, on a good disk".to_owned();
    Step::Wrong(Difference { found: format!("an error: {error}"), expected, kind: Kind::Refusal })
}

fn done(outcome: Result<()>) -> Step {
    outcome.map_or_else(|error| refused(&error), |()| Step::Right)
}

/// What came of a write. One of a key that is too long must be refused, which other checks ask about.
fn limited(key: &[u8], outcome: Result<()>) -> Step {
    if key.len() > MAX_KEY_LEN { Step::Right } else { done(outcome) }
}

fn answer(found: Result<Option<Vec<u8>>>, expected: Option<&[u8]>) -> Step {
    match found {
        Ok(found) if found.as_deref() == expected => Step::Right,
        Ok(found) => wrong(show_value(found.as_deref()), show_value(expected)),
        Err(error) => refused(&error),
    }
}
