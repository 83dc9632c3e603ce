//! [`Results`]: everything that a run found out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use logladder_bench::figures::count;
use logladder_bench::{Failure, Machine, Report, reports_folder, save};
use logladder_engine::{Durability, SyncPolicy};
use serde::{Serialize, Serializer};

use crate::entrant::{Entrant, Side};
use crate::latency::Tail;
use crate::measure::Measure;
use crate::rivals::RIVALS;
use crate::scale::{Filled, Opened};
use crate::space::Occupied;

/// What a run found out, as it is written to the folder of reports.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Results {
    /// When it began, in UTC (RFC 3339).
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// Whether it was a test, whose figures mean nothing.
    pub test: bool,
    /// Whether every row of the table of targets was to be measured.
    pub targets: bool,
    /// How many keys, if nothing else is said.
    pub keys: u32,
    /// How often ours were measured.
    pub rounds: u32,
    /// How long all of it took.
    pub seconds: f64,
    /// The version of each rival.
    pub versions: BTreeMap<&'static str, &'static str>,
    /// Every figure of every round.
    pub figures: Vec<Figure>,
    /// What killed processes left.
    pub kills: Vec<Kept>,
    /// What stores took on the disk.
    pub spaces: Vec<Spaced>,
    /// What gets took beside other work.
    pub tails: Vec<Observed>,
    /// What large stores took in memory, and to open.
    pub scales: Vec<Scaled>,
    /// Why some figure is missing. Not empty: the run failed.
    pub failures: Vec<Failure>,
    /// Memory, disk and latency, by the common benchmark's runner.
    #[serde(skip_serializing_if = "has_no_runs")]
    pub cost: Report,
}

/// One measure of one engine in one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figure {
    /// The engine, and how it was opened.
    #[serde(flatten)]
    pub of: Of,
    /// From 1.
    pub round: u32,
    /// Keys in the store, if the fill was not cut off.
    pub keys: u32,
    /// Bytes of each value.
    pub value_len: u32,
    /// What was timed.
    pub measure: Measure,
    /// Operations per second of the engine's own time, of all threads together.
    pub per_second: f64,
    /// How many operations that were.
    pub operations: u64,
    /// Whether the time was over before the work was.
    pub cut_off: bool,
}

/// An engine, and how it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Of {
    /// Its name.
    pub engine: &'static str,
    /// Whose it is.
    pub side: Side,
    /// How it was opened and called.
    pub opened_with: &'static str,
    /// What a write that it acknowledged survives.
    #[serde(serialize_with = "as_text")]
    pub durability: Durability,
}

impl Of {
    /// An entrant under this policy.
    pub(crate) fn under(entrant: Entrant, sync: SyncPolicy) -> Self {
        Self {
            engine: entrant.name(),
            side: entrant.side(),
            opened_with: entrant.opened_with(sync),
            durability: entrant.durability(sync),
        }
    }

    /// An entrant whose writes are not synced one by one.
    pub(crate) fn relaxed(entrant: Entrant) -> Self {
        Self::under(entrant, SyncPolicy::Never)
    }
}

/// What a killed process left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Kept {
    /// The engine, and how it was opened.
    #[serde(flatten)]
    pub of: Of,
    /// Sets that it had acknowledged.
    pub acknowledged: u64,
    /// Of those, how many were there again with their value.
    pub kept: u64,
    /// How many keys had another value.
    pub wrong: u64,
}

/// What the store of one engine took on the disk in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spaced {
    /// The engine, and how it was opened.
    #[serde(flatten)]
    pub of: Of,
    /// From 1.
    pub round: u32,
    #[serde(flatten)]
    pub(crate) occupied: Occupied,
}

/// What gets of one engine took under one condition in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Observed {
    /// The engine, and how it was opened.
    #[serde(flatten)]
    pub of: Of,
    /// From 1.
    pub round: u32,
    /// What was seen.
    #[serde(flatten)]
    pub tail: Tail,
}

/// What a large store of one engine took in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Scaled {
    /// The engine, and how it was opened.
    #[serde(flatten)]
    pub of: Of,
    /// From 1.
    pub round: u32,
    #[serde(flatten)]
    pub(crate) filled: Filled,
    pub(crate) after_a_crash: Opened,
    pub(crate) after_a_clean_close: Opened,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature.
fn as_text<S: Serializer>(durability: &Durability, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(durability)
}

fn has_no_runs(report: &Report) -> bool {
    report.runs.is_empty()
}

/// Seconds as people say them: `19 min 4 s`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no run takes 2^53 s")]
pub(crate) fn minutes(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

impl Results {
    pub(crate) fn begin(test: bool) -> Self {
        let cost = Report::begin("rivals-cost");
        Self {
            date: cost.date.clone(),
            machine: cost.machine.clone(),
            test,
            targets: false,
            keys: 0,
            rounds: 0,
            seconds: 0.0,
            versions: RIVALS.iter().map(|rival| (rival.package, rival.version())).collect(),
            figures: Vec::new(),
            kills: Vec::new(),
            spaces: Vec::new(),
            tails: Vec::new(),
            scales: Vec::new(),
            failures: Vec::new(),
            cost,
        }
    }

    /// What was run where, in a sentence.
    #[must_use]
    pub fn run(&self) -> String {
        let versions: Vec<_> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let large = self.scales.iter().map(|scaled| scaled.filled.keys).max();
        let large = large.filter(|&keys| keys != u64::from(self.keys));
        let large = large.map_or(String::new(), |keys| format!(" ({} for opening and memory)", count(keys)));
        format!(
            "{}{} keys{large}, rounds: {}, {} in all. {}, {}. {}.",
            if self.test { "A test, whose figures mean nothing: " } else { "" },
            count(u64::from(self.keys)),
            self.rounds,
            minutes(self.seconds),
            self.machine,
            self.date,
            versions.join(", "),
        )
    }

    /// Writes everything to a file, in place of an older one.
    ///
    /// # Errors
    ///
    /// [`Failure::System`].
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        save(path, &self.run(), &self.sheets(), self)
    }

    /// Where they are written if nothing else is said: `rivals.json` in the folder of reports, or, of a test,
    /// `rivals-test.json`.
    #[must_use]
    pub fn usual_path(&self) -> PathBuf {
        reports_folder().join(if self.test { "rivals-test.json" } else { "rivals.json" })
    }
}
