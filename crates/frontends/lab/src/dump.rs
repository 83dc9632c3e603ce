//! A file's bytes, field by field, with what each field says.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use logladder_disk::LOCK_FILE;
use logladder_engine::Field;

use crate::starter::Describe;

/// Bytes on a line.
const WIDTH: usize = 16;
/// Lines that a single field may take.
const LINES: usize = 2;
/// Fields that are shown of one file: the first and the last of it, which in a log are the newest, and those around a byte
/// that was damaged.
const FIRST: usize = 12;
const LAST: usize = 24;
const AROUND: usize = 12;

/// A line of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) offset: usize,
    pub(crate) hex: String,
    /// What the format calls it; empty if the line goes on with the field before.
    pub(crate) name: String,
    pub(crate) meaning: String,
    /// Whether it holds the byte that was damaged.
    pub(crate) is_marked: bool,
}

/// The fields of a file: all of them, or, of many, those that say the most. `marked` is a byte to point at.
pub(crate) fn lines(describe: Describe, file: &str, bytes: &[u8], marked: Option<usize>) -> Vec<Line> {
    let fields = fields(describe, file, bytes);
    let damaged = marked.and_then(|byte| fields.iter().position(|field| field.bytes.contains(&byte)));
    let is_shown = |place: usize| {
        place < FIRST
            || place + LAST >= fields.len()
            || damaged.is_some_and(|damaged| place.abs_diff(damaged) <= AROUND)
    };
    let mut lines = Vec::new();
    let mut left_out = 0;
    for (place, field) in fields.iter().enumerate() {
        if !is_shown(place) {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            lines.push(note(field.bytes.start, format!("… {left_out} fields are left out before this")));
            left_out = 0;
        }
        lines.extend(lines_of(field, bytes, marked));
    }
    lines
}

/// The files that are shown of many: the first, and the last, which are the newest where they are numbered.
pub(crate) fn of_many<T>(files: &[T]) -> (&[T], usize, &[T]) {
    const FIRST: usize = 3;
    const LAST: usize = 9;
    match files.len().checked_sub(FIRST + LAST) {
        None | Some(0) => (files, 0, &[]),
        Some(left_out) => (&files[..FIRST], left_out, &files[files.len() - LAST..]),
    }
}

/// What the engine's author says of the bytes; where that makes no sense, the bytes alone.
fn fields(describe: Describe, file: &str, bytes: &[u8]) -> Vec<Field> {
    if file == LOCK_FILE {
        let said = String::from_utf8_lossy(bytes).trim_end().to_owned();
        return vec![Field::new(0..bytes.len(), "owner", said)];
    }
    let told = catch_unwind(AssertUnwindSafe(|| describe(file, bytes))).unwrap_or_default();
    let makes_sense = |field: &Field| field.bytes.start <= field.bytes.end && field.bytes.end <= bytes.len();
    if !told.is_empty() && told.iter().all(makes_sense) {
        return told.into_iter().filter(|field| !field.bytes.is_empty()).collect();
    }
    let all: Range<usize> = 0..bytes.len();
    all.step_by(WIDTH)
        .map(|start| {
            let part = start..(start + WIDTH).min(bytes.len());
            let text: String = bytes[part.clone()]
                .iter()
                .map(|&byte| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '.' })
                .collect();
            Field::new(part, "", text)
        })
        .collect()
}

fn lines_of(field: &Field, bytes: &[u8], marked: Option<usize>) -> Vec<Line> {
    let content = &bytes[field.bytes.clone()];
    let mut lines: Vec<Line> = Vec::new();
    for (number, part) in content.chunks(WIDTH).take(LINES).enumerate() {
        let offset = field.bytes.start + number * WIDTH;
        lines.push(Line {
            offset,
            hex: hex(part),
            name: if number == 0 { field.name.to_owned() } else { String::new() },
            meaning: if number == 0 { shortened(&field.meaning) } else { String::new() },
            is_marked: marked.is_some_and(|byte| (offset..offset + part.len()).contains(&byte)),
        });
    }
    if content.len() > WIDTH * LINES {
        let what = format!("… {} bytes in all", content.len());
        let is_marked = marked.is_some_and(|byte| field.bytes.contains(&byte))
            && !lines.iter().any(|line| line.is_marked);
        lines.push(Line { is_marked, ..note(field.bytes.start + WIDTH * LINES, what) });
    }
    lines
}

/// Two digits a byte, set apart.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}

fn note(offset: usize, meaning: String) -> Line {
    Line { offset, hex: String::new(), name: String::new(), meaning, is_marked: false }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The byte and the file that a moment of damage speaks of: `bit 3 of byte 17 of /store/log is flipped`.
pub(crate) fn marked_in(moment: &str) -> Option<(String, usize)> {
    let (_, rest) = moment.split_once(" of byte ")?;
    let (byte, rest) = rest.split_once(" of ")?;
    let path = rest.split(" is flipped").next()?;
    let file = path.strip_prefix("/store/").unwrap_or(path);
    Some((file.to_owned(), byte.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_that_makes_no_sense_is_left_out_and_the_bytes_are_shown() {
        for describe in [
            (|_, _| vec![Field::new(0..99, "too long", "")]) as Describe,
            |_, _| panic!("on purpose"),
            |_, _| Vec::new(),
        ] {
            let _noted = crate::panics::Watch::begin();
            let lines = lines(describe, "log", b"0123456789abcdef!", None);
            let told: Vec<(&str, &str)> =
                lines.iter().map(|line| (line.name.as_str(), line.meaning.as_str())).collect();
            assert_eq!(told, [("", "0123456789abcdef"), ("", "!")]);
        }
    }

    #[test]
    fn the_damaged_byte_is_found_in_the_words_and_marked_however_far_behind_it_is() {
        let found = marked_in("bit 3 of byte 170 of /store/log is flipped");
        assert_eq!(found, Some(("log".to_owned(), 170)));
        let describe: Describe =
            |_, bytes| (0..bytes.len()).map(|at| Field::new(at..at + 1, "byte", "")).collect();
        let lines = lines(describe, "log", &[0; 300], Some(170));
        assert_eq!(
            lines.iter().filter(|line| line.is_marked).map(|line| line.offset).collect::<Vec<_>>(),
            [170]
        );
        let told: Vec<&str> = lines.iter().map(|line| line.meaning.as_str()).collect();
        assert_eq!(told.iter().filter(|meaning| meaning.contains("left out")).count(), 2, "{told:?}");
    }

    #[test]
    fn of_a_long_log_the_newest_record_is_shown_and_the_first() {
        let describe: Describe =
            |_, bytes| (0..bytes.len()).map(|at| Field::new(at..at + 1, "record", at.to_string())).collect();
        let lines = lines(describe, "log", &[0; 300], None);
        let told: Vec<&str> = lines.iter().map(|line| line.meaning.as_str()).collect();
        assert_eq!((told.first(), told.last()), (Some(&"0"), Some(&"299")));
        assert_eq!(told.len(), FIRST + 1 + LAST);
        assert_eq!(told[FIRST], "… 264 fields are left out before this");
    }

    #[test]
    fn of_many_files_the_last_ones_are_shown() {
        let files: Vec<usize> = (0..100).collect();
        assert_eq!(of_many(&files), (&files[..3], 88, &files[91..]));
        assert_eq!(of_many(&files[..12]), (&files[..12], 0, &files[..0]));
    }
}
