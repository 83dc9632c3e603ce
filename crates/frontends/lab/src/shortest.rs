//! The shortest sequence of calls that shows what is wrong: a check's calls are repeated, and as many of them left out as
//! possible.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::deed::Deed;
use crate::journal::files_of;
use crate::replay::{DIR, Difference, Kind, Wrong, run};
use crate::starter::OpenEngine;

/// So long it may take to leave calls out.
const PATIENCE: Duration = Duration::from_secs(6);
/// And so long if each try that shows the bug has to be waited for.
const PATIENCE_IF_STUCK: Duration = Duration::from_secs(20);
/// A call that takes longer than this does not come to an end. The first and the last time there is more of it, since a
/// machine may have other things to do.
const CALL: Duration = Duration::from_millis(300);
const CALL_FOR_SURE: Duration = Duration::from_secs(2);
/// So many threads of engines that are stuck are left behind.
const LEFT_BEHIND: usize = 40;

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

/// Repeats the calls. If an answer is wrong, finds the shortest calls that lead to a wrong answer of that kind.
pub(crate) fn shortest(open: OpenEngine, deeds: &[Deed]) -> Option<Shortest> {
    let wrong = run(open, deeds, CALL_FOR_SURE)?;
    let deeds = deeds.get(..=wrong.at)?.to_vec();
    let is_stuck = wrong.difference.kind == Kind::Stuck;
    let patience = if is_stuck { PATIENCE_IF_STUCK } else { PATIENCE };
    let mut search = Search { open, end: Instant::now() + patience, deeds, wrong, stuck: 0 };
    search.leave_out_calls();
    search.simplify_visits();
    search.leave_out_calls();
    search.shorten_strings();
    let Search { deeds, mut wrong, .. } = search;
    if is_stuck {
        wrong = run(open, &deeds, CALL_FOR_SURE)?;
    }
    Some(Shortest { deeds, difference: wrong.difference, files: files_of(&wrong.disk, Path::new(DIR), "") })
}

/// The fewest calls so far.
struct Search {
    open: OpenEngine,
    /// When it ends, whatever could still be left out.
    end: Instant,
    deeds: Vec<Deed>,
    wrong: Wrong,
    /// How many tries were stuck.
    stuck: usize,
}

impl Search {
    fn is_over(&self) -> bool {
        Instant::now() > self.end || self.stuck >= LEFT_BEHIND
    }

    /// Goes on with these calls if they show the same bug: a wrong answer of the same kind to a call of the same kind.
    fn takes(&mut self, shorter: &[Deed]) -> bool {
        if self.is_over() {
            return false;
        }
        let Some(wrong) = run(self.open, shorter, CALL) else { return false };
        self.stuck += usize::from(wrong.difference.kind == Kind::Stuck);
        let kind_of = |deeds: &[Deed], at: usize| deeds.get(at).map(std::mem::discriminant);
        let is_same = wrong.difference.kind == self.wrong.difference.kind
            && kind_of(shorter, wrong.at) == kind_of(&self.deeds, self.deeds.len() - 1);
        if is_same {
            self.deeds = shorter[..=wrong.at].to_vec();
            self.wrong = wrong;
        }
        is_same
    }

    /// First the half of them, then less and less.
    fn leave_out_calls(&mut self) {
        let mut chunk = self.deeds.len().div_ceil(2);
        while chunk >= 1 && !self.is_over() {
            let (mut from, mut left_out) = (0, false);
            while from < self.deeds.len() && !self.is_over() {
                let mut shorter = self.deeds.clone();
                shorter.drain(from..(from + chunk).min(self.deeds.len()));
                if !shorter.is_empty() && self.takes(&shorter) {
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
    }

    /// Lets visitors do less.
    fn simplify_visits(&mut self) {
        let mut place = 0;
        while place < self.deeds.len() && !self.is_over() {
            let simpler = match &self.deeds[place] {
                Deed::Visit(visited) => visited.simpler(),
                _ => Vec::new(),
            };
            let found = simpler.into_iter().any(|visited| {
                let mut shorter = self.deeds.clone();
                shorter[place] = Deed::Visit(visited);
                self.takes(&shorter)
            });
            place += usize::from(!found);
        }
    }

    /// Takes shorter keys and values, as long as the answer stays wrong.
    fn shorten_strings(&mut self) {
        let mut strings: Vec<Vec<u8>> = self
            .deeds
            .iter()
            .flat_map(Deed::strings)
            .filter(|text| !text.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        strings.sort();
        strings.dedup();
        for mut long in strings {
            loop {
                let len = long.len();
                let mut lens =
                    vec![0, 1, 2, 4, len / 2, len - len / 4, len - len / 16, len.saturating_sub(1)];
                lens.retain(|shorter| *shorter < len);
                let shorter = lens.into_iter().find(|shorter| {
                    let deeds: Vec<Deed> =
                        self.deeds.iter().map(|deed| deed.with(&long, &long[..*shorter])).collect();
                    self.takes(&deeds)
                });
                match shorter {
                    Some(shorter) => long.truncate(shorter),
                    None => break,
                }
            }
        }
    }
}
#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::sync::{Mutex, RwLock};

    use logladder_engine::{Durability, Engine, Iterate, Result, Stats, Visit};

    use super::*;
    use crate::deed::{Visited, VisitorEnd};

    type Pair = (Vec<u8>, Vec<u8>);

    /// Forgets a key when another of the same length is set.
    #[derive(Default)]
    struct Forgetful(Mutex<HashMap<usize, Pair>>);

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

    /// Visits what was there at the beginning, though it promises no such view; or keeps its lock while it visits.
    struct Visiting {
        keeps_its_lock: bool,
        map: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    }

    impl Visiting {
        fn boxed(keeps_its_lock: bool) -> Box<dyn Engine> {
            Box::new(Self { keeps_its_lock, map: RwLock::default() })
        }
    }

    impl Engine for Visiting {
        fn name(&self) -> &'static str {
            "visiting"
        }
        fn durability(&self) -> Durability {
            Durability::Never
        }
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
            Ok(self.map.read().unwrap().get(key).cloned())
        }
        fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
            self.map.write().unwrap().insert(key.to_vec(), value.to_vec());
            Ok(())
        }
        fn delete(&self, key: &[u8]) -> Result<()> {
            self.map.write().unwrap().remove(key);
            Ok(())
        }
        fn sync(&self) -> Result<()> {
            Ok(())
        }
        fn stats(&self) -> Result<Stats> {
            Ok(Stats::default())
        }
        fn as_iterate(&self) -> Option<&dyn Iterate> {
            Some(self)
        }
    }

    impl Iterate for Visiting {
        fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
            let lock = self.map.read().unwrap();
            let pairs: Vec<_> = lock.clone().into_iter().collect();
            let kept = self.keeps_its_lock.then_some(lock);
            for (key, value) in pairs {
                if visit(&key, &value).is_break() {
                    break;
                }
            }
            drop(kept);
            Ok(())
        }
    }

    fn key(number: usize) -> Vec<u8> {
        format!("key {number}").into_bytes()
    }

    fn told(shortest: &Shortest) -> Vec<String> {
        shortest.deeds.iter().flat_map(Deed::lines).collect()
    }

    /// Six keys, and a visitor that sets all of them when it is shown the third, and reads them at each other.
    fn visit_that_writes(end: VisitorEnd) -> Vec<Deed> {
        let mut deeds = vec![Deed::Open];
        deeds.extend((0..6).map(|number| Deed::Set(key(number), b"old value".to_vec())));
        let mut calls: Vec<Vec<Deed>> = (0..6).map(|_| (0..6).map(key).map(Deed::Get).collect()).collect();
        calls[2] = (0..6).map(|number| Deed::Set(key(number), b"new value".to_vec())).collect();
        deeds.extend([Deed::Visit(Visited { calls, end }), Deed::Sync]);
        deeds
    }

    #[test]
    fn of_a_long_sequence_the_four_calls_are_left_that_show_the_bug() {
        let open: OpenEngine = |_, _, _| Ok(Box::new(Forgetful::default()));
        let mut deeds = vec![Deed::Open];
        for number in 10..60 {
            deeds.push(Deed::Set(key(number), b"some value".to_vec()));
            deeds.push(Deed::Get(key(number)));
        }
        deeds.push(Deed::Get(key(17)));
        let shortest = shortest(open, &deeds).expect("a wrong answer");
        let told = told(&shortest);
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

    #[test]
    fn of_a_visitor_that_writes_the_one_write_is_left_that_shows_the_bug() {
        let open: OpenEngine = |_, _, _| Ok(Visiting::boxed(false));
        let shortest = shortest(open, &visit_that_writes(VisitorEnd::Through)).expect("a wrong answer");
        let told = told(&shortest);
        // Two keys: at the first, the second is set.
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told[3] == "for_each" && told[4].starts_with("  at key 1: set "), "{told:?}");
        assert_eq!(shortest.difference.kind, Kind::Answer);
    }

    #[test]
    fn a_visitor_that_waits_for_ever_is_shown_with_the_call_that_it_waits_for() {
        let open: OpenEngine = |_, _, _| Ok(Visiting::boxed(true));
        let shortest = shortest(open, &visit_that_writes(VisitorEnd::Stops)).expect("no answer");
        let told = told(&shortest);
        assert_eq!(shortest.difference.kind, Kind::Stuck);
        assert_eq!(told, ["open", "set \"\" = \"\"", "for_each", "  at key 1: set \"\" = \"\""]);
    }

    #[test]
    fn a_long_value_becomes_as_short_as_shows_the_bug() {
        /// Keeps sixteen bits of a length.
        struct Short(Forgetful);
        impl Engine for Short {
            fn name(&self) -> &'static str {
                "short"
            }
            fn durability(&self) -> Durability {
                Durability::Never
            }
            fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
                self.0.get(key)
            }
            fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
                self.0.set(key, &value[..value.len() % (1 << 16)])
            }
            fn delete(&self, key: &[u8]) -> Result<()> {
                self.0.delete(key)
            }
            fn sync(&self) -> Result<()> {
                Ok(())
            }
            fn stats(&self) -> Result<Stats> {
                Ok(Stats::default())
            }
        }
        let open: OpenEngine = |_, _, _| Ok(Box::new(Short(Forgetful::default())));
        let deeds = [Deed::Open, Deed::Set(key(1), vec![b'v'; 1 << 20]), Deed::Get(key(1))];
        let shortest = shortest(open, &deeds).expect("a wrong answer");
        let Some(Deed::Set(_, value)) = shortest.deeds.get(1) else { panic!("{:?}", told(&shortest)) };
        assert_eq!(value.len(), 1 << 16);
    }
}
