//! [`Sheet`]: a table of text, before it is known whether a terminal, a file or a book shows it.

use std::path::{Path, PathBuf};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};
use logladder_disk::{RealDisk, replace};
use logladder_engine::SyncPolicy;
use serde::Serialize;

use crate::Failure;
use crate::tables::Look;

/// A table of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sheet {
    /// By which it is asked for. Several tables may have one name.
    pub name: &'static str,
    /// What stands above it.
    pub title: String,
    /// What stands above each column.
    pub headings: Vec<String>,
    /// Whether the column is set to the right.
    pub right: Vec<bool>,
    /// A text for each column.
    pub rows: Vec<Vec<String>>,
    /// Rows and columns of what is to be seen at once.
    #[serde(skip)]
    pub marked: Vec<(usize, usize)>,
}

impl Sheet {
    /// A table without rows. A heading that begins with `>` is that of a column set to the right.
    pub fn new<H: AsRef<str>>(
        name: &'static str,
        title: impl Into<String>,
        headings: impl IntoIterator<Item = H>,
    ) -> Self {
        let mut sheet =
            Self { name, title: title.into(), headings: vec![], right: vec![], rows: vec![], marked: vec![] };
        for heading in headings {
            let heading = heading.as_ref();
            let text = heading.strip_prefix('>');
            sheet.right.push(text.is_some());
            sheet.headings.push(text.unwrap_or(heading).to_owned());
        }
        sheet
    }

    /// For a terminal.
    #[must_use]
    pub fn table(&self, look: Look) -> Table {
        let mut table = empty_table(look);
        table.set_header(
            self.headings.iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)),
        );
        for (place, row) in self.rows.iter().enumerate() {
            table.add_row(row.iter().enumerate().map(|(column, text)| {
                let cell = Cell::new(text);
                if self.marked.contains(&(place, column)) { cell.fg(Color::Green) } else { cell }
            }));
        }
        for (column, &right) in table.column_iter_mut().zip(&self.right) {
            if right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// A table that looks so, with a line below its headings and no other.
pub(crate) fn empty_table(look: Look) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    if look.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    if let Some(width) = look.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

/// What a benchmark found out, as the book reads it.
#[derive(Serialize)]
struct Stored<'r, R> {
    /// What was run where, in a sentence.
    run: &'r str,
    /// The tables, for whoever wants to show them without knowing how they come about.
    tables: &'r [Sheet],
    #[serde(flatten)]
    results: &'r R,
}

/// Writes what a benchmark found out to a JSON file, in place of an older one: a sentence that says what was `run`
/// where, the tables, and the fields of `results`. Missing folders are made.
///
/// # Errors
///
/// [`Failure::System`].
pub fn save(path: &Path, run: &str, tables: &[Sheet], results: &impl Serialize) -> Result<(), Failure> {
    let stored = Stored { run, tables, results };
    let mut text = serde_json::to_vec_pretty(&stored)
        .map_err(|error| Failure::system("write the results as JSON", &error))?;
    text.push(b'\n');
    let failed = |error: &dyn std::error::Error| Failure::system(format!("write {}", path.display()), error);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(|error| failed(&error))?;
    replace(&RealDisk, path, &[&text], SyncPolicy::Never).map_err(|error| failed(&error))
}

/// What the command line asks of a benchmark that has few questions. `cargo bench` hands the same arguments to every
/// benchmark, so what is not known here is someone else's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Asked {
    /// Only show that it works: `--test`. As with criterion, this is meant unless `--bench` is said.
    pub test: bool,
    /// Where the results are written: `--json FILE`, a relative path from the root of the workspace.
    pub json: Option<PathBuf>,
}

impl Asked {
    /// What this process was asked.
    #[must_use]
    pub fn of_command_line() -> Self {
        Self::of(std::env::args().skip(1))
    }

    fn of(arguments: impl Iterator<Item = String>) -> Self {
        let arguments: Vec<String> = arguments.collect();
        let says = |word: &str| arguments.iter().any(|argument| argument == word);
        let file = arguments.iter().position(|argument| argument == "--json");
        let file = file.and_then(|place| arguments.get(place + 1)).filter(|file| !file.starts_with("--"));
        // `cargo bench` starts a benchmark in the folder of its package, wherever it was called.
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        Self { test: says("--test") || !says("--bench"), json: file.map(|file| workspace.join(file)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_to_the_right_if_their_heading_says_so() {
        let mut sheet = Sheet::new("s", "A title", ["name", ">number"]);
        sheet.rows.push(vec!["a".into(), "1".into()]);
        let text = sheet.table(Look::default()).to_string();
        assert!(text.contains(" name   number ") && text.contains(" a           1 "), "{text}");
    }

    #[test]
    fn a_file_of_results_has_the_run_the_tables_and_the_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/results.json");
        let figures = std::collections::BTreeMap::from([("figures", [1, 2])]);
        save(&path, "here and now", &[Sheet::new("s", "A title", [">number"])], &figures).unwrap();
        let stored: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(stored["run"], "here and now");
        assert_eq!(stored["tables"][0]["right"][0], true);
        assert_eq!(stored["figures"][1], 2);
    }

    #[test]
    fn cargo_bench_measures_and_everything_else_is_a_test() {
        let of = |line: &str| Asked::of(line.split_whitespace().map(str::to_owned));
        assert!(of("").test && of("--test --bench").test && !of("--bench").test);
        let asked = of("--json docs/results/x.json --bench");
        assert!(asked.json.unwrap().ends_with("docs/results/x.json"));
        assert_eq!(of("--json --bench"), Asked { test: false, json: None });
    }
}
