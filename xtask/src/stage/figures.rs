//! The figures of a few stages, from one run.

use anyhow::{Result, bail};
use logladder::{STAGES, Stage};
use logladder_bench::tables::{self, Look};
use logladder_bench::{Job, Report, Workload};

use crate::climb::measure;

/// Milliseconds for each operation: enough to see the step, not to publish it.
const PHASE_MILLIS: u64 = 400;

/// The stage, behind the one below it if there is one.
pub(super) fn with_the_one_below(stage: &'static Stage) -> Vec<&'static Stage> {
    let below = STAGES.iter().rfind(|other| other.number < stage.number);
    below.into_iter().chain([stage]).collect()
}

/// Measures them, one after the other.
pub(super) fn measured(stages: &[&'static Stage]) -> Result<Report> {
    let mut workload = Workload::learndb();
    workload.phase_millis = PHASE_MILLIS;
    measure(stages, &Job::Workload(workload))
}

/// Measures and prints them.
pub(super) fn print(stages: &[&'static Stage]) -> Result<()> {
    show(&measured(stages)?)
}

/// Prints them, and first what was measured.
pub(super) fn show(report: &Report) -> Result<()> {
    let Workload { name, keys, .. } = Workload::learndb();
    println!(
        "{name}: the benchmark of the course that the lower stages follow. {keys} short keys, a number as text for each \
         value;\nset, get and delete in this order, over and over for a moment each, and no write is synced."
    );
    print!("{}", tables::all(report, Look::of_stdout()));
    verdict(report)
}

/// An error if a stage has no figures.
pub(super) fn verdict(report: &Report) -> Result<()> {
    if let Some(failure) = report.failures.first() {
        bail!("{failure}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_stands_beside_the_one_below_it_and_the_first_alone() {
        let names = |name| -> Vec<&str> {
            let stage = logladder::stage(name).unwrap();
            with_the_one_below(stage).iter().map(|stage| stage.name).collect()
        };
        assert_eq!(names("memory"), ["memory"]);
        assert_eq!(names("scan-log"), ["file-per-key", "scan-log"]);
    }
}
