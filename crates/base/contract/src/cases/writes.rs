//! Overwriting and deleting: the last write of a key is the one that counts.

use std::collections::BTreeMap;

use crate::Bench;
use crate::samples::Numbers;

pub(crate) fn a_set_is_seen_by_the_next_get(bench: &Bench) {
    let store = bench.open();
    for number in 0..20 {
        store.set(format!("key {number}"), format!("value {number}"));
        store.holds(format!("key {number}"), format!("value {number}"));
    }
}

pub(crate) fn a_shorter_value_replaces_a_longer_one(bench: &Bench) {
    let store = bench.open();
    store.set("key", "a rather long value");
    store.set("key", "short");
    store.holds("key", "short");
    store.set("key", "");
    store.holds("key", "");
}

pub(crate) fn a_longer_value_replaces_a_shorter_one(bench: &Bench) {
    let store = bench.open();
    store.set("key", "");
    store.set("key", "short");
    store.set("key", "a rather long value");
    store.holds("key", "a rather long value");
}

pub(crate) fn setting_the_same_value_again_changes_nothing(bench: &Bench) {
    let store = bench.open();
    for _ in 0..5 {
        store.set("key", "value");
        store.holds("key", "value");
    }
    assert_eq!(store.stats().live_keys, 1);
}

/// An engine that takes an old copy of a value for the newest one fails here.
pub(crate) fn an_old_value_set_again_is_the_newest(bench: &Bench) {
    let store = bench.open();
    store.set("key", "first");
    store.set("key", "second");
    store.set("key", "first");
    store.holds("key", "first");
    store.delete("key");
    store.set("key", "second");
    store.holds("key", "second");
}

pub(crate) fn an_overwrite_leaves_other_keys_alone(bench: &Bench) {
    let store = bench.open();
    store.set("a", "1");
    store.set("b", "2");
    store.set("c", "3");
    store.set("b", "a rather long value");
    store.holds("a", "1");
    store.holds("b", "a rather long value");
    store.holds("c", "3");
}

pub(crate) fn a_deleted_key_has_no_value(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    store.delete("key");
    store.lacks("key");
}

pub(crate) fn deleting_an_absent_key_is_fine(bench: &Bench) {
    let store = bench.open();
    store.delete("absent");
    store.lacks("absent");
    store.set("key", "value");
    store.delete("absent");
    store.holds("key", "value");
    assert_eq!(store.stats().live_keys, 1);
}

pub(crate) fn deleting_twice_is_deleting_once(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    store.delete("key");
    store.delete("key");
    store.lacks("key");
    assert_eq!(store.stats().live_keys, 0);
}

pub(crate) fn a_deleted_key_can_be_set_again(bench: &Bench) {
    let store = bench.open();
    for round in 0..5 {
        store.set("key", format!("value {round}"));
        store.holds("key", format!("value {round}"));
        store.delete("key");
        store.lacks("key");
    }
    store.set("key", "last");
    store.holds("key", "last");
}

pub(crate) fn a_delete_removes_every_older_value(bench: &Bench) {
    let store = bench.open();
    for round in 0..10 {
        store.set("key", format!("value {round}"));
    }
    store.delete("key");
    store.lacks("key");
}

pub(crate) fn a_delete_leaves_other_keys_alone(bench: &Bench) {
    let store = bench.open();
    for number in 0..10 {
        store.set(format!("key {number}"), format!("value {number}"));
    }
    for number in (0..10).step_by(2) {
        store.delete(format!("key {number}"));
    }
    for number in 0..10 {
        let value = (number % 2 == 1).then(|| format!("value {number}"));
        store.shows(format!("key {number}").as_bytes(), value.as_deref().map(str::as_bytes));
    }
}

pub(crate) fn one_key_can_be_overwritten_many_times(bench: &Bench) {
    let store = bench.open();
    let rounds = bench.many(1_000, 100);
    for round in 0..rounds {
        store.set("key", format!("value {round}"));
    }
    store.holds("key", format!("value {}", rounds - 1));
    assert_eq!(store.stats().live_keys, 1);
}

pub(crate) fn many_keys_are_all_kept(bench: &Bench) {
    let store = bench.open();
    let keys = bench.many(2_000, 200);
    for number in 0..keys {
        store.set(format!("key {number}"), format!("value {number}"));
    }
    for number in (0..keys).rev() {
        store.holds(format!("key {number}"), format!("value {number}"));
    }
    store.lacks(format!("key {keys}"));
    assert_eq!(store.stats().live_keys, keys as u64);
}

pub(crate) fn a_long_mixture_of_writes_ends_as_in_a_map(bench: &Bench) {
    let store = bench.open();
    let mut numbers = Numbers::new(4);
    let mut expected = BTreeMap::new();
    for round in 0..bench.many(1_000, 150) {
        let key = format!("key {}", numbers.below(20));
        if numbers.below(3) == 0 {
            store.delete(&key);
            expected.remove(&key);
        } else {
            let value = format!("{round}").repeat(numbers.below(9));
            store.set(&key, &value);
            expected.insert(key, value);
        }
    }
    for key in (0..20).map(|number| format!("key {number}")) {
        store.shows(key.as_bytes(), expected.get(&key).map(String::as_bytes));
    }
    assert_eq!(store.stats().live_keys, expected.len() as u64);
}
