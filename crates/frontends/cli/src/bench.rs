//! `bench`: the common benchmark, on a folder and at sizes of the user's choice.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use logladder::{STAGES, SyncPolicy};
use logladder_bench::tables::{self, Look};
use logladder_bench::{Contestant, Data, Job, Progress, Runner, SEED, Workload, worker_entry};

use crate::arguments::StoreArguments;
use crate::outcome::{Answer, Refusal};
use crate::store;

/// Steps of the progress bar.
const BAR: u64 = 1000;

/// If this process was started to measure one engine, does that and does not return.
pub(crate) fn work_if_asked() {
    worker_entry(|name| logladder::stage(name).map(Contestant::stage), None);
}

/// What `logladder bench` takes. The stores are made in folders of their own inside `--dir`, and removed.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Every stage, not only the one of --stage
    #[arg(long)]
    all: bool,
    /// How many different keys
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// Bytes of a value
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(..=1 << 20))]
    value_bytes: u32,
    /// How long each operation is repeated
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
}

impl Bench {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let stages: Vec<&str> = match (&arguments.stage, self.all) {
            (_, true) => STAGES.iter().map(|stage| stage.name).collect(),
            (Some(name), false) => vec![store::find(name)?.name],
            (None, false) => vec!["hash-log"],
        };
        let workload = Workload {
            name: format!("{} keys", crate::bytes::count(self.keys.into())),
            data: Data::Text { value_len: self.value_bytes },
            keys: self.keys,
            each_key_once: true,
            most_sets: None,
            phase_millis: u64::from(self.seconds) * 1000,
            get_misses: true,
            sync_each_write: matches!(arguments.sync, Some(SyncPolicy::Always)),
            seed: SEED,
        };
        let runner = Runner::new()?.in_folder(&arguments.dir);
        let bar = ProgressBar::new(BAR);
        let jobs = [Job::Workload(workload)];
        let report = runner.measure("bench", &stages, &jobs, &mut |progress| show(&bar, &progress));
        bar.finish_and_clear();
        if arguments.json {
            writeln!(out, "{}", report.to_json_line()?)?;
        } else {
            write!(out, "{}", tables::all(&report, Look::of_stdout()))?;
        }
        match report.failures.as_slice() {
            [] => Ok(Answer::Yes),
            failed => {
                let what = format!("{} of {} stages failed", failed.len(), stages.len());
                Err(Refusal::Store(what).into())
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn show(bar: &ProgressBar, progress: &Progress) {
    // Between 0 and BAR.
    bar.set_position((progress.fraction() * BAR as f64) as u64);
}
