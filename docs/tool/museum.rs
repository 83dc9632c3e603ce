//! The exhibits of the bug museum, for its page: the table, and of one exhibit the code, the run and the bytes.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use logladder_museum::{
    Line, NOT_SHOWN, avoided, dump_lines, exhibit, exhibits, patch, patch_lines, trace, trace_lines,
};

/// What a block of the kind `museum` holds: `table`, `beyond`, or `patch`, `trace`, `bytes` or `tests` of an exhibit.
///
/// # Errors
///
/// There is no such exhibit, or the contract does not notice it.
pub(crate) fn block(argument: &str) -> Result<String> {
    if argument == "table" {
        return Ok(table());
    }
    if argument == "beyond" {
        return Ok(beyond());
    }
    let (part, which) =
        argument.split_once(' ').context("a block of the museum names a part and an exhibit")?;
    let exhibit = exhibit(which).with_context(|| format!("no exhibit `{which}`"))?;
    let noticed = || trace(exhibit).with_context(|| format!("the contract does not notice `{which}`"));
    Ok(match part {
        "patch" => {
            let patch = patch(exhibit.bug, exhibit.name).context("it has no patch")?;
            format!("```diff\n  {}\n{}```\n", patch.file, text(&patch_lines(exhibit)))
        }
        "trace" => format!("```text\n{}```\n", text(&trace_lines(&noticed()?))),
        "bytes" => format!("```text\n{}```\n", text(&dump_lines(exhibit.bug, &noticed()?))),
        "tests" => tests(exhibit.number.context("it is not on the list")?),
        _ => bail!("no such part of an exhibit"),
    })
}

fn text(lines: &[Line]) -> String {
    lines.iter().flat_map(|(_, line)| [line.as_str(), "\n"]).collect()
}

/// The exhibits of the list, by their numbers, and what of the list is not shown.
fn table() -> String {
    let mut rows: Vec<(u32, String)> = exhibits()
        .filter_map(|exhibit| {
            let number = exhibit.number?;
            let (name, check) = (exhibit.name, exhibit.shown_by.check());
            Some((number, format!("`{name}` | {} | {check}", exhibit.wrong)))
        })
        .chain(NOT_SHOWN.map(|(number, wrong, why)| (number, format!("– | {wrong} | not here: {why}"))))
        .collect();
    rows.sort();
    let mut table = String::from("| # | name | what goes wrong | shown by |\n|--:|---|---|---|\n");
    for (number, row) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {number} | {row} |");
    }
    table
}

/// The exhibits that are not on the list.
fn beyond() -> String {
    let mut table = String::from("| name | what goes wrong | shown by |\n|---|---|---|\n");
    for exhibit in exhibits().filter(|exhibit| exhibit.number.is_none()) {
        let _ = writeln!(table, "| `{}` | {} | {} |", exhibit.name, exhibit.wrong, exhibit.shown_by.check());
    }
    table
}

/// The tests of the stages, by their own tables.
fn tests(number: u32) -> String {
    let mut table = String::from("| stage | the tests that show that it does not fail so |\n|---|---|\n");
    for avoided in avoided(number) {
        let names: Vec<String> = avoided.tests.iter().map(|name| format!("`test: {name}`")).collect();
        let _ = writeln!(table, "| {} | {} |", avoided.stage, names.join(", "));
    }
    table
}
