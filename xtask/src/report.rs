//! `cargo xtask report`: the figures of the last climb, written into the README, the book and a chart; and every figure
//! that was kept, as one page for a browser. No figure in the documentation is typed by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use logladder::SyncPolicy;
use logladder::disk::{RealDisk, replace};
use logladder_bench::page::{Sources, page};
use logladder_bench::report::{Operation, Report as Figures, Run};
use logladder_bench::tables::{by_workload, survives};
use logladder_bench::{Sheet, chart, figures, reports_folder, save, summary};

use crate::climb::{report_path, report_path_with, shown};

/// What `cargo xtask report` takes.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Only the page for a browser, from the figures that are kept in docs/results
    #[arg(long)]
    page: bool,
    /// Only the page for a browser, with the last climb that had this engine of your own beside the stages; may be given
    /// more than once, as for that climb
    #[arg(long = "with", value_name = "NAME", conflicts_with = "page")]
    with: Vec<String>,
}

/// The files with a block for the figures.
const PAGES: [&str; 2] = ["README.md", "docs/src/measuring.md"];
/// The chart that they show.
const CHART: &str = "docs/src/img/climb.svg";
/// Where figures are kept.
const RESULTS: &str = "docs/results";

const BEGIN: &str = "<!-- generated: climb -->\n";
const END: &str = "<!-- end -->";

impl Report {
    /// Writes them.
    pub(crate) fn run(&self) -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace has a folder")?;
        if !self.with.is_empty() {
            return self.page_with_learners(root);
        }
        if !self.page {
            keep(root, "climb", &report_path(), summary::of_climb)?;
            keep(root, "seeds", &reports_folder().join("workload.json"), summary::of_seeds)?;
            write_climb(root)?;
        }
        let html = page(&Sources::read(&root.join(RESULTS))?);
        // Beside the folder of reports: in target, wherever that is.
        write(&reports_folder().with_file_name("report.html"), &html)
    }

    /// The page with engines that are no part of the documentation: in a file of its own, and nothing else is written.
    fn page_with_learners(&self, root: &Path) -> Result<()> {
        let path = report_path_with(&self.with);
        let with: Vec<String> = self.with.iter().map(|name| format!("--with {name}")).collect();
        let climb = format!("cargo xtask climb {}", with.join(" "));
        if !path.is_file() {
            bail!("{} is not there; next: {climb}", shown(&path));
        }
        let report = optimised(&path)?;
        if let Some(name) = self.with.iter().find(|name| report.runs.iter().all(|run| run.engine != **name)) {
            bail!("{name} has no figures in {}; next: cargo xtask check {name}, then {climb}", shown(&path));
        }
        let sources = Sources::read(&root.join(RESULTS))?.with_climb(&shown(&path), &report)?;
        let html = reports_folder().with_file_name(format!("report-with-{}.html", self.with.join("-")));
        write(&html, &page(&sources))
    }
}

/// The report of a session that measured what optimised programs do.
fn optimised(path: &Path) -> Result<Figures> {
    let report = Figures::load(path)?;
    if !report.machine.optimised {
        bail!("{} was measured without optimisation: its figures say nothing", shown(path));
    }
    Ok(report)
}

/// Where the kept figures of this name lie.
fn kept(root: &Path, name: &str) -> PathBuf {
    root.join(RESULTS).join(name).with_extension("json")
}

/// Keeps what was measured last, if there is any: the report whole, and its tables.
fn keep(root: &Path, name: &str, last: &Path, tables: fn(&Figures) -> Vec<Sheet>) -> Result<()> {
    if !last.is_file() {
        return Ok(());
    }
    let report = optimised(last)?;
    let path = kept(root, name);
    save(&path, &format!("{}, {}.", report.machine, report.date), &tables(&report), &report)?;
    println!("wrote {}", shown(&path));
    Ok(())
}

/// Writes the figures of the kept climb into the pages, and its chart.
fn write_climb(root: &Path) -> Result<()> {
    let report = Figures::load(&kept(root, "climb")).context("run `cargo xtask climb` first")?;
    let block = markdown(&report);
    let chart = chart::svg(&report, "climb").context("the report holds no climb")?;
    write(&root.join(CHART), &chart)?;
    for page in PAGES {
        let path = root.join(page);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {page}"))?;
        write(&path, &with_block(&text, &block).with_context(|| format!("in {page}"))?)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    replace(&*RealDisk::shared(), path, &[text.as_bytes()], SyncPolicy::Never)?;
    println!("wrote {}", shown(path));
    Ok(())
}

/// The text with `block` between the two comments.
fn with_block(text: &str, block: &str) -> Result<String> {
    let start =
        text.find(BEGIN).with_context(|| format!("there is no line `{}`", BEGIN.trim_end()))? + BEGIN.len();
    let len = text[start..].find(END).with_context(|| format!("there is no `{END}`"))?;
    Ok(format!("{}{block}{}", &text[..start], &text[start + len..]))
}

/// The report as Markdown: a table for each durability, then what was cut off, then where it ran.
fn markdown(report: &Figures) -> String {
    let mut text = String::new();
    for (_, groups) in by_workload(report) {
        for (durability, runs) in groups {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\nAn acknowledged write survives {}:\n", survives(durability));
            text.push_str("| stage | set/s | get/s | delete/s | get p99 | memory | on disk | reopen |\n");
            text.push_str("|---|--:|--:|--:|--:|--:|--:|--:|\n");
            for run in runs {
                text.push_str(&row(run));
                text.push('\n');
            }
        }
    }
    text.push('\n');
    for run in &report.runs {
        for line in run.cut_offs() {
            let _ = writeln!(text, "- {} was cut off: {line}", run.engine);
        }
    }
    let checked: u64 = report.runs.iter().map(|run| run.values_checked).sum();
    let _ = writeln!(
        text,
        "\n{} values were compared with what was stored; every one was right. {}, {}.\n",
        figures::count(checked),
        report.machine,
        report.date,
    );
    text
}

fn row(run: &Run) -> String {
    let speed = |operation| run.phase(operation).map_or("–".to_owned(), |phase| figures::rate(&phase.rate));
    let p99 = run
        .phase(Operation::Get)
        .map_or("–".to_owned(), |phase| figures::duration(Duration::from_nanos(phase.latency.p99)));
    let number = run.number.map_or(String::new(), |number| format!("{number} "));
    format!(
        "| {number}{} | {} | {} | {} | {p99} | {} | {} | {} |",
        run.engine,
        speed(Operation::Set),
        speed(Operation::Get),
        speed(Operation::Delete),
        run.memory.heap_held.map_or("–".to_owned(), figures::bytes),
        run.reopen.map_or("–".to_owned(), |_| figures::bytes(run.storage.disk_bytes)),
        run.reopen.map_or("forgets".to_owned(), |reopen| {
            figures::duration(Duration::try_from_secs_f64(reopen.open_seconds).unwrap_or_default())
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_comments_is_changed() {
        let text = format!("before\n{BEGIN}old\n{END}\nafter\n");
        assert_eq!(with_block(&text, "new\n").unwrap(), format!("before\n{BEGIN}new\n{END}\nafter\n"));
    }

    #[test]
    fn a_page_without_the_comments_is_an_error() {
        assert!(with_block("nothing here", "new").is_err());
    }
}
