//! `--bytes`: the bytes of a store's files, field by field, and what each operation changed of them.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use logladder::disk::crash::Tree;
use logladder::{Field, Stage};
use serde::Serialize;

use super::changes::{self, Change};
use super::lesson::{Performed, STORE};
use super::paint::Paint;
use crate::style::{BAD, DEED, GOOD, HEADING, QUIET};

/// Bytes on a line of the dump.
const WIDTH: usize = 16;
/// Lines that a single field may take: a long value is shown by its beginning.
const LINES: usize = 2;

/// So many bytes of a field are written out as JSON: a reserve of a megabyte of zeros says nothing.
const MOST_HEX: usize = 4_096;

/// A file, with the name of each of its bytes.
#[derive(Debug, Serialize)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) length: usize,
    pub(super) fields: Vec<Named>,
}

/// A run of bytes that means one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Named {
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) name: &'static str,
    pub(super) meaning: String,
    /// The bytes, in hexadecimal digits; of a longer run, the first [`MOST_HEX`] bytes.
    pub(super) hex: String,
    #[serde(skip)]
    content: Vec<u8>,
}

impl Named {
    fn of(field: &Field, bytes: &[u8]) -> Self {
        let content = bytes.get(field.bytes.clone()).unwrap_or_default().to_vec();
        Self {
            offset: field.bytes.start,
            length: content.len(),
            name: field.name,
            meaning: field.meaning.clone(),
            hex: digits(&content),
            content,
        }
    }

    /// The field without what lies outside of `within`, if it is longer than is shown.
    pub(super) fn clipped(self, within: &Range<usize>) -> Self {
        if self.length <= WIDTH * LINES {
            return self;
        }
        let start = within.start.clamp(self.offset, self.end());
        let end = within.end.clamp(start, self.end());
        let content = self.content.get(start - self.offset..end - self.offset).unwrap_or_default().to_vec();
        let hex = digits(&content);
        Self { offset: start, length: content.len(), hex, content, ..self }
    }

    pub(super) fn end(&self) -> usize {
        self.offset + self.length
    }
}

fn digits(content: &[u8]) -> String {
    content.iter().take(MOST_HEX).fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The fields of one of the store's files. Bytes to which the stage gives no name have one here as well.
pub(super) fn fields_of(stage: &Stage, name: &str, bytes: &[u8]) -> Vec<Named> {
    let mut fields: Vec<Field> = stage.describe(name, bytes);
    fields.sort_by_key(|field| field.bytes.start);
    let mut named = Vec::new();
    let mut end = 0;
    for field in &fields {
        if field.bytes.start > end {
            named.push(Named::of(&unnamed(end..field.bytes.start, bytes), bytes));
        }
        named.push(Named::of(field, bytes));
        end = end.max(field.bytes.end);
    }
    if end < bytes.len() {
        named.push(Named::of(&unnamed(end..bytes.len(), bytes), bytes));
    }
    named
}

/// What stands between fields is what sets them apart, in a text; anything else is just bytes.
fn unnamed(place: Range<usize>, bytes: &[u8]) -> Field {
    let content = bytes.get(place.clone()).unwrap_or_default();
    let is_text = content.iter().all(|byte| byte.is_ascii_punctuation() || *byte == b' ');
    match std::str::from_utf8(content) {
        Ok(text) if is_text => Field::new(place, "punctuation", text),
        _ => Field::new(place, "bytes", ""),
    }
}

/// Every file of the store.
pub(super) fn files(stage: &Stage, tree: &Tree) -> Vec<File> {
    let file = |(path, bytes): (&Path, &[u8])| {
        let name = path.strip_prefix(STORE).unwrap_or(path).to_string_lossy().into_owned();
        let fields = fields_of(stage, &name, bytes);
        File { name, length: bytes.len(), fields }
    };
    tree.files().map(file).collect()
}

/// Prints every file of the store.
pub(super) fn print(stage: &Stage, tree: &Tree, paint: &mut Paint) {
    let files = files(stage, tree);
    if files.is_empty() {
        println!("\n  none: this stage has no file, which is expected of it");
    }
    for (file, (_, bytes)) in files.iter().zip(tree.files()) {
        anstream::println!("\n  {HEADING}{}{HEADING:#}  {QUIET}{} bytes{QUIET:#}", file.name, file.length);
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            // A text format is read as text first; the fields tell where each part lies.
            for line in text.lines() {
                println!("      {line}");
            }
            println!();
        }
        for field in &file.fields {
            print_field(field, "      ", paint);
        }
    }
}

/// Prints what each operation changed, and at the end every file.
pub(super) fn print_lesson(stage: &Stage, performed: &[Performed]) {
    let mut paint = Paint::default();
    anstream::println!("{HEADING}Before and after{HEADING:#}: what each operation changes of the files");
    for step in performed {
        anstream::println!("\n  {DEED}{}{DEED:#}", step.title);
        let changes = changes::between(stage, &step.before, &step.after);
        if changes.is_empty() {
            anstream::println!("      {QUIET}no file changes{QUIET:#}");
        }
        for change in &changes {
            print_change(change, &mut paint);
        }
    }
    anstream::println!("\n{HEADING}The bytes on the disk{HEADING:#} after them, each with its name");
    if let Some(last) = performed.last() {
        print(stage, &last.after, &mut paint);
    }
}

fn print_change(change: &Change, paint: &mut Paint) {
    anstream::println!("      {HEADING}{}{HEADING:#}  {QUIET}{}{QUIET:#}", change.file, change.summary());
    for field in &change.taken {
        print_field(field, &format!("    {BAD}−{BAD:#} "), paint);
    }
    for field in &change.put {
        print_field(field, &format!("    {GOOD}+{GOOD:#} "), paint);
    }
}

fn print_field(field: &Named, margin: &str, paint: &mut Paint) {
    let colour = paint.of(field.name);
    let mut lines = field.content.chunks(WIDTH).take(LINES);
    let hex = |line: &[u8]| {
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.join(" ")
    };
    let first = hex(lines.next().unwrap_or_default());
    let (offset, name, meaning) = (field.offset, field.name, &field.meaning);
    let line = format!(
        "{margin}{QUIET}{offset:>6}{QUIET:#}  {colour}{first:<47}{colour:#}  {colour}{name:<16}{colour:#} {meaning}"
    );
    anstream::println!("{}", line.trim_end());
    let margin = " ".repeat(14);
    for line in lines {
        anstream::println!("{margin}{colour}{}{colour:#}", hex(line));
    }
    if field.length > WIDTH * LINES {
        anstream::println!("{margin}{QUIET}… {} bytes in all{QUIET:#}", field.length);
    }
}

/// What `--bytes --json` prints.
#[derive(Debug, Serialize)]
struct Lesson<'l> {
    stage: &'static str,
    steps: Vec<Step<'l>>,
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct Step<'l> {
    operation: &'l str,
    disk: &'l [String],
    changes: Vec<Change>,
}

/// The same as JSON text.
pub(super) fn json(stage: &Stage, performed: &[Performed]) -> Result<String> {
    let step = |step: &'_ Performed| changes::between(stage, &step.before, &step.after);
    let steps = performed
        .iter()
        .map(|one| Step { operation: &one.title, disk: &one.deeds, changes: step(one) })
        .collect();
    let files = performed.last().map(|last| files(stage, &last.after)).unwrap_or_default();
    Ok(serde_json::to_string_pretty(&Lesson { stage: stage.name, steps, files })?)
}

#[cfg(test)]
mod tests {
    use logladder::STAGES;

    use super::super::lesson::perform;
    use super::*;

    #[test]
    fn every_byte_of_every_file_has_a_name_and_is_in_the_dump_once() {
        for stage in STAGES {
            let performed = perform(stage).unwrap();
            let tree = &performed.last().unwrap().after;
            for (file, (_, bytes)) in files(stage, tree).iter().zip(tree.files()) {
                let mut end = 0;
                for field in &file.fields {
                    assert_eq!(field.offset, end, "{} {}: {}", stage.name, file.name, field.name);
                    assert!(!field.name.is_empty());
                    end = field.end();
                }
                assert_eq!(end, bytes.len(), "{} {}", stage.name, file.name);
            }
        }
    }

    #[test]
    fn bytes_that_a_stage_has_no_name_for_are_shown_all_the_same() {
        let scan_log = logladder::stage("scan-log").unwrap();
        let fields = fields_of(scan_log, "a stranger", b"123");
        assert_eq!((fields[0].name, fields[0].length), ("bytes", 3));
    }

    #[test]
    fn the_json_holds_what_each_operation_changed() {
        let scan_log = logladder::stage("scan-log").unwrap();
        let text = json(scan_log, &perform(scan_log).unwrap()).unwrap();
        let lesson: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(lesson["steps"][1]["operation"], "set test-1 value-1");
        let put = lesson["steps"][1]["changes"][0]["put"].as_array().unwrap();
        assert!(put.iter().any(|field| field["hex"].as_str().unwrap().contains("746573742d31")), "{text}");
    }
}
