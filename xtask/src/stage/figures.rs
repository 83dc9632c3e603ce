//! The figures of one stage beside those of the stage below it, from one run.

use anyhow::{Result, bail};
use logladder::{STAGES, Stage};
use logladder_bench::tables::{self, Look};
use logladder_bench::{Job, Workload};

use crate::climb::measure;

/// Milliseconds for each operation: enough to see the step, not to publish it.
const PHASE_MILLIS: u64 = 400;

/// Measures and prints them.
pub(super) fn print(stage: &'static Stage) -> Result<()> {
    let below = STAGES.iter().rfind(|other| other.number < stage.number);
    let stages: Vec<&Stage> = below.into_iter().chain([stage]).collect();
    let mut workload = Workload::learndb();
    workload.phase_millis = PHASE_MILLIS;
    let report = measure(&stages, &Job::Workload(workload))?;
    print!("{}", tables::all(&report, Look::of_stdout()));
    if let Some(failure) = report.failures.first() {
        bail!("{failure}");
    }
    Ok(())
}
