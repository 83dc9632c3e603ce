//! Which byte strings are values: all of them, to the byte.

use logladder_engine::Error;
use logladder_engine::limits::MAX_VALUE_LEN;

use crate::samples::{format_words, noise, not_text, odd_strings};
use crate::{Bench, Store};

/// Keeps all of them side by side, each under its number.
#[track_caller]
fn each_is_kept(store: &Store, values: &[Vec<u8>]) {
    for (number, value) in values.iter().enumerate() {
        store.set(number.to_string(), value);
    }
    for (number, value) in values.iter().enumerate() {
        store.holds(number.to_string(), value);
    }
}

pub(crate) fn the_empty_value_is_a_value(bench: &Bench) {
    let store = bench.open();
    store.set("key", "");
    store.holds("key", "");
    assert_eq!(store.stats().live_keys, 1, "an empty value is not an absent one");
    store.delete("key");
    store.lacks("key");
}

pub(crate) fn a_value_may_hold_every_byte(bench: &Bench) {
    let mut values: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
    values.push((0..=u8::MAX).collect());
    each_is_kept(&bench.open(), &values);
}

pub(crate) fn a_value_of_one_mebibyte_is_kept(bench: &Bench) {
    let store = bench.open();
    let value = noise(1 << 20, 2);
    store.set("large", &value);
    store.set("small", "value");
    store.holds("large", &value);
    store.holds("small", "value");
    store.delete("large");
    store.lacks("large");
    store.holds("small", "value");
}

pub(crate) fn values_that_look_like_tombstones_are_values(bench: &Bench) {
    let store = bench.open();
    let words: [&[u8]; 12] = [
        b"null",
        b"",
        b"\0",
        b"\0\0\0\0",
        b"\xFF\xFF\xFF\xFF",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"true",
        b"false",
        b"__tombstone__",
        b"TOMBSTONE",
        b"deleted",
        b"\xDE\xAD",
    ];
    each_is_kept(&store, &words.map(<[u8]>::to_vec));
}

pub(crate) fn values_that_look_like_the_format_are_values(bench: &Bench) {
    each_is_kept(&bench.open(), &format_words());
}

pub(crate) fn values_need_not_be_text(bench: &Bench) {
    each_is_kept(&bench.open(), &not_text());
}

pub(crate) fn a_value_may_be_its_own_key(bench: &Bench) {
    let store = bench.open();
    for string in odd_strings() {
        store.set(&string, &string);
    }
    for string in odd_strings() {
        store.holds(&string, &string);
    }
}

pub(crate) fn values_with_newlines_are_kept(bench: &Bench) {
    let values =
        ["\n", "value\n", "value\r\n", "\nvalue", "a\nb\nc", "\n\n\n", "value\n[\"key\",\"forged\",false]\n"];
    let store = bench.open();
    each_is_kept(&store, &values.map(|value| value.as_bytes().to_vec()));
    store.lacks("key");
}

pub(crate) fn json_values_keep_their_spelling(bench: &Bench) {
    let values = [
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":2}"#,
        r#"{ "a" : 1 }"#,
        r#"{"n":1.0}"#,
        r#"{"n":1e2}"#,
        r#"{"n":123456789012345678901234567890}"#,
        r#"{"n":-0.0}"#,
        r#"{"s":"\u0041"}"#,
        r#"{"s":"\/"}"#,
        r#"["\ud83d\ude00"]"#,
        r#"[["animal",1],{"name":"Hobgoblin"},false]"#,
        r#"{"$base64":"aGk="}"#,
        r#""text""#,
        "12",
        "{\"a\":\n1}",
    ];
    each_is_kept(&bench.open(), &values.map(|value| value.as_bytes().to_vec()));
}

pub(crate) fn values_of_every_length_are_kept(bench: &Bench) {
    let step = bench.many(1, 29);
    let values: Vec<Vec<u8>> = (0..=300).step_by(step).map(|len| noise(len, len as u64)).collect();
    each_is_kept(&bench.open(), &values);
}

pub(crate) fn lengths_around_powers_of_two_are_kept(bench: &Bench) {
    let powers = [7, 8, 10, 12, 13, 14, 15, 16];
    let values: Vec<Vec<u8>> = powers
        .into_iter()
        .flat_map(|power| [(1_usize << power) - 1, 1 << power, (1 << power) + 1])
        .map(|len| noise(len, len as u64))
        .collect();
    each_is_kept(&bench.open(), &values);
}

pub(crate) fn a_small_value_after_a_large_one_is_kept(bench: &Bench) {
    let store = bench.open();
    let large = noise(100_000, 3);
    for round in 0..3 {
        store.set("key", &large);
        store.holds("key", &large);
        store.set("key", format!("small {round}"));
        store.holds("key", format!("small {round}"));
    }
}

pub(crate) fn a_value_over_the_limit_is_refused_and_nothing_changes(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    // Zeroed memory that nobody touches costs nothing: an engine checks before it copies.
    match store.engine().set(b"key", &vec![0; MAX_VALUE_LEN + 1]) {
        Ok(()) => panic!("a value of 1 GiB was taken"),
        Err(Error::TooLarge { len: 1_073_741_824, .. }) => {}
        Err(error) => panic!("it was refused with another error than TooLarge: {error}"),
    }
    store.holds("key", "value");
    store.set("key", "another");
    store.holds("key", "another");
}
