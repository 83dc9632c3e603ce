//! [`ScanResults`]: everything that a run of the benchmark of scans found out, and its medians.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use logladder_bench::figures::count;
use logladder_bench::{Failure, Machine, Report, Sheet, reports_folder, save};
use serde::Serialize;

use super::schedule::Kind;
use super::{Scanned, VALUE_LEN, sheets};
use crate::entrant::Entrant;
use crate::medians::{Median, median};
use crate::results::{Of, minutes};
use crate::rivals::{Budget, RIVALS};

/// What a run found out.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct ScanResults {
    /// When it began, in UTC (RFC 3339).
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// What its figures are worth, if it was no more than a test or a first look.
    pub remark: Option<&'static str>,
    /// How many keys.
    pub keys: u32,
    /// How often each engine was measured.
    pub rounds: u32,
    /// The memory that each engine was given, where it can be told.
    pub budget: Budget,
    /// How long all of it took.
    pub seconds: f64,
    /// The version of each rival.
    pub versions: BTreeMap<&'static str, &'static str>,
    /// Every figure of every round.
    pub seen: Vec<Seen>,
    /// Why some figure is missing. Not empty: the run failed.
    pub failures: Vec<Failure>,
}

/// What was seen of one engine in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Seen {
    /// The engine, and how it was opened.
    #[serde(flatten)]
    pub of: Of,
    /// From 1.
    pub round: u32,
    #[serde(flatten)]
    pub(crate) scanned: Scanned,
}

/// The medians of one engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) of: Of,
    pub(super) fill: Median,
    pub(super) get: Median,
    pub(super) get_absent: Median,
    pub(super) rows_forward: Median,
    pub(super) rows_backward: Median,
    pub(super) short_scans: Median,
    /// Bytes for each byte of keys and values. None where the system does not tell.
    pub(super) written: Option<f64>,
    pub(super) disk: f64,
    pub(super) own_bytes: Option<u64>,
    pub(super) settle_seconds: f64,
}

impl ScanResults {
    pub(super) fn begin(kind: Kind, keys: u32, rounds: u32, budget: Budget, entrants: &[Entrant]) -> Self {
        // For the date and the machine.
        let report = Report::begin("scans");
        let is_there = |name: &str| entrants.iter().any(|entrant| entrant.name() == name);
        let rivals = RIVALS.iter().filter(|rival| is_there(rival.name));
        Self {
            date: report.date,
            machine: report.machine,
            remark: match kind {
                Kind::Measured => None,
                Kind::Quick => Some("A first look, with little of everything"),
                Kind::Test => Some("A test, whose figures mean nothing"),
            },
            keys,
            rounds,
            budget,
            seconds: 0.0,
            versions: rivals.map(|rival| (rival.package, rival.version())).collect(),
            seen: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// What was run where, in a sentence.
    #[must_use]
    pub fn run(&self) -> String {
        let versions: Vec<_> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let Budget { write_buffer, cache } = self.budget;
        format!(
            "{}{} keys of 16 bytes, values of {VALUE_LEN}, rounds: {}; write buffers of {} MiB and caches of {} MiB \
             where an engine has them; {} in all. {}, {}. {}.",
            self.remark.map_or(String::new(), |remark| format!("{remark}: ")),
            count(u64::from(self.keys)),
            self.rounds,
            write_buffer >> 20,
            cache >> 20,
            minutes(self.seconds),
            self.machine,
            self.date,
            versions.join(", "),
        )
    }

    /// Every table. That of the targets is the last.
    #[must_use]
    pub fn sheets(&self) -> Vec<Sheet> {
        sheets::all(&self.rows())
    }

    /// Writes everything to a file, in place of an older one.
    ///
    /// # Errors
    ///
    /// [`Failure::System`].
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        save(path, &self.run(), &self.sheets(), self)
    }

    /// Where they are written if nothing else is said.
    #[must_use]
    pub fn usual_path(&self) -> PathBuf {
        reports_folder().join(if self.remark.is_some() { "scans-test.json" } else { "scans.json" })
    }

    /// The medians of each engine, in the order of the table of entrants.
    pub(super) fn rows(&self) -> Vec<Row> {
        let of_engine = |entrant: Entrant| {
            self.seen.iter().filter(move |seen| seen.of.engine == entrant.name()).collect::<Vec<_>>()
        };
        Entrant::all().map(of_engine).filter_map(|rounds| row(&rounds)).collect()
    }
}

fn row(rounds: &[&Seen]) -> Option<Row> {
    let of = rounds.first()?.of;
    let numbers = |number: fn(&Scanned) -> f64| -> Vec<f64> {
        rounds.iter().map(|seen| number(&seen.scanned)).collect()
    };
    let cut_off = rounds.iter().any(|seen| seen.scanned.cut_off);
    let rate = |number: fn(&Scanned) -> f64| Median::of(numbers(number), cut_off);
    let mut own: Vec<u64> = rounds.iter().filter_map(|seen| seen.scanned.own_bytes).collect();
    own.sort_unstable();
    let is_counted = rounds.iter().all(|seen| seen.scanned.written_bytes.is_some());
    Some(Row {
        of,
        fill: rate(|scanned| scanned.fill),
        get: rate(|scanned| scanned.get),
        get_absent: rate(|scanned| scanned.get_absent),
        rows_forward: rate(|scanned| scanned.rows_forward),
        rows_backward: rate(|scanned| scanned.rows_backward),
        short_scans: rate(|scanned| scanned.short_scans),
        written: is_counted
            .then(|| median(numbers(|seen| a_byte(seen.written_bytes.unwrap_or(0), seen.user_bytes)))),
        disk: median(numbers(|scanned| a_byte(scanned.disk_bytes, scanned.user_bytes))),
        own_bytes: own.get(own.len() / 2).copied(),
        settle_seconds: median(numbers(|scanned| scanned.settle_seconds)),
    })
}

#[allow(clippy::cast_precision_loss)] // Two decimals are shown.
fn a_byte(bytes: u64, user_bytes: u64) -> f64 {
    bytes as f64 / user_bytes.max(1) as f64
}
