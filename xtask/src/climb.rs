//! `cargo xtask climb`: real data into every stage, every value read back and compared, and a chart of it all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use logladder::{STAGES, Stage};
use logladder_bench::climb::Plan;
use logladder_bench::input::{FileSource, Format, Records, Source};
use logladder_bench::tables::{self, Look};
use logladder_bench::{Contestant, Job, Progress, Report, Runner, SEED, reports_folder, worker_entry};

use crate::lab::Learner;
use crate::style::{DEED, HEADING, QUIET};

// The allocator of this whole program, so that a worker can say how much memory its engine holds.
logladder_bench::counted_heap!(HEAP);

/// Steps of a progress bar.
const BAR: u64 = 1000;

/// What `cargo xtask climb` takes.
#[derive(Debug, Args)]
pub(crate) struct Climb {
    /// Only this stage, by number or by name; may be given more than once
    #[arg(long = "stage", value_name = "STAGE")]
    stages: Vec<String>,
    /// Beside the stages, an engine of your own, made by `cargo xtask new`; may be given more than once
    #[arg(long = "with", value_name = "NAME")]
    with: Vec<String>,
    /// Your own data: JSON Lines, CSV, or lines of `key<TAB>value` [default: Unicode's character names]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The format of the input, if its name does not tell: jsonl, csv or tsv
    #[arg(long, value_name = "FORMAT", requires = "input")]
    format: Option<String>,
    /// Leave out bad lines of the input, and say how many; otherwise the first one is an error
    #[arg(long, requires = "input")]
    skip_bad_lines: bool,
    /// How long all stages together measure, in seconds; starting each, reading the input in it, closing and opening
    /// its store may come on top
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Where the last climb's report lies.
pub(crate) fn report_path() -> PathBuf {
    reports_folder().join("climb.json")
}

/// Where that of the last climb with these engines beside the stages lies. The report of the stages alone is the one that
/// README.md and the book are written from, and stays as it is.
pub(crate) fn report_path_with(learners: &[String]) -> PathBuf {
    reports_folder().join(format!("climb-with-{}.json", learners.join("-")))
}

/// If this process was started to measure one engine, does that and does not return.
pub(crate) fn work_if_asked() {
    worker_entry(|name| logladder::stage(name).map(Contestant::stage), Some(&HEAP));
}

/// Finds a stage by what the user typed. Stage 9 is not in the table: it has no folder to be opened in.
pub(crate) fn find(name_or_number: &str) -> Result<&'static Stage> {
    logladder::stage(name_or_number).with_context(|| {
        if matches!(name_or_number, "9" | "etcd") {
            return "stage 9, etcd, is not opened in a folder but over a cluster: see `cargo xtask cluster`, which runs \
                    one on this machine, and docs/src/stages/9-etcd.md"
                .to_owned();
        }
        let names: Vec<String> =
            STAGES.iter().map(|stage| format!("{} {}", stage.number, stage.name)).collect();
        format!("there is no stage `{name_or_number}`; there are {}", names.join(", "))
    })
}

/// Finds the stages that the user named; none are all.
pub(crate) fn find_all(named: &[String]) -> Result<Vec<&'static Stage>> {
    if named.is_empty() {
        return Ok(STAGES.iter().collect());
    }
    named.iter().map(|name| find(name)).collect()
}

impl Climb {
    /// Climbs, prints what was found, and keeps it for `cargo xtask report`.
    pub(crate) fn run(&self) -> Result<()> {
        let stages = find_all(&self.stages)?;
        // Before a learner's engine is built, which may take a while.
        let source = self.source()?;
        let learners = self.with.iter().map(|name| Learner::to_measure(name)).collect::<Result<Vec<_>>>()?;
        // The workers read it themselves; reading it here names a bad line before anything is measured.
        let records = source.read()?;
        if !self.json {
            announce(&records);
        }
        let engines = stages.len() + learners.len();
        let plan = Plan::within(Duration::from_secs(self.seconds), engines, SEED);
        let report = measure_with(&stages, &learners, &Job::Climb { source, plan })?;
        let path = if self.with.is_empty() { report_path() } else { report_path_with(&self.with) };
        report.save(&path)?;
        if self.json {
            println!("{}", report.to_json()?);
        } else {
            print!("\n{}", tables::all(&report, Look::of_stdout()));
            print_ladder(&stages);
            println!("\nWhat each figure is: docs/src/measuring.md");
            println!("Written to {}", shown(&path));
            println!("Next: cargo xtask {}", self.next(&stages, &report));
        }
        if !report.failures.is_empty() {
            bail!("{} of {engines} engines failed", report.failures.len());
        }
        Ok(())
    }

    /// What to do when the figures have been looked at. Of a learner's engine without any, the reason has to go first.
    fn next(&self, stages: &[&Stage], report: &Report) -> String {
        let failed = |name: &&String| report.runs.iter().all(|run| run.engine != **name);
        match self.with.iter().find(failed) {
            Some(name) => format!("check {name}"),
            None if self.with.is_empty() => {
                format!("stage {}", stages.first().map_or(1, |stage| stage.number))
            }
            None => {
                let with: Vec<String> = self.with.iter().map(|name| format!("--with {name}")).collect();
                format!("report {}", with.join(" "))
            }
        }
    }

    fn source(&self) -> Result<Source> {
        let Some(path) = &self.input else { return Ok(Source::UnicodeNames) };
        // Before its name is asked for its format: of a file that is not there, that is no help.
        std::fs::metadata(path).with_context(|| format!("the input {} cannot be read", path.display()))?;
        let mut file = match &self.format {
            None => FileSource::new(path)?,
            Some(name) => {
                let format = Format::named(name).with_context(|| {
                    format!("there is no format `{name}`; there are {}", Format::NAMES.join(", "))
                })?;
                FileSource::with_format(path, format)
            }
        };
        file.skip_bad_lines = self.skip_bad_lines;
        Ok(Source::File(file))
    }
}

/// Measures the stages one after the other, with a bar for each on a terminal.
pub(crate) fn measure(stages: &[&Stage], job: &Job) -> Result<Report> {
    measure_with(stages, &[], job)
}

/// The same, and then engines that this program does not know.
fn measure_with(stages: &[&Stage], learners: &[Learner], job: &Job) -> Result<Report> {
    let runner = Runner::new()?;
    let mut report = Report::begin(job.name());
    // Draws nothing if standard error is not a terminal.
    let bars = MultiProgress::new();
    let ours = stages.iter().map(|stage| (format!("{} {}", stage.number, stage.name), stage.name, &runner));
    let runners: Vec<Runner> = learners.iter().map(|learner| runner.of_program(&learner.program)).collect();
    let theirs = learners.iter().zip(&runners);
    let theirs =
        theirs.map(|(learner, runner)| (format!("  {}", learner.name), learner.name.as_str(), runner));
    for (label, name, runner) in ours.chain(theirs) {
        let bar = bars.add(ProgressBar::new(BAR).with_style(bar_style()?));
        bar.set_prefix(label);
        match runner.run(name, job, &mut |progress| show(&bar, &progress)) {
            Ok(run) => {
                bar.set_position(BAR);
                bar.finish_with_message(format!("{} values checked", run.values_checked));
                report.runs.push(run);
            }
            Err(failure) => {
                bar.abandon_with_message("failed");
                report.failures.push(failure);
            }
        }
    }
    Ok(report)
}

fn bar_style() -> Result<ProgressStyle> {
    Ok(ProgressStyle::with_template("{prefix:16} {bar:30} {wide_msg}")?)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn show(bar: &ProgressBar, progress: &Progress) {
    // Between 0 and BAR.
    bar.set_position((progress.fraction() * BAR as f64) as u64);
    bar.set_message(match progress.wanted {
        Some(wanted) => format!("{}: {} of {wanted}", progress.step, progress.done),
        None => format!("{}: {}", progress.step, progress.done),
    });
}

fn announce(records: &Records) {
    println!("{} records: {}", records.entries.len(), records.origin);
    for (line, what) in &records.skipped {
        println!("  left out line {line}: {what}");
    }
    if records.skipped_count > records.skipped.len() as u64 {
        println!("  and {} lines more", records.skipped_count - records.skipped.len() as u64);
    }
}

fn print_ladder(stages: &[&Stage]) {
    anstream::println!("\n{HEADING}The ladder{HEADING:#}");
    for stage in stages {
        anstream::println!("{DEED}{} {}{DEED:#}: {}", stage.number, stage.name, stage.summary);
        anstream::println!("    fixes {}", stage.fixes);
        anstream::println!("    {QUIET}hurts{QUIET:#} {}", stage.hurts);
    }
}

/// The path as seen from the working folder, where it is inside it.
pub(crate) fn shown(path: &Path) -> String {
    let inside =
        std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(PathBuf::from));
    inside.as_deref().unwrap_or(path).display().to_string()
}
