//! Reading a file of keys and values from its beginning to its end, a record at a time.

use std::cell::RefCell;
use std::fmt;
use std::io::{BufRead, Read};

use anyhow::{Context, Result, anyhow};
use logladder::json;
use logladder_bench::input::RowLines;
use logladder_engine::limits;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Format;
use super::lines::{self, ParseLine, Record};

/// The longest line: a key and a value at their limits, each byte as an escape, and what a format puts around them.
const LONGEST_LINE: u64 = 6 * (limits::MAX_KEY_LEN as u64 + limits::MAX_VALUE_LEN as u64) + 1024;

/// What some editors put before the first byte of UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is shown each record, or what is wrong with it, with the number of its line.
pub(super) type Take<'t> = dyn FnMut(u64, Result<Record<'_>, String>) -> Result<()> + 't;

/// Where the text ends to be JSON, or a quote is never closed: what stands behind it cannot be told apart.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) line: u64,
    what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Broken {}

/// Reads all of `input`.
///
/// # Errors
///
/// It cannot be read; [`Broken`]; or those of `take`.
pub(super) fn read(format: Format, mut input: impl BufRead, take: &mut Take<'_>) -> Result<()> {
    if input.fill_buf().context("cannot read the input")?.starts_with(BYTE_ORDER_MARK) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    if format == Format::Database && input.fill_buf().context("cannot read the input")?.is_empty() {
        let what = "it is empty, where there should be a JSON object".to_owned();
        return Err(Broken { line: 1, what }.into());
    }
    match format {
        Format::JsonLines => by_line(input, lines::json_lines, take),
        Format::Tsv => by_line(input, lines::tsv, take),
        Format::Store => by_line(input, lines::store, take),
        Format::Aof => by_line(input, lines::aof, take),
        Format::Csv => csv(input, take),
        Format::Database => object(input, take),
    }
}

fn by_line(mut input: impl BufRead, parse: ParseLine, take: &mut Take<'_>) -> Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        if read.with_context(|| format!("cannot read line {number}"))? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            continue;
        }
        let records = match str::from_utf8(text) {
            Ok(text) => parse(text),
            Err(error) => Err(format!(
                "byte {} is not UTF-8: write such bytes as b\"\\xff\", or as {{\"$base64\":…}} in JSON",
                error.valid_up_to() + 1
            )),
        };
        match records {
            Ok(records) => records.into_iter().try_for_each(|record| take(number, Ok(record)))?,
            Err(what) => take(number, Err(what))?,
        }
    }
    Ok(())
}

/// A row is shown once the next one is there. Behind the input stands one more, so that a quote which is never closed is
/// seen: it takes that row in, and all rows before it.
fn csv(input: impl Read, take: &mut Take<'_>) -> Result<()> {
    const LAST: &[u8] = b"\nlast";
    let input = RowLines::new(input.chain(LAST));
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let (mut row, mut next) = (csv::ByteRecord::new(), csv::ByteRecord::new());
    let mut number: u64 = 0;
    while rows.read_byte_record(&mut next).context("cannot read the input")? {
        let is = |place, name: &[u8]| row.get(place).is_some_and(|cell| cell.eq_ignore_ascii_case(name));
        let is_heading = number == 1 && is(0, b"key") && is(1, b"value");
        if number > 0 && !is_heading {
            take(rows.get_mut().line_of(&row), csv_record(&row))?;
        }
        std::mem::swap(&mut row, &mut next);
        number += 1;
    }
    if row.len() == 1 && row.get(0) == LAST.strip_prefix(b"\n") {
        return Ok(());
    }
    let what = "a quote that opens in this row is never closed".to_owned();
    Err(Broken { line: rows.get_mut().line_of(&row), what }.into())
}

fn csv_record(row: &csv::ByteRecord) -> Result<Record<'_>, String> {
    match (row.len(), row.get(0), row.get(1)) {
        // A cell is bytes already, so it needs no escapes.
        (2, Some(key), Some(value)) => Ok(Record { key: key.into(), value: Some(value.into()) }),
        (columns, _, _) => Err(format!("{columns} columns where a key and a value make two")),
    }
}

/// Reads one JSON object without having all of it in memory.
fn object(input: impl Read, take: &mut Take<'_>) -> Result<()> {
    /// Takes the members as they come. An error of `take` is put aside, since the parser has its own.
    struct Members<'m, 't> {
        take: &'m mut Take<'t>,
        failed: &'m RefCell<Option<anyhow::Error>>,
    }

    impl<'de> Visitor<'de> for Members<'_, '_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
            let mut number = 0;
            while let Some((name, value)) = members.next_entry::<String, Box<RawValue>>()? {
                number += 1;
                let record = match (json::decode_name(&name), json::decode_raw(&value)) {
                    (Ok(key), Ok(value)) => Ok(Record { key, value: Some(value) }),
                    (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
                };
                if let Err(error) = (self.take)(number, record) {
                    *self.failed.borrow_mut() = Some(error);
                    return Err(serde::de::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }

    let failed = RefCell::new(None);
    let mut parser = serde_json::Deserializer::from_reader(input);
    let parsed = (&mut parser).deserialize_map(Members { take, failed: &failed }).and_then(|()| parser.end());
    if let Some(error) = failed.take() {
        return Err(error);
    }
    match parsed {
        Ok(()) => Ok(()),
        Err(error) if error.is_io() => Err(anyhow!(error).context("cannot read the input")),
        Err(error) => {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            let what = format!("column {}: {what}", error.column());
            Err(Broken { line: error.line() as u64, what }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(format: Format, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        read(format, text.as_bytes(), &mut |line, record| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            found.push(match record {
                Ok(Record { key, value: Some(value) }) => format!("{line} {}={}", text(&key), text(&value)),
                Ok(Record { key, value: None }) => format!("{line} {} deleted", text(&key)),
                Err(what) => format!("{line}: {what}"),
            });
            Ok(())
        })
        .unwrap_or_else(|error| {
            found.push(format!("{}: {error}", error.downcast_ref::<Broken>().unwrap().line));
        });
        found
    }

    #[test]
    fn an_object_is_read_member_by_member_and_what_is_none_is_named_with_its_line() {
        let two = texts(Format::Database, "\u{feff}{\"1\": {\"name\": \"anna\"},\n \"2\": \"bob\"}\n");
        assert_eq!(two, ["1 1={\"name\":\"anna\"}", "2 2=bob"]);
        assert_eq!(texts(Format::Database, "{\"1\":1,\n\"2\":}"), ["1 1=1", "2: column 5: expected value"]);
        assert!(texts(Format::Database, "[1]")[0].contains("one JSON object"));
        assert_eq!(texts(Format::Database, "{} x"), ["1: column 4: trailing characters"]);
    }

    #[test]
    fn bad_lines_have_their_numbers_and_empty_ones_are_left_out() {
        let found = texts(Format::Tsv, "a\t1\r\n\nb\nc\t3");
        assert_eq!(found, ["1 a=1", "3: no tab between a key and a value", "4 c=3"]);
        let found = texts(Format::Csv, "KEY,value\n\"a\nb\",1\nc\nd,2");
        assert_eq!(found, ["2 a\nb=1", "4: 1 columns where a key and a value make two", "5 d=2"]);
    }
}
