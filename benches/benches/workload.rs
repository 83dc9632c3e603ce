//! The presets `learndb` and `16/100` with every stage, each in a fresh process; prints the tables and
//! learndb's own lines, and writes the report to `target/logladder/workload.json`.
//!
//! ```text
//! cargo bench -p logladder-bench --bench workload                    everything, some two minutes
//! cargo bench -p logladder-bench --bench workload -- learndb/        one preset
//! cargo bench -p logladder-bench --bench workload -- scan-log        one engine
//! cargo bench -p logladder-bench --bench workload -- --with mine     an engine of your own as well, in lab/mine
//! cargo bench -p logladder-bench --bench workload -- --json          the report as JSON
//! cargo bench -p logladder-bench --bench workload -- --test          shows that it works, measures nothing
//! ```
//!
//! `cargo bench` hands the same arguments to every benchmark, so criterion's are accepted and ignored here.

use std::env;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use logladder::STAGES;
use logladder_bench::tables::{self, Look};
use logladder_bench::{Contestant, Job, Progress, Report, Runner, Workload, learndb, reports_folder};
use logladder_lab::{Purpose, build, check_name};

logladder_bench::counted_heap!(HEAP);

/// Criterion's options whose next argument is a value, not a filter.
const OPTIONS_WITH_VALUE: &[&str] = &[
    "-b",
    "-c",
    "--baseline",
    "--baseline-lenient",
    "--color",
    "--colour",
    "--confidence-level",
    "--format",
    "--load-baseline",
    "--measurement-time",
    "--noise-threshold",
    "--nresamples",
    "--output-format",
    "--plotting-backend",
    "--profile-time",
    "--sample-size",
    "--save-baseline",
    "--significance-level",
    "--warm-up-time",
];

/// What is to be done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Measure.
    Bench,
    /// Show that it works. As with criterion, this is meant unless `--bench` is said: so `cargo test
    /// --benches` runs a benchmark.
    #[default]
    Test,
    /// Only say what there is.
    List,
}

/// What the arguments ask for.
#[derive(Debug, Default)]
struct Arguments {
    mode: Mode,
    json: bool,
    filters: Vec<String>,
    with: Vec<String>,
}

impl Arguments {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut parsed = Self::default();
        let mut chosen = false;
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo says `--bench` last, whatever the user said.
                "--bench" if !chosen => parsed.mode = Mode::Bench,
                "--test" => (parsed.mode, chosen) = (Mode::Test, true),
                "--list" => (parsed.mode, chosen) = (Mode::List, true),
                "--json" => parsed.json = true,
                "--with" => parsed.with.extend(arguments.next()),
                option if OPTIONS_WITH_VALUE.contains(&option) => drop(arguments.next()),
                option if option.starts_with('-') => {}
                filter => parsed.filters.push(filter.to_owned()),
            }
        }
        parsed
    }

    fn wants(&self, id: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| id.contains(filter))
    }
}

fn main() -> Result<ExitCode> {
    logladder_bench::worker_entry(|name| logladder::stage(name).map(Contestant::stage), Some(&HEAP));
    let arguments = Arguments::parse(env::args().skip(1));
    let presets = match arguments.mode {
        Mode::Test => vec![Workload::quick()],
        Mode::Bench | Mode::List => vec![Workload::learndb(), Workload::sixteen_hundred()],
    };
    let mut out = std::io::stdout().lock();
    if arguments.mode == Mode::List {
        for preset in &presets {
            for stage in STAGES {
                writeln!(out, "workload/{}/{}: benchmark", preset.name, stage.name)?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    }

    let runner = Runner::new()?;
    let learners = arguments.with.iter().map(|name| learner(name)).collect::<Result<Vec<_>>>()?;
    let mut report = Report::begin("workload");
    for preset in &presets {
        let wanted = |name: &&str| arguments.wants(&format!("workload/{}/{name}", preset.name));
        let engines: Vec<&str> = STAGES.iter().map(|stage| stage.name).filter(wanted).collect();
        let job = Job::Workload(preset.clone());
        let jobs = [job];
        let mut parts = vec![runner.measure("workload", &engines, &jobs, &mut |progress| show(&progress))];
        // One that was asked for by name is measured wherever the filters leave anything to stand beside it.
        let learners = learners.iter().filter(|(name, _)| !engines.is_empty() || wanted(&name.as_str()));
        for (name, program) in learners {
            let runner = runner.of_program(program);
            parts.push(runner.measure("workload", &[name], &jobs, &mut |progress| show(&progress)));
        }
        for part in parts {
            report.runs.extend(part.runs);
            report.failures.extend(part.failures);
        }
    }
    erase();

    if arguments.json {
        writeln!(out, "{}", report.to_json()?)?;
    } else if arguments.mode == Mode::Bench {
        print(&mut out, &report)?;
    } else {
        for run in &report.runs {
            writeln!(
                out,
                "Testing workload/{}/{}: {} values checked",
                run.workload, run.engine, run.values_checked
            )?;
        }
    }
    if arguments.mode == Mode::Bench && arguments.filters.is_empty() && arguments.with.is_empty() {
        let path = reports_folder().join("workload.json");
        report.save(&path)?;
        writeln!(std::io::stderr(), "the report is in {}", path.display())?;
    }
    for failure in &report.failures {
        writeln!(std::io::stderr(), "error: {failure}")?;
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the engine of that name in `lab`, and gives it with the program that measures it.
fn learner(name: &str) -> Result<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this workspace is gone")?;
    check_name(name, &[])?;
    let folder = root.join("lab").join(name);
    if !folder.is_dir() {
        bail!("there is no engine `{name}` in lab; make it: cargo xtask new {name}");
    }
    let program = build(root, &folder, name, Purpose::Measure)?;
    Ok((name.to_owned(), program.with_context(|| format!("{name} does not compile"))?))
}

fn print(out: &mut impl Write, report: &Report) -> Result<()> {
    for run in report.runs.iter().filter(|run| run.workload == "learndb") {
        write!(out, "\n{}", learndb::lines(run))?;
    }
    write!(out, "\n{}", tables::all(report, Look::of_stdout()))?;
    Ok(())
}

/// One line on the terminal that says what is running. Nothing if the errors go elsewhere.
fn show(progress: &Progress) {
    if std::io::stderr().is_terminal() {
        let percent = progress.fraction() * 100.0;
        // Nobody is harmed by a line that cannot be shown.
        let _ = write!(std::io::stderr(), "\r{:<14} {:<24} {percent:>3.0}%", progress.engine, progress.step);
    }
}

fn erase() {
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r{:48}\r", "");
    }
}
