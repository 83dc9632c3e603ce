//! The tables that are kept with a climb and with a run of the workloads, for the book and for the page.

use std::time::Duration;

use crate::learndb::{AOF_SERVER, PUBLISHED};
use crate::report::{Operation, Report, Run};
use crate::tables::{by_workload, survives};
use crate::{Sheet, figures};

/// The workload that [`learndb`](crate::learndb) follows.
const LEARNDB: &str = "learndb";

/// A table for each durability, and one of what was cut off if anything was.
#[must_use]
pub fn of_climb(report: &Report) -> Vec<Sheet> {
    let headings = [
        "stage",
        ">set/s",
        ">get/s",
        ">delete/s",
        ">set p99",
        ">get p50",
        ">get p99",
        ">get p99.9",
        ">heap held",
        ">RSS difference",
        ">on disk",
        ">write ampl.",
        ">space ampl.",
        ">open again",
    ];
    let mut sheets = Vec::new();
    let mut cut = Sheet::new("cut", "cut off, because its time was over", ["stage", "what"]);
    for (_, groups) in by_workload(report) {
        for (durability, runs) in groups {
            let title = format!("an acknowledged write survives {}", survives(durability));
            let mut sheet = Sheet::new("climb", title, headings);
            sheet.rows = runs.iter().map(|run| row(run)).collect();
            for run in runs {
                cut.rows.extend(run.cut_offs().into_iter().map(|line| vec![name(run), line]));
            }
            sheets.push(sheet);
        }
    }
    if !cut.rows.is_empty() {
        sheets.push(cut);
    }
    sheets
}

fn name(run: &Run) -> String {
    let number = run.number.map_or(String::new(), |number| format!("{number} "));
    format!("{number}{}", run.engine)
}

fn row(run: &Run) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let speed = |operation| {
        or_dash(run.phase(operation).map(|phase| {
            let mark = if phase.cut_off { " ✂" } else { "" };
            format!("{}{mark}", figures::rate(&phase.rate))
        }))
    };
    let latency = |operation, of: fn(&crate::report::Latency) -> u64| {
        or_dash(run.phase(operation).map(|phase| figures::duration(Duration::from_nanos(of(&phase.latency)))))
    };
    let times = |factor: Option<f64>| or_dash(factor.map(|factor| format!("{factor:.2}×")));
    let open = run.reopen.map_or("forgets".to_owned(), |reopen| {
        figures::duration(Duration::try_from_secs_f64(reopen.open_seconds).unwrap_or_default())
    });
    vec![
        name(run),
        speed(Operation::Set),
        speed(Operation::Get),
        speed(Operation::Delete),
        latency(Operation::Set, |latency| latency.p99),
        latency(Operation::Get, |latency| latency.p50),
        latency(Operation::Get, |latency| latency.p99),
        latency(Operation::Get, |latency| latency.p999),
        or_dash(run.memory.heap_held.map(figures::bytes)),
        figures::difference(run.memory.rss_difference()),
        or_dash(run.reopen.map(|_| figures::bytes(run.storage.disk_bytes))),
        times(run.storage.write_amplification()),
        times(run.storage.space_amplification()),
        open,
    ]
}

/// The published figures of the stores that stages follow, beside what the stages did with the same workload: learndb's
/// three stores, and a server with an append-only file, which has no counterpart that was measured alike.
#[must_use]
pub fn of_seeds(report: &Report) -> Vec<Sheet> {
    let headings = ["store", "figure", ">published", ">ours", ">ours ÷ theirs"];
    let mut sheet = Sheet::new(
        "learndb",
        "learndb (JavaScript): keys from 500, values of random digits, no sync; each store beside the stage of its design",
        headings,
    );
    for published in &PUBLISHED {
        let run = report.runs.iter().find(|run| run.workload == LEARNDB && run.engine == published.stage);
        let speeds = [
            ("set/s", Operation::Set, published.set),
            ("get/s", Operation::Get, published.get),
            ("delete/s", Operation::Delete, published.delete),
        ];
        for (what, operation, theirs) in speeds {
            let ours = run.and_then(|run| run.phase(operation)).map(|phase| phase.rate);
            let factor = ours.map(|ours| ours.per_second / theirs);
            sheet.rows.push(vec![
                published.stage.to_owned(),
                what.to_owned(),
                figures::per_second(theirs),
                ours.map_or("–".to_owned(), |ours| figures::rate(&ours)),
                factor.map_or("–".to_owned(), |factor| format!("{}×", figures::per_second(factor))),
            ]);
        }
        sheet.rows.push(vec![
            published.stage.to_owned(),
            "RSS difference".to_owned(),
            figures::difference(published.rss_difference),
            run.map_or("–".to_owned(), |run| figures::difference(run.memory.rss_difference())),
            "–".to_owned(),
        ]);
    }
    let mut server =
        Sheet::new("aof", "A server with an append-only file, synced on each set (Go, over HTTP)", headings);
    server.headings.truncate(3);
    server.right.truncate(3);
    server.rows = AOF_SERVER
        .iter()
        .map(|(what, published)| vec!["AOF server".to_owned(), (*what).to_owned(), (*published).to_owned()])
        .collect();
    vec![sheet, server]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_report;

    #[test]
    fn a_climb_has_a_table_for_each_durability_with_a_cell_below_each_heading() {
        let mut report = sample_report();
        report.runs[0].phases[0].cut_off = true;
        let sheets = of_climb(&report);
        assert_eq!(sheets.iter().map(|sheet| sheet.name).collect::<Vec<_>>(), ["climb", "climb", "cut"]);
        assert_eq!(sheets[1].rows.len(), 2);
        for sheet in &sheets {
            assert!(sheet.rows.iter().all(|row| row.len() == sheet.headings.len()), "{sheet:?}");
        }
        assert!(sheets[0].rows[0][1].ends_with('✂') && sheets[0].rows[0][10] == "–");
    }

    #[test]
    fn a_store_stands_beside_the_stage_of_its_design_alone() {
        let mut report = sample_report();
        report.runs[1].workload = "learndb".into();
        let sheet = &of_seeds(&report)[0];
        assert_eq!(sheet.rows.len(), 4 * PUBLISHED.len());
        let row = sheet.rows.iter().find(|row| row[0] == "scan-log" && row[1] == "set/s").unwrap();
        assert_eq!(row[2..], ["2,137", "500,000 ±1.50%", "234×"]);
        assert_eq!(sheet.rows[0][3], "–", "the sample has no run of memory with that workload");
    }
}
