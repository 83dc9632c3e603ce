//! Typed documents: canonical keys, exact values, errors that say what does not fit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod map;

use std::collections::{BTreeMap, HashMap};

use logladder_engine::{Engine, Error};
use logladder_json::{DocumentError, Documents};
use map::Map;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Animal {
    name: String,
    description: String,
}

fn hobgoblin() -> Animal {
    Animal { name: "Hobgoblin".into(), description: "An unsightly little elf".into() }
}

#[test]
fn keys_that_differ_only_in_the_order_of_members_are_one_key() {
    #[derive(Serialize)]
    struct Forwards {
        a: u8,
        b: Inner,
    }
    #[derive(Serialize)]
    struct Inner {
        c: [u8; 2],
        d: u8,
    }
    #[derive(Serialize)]
    struct Backwards {
        b: BackwardsInner,
        a: u8,
    }
    #[derive(Serialize)]
    struct BackwardsInner {
        d: u8,
        c: [u8; 2],
    }

    let engine = Map::default();
    let documents = Documents::new(&engine);
    documents.set(&Forwards { a: 1, b: Inner { c: [2, 1], d: 4 } }, &1).unwrap();
    documents.set(&Backwards { b: BackwardsInner { d: 4, c: [2, 1] }, a: 1 }, &2).unwrap();
    assert_eq!(engine.get(br#"{"a":1,"b":{"c":[2,1],"d":4}}"#).unwrap().as_deref(), Some(&b"2"[..]));
    let key: HashMap<_, _> = [("b", json!({"d": 4, "c": [2, 1]})), ("a", json!(1))].into();
    assert_eq!(documents.get(&key).unwrap(), Some(2));
    documents.delete(&key).unwrap();
    assert_eq!(documents.get::<u8>(&json!({"b": {"c": [2, 1], "d": 4}, "a": 1})).unwrap(), None);
}

#[test]
fn a_value_keeps_the_order_of_its_fields() {
    let engine = Map::default();
    Documents::new(&engine).set(&("animal", 1), &hobgoblin()).unwrap();
    let stored = engine.get(br#"["animal",1]"#).unwrap().unwrap();
    assert_eq!(stored, br#"{"name":"Hobgoblin","description":"An unsightly little elf"}"#);
}

#[test]
fn any_engine_behind_a_reference_will_do() {
    let engine: Box<dyn Engine> = Box::new(Map::default());
    let documents = Documents::new(&*engine);
    documents.set("k", &hobgoblin()).unwrap();
    assert_eq!(documents.get("k").unwrap(), Some(hobgoblin()));
}

#[test]
fn a_string_is_stored_bare_unless_it_is_json_itself() {
    let engine = Map::default();
    let documents = Documents::new(&engine);
    documents.set("test-1", "value-1").unwrap();
    assert_eq!(engine.get(b"test-1").unwrap().as_deref(), Some(&b"value-1"[..]));
    documents.set(&5, &"five").unwrap();
    documents.set("5", &5).unwrap();
    assert_eq!(engine.get(b"5").unwrap().as_deref(), Some(&b"five"[..]));
    assert_eq!(engine.get(br#""5""#).unwrap().as_deref(), Some(&b"5"[..]));
    // And what was set without types is read as the string or the JSON that it is.
    engine.set(b"bare", b"some words").unwrap();
    assert_eq!(documents.get("bare").unwrap(), Some("some words".to_owned()));
    engine.set(b"bare", b" [1, 2]").unwrap();
    assert_eq!(documents.get("bare").unwrap(), Some(vec![1, 2]));
}

#[test]
fn a_value_of_another_shape_is_an_error_that_names_the_key() {
    let engine = Map::default();
    let documents = Documents::new(&engine);
    documents.set(&("animal", 1), &json!({"name": "Hobgoblin"})).unwrap();
    let error = documents.get::<Animal>(&("animal", 1)).unwrap_err();
    assert!(matches!(&error, DocumentError::Shape { key, .. } if key == r#"["animal",1]"#));
    assert_eq!(
        error.to_string(),
        r#"the value of ["animal",1] does not fit the type that was asked for: missing field `description` at line 1 column 20"#
    );
    engine.set(b"noise", b"\xff").unwrap();
    assert!(matches!(documents.get::<Value>("noise"), Err(DocumentError::Shape { .. })));
}

#[test]
fn what_serde_cannot_write_is_refused_and_nothing_is_written() {
    let engine = Map::default();
    let documents = Documents::new(&engine);
    let unwritable: BTreeMap<Option<[u8; 2]>, u8> = [(Some([1, 2]), 3)].into();
    assert!(matches!(documents.set(&unwritable, &1), Err(DocumentError::Key(_))));
    assert!(matches!(documents.set("k", &unwritable), Err(DocumentError::Value(_))));
    assert_eq!(documents.get::<u8>("k").unwrap(), None);
}

#[test]
fn an_error_of_the_engine_is_passed_on() {
    let error = DocumentError::from(Error::panicked());
    assert!(matches!(&error, DocumentError::Engine(Error::Poisoned { .. })));
    assert_eq!(error.to_string(), Error::panicked().to_string());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_string_and_number_comes_back_as_it_was(text in any::<String>(), quoted in "[ \"0-9\\[\\]{}nul]{0,6}", number in any::<f64>()) {
        let engine = Map::default();
        let documents = Documents::new(&engine);
        for string in [text, quoted] {
            documents.set(&string, &string).unwrap();
            prop_assert_eq!(documents.get::<String>(&string).unwrap(), Some(string));
        }
        if number.is_finite() {
            documents.set("number", &number).unwrap();
            prop_assert_eq!(documents.get::<f64>("number").unwrap().map(f64::to_bits), Some(number.to_bits()));
        }
    }

    #[test]
    fn two_different_scalars_are_two_keys(a in scalar(), b in scalar()) {
        let engine = Map::default();
        let documents = Documents::new(&engine);
        documents.set(&a, &1).unwrap();
        prop_assert_eq!(documents.get::<u8>(&b).unwrap().is_some(), a == b);
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[\"0-9nul]{0,3}".prop_map(Value::from),
        (0..200_u32).prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ]
}
