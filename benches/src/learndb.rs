//! learndb's benchmark, in its own form and beside its published figures.
//!
//! The course that the lower stages follow prints, for each of its stores, the speed of set, get and delete
//! and the memory before and after. Its machine and language are others (JavaScript on Windows), so the
//! factor beside each figure says how the two compare as published, not which design is better.

use std::fmt::Write as _;

use crate::figures;
use crate::report::{Operation, Run};

/// What the course printed for one of its stores.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Published {
    /// The stage of the ladder that does the same.
    pub stage: &'static str,
    /// Sets per second.
    pub set: f64,
    /// Gets per second.
    pub get: f64,
    /// Deletes per second.
    pub delete: f64,
    /// The difference of resident memory, in bytes.
    pub rss_difference: i64,
}

/// The course's three stores.
pub const PUBLISHED: [Published; 3] = [
    Published {
        stage: "memory",
        set: 1_774_185.0,
        get: 11_633_332.0,
        delete: 11_518_884.0,
        rss_difference: 25_020_000,
    },
    Published {
        stage: "file-per-key",
        set: 1_106.0,
        get: 9_631.0,
        delete: 9_730.0,
        rss_difference: 28_719_000,
    },
    Published { stage: "scan-log", set: 2_137.0, get: 62.86, delete: 2_352.0, rss_difference: 19_957_000 },
];

/// What the author of a server with an append-only file measured, which syncs on each set: the whole of a request over
/// HTTP. Stage 5 follows its design.
pub const AOF_SERVER: [(&str, &str); 3] =
    [("a set", "3.7 ms"), ("a get", "27–31 µs"), ("a delete", "3.0 ms")];

/// One run, line by line as the course prints it, its figure at the end of each line if there is one.
///
/// ```text
/// Starting RSS memory usage: 63.109 MB
/// scan-log#set x 412,337 ops/sec ±0.92% (64 runs sampled)   learndb: 2,137, ×193
/// …
/// Ending RSS memory usage: 83.066 MB
/// Difference: 19.957 MB   learndb: 19.957 MB
/// ```
#[must_use]
pub fn lines(run: &Run) -> String {
    let published = PUBLISHED.iter().find(|published| published.stage == run.engine);
    let mut text = format!("Starting RSS memory usage: {}\n", megabytes(run.memory.rss_before));
    for phase in &run.phases {
        let line =
            format!("{}#{} x {}", run.engine, phase.operation.name(), figures::rate_in_full(&phase.rate));
        let theirs = published.and_then(|published| match phase.operation {
            Operation::Set => Some(published.set),
            Operation::Get => Some(published.get),
            Operation::Delete => Some(published.delete),
            Operation::GetMiss => None,
        });
        // Writing to a String cannot fail.
        let _ = match theirs {
            Some(theirs) => {
                let factor = factor(phase.rate.per_second / theirs);
                writeln!(text, "{line:<66} learndb: {}, {factor}", figures::per_second(theirs))
            }
            None => writeln!(text, "{line}"),
        };
    }
    let difference = megabytes_signed(run.memory.rss_difference());
    let _ = writeln!(text, "Ending RSS memory usage: {}", megabytes(run.memory.rss_after));
    let _ = match published {
        Some(published) => {
            let line = format!("Difference: {difference}");
            writeln!(text, "{line:<66} learndb: {}", megabytes_signed(published.rss_difference))
        }
        None => writeln!(text, "Difference: {difference}"),
    };
    text
}

fn factor(factor: f64) -> String {
    if factor < 100.0 { format!("×{factor:.1}") } else { format!("×{}", figures::per_second(factor)) }
}

fn megabytes(bytes: u64) -> String {
    megabytes_signed(i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[allow(clippy::cast_precision_loss)] // Three decimals are shown.
fn megabytes_signed(bytes: i64) -> String {
    format!("{:.3} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_report;

    #[test]
    fn the_lines_are_those_of_the_course() {
        let report = sample_report();
        let lines = lines(&report.runs[1]);
        let expected = [
            "Starting RSS memory usage: 10.000 MB",
            "scan-log#set x 500,000 ops/sec ±1.50% (64 runs sampled)            learndb: 2,137, ×234",
            "scan-log#get x 1,250,000 ops/sec ±1.50% (64 runs sampled)          learndb: 62.86, ×19,885",
            "scan-log#delete x 750,000 ops/sec ±1.50% (64 runs sampled)         learndb: 2,352, ×319",
            "Ending RSS memory usage: 35.000 MB",
            "Difference: 25.000 MB                                              learndb: 19.957 MB",
        ];
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    }
}
