//! One line of each format that has lines of records.

use std::borrow::Cow;

use logladder::{json, replay_log};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bytes::taken;

/// What a line says of a key: its value, or that it is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record<'l> {
    pub(super) key: Cow<'l, [u8]>,
    pub(super) value: Option<Cow<'l, [u8]>>,
}

/// What one line says, in order: mostly of one key.
pub(super) type Records<'l> = Vec<Record<'l>>;

/// A reader of one line. The error says what is wrong with it.
pub(super) type ParseLine = fn(&str) -> Result<Records<'_>, String>;

fn one<'l>(key: Cow<'l, [u8]>, value: Option<Cow<'l, [u8]>>) -> Records<'l> {
    vec![Record { key, value }]
}

/// `key<TAB>value`.
pub(super) fn tsv(line: &str) -> Result<Records<'_>, String> {
    let (key, value) = line.split_once('\t').ok_or("no tab between a key and a value")?;
    Ok(one(taken(key)?, Some(taken(value)?)))
}

/// `{"key":…,"value":…}`, with whatever other members; or `[key,value]`.
pub(super) fn json_lines(line: &str) -> Result<Records<'_>, String> {
    #[derive(Deserialize)]
    #[serde(expecting = "an array of a key and a value")]
    struct Pair<'l>(#[serde(borrow)] &'l RawValue, #[serde(borrow)] &'l RawValue);

    #[derive(Deserialize)]
    #[serde(expecting = "an object with a key and a value")]
    struct Entry<'l> {
        #[serde(borrow)]
        key: &'l RawValue,
        #[serde(borrow)]
        value: &'l RawValue,
    }

    let (key, value) = if line.trim_start().starts_with('[') {
        let Pair(key, value) = parsed(line)?;
        (key, value)
    } else {
        let Entry { key, value } = parsed(line)?;
        (key, value)
    };
    Ok(one(bytes_of(key)?, Some(bytes_of(value)?)))
}

/// `[key,value,deleted]`.
pub(super) fn store(line: &str) -> Result<Records<'_>, String> {
    #[derive(Deserialize)]
    #[serde(expecting = "an array of a key, a value, and whether it is deleted")]
    struct Entry<'l>(#[serde(borrow)] &'l RawValue, #[serde(borrow)] &'l RawValue, bool);

    let Entry(key, value, is_deleted) = parsed(line)?;
    Ok(one(bytes_of(key)?, if is_deleted { None } else { Some(bytes_of(value)?) }))
}

/// A line of an append-only file, as stage 5 reads it: a batch is one line.
pub(super) fn aof(line: &str) -> Result<Records<'_>, String> {
    let changes = replay_log::changes_of(line.as_bytes())?;
    Ok(changes.into_iter().map(|replay_log::Change { key, value }| Record { key, value }).collect())
}

fn parsed<'l, T: Deserialize<'l>>(line: &'l str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| {
        // The line is one of a file: only the column says something.
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        format!("column {}: {what}", error.column())
    })
}

fn bytes_of(value: &RawValue) -> Result<Cow<'_, [u8]>, String> {
    json::decode_raw(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<'l>(key: &'l str, value: &'l str) -> Records<'l> {
        one(key.as_bytes().into(), Some(value.as_bytes().into()))
    }

    fn deleted(key: &str) -> Records<'_> {
        one(key.as_bytes().into(), None)
    }

    #[test]
    fn each_form_of_a_line_is_read() {
        assert_eq!(tsv("a\t1\t2"), Ok(set("a", "1\t2")));
        assert_eq!(tsv("\t"), Ok(set("", "")));
        assert_eq!(json_lines(r#"{"key":"a","value":{"n": 1},"more":0}"#), Ok(set("a", r#"{"n":1}"#)));
        assert_eq!(json_lines(r#"["a",null]"#), Ok(set("a", "null")));
        assert_eq!(store(r#"["test-1","value-1",false]"#), Ok(set("test-1", "value-1")));
        assert_eq!(store(r#"["test-3",null,true]"#), Ok(deleted("test-3")));
        assert_eq!(aof(r#"{"operation":"SET","key":"name","value":"John"}"#), Ok(set("name", "John")));
        assert_eq!(aof(r#"{"operation":"DEL","key":"name"}"#), Ok(deleted("name")));
    }

    #[test]
    fn lines_of_stage_5_and_of_a_go_program_are_read_as_stage_5_reads_them() {
        let batch = r#"{"operation":"BATCH","writes":[{"operation":"SET","key":"a","value":"1"},{"operation":"DEL","key":"b"}]}"#;
        assert_eq!(aof(batch), Ok([set("a", "1"), deleted("b")].concat()));
        assert_eq!(aof(r#"{"operation":"SET","key":"empty"}"#), Ok(set("empty", "")));
        assert_eq!(aof(r#"{"operation":"SET","key":"a\u003cb","value":"\u0026"}"#), Ok(set("a<b", "&")));
    }

    #[test]
    fn what_is_no_such_line_is_refused_with_a_reason() {
        let lines: [(ParseLine, &str); 11] = [
            (tsv, "a 1"),
            (tsv, "b\"\\x\"\t1"),
            (json_lines, "{\"key\":1}"),
            (json_lines, "[1,2,3]"),
            (json_lines, "7"),
            (store, "[1,2]"),
            (store, "7"),
            (aof, "7"),
            (aof, r#"{"operation":"SET","value":"a"}"#),
            (aof, r#"{"operation":"GET","key":"a"}"#),
            (aof, r#"{"operation":"SET","key":"a","value":"#),
        ];
        for (parse, line) in lines {
            let why = parse(line).unwrap_err();
            assert!(!why.is_empty() && !why.contains("struct"), "{line}: {why}");
        }
    }
}
