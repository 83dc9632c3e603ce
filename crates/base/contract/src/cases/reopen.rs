//! What is there when a store is opened again.

use logladder_engine::Durability;

use crate::Bench;
use crate::samples::{noise, odd_strings};

pub(crate) fn a_closed_store_has_everything_when_it_is_opened_again(bench: &Bench) {
    let store = bench.open();
    for number in 0..50 {
        store.set(format!("key {number}"), format!("value {number}"));
    }
    let store = bench.reopen(store);
    for number in 0..50 {
        store.holds(format!("key {number}"), format!("value {number}"));
    }
    assert_eq!(store.stats().live_keys, 50);
}

pub(crate) fn a_store_that_is_only_dropped_has_everything(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    store.set("gone", "value");
    store.delete("gone");
    drop(store);
    let store = bench.open();
    store.holds("key", "value");
    store.lacks("gone");
}

pub(crate) fn a_synced_store_that_is_only_dropped_has_everything(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    store.set("gone", "value");
    store.sync();
    store.delete("gone");
    store.sync();
    drop(store);
    let store = bench.open();
    store.holds("key", "value");
    store.lacks("gone");
}

pub(crate) fn a_deleted_key_stays_deleted(bench: &Bench) {
    let store = bench.open();
    for round in 0..3 {
        store.set("key", format!("value {round}"));
    }
    store.set("other", "value");
    store.delete("key");
    let store = bench.reopen(store);
    store.lacks("key");
    let store = bench.reopen(store);
    store.lacks("key");
    store.holds("other", "value");
}

pub(crate) fn a_key_that_is_deleted_after_reopening_stays_deleted(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let store = bench.reopen(store);
    store.delete("key");
    let store = bench.reopen(store);
    store.lacks("key");
    store.set("key", "again");
    let store = bench.reopen(store);
    store.holds("key", "again");
}

pub(crate) fn an_overwritten_value_stays_overwritten(bench: &Bench) {
    let store = bench.open();
    store.set("key", "a rather long value");
    let store = bench.reopen(store);
    store.set("key", "short");
    let store = bench.reopen(store);
    store.holds("key", "short");
    store.set("key", "a value that is longer than both");
    let store = bench.reopen(store);
    store.holds("key", "a value that is longer than both");
}

pub(crate) fn every_opening_adds_to_the_one_before(bench: &Bench) {
    for round in 0..10 {
        let store = bench.open();
        for earlier in 0..round {
            store.holds(format!("key {earlier}"), format!("value {earlier}"));
        }
        store.set(format!("key {round}"), format!("value {round}"));
        store.set("round", round.to_string());
        store.close();
    }
    let store = bench.open();
    store.holds("round", "9");
    assert_eq!(store.stats().live_keys, 11);
}

pub(crate) fn an_empty_store_opens_again(bench: &Bench) {
    let store = bench.open();
    let store = bench.reopen(store);
    let store = bench.reopen(store);
    assert_eq!(store.stats().live_keys, 0);
    store.set("key", "value");
    store.holds("key", "value");
}

pub(crate) fn a_store_of_deletes_alone_opens_again(bench: &Bench) {
    let store = bench.open();
    store.delete("absent");
    store.set("key", "value");
    store.delete("key");
    let store = bench.reopen(store);
    store.lacks("key");
    store.lacks("absent");
    assert_eq!(store.stats().live_keys, 0);
}

pub(crate) fn odd_keys_and_values_come_back(bench: &Bench) {
    let strings = odd_strings();
    let store = bench.open();
    for (number, string) in strings.iter().enumerate() {
        store.set(string, &strings[strings.len() - 1 - number]);
    }
    let store = bench.reopen(store);
    for (number, string) in strings.iter().enumerate() {
        store.holds(string, &strings[strings.len() - 1 - number]);
    }
    assert_eq!(store.stats().live_keys, strings.len() as u64);
    if store.engine().as_iterate().is_some() {
        assert!(store.contents().into_keys().eq(strings), "a visitor sees each of them after reopening");
    }
}

pub(crate) fn long_keys_and_values_come_back(bench: &Bench) {
    let (key, value) = (noise(65_535, 7), noise(1 << 20, 8));
    let store = bench.open();
    store.set(&key, "value");
    store.set("key", &value);
    store.set("last", "value");
    let store = bench.reopen(store);
    store.holds(&key, "value");
    store.holds("key", &value);
    store.holds("last", "value");
}

pub(crate) fn counts_are_the_same_after_reopening(bench: &Bench) {
    let store = bench.open();
    for number in 0..20 {
        store.set(format!("key {}", number % 15), format!("value {number}"));
    }
    store.delete("key 3");
    let before = store.stats();
    let store = bench.reopen(store);
    let after = store.stats();
    assert_eq!((before.live_keys, before.live_bytes), (after.live_keys, after.live_bytes));
}

pub(crate) fn a_clean_store_needs_no_repair(bench: &Bench) {
    let store = bench.open();
    assert_eq!(store.engine().repairs(), []);
    store.set("key", "value");
    store.delete("key");
    let store = bench.reopen(store);
    assert_eq!(store.engine().repairs(), []);
}

pub(crate) fn syncing_twice_is_syncing_once(bench: &Bench) {
    let store = bench.open();
    store.sync();
    store.set("key", "value");
    store.sync();
    store.sync();
    store.holds("key", "value");
    drop(store);
    let store = bench.open();
    store.sync();
    store.holds("key", "value");
}

pub(crate) fn a_store_without_durability_comes_back_empty(bench: &Bench) {
    let store = bench.open();
    assert_eq!(store.engine().durability(), Durability::Never);
    store.set("key", "value");
    store.sync();
    let store = bench.reopen(store);
    store.lacks("key");
    assert_eq!(store.stats().live_keys, 0);
}

pub(crate) fn two_openings_of_a_store_without_files_share_nothing(bench: &Bench) {
    let (one, other) = (bench.open(), bench.open());
    one.set("key", "value");
    other.lacks("key");
}
