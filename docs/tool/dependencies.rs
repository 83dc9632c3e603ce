//! The table of dependencies: a row with a reason for every package of others in the root `Cargo.toml`, and no
//! row for one that is not there.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::pages::read;
use crate::{Book, Fault, Page};

/// The page with the table.
pub const PAGE: &str = "docs/src/dependencies.md";

/// Every package without a row, and every row without a package or a reason.
///
/// # Errors
///
/// The root `Cargo.toml` could not be read.
pub fn check(book: &Book) -> Result<Vec<Fault>> {
    let packages = of_others(&read(&book.root, Path::new("Cargo.toml"))?)?;
    let page = book.page(PAGE).with_context(|| format!("there is no page {PAGE}"))?;
    Ok(compare(page, &packages))
}

fn compare(page: &Page, packages: &[String]) -> Vec<Fault> {
    let rows = rows(&page.text);
    let without_row = packages.iter().filter(|name| !rows.contains_key(name.as_str())).map(|name| {
        Fault::new(page, 0, format!("`{name}` of the root Cargo.toml has no row: say why it is there"))
    });
    let without_package = rows
        .iter()
        .filter(|(name, _)| !packages.iter().any(|package| package == *name))
        .map(|(name, row)| {
            Fault::new(page, row.offset, format!("`{name}` is not in the root Cargo.toml: remove its row"))
        });
    let without_reason = rows
        .iter()
        .filter(|(_, row)| row.cells.iter().any(String::is_empty))
        .map(|(name, row)| Fault::new(page, row.offset, format!("the row of `{name}` has an empty cell")));
    without_row.chain(without_package).chain(without_reason).collect()
}

/// The packages of the workspace's table that are not its own.
fn of_others(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = manifest.parse().context("the root Cargo.toml is not TOML")?;
    let dependencies = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table)
        .context("the root Cargo.toml has no [workspace.dependencies]")?;
    Ok(dependencies
        .iter()
        .filter(|(_, place)| place.get("path").is_none())
        .map(|(name, _)| name.clone())
        .collect())
}

struct Row {
    offset: usize,
    cells: Vec<String>,
}

/// The rows whose first cell is a name in code, by that name.
fn rows(text: &str) -> BTreeMap<&str, Row> {
    let mut rows = BTreeMap::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(inside) = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|')) {
            let mut cells = inside.split('|').map(str::trim);
            let name = cells.next().and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
            if let Some(name) = name {
                rows.insert(name, Row { offset, cells: cells.map(str::to_owned).collect() });
            }
        }
        offset += line.len();
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        [workspace.dependencies]
        own = { path = "crates/own" }
        anyhow = "1"
        clap = { version = "4" }
    "#;

    fn faults(table: &str) -> Vec<String> {
        let page = Page { path: PAGE.into(), text: format!("| package | why |\n|---|---|\n{table}") };
        compare(&page, &of_others(MANIFEST).unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_full_table_has_no_fault() {
        assert_eq!(faults("| `anyhow` | because |\n| `clap` | because |\n"), Vec::<String>::new());
    }

    #[test]
    fn a_missing_row_a_row_too_many_and_an_empty_reason_are_faults() {
        let found = faults("| `anyhow` |  |\n| `serde` | because |\n");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("`clap` of the root Cargo.toml has no row"));
        assert!(found[1].contains(":4: `serde` is not in the root Cargo.toml"));
        assert!(found[2].contains(":3: the row of `anyhow` has an empty cell"));
    }
}
