//! [`describe`]: the files of the store, field by field.

use std::ops::Range;

use logladder_engine::Field;
use serde_json::value::RawValue;

use crate::{CHECKSUM_FILE, LOG_FILE, checksums, line};

/// Names the bytes of a file of the store, for a lesson or a dump. Empty if it is not one.
///
/// ```
/// let fields = logladder_scan_log::describe("store.json", b"[\"test-1\",\"value-1\",false]\n");
/// let parts: Vec<_> = fields.iter().map(|field| (field.name, field.bytes.clone())).collect();
/// assert_eq!(parts, [("key", 1..9), ("value", 10..19), ("deleted", 20..25), ("end", 26..27)]);
/// ```
#[must_use]
pub fn describe(file_name: &str, bytes: &[u8]) -> Vec<Field> {
    let describe_line = match file_name {
        LOG_FILE => describe_entry,
        CHECKSUM_FILE => describe_checksum,
        _ => return Vec::new(),
    };
    let mut fields = Vec::new();
    let mut start = 0;
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let unreadable = || vec![Field::new(0..line.len(), "unfinished or damaged", "it cannot be read")];
        for mut field in describe_line(index, line).unwrap_or_else(unreadable) {
            field.bytes = start + field.bytes.start..start + field.bytes.end;
            fields.push(field);
        }
        start += line.len();
    }
    fields
}

fn describe_entry(_: usize, line: &[u8]) -> Option<Vec<Field>> {
    let entry = line::parse(line).ok()?;
    let (key, value, _): (&RawValue, &RawValue, bool) = serde_json::from_slice(line).ok()?;
    let key = place_of(key, line)?;
    let value = place_of(value, line)?;
    let comma = value.end + line[value.end..].iter().position(|&byte| byte == b',')?;
    let bracket = line.iter().rposition(|&byte| byte == b']')?;
    let flag = comma + 1..bracket;
    let text = |range: &Range<usize>| String::from_utf8_lossy(&line[range.clone()]).into_owned();
    let verdict =
        if entry.value.is_some() { "no: the key has this value" } else { "yes: the key has no value" };
    Some(vec![
        Field::new(key.clone(), "key", text(&key)),
        Field::new(value.clone(), "value", text(&value)),
        Field::new(flag, "deleted", verdict),
        Field::new(line.len() - 1..line.len(), "end", "a line feed"),
    ])
}

/// Where a value that was parsed from `line` stands in it.
fn place_of(value: &RawValue, line: &[u8]) -> Option<Range<usize>> {
    let start = value.get().as_ptr().addr().checked_sub(line.as_ptr().addr())?;
    Some(start..start + value.get().len())
}

fn describe_checksum(index: usize, line: &[u8]) -> Option<Vec<Field>> {
    checksums::parse(line)?;
    Some(vec![
        Field::new(0..8, "checksum", format!("CRC-32 of line {} of {LOG_FILE}", index + 1)),
        Field::new(8..9, "end", "a line feed"),
    ])
}
