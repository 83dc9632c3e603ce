//! `cargo xtask latency`: the latency benchmark of dskvs, on every stage.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use logladder_bench::tables::{self, Look};
use logladder_bench::{Crowd, Job, figures, reports_folder, save};

use crate::climb::{find_all, measure, shown};

/// What `cargo xtask latency` takes.
#[derive(Debug, Args)]
pub(crate) struct Latency {
    /// Only this stage, by number or by name; may be given more than once
    #[arg(long = "stage", value_name = "STAGE")]
    stages: Vec<String>,
    /// How long all stages together may take, in seconds; what takes longer is cut off, and says so
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Sync each write before it is acknowledged, or, in a stage that writes later, before it counts as written
    #[arg(long)]
    sync: bool,
    /// Print the report as JSON; or write it to a file, with its tables, for the book
    #[arg(long, value_name = "FILE")]
    #[allow(clippy::option_option, reason = "not asked for, without a file, with one")]
    json: Option<Option<PathBuf>>,
}

impl Latency {
    /// Measures, prints what was found, and keeps it.
    pub(crate) fn run(&self) -> Result<()> {
        let stages = find_all(&self.stages)?;
        let share = Duration::from_secs(self.seconds) / u32::try_from(stages.len().max(1))?;
        let crowd = Crowd::dskvs(share, self.sync);
        let prints_json = self.json == Some(None);
        let Crowd { threads, keys, value_len, .. } = crowd;
        let what = format!(
            "{threads} threads, {} keys, values of {} bytes",
            figures::count(keys.into()),
            figures::count(value_len.into())
        );
        if !prints_json {
            println!("{what}");
        }
        let report = measure(&stages, &Job::Crowd(crowd))?;
        let path = reports_folder().join("latency.json");
        report.save(&path)?;
        if let Some(Some(file)) = &self.json {
            let synced = if self.sync { ", with `SyncPolicy::Always`" } else { "" };
            let run = format!(
                "{what}{synced}; {} s for {} stages. {}, {}.",
                self.seconds,
                stages.len(),
                report.machine,
                report.date
            );
            save(file, &run, &tables::of_crowds(&report), &report)?;
        }
        if prints_json {
            println!("{}", report.to_json()?);
        } else {
            print!("\n{}", tables::all(&report, Look::of_stdout()));
            println!("\n✂: the time was over before each key had had its turn.");
            println!(
                "1 ÷ average: operations a second of one thread, as dskvs counts. Its figures are those that"
            );
            println!(
                "its author printed, of Go on another machine: they say how large ours are, not which is faster."
            );
            println!("\nWritten to {}", shown(&path));
        }
        if !report.failures.is_empty() {
            bail!("{} of {} stages failed", report.failures.len(), stages.len());
        }
        Ok(())
    }
}
