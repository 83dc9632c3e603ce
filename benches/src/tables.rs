//! A [`Report`] as tables for a terminal: speed, latency, memory and disk.
//!
//! Engines stand in one table only if the same crash takes the same from them ([`Durability`]): a store that
//! does less per write is not a faster store.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use comfy_table::{Attribute, Cell, CellAlignment, Color, Table};
use logladder_engine::Durability;

use crate::figures;
use crate::report::{Operation, Phase, Report, Run};
use crate::sheet::empty_table;
use crate::{DSKVS_PUBLISHED, Sheet, Spread};

/// How tables look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Whether the best of a column is coloured and headings are bold.
    pub colour: bool,
    /// Columns of the terminal; wider tables are wrapped. None: as wide as it takes, for files and pipes.
    pub width: Option<u16>,
}

impl Look {
    /// The look that suits the standard output: coloured on a terminal, unless `NO_COLOR` is set; plain in a
    /// file or a pipe.
    #[must_use]
    pub fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: terminal && !refused, width: if terminal { Table::new().width() } else { None } }
    }
}

/// The whole report: the machine, and for each workload and durability its tables.
#[must_use]
pub fn all(report: &Report, look: Look) -> String {
    let mut text = format!("{}\n{}\n", report.machine, report.date);
    for (workload, groups) in by_workload(report) {
        for (durability, runs) in groups {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n{workload} — an acknowledged write survives: {}", survives(durability));
            let tables = if runs.iter().any(|run| run.spreads.is_empty()) {
                vec![speed(&runs, look), latency(&runs, look), memory(&runs, look), disk(&runs, look)]
            } else {
                vec![throughput(&runs).table(look), percentiles(&runs).table(look)]
            };
            for table in tables {
                let _ = writeln!(text, "\n{table}");
            }
            for run in runs {
                for line in run.cut_offs() {
                    let _ = writeln!(text, "{} was cut off: {line}", run.engine);
                }
            }
        }
    }
    if report.runs.iter().any(has_scissors) {
        text.push_str(
            "\n✂ the time was over before everything was done; the figure is of what was done until then\n",
        );
    }
    for failure in &report.failures {
        let _ = writeln!(text, "\nNO FIGURES: {failure}");
    }
    text
}

/// Whether a figure of it is marked as cut off.
fn has_scissors(run: &Run) -> bool {
    run.phases.iter().any(|phase| phase.cut_off) || run.spreads.iter().any(|spread| spread.cut_off)
}

/// What a durability means, in words.
#[must_use]
pub fn survives(durability: Durability) -> &'static str {
    match durability {
        Durability::Never => "nothing; it is gone with the process",
        Durability::OnSync => "nothing, until it is synced",
        Durability::Eventual => "nothing at once; it is written soon after",
        Durability::ProcessCrash => "the death of the process",
        Durability::PowerLoss => "the loss of power",
    }
}

type Group<'r> = (Durability, Vec<&'r Run>);

/// The runs of each workload, in the report's order, grouped by durability, the weakest first.
#[must_use]
pub fn by_workload(report: &Report) -> Vec<(&str, Vec<Group<'_>>)> {
    let mut workloads: Vec<(&str, Vec<Group<'_>>)> = Vec::new();
    for run in &report.runs {
        let place = workloads.iter().position(|(name, _)| *name == run.workload).unwrap_or_else(|| {
            workloads.push((run.workload.as_str(), Vec::new()));
            workloads.len() - 1
        });
        let groups = &mut workloads[place].1;
        match groups.iter_mut().find(|(durability, _)| *durability == run.durability) {
            Some((_, runs)) => runs.push(run),
            None => groups.push((run.durability, vec![run])),
        }
        groups.sort_by_key(|(durability, _)| *durability);
    }
    workloads
}

/// Operations per second of runs that are fairly compared.
#[must_use]
pub fn speed(runs: &[&Run], look: Look) -> Table {
    let operations = operations(runs);
    let mut table = empty_table(look);
    let headings = operations.iter().map(|operation| format!("{}/s", operation.name()));
    header(&mut table, std::iter::once("engine".to_owned()).chain(headings));
    for run in runs {
        let cells = operations.iter().map(|&operation| {
            let Some(phase) = run.phase(operation) else { return Cell::new("–") };
            let mark = if phase.cut_off { " ✂" } else { "" };
            let cell = Cell::new(format!("{}{mark}", figures::rate(&phase.rate)));
            if is_fastest(phase, operation, runs) { cell.fg(Color::Green) } else { cell }
        });
        table.add_row(std::iter::once(Cell::new(name(run))).chain(cells));
    }
    align_right(table)
}

/// Latencies of single operations.
#[must_use]
pub fn latency(runs: &[&Run], look: Look) -> Table {
    let operations = operations(runs);
    let mut table = empty_table(look);
    let headings = operations.iter().map(|operation| format!("{}: p50 / p99 / p99.9", operation.name()));
    header(&mut table, std::iter::once("engine".to_owned()).chain(headings));
    for run in runs {
        let cells = operations.iter().map(|&operation| {
            let Some(phase) = run.phase(operation) else { return Cell::new("–") };
            let latency = phase.latency;
            let shown = [latency.p50, latency.p99, latency.p999]
                .map(|nanoseconds| figures::duration(Duration::from_nanos(nanoseconds)));
            Cell::new(shown.join(" / "))
        });
        table.add_row(std::iter::once(Cell::new(name(run))).chain(cells));
    }
    align_right(table)
}

/// How much a crowd of threads did together, and one of them alone.
#[must_use]
pub fn throughput(runs: &[&Run]) -> Sheet {
    let headings =
        ["engine", "operation", ">operations", ">all threads/s", ">bandwidth/s", ">1 ÷ average/s", ">dskvs'"];
    let mut sheet = Sheet::new("throughput", title(runs), headings);
    for (run, spread) in runs.iter().flat_map(|run| run.spreads.iter().map(move |spread| (run, spread))) {
        let mark = if spread.cut_off { " ✂" } else { "" };
        let published = DSKVS_PUBLISHED.iter().find(|(deed, _)| *deed == spread.deed);
        sheet.rows.push(vec![
            name(run),
            spread.deed.name().to_owned(),
            format!("{}{mark}", figures::count(spread.operations)),
            figures::per_second(spread.per_second),
            figures::bytes_of(spread.bytes_per_second),
            figures::per_second(spread.per_second_of_a_thread()),
            or_dash(published.map(|(_, theirs)| figures::per_second(*theirs))),
        ]);
    }
    sheet
}

/// How long an operation took one thread of a crowd.
#[must_use]
pub fn percentiles(runs: &[&Run]) -> Sheet {
    let headings =
        ["engine", "operation", ">min", ">avg", ">p50", ">p75", ">p90", ">p99", ">p99.9", ">p99.99", ">max"];
    let mut sheet = Sheet::new("percentiles", title(runs), headings);
    for (run, spread) in runs.iter().flat_map(|run| run.spreads.iter().map(move |spread| (run, spread))) {
        let Spread { min, p50, p75, p90, p99, p999, p9999, max, average, .. } = *spread;
        let average = Duration::try_from_secs_f64(average / 1e9).unwrap_or_default();
        let times = [p50, p75, p90, p99, p999, p9999, max].map(Duration::from_nanos);
        let times = [Duration::from_nanos(min), average].into_iter().chain(times);
        let times = times.map(figures::duration);
        sheet.rows.push([name(run), spread.deed.name().to_owned()].into_iter().chain(times).collect());
    }
    sheet
}

/// What the runs have in common.
fn title(runs: &[&Run]) -> String {
    let survives = runs.first().map_or("", |run| survives(run.durability));
    format!("an acknowledged write survives {survives}")
}

/// What a crowd of threads was timed at, for the book: two tables for each durability.
#[must_use]
pub fn of_crowds(report: &Report) -> Vec<Sheet> {
    let groups = by_workload(report).into_iter().flat_map(|(_, groups)| groups);
    groups.flat_map(|(_, runs)| [throughput(&runs), percentiles(&runs)]).collect()
}

/// Memory before and after, and how many values were compared in the meantime.
#[must_use]
pub fn memory(runs: &[&Run], look: Look) -> Table {
    let mut table = empty_table(look);
    let headings = ["engine", "RSS before", "RSS after", "difference", "heap held", "values checked"];
    header(&mut table, headings.map(str::to_owned));
    for run in runs {
        let memory = &run.memory;
        table.add_row([
            Cell::new(name(run)),
            Cell::new(figures::bytes(memory.rss_before)),
            Cell::new(figures::bytes(memory.rss_after)),
            Cell::new(figures::difference(memory.rss_difference())),
            Cell::new(or_dash(memory.heap_held.map(figures::bytes))),
            Cell::new(figures::count(run.values_checked)),
        ]);
    }
    align_right(table)
}

/// Bytes on disk, amplification, and how long syncing and opening took.
#[must_use]
pub fn disk(runs: &[&Run], look: Look) -> Table {
    let mut table = empty_table(look);
    let headings = ["engine", "on disk", "in blocks", "write ampl.", "space ampl.", "sync", "open again"];
    header(&mut table, headings.map(str::to_owned));
    let times = |factor: Option<f64>| or_dash(factor.map(|factor| format!("{factor:.2}×")));
    let seconds = |seconds: f64| figures::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    for run in runs {
        let storage = &run.storage;
        let kept = run.reopen.is_some();
        table.add_row([
            Cell::new(name(run)),
            Cell::new(or_dash(kept.then(|| figures::bytes(storage.disk_bytes)))),
            Cell::new(or_dash(kept.then(|| figures::bytes(storage.occupied_bytes)))),
            Cell::new(times(storage.write_amplification())),
            Cell::new(times(storage.space_amplification())),
            Cell::new(or_dash(kept.then(|| seconds(run.sync_seconds)))),
            Cell::new(run.reopen.map_or("forgets".to_owned(), |reopen| seconds(reopen.open_seconds))),
        ]);
    }
    align_right(table)
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

fn operations(runs: &[&Run]) -> Vec<Operation> {
    let all = [Operation::Set, Operation::Get, Operation::GetMiss, Operation::Delete];
    all.into_iter().filter(|&operation| runs.iter().any(|run| run.phase(operation).is_some())).collect()
}

fn is_fastest(phase: &Phase, operation: Operation, runs: &[&Run]) -> bool {
    let speeds = runs.iter().filter_map(|run| run.phase(operation)).map(|phase| phase.rate.per_second);
    runs.len() > 1 && speeds.fold(0.0, f64::max) <= phase.rate.per_second
}

fn name(run: &Run) -> String {
    let number = run.number.map_or(String::new(), |number| format!("{number} "));
    format!("{number}{}", run.engine)
}

fn header(table: &mut Table, headings: impl IntoIterator<Item = String>) {
    table.set_header(headings.into_iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
}

fn align_right(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, sample_report};

    #[test]
    fn engines_of_different_durability_never_share_a_table() {
        let report = sample_report();
        let workloads = by_workload(&report);
        assert_eq!(workloads.len(), 1);
        for (durability, runs) in &workloads[0].1 {
            assert!(runs.iter().all(|run| run.durability == *durability));
        }
        let text = all(&report, Look::default());
        let heading = |text: &str, from| text[from..].find("survives").map(|at| at + from);
        let second = heading(&text, heading(&text, 0).unwrap() + 1).unwrap();
        assert!(text.find("memory").unwrap() < second && text.find("hash-log").unwrap() > second, "{text}");
    }

    #[test]
    fn plain_tables_have_no_escape_codes_and_coloured_ones_do() {
        let report = sample_report();
        assert!(!all(&report, Look::default()).contains('\u{1b}'));
        assert!(all(&report, Look { colour: true, width: Some(100) }).contains('\u{1b}'));
    }

    #[test]
    fn scissors_are_explained_where_there_are_some() {
        let mut report = sample_report();
        for phase in report.runs.iter_mut().flat_map(|run| &mut run.phases) {
            phase.cut_off = false;
        }
        assert!(!all(&report, Look::default()).contains('✂'));
        report.runs[0].phases[0].cut_off = true;
        let text = all(&report, Look::default());
        assert!(text.contains("\n✂ the time was over"), "{text}");
    }

    #[test]
    fn a_failure_stands_below_the_tables() {
        let mut report = sample_report();
        report.failures.push(Failure::wrong_value("x", "get", b"k", Some(b"a"), None));
        assert!(all(&report, Look::default()).contains("NO FIGURES: x answered wrongly"));
    }
}
