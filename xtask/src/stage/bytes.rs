//! The bytes of a store's files, field by field.

use logladder::disk::crash::Tree;
use logladder::{Field, Stage};

use super::trace::STORE;
use crate::style::{HEADING, QUIET};

/// Bytes on a line of the dump.
const WIDTH: usize = 16;
/// Lines that a single field may take: a long value is shown by its beginning.
const LINES: usize = 2;

/// Prints every file of the store.
pub(super) fn print(stage: &Stage, tree: &Tree) {
    for (path, bytes) in tree.files() {
        let name = path.strip_prefix(STORE).unwrap_or(path).to_string_lossy();
        anstream::println!("\n  {HEADING}{name}{HEADING:#}  {QUIET}{} bytes{QUIET:#}", bytes.len());
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            // A text format is read as text first; the fields tell where each part lies.
            for line in text.lines() {
                println!("      {line}");
            }
            println!();
        }
        let fields = stage.describe(&name, bytes);
        for field in &fields {
            print_field(field, bytes);
        }
        if fields.is_empty() && text.is_none() {
            print_field(&Field::new(0..bytes.len(), "bytes", String::new()), bytes);
        }
    }
}

fn print_field(field: &Field, bytes: &[u8]) {
    let content = bytes.get(field.bytes.clone()).unwrap_or_default();
    let mut lines = content.chunks(WIDTH).take(LINES);
    let hex = |line: &[u8]| {
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.join(" ")
    };
    let first = hex(lines.next().unwrap_or_default());
    anstream::println!(
        "      {QUIET}{:>6}{QUIET:#}  {first:<47}  {:<16} {}",
        field.bytes.start,
        field.name,
        field.meaning
    );
    for line in lines {
        println!("              {}", hex(line));
    }
    if content.len() > WIDTH * LINES {
        anstream::println!("              {QUIET}… {} bytes in all{QUIET:#}", content.len());
    }
}
