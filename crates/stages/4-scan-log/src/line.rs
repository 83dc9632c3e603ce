//! A line of `store.json`: one entry as a JSON array of key, value, and whether it deletes the key.

use std::borrow::Cow;

use logladder_engine::limits;
use logladder_json::{decode_raw, encode};
use serde_json::value::RawValue;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'l> {
    pub(crate) key: Cow<'l, [u8]>,
    /// `None` if the line deletes the key.
    pub(crate) value: Option<Cow<'l, [u8]>>,
}

/// The line that gives `key` a value, or deletes it.
pub(crate) fn write(key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let mut line = beginning(key);
    match value {
        Some(value) => {
            encode(value, &mut line);
            line.extend_from_slice(b",false]\n");
        }
        None => line.extend_from_slice(b"null,true]\n"),
    }
    line
}

/// How every line of `key` begins, if this crate wrote it, and no line of another key does.
///
/// It holds the whole key as JSON and the comma behind it, and no JSON text is the beginning of another that
/// goes on with a comma. So lines can be told apart by their first bytes, without parsing them.
pub(crate) fn beginning(key: &[u8]) -> Vec<u8> {
    let mut beginning = vec![b'['];
    encode(key, &mut beginning);
    beginning.push(b',');
    beginning
}

/// What `line` says, or why it says nothing.
pub(crate) fn parse(line: &[u8]) -> Result<Entry<'_>, String> {
    match line.strip_suffix(b"\n") {
        Some(text) => parse_text(text),
        None => Err("it has no end".into()),
    }
}

/// What a line says whose line feed has been taken off, or never was there.
pub(crate) fn parse_text(text: &[u8]) -> Result<Entry<'_>, String> {
    let (key, value, is_deleted): (&RawValue, &RawValue, bool) =
        serde_json::from_slice(text).map_err(|error| format!("it is no entry: {}", place(&error)))?;
    let key = decode_raw(key).map_err(|error| format!("its key: {error}"))?;
    let value = match (is_deleted, value.get()) {
        (true, "null") => None,
        (true, _) => return Err("it deletes its key and has a value all the same".into()),
        (false, _) => Some(decode_raw(value).map_err(|error| format!("its value: {error}"))?),
    };
    limits::check_entry(&key, value.as_deref().unwrap_or_default()).map_err(|error| error.to_string())?;
    Ok(Entry { key, value })
}

/// The error with its column. It always speaks of line 1, which is not the line's number in the file.
fn place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    match message.strip_suffix(&suffix) {
        Some(reason) => format!("{reason} at column {}", error.column()),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(key: &[u8], value: Option<&[u8]>) -> String {
        String::from_utf8(write(key, value)).unwrap()
    }

    #[test]
    fn lines_are_those_of_the_log_chapter() {
        assert_eq!(line(b"test-1", Some(b"value-1")), "[\"test-1\",\"value-1\",false]\n");
        assert_eq!(line(b"test-3", None), "[\"test-3\",null,true]\n");
        assert_eq!(
            line(br#"["animal",1]"#, Some(br#"{"name":"Hobgoblin"}"#)),
            "[[\"animal\",1],{\"name\":\"Hobgoblin\"},false]\n"
        );
    }

    #[test]
    fn the_value_null_is_no_tombstone() {
        assert_eq!(line(b"k", Some(b"null")), "[\"k\",\"null\",false]\n");
        // From elsewhere it may come without quotes.
        let foreign = parse(b"[\"k\",null,false]\n").unwrap();
        assert_eq!(foreign.value.as_deref(), Some(&b"null"[..]));
    }

    #[test]
    fn what_is_no_entry_is_refused_with_the_reason() {
        for (line, reason) in [
            (&b"[\"k\",\"v\",false]"[..], "it has no end"),
            (b"\n", "it is no entry: EOF while parsing a value at column 0"),
            (b"[\"k\",\"v\"]\n", "it is no entry: invalid length 2, expected a tuple of size 3 at column 9"),
            (b"[\"k\",\"v\",false,1]\n", "it is no entry: trailing characters at column 16"),
            (
                b"[\"k\",\"v\",0]\n",
                "it is no entry: invalid type: integer `0`, expected a boolean at column 10",
            ),
            (b"[\"k\",\"v\",true]\n", "it deletes its key and has a value all the same"),
            (b"{\"k\":\"v\"}\n", "it is no entry: invalid type: map, expected a tuple of size 3 at column 0"),
            (
                b"[\"k\",{\"$base64\":\"?\"},false]\n",
                "its value: what follows `$base64` is not padded base64",
            ),
            (
                b"[\"k\",\"v\0\",false]\n",
                "it is no entry: control character (\\u0000-\\u001F) found while parsing a string at column 7",
            ),
        ] {
            assert_eq!(parse(line).unwrap_err(), reason);
        }
        let long = write(&vec![b'k'; 65_536], None);
        assert!(parse(&long).unwrap_err().contains("65536 bytes"));
    }

    #[test]
    fn a_zero_anywhere_makes_a_line_unreadable() {
        for good in [line(b"test-1", Some(b"value-1")), line(b"test-1", None), line(b"\xff", Some(b"[1]"))] {
            for at in 0..good.len() {
                let mut bad = good.clone().into_bytes();
                bad[at] = 0;
                assert!(parse(&bad).is_err(), "byte {at} of {good}");
            }
        }
    }

    fn some_key() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..4),
            "[a\\[\\]\",1:{} ]{0,6}".prop_map(String::into_bytes),
            "\\[\"a{0,2}\"(,[1-3]{1,2}){0,2}\\]".prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_line_says_what_it_was_written_for(key in some_key(), value in prop::option::of(some_key())) {
            let line = write(&key, value.as_deref());
            let entry = parse(&line).unwrap();
            prop_assert_eq!(&*entry.key, &*key);
            prop_assert_eq!(entry.value.as_deref(), value.as_deref());
            prop_assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1));
        }

        #[test]
        fn a_line_begins_like_those_of_its_own_key_alone(key in some_key(), other in some_key(), value in prop::option::of(some_key())) {
            let line = write(&key, value.as_deref());
            prop_assert_eq!(line.starts_with(&beginning(&other)), key == other);
        }
    }
}
