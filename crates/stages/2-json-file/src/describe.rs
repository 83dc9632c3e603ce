//! [`describe`]: the files of the store, field by field.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use logladder_engine::Field;
use serde_json::value::RawValue;

use crate::{CHECKSUM_FILE, DATA_FILE, checksum, object};

/// Names the bytes of a file of the store, for a lesson or a dump. Empty if it is not one, or is damaged.
///
/// ```
/// let fields = logladder_json_file::describe("database.json", br#"{"1":{"name":"anna"}}"#);
/// let parts: Vec<_> = fields.iter().map(|field| (field.name, field.bytes.clone())).collect();
/// assert_eq!(parts, [("begin", 0..1), ("key", 1..4), ("value", 5..20), ("end", 20..21)]);
/// ```
#[must_use]
pub fn describe(file_name: &str, bytes: &[u8]) -> Vec<Field> {
    match file_name {
        DATA_FILE => describe_object(bytes).unwrap_or_default(),
        CHECKSUM_FILE => describe_checksums(bytes).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn describe_object(bytes: &[u8]) -> Option<Vec<Field>> {
    object::parse(Path::new(DATA_FILE), bytes).ok()?;
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).ok()?;
    let mut places: Vec<Range<usize>> =
        members.into_values().filter_map(|value| place_of(value, bytes)).collect();
    places.sort_by_key(|place| place.start);

    let begin = bytes.iter().position(|&byte| byte == b'{')?;
    let end = bytes.iter().rposition(|&byte| byte == b'}')?;
    let text = |range: &Range<usize>| String::from_utf8_lossy(&bytes[range.clone()]).into_owned();
    let mut fields =
        vec![Field::new(begin..begin + 1, "begin", "of the object: it has a member for each key")];
    let mut after = begin + 1;
    for value in places {
        let name = quoted(bytes, after..value.start)?;
        after = value.end;
        fields.push(Field::new(name.clone(), "key", text(&name)));
        fields.push(Field::new(value.clone(), "value", text(&value)));
    }
    fields.push(Field::new(end..end + 1, "end", "of the object"));
    Some(fields)
}

/// Where a value that was parsed from `bytes` stands in them.
fn place_of(value: &RawValue, bytes: &[u8]) -> Option<Range<usize>> {
    let start = value.get().as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    Some(start..start + value.get().len())
}

/// A member's name: what stands between two values, less the comma, the colon and white space.
fn quoted(bytes: &[u8], between: Range<usize>) -> Option<Range<usize>> {
    let gap = bytes.get(between.clone())?;
    let first = gap.iter().position(|&byte| byte == b'"')?;
    let last = gap.iter().rposition(|&byte| byte == b'"')?;
    Some(between.start + first..between.start + last + 1)
}

fn describe_checksums(bytes: &[u8]) -> Option<Vec<Field>> {
    checksum::parse(Path::new(CHECKSUM_FILE), bytes).ok()?;
    let mut fields = Vec::new();
    let mut start = 0;
    for whose in ["the newest database.json", "the one before it"] {
        let line = &bytes[start..];
        let space = line.iter().position(|&byte| byte == b' ')?;
        let end = line.iter().position(|&byte| byte == b'\n')?;
        fields.push(Field::new(start..start + space, "checksum", format!("CRC-32 of {whose}")));
        fields.push(Field::new(start + space + 1..start + end, "length", format!("of {whose}, in bytes")));
        start += end + 1;
    }
    Some(fields)
}
