//! The tables of a file of results, which a benchmark has written.
//!
//! Such a file is a JSON object with a sentence on the `run` and a list of `tables`. The benchmark has made the
//! figures into text; here they become Markdown, and nothing else about them is known.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::chart::{Bar, Chart, Colour, Group};
use crate::climb::value;
use crate::pages::read;

#[derive(Debug, Deserialize)]
struct Results {
    /// What was run where.
    run: String,
    tables: Vec<Table>,
}

#[derive(Debug, Deserialize)]
struct Table {
    name: String,
    title: String,
    headings: Vec<String>,
    /// Whether the column is set to the right.
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

/// The tables of this name, each below its title; for the name `run`, what was run where.
///
/// # Errors
///
/// The file is not there, or holds no such table.
pub(crate) fn markdown(root: &Path, path: &str, name: &str) -> Result<String> {
    let text = read(root, Path::new(path))?;
    let results: Results = serde_json::from_str(&text).with_context(|| format!("{path} holds no results"))?;
    if name == "run" {
        return Ok(format!("{}\n", cell(&results.run)));
    }
    let tables: Vec<String> =
        results.tables.iter().filter(|table| table.name == name).map(Table::markdown).collect();
    if tables.is_empty() {
        bail!("{path} has no table `{name}`");
    }
    Ok(tables.join("\n"))
}

/// `FILE NAME : TITLE : COLUMN & COLUMN … [: ROW]`: of the tables of this name whose title holds `TITLE`, these columns and
/// the first one; of the rows, those whose first cell holds `ROW`. Tables of different durability stay apart.
///
/// # Errors
///
/// The file is not there, or holds no such table or column.
pub(crate) fn picked(root: &Path, argument: &str) -> Result<String> {
    let parts: Vec<&str> = argument.split(" : ").collect();
    let (source, title, columns, row) = match parts[..] {
        [source, title, columns] => (source, title, columns, ""),
        [source, title, columns, row] => (source, title, columns, row),
        _ => bail!("what is picked is named as `FILE NAME : TITLE : COLUMN & COLUMN`, and perhaps ` : ROW`"),
    };
    let (path, name) = source.split_once(' ').context("a file and a table are named")?;
    let text = read(root, Path::new(path))?;
    let results: Results = serde_json::from_str(&text).with_context(|| format!("{path} holds no results"))?;
    let columns: Vec<&str> = columns.split(" & ").map(str::trim).collect();
    let mut tables = Vec::new();
    for table in results.tables.iter().filter(|table| table.name == name && table.title.contains(title)) {
        let mut picked = table.with_columns(&columns)?;
        picked.rows.retain(|cells| cells.first().is_some_and(|cell| cell.contains(row)));
        if !picked.rows.is_empty() {
            tables.push(picked.markdown());
        }
    }
    if tables.is_empty() {
        bail!("{path} has no table `{name}` about `{title}`");
    }
    Ok(tables.join("\n"))
}

/// `FILE NAME : TITLE : COLUMN as LABEL & COLUMN as LABEL … : ROW & ROW …`: of the table of this name whose title holds
/// `TITLE`, the operations a second in these columns as bars, for the rows that begin so. The first column is what the
/// lesson is about, and the others are what it is compared with.
///
/// # Errors
///
/// The file is not there, or holds no such table, column or row, or a cell holds no operations a second.
pub(crate) fn chart(root: &Path, argument: &str) -> Result<String> {
    let [source, title, columns, rows] = argument.split(" : ").collect::<Vec<_>>()[..] else {
        bail!("a chart is named as `FILE NAME : TITLE : COLUMN as LABEL & … : ROW & …`");
    };
    let (path, name) = source.split_once(' ').context("a file and a table are named")?;
    let text = read(root, Path::new(path))?;
    let results: Results = serde_json::from_str(&text).with_context(|| format!("{path} holds no results"))?;
    let is_asked = |table: &&Table| table.name == name && table.title.contains(title);
    let table = results
        .tables
        .iter()
        .find(is_asked)
        .with_context(|| format!("{path} has no table `{name}` about `{title}`"))?;
    Ok(table.chart(columns, rows)?.figure())
}

impl Table {
    /// The cells of these columns and rows as bars.
    fn chart(&self, columns: &str, rows: &str) -> Result<Chart> {
        let mut places = Vec::new();
        for column in columns.split(" & ") {
            let (heading, label) = column.split_once(" as ").unwrap_or((column, column));
            let place = self.headings.iter().position(|found| found == heading);
            places
                .push((label, place.with_context(|| format!("`{}` has no column `{heading}`", self.title))?));
        }
        let mut groups = Vec::new();
        for name in rows.split(" & ") {
            let is_named = |cells: &&Vec<String>| cells.first().is_some_and(|cell| cell.starts_with(name));
            let cells = self.rows.iter().find(is_named);
            let cells = cells.with_context(|| format!("`{}` has no row `{name}`", self.title))?;
            let mut bars = Vec::new();
            for (number, &(label, place)) in places.iter().enumerate() {
                let words = cells.get(place).and_then(|cell| cell.strip_suffix("/s"));
                let words = words.with_context(|| format!("`{name}` is not counted by the second"))?;
                let colour = Colour::of(name, number > 0);
                bars.push(Bar {
                    label: label.to_owned(),
                    colour,
                    figure: value(words),
                    words: words.to_owned(),
                });
            }
            groups.push(Group { name: name.to_owned(), remark: String::new(), is_this: false, bars });
        }
        Ok(Chart { title: format!("{}: operations a second", self.title), groups })
    }

    /// The first column, and these.
    fn with_columns(&self, columns: &[&str]) -> Result<Self> {
        let mut places = vec![0];
        for column in columns {
            let place = self.headings.iter().position(|heading| heading == column);
            places.push(place.with_context(|| format!("`{}` has no column `{column}`", self.title))?);
        }
        let of = |cells: &[String]| -> Vec<String> {
            places.iter().map(|&place| cells.get(place).cloned().unwrap_or_default()).collect()
        };
        Ok(Self {
            name: self.name.clone(),
            title: self.title.clone(),
            headings: of(&self.headings),
            right: places.iter().map(|&place| self.right.get(place).copied().unwrap_or(false)).collect(),
            rows: self.rows.iter().map(|row| of(row)).collect(),
        })
    }

    fn markdown(&self) -> String {
        let row = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
            format!("| {} |", cells.join(" | "))
        };
        let marks: Vec<&str> = self.right.iter().map(|&right| if right { "--:" } else { "---" }).collect();
        let mut text = format!("{}:\n\n{}\n|{}|\n", cell(&self.title), row(&self.headings), marks.join("|"));
        for cells in &self.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", row(cells));
        }
        text
    }
}

/// A text without what a table, or a page, would take for a sign of its own.
fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '|' | '<' | '*' | '_' | '`' | '[' | '\\' => escaped.extend(['\\', letter]),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use logladder::SyncPolicy;
    use logladder::disk::{RealDisk, replace};

    use super::*;

    #[test]
    fn the_tables_of_a_name_stand_below_their_titles_and_an_unknown_name_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let json = r#"{"run": "3 keys", "more": 1, "tables": [
            {"name": "a", "title": "First", "headings": ["x", "y"], "right": [false, true],
             "rows": [["one|two", "2 <b>"]]},
            {"name": "a", "title": "Second", "headings": ["z"], "right": [false], "rows": []}]}"#;
        let path = root.path().join("results.json");
        replace(&*RealDisk::shared(), &path, &[json.as_bytes()], SyncPolicy::Never).unwrap();
        let of = |name| markdown(root.path(), "results.json", name);
        assert_eq!(of("run").unwrap(), "3 keys\n");
        assert_eq!(
            of("a").unwrap(),
            "First:\n\n| x | y |\n|---|--:|\n| one\\|two | 2 \\<b> |\n\nSecond:\n\n| z |\n|---|\n"
        );
        let picked = |argument| picked(root.path(), argument);
        assert_eq!(
            picked("results.json a : First : y").unwrap(),
            "First:\n\n| x | y |\n|---|--:|\n| one\\|two | 2 \\<b> |\n"
        );
        assert_eq!(
            picked("results.json a : First : y : one").unwrap(),
            picked("results.json a : First : y").unwrap()
        );
        assert!(picked("results.json a : First : y : three").is_err());
        assert!(picked("results.json a : First : z").unwrap_err().to_string().contains("no column `z`"));
        assert!(picked("results.json a : Third : y").unwrap_err().to_string().contains("about `Third`"));
        assert!(of("b").unwrap_err().to_string().contains("no table `b`"));
        assert!(markdown(root.path(), "absent.json", "a").is_err());
    }
    #[test]
    fn cells_that_are_counted_by_the_second_become_bars_and_others_are_an_error() {
        let text = |words: &str| words.to_owned();
        let table = Table {
            name: text("a"),
            title: text("This beside that"),
            headings: vec![text("what"), text("this"), text("that")],
            right: vec![false, true, true],
            rows: vec![
                vec![text("puts ÷ theirs"), text("1,088/s"), text("1,508/s")],
                vec![text("gets"), text("3 ms"), text("1/s")],
            ],
        };
        let chart = table.chart("this as ours & that", "puts").unwrap();
        assert_eq!(chart.title, "This beside that: operations a second");
        let bars = &chart.groups[0].bars;
        assert_eq!([bars[0].figure, bars[1].figure], [Some(1088.0), Some(1508.0)]);
        assert_eq!([&*bars[0].label, &*bars[1].label], ["ours", "that"]);
        assert_eq!([bars[0].colour, bars[1].colour], [Colour::Set, Colour::OtherSet]);
        let error = |columns, rows| table.chart(columns, rows).unwrap_err().to_string();
        assert!(error("this", "gets").contains("`gets` is not counted by the second"));
        assert!(error("this", "deletes").contains("no row `deletes`"));
        assert!(error("other", "puts").contains("no column `other`"));
    }
}
