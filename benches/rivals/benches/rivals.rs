//! `cargo bench -p logladder-rivals`: everyone's figures, and ours ÷ theirs.
//!
//! ```text
//! cargo bench -p logladder-rivals -- --targets                   what is asked of hash-log: some twenty minutes
//! cargo bench -p logladder-rivals -- --targets --json FILE       the same, and every figure of every round
//! cargo bench -p logladder-rivals -- --only get,mixed --engines heed,hash-log
//! cargo bench -p logladder-rivals -- --test                      all of it in seconds, to show that it works
//! cargo bench -p logladder-rivals -- --help                      the flags
//! ```

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use logladder_bench::tables::Look;
use logladder_bench::{Runner, figures};
use logladder_rivals::{Entrant, Flags, Launcher, Said, Schedule, show};

/// This program with an allocator that counts.
const COUNTING: &str = env!("CARGO_BIN_EXE_logladder-rivals-counted");

fn main() -> Result<ExitCode> {
    // Both return at once unless this process was started as a worker.
    logladder_bench::worker_entry(|name| Entrant::find(name).map(Entrant::contestant), None);
    logladder_rivals::worker_entry(None);

    let flags = Flags::parse();
    let schedule = Schedule::of(&flags);
    let (mut launcher, mut runner) = (Launcher::new()?.counting_heap_with(COUNTING), Runner::new()?);
    if let Some(folder) = &flags.folder {
        (launcher, runner) = (launcher.in_folder(folder), runner.in_folder(folder));
    }
    let started = Instant::now();
    let mut said = Said::default();
    said.line("start", &format!("at most {} of measuring, if all is slow", Said::minutes(schedule.budget())));
    let results = schedule.run(&launcher, &runner, &mut |step, what| {
        said.line(step, &format!("{:>6} · {step} · {what}", Said::minutes(started.elapsed())));
    });
    said.line("end", &format!("{} in all\n", figures::duration(started.elapsed())));

    let mut out = io::stdout().lock();
    writeln!(out, "{}", show::all(&results, Look::of_stdout()))?;
    // `cargo bench` starts this in the package's folder, wherever it was called.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let path = flags.json.map_or_else(|| results.usual_path(), |path| workspace.join(path));
    results.save(&path)?;
    writeln!(out, "{}", path.display())?;
    Ok(if results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
