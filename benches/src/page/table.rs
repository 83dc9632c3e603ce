//! Tables of the page: each can be sorted by each of its columns, and none has engines of different durability.

use std::collections::BTreeMap;

use super::html::Html;
use super::number::number_in;
use super::sources::{Saved, Table};

/// Columns that say what a write survives, or under what rule of syncing it was measured: by them a table is taken apart.
const APART: [&str; 5] =
    ["a write survives", "a write of which survives", "says it survives", "Redis", "ours"];

/// Tables whose engines say in another list of the file what they survive.
const LISTS: [(&str, &str); 2] = [("disk", "spaces"), ("large", "scales")];

/// The tables of a file, taken apart wherever engines of different durability stand in one.
pub(super) fn apart(saved: &Saved) -> Vec<Table> {
    saved.tables.iter().flat_map(|table| parts(saved, table)).collect()
}

fn parts(saved: &Saved, table: &Table) -> Vec<Table> {
    let column = table.headings.iter().position(|heading| APART.contains(&heading.as_str()));
    if let Some(column) = column {
        let without = |cells: &[String]| -> Vec<String> {
            let others = cells.iter().enumerate().filter(|(place, _)| *place != column);
            others.map(|(_, cell)| cell.clone()).collect()
        };
        let heading = &table.headings[column];
        let mut right = table.right.clone();
        right.remove(column);
        let part = |what: String, rows: Vec<&Vec<String>>| Table {
            title: format!("{} — {heading}: {what}", table.title),
            headings: without(&table.headings),
            right: right.clone(),
            rows: rows.into_iter().map(|row| without(row)).collect(),
            name: table.name.clone(),
        };
        return grouped(table, |row| row.get(column).cloned())
            .into_iter()
            .map(|(what, rows)| part(what, rows))
            .collect();
    }
    let list = LISTS.iter().find(|(name, _)| *name == table.name).map(|(_, list)| saved.durabilities(list));
    if let Some(list) = list.filter(|list| !list.is_empty()) {
        let part = |what: String, rows: Vec<&Vec<String>>| Table {
            title: format!("{} — a write survives: {what}", table.title),
            rows: rows.into_iter().cloned().collect(),
            ..table.clone()
        };
        let of = |row: &Vec<String>| list.get(row.first()?).cloned();
        return grouped(table, of).into_iter().map(|(what, rows)| part(what, rows)).collect();
    }
    vec![table.clone()]
}

/// The rows of the table by what `of` says of each, in the order in which that is said first.
fn grouped(table: &Table, of: impl Fn(&Vec<String>) -> Option<String>) -> Vec<(String, Vec<&Vec<String>>)> {
    let mut groups: Vec<(String, Vec<&Vec<String>>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for row in &table.rows {
        let what = of(row).unwrap_or_else(|| "it does not say".to_owned());
        let place = *places.entry(what.clone()).or_insert(groups.len());
        if place == groups.len() {
            groups.push((what, Vec::new()));
        }
        groups[place].1.push(row);
    }
    groups
}

/// Writes the table, under its title. `id` is its own on the page.
pub(super) fn write(html: &mut Html, id: &str, table: &Table) {
    let scroll =
        [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", table.title.as_str())];
    html.element("div", &scroll, |html| {
        html.element("table", &[("id", id)], |html| {
            html.words("caption", &[], &table.title);
            html.element("thead", &[], |html| {
                html.element("tr", &[], |html| {
                    for (heading, &right) in table.headings.iter().zip(&table.right) {
                        let class = if right { "number" } else { "word" };
                        html.element("th", &[("scope", "col"), ("class", class)], |html| {
                            let words = if heading.is_empty() { "target met?" } else { heading };
                            html.words("button", &[("type", "button")], words);
                        });
                    }
                });
            });
            html.element("tbody", &[], |html| {
                for row in &table.rows {
                    write_row(html, row, &table.right);
                }
            });
        });
    });
    html.line();
}

fn write_row(html: &mut Html, row: &[String], right: &[bool]) {
    html.element("tr", &[], |html| {
        for (place, (cell, &right)) in row.iter().zip(right).enumerate() {
            let class = match cell.as_str() {
                "met" => "word met",
                "missed" => "word missed",
                _ if right => "number",
                _ => "word",
            };
            let number = number_in(cell).filter(|_| right || place == 0).map(|number| number.to_string());
            let mut attributes = vec![("class", class)];
            if place == 0 {
                attributes.push(("scope", "row"));
            }
            if let Some(number) = &number {
                attributes.push(("data-value", number));
            }
            html.words(if place == 0 { "th" } else { "td" }, &attributes, cell);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(json: &str) -> Saved {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn engines_of_different_durability_come_apart_by_a_column_and_by_a_list() {
        let by_column = saved(
            r#"{"run": "", "tables": [{"name": "a", "title": "T", "headings": ["a write survives", "x"],
            "right": [false, true], "rows": [["power", "1"], ["nothing", "2"], ["power", "3"]]}]}"#,
        );
        let parts = apart(&by_column);
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[0].title.as_str(), parts[0].rows.len()), ("T — a write survives: power", 2));
        assert_eq!(parts[0].headings, ["x"]);

        let by_list = saved(
            r#"{"run": "", "tables": [{"name": "disk", "title": "T", "headings": ["engine", "x"],
            "right": [false, true], "rows": [["one", "1"], ["two", "2"]]}],
            "spaces": [{"engine": "one", "durability": "on sync"}, {"engine": "two", "durability": "power loss"}]}"#,
        );
        assert_eq!(apart(&by_list).len(), 2);
    }

    #[test]
    fn a_cell_has_its_number_beside_it_and_the_first_one_heads_its_row() {
        let table = Table {
            name: "a".into(),
            title: "T".into(),
            headings: vec!["engine".into(), "set/s".into()],
            right: vec![false, true],
            rows: vec![vec!["<b>".into(), "1,500 ±2%".into()]],
        };
        let mut html = Html::default();
        write(&mut html, "t1", &table);
        let text = html.finish();
        assert!(text.contains("<td class=\"number\" data-value=\"1500\">1,500 ±2%</td>"), "{text}");
        assert!(text.contains("<th class=\"word\" scope=\"row\">&lt;b&gt;</th>"), "{text}");
    }
}
