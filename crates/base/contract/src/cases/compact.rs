//! Compaction: it changes nothing but the space that the store takes.

use std::collections::BTreeMap;

use crate::samples::{Numbers, noise, odd_strings};
use crate::{Bench, Store};

/// Ten keys, each overwritten three times, every third one deleted.
fn store_with_garbage(bench: &Bench) -> Store {
    let store = bench.open();
    for round in 0..4 {
        for number in 0..10 {
            store.set(format!("key {number}"), format!("value {number} of round {round}"));
        }
    }
    for number in (0..10).step_by(3) {
        store.delete(format!("key {number}"));
    }
    store
}

#[track_caller]
fn is_as_it_was(store: &Store) {
    for number in 0..10 {
        let value = (number % 3 != 0).then(|| format!("value {number} of round 3"));
        store.shows(format!("key {number}").as_bytes(), value.as_deref().map(str::as_bytes));
    }
    assert_eq!(store.stats().live_keys, 6);
}

pub(crate) fn compaction_changes_no_value(bench: &Bench) {
    let store = store_with_garbage(bench);
    store.compact();
    is_as_it_was(&store);
    let store = bench.reopen(store);
    is_as_it_was(&store);
}

pub(crate) fn compaction_brings_no_deleted_key_back(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    store.compact();
    store.delete("key");
    store.compact();
    store.lacks("key");
    store.compact();
    let store = bench.reopen(store);
    store.lacks("key");
    store.compact();
    let store = bench.reopen(store);
    store.lacks("key");
}

pub(crate) fn an_empty_store_can_be_compacted(bench: &Bench) {
    let store = bench.open();
    store.compact();
    assert_eq!(store.stats().live_keys, 0);
    store.set("key", "value");
    let store = bench.reopen(store);
    store.holds("key", "value");
}

pub(crate) fn compacting_twice_is_compacting_once(bench: &Bench) {
    let store = store_with_garbage(bench);
    store.compact();
    let once = store.stats();
    store.compact();
    is_as_it_was(&store);
    assert!(store.stats().disk_bytes <= once.disk_bytes, "the second time took more space");
    let store = bench.reopen(store);
    is_as_it_was(&store);
}

pub(crate) fn a_store_of_deleted_keys_can_be_compacted(bench: &Bench) {
    let store = bench.open();
    for number in 0..10 {
        store.set(number.to_string(), "value");
    }
    for number in 0..10 {
        store.delete(number.to_string());
    }
    store.compact();
    assert_eq!(store.stats().live_keys, 0);
    let store = bench.reopen(store);
    assert_eq!(store.stats().live_keys, 0);
    store.lacks("3");
}

pub(crate) fn compaction_gives_space_back(bench: &Bench) {
    let store = bench.open();
    for round in 0..50 {
        store.set("key", noise(2_000, round));
    }
    store.sync();
    // The newest file may be one that is not compacted: a new opening ends it.
    let store = bench.reopen(store);
    let before = store.stats().disk_bytes;
    let compacted = store.compact();
    let after = store.stats().disk_bytes;
    let kept = bench.subject().versions_kept().unwrap_or(1).min(50);
    assert!(
        after < 18_000 + kept * 2_000,
        "of 50 values of 2,000 bytes {kept} are kept, and of {before} bytes {after} are left"
    );
    // Less than the difference if the engine compacts by itself as well, and was at it.
    assert!(compacted.bytes_reclaimed <= before - after, "it says that it gained more than it did");
    store.holds("key", noise(2_000, 49));
}

pub(crate) fn writes_after_a_compaction_are_kept(bench: &Bench) {
    let store = store_with_garbage(bench);
    store.compact();
    store.set("key 1", "after");
    store.delete("key 2");
    store.set("new", "after");
    let store = bench.reopen(store);
    store.holds("key 1", "after");
    store.lacks("key 2");
    store.holds("new", "after");
    store.holds("key 4", "value 4 of round 3");
}

pub(crate) fn odd_keys_and_values_survive_compaction(bench: &Bench) {
    let store = bench.open();
    for string in odd_strings() {
        store.set(&string, "old");
        store.set(&string, &string);
    }
    store.compact();
    for string in odd_strings() {
        store.holds(&string, &string);
    }
    let store = bench.reopen(store);
    for string in odd_strings() {
        store.holds(&string, &string);
    }
}

pub(crate) fn compactions_between_writes_end_as_in_a_map(bench: &Bench) {
    let mut store = bench.open();
    let mut numbers = Numbers::new(9);
    let mut expected: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for round in 0..bench.many(600, 100) {
        let key = vec![b'a' + numbers.byte() % 16];
        match numbers.below(20) {
            0 => {
                store.compact();
            }
            1 => store = bench.reopen(store),
            2..6 => {
                store.delete(&key);
                expected.remove(&key);
            }
            _ => {
                let value = noise(numbers.below(40), round as u64);
                store.set(&key, &value);
                expected.insert(key, value);
            }
        }
    }
    for key in (b'a'..b'a' + 16).map(|byte| vec![byte]) {
        store.shows(&key, expected.get(&key).map(Vec::as_slice));
    }
    assert_eq!(store.stats().live_keys, expected.len() as u64);
}
