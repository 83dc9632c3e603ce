//! What the pages mention: tests by their name, and what commands print.
//!
//! A test is mentioned as `test: its_name`, and must be a function of that name somewhere in the workspace. A block of
//! `console` that shows what a command prints must be on a page that a test replays.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use pulldown_cmark::{Event, Parser};

use crate::pages::{files_below, read};
use crate::{Book, Fault};

/// The folders whose tests may be mentioned.
const FOLDERS: [&str; 4] = ["crates", "benches", "docs/tool", "xtask"];

/// Every mention of a test that does not exist, and every transcript that no test replays.
///
/// # Errors
///
/// A source file could not be read.
pub fn check(book: &Book) -> Result<Vec<Fault>> {
    let functions = functions(book)?;
    let replayed = pages_replayed(book)?;
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
        let is_replayed =
            page.path.file_name().is_some_and(|name| replayed.contains(&*name.to_string_lossy()));
        for (offset, transcript) in transcripts(&page.text).filter(|_| !is_replayed) {
            if transcript.lines().any(|line| !line.starts_with("$ ")) {
                let what = "a transcript that no test replays: leave out what is printed, or let a test \
                            replay the page, as crates/frontends/cli/tests/transcripts.rs does";
                faults.push(Fault::new(page, offset, what));
            }
        }
    }
    Ok(faults)
}

/// The blocks of `console`, with their places.
fn transcripts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    const BEGIN: &str = "```console\n";
    text.match_indices(BEGIN).map(|(offset, begin)| {
        let inside = &text[offset + begin.len()..];
        (offset, inside.split_once("```").map_or(inside, |(inside, _)| inside))
    })
}

/// The names of the pages whose transcripts a test replays: it names the page, and compares by `snapbox`.
fn pages_replayed(book: &Book) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS.iter().filter(|folder| book.root.join(folder).is_dir()) {
        for path in files_below(&book.root, Path::new(folder))? {
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            if is_test && path.extension().is_some_and(|extension| extension == "rs") {
                let source = read(&book.root, &path)?;
                if source.contains("assert_data_eq!") {
                    let texts = source
                        .split('"')
                        .filter(|text| Path::new(text).extension().is_some_and(|kind| kind == "md"));
                    names.extend(texts.filter_map(|text| text.rsplit('/').next()).map(str::to_owned));
                }
            }
        }
    }
    Ok(names)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let found: Vec<_> = functions_of("#[test]\nfn a_b() {}\npub(crate) const fn c<T>() {}").collect();
        assert_eq!(found, ["a_b", "c"]);
    }
}
