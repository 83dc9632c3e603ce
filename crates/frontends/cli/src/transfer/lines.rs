//! One line of each format that has a line for each record.

use std::borrow::Cow;

use logladder::json;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bytes::taken;

/// What a line says of a key: its value, or that it is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record<'l> {
    pub(super) key: Cow<'l, [u8]>,
    pub(super) value: Option<Cow<'l, [u8]>>,
}

/// A reader of one line. The error says what is wrong with it.
pub(super) type ParseLine = fn(&str) -> Result<Record<'_>, String>;

/// `key<TAB>value`.
pub(super) fn tsv(line: &str) -> Result<Record<'_>, String> {
    let (key, value) = line.split_once('\t').ok_or("no tab between a key and a value")?;
    Ok(Record { key: taken(key)?, value: Some(taken(value)?) })
}

/// `{"key":…,"value":…}`, with whatever other members; or `[key,value]`.
pub(super) fn json_lines(line: &str) -> Result<Record<'_>, String> {
    #[derive(Deserialize)]
    struct Pair<'l>(#[serde(borrow)] &'l RawValue, #[serde(borrow)] &'l RawValue);

    #[derive(Deserialize)]
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
    Ok(Record { key: bytes_of(key)?, value: Some(bytes_of(value)?) })
}

/// `[key,value,deleted]`.
pub(super) fn store(line: &str) -> Result<Record<'_>, String> {
    #[derive(Deserialize)]
    struct Entry<'l>(#[serde(borrow)] &'l RawValue, #[serde(borrow)] &'l RawValue, bool);

    let Entry(key, value, is_deleted) = parsed(line)?;
    Ok(Record { key: bytes_of(key)?, value: if is_deleted { None } else { Some(bytes_of(value)?) } })
}

/// `{"operation":"SET","key":…,"value":…}` or `{"operation":"DEL","key":…}`.
pub(super) fn aof(line: &str) -> Result<Record<'_>, String> {
    #[derive(Deserialize)]
    struct Operation<'l> {
        #[serde(borrow, rename = "operation")]
        name: Cow<'l, str>,
        #[serde(borrow)]
        key: &'l RawValue,
        #[serde(borrow)]
        value: Option<&'l RawValue>,
    }

    let Operation { name, key, value } = parsed(line)?;
    let value = match (name.as_ref(), value) {
        ("SET", Some(value)) => Some(bytes_of(value)?),
        ("SET", None) => return Err("a SET without a value".into()),
        ("DEL", _) => None,
        (other, _) => return Err(format!("the operation is {other:?}, neither SET nor DEL")),
    };
    Ok(Record { key: bytes_of(key)?, value })
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

    fn set<'l>(key: &'l str, value: &'l str) -> Record<'l> {
        Record { key: key.as_bytes().into(), value: Some(value.as_bytes().into()) }
    }

    fn deleted(key: &str) -> Record<'_> {
        Record { key: key.as_bytes().into(), value: None }
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
    fn what_is_no_such_line_is_refused_with_a_reason() {
        let lines: [(ParseLine, &str); 9] = [
            (tsv, "a 1"),
            (tsv, "b\"\\x\"\t1"),
            (json_lines, "{\"key\":1}"),
            (json_lines, "[1,2,3]"),
            (json_lines, "7"),
            (store, "[1,2]"),
            (aof, r#"{"operation":"SET","key":"a"}"#),
            (aof, r#"{"operation":"GET","key":"a"}"#),
            (aof, r#"{"operation":"SET","key":"a","value":"#),
        ];
        for (parse, line) in lines {
            assert!(!parse(line).unwrap_err().is_empty(), "{line}");
        }
    }
}
