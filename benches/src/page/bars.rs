//! Charts of the page: bars and spans on a logarithmic scale, drawn from the cells of a table that stands below them.

use super::html::Html;
use super::number::number_in;
use super::sources::Table;
use crate::scale::{self, Scale};

/// The columns of a chart: a name for each, and where it is.
pub(super) type Columns = Vec<(String, usize)>;

/// The columns that are speeds: the first three at most.
pub(super) fn speeds(table: &Table) -> Columns {
    let named = table.headings.iter().enumerate();
    let speeds = named.filter_map(|(place, heading)| Some((heading.strip_suffix("/s")?.to_owned(), place)));
    speeds.take(3).collect()
}

/// A scale that holds every figure of these columns of the tables.
pub(super) fn scale_of<'t>(tables: impl Iterator<Item = (&'t Table, &'t Columns)>) -> Scale {
    let figures = tables.flat_map(|(table, columns)| {
        let cells =
            table.rows.iter().flat_map(move |row| columns.iter().filter_map(|(_, place)| row.get(*place)));
        cells.filter_map(|cell| number_in(cell)).collect::<Vec<f64>>()
    });
    Scale::of(figures)
}

/// What a row is called: its words, up to the first figure.
fn name(table: &Table, row: &[String]) -> String {
    let words = row.iter().zip(&table.right).take_while(|(_, right)| !**right).map(|(cell, _)| cell.as_str());
    let mut name: Vec<&str> = words.collect();
    // How many are under way at once is a part of the name.
    let at_once =
        table.headings.iter().position(|heading| heading == "pipeline").and_then(|place| row.get(place));
    if let Some(at_once) = at_once {
        name.extend(["by", at_once]);
    }
    name.join(" ")
}

/// A percentage for a style.
fn percent(part: f64) -> String {
    format!("{:.2}%", part * 100.0)
}

fn axis(html: &mut Html, scale: Scale, label: impl Fn(i32) -> String) {
    html.element("div", &[("class", "axis"), ("aria-hidden", "true")], |html| {
        for (power, part) in scale.marks() {
            let style = format!("--at:{}", percent(part));
            html.words("span", &[("style", &style)], &label(power));
        }
    });
}

fn write_row(html: &mut Html, name: &str, plot: impl FnOnce(&mut Html)) {
    html.element("div", &[("class", "row")], |html| {
        html.words("div", &[("class", "name")], name);
        html.element("div", &[("class", "plot")], plot);
    });
}

/// Bars of these columns, a row of the table each.
pub(super) fn bars(html: &mut Html, table: &Table, columns: &[(String, usize)], scale: Scale) {
    html.element("figure", &[("class", "chart")], |html| {
        html.element("figcaption", &[], |html| {
            for (number, (name, _)) in columns.iter().enumerate() {
                html.words("span", &[("class", &format!("key s{number}"))], name);
            }
            html.words("span", &[("class", "quiet")], "per second, logarithmic");
        });
        html.element("div", &[("class", "field")], |html| {
            axis(html, scale, scale::label);
            for row in &table.rows {
                write_row(html, &name(table, row), |html| {
                    for (number, (_, place)) in columns.iter().enumerate() {
                        let Some(cell) = row.get(*place) else { continue };
                        let Some(figure) = number_in(cell) else { continue };
                        let style = format!("--to:{}", percent(scale.part(figure)));
                        html.element(
                            "div",
                            &[("class", &format!("bar s{number}")), ("style", &style)],
                            |html| {
                                html.words("span", &[], cell);
                            },
                        );
                    }
                });
            }
        });
    });
    html.line();
}

/// Where the parts of a distribution stand in a table of percentiles.
struct Percentiles {
    min: usize,
    p50: usize,
    p99: usize,
    max: usize,
}

impl Percentiles {
    fn of(table: &Table) -> Option<Self> {
        let place = |name: &str| table.headings.iter().position(|heading| heading == name);
        Some(Self { min: place("min")?, p50: place("p50")?, p99: place("p99")?, max: place("max")? })
    }
}

/// The columns of a table of percentiles that a chart shows.
pub(super) fn percentiles(table: &Table) -> Columns {
    let Some(Percentiles { min, p50, p99, max }) = Percentiles::of(table) else { return Vec::new() };
    [("min", min), ("p50", p50), ("p99", p99), ("max", max)]
        .map(|(name, place)| (name.to_owned(), place))
        .to_vec()
}

/// From the fastest to the slowest, a row of the table each: a line for all, a bar from the median to all but one in a
/// hundred.
pub(super) fn spans(html: &mut Html, table: &Table, scale: Scale) {
    let Some(places) = Percentiles::of(table) else { return };
    html.element("figure", &[("class", "chart spans")], |html| {
        html.element("figcaption", &[], |html| {
            html.words("span", &[("class", "key s0")], "from the median to p99");
            html.words("span", &[("class", "key line")], "from the fastest to the slowest");
            html.words("span", &[("class", "quiet")], "logarithmic");
        });
        html.element("div", &[("class", "field")], |html| {
            axis(html, scale, seconds);
            for row in &table.rows {
                let cells = [places.min, places.p50, places.p99, places.max].map(|place| row.get(place));
                let [Some(min), Some(p50), Some(p99), Some(max)] = cells else { continue };
                let at = |cell: &str| percent(number_in(cell).map_or(0.0, |figure| scale.part(figure)));
                let [from, start, end, to] = [min, p50, p99, max].map(|cell| at(cell));
                let style = format!("--min:{from};--p50:{start};--p99:{end};--max:{to}");
                write_row(html, &name(table, row), |html| {
                    html.element("div", &[("class", "span"), ("style", &style)], |html| {
                        html.words("span", &[], &format!("{p50} · {p99}"));
                    });
                });
            }
        });
    });
    html.line();
}

/// A power of ten of seconds: `10 µs`.
fn seconds(power: i32) -> String {
    let (unit, base) = match power {
        0.. => ("s", 0),
        -3..0 => ("ms", -3),
        -6..-3 => ("µs", -6),
        _ => ("ns", -9),
    };
    format!("{} {unit}", 10f64.powi(power - base))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(headings: &[&str], right: &[bool], row: &[&str]) -> Table {
        Table {
            name: String::new(),
            title: String::new(),
            headings: headings.iter().map(ToString::to_string).collect(),
            right: right.to_vec(),
            rows: vec![row.iter().map(ToString::to_string).collect()],
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_figure_and_says_it_as_the_table_does() {
        let table =
            table(&["stage", "set/s", "p99"], &[false, true, true], &["4 scan-log", "1,000 ±2%", "1 µs"]);
        let columns = speeds(&table);
        assert_eq!(columns, [("set".to_owned(), 1)]);
        let mut html = Html::default();
        bars(&mut html, &table, &columns, Scale { lowest: 0, highest: 6 });
        let text = html.finish();
        assert!(text.contains("--to:50.00%") && text.contains("<span>1,000 ±2%</span>"), "{text}");
        assert!(text.contains(">4 scan-log<"), "{text}");
    }

    #[test]
    fn a_span_needs_its_four_figures_and_powers_of_seconds_have_names() {
        assert!(percentiles(&table(&["engine", "p50"], &[false, true], &["a", "1 µs"])).is_empty());
        assert_eq!([-9, -5, -3, 1].map(seconds), ["1 ns", "10 µs", "1 ms", "10 s"]);
    }
}
