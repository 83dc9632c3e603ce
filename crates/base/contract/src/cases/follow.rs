//! Programs that follow a store by its changes, and end with what it holds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use logladder_engine::{Error, Position};

use super::threads::{Ends, join_all};
use crate::samples::{Numbers, noise, odd_strings};
use crate::{Bench, MadeChange, Store};

/// One that keeps a map up to date by the changes of a store, as a program in another place would.
#[derive(Debug)]
struct Follower {
    place: Position,
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How often it came too late and had to begin again.
    restarts: usize,
}

impl Follower {
    fn of_an_empty(store: &Store) -> Self {
        Self { place: store.position(), map: BTreeMap::new(), restarts: 0 }
    }

    /// Takes in every change up to now. If some are gone, reads the whole store, as the error advises.
    #[track_caller]
    fn follow(&mut self, store: &Store, keys: &[Vec<u8>]) {
        match store.try_changes(self.place) {
            Ok(changes) => {
                for change in changes {
                    self.place = change.next;
                    match change.value {
                        Some(value) => self.map.insert(change.key, value),
                        None => self.map.remove(&change.key),
                    };
                }
            }
            Err(Error::Compacted { earliest }) => {
                assert!(
                    earliest.sequence > self.place.sequence,
                    "{} is called compacted, and the log goes back to {earliest}",
                    self.place
                );
                self.restarts += 1;
                self.place = store.position();
                self.map =
                    keys.iter().filter_map(|key| store.get(key).map(|value| (key.clone(), value))).collect();
            }
            Err(error) => panic!("changes since {} failed: {error}", self.place),
        }
    }
}

pub(crate) fn all_changes_applied_to_a_map_give_the_store(bench: &Bench) {
    let store = bench.open();
    let mut follower = Follower::of_an_empty(&store);
    let mut keys = odd_strings();
    keys.push(noise(60_000, 4));
    let mut numbers = Numbers::new(21);
    for round in 0..bench.many(1_500, 200) {
        let key = &keys[numbers.below(keys.len())];
        match numbers.below(10) {
            0..3 => store.delete(key),
            3 => store.set(key, noise(numbers.below(9_000), round as u64)),
            _ => store.set(key, format!("value {round}")),
        }
        if numbers.below(50) == 0 {
            follower.follow(&store, &keys);
        }
    }
    follower.follow(&store, &keys);
    for key in &keys {
        store.shows(key, follower.map.get(key).map(Vec::as_slice));
    }
    assert_eq!(follower.map.len() as u64, store.stats().live_keys);
}

pub(crate) fn a_follower_of_a_store_that_compacts_ends_with_what_it_holds(bench: &Bench) {
    let mut store = bench.open();
    let mut follower = Follower::of_an_empty(&store);
    let mut numbers = Numbers::new(22);
    let keys: Vec<Vec<u8>> = (b'a'..b'm').map(|byte| vec![byte]).collect();
    for round in 0..bench.many(500, 80) {
        let key = &keys[numbers.below(keys.len())];
        match numbers.below(24) {
            0 => drop(store.compact()),
            1 => store = bench.reopen(store),
            2..5 => follower.follow(&store, &keys),
            5..10 => store.delete(key),
            _ => store.set(key, noise(numbers.below(60), round as u64)),
        }
    }
    follower.follow(&store, &keys);
    for key in &keys {
        store.shows(key, follower.map.get(key).map(Vec::as_slice));
    }
    assert!(follower.restarts < 40, "it came too late {} times", follower.restarts);
}

pub(crate) fn following_during_writes_loses_nothing(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    let (writers, rounds) = (3, bench.many(300, 30));
    let ended: Vec<AtomicBool> = (0..writers).map(|_| AtomicBool::new(false)).collect();
    let mut followed: Vec<MadeChange> = Vec::new();
    thread::scope(|scope| {
        let (store, ended, followed) = (&store, &ended, &mut followed);
        let reader = scope.spawn(move || {
            let mut place = start;
            loop {
                let was_last = ended.iter().all(|ended| ended.load(Ordering::Acquire));
                followed.extend(store.changes(place));
                place = followed.last().map_or(place, |change| change.next);
                if was_last {
                    break;
                }
            }
        });
        let writers = (0..writers).map(|writer| {
            scope.spawn(move || {
                let _ends = Ends(&ended[writer]);
                for round in 0..rounds {
                    store.set(format!("writer {writer}"), round.to_string());
                }
            })
        });
        let threads: Vec<_> = writers.collect();
        join_all(threads.into_iter().chain([reader]));
    });
    assert_eq!(followed.len(), writers * rounds, "each change is shown once");
    for writer in 0..writers {
        let key = format!("writer {writer}").into_bytes();
        let values = followed.iter().filter(|change| change.key == key).map(|change| change.value.clone());
        let expected = (0..rounds).map(|round| Some(round.to_string().into_bytes()));
        assert!(values.eq(expected), "the changes of one writer come in its order");
    }
    assert_eq!(followed, store.changes(start), "and all in one order");
}

pub(crate) fn a_place_taken_beside_writers_is_one_to_go_on_from(bench: &Bench) {
    let store = bench.open();
    let rounds = bench.many(3_000, 60);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let (store, ended) = (&store, &ended);
        let writer = scope.spawn(move || {
            let _ends = Ends(ended);
            for round in 0..rounds {
                store.set("key", round.to_string());
            }
        });
        let reader = scope.spawn(move || {
            let mut too_late = 0;
            loop {
                let was_last = ended.load(Ordering::Acquire);
                let place = store.position();
                let next = match store.try_changes(place) {
                    Ok(changes) => changes.first().map(|change| change.next.sequence),
                    // The store compacted between the two, as it may: it is to say so only of a place that is gone.
                    Err(Error::Compacted { earliest }) => {
                        assert!(
                            earliest.sequence > place.sequence,
                            "{place} is called compacted, and the log goes back to {earliest}"
                        );
                        too_late += 1;
                        assert!(too_late <= rounds, "no place can be gone on from");
                        continue;
                    }
                    Err(error) => panic!("changes since {place} failed: {error}"),
                };
                assert!(
                    next.is_none_or(|next| next == place.sequence + 1),
                    "the change behind {place} is {next:?}"
                );
                if was_last {
                    assert_eq!(next, None, "everything was acknowledged before {place} was taken");
                    break;
                }
            }
        });
        join_all([writer, reader]);
    });
}
