//! Visits that show the store as it was when they began, whatever is written meanwhile.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::thread;

use super::moments::{self, Writer};
use super::threads::join_all;
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

/// Visits while a writer goes on. `check` judges the rounds in which the keys were written that a visit showed.
#[track_caller]
fn visits_during(bench: &Bench, write: fn(&Store, u64), check: fn(&[u64])) {
    let store = bench.open();
    for number in 0..12 {
        // So that a visit takes its time.
        store.set(format!("steady {number}"), noise(500, 5));
    }
    write(&store, 0);
    let keys = store.contents().len();
    let writer = Writer::default();
    thread::scope(|scope| {
        let (store, writer) = (&store, &writer);
        let writing = scope.spawn(move || writer.write(store, write));
        let visiting = scope.spawn(move || {
            writer.look(bench.many(60, 15), |_| {
                let contents = store.contents();
                check(&moments::rounds(|key| contents.get(key.as_bytes()).cloned()));
                assert_eq!(contents.len(), keys);
            });
        });
        join_all([visiting, writing]);
    });
}

pub(crate) fn a_consistent_visit_is_of_one_moment_of_single_writes(bench: &Bench) {
    visits_during(bench, moments::write_in_turn, moments::are_of_one_moment);
}

pub(crate) fn a_consistent_visit_shows_batches_whole(bench: &Bench) {
    visits_during(bench, moments::write_at_once, moments::are_of_one_batch);
}
