//! The model: random operations on the engine and on a map, compared after each.

mod operation;
mod twin;
mod versions;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use logladder_disk::crash::Tree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::case::quietly;
use crate::{Bench, Place, Subject, Violation};

use operation::{Operation, programs};

/// The environment variable that repeats a run: the seed that a failure printed.
pub const SEED: &str = "LOGLADDER_SEED";

const RUNS: u32 = 64;

/// How many random programs an engine ran like a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelSummary {
    /// How many programs were run, of up to sixty operations each.
    pub programs: u32,
    /// What they were made of: the same again with `LOGLADDER_SEED` in the environment.
    pub seed: u64,
}

impl fmt::Display for ModelSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} random programs end as on a map ({SEED}={})", self.programs, self.seed)
    }
}

/// Runs random programs on the engine and on a map, and compares them after each operation.
///
/// # Errors
///
/// The shortest program found on which they differ, and the seed.
pub fn model(subject: &Subject) -> Result<ModelSummary, Box<Violation>> {
    let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seed: u64 =
        given.unwrap_or_else(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config =
        Config { cases: RUNS, failure_persistence: None, max_shrink_iters: 1_024, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = quietly(|| {
        runner.run(&programs(subject), |program| {
            twin::run(subject, &program);
            Ok::<(), TestCaseError>(())
        })
    });
    match outcome {
        Ok(()) => Ok(ModelSummary { programs: RUNS, seed }),
        Err(TestError::Fail(reason, program)) => {
            let steps: Vec<String> = program.iter().map(|operation| format!("{operation:?}")).collect();
            let violation = Violation::new("the engine does what a map does", reason.message().to_owned())
                .with_files(&left_by(subject, &program));
            Err(Box::new(violation.at(&format!("{SEED}={seed}")).in_script(&steps.join("\n"))))
        }
        Err(TestError::Abort(reason)) => {
            Err(Box::new(Violation::new("random programs can be made", reason.message().to_owned())))
        }
    }
}

/// The files at the moment at which a program that fails does.
fn left_by(subject: &Subject, program: &[Operation]) -> Tree {
    let bench = Bench::new(subject, Place::RecordingDisk);
    // That it panics is known.
    let _ = quietly(|| catch_unwind(AssertUnwindSafe(|| twin::run_on(&bench, program))));
    bench.recording().map(logladder_disk::RecordingDisk::tree).unwrap_or_default()
}
