//! What the pages mention: tests by their name, and figures of speed.
//!
//! A test is mentioned as `test: its_name`, and must be a function of that name somewhere in the workspace. A
//! figure of speed or size per unit is never typed by hand: it stands in a generated block, which says on
//! which machine it was measured, or it does not stand.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use pulldown_cmark::{Event, Parser};

use crate::pages::{files_below, read};
use crate::{Book, Fault, generated};

/// The folders whose tests may be mentioned.
const FOLDERS: [&str; 4] = ["crates", "benches", "docs/tool", "xtask"];

/// Units that a measurement is given in. Limits of a format have others.
const UNITS: [&str; 9] = ["ops/s", "ops/sec", "ns", "µs", "ms", "MB/s", "MiB/s", "GB/s", "times faster"];

/// Every mention of a test that does not exist, and every figure that was typed.
///
/// # Errors
///
/// A source file could not be read.
pub fn check(book: &Book) -> Result<Vec<Fault>> {
    let functions = functions(book)?;
    let mut faults = Vec::new();
    for page in &book.pages {
        for (event, range) in Parser::new(&page.text).into_offset_iter() {
            if let Event::Code(code) = event
                && let Some(name) = code.strip_prefix("test: ")
                && !functions.contains(name)
            {
                faults.push(Fault::new(page, range.start, format!("there is no test `{name}`")));
            }
        }
        let blocks = generated::blocks(&page.text);
        for (offset, figure) in figures(&page.text) {
            if !blocks.iter().any(|block| block.content.contains(&offset)) {
                let what = format!("`{figure}` is a figure typed by hand: leave it to a generated block");
                faults.push(Fault::new(page, offset, what));
            }
        }
    }
    Ok(faults)
}

/// The name of every function of the workspace.
fn functions(book: &Book) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS.iter().filter(|folder| book.root.join(folder).is_dir()) {
        for path in files_below(&book.root, Path::new(folder))? {
            if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(functions_of(&read(&book.root, &path)?).map(str::to_owned));
            }
        }
    }
    Ok(names)
}

fn functions_of(source: &str) -> impl Iterator<Item = &str> {
    source.match_indices("fn ").filter_map(|(offset, keyword)| {
        let name = &source[offset + keyword.len()..];
        let end = name.find(|letter: char| letter != '_' && !letter.is_alphanumeric())?;
        (end > 0).then(|| &name[..end])
    })
}

/// Numbers with a unit of measurement behind them.
fn figures(text: &str) -> Vec<(usize, &str)> {
    let is_of_number = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | ',');
    let mut figures = Vec::new();
    for unit in UNITS {
        for (offset, _) in text.match_indices(unit) {
            let end = offset + unit.len();
            let before = text[..offset].trim_end_matches([' ', '\u{a0}']);
            let number = before.len() - before.trim_end_matches(is_of_number).len();
            let is_whole_word = !text[end..].starts_with(|letter: char| letter.is_alphanumeric());
            let is_number = before.ends_with(|letter: char| letter.is_ascii_digit());
            if is_number && is_whole_word && number > 0 {
                figures.push((before.len() - number, &text[before.len() - number..end]));
            }
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_of_time_is_a_figure_and_a_limit_is_not() {
        let found = figures("It takes 1,200 ns, or 3.5µs; keys have 65,535 bytes, 4 nsx, in ms and 5 files.");
        assert_eq!(found, [(9, "1,200 ns"), (22, "3.5µs")]);
    }

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let found: Vec<_> = functions_of("#[test]\nfn a_b() {}\npub(crate) const fn c<T>() {}").collect();
        assert_eq!(found, ["a_b", "c"]);
    }
}
