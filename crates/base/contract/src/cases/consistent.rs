//! Visits that show the store as it was when they began, whatever is written meanwhile.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::threads::{Ends, join_all};
use crate::samples::noise;
use crate::{Bench, Store};

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

fn key(number: usize) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

fn store_of_ten(bench: &Bench) -> (Store, Contents) {
    let store = bench.open();
    for number in 0..10 {
        store.set(key(number), format!("value {number}"));
    }
    let contents = store.contents();
    assert_eq!(contents.len(), 10);
    (store, contents)
}

/// Visits, calls `disturb` after the first key, and gives what was shown in all.
#[track_caller]
fn shown_while(store: &Store, disturb: impl Fn()) -> Contents {
    let mut shown = Contents::new();
    store.for_each(&mut |key, value| {
        assert!(shown.insert(key.to_vec(), value.to_vec()).is_none(), "each key is shown once");
        if shown.len() == 1 {
            disturb();
        }
        ControlFlow::Continue(())
    });
    shown
}

pub(crate) fn a_consistent_visit_shows_the_values_of_its_beginning(bench: &Bench) {
    let (store, before) = store_of_ten(bench);
    let shown = shown_while(&store, || {
        for number in 0..10 {
            store.set(key(number), "new");
        }
        store.set("added", "new");
    });
    assert_eq!(shown, before);
    assert_eq!(store.contents().len(), 11);
    assert!(store.contents().values().all(|value| value == b"new"));
}

pub(crate) fn a_consistent_visit_shows_what_was_deleted_since(bench: &Bench) {
    let (store, before) = store_of_ten(bench);
    let shown = shown_while(&store, || {
        for number in 0..10 {
            store.delete(key(number));
        }
        store.set(key(3), "again");
    });
    assert_eq!(shown, before);
    assert_eq!(store.contents(), Contents::from([(key(3), b"again".to_vec())]));
}

/// What the visit has yet to show is dead by then, and compaction would take it.
pub(crate) fn a_consistent_visit_keeps_what_compaction_would_take(bench: &Bench) {
    let (store, before) = store_of_ten(bench);
    let shown = shown_while(&store, || {
        for round in 0..5 {
            for number in 0..10 {
                store.set(key(number), noise(100, round));
            }
            store.compact();
        }
        store.delete(key(0));
        store.compact();
    });
    assert_eq!(shown, before);
    assert_eq!(store.contents().len(), 9);
}

/// The visitor goes on while a writer changes everything. `check` judges what a visit showed of the keys.
#[track_caller]
fn visits_during(bench: &Bench, write: impl Fn(&Store, u64) + Sync, check: impl Fn(&[u64]) + Sync) {
    let store = bench.open();
    for number in 0..KEYS {
        store.set(key(number), "0");
        // Between them, so that a visit takes its time.
        store.set(format!("steady {number}"), noise(500, 5));
    }
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let (store, ended, write, check) = (&store, &ended, &write, &check);
        let writer = scope.spawn(move || {
            let mut round = 0;
            while !ended.load(Ordering::Acquire) {
                round += 1;
                write(store, round);
            }
        });
        let visitor = scope.spawn(move || {
            let _ends = Ends(ended);
            for _ in 0..bench.many(30, 15) {
                let contents = store.contents();
                let numbers = (0..KEYS).map(|number| {
                    let text = contents.get(&key(number)).map(|value| String::from_utf8_lossy(value));
                    let Some(Ok(round)) = text.map(|text| text.parse::<u64>()) else {
                        panic!("a visit does not show key {number}")
                    };
                    round
                });
                check(&numbers.collect::<Vec<u64>>());
                assert_eq!(contents.len(), 2 * KEYS);
            }
        });
        join_all([visitor, writer]);
    });
}

/// So many keys are written all the time.
const KEYS: usize = 12;

pub(crate) fn a_consistent_visit_is_of_one_moment_of_single_writes(bench: &Bench) {
    let write = |store: &Store, round: u64| {
        for number in 0..KEYS {
            store.set(key(number), round.to_string());
        }
    };
    visits_during(bench, write, |rounds| {
        // The keys are written in turn: at any moment the first ones are ahead of the others by one.
        let in_turn = rounds.is_sorted_by(|earlier, later| earlier >= later);
        assert!(in_turn && rounds[0] - rounds[KEYS - 1] <= 1, "{rounds:?} were never there at once");
    });
}

pub(crate) fn a_consistent_visit_shows_batches_whole(bench: &Bench) {
    let write = |store: &Store, round: u64| {
        store.write_all(|batch| {
            for number in 0..KEYS {
                batch.set(&key(number), round.to_string().as_bytes());
            }
        });
    };
    visits_during(bench, write, |rounds| {
        assert!(rounds.iter().all(|round| *round == rounds[0]), "{rounds:?} are of more than one batch");
    });
}
