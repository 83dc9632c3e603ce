//! An exhibit as lines of text, for a terminal and for a page.

use std::cmp::Reverse;

use crate::{Bug, Exhibit, Trace, avoided, describe, patch, trace};

/// What a line is, so that a terminal can colour it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A heading.
    Heading,
    /// What something says.
    Plain,
    /// A line of the right code.
    Right,
    /// A line of the wrong code, or what was found.
    Wrong,
    /// What was done.
    Deed,
    /// What can be read later.
    Quiet,
}

/// A line, and what it is.
pub type Line = (Tone, String);

/// Bytes on a line of a dump.
const WIDTH: usize = 12;

/// So many files are dumped, and so many fields of each.
const FILES: usize = 3;
const FIELDS: usize = 32;

/// So many letters of a line of prose.
const COLUMNS: usize = 110;

/// The right code and the wrong, as a small diff: `-` what the right engine does, `+` what this one does instead.
#[must_use]
pub fn patch_lines(exhibit: &Exhibit) -> Vec<Line> {
    let Some(patch) = patch(exhibit.bug, exhibit.name) else { return Vec::new() };
    let right = patch.right.iter().map(|line| (Tone::Right, format!("- {line}")));
    let wrong = patch.wrong.iter().map(|line| (Tone::Wrong, format!("+ {line}")));
    right.chain(wrong).collect()
}

/// What was done, when, what should have been found, and what was.
#[must_use]
pub fn trace_lines(trace: &Trace) -> Vec<Line> {
    let mut lines: Vec<Line> = trace
        .steps
        .iter()
        .enumerate()
        .map(|(number, step)| (Tone::Deed, format!("{:>3}  {step}", number + 1)))
        .collect();
    // A moment tells of several things, with semicolons between.
    let moments = trace.moment.split("; ").filter(|moment| !moment.is_empty());
    lines.extend(moments.map(|moment| (Tone::Deed, format!("     {moment}"))));
    lines.push((Tone::Right, format!("expected: {}", trace.expected)));
    lines.push((Tone::Wrong, format!("found:    {}", one_line(&trace.found))));
    lines
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

/// The files that were there at that moment, field by field. Of many, those that what was found is about.
#[must_use]
pub fn dump_lines(bug: Bug, trace: &Trace) -> Vec<Line> {
    let told = format!("{} {}", trace.moment, trace.found);
    let is_told = |name: &str| told.contains(name);
    let mut files: Vec<&(String, Vec<u8>)> =
        trace.files.iter().filter(|(name, _)| name != logladder_disk::LOCK_FILE).collect();
    let all = files.len();
    if all > FILES {
        // Those that are told of first; then segments, which hints only repeat; among them, the newest.
        let is_hint = |name: &str| name.rsplit_once('.').is_some_and(|(_, extension)| extension == "hint");
        files.sort_by_key(|(name, _)| (!is_told(name), is_hint(name), Reverse(name.clone())));
        files.truncate(FILES);
        files.sort();
    }
    let left_out = all - files.len();
    let mut lines = Vec::new();
    for (name, bytes) in files {
        lines.push((Tone::Heading, format!("{name}, {} bytes", bytes.len())));
        let fields = describe(bug, name, bytes);
        let name_width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
        for field in fields.iter().take(FIELDS) {
            let content = bytes.get(field.bytes.clone()).unwrap_or_default();
            let digits: Vec<String> = content.iter().take(WIDTH).map(|byte| format!("{byte:02x}")).collect();
            let more = if content.len() > WIDTH { " …" } else { "" };
            let meaning: String = field.meaning.chars().take(60).collect();
            let cut = if meaning.len() < field.meaning.len() { "…" } else { "" };
            let (digits, field_name) = (digits.join(" ") + more, field.name);
            let line =
                format!("{:>6}  {digits:<37}  {field_name:<name_width$}  {meaning}{cut}", field.bytes.start);
            lines.push((Tone::Plain, line.trim_end().to_owned()));
        }
        if fields.len() > FIELDS {
            lines.push((Tone::Quiet, format!("        … {} fields more", fields.len() - FIELDS)));
        }
    }
    if left_out > 0 {
        lines.push((Tone::Quiet, format!("… and {left_out} files more")));
    }
    lines
}

/// The whole exhibit. `None` if the contract does not notice the bug.
#[must_use]
pub fn exhibit_lines(exhibit: &Exhibit) -> Option<Vec<Line>> {
    let trace = trace(exhibit)?;
    let number = exhibit.number.map_or("–".to_owned(), |number| number.to_string());
    let heading = |text: &str| [(Tone::Plain, String::new()), (Tone::Heading, text.to_owned())];
    let mut lines = vec![(Tone::Heading, format!("{number} {}: {}", exhibit.name, exhibit.wrong))];
    lines.extend(wrapped(exhibit.story, "  "));
    if let Some(patch) = patch(exhibit.bug, exhibit.name) {
        lines.extend(heading("The code: - what is right, + what this engine does"));
        lines.push((Tone::Quiet, format!("  {}:{}", patch.file, patch.line)));
        lines.extend(indented(patch_lines(exhibit)));
    }
    lines.extend(heading(&format!("What shows it: {}", exhibit.shown_by.check())));
    lines.extend(indented(trace_lines(&trace)));
    let dump = dump_lines(exhibit.bug, &trace);
    if !dump.is_empty() {
        lines.extend(heading("The bytes that were found"));
        lines.extend(indented(dump));
    }
    lines.extend(heading("What avoids it"));
    lines.extend(wrapped(exhibit.remedy, "  "));
    for avoided in exhibit.number.map(avoided).unwrap_or_default() {
        lines.push((Tone::Plain, format!("  {}: {}", avoided.stage, avoided.tests.join(", "))));
    }
    Some(lines)
}

fn indented(lines: Vec<Line>) -> impl Iterator<Item = Line> {
    lines.into_iter().map(|(tone, line)| (tone, format!("  {line}")))
}

/// Prose, broken between words.
fn wrapped(text: &str, indent: &str) -> Vec<Line> {
    let (mut lines, mut line) = (Vec::new(), indent.to_owned());
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() >= COLUMNS {
            lines.push((Tone::Plain, line.trim_end().to_owned()));
            indent.clone_into(&mut line);
        }
        line.push_str(word);
        line.push(' ');
    }
    lines.push((Tone::Plain, line.trim_end().to_owned()));
    lines
}
