//! The shortest sequence of calls that shows what is wrong: a check's calls are repeated beside a map, and then as many of
//! them left out as possible.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logladder_disk::RecordingDisk;
use logladder_engine::limits::MAX_KEY_LEN;
use logladder_engine::{Direction, Durability, Engine, Error, Result, SyncPolicy};

use crate::deed::{Deed, show, show_value};
use crate::journal::files_of;
use crate::starter::OpenEngine;

/// So long it may take to leave calls out.
const PATIENCE: Duration = Duration::from_secs(4);
const DIR: &str = "/store";

type Map = BTreeMap<Vec<u8>, Vec<u8>>;
/// The two ends of a range.
type Ends<'k> = (Bound<&'k Vec<u8>>, Bound<&'k Vec<u8>>);

/// Calls that end in a wrong answer.
#[derive(Debug)]
pub(crate) struct Shortest {
    /// The calls; the last one is answered wrongly.
    pub(crate) deeds: Vec<Deed>,
    /// What that answer was, and what it should have been.
    pub(crate) difference: Difference,
    /// The files as they were then.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// A wrong answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) found: String,
    pub(crate) expected: String,
    kind: Kind,
}

/// Two wrong answers of one kind are taken for the same bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Answer,
    Refusal,
    Panic,
}

/// Repeats the calls. If an answer is wrong, finds the shortest calls that lead to a wrong answer of that kind.
pub(crate) fn shortest(open: OpenEngine, deeds: &[Deed]) -> Option<Shortest> {
    let start = Instant::now();
    let (at, mut difference, mut disk) = run(open, deeds)?;
    let mut deeds = deeds[..=at].to_vec();
    // What a shorter program must do to count.
    let wanted = |last: &Deed, difference: &Difference, kept: &Deed, kind: Kind| {
        difference.kind == kind && std::mem::discriminant(last) == std::mem::discriminant(kept)
    };
    let mut attempt = |shorter: Vec<Deed>, deeds: &mut Vec<Deed>| -> bool {
        let Some((new_at, new_difference, new_disk)) = run(open, &shorter) else { return false };
        let Some(last) = deeds.last() else { return false };
        if !wanted(&shorter[new_at], &new_difference, last, difference.kind) {
            return false;
        }
        (difference, disk) = (new_difference, new_disk);
        *deeds = shorter[..=new_at].to_vec();
        true
    };
    let mut chunk = deeds.len().div_ceil(2);
    while chunk >= 1 && start.elapsed() < PATIENCE {
        let (mut from, mut left_out) = (0, false);
        while from < deeds.len() && start.elapsed() < PATIENCE {
            let mut shorter = deeds.clone();
            shorter.drain(from..(from + chunk).min(deeds.len()));
            if !shorter.is_empty() && attempt(shorter, &mut deeds) {
                left_out = true;
            } else {
                from += chunk;
            }
        }
        if !left_out {
            if chunk == 1 {
                break;
            }
            chunk = chunk.div_ceil(2);
        }
    }
    shorten_strings(&mut deeds, start, &mut attempt);
    Some(Shortest { deeds, difference, files: files_of(&disk, Path::new(DIR), "") })
}

/// Takes shorter keys and values, as long as the answer stays wrong.
fn shorten_strings(
    deeds: &mut Vec<Deed>,
    start: Instant,
    attempt: &mut impl FnMut(Vec<Deed>, &mut Vec<Deed>) -> bool,
) {
    let mut strings: Vec<Vec<u8>> =
        deeds.iter().flat_map(Deed::strings).filter(|text| text.len() > 1).collect();
    strings.sort();
    strings.dedup();
    for long in strings {
        for len in [0, 1, 2, 4, long.len() / 2] {
            if len >= long.len() || start.elapsed() > PATIENCE {
                continue;
            }
            let shorter = deeds.iter().map(|deed| deed.with(&long, &long[..len])).collect();
            if attempt(shorter, deeds) {
                break;
            }
        }
    }
}

/// Repeats the calls on a fresh disk. Gives the first that is answered wrongly, and nothing if none is, or if the calls
/// do not tell what the answers should be.
fn run(open: OpenEngine, deeds: &[Deed]) -> Option<(usize, Difference, RecordingDisk)> {
    let disk = RecordingDisk::new();
    let mut twin = Twin { open, disk: disk.clone(), engine: None, map: Map::new(), is_synced: true };
    for (at, deed) in deeds.iter().enumerate() {
        let outcome = catch_unwind(AssertUnwindSafe(|| twin.step(deed)));
        match outcome {
            Ok(Step::Right) => {}
            Ok(Step::Unclear) => return None,
            Ok(Step::Wrong(difference)) => return Some((at, difference, disk)),
            Err(panic) => {
                let message = (panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                let found = format!("a panic: {message}");
                let expected = "no panic, whatever it is asked".to_owned();
                return Some((at, Difference { found, expected, kind: Kind::Panic }, disk));
            }
        }
    }
    None
}

/// What a call showed.
enum Step {
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
    map: Map,
    is_synced: bool,
}

impl Twin {
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
        let Some(engine) = self.engine.as_deref() else { return Step::Unclear };
        let durability = engine.durability();
        match deed {
            Deed::Close | Deed::Drop => {
                let Some(engine) = self.engine.take() else { return Step::Unclear };
                if durability == Durability::Never {
                    self.map.clear();
                } else if *deed == Deed::Drop && durability < Durability::ProcessCrash && !self.is_synced {
                    return Step::Unclear;
                }
                match deed {
                    Deed::Close => done(engine.close()),
                    _ => Step::Right,
                }
            }
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
            Deed::Open => Step::Unclear,
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
            Deed::Visit => self.visits(engine),
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

    fn visits(&self, engine: &dyn Engine) -> Step {
        let Some(iterate) = engine.as_iterate() else { return Step::Right };
        let mut shown: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let outcome = iterate.for_each(&mut |key, value| {
            shown.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        });
        if let Err(error) = outcome {
            return refused(&error);
        }
        shown.sort();
        compared(&shown, &self.map.iter().collect::<Vec<_>>())
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
        compared(&shown, &expected)
    }
}

/// What came of a visit that should have shown these, in this order.
fn compared(shown: &[(Vec<u8>, Vec<u8>)], expected: &[(&Vec<u8>, &Vec<u8>)]) -> Step {
    let shown: Vec<_> = shown.iter().map(|(key, value)| (key, value)).collect();
    if shown == expected {
        return Step::Right;
    }
    let list = |pairs: &[(&Vec<u8>, &Vec<u8>)]| {
        let shown: Vec<String> =
            pairs.iter().take(5).map(|(key, value)| format!("{} = {}", show(key), show(value))).collect();
        let more = if pairs.len() > 5 { ", …" } else { "" };
        if shown.is_empty() { "no key".to_owned() } else { format!("{}{more}", shown.join(", ")) }
    };
    wrong(list(&shown), list(expected))
}

fn wrong(found: String, expected: String) -> Step {
    Step::Wrong(Difference { found, expected, kind: Kind::Answer })
}

fn refused(error: &Error) -> Step {
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use logladder_engine::Stats;

    use super::*;

    /// Forgets a key when another of the same length is set.
    #[derive(Default)]
    struct Forgetful(Mutex<HashMap<usize, Pair>>);

    type Pair = (Vec<u8>, Vec<u8>);

    impl Engine for Forgetful {
        fn name(&self) -> &'static str {
            "forgetful"
        }
        fn durability(&self) -> Durability {
            Durability::Never
        }
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
            let map = self.0.lock().unwrap();
            Ok(map.get(&key.len()).filter(|(set, _)| set == key).map(|(_, value)| value.clone()))
        }
        fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
            self.0.lock().unwrap().insert(key.len(), (key.to_vec(), value.to_vec()));
            Ok(())
        }
        fn delete(&self, key: &[u8]) -> Result<()> {
            self.0.lock().unwrap().remove(&key.len());
            Ok(())
        }
        fn sync(&self) -> Result<()> {
            Ok(())
        }
        fn stats(&self) -> Result<Stats> {
            Ok(Stats::default())
        }
    }

    #[test]
    fn of_a_long_sequence_the_four_calls_are_left_that_show_the_bug() {
        let open: OpenEngine = |_, _, _| Ok(Box::new(Forgetful::default()));
        let mut deeds = vec![Deed::Open];
        for number in 10..60 {
            deeds.push(Deed::Set(format!("key {number}").into_bytes(), b"some value".to_vec()));
            deeds.push(Deed::Get(format!("key {number}").into_bytes()));
        }
        deeds.push(Deed::Get(b"key 17".to_vec()));
        let shortest = shortest(open, &deeds).expect("a wrong answer");
        let told: Vec<String> = shortest.deeds.iter().map(Deed::to_string).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told[0], "open");
        assert!(told[1].starts_with("set ") && told[2].starts_with("set ") && told[3].starts_with("get "));
        assert_eq!(shortest.difference.found, "no value");
    }

    #[test]
    fn calls_that_are_answered_rightly_show_nothing() {
        let open: OpenEngine = |_, _, _| Ok(Box::new(Forgetful::default()));
        let deeds = [Deed::Open, Deed::Set(b"a".to_vec(), b"1".to_vec()), Deed::Get(b"a".to_vec())];
        assert!(shortest(open, &deeds).is_none());
    }
}
