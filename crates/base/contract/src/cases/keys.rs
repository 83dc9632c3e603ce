//! Which byte strings are keys: all of them, and each its own.

use logladder_engine::limits::MAX_KEY_LEN;
use logladder_engine::{Error, Result};

use crate::samples::{format_words, noise, not_text, paths};
use crate::{Bench, Store};

/// Sets each key to a value of its own, and then expects each to have it.
#[track_caller]
fn each_is_its_own_key(store: &Store, keys: &[Vec<u8>]) {
    for (number, key) in keys.iter().enumerate() {
        store.set(key, format!("value {number}"));
    }
    for (number, key) in keys.iter().enumerate() {
        store.holds(key, format!("value {number}"));
    }
    let stats = store.stats();
    assert_eq!(stats.live_keys, keys.len() as u64, "so many keys are live");
}

pub(crate) fn the_empty_key_is_a_key(bench: &Bench) {
    let store = bench.open();
    store.lacks("");
    store.set("", "value");
    store.holds("", "value");
    store.delete("");
    store.lacks("");
}

pub(crate) fn every_single_byte_is_a_key(bench: &Bench) {
    let keys: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
    each_is_its_own_key(&bench.open(), &keys);
}

pub(crate) fn a_key_may_hold_every_byte(bench: &Bench) {
    let store = bench.open();
    let key: Vec<u8> = (0..=u8::MAX).collect();
    store.set(&key, "forwards");
    let backwards: Vec<u8> = (0..=u8::MAX).rev().collect();
    store.lacks(&backwards);
    store.set(&backwards, "backwards");
    store.holds(&key, "forwards");
    store.holds(&backwards, "backwards");
}

pub(crate) fn keys_that_look_like_paths_are_only_keys(bench: &Bench) {
    let store = bench.open();
    each_is_its_own_key(&store, &paths());
    // Nothing was written anywhere but in the store's folder.
    let around = bench.disk().list(&bench.beside("")).unwrap_or_default();
    assert!(around.iter().all(|entry| entry.name == "store"), "beside the store there is now: {around:?}");
}

pub(crate) fn keys_that_look_like_the_format_are_only_keys(bench: &Bench) {
    each_is_its_own_key(&bench.open(), &format_words());
}

pub(crate) fn keys_need_not_be_text(bench: &Bench) {
    each_is_its_own_key(&bench.open(), &not_text());
}

pub(crate) fn keys_that_differ_in_case_are_two_keys(bench: &Bench) {
    let keys = ["key", "Key", "KEY", "kEY", "stra\u{DF}e", "STRASSE", "\u{131}", "I", "i"];
    each_is_its_own_key(&bench.open(), &keys.map(|key| key.as_bytes().to_vec()));
}

pub(crate) fn keys_that_differ_in_unicode_normalisation_are_two_keys(bench: &Bench) {
    // é as one character and as two; Å as a letter and as a unit; a ligature and its letters.
    let keys = ["\u{E9}", "e\u{301}", "\u{C5}", "\u{212B}", "A\u{30A}", "\u{FB01}", "fi"];
    each_is_its_own_key(&bench.open(), &keys.map(|key| key.as_bytes().to_vec()));
}

pub(crate) fn a_key_that_begins_another_is_its_own_key(bench: &Bench) {
    let keys: Vec<Vec<u8>> = (0..=20).map(|len| vec![b'a'; len]).collect();
    let store = bench.open();
    each_is_its_own_key(&store, &keys);
    store.delete(&keys[7]);
    store.lacks(&keys[7]);
    store.holds(&keys[6], "value 6");
    store.holds(&keys[8], "value 8");
}

pub(crate) fn the_border_between_key_and_value_is_kept(bench: &Bench) {
    let store = bench.open();
    store.set("ab", "c");
    store.set("a", "bc");
    store.set("abc", "");
    store.set("", "abc");
    store.holds("ab", "c");
    store.holds("a", "bc");
    store.holds("abc", "");
    store.holds("", "abc");
}

pub(crate) fn keys_with_newlines_are_kept(bench: &Bench) {
    let keys = ["\n", "\r", "\r\n", "a\n", "\na", "a\nb", "a\r\nb", "a\u{2028}b"];
    each_is_its_own_key(&bench.open(), &keys.map(|key| key.as_bytes().to_vec()));
}

pub(crate) fn json_keys_are_told_apart_by_their_bytes(bench: &Bench) {
    let keys =
        [r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, r#"{"a": 1,"b":2}"#, r#"{"a":1.0,"b":2}"#, "1", "1.0"];
    each_is_its_own_key(&bench.open(), &keys.map(|key| key.as_bytes().to_vec()));
}

/// File systems allow some 255 bytes in a name, and encodings make two bytes of one.
pub(crate) fn keys_longer_than_a_file_name_are_told_apart(bench: &Bench) {
    let store = bench.open();
    let lengths =
        [100, 119, 120, 121, 126, 127, 128, 158, 159, 160, 199, 200, 239, 240, 250, 254, 255, 256, 257];
    let keys: Vec<Vec<u8>> = lengths
        .into_iter()
        .chain([500, 1_000, 4_096])
        .flat_map(|len| [b'x', b'y'].map(|last| [vec![b'k'; len - 1], vec![last]].concat()))
        .collect();
    each_is_its_own_key(&store, &keys);
}

pub(crate) fn the_longest_key_is_a_key(bench: &Bench) {
    let store = bench.open();
    let key = noise(MAX_KEY_LEN, 1);
    let mut other = key.clone();
    other[MAX_KEY_LEN - 1] ^= 1;
    store.set(&key, "value");
    store.holds(&key, "value");
    store.lacks(&other);
    store.set(&key, "");
    store.holds(&key, "");
    store.delete(&key);
    store.lacks(&key);
}

pub(crate) fn a_key_over_the_limit_is_refused_and_nothing_changes(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let long = vec![b'k'; MAX_KEY_LEN + 1];
    let engine = store.engine();
    refused("set", engine.set(&long, b"value"));
    refused("get", engine.get(&long));
    refused("get_into", engine.get_into(&long, &mut Vec::new()));
    refused("delete", engine.delete(&long));
    store.holds("key", "value");
    // The caller's mistake is not the disk's: the store takes writes as before.
    store.set("key", "another");
    store.holds("key", "another");
    assert_eq!(store.stats().live_keys, 1);
}

#[track_caller]
fn refused<T>(what: &str, outcome: Result<T>) {
    match outcome {
        Ok(_) => panic!("{what} took a key of 65,536 bytes"),
        Err(Error::TooLarge { len: 65_536, limit: 65_535, .. }) => {}
        Err(error) => panic!("{what} refused it with another error than TooLarge: {error}"),
    }
}
