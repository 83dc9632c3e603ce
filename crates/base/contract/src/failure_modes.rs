//! A stage's table of failure modes: which names a test for each of them that must exist.

use std::fs;
use std::path::Path;

/// Where the tests of a stage are, from its crate's folder: its own, those of the contract, of the disk, and those that
/// hold every stage.
const SOURCES: [&str; 6] = [
    "src",
    "tests",
    "../../base/contract/src",
    "../../base/disk/src",
    "../../base/disk/tests",
    "../../frontends/logladder/tests",
];

/// Adds every Rust source below `folder` to `text`.
fn read_sources(folder: &Path, text: &mut String) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            read_sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

/// Reads the table in the doc comment of `table`, a test source of the crate in the folder `krate`, and gives the numbers
/// in its first column. Each row must name tests, and each of them must exist.
///
/// # Panics
///
/// A row names no test, or one that is not there.
#[must_use]
pub fn failure_modes(krate: &str, table: &str) -> Vec<u32> {
    let mut sources = String::new();
    for folder in SOURCES {
        read_sources(&Path::new(krate).join(folder), &mut sources);
    }
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | "));
    rows.skip(1).map(|row| number_of(row, &sources)).collect()
}

fn number_of(row: &str, sources: &str) -> u32 {
    let number = row.split(" | ").next().and_then(|number| number.parse().ok());
    let Some(number) = number else { panic!("a row without a number: {row}") };
    let names: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
    assert!(!names.is_empty(), "failure mode {number} has no test");
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "failure mode {number}: no test is called {name}");
    }
    number
}
