//! Every byte string survives the way to JSON and back, whatever it looks like.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use logladder_json::{decode, decode_name, encode, encode_name};
use proptest::prelude::*;
use serde_json::Value;

fn json(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(bytes, &mut out);
    out
}

fn name(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    encode_name(bytes, &mut out);
    String::from_utf8(out).unwrap()
}

/// What must hold of the JSON of any byte string.
fn check(bytes: &[u8]) {
    let text = json(bytes);
    assert_eq!(decode(&text).unwrap(), bytes, "{}", text.escape_ascii());
    assert!(!text.contains(&b'\n'), "a value must fit on a line: {}", text.escape_ascii());
    assert!(text.iter().all(|&byte| byte != 0), "zeros are what a lost write leaves");
    serde_json::from_slice::<serde::de::IgnoredAny>(&text).unwrap();
    // Another program that reads and rewrites the text does not change what it stands for. Values in
    // memory are built up to 127 levels, and the text is one level deeper where it stands in a file.
    if let Ok(value) = serde_json::from_slice::<Value>(&text) {
        let rewritten = serde_json::to_vec_pretty(&value).unwrap();
        let again = decode(&rewritten).unwrap();
        if again != bytes {
            // Only the order of members may differ: this reader sorts them.
            assert_eq!(
                serde_json::from_slice::<Value>(&again).unwrap(),
                serde_json::from_slice::<Value>(bytes).unwrap()
            );
        }
    }

    let name: String = serde_json::from_str(&name(bytes)).unwrap();
    assert_eq!(decode_name(&name).unwrap(), bytes);
}

/// Pieces that JSON and the wrapper are made of, in any order: mostly broken, sometimes not.
fn look_alike() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\\",
        b" ",
        b"\n",
        b"$base64",
        b"{\"$base64\":",
        b"\"$base64\":",
        b"$base64:",
        b"\"AA==\"",
        b"/wA=",
        b"1",
        b"-0",
        b"1.0",
        b"1e5",
        b"0.1",
        b"18446744073709551616",
        b"null",
        b"true",
        b"\"a\"",
        b"\"a\":",
        b"\\u0041",
        b"\\n",
        b"\\ud800",
        b"\xff",
        b"\xc3\xbc",
        b"\0",
        b"\x7f",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

/// Any JSON value, with numbers of the kind `float` among others.
fn any_json(float: impl Strategy<Value = f64> + 'static) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        float.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from("AA==")),
    ];
    let member = prop_oneof![any::<String>(), Just("$base64".to_owned()), "[a-c]"];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((member.clone(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check(&bytes);
    }

    #[test]
    fn random_text_survives(text in any::<String>()) {
        check(text.as_bytes());
    }

    #[test]
    fn json_survives_compact_and_pretty(value in any_json(any::<f64>())) {
        check(&serde_json::to_vec(&value).unwrap());
        check(&serde_json::to_vec_pretty(&value).unwrap());
    }

    #[test]
    fn compact_json_stands_as_it_is(value in any_json(0.001..1e9)) {
        let text = serde_json::to_vec(&value).unwrap();
        let is_container = value.is_array() || value.is_object();
        if is_container && !text.starts_with(br#"{"$base64":"#) {
            prop_assert_eq!(json(&text), text);
        }
    }

    #[test]
    fn look_alikes_survive(bytes in look_alike()) {
        check(&bytes);
    }

    #[test]
    fn what_is_written_looks_like_nothing_else(bytes in look_alike()) {
        // The text of a byte string, and the text of that, are byte strings too.
        let once = json(&bytes);
        check(&once);
        check(&json(&once));
        check(name(&bytes).as_bytes());
    }

    #[test]
    fn foreign_text_keeps_its_meaning_when_it_is_written_again(text in look_alike()) {
        if let Ok(bytes) = decode(&text) {
            let again = json(&bytes);
            prop_assert_eq!(decode(&again).unwrap(), bytes);
        }
    }
}

#[test]
fn every_single_byte_and_every_pair_survives() {
    check(b"");
    for first in 0..=255_u8 {
        check(&[first]);
        for second in 0..=255_u8 {
            check(&[first, second]);
        }
    }
}

#[test]
fn deep_nesting_survives() {
    for levels in [1, 126, 127, 128, 129, 100_000] {
        check(("[".repeat(levels) + &"]".repeat(levels)).as_bytes());
        check(("{\"a\":".repeat(levels) + "1" + &"}".repeat(levels)).as_bytes());
        check("[".repeat(levels).as_bytes());
    }
}
