//! [`Ledger`]: what a store must hold, by what was acknowledged.

use std::collections::BTreeMap;
use std::ops::Bound::Unbounded;
use std::ops::ControlFlow;

use logladder_contract::second_process;
use logladder_engine::{Direction, Engine, Ordered};
use logladder_sorted_log::SortedLog;

use super::steps::{Change, KEYS, key, step};

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a store must hold, by what was acknowledged.
///
/// Each writer waits for one step before it begins the next. So when it dies, one step at most is under way, and that
/// one is whole or absent. Which it is the next opening decides, once and for all.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
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
    pub(crate) fn new(seed: u64, writers: u64) -> Self {
        let next = (0..writers).map(|_| 0).collect();
        Self { seed, contents: Contents::new(), next, acknowledged: 0, taken: 0 }
    }

    /// The numbers with which the writers go on.
    pub(crate) fn next(&self) -> &[u64] {
        &self.next
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes in a line of the second process. Says whether it acknowledges a step: `done WRITER NUMBER`.
    pub(crate) fn hear(&mut self, line: &str) -> bool {
        let Some((writer, number)) = line.strip_prefix("done ").and_then(|rest| rest.split_once(' ')) else {
            return false;
        };
        let (writer, number) = (second_process::number(writer), second_process::number(number));
        let place = usize::try_from(writer).expect("a writer");
        assert_eq!(number, self.next[place], "a writer does one step after the other");
        self.next[place] += 1;
        self.acknowledged += 1;
        let changes = step(self.seed, writer, number);
        apply(&mut self.contents, changes);
        true
    }

    /// Checks that `store` holds what was acknowledged and nothing else, and of each step under way all or nothing.
    /// From then on that is what it must hold.
    pub(crate) fn settle(&mut self, store: &SortedLog, when: &str) {
        for writer in 0..self.next.len() as u64 {
            let place = usize::try_from(writer).expect("a writer");
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
    pub(crate) fn check(&self, store: &SortedLog, when: &str) {
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
        for direction in [Direction::Forward, Direction::Backward] {
            let mut shown = Vec::new();
            let scanned = store.scan((Unbounded, Unbounded), direction, &mut |key, value| {
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
    pub(crate) fn count(&self, store: &SortedLog, when: &str) {
        let live_keys = store.stats().expect("a store can be counted").live_keys;
        assert_eq!(live_keys, self.contents.len() as u64, "{when}: its keys are counted");
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

fn get(store: &SortedLog, key: &[u8], when: &str) -> Option<Vec<u8>> {
    store.get(key).unwrap_or_else(|error| panic!("{when}: {} cannot be read: {error}", key.escape_ascii()))
}

fn show(value: Option<&Vec<u8>>) -> String {
    // The beginning says which step wrote it.
    value.map_or("absent".into(), |value| format!("\"{}…\"", value[..value.len().min(20)].escape_ascii()))
}
