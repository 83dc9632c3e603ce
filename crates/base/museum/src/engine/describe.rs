//! The bytes of a store of the museum, named field by field.

use logladder_engine::Field;

use super::record::{self, Kind, RECORD_HEADER, SEGMENT_HEADER, array, claimed_len};
use crate::Bug;

/// A byte string as text.
fn show(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

/// Every byte of a file of a store. The checksums are those of an engine with this bug.
#[must_use]
pub fn describe(bug: Bug, file_name: &str, bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    match file_name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("log") => {
            if let Some(first) = record::parse_segment_header(bytes) {
                fields.push(Field::new(0..4, "magic", "a segment of the museum"));
                fields.push(Field::new(
                    4..8,
                    "first",
                    format!("its records are of segments from {first} on"),
                ));
                fields.push(Field::new(8..SEGMENT_HEADER, "checksum", "matches"));
                records(bug, bytes, SEGMENT_HEADER, &mut fields);
            } else {
                rest(bytes, 0, "no header of a segment", &mut fields);
            }
        }
        Some("hint") => hint(bytes, &mut fields),
        _ if file_name == "map" && bytes.len() >= 4 => {
            let matches = array(bytes, 0) == Some(crc32fast::hash(&bytes[4..]).to_le_bytes());
            fields.push(Field::new(0..4, "checksum", if matches { "matches" } else { "does not match" }));
            records(bug, bytes, 4, &mut fields);
        }
        _ if file_name == logladder_disk::LOCK_FILE => {
            fields.push(Field::new(0..bytes.len(), "line", show(bytes)));
        }
        _ => rest(bytes, 0, "not a file of a store", &mut fields),
    }
    fields
}

/// What cannot be told apart any further.
fn rest(bytes: &[u8], at: usize, meaning: &str, fields: &mut Vec<Field>) {
    if at < bytes.len() {
        fields.push(Field::new(at..bytes.len(), "bytes", meaning));
    }
}

fn records(bug: Bug, bytes: &[u8], mut at: usize, fields: &mut Vec<Field>) {
    while at < bytes.len() {
        let here = &bytes[at..];
        let len = claimed_len(here).filter(|&len| len <= here.len());
        let (Some(len), Some(kind)) = (len, here.get(4).and_then(|&byte| Kind::of(byte))) else {
            return rest(bytes, at, "no whole record", fields);
        };
        let fits = array(here, 0) == Some(record::checksum(bug, &here[4..len]).to_le_bytes());
        fields.push(Field::new(at..at + 4, "checksum", if fits { "matches" } else { "does not match" }));
        fields.push(Field::new(
            at + 4..at + 5,
            "kind",
            match kind {
                Kind::Value => "value",
                Kind::Tombstone => "tombstone",
                Kind::End => "end of the segment",
            },
        ));
        let stamp = array(here, 5).map_or(0, u64::from_le_bytes);
        fields.push(Field::new(at + 5..at + 13, "stamp", stamp.to_string()));
        let key_len = usize::from(array(here, 13).map_or(0, u16::from_le_bytes));
        let (key, value) = here[RECORD_HEADER..len].split_at(key_len.min(len - RECORD_HEADER));
        fields.push(Field::new(at + 13..at + 15, "key length", key_len.to_string()));
        fields.push(Field::new(at + 15..at + RECORD_HEADER, "value length", value.len().to_string()));
        let middle = at + RECORD_HEADER + key.len();
        if kind != Kind::End {
            fields.push(Field::new(at + RECORD_HEADER..middle, "key", show(key)));
        }
        // A bit may have made another kind of it.
        if kind == Kind::Value || !value.is_empty() {
            fields.push(Field::new(middle..at + len, "value", show(value)));
        }
        at += len;
    }
}

fn hint(bytes: &[u8], fields: &mut Vec<Field>) {
    let number = |at| array(bytes, at).map_or(0, u32::from_le_bytes);
    if bytes.len() < 12 {
        return rest(bytes, 0, "no header of a hint", fields);
    }
    let fits = number(0) == crc32fast::hash(&bytes[4..]);
    fields.push(Field::new(0..4, "checksum", if fits { "matches" } else { "does not match" }));
    fields.push(Field::new(4..8, "first", format!("of the segment that begins with {}", number(4))));
    fields.push(Field::new(8..12, "length", format!("and has {} bytes", number(8))));
    let mut at = 12;
    while at < bytes.len() {
        let key_len = usize::from(array(bytes, at + 17).map_or(0, u16::from_le_bytes));
        let Some(entry) = bytes.get(at..at + 19 + key_len) else {
            return rest(bytes, at, "no whole entry", fields);
        };
        let kind = match Kind::of(entry[0]) {
            Some(Kind::Value) => "value",
            Some(Kind::Tombstone) => "tombstone",
            _ => "unknown",
        };
        let (offset, len) = (number(at + 9), number(at + 13));
        let meaning = format!("{kind} of {}: {len} bytes at {offset}", show(&entry[19..]));
        fields.push(Field::new(at..at + entry.len(), "entry", meaning));
        at += entry.len();
    }
}
