//! The text of `database.json`, and what it means: one JSON object, a member for each key.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::path::Path;

use logladder_engine::{Error, Result, limits};
use logladder_json::{decode_name, decode_raw, encode, encode_name};
use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Every key with its value, sorted by key.
pub(crate) type Entries = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// The text of a store without keys.
pub(crate) const EMPTY: &[u8] = b"{}";

/// The text of `entries` after `key` has got this value, or lost the one it had.
pub(crate) fn text_after(entries: &Entries, key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let members = |from, to| entries.range::<[u8], _>((from, to)).map(|(key, value)| (&**key, &**value));
    let before = members(Bound::Unbounded, Bound::Excluded(key));
    let after = members(Bound::Excluded(key), Bound::Unbounded);
    let changed = value.map(|value| (key, value));

    let mut text = vec![b'{'];
    for (key, value) in before.chain(changed).chain(after) {
        if text.len() > 1 {
            text.push(b',');
        }
        encode_name(key, &mut text);
        text.push(b':');
        encode(value, &mut text);
    }
    text.push(b'}');
    text
}

/// The entries of the file at `path`, whose text is `text`.
pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Entries> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let entries = reader.deserialize_map(Members).and_then(|entries| reader.end().map(|()| entries));
    entries.map_err(|error| refusal(path, text, &error))
}

/// The error that says in which line and column `text` is not what it should be.
fn refusal(path: &Path, text: &[u8], error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let reason = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    let line_start = match line.checked_sub(2) {
        None => 0,
        Some(nth) => text
            .iter()
            .enumerate()
            .filter(|&(_, &byte)| byte == b'\n')
            .nth(nth)
            .map_or(text.len(), |(end, _)| end + 1),
    };
    let offset = line_start.saturating_add(column.saturating_sub(1)).min(text.len());
    Error::corrupt(path, offset as u64, format!("line {line}, column {column}: {reason}"))
}

/// Collects the members of the object.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with a member for each key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Entries, A::Error> {
        let mut entries = Entries::new();
        while let Some(name) = members.next_key::<String>()? {
            let refuse =
                |why: &dyn fmt::Display| A::Error::custom(format!("the key {}: {why}", Short(&name)));
            let key = decode_name(&name).map_err(|error| refuse(&error))?;
            let text: &RawValue = members.next_value()?;
            let value = decode_raw(text).map_err(|error| refuse(&error))?;
            limits::check_entry(&key, &value).map_err(|error| refuse(&error))?;
            if entries.insert(Box::from(&*key), Box::from(&*value)).is_some() {
                return Err(refuse(&"it is there twice, and only one of the two can be right"));
            }
        }
        Ok(entries)
    }
}

/// A name in quotes, and not much more of it than fits on a line.
struct Short<'n>(&'n str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(60) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(pairs: &[(&[u8], &[u8])]) -> Entries {
        pairs.iter().map(|&(key, value)| (Box::from(key), Box::from(value))).collect()
    }

    fn what(text: &[u8]) -> (u64, String) {
        match parse(Path::new("database.json"), text) {
            Err(Error::Corrupt { offset, what, .. }) => (offset, what),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_lands_in_its_place_in_the_order_of_the_keys() {
        let two = entries(&[(b"1", b"a"), (b"3", b"c")]);
        assert_eq!(text_after(&two, b"2", Some(b"b")), br#"{"1":"a","2":"b","3":"c"}"#);
        assert_eq!(text_after(&two, b"0", Some(b"{}")), br#"{"0":{},"1":"a","3":"c"}"#);
        assert_eq!(text_after(&two, b"9", Some(b"\xff")), br#"{"1":"a","3":"c","9":{"$base64":"/w=="}}"#);
        assert_eq!(text_after(&two, b"1", Some(b"A")), br#"{"1":"A","3":"c"}"#);
        assert_eq!(text_after(&two, b"1", None), br#"{"3":"c"}"#);
        assert_eq!(text_after(&entries(&[(b"1", b"a")]), b"1", None), EMPTY);
    }

    #[test]
    fn a_file_written_by_hand_is_read_whatever_its_white_space() {
        let text = b"{\n  \"1\": {\"name\": \"anna\"},\n  \"2\": 2\n}\n";
        let expected = entries(&[(b"1", br#"{"name":"anna"}"#), (b"2", b"2")]);
        assert_eq!(parse(Path::new("x"), text).unwrap(), expected);
    }

    #[test]
    fn what_is_not_an_object_is_refused_with_its_line_and_column() {
        assert_eq!(what(b""), (0, "line 1, column 0: EOF while parsing a value".into()));
        assert_eq!(
            what(b"[1]"),
            (
                0,
                "line 1, column 0: invalid type: sequence, expected a JSON object with a member for each key"
                    .into()
            )
        );
        assert_eq!(what(b"{\n  \"1\": x\n}"), (9, "line 2, column 8: expected value".into()));
        assert_eq!(what(b"{\"1\":2}\n}"), (8, "line 2, column 1: trailing characters".into()));
        assert_eq!(what(b"{\"1\":2").0, 5);
        assert_eq!(what(b"\0\0").0, 0);
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_by_its_name_however_it_is_spelled() {
        let (offset, what_is_wrong) = what(b"{\"a\":1,\n\"a\":2}");
        assert_eq!(
            what_is_wrong,
            "line 2, column 6: the key \"a\": it is there twice, and only one of the two can be right"
        );
        assert_eq!(offset, 13);
        assert!(what(br#"{"a":1,"\u0061":2}"#).1.contains("there twice"));
        assert!(what(br#"{"a":1,"$base64:YQ==":2}"#).1.contains("there twice"));
    }

    #[test]
    fn names_and_values_that_stand_for_no_byte_string_are_refused() {
        assert!(what(br#"{"$base64:?":1}"#).1.contains("the key \"$base64:?\": what follows"));
        assert!(what(br#"{"a":{"$base64":1}}"#).1.contains("the key \"a\": what follows"));
        assert!(what(br#"{"a":"\ud800"}"#).1.contains("the key \"a\": it is not JSON"));
        let long = format!("{{\"{}\":1}}", "k".repeat(65_536));
        assert!(what(long.as_bytes()).1.contains("kkk\"…: the key has 65536 bytes"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_entries_come_back_as_they_were(
            entries in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..6), prop::collection::vec(any::<u8>(), 0..20), 0..8),
            texts in prop::collection::btree_map("(\\$base64:)?[a-zA-Z=\"\\\\]{0,4}", "[\\[\\]{}\",:a1 ]{0,5}", 0..8),
        ) {
            let bytes = entries.into_iter().map(|(key, value)| (key.into_boxed_slice(), value.into_boxed_slice()));
            let texts = texts.into_iter().map(|(key, value)| (Box::from(key.as_bytes()), Box::from(value.as_bytes())));
            let all: Entries = bytes.chain(texts).collect();
            if let Some((key, value)) = all.first_key_value() {
                let text = text_after(&all, key, Some(value));
                prop_assert_eq!(parse(Path::new("x"), &text).unwrap(), all);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..40), look_alike in "[{}\":,\\\\a1$\\n ]{0,20}") {
            let _ = parse(Path::new("x"), &text);
            let _ = parse(Path::new("x"), look_alike.as_bytes());
        }
    }
}
