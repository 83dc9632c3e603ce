//! `cargo bench -p logladder-rivals --bench scans`: sorted-log beside the engines that keep keys in order.
//!
//! ```text
//! cargo bench -p logladder-rivals --bench scans                        five rounds: some minutes
//! cargo bench -p logladder-rivals --bench scans -- --json FILE         the same, and every figure of every round
//! cargo bench -p logladder-rivals --bench scans -- --quick             a first look
//! cargo bench -p logladder-rivals --bench scans -- --engines sorted-log,fjall --rounds 1
//! cargo bench -p logladder-rivals --bench scans -- --test              all of it in seconds, to show that it works
//! ```

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use logladder_bench::tables::Look;
use logladder_rivals::scans::{ScanFlags, ScanSchedule};
use logladder_rivals::{Launcher, Said};

fn main() -> Result<ExitCode> {
    // Returns at once unless this process was started as a worker.
    logladder_rivals::worker_entry(None);

    let flags = ScanFlags::parse();
    let schedule = ScanSchedule::of(&flags);
    let mut launcher = Launcher::new()?;
    if let Some(folder) = &flags.folder {
        launcher = launcher.in_folder(folder);
    }
    let started = Instant::now();
    let mut said = Said::default();
    said.line("start", &format!("at most {} of measuring, if all is slow", Said::minutes(schedule.limit())));
    let results = schedule.run(&launcher, &mut |step, what| {
        said.line(step, &format!("{:>6} · {step} · {what}", Said::minutes(started.elapsed())));
    });
    said.line("end", "");

    let (mut out, look) = (io::stdout().lock(), Look::of_stdout());
    writeln!(out, "{}", results.run())?;
    for sheet in results.sheets() {
        writeln!(out, "\n{}\n{}", sheet.title, sheet.table(look))?;
    }
    for failure in &results.failures {
        writeln!(out, "\nNO FIGURES: {failure}")?;
    }
    // `cargo bench` starts this in the package's folder, wherever it was called.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let path = flags.json.map_or_else(|| results.usual_path(), |path| workspace.join(path));
    results.save(&path)?;
    writeln!(out, "\n{}", path.display())?;
    Ok(if results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
