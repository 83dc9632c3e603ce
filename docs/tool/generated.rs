//! Blocks that are written from the code: drawings, tables, examples, the bytes of a store.
//!
//! A page asks for one by two comments, and reads well with or without this program:
//!
//! ```text
//!   <!-- generated: drawing crates/stages/4-scan-log/src/lib.rs -->
//!   …                                                               ◄── written by `refresh`, compared by `check`
//!   <!-- end -->
//! ```
//!
//! | block | what it holds |
//! |---|---|
//! | `drawing FILE.rs` | the first drawing in the head of a source file |
//! | `table FILE.rs` | the first table in the head of a source file; `table FILE.rs 2` is the second |
//! | `example FILE.rs` | a source file without its head |
//! | `example FILE.rs ANCHOR` | what stands in it between `ANCHOR: name` and `ANCHOR_END: name` |
//! | `lesson-bytes STAGE` | the files of a store of which a lesson speaks: three writes, and a sync |
//! | `crashes STAGE` | what a few operations leave after each crash, counted by opening every crash image |
//! | `beside STAGE STAGE: COLUMN, …` | these stages in the figures of the last climb, as the README has them |
//! | `chart STAGE STAGE: COLUMN, …` | the same as bars; the stage of the page stands out |
//! | `chart FILE.json NAME : TITLE : COLUMN as NAME & … : ROW & …` | bars of some cells of such a table; rows are named by how they begin |
//! | `stages` | the table of stages, with links |
//! | `durability` | what each stage survives under each policy |
//! | `bytes STAGE` | the files of a store after a few operations, field by field |
//! | `bytes STAGE FOLDER` | the files of a store that is kept in a folder of the repository, field by field; of a file, it alone |
//! | `text FILE` | a text file as it stands |
//! | `two-primaries SCENARIO` | the trace of this scenario of the simulation; `survey COUNT` counts what made-up ones show |
//! | `museum table` | the exhibits of the bug museum; `beyond` those that are not on the list |
//! | `museum PART NAME` | the `patch`, the `trace`, the `bytes` or the `tests` of one exhibit |
//! | `arithmetic NAME` | a table of what stands past stage 9, computed from assumptions |
//! | `picked FILE.json NAME : TITLE : COLUMN & …` | some columns of such tables, of those whose title holds these words |
//! | `results FILE.json NAME` | the tables of this name that a benchmark has written; `run` says what it ran where |
//!
//! Other names belong to other commands, which measure: see [`ELSEWHERE`].

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use logladder::disk::{RealDisk, replace};
use logladder::{STAGES, Stage, SyncPolicy};
use logladder_two_primaries::{Protocol, run, scenario, survey};

use crate::pages::read;
use crate::{Book, Fault, Page, bytes, climb, crashes, includes, museum, past_etcd, results, stages};

/// Blocks that another command fills with what it measured, so that there is nothing to compare them with.
pub const ELSEWHERE: [&str; 2] = ["climb", "bench"];

/// A generated block of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<'t> {
    /// What it holds: `stages`, `drawing crates/…`.
    pub what: &'t str,
    /// Where its content lies in the page's text, between the two comments.
    pub content: Range<usize>,
}

const BEGIN: &str = "<!-- generated: ";
const BEGIN_CLOSE: &str = " -->";
const END: &str = "<!-- end -->";

/// The generated blocks of a text, in order. One without an end reaches to the end of the text.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    text.match_indices(BEGIN)
        // At the start of a line; elsewhere someone writes about blocks.
        .filter(|(offset, _)| *offset == 0 || text[..*offset].ends_with('\n'))
        .filter_map(|(offset, _)| {
            let (what, _) = text[offset + BEGIN.len()..].split_once(BEGIN_CLOSE)?;
            let start = offset + BEGIN.len() + what.len() + BEGIN_CLOSE.len();
            let end = text[start..].find(END).map_or(text.len(), |len| start + len);
            Some(Block { what, content: start..end })
        })
        .collect()
}

/// Every block that does not say what the code says now.
///
/// # Errors
///
/// A source file could not be read.
pub fn check(book: &Book) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for page in &book.pages {
        for block in blocks(&page.text) {
            let fault = match content(book, page, block.what) {
                Err(error) => format!("the block `{}` cannot be made: {error:#}", block.what),
                Ok(Some(now)) if now != page.text[block.content.clone()] => {
                    format!(
                        "the block `{}` is out of date: cargo run -p logladder-book -- refresh",
                        block.what
                    )
                }
                Ok(_) => continue,
            };
            faults.push(Fault::new(page, block.content.start, fault));
        }
    }
    Ok(faults)
}

/// Writes every block anew, and says which pages changed.
///
/// # Errors
///
/// A block cannot be made, or a page cannot be written.
pub fn refresh(book: &Book) -> Result<Vec<&Page>> {
    let mut changed = Vec::new();
    for page in &book.pages {
        let text = refreshed(book, page).with_context(|| format!("in {}", page.path.display()))?;
        if text != page.text {
            let path = book.root.join(&page.path);
            replace(&*RealDisk::shared(), &path, &[text.as_bytes()], SyncPolicy::Never)?;
            changed.push(page);
        }
    }
    Ok(changed)
}

fn refreshed(book: &Book, page: &Page) -> Result<String> {
    let mut text = String::new();
    let mut copied = 0;
    for block in blocks(&page.text) {
        if let Some(now) = content(book, page, block.what)? {
            text.push_str(&page.text[copied..block.content.start]);
            text.push_str(&now);
            copied = block.content.end;
            if !page.text[copied..].starts_with(END) {
                bail!("the block `{}` has no `{END}`", block.what);
            }
        }
    }
    text.push_str(&page.text[copied..]);
    Ok(text)
}

/// What a block should hold, or `None` if that is another command's affair.
fn content(book: &Book, page: &Page, what: &str) -> Result<Option<String>> {
    let (kind, argument) = what.split_once(' ').unwrap_or((what, ""));
    let source = || read(&book.root, Path::new(argument));
    let body = match kind {
        _ if ELSEWHERE.contains(&kind) => return Ok(None),
        "drawing" => {
            let head = head(&source()?);
            let drawing = head.split_once("```text\n").and_then(|(_, rest)| rest.split_once("```"));
            format!("```text\n{}```\n", drawing.with_context(|| format!("{argument} has no drawing"))?.0)
        }
        "table" => {
            let (path, number) = argument.split_once(' ').unwrap_or((argument, "1"));
            let head = head(&read(&book.root, Path::new(path))?);
            let number: usize = number.parse().with_context(|| format!("`{number}` is no number"))?;
            let table = number.checked_sub(1).and_then(|index| tables(&head).into_iter().nth(index));
            table.with_context(|| format!("{path} has no table {number}"))?
        }
        "example" => {
            let (path, anchor) = argument.split_once(' ').unwrap_or((argument, ""));
            let source = read(&book.root, Path::new(path))?;
            let code = match anchor {
                "" => {
                    source.lines().skip_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n")
                }
                anchor => includes::anchored(&source, anchor)
                    .with_context(|| format!("{path} has no anchor `{anchor}`"))?,
            };
            format!("```rust,no_run\n{}\n```\n", without_indent(&code).trim())
        }
        "stages" => stages::table(page),
        "text" => format!("```text\n{}```\n", source()?),
        "two-primaries" => format!("```text\n{}```\n", simulated(argument)?),
        "museum" => museum::block(argument)?,
        "arithmetic" => past_etcd::table(argument)?,
        "durability" => durability(),
        "bytes" => {
            let (name, folder) = argument.split_once(' ').unwrap_or((argument, ""));
            let stage = stage_named(name)?;
            let dump = match folder {
                "" => bytes::dump(stage)?,
                folder => bytes::dump_of_folder(stage, &book.root.join(folder))?,
            };
            format!("```text\n{dump}```\n")
        }
        "lesson-bytes" => format!("```text\n{}```\n", bytes::of_lesson(stage_named(argument)?)?),
        "crashes" => crashes::table(stage_named(argument)?)?,
        "beside" => climb::beside(&book.root, argument)?,
        // A file has a folder; a stage has none.
        "chart" => match argument.split_once(' ') {
            Some((path, _)) if path.contains('/') => results::chart(&book.root, argument)?,
            _ => climb::chart(&book.root, argument, &page.path)?,
        },
        "picked" => results::picked(&book.root, argument)?,
        "results" => {
            let (path, name) =
                argument.split_once(' ').context("a block of results names a file and a table")?;
            results::markdown(&book.root, path, name)?
        }
        _ => bail!("no such kind of block"),
    };
    Ok(Some(format!("\n\n{body}\n")))
}

fn stage_named(name: &str) -> Result<&'static Stage> {
    logladder::stage(name).with_context(|| format!("no stage `{name}`"))
}

/// A piece of code as it would stand at the left margin, and without the marks of other anchors.
fn without_indent(code: &str) -> String {
    let is_mark = |line: &&str| line.trim_start().starts_with("// ANCHOR");
    let lines: Vec<&str> = code.lines().filter(|line| !is_mark(line)).collect();
    let indent_of = |line: &&&str| line.len() - line.trim_start().len();
    let indent =
        lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indent_of(&line)).min().unwrap_or(0);
    let cut: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or("")).collect();
    cut.join("\n")
}

/// The head of a source file: its `//!` comment, as Markdown.
fn head(source: &str) -> String {
    source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"])
        .collect()
}

/// The tables of a Markdown text. A link to an item is a link only for rustdoc, and becomes code or text.
fn tables(markdown: &str) -> Vec<String> {
    let is_row = |line: &&str| line.starts_with('|');
    let mut tables = Vec::new();
    let mut lines = markdown.lines().peekable();
    while lines.peek().is_some() {
        let mut table = String::new();
        while let Some(row) = lines.next_if(is_row) {
            table.push_str(&without_item_links(row).replace("[`", "`").replace("`]", "`"));
            table.push('\n');
        }
        if !table.is_empty() {
            tables.push(table);
        }
        while lines.next_if(|line| !is_row(line)).is_some() {}
    }
    tables
}

/// A link such as `[there](super::there)` leads somewhere only in rustdoc: its text is left.
fn without_item_links(row: &str) -> String {
    let mut text = String::new();
    let mut rest = row;
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        rest = match link.split_once("](").and_then(|(label, behind)| Some((label, behind.split_once(')')?)))
        {
            Some((label, (target, behind))) if target.contains("::") && !label.contains('[') => {
                text.push_str(label);
                behind
            }
            _ => {
                text.push('[');
                link
            }
        };
    }
    text + rest
}

/// What `cargo xtask two-primaries` prints for these arguments.
fn simulated(arguments: &str) -> Result<String> {
    if let Some(count) = arguments.strip_prefix("survey ") {
        let count = count.parse().with_context(|| format!("`{count}` is no number"))?;
        return Ok(survey::text(count, &survey::survey(count)));
    }
    let scenario = scenario(arguments).with_context(|| format!("no scenario `{arguments}`"))?;
    Ok(run(&scenario, Protocol::default()).text())
}

fn durability() -> String {
    let mut table = String::from("| stage | `SyncPolicy::Always` | `SyncPolicy::Never` |\n|---|---|---|\n");
    for stage in STAGES {
        let [always, never] = [SyncPolicy::Always, SyncPolicy::Never].map(|sync| stage.durability(sync));
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} {} | {always} | {never} |", stage.number, stage.name);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_lies_between_its_two_comments_at_the_start_of_a_line() {
        let text = "a `<!-- generated: x -->`\n<!-- generated: drawing a.rs -->\nold\n<!-- end -->\nb";
        let found = blocks(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "drawing a.rs");
        assert_eq!(&text[found[0].content.clone()], "\nold\n");
    }

    #[test]
    fn tables_are_told_apart_and_links_to_items_become_code_or_text() {
        assert_eq!(tables("a\n| b |\n| [`c`] |\n\n| d |\n"), ["| b |\n| `c` |\n", "| d |\n"]);
        let row = "| [1], [more](super::extra), and [a page](page.md) |\n";
        assert_eq!(tables(row), ["| [1], more, and [a page](page.md) |\n"]);
    }

    #[test]
    fn an_example_is_a_file_without_its_head_or_what_an_anchor_of_it_encloses() {
        let root = tempfile::tempdir().unwrap();
        let source = "//! Head.\n\nfn a() {}\n// ANCHOR: b\nfn b() {}\n// ANCHOR_END: b\n";
        let path = root.path().join("a.rs");
        replace(&*RealDisk::shared(), &path, &[source.as_bytes()], SyncPolicy::Never).unwrap();
        let page = Page { path: "README.md".into(), text: String::new() };
        let book = Book { root: root.path().into(), pages: Vec::new() };
        let content = |what| content(&book, &page, what);
        let anchored = content("example a.rs b").unwrap().unwrap();
        assert_eq!(anchored, "\n\n```rust,no_run\nfn b() {}\n```\n\n");
        assert!(content("example a.rs").unwrap().unwrap().contains("fn a() {}"));
        assert!(content("example a.rs c").unwrap_err().to_string().contains("no anchor `c`"));
    }

    #[test]
    fn a_stale_block_is_a_fault_and_refreshing_mends_it() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            replace(&*RealDisk::shared(), &root.path().join(name), &[text.as_bytes()], SyncPolicy::Never)
                .unwrap();
        };
        put("a.rs", "//! Head.\n//!\n//! ```text\n//! a ──► b\n//! ```\n\nfn main() {}\n");
        let text = "# A\n<!-- generated: drawing a.rs -->\nold\n<!-- end -->\n<!-- generated: climb -->\n1\n";
        put("README.md", text);
        let mut book = Book {
            root: root.path().into(),
            pages: vec![Page { path: "README.md".into(), text: text.into() }],
        };
        assert_eq!(check(&book).unwrap()[0].line, 2);

        assert_eq!(refresh(&book).unwrap().len(), 1);
        book.pages[0].text = read(root.path(), Path::new("README.md")).unwrap();
        assert!(book.pages[0].text.contains("\n```text\na ──► b\n```\n"), "{}", book.pages[0].text);
        assert!(book.pages[0].text.ends_with("<!-- generated: climb -->\n1\n"));
        assert_eq!(check(&book).unwrap(), []);
    }
}
