//! [`patch`]: a bug as a change of the right code. It is cut out of the engine's source, where both stand: nobody has typed
//! it a second time.

use crate::Bug;

/// The sources, and where they are in the repository.
const SOURCES: [(&str, &str); 8] = [
    ("crates/base/museum/src/engine/mod.rs", include_str!("engine/mod.rs")),
    ("crates/base/museum/src/engine/open.rs", include_str!("engine/open.rs")),
    ("crates/base/museum/src/engine/compact.rs", include_str!("engine/compact.rs")),
    ("crates/base/museum/src/engine/segments.rs", include_str!("engine/segments.rs")),
    ("crates/base/museum/src/engine/record.rs", include_str!("engine/record.rs")),
    ("crates/base/museum/src/engine/scan.rs", include_str!("engine/scan.rs")),
    ("crates/base/museum/src/engine/hint.rs", include_str!("engine/hint.rs")),
    ("crates/base/museum/src/late.rs", include_str!("late.rs")),
];

/// A small change of the right code that makes a bug of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The source file, from the root of the repository.
    pub file: &'static str,
    /// The line in it, from 1, where the engine asks about the bug.
    pub line: usize,
    /// The right code.
    pub right: Vec<String>,
    /// What the bug makes of it.
    pub wrong: Vec<String>,
}

/// The patch of a bug, by the name of its anchors. `None` if there is no such bug.
#[must_use]
pub fn patch(bug: Bug, name: &str) -> Option<Patch> {
    SOURCES.iter().find_map(|(file, source)| {
        let (begin, end) = (format!("// ANCHOR: {name}\n"), format!("// ANCHOR_END: {name}\n"));
        let start = source.find(&begin)? + begin.len();
        let inside = &source[start..start + source[start..].find(&end)?];
        let [right, wrong] = sides(bug, inside.trim_end())?;
        Some(Patch { file, line: source[..start].lines().count() + 1, right, wrong })
    })
}

/// The code without the question whether there is the bug: if there is none, and if there is.
fn sides(bug: Bug, code: &str) -> Option<[Vec<String>; 2]> {
    let asked = code.find(&format!("Bug::{bug:?}"))?;
    let start = code[..asked].rfind("if ")?;
    let open = asked + code[asked..].find('{')?;
    let (then, after_then) = block(code, open)?;
    let (otherwise, after) = match code[after_then..].strip_prefix(" else ") {
        Some(rest) if rest.starts_with('{') => block(code, after_then + " else ".len())?,
        // `else if` is an `if` where there is no bug.
        Some(rest) => (rest, code.len()),
        None => ("", after_then),
    };
    // `if bug == Bug::X && rest { … }` is `if rest { … }` where there is the bug.
    let question = &code[start..open];
    let (of_bug, rest) = question.split_once("&&").unwrap_or((question, ""));
    let then = if rest.is_empty() {
        then.to_owned()
    } else {
        let rest = rest.trim();
        let bare = match rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            Some(bare) => bare.replace("\n    ", "\n"),
            None => rest.to_owned(),
        };
        let brace = if bare.contains('\n') { "\n{" } else { " {" };
        format!("if {bare}{brace}{then}}}")
    };
    let sides = if of_bug.contains("==") { [otherwise, then.as_str()] } else { [then.as_str(), otherwise] };
    Some(sides.map(|side| lines(&code[..start], side, &code[after..])))
}

/// What stands between the brace at `open` and the one that closes it, and where the text goes on.
fn block(code: &str, open: usize) -> Option<(&str, usize)> {
    let mut depth = 0_usize;
    for (place, letter) in code.char_indices().skip_while(|(place, _)| *place < open) {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some((&code[open + 1..place], place + 1));
        }
    }
    None
}

/// One side between what stands before the question and behind it, as lines without what they are all indented by.
fn lines(before: &str, side: &str, behind: &str) -> Vec<String> {
    let (before, side) = (before.trim(), side.trim_end());
    let text = if before.is_empty() {
        format!("{side}{behind}")
    } else {
        // An expression. What stands behind it goes before its remark.
        match side.trim().split_once(" //") {
            Some((value, remark)) => format!("{before} {value}{behind} //{remark}"),
            None => format!("{before} {}{behind}", side.trim()),
        }
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent_of = |line: &&str| line.len() - line.trim_start().len();
    // A text that begins in the middle of a line is indented as its last line is.
    let indent = match (lines.first().map_or(0, indent_of), lines.last()) {
        (0, Some(last)) => indent_of(last),
        _ => lines.iter().map(indent_of).min().unwrap_or(0),
    };
    lines.iter().map(|line| line[indent.min(indent_of(line))..].to_owned()).collect()
}
