//! What stage 5 promises of its speed, against the bare work underneath it, in one run:
//!
//! ```text
//! cargo bench -p logladder-bench --bench replay-log
//! cargo bench -p logladder-bench --bench replay-log -- --json docs/results/replay-log.json
//! cargo bench -p logladder-bench --bench replay-log -- --test        shows that it works, measures nothing
//! ```
//!
//! Each figure is a ratio of medians of several rounds in which the two sides take turns, so that both meet the same
//! machine. Only a folder beside the build is written to: memory is no disk.

#![allow(clippy::expect_used, reason = "a measurement that cannot be made has failed")]

mod bare;
mod measure;

use anyhow::Result;
use logladder_bench::tables::Look;
use logladder_bench::{Asked, Report, TargetRow, save};
use serde::Serialize;

/// The figures themselves, beside their table.
#[derive(Serialize)]
struct Figures {
    rows: Vec<TargetRow>,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() -> Result<()> {
    let asked = Asked::of_command_line();
    let Report { machine, date, .. } = Report::begin("replay-log");
    let rows = measure::all(if asked.test { 100 } else { 1 });
    let sheet = TargetRow::sheet("replay-log against what is underneath", &rows);
    println!("{}\n{}", sheet.title, sheet.table(Look::of_stdout()));
    if asked.test {
        println!("a test: its figures mean nothing");
    }
    if let Some(path) = asked.json {
        save(&path, &format!("{machine}, {date}."), &[sheet], &Figures { rows })?;
    }
    Ok(())
}
