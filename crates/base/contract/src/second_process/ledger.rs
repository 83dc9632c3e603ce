//! [`Ledger`]: what a store must hold, by what was acknowledged.

use std::collections::BTreeMap;
use std::ops::Bound::Unbounded;
use std::ops::ControlFlow;

use logladder_engine::{Direction, Engine};

use super::draw::index;
use super::number;
use super::steps::{Change, KEYS, key, step};

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a store must hold, by what was acknowledged.
///
/// Each writer waits for one step before it begins the next. So when it dies, one step at most is under way, and that
/// one is whole or absent. Which it is the next opening decides, once and for all.
#[derive(Debug, Clone)]
pub struct Ledger {
    seed: u64,
    /// Each key that has a value.
    contents: Contents,
    /// The number of each writer's next step: the one that may be under way.
    next: Vec<u64>,
    /// How many steps were acknowledged.
    acknowledged: u64,
    /// How many that were under way are done.
    taken: u64,
}

impl Ledger {
    /// That of a new store, to which so many writers write what is drawn from `seed`.
    #[must_use]
    pub fn new(seed: u64, writers: u64) -> Self {
        let next = (0..writers).map(|_| 0).collect();
        Self { seed, contents: Contents::new(), next, acknowledged: 0, taken: 0 }
    }

    /// The numbers with which the writers go on.
    #[must_use]
    pub fn next(&self) -> &[u64] {
        &self.next
    }

    /// How many steps were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How many that were not are done all the same.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes in a line of the second process. Says whether it acknowledges a step: `done WRITER NUMBER`.
    pub fn hear(&mut self, line: &str) -> bool {
        let Some((writer, step_number)) = line.strip_prefix("done ").and_then(|rest| rest.split_once(' '))
        else {
            return false;
        };
        let (writer, step_number) = (number(writer), number(step_number));
        let place = index(writer);
        assert_eq!(step_number, self.next[place], "a writer does one step after the other");
        self.next[place] += 1;
        self.acknowledged += 1;
        let changes = step(self.seed, writer, step_number);
        apply(&mut self.contents, changes);
        true
    }

    /// Checks that `store` holds what was acknowledged and nothing else, and of each step under way all or nothing.
    /// From then on that is what it must hold.
    pub fn settle(&mut self, store: &dyn Engine, when: &str) {
        for writer in 0..self.next.len() as u64 {
            let place = index(writer);
            let changes = step(self.seed, writer, self.next[place]);
            let mut with_it = self.contents.clone();
            apply(&mut with_it, changes.clone());
            let holds = |contents: &Contents| {
                changes.iter().all(|(key, _)| get(store, key, when).as_ref() == contents.get(key))
            };
            if holds(&with_it) && !holds(&self.contents) {
                self.contents = with_it;
                self.taken += 1;
            }
            // Done or not, it is not begun again: its value must not turn up later.
            self.next[place] += 1;
        }
        self.check(store, when);
    }

    /// Checks that `store` holds exactly what it must.
    pub fn check(&self, store: &dyn Engine, when: &str) {
        for writer in 0..self.next.len() as u64 {
            for slot in 0..KEYS {
                let key = key(writer, slot);
                let (found, awaited) = (get(store, &key, when), self.contents.get(&key));
                assert!(
                    found.as_ref() == awaited,
                    "{when}: {} is {}, and must be {}; the writers' next steps are {:?}",
                    key.escape_ascii(),
                    show(found.as_ref()),
                    show(awaited),
                    self.next,
                );
            }
        }
        if let Some(iterate) = store.as_iterate() {
            let mut shown = Contents::new();
            let visited = iterate.for_each(&mut |key, value| {
                assert!(shown.insert(key.to_vec(), value.to_vec()).is_none(), "{when}: a key is shown twice");
                ControlFlow::Continue(())
            });
            assert!(
                visited.is_ok() && shown == self.contents,
                "{when}: a visit shows something else: {visited:?}"
            );
        }
        for direction in [Direction::Forward, Direction::Backward] {
            let Some(ordered) = store.as_ordered() else { break };
            let mut shown = Vec::new();
            let scanned = ordered.scan((Unbounded, Unbounded), direction, &mut |key, value| {
                shown.push((key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            });
            if direction == Direction::Backward {
                shown.reverse();
            }
            let is_right = shown.iter().map(|(key, value)| (key, value)).eq(&self.contents);
            assert!(
                scanned.is_ok() && is_right,
                "{when}: a scan {direction:?} shows something else: {scanned:?}"
            );
        }
    }

    /// Checks that `store` counts as many keys as it must hold.
    pub fn count(&self, store: &dyn Engine, when: &str) {
        let live_keys = store.stats().map(|stats| stats.live_keys);
        let is_right = live_keys.as_ref().is_ok_and(|&keys| keys == self.contents.len() as u64);
        assert!(is_right, "{when}: {live_keys:?} are counted, and there are {}", self.contents.len());
    }
}

fn apply(contents: &mut Contents, changes: Vec<Change>) {
    for (key, value) in changes {
        match value {
            Some(value) => contents.insert(key, value),
            None => contents.remove(&key),
        };
    }
}

fn get(store: &dyn Engine, key: &[u8], when: &str) -> Option<Vec<u8>> {
    store.get(key).unwrap_or_else(|error| panic!("{when}: {} cannot be read: {error}", key.escape_ascii()))
}

fn show(value: Option<&Vec<u8>>) -> String {
    // The beginning says which step wrote it.
    value.map_or("absent".into(), |value| format!("\"{}…\"", value[..value.len().min(20)].escape_ascii()))
}
