//! [`survey()`]: many made-up scenarios under the protocol as it is and with each mending, counted.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{Finding, Protocol, made_up, run};

/// The kinds of findings, in the order of the columns.
pub const KINDS: [&str; 5] =
    ["two primaries", "write lost", "servers disagree", "deleted, served", "version repeats"];

/// How one protocol fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fared {
    /// What was mended, in words.
    pub words: &'static str,
    /// What was mended.
    pub protocol: Protocol,
    /// In how many scenarios each of [`KINDS`] was found.
    pub found: [u64; 5],
    /// In how many nothing was.
    pub clean: u64,
}

/// The protocols and what they are called.
const PROTOCOLS: [(&str, Protocol); 4] = [
    ("as described", Protocol { pushes_deletes: false, tells_the_deposed: false }),
    ("+ deletes are pushed", Protocol { pushes_deletes: true, tells_the_deposed: false }),
    ("+ the deposed is told", Protocol { pushes_deletes: false, tells_the_deposed: true }),
    ("+ both", Protocol { pushes_deletes: true, tells_the_deposed: true }),
];

/// The scenarios of the seeds from 0 on, so many, under each protocol.
#[must_use]
pub fn survey(seeds: u64) -> Vec<Fared> {
    let fares = |(words, protocol)| {
        let mut fared = Fared { words, protocol, found: [0; 5], clean: 0 };
        for seed in 0..seeds {
            let verdict = run(&made_up(seed), protocol).verdict();
            fared.clean += u64::from(verdict.is_empty());
            let kinds: BTreeSet<&str> = verdict.iter().map(Finding::kind).collect();
            for (count, kind) in fared.found.iter_mut().zip(KINDS) {
                *count += u64::from(kinds.contains(kind));
            }
        }
        fared
    };
    PROTOCOLS.into_iter().map(fares).collect()
}

/// The survey as a table of text: a row for each protocol, a column for each kind.
#[must_use]
pub fn text(seeds: u64, fared: &[Fared]) -> String {
    let title = format!("of {seeds} scenarios");
    let words = fared.iter().map(|fared| fared.words.len()).chain([title.len()]).max().unwrap_or(0);
    let row = |first: &str, counts: &[String], clean: &str| {
        let cells: Vec<String> =
            counts.iter().zip(KINDS).map(|(count, kind)| format!("{count:>0$}", kind.len())).collect();
        format!("{first:<words$}   {}   {clean:>5}\n", cells.join("   "))
    };
    let rows = fared.iter().map(|Fared { words, found, clean, .. }| {
        row(words, &found.map(|count| count.to_string()), &clean.to_string())
    });
    let heading = row(&title, &KINDS.map(str::to_owned), "clean");
    std::iter::once(heading).chain(rows).collect()
}
