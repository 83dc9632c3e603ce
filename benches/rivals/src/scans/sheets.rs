//! [`ScanResults`](super::ScanResults) as tables: what each engine does, in a table for each durability; what it takes; and
//! what is asked of `sorted-log`, beside the best of those that it is held against.
//!
//! A target that is missed keeps its row and its figure. A row without a target is there to be seen beside the others.

use std::time::Duration;

use logladder_bench::Sheet;
use logladder_bench::figures::{bytes, duration};
use logladder_bench::tables::survives;
use logladder_engine::Durability;

use super::results::Row;
use super::{ENGINE, MAPPED, MERGE_TREES, ROWS};
use crate::medians::Median;
use crate::results::Of;
use crate::sheets::{NONE, rate};
use crate::targets::{Line, Target};

/// Every table that has rows.
pub(super) fn all(rows: &[Row]) -> Vec<Sheet> {
    let mut durabilities: Vec<Durability> = rows.iter().map(|row| row.of.durability).collect();
    durabilities.sort_unstable();
    durabilities.dedup();
    let mut sheets: Vec<Sheet> =
        durabilities.into_iter().map(|durability| speeds(rows, durability)).collect();
    sheets.extend([space(rows), targets(rows)]);
    sheets.retain(|sheet| !sheet.rows.is_empty());
    sheets
}

type Figure = fn(&Row) -> Median;

/// What stands in each column of the speeds.
const SPEEDS: [(&str, Figure); 6] = [
    (">fill/s", |row| row.fill),
    (">get/s", |row| row.get),
    (">get absent/s", |row| row.get_absent),
    (">rows/s of a whole scan", |row| row.rows_forward),
    (">backward", |row| row.rows_backward),
    (">scans of 100 rows/s", |row| row.short_scans),
];

fn speeds(rows: &[Row], durability: Durability) -> Sheet {
    let headings = SPEEDS.iter().map(|(heading, _)| *heading);
    let headings = std::iter::once("engine").chain(headings).chain(["opened with"]);
    let title = format!("an acknowledged write survives {}", survives(durability));
    let mut sheet = Sheet::new("speeds", title, headings);
    for row in rows.iter().filter(|row| row.of.durability == durability) {
        let figures = SPEEDS.iter().map(|(_, figure)| rate(&figure(row), ""));
        let cells = std::iter::once(row.of.engine.to_owned()).chain(figures);
        sheet.rows.push(cells.chain([row.of.opened_with.to_owned()]).collect());
    }
    sheet
}

fn space(rows: &[Row]) -> Sheet {
    let headings = [
        "engine",
        ">written ÷ user bytes",
        ">disk ÷ user bytes",
        ">own memory when all is read",
        ">settled after",
    ];
    let mut sheet = Sheet::new("space", "what it takes, once it has settled", headings);
    for row in rows {
        let seconds = Duration::try_from_secs_f64(row.settle_seconds).unwrap_or_default();
        sheet.rows.push(vec![
            row.of.engine.to_owned(),
            row.written.map_or(NONE.to_owned(), |times| format!("{times:.2}")),
            format!("{:.2}", row.disk),
            row.own_bytes.map_or(NONE.to_owned(), bytes),
            duration(seconds),
        ]);
    }
    sheet
}

fn targets(rows: &[Row]) -> Sheet {
    let headings = [
        "workload",
        ">sorted-log",
        "beside",
        ">its figure",
        "a write of which survives",
        ">ratio",
        ">target",
        "",
    ];
    let mut sheet = Sheet::new("targets", "targets", headings);
    let Some(ours) = rows.iter().find(|row| row.of.engine == ENGINE) else { return sheet };
    for line in lines(ours, rows) {
        if line.met == Some(true) {
            sheet.marked.push((sheet.rows.len(), 7));
        }
        sheet.rows.push(line.cells());
    }
    sheet
}

fn lines(ours: &Row, rows: &[Row]) -> Vec<Line> {
    use Target::{AtLeast, AtMost, None as Seen};
    // A weaker promise is cheaper to keep, so whoever makes it may stand beside ours; a stronger one may not.
    let trees: Vec<&Row> = rows
        .iter()
        .filter(|row| MERGE_TREES.contains(&row.of.engine) && row.of.durability <= ours.of.durability)
        .collect();
    let mapped: Vec<&Row> = rows.iter().filter(|row| row.of.engine == MAPPED).collect();
    let rate_to = |workload: &str, figure: fn(&Row) -> Median, target: Target, among: &[&Row]| {
        let line = Line::new(workload, target.times());
        let best = among.iter().map(|row| (row.of, figure(row)));
        let best = best.max_by(|a, b| a.1.per_second.total_cmp(&b.1.per_second));
        beside(line, figure(ours), best, target)
    };
    let amplification = |workload: &str, figure: fn(&Row) -> Option<f64>| {
        let target = AtMost(1.0);
        let line = Line::new(workload, target.times());
        let Some(own) = figure(ours) else { return line };
        let line = Line { ours: format!("{own:.2}"), ..line };
        let best = trees.iter().filter_map(|row| Some((row.of, figure(row)?)));
        match best.min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((of, theirs)) => line.beside(&of, format!("{theirs:.2}")).judged(own, theirs, target),
            None => line,
        }
    };
    let short = format!("scans of {ROWS} rows");
    vec![
        rate_to("fill", |row| row.fill, AtLeast(1.0), &trees),
        rate_to("fill, to the map", |row| row.fill, Seen, &mapped),
        rate_to("get", |row| row.get, AtLeast(1.0), &trees),
        rate_to("get, to the map", |row| row.get, Seen, &mapped),
        rate_to("get of absent keys", |row| row.get_absent, AtLeast(2.0), &trees),
        rate_to("rows of a whole scan", |row| row.rows_forward, AtLeast(1.5), &trees),
        rate_to("rows of a whole scan, to the map", |row| row.rows_forward, AtLeast(0.5), &mapped),
        rate_to("the same backward", |row| row.rows_backward, Seen, &trees),
        rate_to(&short, |row| row.short_scans, AtLeast(1.0), &trees),
        rate_to(&format!("{short}, to the map"), |row| row.short_scans, Seen, &mapped),
        amplification("bytes written ÷ user bytes", |row| row.written),
        amplification("disk ÷ user bytes", |row| Some(row.disk)),
    ]
}

fn beside(line: Line, ours: Median, best: Option<(Of, Median)>, target: Target) -> Line {
    let line = Line { ours: rate(&ours, "/s"), ..line };
    match best {
        Some((of, theirs)) => {
            line.beside(&of, rate(&theirs, "/s")).judged(ours.per_second, theirs.per_second, target)
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entrant::Entrant;
    use crate::rivals::Budget;
    use crate::scans::results::Seen;
    use crate::scans::schedule::Kind;
    use crate::scans::{ScanResults, Scanned};

    fn results(figures: &[(&str, f64, u64)]) -> ScanResults {
        let budget = Budget { write_buffer: 1 << 20, cache: 2 << 20 };
        let mut results = ScanResults::begin(Kind::Test, 10, 3, budget, &[]);
        for &(name, rate, written) in figures {
            for (round, rate) in (1..).zip([rate * 0.9, rate, rate * 1.1]) {
                let scanned = Scanned {
                    keys: 10,
                    cut_off: false,
                    fill: rate,
                    get: rate,
                    get_absent: rate,
                    rows_forward: rate,
                    rows_backward: rate,
                    short_scans: rate,
                    settle_seconds: 1.0,
                    user_bytes: 1000,
                    written_bytes: Some(written),
                    disk_bytes: written,
                    own_bytes: None,
                };
                let of = Of::relaxed(Entrant::find(name).unwrap());
                results.seen.push(Seen { of, round, scanned });
            }
        }
        results
    }

    fn verdicts(results: &ScanResults) -> Vec<(String, String, String)> {
        let sheets = results.sheets();
        let targets = sheets.last().unwrap();
        assert_eq!(targets.name, "targets");
        let verdict = |row: &Vec<String>| (row[0].clone(), row[5].clone(), row[7].clone());
        targets.rows.iter().map(verdict).collect()
    }

    #[test]
    fn ours_is_held_against_the_best_merge_tree_and_against_the_map() {
        let results = results(&[("heed", 900.0, 100), ("fjall", 300.0, 2000), (ENGINE, 450.0, 2001)]);
        let verdicts = verdicts(&results);
        let of = |name: &str| verdicts.iter().find(|verdict| verdict.0 == name).unwrap();
        let row = |name: &str| (of(name).1.as_str(), of(name).2.as_str());
        assert_eq!(row("fill"), ("1.50×", "met"));
        assert_eq!(row("get of absent keys"), ("1.50×", "missed"));
        assert_eq!(row("rows of a whole scan"), ("1.50×", "met"));
        assert_eq!(row("rows of a whole scan, to the map"), ("0.50×", "met"));
        assert_eq!(row("get, to the map"), ("0.50×", ""));
        assert_eq!(row("bytes written ÷ user bytes"), ("1.00×", "missed"));
    }

    #[test]
    fn engines_of_different_durability_have_tables_of_their_own_and_what_was_not_measured_says_so() {
        let results = results(&[("redb", 900.0, 100), (ENGINE, 450.0, 2000)]);
        let titles: Vec<String> = results.sheets().into_iter().map(|sheet| sheet.title).collect();
        assert_eq!(titles.len(), 4, "{titles:?}");
        assert!(titles[0].contains("nothing, until it is synced") && titles[1].contains("the death"));
        assert!(verdicts(&results).iter().all(|(_, ratio, verdict)| ratio == NONE && verdict != "met"));
        assert!(results.run().contains("caches of 2 MiB"), "{}", results.run());
    }
}
