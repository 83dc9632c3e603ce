//! [`Results`] as tables.
//!
//! Engines stand in one table only if the same crash takes the same from them. The raw limits, which keep
//! nothing that could be found again, have their own.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use logladder_bench::figures::{count, per_second};
use logladder_bench::tables::{self, Look, survives};
use logladder_engine::Durability;

use crate::entrant::Side;
use crate::measure::Measure;
use crate::results::{Kept, Median, Of, Results, Row, Standing};

/// Everything, for a terminal or a file.
#[must_use]
pub fn all(results: &Results, look: Look) -> String {
    let versions: Vec<_> =
        results.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let mut text = format!("{}\n{}\n{}\n", results.machine, results.date, versions.join(", "));
    for kind in results.kinds() {
        let rows = results.rows(kind);
        let (limits, engines): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.of.side == Side::Limit);
        for (durability, rows) in by_durability(engines) {
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(
                text,
                "\n{}: an acknowledged write survives {}\n{}",
                kind_name(results, kind),
                survives(durability),
                speeds(&rows, look)
            );
        }
        if !limits.is_empty() {
            let _ = writeln!(text, "\n{}: raw limits\n{}", kind_name(results, kind), speeds(&limits, look));
        }
    }
    let standings = results.standings();
    if !standings.is_empty() {
        let _ = writeln!(text, "\nours ÷ theirs\n{}", ratios(&standings, look));
    }
    if !results.kills.is_empty() {
        let _ = writeln!(text, "\nkilled while it idled: what was kept of what it had acknowledged");
        let _ = writeln!(text, "{}", kills(&results.kills, look));
    }
    if !results.cost.runs.is_empty() {
        let _ = writeln!(text, "\nby the common benchmark\n{}", tables::all(&results.cost, look));
    }
    for failure in &results.failures {
        let _ = writeln!(text, "\nNO FIGURES: {failure}");
    }
    if results.test && !results.figures.is_empty() {
        let _ = writeln!(text, "\nthis was a test: its figures mean nothing");
    }
    text
}

fn kind_name(results: &Results, (value_len, durable): (u32, bool)) -> String {
    let of_kind = results
        .figures
        .iter()
        .filter(|figure| figure.value_len == value_len && figure.measure.is_durable() == durable);
    let keys = count(of_kind.map(|figure| u64::from(figure.keys)).max().unwrap_or(0));
    let synced = if durable { ", each set synced" } else { "" };
    format!("{keys} keys of 16 bytes, values of {}{synced}", count(u64::from(value_len)))
}

fn by_durability(rows: Vec<Row>) -> Vec<(Durability, Vec<Row>)> {
    let mut groups: Vec<(Durability, Vec<Row>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(durability, _)| *durability == row.of.durability) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((row.of.durability, vec![row])),
        }
    }
    groups.sort_by_key(|(durability, _)| *durability);
    groups
}

fn speeds(rows: &[Row], look: Look) -> Table {
    let measures: Vec<Measure> = Measure::ALL
        .into_iter()
        .filter(|measure| rows.iter().any(|row| row.medians.contains_key(measure)))
        .collect();
    let headings = measures.iter().map(|measure| format!("{}/s", measure.name()));
    let mut table =
        table(look, ["engine".to_owned()].into_iter().chain(headings).chain(["opened with".to_owned()]));
    for row in rows {
        let cells = measures.iter().map(|measure| match row.medians.get(measure) {
            Some(median) => {
                let cell = Cell::new(rate(median));
                if is_fastest(median, *measure, rows) { cell.fg(Color::Green) } else { cell }
            }
            None => Cell::new("–"),
        });
        table.add_row(
            [Cell::new(row.of.engine)].into_iter().chain(cells).chain([Cell::new(row.of.opened_with)]),
        );
    }
    right(table, 1..=measures.len())
}

fn rate(median: &Median) -> String {
    let spread = median.spread_percent.map_or(String::new(), |spread| format!(" ±{spread:.0}%"));
    let mark = if median.cut_off { " ✂" } else { "" };
    format!("{}{spread}{mark}", per_second(median.per_second))
}

fn is_fastest(median: &Median, measure: Measure, rows: &[Row]) -> bool {
    let medians = rows.iter().filter_map(|row| row.medians.get(&measure));
    rows.len() > 1 && medians.map(|other| other.per_second).fold(0.0, f64::max) <= median.per_second
}

fn ratios(standings: &[Standing], look: Look) -> Table {
    let headings = [
        "values",
        "measure",
        "ours",
        "per second",
        "best rival of that durability",
        "per second",
        "ratio",
        "best rival of any",
        "ratio",
        "raw limit",
        "ratio",
    ];
    let mut table = table(look, headings.map(str::to_owned));
    for standing in standings {
        let (ours, rate) = standing.ours;
        let to = |best: Option<(Of, f64)>| {
            let ratio = |(_, theirs): (Of, f64)| format!("{:.2}×", rate / theirs.max(1e-9));
            best.map_or("–".to_owned(), ratio)
        };
        let named = |best: Option<(Of, f64)>, show: fn(&Of) -> String| {
            best.map_or("–".to_owned(), |(of, _)| show(&of))
        };
        let with_durability = |of: &Of| format!("{} ({})", of.engine, of.durability);
        let theirs = standing.alike.map_or("–".to_owned(), |(_, theirs)| per_second(theirs));
        table.add_row([
            count(u64::from(standing.value_len)),
            standing.measure.name().to_owned(),
            with_durability(&ours),
            per_second(rate),
            named(standing.alike, |of| of.engine.to_owned()),
            theirs,
            to(standing.alike),
            named(standing.any, with_durability),
            to(standing.any),
            named(standing.limit, |of| of.engine.to_owned()),
            to(standing.limit),
        ]);
    }
    right(right(right(right(table, 3..=3), 5..=6), 8..=8), 10..=10)
}

fn kills(kills: &[Kept], look: Look) -> Table {
    let headings =
        ["engine", "opened with", "says it survives", "acknowledged", "kept", "kept", "wrong values"];
    let mut table = table(look, headings.map(str::to_owned));
    for kill in kills {
        table.add_row([
            kill.of.engine.to_owned(),
            kill.of.opened_with.to_owned(),
            kill.of.durability.to_string(),
            count(kill.acknowledged),
            count(kill.kept),
            percent(kill.kept, kill.acknowledged),
            count(kill.wrong),
        ]);
    }
    right(table, 3..=6)
}

/// A share in percent that is only 100% if nothing is missing, and only 0% if everything is.
#[allow(clippy::cast_precision_loss)] // Two decimals are shown.
fn percent(part: u64, whole: u64) -> String {
    match part {
        _ if part == whole => "100%".to_owned(),
        0 => "0%".to_owned(),
        _ => format!("{:.2}%", (part as f64 / whole as f64 * 100.0).clamp(0.01, 99.99)),
    }
}

fn table(look: Look, headings: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    if look.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    if let Some(width) = look.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(headings.into_iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    table
}

fn right(mut table: Table, columns: std::ops::RangeInclusive<usize>) -> Table {
    for (place, column) in table.column_iter_mut().enumerate() {
        if columns.contains(&place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::sample;

    #[test]
    fn engines_of_different_durability_and_the_limits_have_tables_of_their_own() {
        let text = all(&sample(), Look::default());
        let tables: Vec<&str> = text.split("10 keys of 16 bytes").skip(1).collect();
        let with = |name: &str| tables.iter().position(|table| table.contains(&format!(" {name} "))).unwrap();
        let places = ["memory", "weak", "hash-log", "strong", "raw"].map(with);
        assert_eq!(places, [0, 1, 2, 3, 4], "{text}");
        assert!(tables[1].contains("600 ±17% ✂"), "{text}");
    }

    #[test]
    fn the_ratios_and_the_kills_are_there() {
        let text = all(&sample(), Look::default());
        for shown in ["4.00×", "1.80×", "0.50×", "99.40%", "its figures mean nothing"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
    }

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        let shown = [percent(7, 7), percent(0, 7), percent(999_999, 1_000_000), percent(1, 1_000_000)];
        assert_eq!(shown, ["100%", "0%", "99.99%", "0.01%"]);
    }
}
