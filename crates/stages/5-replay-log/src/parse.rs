//! What a line of the append-only file says.
//!
//! Most lines are plain: written by this crate, without an escape in them. Those are taken apart by their known
//! beginning and the next quotation marks, without a copy. Whatever is not that plain goes to serde_json, which takes
//! every spelling of the same JSON: white space, another order of the members, the escapes of other programs
//! (Go's `encoding/json` writes `\u003c` for `<`), an empty value that was left out. Both give the same answer where
//! both give one; a property test compares them.

use std::borrow::Cow;

use logladder_engine::limits;
use logladder_json::decode_raw;
use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::line::{DELETE, SET, VALUE};

/// What a line of an append-only file does to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'l> {
    /// The key.
    pub key: Cow<'l, [u8]>,
    /// Its value from then on; `None` if it is deleted.
    pub value: Option<Cow<'l, [u8]>>,
}

/// What one line of an append-only file does, in order: without its line feed, written by this stage or by another program.
/// The lines of batches do several things.
///
/// # Errors
///
/// Why it is no such line, or that a key or a value is over the limits.
///
/// ```
/// let changes = logladder_replay_log::changes_of(br#"{"operation":"SET","key":"name","value":"John"}"#)?;
/// assert_eq!(changes[0].value.as_deref(), Some(&b"John"[..]));
/// # Ok::<(), String>(())
/// ```
pub fn changes_of(line: &[u8]) -> Result<Vec<Change<'_>>, String> {
    Ok(match parse(line)? {
        Operation::One(change) => vec![change],
        Operation::Batch(changes) => changes,
    })
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation<'l> {
    One(Change<'l>),
    Batch(Vec<Change<'l>>),
}

impl<'l> Operation<'l> {
    /// Its changes, in order.
    pub(crate) fn changes(&self) -> &[Change<'l>] {
        match self {
            Self::One(change) => std::slice::from_ref(change),
            Self::Batch(changes) => changes,
        }
    }
}

/// What the line `text`, without its line feed, says; or why it says nothing.
pub(crate) fn parse(text: &[u8]) -> Result<Operation<'_>, String> {
    let operation = match plain(text) {
        Some(change) => Operation::One(change),
        None => any(text)?,
    };
    for change in operation.changes() {
        limits::check_entry(&change.key, change.value.as_deref().unwrap_or_default())
            .map_err(|error| error.to_string())?;
    }
    Ok(operation)
}

/// A line as this crate writes it, if nothing in it is escaped.
pub(crate) fn plain(text: &[u8]) -> Option<Change<'_>> {
    if let Some(rest) = text.strip_prefix(SET) {
        let (key, rest) = plain_string(rest)?;
        let (value, rest) = plain_string(rest.strip_prefix(VALUE)?)?;
        (rest == b"}").then_some(Change { key: Cow::Borrowed(key), value: Some(Cow::Borrowed(value)) })
    } else {
        let (key, rest) = plain_string(text.strip_prefix(DELETE)?)?;
        (rest == b"}").then_some(Change { key: Cow::Borrowed(key), value: None })
    }
}

/// The string at the beginning of `text`, and what follows it.
fn plain_string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let end = memchr2(b'"', b'\\', text).filter(|&end| text[end] == b'"')?;
    let (string, rest) = text.split_at(end);
    // JSON has no such bytes in a string, and no others than UTF-8. Most texts are ASCII, which is seen at once.
    let kinds = |byte: u8| u8::from(byte < 0x20) | byte & 0x80;
    let found = string.iter().fold(0, |found, &byte| found | kinds(byte));
    if found != 0 && (found & 1 != 0 || str::from_utf8(string).is_err()) {
        return None;
    }
    Some((string, &rest[1..]))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with an operation")]
struct Written<'l> {
    #[serde(borrow)]
    operation: Cow<'l, str>,
    #[serde(borrow)]
    key: Option<&'l RawValue>,
    #[serde(borrow)]
    value: Option<&'l RawValue>,
    #[serde(borrow)]
    writes: Option<Vec<Written<'l>>>,
}

/// Any spelling of a line.
pub(crate) fn any(text: &[u8]) -> Result<Operation<'_>, String> {
    let written: Written<'_> =
        serde_json::from_slice(text).map_err(|error| format!("it is no operation: {}", place(&error)))?;
    if written.operation != "BATCH" {
        return change(&written).map(Operation::One);
    }
    if written.key.is_some() || written.value.is_some() {
        return Err("a batch has no key and no value of its own".into());
    }
    let writes = written.writes.as_deref().ok_or("a batch without writes")?;
    writes.iter().map(change).collect::<Result<_, _>>().map(Operation::Batch)
}

fn change<'l>(written: &Written<'l>) -> Result<Change<'l>, String> {
    if written.writes.is_some() {
        return Err("only a batch has writes".into());
    }
    let bytes =
        |what: &str, text: &'l RawValue| decode_raw(text).map_err(|error| format!("its {what}: {error}"));
    let key = bytes("key", written.key.ok_or("it has no key")?)?;
    let value = written.value.map(|text| bytes("value", text)).transpose()?;
    match &*written.operation {
        "SET" => Ok(Change { key, value: Some(value.unwrap_or_default()) }),
        "DEL" if value.as_ref().is_some_and(|value| !value.is_empty()) => {
            Err("it deletes its key and has a value all the same".into())
        }
        "DEL" => Ok(Change { key, value: None }),
        other => Err(format!("no operation is called {other:?}")),
    }
}

/// serde_json counts lines too, and would call each of ours the first.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((what, _)) => format!("{what}, at its byte {}", error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line;

    fn parsed(text: &str) -> Operation<'_> {
        parse(text.as_bytes()).unwrap()
    }

    fn set<'l>(key: &'l str, value: &'l str) -> Operation<'l> {
        let bytes = |text: &'l str| Cow::Borrowed(text.as_bytes());
        Operation::One(Change { key: bytes(key), value: Some(bytes(value)) })
    }

    #[test]
    fn what_a_go_program_writes_reads() {
        assert_eq!(
            parsed(r#"{"operation":"SET","key":"a\u003cb","value":"\u003ep\u0026\u2028"}"#),
            set("a<b", ">p&\u{2028}")
        );
        assert_eq!(parsed(r#"{"operation":"SET","key":"empty"}"#), set("empty", ""));
        let deleted = Operation::One(Change { key: Cow::Borrowed(b"name"), value: None });
        assert_eq!(parsed(r#"{"operation":"DEL","key":"name"}"#), deleted);
        assert_eq!(parsed(r#"{"operation":"DEL","key":"name","value":""}"#), deleted);
        assert_eq!(parsed(r#" { "value" : "v", "key" : "k", "operation" : "SET" } "#), set("k", "v"));
    }

    #[test]
    fn what_is_no_operation_is_refused_with_its_reason() {
        for (text, why) in [
            ("", "no operation"),
            ("{", "no operation"),
            (r#"["SET","k","v"]"#, "no operation"),
            (r#"{"operation":"GET","key":"k"}"#, "called \"GET\""),
            (r#"{"operation":"SET","value":"v"}"#, "no key"),
            (r#"{"operation":"DEL","key":"k","value":"v"}"#, "all the same"),
            (r#"{"operation":"SET","key":"k","value":"v","ttl":1}"#, "unknown field"),
            (r#"{"operation":"SET","key":"k","key":"l","value":"v"}"#, "duplicate field"),
            (r#"{"operation":"SET","key":"k","value":{"$base64":"?"}}"#, "base64"),
            (r#"{"operation":"BATCH"}"#, "without writes"),
            (r#"{"operation":"BATCH","key":"k","writes":[]}"#, "no key"),
            (r#"{"operation":"BATCH","writes":[{"operation":"BATCH","writes":[]}]}"#, "only a batch"),
            ("{\"operation\":\"SET\",\"key\":\"k\",\"value\":\"a\tb\"}", "control character"),
        ] {
            let refused = parse(text.as_bytes()).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
        assert!(parse(b"{\"operation\":\"SET\",\"key\":\"\xFF\",\"value\":\"\"}").is_err());
    }

    proptest::proptest! {
        #[test]
        fn every_operation_reads_back(key: Vec<u8>, value: Vec<u8>, text: String) {
            let text = text.into_bytes();
            for (key, value) in [(&key, Some(&value)), (&text, Some(&value)), (&value, Some(&text)), (&key, None)] {
                let mut line = Vec::new();
                match value {
                    Some(value) => line::write_set(key, value, &mut line),
                    None => line::write_delete(key, &mut line),
                }
                let line = line.strip_suffix(b"\n").unwrap();
                proptest::prop_assert!(!line.contains(&b'\n'));
                let change =
                    Change { key: Cow::Borrowed(key), value: value.map(|value| Cow::Borrowed(value.as_slice())) };
                proptest::prop_assert_eq!(parse(line), Ok(Operation::One(change)));
            }
        }

        #[test]
        fn the_fast_way_and_the_general_way_give_the_same_answer(
            key in "[a\"\\\\\u{0}-\u{1f}<ü{},:]{0,4}",
            value in "[a\"\\\\\u{0}-\u{1f}<ü{},:]{0,4}",
            behind in "[} \",a]{0,2}",
        ) {
            // Not escaped, so that many of them are no JSON.
            for text in [
                format!(r#"{{"operation":"SET","key":"{key}","value":"{value}"{behind}"#),
                format!(r#"{{"operation":"DEL","key":"{key}"{behind}"#),
            ] {
                if let Some(change) = plain(text.as_bytes()) {
                    proptest::prop_assert_eq!(any(text.as_bytes()), Ok(Operation::One(change)));
                }
            }
        }
    }
}
