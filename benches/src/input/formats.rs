//! Reading an input file, line by line: what is a record, what is a bad line, and which line it is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use logladder_engine::limits;
use serde_json::Value;

use super::{FileSource, Format, Header, Records, RowLines};
use crate::Failure;

/// How many skipped lines are kept to be shown.
const SHOWN_BAD_LINES: usize = 100;
/// The longest line that is read: a key and a value at their limits, and what a format puts around them.
const LONGEST_LINE: usize = limits::MAX_KEY_LEN + limits::MAX_VALUE_LEN + 1024;
/// What some editors put before the first byte of UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

type Entry = (Vec<u8>, Vec<u8>);

/// Reads a whole file.
pub(super) fn read(source: &FileSource) -> Result<Records, Failure> {
    let file = File::open(&source.path).map_err(|error| unreadable(source, &error))?;
    let records = read_from(source, file)?;
    if records.entries.is_empty() {
        let what = match records.skipped.first() {
            Some((line, what)) => format!("no line of it is a record; line {line}: {what}"),
            None => "it holds no record".into(),
        };
        return Err(Failure::Input { path: source.path.clone(), line: None, what });
    }
    Ok(records)
}

fn read_from(source: &FileSource, file: impl Read) -> Result<Records, Failure> {
    let mut reader = BufReader::new(file);
    let start = reader.fill_buf().map_err(|error| unreadable(source, &error))?;
    if start.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    let mut collector = Collector {
        source,
        records: Records { origin: source.path.display().to_string(), ..Records::default() },
    };
    match source.format {
        Format::JsonLines => read_lines(reader, &mut collector, json_record)?,
        Format::Tsv => read_lines(reader, &mut collector, tsv_record)?,
        Format::Csv => read_csv(reader, &mut collector)?,
    }
    Ok(collector.records)
}

fn unreadable(source: &FileSource, error: &dyn std::error::Error) -> Failure {
    Failure::Input { path: source.path.clone(), line: None, what: format!("it cannot be read: {error}") }
}

/// Keeps records, and decides what a bad line means.
struct Collector<'s> {
    source: &'s FileSource,
    records: Records,
}

impl Collector<'_> {
    fn take(&mut self, line: u64, record: Result<Entry, String>) -> Result<(), Failure> {
        let record = record.and_then(|(key, value)| match limits::check_entry(&key, &value) {
            Ok(()) => Ok((key, value)),
            Err(error) => Err(error.to_string()),
        });
        match record {
            Ok(entry) => self.records.entries.push(entry),
            Err(what) if self.source.skip_bad_lines => {
                self.records.skipped_count += 1;
                if self.records.skipped.len() < SHOWN_BAD_LINES {
                    self.records.skipped.push((line, what));
                }
            }
            Err(what) => {
                let path = self.source.path.clone();
                return Err(Failure::Input { path, line: Some(line), what });
            }
        }
        Ok(())
    }
}

fn read_lines(
    mut reader: impl BufRead,
    collector: &mut Collector<'_>,
    parse: fn(&[u8]) -> Result<Entry, String>,
) -> Result<(), Failure> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line);
        if read.map_err(|error| unreadable(collector.source, &error))? == 0 {
            break;
        }
        if line.len() > LONGEST_LINE {
            let what = format!("a line of more than {LONGEST_LINE} bytes: this is no such file");
            let path = collector.source.path.clone();
            return Err(Failure::Input { path, line: Some(number), what });
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !text.is_empty() {
            collector.take(number, parse(text))?;
        }
    }
    Ok(())
}

fn tsv_record(line: &[u8]) -> Result<Entry, String> {
    match line.iter().position(|&byte| byte == b'\t') {
        Some(tab) => Ok((line[..tab].to_vec(), line[tab + 1..].to_vec())),
        None => Err("no tab between a key and a value".into()),
    }
}

fn json_record(line: &[u8]) -> Result<Entry, String> {
    const WANTED: &str = r#"neither {"key": …, "value": …} nor [key, value]"#;
    let value = serde_json::from_slice(line).map_err(|error| {
        // The line is one of a file: only the column says something.
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        format!("not JSON at column {}: {what}", error.column())
    })?;
    let (key, value) = match value {
        Value::Object(mut fields) => match (fields.remove("key"), fields.remove("value")) {
            (Some(key), Some(value)) => (key, value),
            (None, _) => return Err("the object has no field `key`".into()),
            (_, None) => return Err("the object has no field `value`".into()),
        },
        Value::Array(items) => match <[Value; 2]>::try_from(items) {
            Ok([key, value]) => (key, value),
            Err(items) => return Err(format!("an array of {} where [key, value] has two", items.len())),
        },
        _ => return Err(WANTED.into()),
    };
    Ok((json_bytes(key), json_bytes(value)))
}

fn json_bytes(value: Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.into_bytes(),
        other => other.to_string().into_bytes(),
    }
}

fn read_csv(reader: impl Read, collector: &mut Collector<'_>) -> Result<(), Failure> {
    let mut rows =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(RowLines::new(reader));
    let mut row = csv::ByteRecord::new();
    let mut first = true;
    loop {
        match rows.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(unreadable(collector.source, &io::Error::other(error))),
        }
        if !(std::mem::take(&mut first) && is_header(&row, collector.source.header)) {
            let line = rows.get_mut().line_of(&row);
            collector.take(line, csv_record(&row))?;
        }
    }
}

fn is_header(row: &csv::ByteRecord, header: Header) -> bool {
    let cell =
        |place, name: &str| row.get(place).is_some_and(|cell| cell.eq_ignore_ascii_case(name.as_bytes()));
    match header {
        Header::Yes => true,
        Header::No => false,
        Header::Detect => cell(0, "key") && cell(1, "value"),
    }
}

fn csv_record(row: &csv::ByteRecord) -> Result<Entry, String> {
    match (row.get(0), row.get(1)) {
        (Some(key), Some(value)) => Ok((key.to_vec(), value.to_vec())),
        _ => Err("one column where a key and a value make two".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn source(format: Format) -> FileSource {
        FileSource::with_format(Path::new("in"), format)
    }

    fn texts(records: &Records) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        records.entries.iter().map(|(key, value)| (text(key), text(value))).collect()
    }

    fn read_text(source: &FileSource, text: &str) -> Result<Records, Failure> {
        read_from(source, text.as_bytes())
    }

    #[test]
    fn json_lines_may_be_objects_or_pairs_and_hold_any_json() {
        let text = "\u{feff}{\"key\":\"a\",\"value\":\"1\",\"more\":0}\r\n\n[\"b\", {\"z\": 1, \"y\": [null]}]\n[2,\"\"]";
        let records = read_text(&source(Format::JsonLines), text).unwrap();
        assert_eq!(texts(&records), [("a", "1"), ("b", r#"{"y":[null],"z":1}"#), ("2", "")]);
    }

    #[test]
    fn tab_separated_lines_keep_every_byte_after_the_first_tab() {
        let records = read_text(&source(Format::Tsv), "a\t1\t2 \nb\t\n\tempty key\r\n").unwrap();
        assert_eq!(texts(&records), [("a", "1\t2 "), ("b", ""), ("", "empty key")]);
    }

    #[test]
    fn csv_takes_two_columns_with_or_without_a_header() {
        let text = "Key,VALUE\n\"a,\"\"b\",\"two\nlines\",rest\nc,d\n";
        let mut csv = source(Format::Csv);
        let without = [("a,\"b", "two\nlines"), ("c", "d")];
        assert_eq!(texts(&read_text(&csv, text).unwrap()), without);
        csv.header = Header::No;
        assert_eq!(texts(&read_text(&csv, text).unwrap())[0], ("Key", "VALUE"));
        csv.header = Header::Yes;
        assert_eq!(texts(&read_text(&csv, "code,name\nc,d\n").unwrap()), [("c", "d")]);
    }

    #[test]
    fn a_bad_line_is_refused_with_file_and_line_number() {
        for (format, text, expected) in [
            (Format::Tsv, "a\t1\n\nb 2\n", "in:3: no tab between a key and a value"),
            (Format::Csv, "a,1\n\"b\nb\",2\nc\n", "in:4: one column where a key and a value make two"),
            (Format::JsonLines, "[1,2]\n[1,2,3]\n", "in:2: an array of 3 where [key, value] has two"),
            (Format::JsonLines, "{\"value\":1}\n", "in:1: the object has no field `key`"),
            (Format::JsonLines, "{\"key\":1}\n", "in:1: the object has no field `value`"),
            (Format::JsonLines, "7\n", r#"in:1: neither {"key": …, "value": …} nor [key, value]"#),
            (Format::JsonLines, "[1,\n", "in:1: not JSON at column 3: EOF while parsing a value"),
        ] {
            assert_eq!(read_text(&source(format), text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn bad_lines_are_skipped_and_counted_if_that_is_asked_for() {
        let mut tsv = source(Format::Tsv);
        tsv.skip_bad_lines = true;
        let long_key = "k".repeat(limits::MAX_KEY_LEN + 1);
        let records = read_text(&tsv, &format!("a\t1\nbad\nb\t2\n{long_key}\t3\n")).unwrap();
        assert_eq!(texts(&records), [("a", "1"), ("b", "2")]);
        assert_eq!(records.skipped_count, 2);
        let lines: Vec<u64> = records.skipped.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4]);
        assert!(records.skipped[1].1.contains("65536"), "{:?}", records.skipped);
    }

    #[test]
    fn a_file_without_records_or_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = tempfile::NamedTempFile::new().unwrap();
        let file = |path: &Path| read(&FileSource::with_format(path, Format::Tsv)).unwrap_err().to_string();
        assert!(file(empty.path()).ends_with(": it holds no record"));
        assert!(file(folder.path()).contains(": it cannot be read: "));
        assert!(file(&folder.path().join("absent")).contains("absent: it cannot be read: "));
    }
}
