//! [`Report`]: everything a benchmark found out, as it is written to `target/logladder/` and read again by
//! later tables and charts.

use std::fs;
use std::path::Path;

use logladder_disk::{RealDisk, replace};
use logladder_engine::{Durability, SyncPolicy};
use serde::{Deserialize, Serialize};

use crate::figures::count;
use crate::statistics::Rate;
use crate::{Failure, Machine, Spread};

/// One session of measuring: some engines, one machine, one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it was: `climb`, `workload`.
    pub title: String,
    /// When it began, in UTC (RFC 3339).
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// What was measured, in the order it ran.
    pub runs: Vec<Run>,
    /// Why some engine has no figures. Not empty: the session failed.
    pub failures: Vec<Failure>,
}

/// What one engine did with one workload, in a process and a folder of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The workload's name: `learndb`, `16/100`, `climb`.
    pub workload: String,
    /// The engine's name.
    pub engine: String,
    /// Its place on the ladder, if it is a stage.
    pub number: Option<u8>,
    /// What an acknowledged write survived, as it was opened.
    #[serde(with = "durability_as_text")]
    pub durability: Durability,
    /// What was timed, in the order it ran.
    pub phases: Vec<Phase>,
    /// What was compared besides, untimed.
    pub checks: Vec<Check>,
    /// How many values were compared with what was stored, in all. Each was right: else there is no run.
    pub values_checked: u64,
    /// The one sync after the sets, in seconds.
    pub sync_seconds: f64,
    /// Closing and opening again. None if the engine forgets when it is closed.
    pub reopen: Option<Reopen>,
    /// Memory around the sets and gets.
    pub memory: Memory,
    /// Bytes on disk.
    pub storage: Storage,
    /// What a crowd of threads was timed at ([`Crowd`](crate::Crowd)), if there was one.
    #[serde(default)]
    pub spreads: Vec<Spread>,
}

/// What is done to an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `set`.
    Set,
    /// `get_into` of a key that is there.
    Get,
    /// `get_into` of a key that was never set.
    GetMiss,
    /// `delete`.
    Delete,
}

impl Operation {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Get => "get",
            Self::GetMiss => "get-miss",
            Self::Delete => "delete",
        }
    }
}

/// One operation, repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// What was done.
    pub operation: Operation,
    /// How fast. Only the engine's time counts, not that of making keys and comparing values.
    pub rate: Rate,
    /// How long single operations took.
    pub latency: Latency,
    /// How many operations were done.
    pub done: u64,
    /// How many there were to do, if the number was known.
    pub wanted: Option<u64>,
    /// How long the phase lasted, everything included.
    pub seconds: f64,
    /// Whether the time was over before all that was wanted was done.
    pub cut_off: bool,
}

/// Percentiles of single operations, in nanoseconds.
///
/// Operations above some microseconds are timed one by one. Of faster ones, which are done in batches of up
/// to 256, the middle one of each batch is timed; two readings of the clock, some 50 ns, are in its figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the operations were as fast as this or faster.
    pub p50: u64,
    /// 99% were.
    pub p99: u64,
    /// 99.9% were.
    pub p999: u64,
    /// The slowest.
    pub max: u64,
    /// How many operations were timed on their own.
    pub timed: u64,
}

/// Values that were compared outside the timed phases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// After what: `deletes`, `reopening`.
    pub after: String,
    /// How many keys were looked up and were right.
    pub done: u64,
    /// How many there are.
    pub wanted: u64,
    /// How long it took.
    pub seconds: f64,
    /// Whether the time was over before all were looked up.
    pub cut_off: bool,
}

/// Closing a store cleanly and opening it again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reopen {
    /// Closing, in seconds.
    pub close_seconds: f64,
    /// Opening, in seconds. The page cache is warm.
    pub open_seconds: f64,
    /// Keys in the store.
    pub keys: u64,
}

/// Memory of the worker process, in bytes, before the engine was opened and after its sets and gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Resident set size before, after a warm-up on another store. It counts mapped pages of files.
    pub rss_before: u64,
    /// Resident set size after.
    pub rss_after: u64,
    /// Heap bytes that the engine holds, as the counting allocator sees it. None if it was not installed.
    pub heap_held: Option<u64>,
}

impl Memory {
    /// Resident set size after, less before. Negative if the system took pages back.
    #[must_use]
    pub fn rss_difference(&self) -> i64 {
        let difference = i128::from(self.rss_after) - i128::from(self.rss_before);
        i64::try_from(difference).unwrap_or(i64::MAX)
    }
}

/// Bytes on disk: after the sets and gets and a clean close, before the deletes (`climb`: after them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Storage {
    /// Lengths of the store's files.
    pub disk_bytes: u64,
    /// Blocks they occupy. Where the system does not say, the lengths again.
    pub occupied_bytes: u64,
    /// Bytes of the keys and values that were in the store.
    pub live_bytes: u64,
    /// Bytes of the keys and values that were handed to `set`, and of the keys handed to `delete`.
    pub user_bytes: u64,
    /// Bytes that the engine appended to files, temporary ones included. None if it does its own file work.
    pub appended_bytes: Option<u64>,
    /// Syncs of files and folders. None as above.
    pub syncs: Option<u64>,
    /// Bytes that the kernel says this process dirtied (`write_bytes` of `/proc/self/io`): whole pages, and
    /// a page that is dirty already does not count again. A cross-check of `appended_bytes`.
    pub kernel_bytes: u64,
}

impl Storage {
    /// Bytes appended for each byte that the user wrote.
    #[must_use]
    pub fn write_amplification(&self) -> Option<f64> {
        ratio(self.appended_bytes?, self.user_bytes)
    }

    /// Bytes occupied on disk for each live byte.
    #[must_use]
    pub fn space_amplification(&self) -> Option<f64> {
        ratio(self.disk_bytes, self.live_bytes).filter(|_| self.disk_bytes > 0)
    }
}

#[allow(clippy::cast_precision_loss)] // Two decimals are shown.
fn ratio(a: u64, b: u64) -> Option<f64> {
    (b > 0).then(|| a as f64 / b as f64)
}

impl Run {
    /// The first phase of this operation.
    #[must_use]
    pub fn phase(&self, operation: Operation) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.operation == operation)
    }

    /// What ran out of time, a line each: `set: 3,120 of 33,793 in 4.0 s`.
    #[must_use]
    pub fn cut_offs(&self) -> Vec<String> {
        let line = |what: &str, done, wanted, seconds: f64| {
            format!("{what}: {} of {} in {seconds:.1} s", count(done), count(wanted))
        };
        let phases = self.phases.iter().filter(|phase| phase.cut_off);
        let checks = self.checks.iter().filter(|check| check.cut_off);
        phases
            .map(|phase| line(phase.operation.name(), phase.done, phase.wanted.unwrap_or(0), phase.seconds))
            .chain(checks.map(|check| {
                line(&format!("check after {}", check.after), check.done, check.wanted, check.seconds)
            }))
            .collect()
    }
}

impl Report {
    /// A report that has no runs yet, of this machine and this moment.
    #[must_use]
    pub fn begin(title: impl Into<String>) -> Self {
        let now = std::time::SystemTime::now();
        Self {
            title: title.into(),
            date: humantime::format_rfc3339_seconds(now).to_string(),
            machine: Machine::detect(),
            runs: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// The report as JSON text.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] if a figure is not a number.
    pub fn to_json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Failure::system("write the report as JSON", &error))
    }

    /// The report as JSON on one line, for whoever reads documents line by line.
    ///
    /// # Errors
    ///
    /// As [`to_json`](Self::to_json).
    pub fn to_json_line(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|error| Failure::system("write the report as JSON", &error))
    }

    /// Writes the report to a file, in place of an older one; missing folders are made.
    ///
    /// # Errors
    ///
    /// [`Failure::System`].
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let failed =
            |error: &dyn std::error::Error| Failure::system(format!("write {}", path.display()), error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        let text = self.to_json()?;
        replace(&RealDisk, path, &[text.as_bytes()], SyncPolicy::Never).map_err(|error| failed(&error))
    }

    /// Reads a report that [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// [`Failure::Input`]: it is not there, or not a report.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let failed = |what: String| Failure::Input { path: path.to_path_buf(), line: None, what };
        let text = fs::read(path).map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&text)
            .map_err(|error| failed(format!("not a report of this version: {error}")))
    }
}

mod durability_as_text {
    use logladder_engine::Durability;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const ALL: [Durability; 5] = [
        Durability::Never,
        Durability::OnSync,
        Durability::Eventual,
        Durability::ProcessCrash,
        Durability::PowerLoss,
    ];

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature.
    pub(super) fn serialize<S: Serializer>(durability: &Durability, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(durability)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Durability, D::Error> {
        let text = String::deserialize(from)?;
        let known = ALL.into_iter().find(|durability| durability.to_string() == text);
        known.ok_or_else(|| D::Error::custom(format!("`{text}` is no durability")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_report;

    #[test]
    fn a_report_comes_back_from_its_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/report.json");
        let mut report = sample_report();
        report.failures.push(Failure::wrong_value("x", "get", b"k", Some(b"a"), None));
        report.save(&path).unwrap();
        assert_eq!(Report::load(&path).unwrap(), report);
    }

    #[test]
    fn a_file_that_is_no_report_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent.json");
        assert!(Report::load(&path).unwrap_err().to_string().contains("absent.json"));
    }

    #[test]
    fn what_was_cut_off_is_said_with_counts() {
        let mut report = sample_report();
        let phase = &mut report.runs[0].phases[0];
        (phase.done, phase.wanted, phase.seconds, phase.cut_off) = (3120, Some(33_793), 4.0, true);
        assert_eq!(report.runs[0].cut_offs(), ["set: 3,120 of 33,793 in 4.0 s"]);
    }
}
