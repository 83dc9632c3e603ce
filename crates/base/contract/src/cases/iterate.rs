//! Visiting every key; and visitors that call the engine they visit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::samples::odd_strings;
use crate::{Bench, Store};

fn key(number: usize) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

fn store_of_ten(bench: &Bench) -> Store {
    let store = bench.open();
    for number in 0..10 {
        store.set(key(number), format!("value {number}"));
    }
    store
}

pub(crate) fn a_visitor_sees_nothing_in_an_empty_store(bench: &Bench) {
    let store = bench.open();
    assert_eq!(store.contents(), BTreeMap::new());
    store.set("key", "value");
    store.delete("key");
    assert_eq!(store.contents(), BTreeMap::new());
}

pub(crate) fn a_visitor_sees_each_key_once(bench: &Bench) {
    let store = bench.open();
    let mut expected = BTreeMap::new();
    for (number, string) in odd_strings().into_iter().enumerate() {
        let value = format!("value {number}").into_bytes();
        store.set(&string, &value);
        expected.insert(string, value);
    }
    assert_eq!(store.contents(), expected);
}

pub(crate) fn a_visitor_sees_the_newest_values_and_no_deleted_key(bench: &Bench) {
    let store = store_of_ten(bench);
    for number in 0..5 {
        store.set(key(number), "new");
    }
    for number in 3..7 {
        store.delete(key(number));
    }
    let expected: BTreeMap<Vec<u8>, Vec<u8>> = (0..3)
        .map(|number| (key(number), b"new".to_vec()))
        .chain((7..10).map(|number| (key(number), format!("value {number}").into_bytes())))
        .collect();
    assert_eq!(store.contents(), expected);
}

pub(crate) fn a_visitor_that_stops_is_called_no_more(bench: &Bench) {
    let store = store_of_ten(bench);
    for wanted in 1..=10 {
        let mut calls = 0;
        store.for_each(&mut |_, _| {
            calls += 1;
            if calls == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(calls, wanted);
    }
    assert_eq!(store.contents().len(), 10, "stopping is no error and leaves nothing behind");
}

pub(crate) fn a_visitor_may_read_the_store(bench: &Bench) {
    let store = store_of_ten(bench);
    let mut calls = 0;
    store.for_each(&mut |shown, value| {
        calls += 1;
        store.holds(shown, value);
        store.holds(key(calls - 1), format!("value {}", calls - 1));
        assert_eq!(store.stats().live_keys, 10);
        ControlFlow::Continue(())
    });
    assert_eq!(calls, 10);
}

pub(crate) fn a_visitor_may_overwrite_what_it_is_shown(bench: &Bench) {
    let store = store_of_ten(bench);
    let mut seen = BTreeSet::new();
    store.for_each(&mut |shown, value| {
        assert!(seen.insert(shown.to_vec()), "each key is shown once");
        assert_ne!(value, b"new", "and before it is overwritten");
        store.set(shown, "new");
        ControlFlow::Continue(())
    });
    assert_eq!(seen.len(), 10);
    assert!(store.contents().values().all(|value| value == b"new"));
}

pub(crate) fn a_visitor_is_not_shown_what_it_adds(bench: &Bench) {
    let store = store_of_ten(bench);
    let mut calls = 0;
    store.for_each(&mut |shown, _| {
        assert!(!shown.starts_with(b"added"), "a key that was added in the meantime is shown");
        store.set(format!("added {calls}"), "value");
        calls += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(calls, 10);
    assert_eq!(store.contents().len(), 20);
}

pub(crate) fn a_visitor_is_not_shown_what_it_has_deleted(bench: &Bench) {
    let store = store_of_ten(bench);
    let mut deleted: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut shown_keys = Vec::new();
    store.for_each(&mut |shown, _| {
        assert!(!deleted.contains(shown), "a key that was deleted in the meantime is shown");
        shown_keys.push(shown.to_vec());
        // Every other one that has not been shown.
        for number in 0..10 {
            if !shown_keys.contains(&key(number)) && number % 2 == 0 {
                store.delete(key(number));
                deleted.insert(key(number));
            }
        }
        ControlFlow::Continue(())
    });
    assert_eq!(shown_keys.len() + deleted.len(), 10);
    assert_eq!(store.contents().len(), shown_keys.len());
}

pub(crate) fn a_visitor_is_shown_the_value_of_the_moment(bench: &Bench) {
    let store = store_of_ten(bench);
    let mut calls = 0;
    store.for_each(&mut |_, value| {
        if calls == 0 {
            for number in 0..10 {
                store.set(key(number), "new");
            }
        } else {
            assert_eq!(value, b"new", "each has the value it has when it is shown");
        }
        calls += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(calls, 10);
}

pub(crate) fn a_visitor_may_start_another_visit(bench: &Bench) {
    let store = store_of_ten(bench);
    let mut pairs = 0;
    store.for_each(&mut |_, _| {
        store.for_each(&mut |_, _| {
            pairs += 1;
            ControlFlow::Continue(())
        });
        ControlFlow::Continue(())
    });
    assert_eq!(pairs, 100);
}

pub(crate) fn a_visitor_may_sync(bench: &Bench) {
    let store = store_of_ten(bench);
    store.for_each(&mut |_, _| {
        store.sync();
        ControlFlow::Continue(())
    });
}

pub(crate) fn a_visitor_may_compact(bench: &Bench) {
    let store = store_of_ten(bench);
    for number in 0..10 {
        store.set(key(number), format!("value {number}"));
    }
    let mut calls = 0;
    store.for_each(&mut |shown, value| {
        calls += 1;
        store.compact();
        store.holds(shown, value);
        ControlFlow::Continue(())
    });
    assert_eq!(calls, 10);
    assert_eq!(store.contents().len(), 10);
}

pub(crate) fn a_visitor_that_panics_leaves_the_store_usable(bench: &Bench) {
    let store = store_of_ten(bench);
    let visit = || store.for_each(&mut |_, _| panic!("on purpose, in a visitor"));
    assert!(catch_unwind(AssertUnwindSafe(visit)).is_err());
    store.holds(key(3), "value 3");
    store.set(key(3), "new");
    store.holds(key(3), "new");
    assert_eq!(store.contents().len(), 10);
}
