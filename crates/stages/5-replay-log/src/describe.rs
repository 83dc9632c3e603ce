//! [`describe`]: the files of the store, field by field.

use std::path::Path;

use logladder_engine::Field;

use crate::files::FileKind;
use crate::load::{Block, frame, split_count, split_entry};
use crate::parse::{Operation, parse};
use crate::snapshot::{BLOCK_HEADER_LEN, COUNTS, FOOTER_LEN, HEADER_LEN};
use crate::sums::{RECORD_LEN, Sum};

/// Names the bytes of a file of the store, for a lesson or a dump. Empty if it is not one.
///
/// ```
/// let line = br#"{"operation":"SET","key":"name","value":"John"}"#;
/// let fields = logladder_replay_log::describe("appendonly-0000000001.aof", line);
/// assert_eq!(fields[0].name, "operation");
/// assert_eq!(fields[0].meaning, "sets name to John");
/// ```
#[must_use]
pub fn describe(file_name: &str, bytes: &[u8]) -> Vec<Field> {
    match FileKind::of(file_name) {
        Some(FileKind::Manifest) => lines(bytes, manifest_line),
        Some(FileKind::Aof(_) | FileKind::Rewritten(_)) => lines(bytes, operation),
        Some(FileKind::Sums(number)) => sums(number, bytes),
        Some(FileKind::Snapshot(_)) => snapshot(bytes).unwrap_or_else(|| unreadable(0..bytes.len())),
        None => Vec::new(),
    }
}

fn unreadable(bytes: std::ops::Range<usize>) -> Vec<Field> {
    vec![Field::new(bytes, "unfinished or damaged", "it cannot be read")]
}

fn lines(bytes: &[u8], describe: fn(&[u8]) -> Option<(&'static str, String)>) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let end = start + text.len();
        match describe(text) {
            Some((name, meaning)) => fields.push(Field::new(start..end, name, meaning)),
            None => fields.extend(unreadable(start..end)),
        }
        start += line.len();
        if end < start {
            fields.push(Field::new(end..start, "end", "a line feed"));
        }
    }
    fields
}

fn manifest_line(text: &[u8]) -> Option<(&'static str, String)> {
    let (word, rest) = str::from_utf8(text).ok()?.split_once(' ')?;
    Some(match word {
        "logladder" => ("format", "what the file is, and the format version".into()),
        "hash" => ("hash key", "by which keys are spread over the tables".into()),
        "versions" => ("versions", "the numbers of versions are kept".into()),
        "next" => ("next number", format!("the next new file is number {rest}")),
        "sequence" => ("sequence", format!("the base holds the outcome of {rest} changes")),
        "base" => ("base", "the file, its length in bytes, its checksum".into()),
        "log" => ("log", "lines behind the base".into()),
        "crc32" => ("checksum", "CRC-32 of all lines before".into()),
        _ => return None,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn operation(line: &[u8]) -> Option<(&'static str, String)> {
    let operation = parse(line).ok()?;
    let say = |change: &crate::parse::Change<'_>| match &change.value {
        Some(value) => format!("sets {} to {}", text(&change.key), text(value)),
        None => format!("deletes {}", text(&change.key)),
    };
    let said: Vec<String> = operation.changes().iter().map(say).collect();
    let name = if matches!(operation, Operation::Batch(_)) { "batch" } else { "operation" };
    Some((name, said.join(", ")))
}

fn sums(number: u64, bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    for (place, record) in bytes.chunks(RECORD_LEN).enumerate() {
        let start = place * RECORD_LEN;
        let Some(Sum { covers, crc }) = Sum::decode(number, record) else {
            fields.extend(unreadable(start..start + record.len()));
            continue;
        };
        fields.push(Field::new(start..start + 8, "covers", format!("{covers} bytes of lines")));
        fields.push(Field::new(start + 8..start + 12, "sum", format!("{crc:08x}, the CRC-32 of those")));
        fields.push(Field::new(start + 12..start + 16, "checksum", "of this record: matches"));
    }
    fields
}

fn snapshot(bytes: &[u8]) -> Option<Vec<Field>> {
    let frame = frame(Path::new("snapshot"), bytes).ok()?;
    let mut fields = vec![
        Field::new(0..4, "magic", "LLRS"),
        Field::new(4..6, "format version", "1"),
        Field::new(6..8, "zeros", ""),
        Field::new(8..16, "sequence", format!("the outcome of {} changes", frame.sequence)),
        Field::new(16..HEADER_LEN, "checksum", "CRC-32 of what is before: matches"),
    ];
    for block in &frame.blocks {
        describe_block(block, &mut fields)?;
    }
    let at = bytes.len().checked_sub(FOOTER_LEN)?;
    fields.extend([
        Field::new(at..at + 4, "end magic", "LLRE"),
        Field::new(at + 4..at + 8, "blocks", frame.blocks.len().to_string()),
        Field::new(at + 8..at + 16, "keys", frame.keys.to_string()),
        Field::new(at + 16..at + 24, "file length", format!("{} bytes", bytes.len())),
        Field::new(at + 24..at + 28, "checksum", "CRC-32 of the header and of this end: matches"),
    ]);
    Some(fields)
}

fn describe_block(block: &Block<'_>, fields: &mut Vec<Field>) -> Option<()> {
    let at = block.offset;
    let has_counts = block.kind() == COUNTS;
    let kind = if has_counts { "numbers of versions" } else { "keys with values" };
    fields.extend([
        Field::new(at..at + 4, "block length", format!("{} bytes of records", block.records.len())),
        Field::new(at + 4..at + 8, "records", block.count().to_string()),
        Field::new(at + 8..at + 12, "kind", kind),
        Field::new(at + 12..at + 16, "checksum", "CRC-32 of the block"),
    ]);
    let mut start = at + BLOCK_HEADER_LEN;
    let mut rest = block.records;
    let mut add = |name, len: usize, meaning: String| {
        fields.push(Field::new(start..start + len, name, meaning));
        start += len;
    };
    while !rest.is_empty() {
        if has_counts {
            let (count, key, behind) = split_count(rest)?;
            add("key length", 2, key.len().to_string());
            add("newest version", 8, count.to_string());
            add("key", key.len(), text(key));
            rest = behind;
        } else {
            let (key, value, behind) = split_entry(rest)?;
            add("key length", 2, key.len().to_string());
            add("value length", 4, value.len().to_string());
            add("key", key.len(), text(key));
            add("value", value.len(), text(value));
            rest = behind;
        }
    }
    Some(())
}
