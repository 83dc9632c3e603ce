//! [`Results`] as tables.
//!
//! Engines stand in one table of speeds only if the same crash takes the same from them. The raw limits, which keep
//! nothing that could be found again, have their own.

use std::collections::BTreeMap;
use std::time::Duration;

use logladder_bench::Sheet;
use logladder_bench::figures::{bytes, count, duration, per_second};
use logladder_bench::tables::survives;
use logladder_engine::Durability;

use crate::entrant::Side;
use crate::latency::Beside;
use crate::measure::Measure;
use crate::medians::{Large, Median, Row};
use crate::results::{Of, Results};
use crate::targets;

/// What stands where there is no figure.
pub(crate) const NONE: &str = "–";

impl Results {
    /// Every table for which there are figures.
    pub(crate) fn sheets(&self) -> Vec<Sheet> {
        let mut sheets = self.speeds();
        sheets.extend([self.ratios(), self.disk(), self.large(), self.beside(), self.killed()]);
        sheets.push(targets::sheet(self));
        sheets.retain(|sheet| !sheet.rows.is_empty());
        sheets
    }

    fn speeds(&self) -> Vec<Sheet> {
        let mut sheets = Vec::new();
        for kind in self.kinds() {
            let rows = self.rows(kind);
            let (limits, engines): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| row.of.side == Side::Limit);
            let name = self.kind_name(kind);
            for (durability, rows) in by_durability(engines) {
                let title = format!("{name}: an acknowledged write survives {}", survives(durability));
                sheets.push(speeds("speeds", title, &rows));
            }
            if !limits.is_empty() {
                sheets.push(speeds("speeds", format!("{name}: raw limits"), &limits));
            }
        }
        sheets
    }

    fn kind_name(&self, (value_len, durable): (u32, bool)) -> String {
        let of_kind = self
            .figures
            .iter()
            .filter(|figure| figure.value_len == value_len && figure.measure.is_durable() == durable);
        let keys = count(of_kind.map(|figure| u64::from(figure.keys)).max().unwrap_or(0));
        let synced = if durable { ", each set synced" } else { "" };
        format!("{keys} keys of 16 bytes, values of {}{synced}", count(u64::from(value_len)))
    }

    fn ratios(&self) -> Sheet {
        let headings = [
            ">values",
            "measure",
            "ours",
            ">per second",
            "best rival of that durability",
            ">per second",
            ">ratio",
            "best rival of any",
            ">ratio",
            "raw limit",
            ">ratio",
        ];
        let mut sheet = Sheet::new("ratios", "ours ÷ theirs", headings);
        for standing in self.standings() {
            let (ours, rate) = standing.ours;
            let to = |best: Option<(Of, f64)>| {
                let ratio = |(_, theirs): (Of, f64)| format!("{:.2}×", rate / theirs.max(1e-9));
                best.map_or(NONE.to_owned(), ratio)
            };
            let named = |best: Option<(Of, f64)>, show: fn(&Of) -> String| {
                best.map_or(NONE.to_owned(), |(of, _)| show(&of))
            };
            let with_durability = |of: &Of| format!("{} ({})", of.engine, of.durability);
            let theirs = standing.alike.map_or(NONE.to_owned(), |(_, theirs)| per_second(theirs));
            sheet.rows.push(vec![
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
        sheet
    }

    fn disk(&self) -> Sheet {
        let headings = ["engine", ">live bytes", ">disk ÷ live after the fill", ">after overwriting it all"];
        let mut sheet =
            Sheet::new("disk", "blocks on the disk for each live byte, while the store is open", headings);
        for space in self.space_medians() {
            sheet.rows.push(vec![
                space.of.engine.to_owned(),
                bytes(space.live),
                format!("{:.2}", space.after_fill),
                space.after_overwrite.map_or("cut off".to_owned(), |ratio| format!("{ratio:.2}")),
            ]);
        }
        sheet
    }

    fn large(&self) -> Sheet {
        let headings = [
            "engine",
            ">keys",
            ">heap",
            ">own pages",
            ">own pages a key",
            ">open after a crash",
            ">found then",
            ">open after a clean close",
        ];
        let mut sheet =
            Sheet::new("large", "a large store: memory when it is full, and opening it", headings);
        for large in self.large_medians() {
            sheet.rows.push(large_row(&large));
        }
        sheet
    }

    fn beside(&self) -> Sheet {
        let headings =
            ["beside", ">p50", ">p99", ">p99.9", ">longest", ">gets", ">sets", ">segments compacted"];
        let mut sheet = Sheet::new("latency", "single gets of hash-log beside other work", headings);
        let tails = self.tail_medians();
        for beside in [Beside::Idle, Beside::Writing, Beside::Compacting] {
            let Some(tail) = tails.get(&beside) else { continue };
            let times = [tail.p50, tail.p99, tail.p999, tail.longest];
            let times = times.map(|nanoseconds| duration(Duration::from_nanos(nanoseconds)));
            let counts = [tail.gets, tail.sets, tail.compacted].map(count);
            let row = [beside.name().to_owned()].into_iter().chain(times).chain(counts);
            sheet.rows.push(row.collect());
        }
        sheet
    }

    fn killed(&self) -> Sheet {
        let headings =
            ["engine", "opened with", "says it survives", ">acknowledged", ">kept", ">kept", ">wrong values"];
        let title = "killed while it idled: what was kept of what it had acknowledged";
        let mut sheet = Sheet::new("kills", title, headings);
        for kill in &self.kills {
            sheet.rows.push(vec![
                kill.of.engine.to_owned(),
                kill.of.opened_with.to_owned(),
                kill.of.durability.to_string(),
                count(kill.acknowledged),
                count(kill.kept),
                percent(kill.kept, kill.acknowledged),
                count(kill.wrong),
            ]);
        }
        sheet
    }
}

fn by_durability(rows: Vec<Row>) -> BTreeMap<Durability, Vec<Row>> {
    let mut groups: BTreeMap<Durability, Vec<Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.of.durability).or_default().push(row);
    }
    groups
}

fn speeds(name: &'static str, title: String, rows: &[Row]) -> Sheet {
    let measures: Vec<Measure> = Measure::ALL
        .into_iter()
        .filter(|measure| rows.iter().any(|row| row.medians.contains_key(measure)))
        .collect();
    let headings = measures.iter().map(|measure| format!(">{}/s", measure.name()));
    let headings = ["engine".to_owned()].into_iter().chain(headings).chain(["opened with".to_owned()]);
    let mut sheet = Sheet::new(name, title, headings);
    for (place, row) in rows.iter().enumerate() {
        let mut cells = vec![row.of.engine.to_owned()];
        for measure in &measures {
            let median = row.medians.get(measure);
            if median.is_some_and(|median| is_fastest(median, *measure, rows)) {
                sheet.marked.push((place, cells.len()));
            }
            cells.push(median.map_or(NONE.to_owned(), |median| rate(median, "")));
        }
        cells.push(row.of.opened_with.to_owned());
        sheet.rows.push(cells);
    }
    sheet
}

/// A rate and its unit with its spread, and a mark if it was cut off.
pub(crate) fn rate(median: &Median, unit: &str) -> String {
    let spread = median.spread_percent.map_or(String::new(), |spread| format!(" ±{spread:.0}%"));
    let mark = if median.cut_off { " ✂" } else { "" };
    format!("{}{unit}{spread}{mark}", per_second(median.per_second))
}

fn is_fastest(median: &Median, measure: Measure, rows: &[Row]) -> bool {
    let medians = rows.iter().filter_map(|row| row.medians.get(&measure));
    rows.len() > 1 && medians.map(|other| other.per_second).fold(0.0, f64::max) <= median.per_second
}

fn large_row(large: &Large) -> Vec<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
    let seconds = |seconds: f64| duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    vec![
        large.of.engine.to_owned(),
        count(large.keys),
        or_none(large.heap.map(bytes)),
        or_none(large.anonymous.map(bytes)),
        or_none(large.anonymous.map(|bytes| a_key(bytes, large.keys))),
        seconds(large.open_after_a_crash),
        percent(large.kept, large.looked_for),
        seconds(large.open_after_a_clean_close),
    ]
}

/// So many bytes a key.
#[allow(clippy::cast_precision_loss)] // One decimal is shown.
pub(crate) fn a_key(bytes: u64, keys: u64) -> String {
    format!("{:.1} B", bytes as f64 / keys.max(1) as f64)
}

/// A share in percent that is only 100% if nothing is missing, and only 0% if everything is.
#[allow(clippy::cast_precision_loss)] // Two decimals are shown.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match part {
        _ if part == whole => "100%".to_owned(),
        0 => "0%".to_owned(),
        _ => format!("{:.2}%", (part as f64 / whole as f64 * 100.0).clamp(0.01, 99.99)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        let shown = [percent(7, 7), percent(0, 7), percent(999_999, 1_000_000), percent(1, 1_000_000)];
        assert_eq!(shown, ["100%", "0%", "99.99%", "0.01%"]);
    }
}
