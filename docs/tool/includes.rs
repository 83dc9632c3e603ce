//! Includes: mdBook passes over an anchor that is not there in silence, and over a missing file with a
//! message that nobody reads. Here each is a fault.

use std::fs;

use crate::{Book, Fault, Page};

/// Every include of something that is not there.
#[must_use]
pub fn check(book: &Book) -> Vec<Fault> {
    let mut faults = Vec::new();
    for page in &book.pages {
        for (offset, directive) in directives(&page.text) {
            if let Err(what) = verify(book, page, directive) {
                faults.push(Fault::new(page, offset, format!("`{{{{#{directive}}}}}`: {what}")));
            }
        }
    }
    faults
}

/// What stands between `{{#` and `}}`, unless it is escaped, with its offset.
fn directives(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices("{{#").filter(|(offset, _)| !text[..*offset].ends_with('\\')).map(|(offset, open)| {
        let inside = &text[offset + open.len()..];
        (offset, inside.split_once("}}").map_or("", |(directive, _)| directive))
    })
}

fn verify(book: &Book, page: &Page, directive: &str) -> Result<(), String> {
    let Some(("include", place)) = directive.split_once(' ') else {
        return Err("only `include` is used in this book".into());
    };
    let (path, anchor) = match place.trim().split_once(':') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (place.trim(), None),
    };
    let Some(path) = page.resolve(path) else { return Err("it leaves the repository".into()) };
    let Ok(text) = fs::read_to_string(book.root.join(&path)) else {
        return Err(format!("there is no text file {}", path.display()));
    };
    let Some(anchor) = anchor else { return Ok(()) };
    if anchor.contains(':') || anchor.parse::<usize>().is_ok() {
        return Err("lines move; name an anchor instead of their numbers".into());
    }
    match anchored(&text, anchor) {
        None => Err(format!("{} has no `ANCHOR: {anchor}` and `ANCHOR_END: {anchor}`", path.display())),
        Some(inside) if inside.trim().is_empty() => Err(format!("the anchor `{anchor}` encloses nothing")),
        Some(_) => Ok(()),
    }
}

/// What lies between the two lines that name the anchor.
pub(crate) fn anchored(text: &str, anchor: &str) -> Option<String> {
    let marks = |line: &&str, mark: &str| {
        line.split_once(mark).is_some_and(|(_, name)| name.split_whitespace().next() == Some(anchor))
    };
    let mut lines = text.lines().skip_while(|line| !marks(line, "ANCHOR:"));
    lines.next()?;
    let mut inside = String::new();
    for line in lines {
        if marks(&line, "ANCHOR_END:") {
            return Some(inside);
        }
        inside.push_str(line);
        inside.push('\n');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_directive_is_text() {
        let text = r"\{{#include a}} {{#include b:c}}";
        assert_eq!(directives(text).collect::<Vec<_>>(), [(16, "include b:c")]);
    }

    #[test]
    fn an_anchor_needs_both_its_ends() {
        let text = "// ANCHOR: a\none\n// ANCHOR_END: a\n// ANCHOR: b\n";
        assert_eq!(anchored(text, "a").as_deref(), Some("one\n"));
        assert_eq!(anchored(text, "b"), None);
        assert_eq!(anchored(text, "one"), None);
    }
}
