//! A line of the append-only file: one operation, as JSON, and a line feed.
//!
//! ```text
//! {"operation":"SET","key":"name","value":"John"}
//! {"operation":"DEL","key":"name"}
//! {"operation":"BATCH","writes":[{"operation":"SET","key":"a","value":"1"},{"operation":"DEL","key":"b"}]}
//! ```
//!
//! A byte string that is UTF-8 stands as a JSON string, whatever it holds: other programs with such files know
//! nothing else. Any other byte string stands as [`logladder_json`] wraps it: `{"$base64":"/wA="}`.
//!
//! A batch is one line, so that a crash which tears it takes it whole.

use logladder_engine::{Batch, Write};

pub(crate) const SET: &[u8] = br#"{"operation":"SET","key":"#;
pub(crate) const VALUE: &[u8] = br#","value":"#;
pub(crate) const DELETE: &[u8] = br#"{"operation":"DEL","key":"#;
const BATCH: &[u8] = br#"{"operation":"BATCH","writes":["#;

/// How every line of every such file begins.
pub(crate) const BEGINNING: &[u8] = br#"{"operation":""#;

/// Appends to `out` the line of an append-only file that sets `key`, with its line feed.
pub fn write_set(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    set(key, value, out);
    out.push(b'\n');
}

/// Appends the line that deletes `key`.
pub(crate) fn write_delete(key: &[u8], out: &mut Vec<u8>) {
    delete(key, out);
    out.push(b'\n');
}

/// Appends the line that does all of `batch`.
pub(crate) fn write_batch(batch: &Batch, out: &mut Vec<u8>) {
    out.extend_from_slice(BATCH);
    for (number, write) in batch.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        match write {
            Write::Set(key, value) => set(key, value, out),
            Write::Delete(key) => delete(key, out),
        }
    }
    out.extend_from_slice(b"]}\n");
}

fn set(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(SET);
    string(key, out);
    out.extend_from_slice(VALUE);
    string(value, out);
    out.push(b'}');
}

fn delete(key: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(DELETE);
    string(key, out);
    out.push(b'}');
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    if is_plain(bytes) {
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
    } else if let Ok(text) = str::from_utf8(bytes) {
        let written = serde_json::to_writer(out, text);
        debug_assert!(written.is_ok(), "writing a string to memory cannot fail");
    } else {
        // No text, so it is wrapped.
        logladder_json::encode(bytes, out);
    }
}

/// Whether `bytes` are ASCII that JSON writes as it is. Without a branch in the loop, so that the processor looks at
/// many of them at once.
fn is_plain(bytes: &[u8]) -> bool {
    let is_special = |byte: u8| u8::from(!(0x20..0x80).contains(&byte) || byte == b'"' || byte == b'\\');
    bytes.iter().fold(0, |found, &byte| found | is_special(byte)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn the_lines_are_exactly_those_of_the_seed() {
        assert_eq!(
            written(|line| write_set(b"name", b"John", line)),
            "{\"operation\":\"SET\",\"key\":\"name\",\"value\":\"John\"}\n"
        );
        assert_eq!(written(|line| write_delete(b"name", line)), "{\"operation\":\"DEL\",\"key\":\"name\"}\n");
    }

    #[test]
    fn text_is_always_a_string_and_other_bytes_are_wrapped() {
        assert_eq!(
            written(|line| write_set("ü\n".as_bytes(), br#"{"a":"\"}"#, line)),
            "{\"operation\":\"SET\",\"key\":\"ü\\n\",\"value\":\"{\\\"a\\\":\\\"\\\\\\\"}\"}\n"
        );
        assert_eq!(
            written(|line| write_set(b"\xFF\0", b"", line)),
            "{\"operation\":\"SET\",\"key\":{\"$base64\":\"/wA=\"},\"value\":\"\"}\n"
        );
    }

    #[test]
    fn a_batch_is_one_line() {
        let mut batch = Batch::new();
        batch.set(b"a", b"1").delete(b"b");
        assert_eq!(
            written(|line| write_batch(&batch, line)),
            concat!(
                r#"{"operation":"BATCH","writes":[{"operation":"SET","key":"a","value":"1"},"#,
                r#"{"operation":"DEL","key":"b"}]}"#,
                "\n"
            )
        );
    }
}
