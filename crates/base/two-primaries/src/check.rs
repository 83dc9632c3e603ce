//! [`check()`]: the judge, who knows no protocol.
//!
//! Each rule is what a user takes for granted:
//!
//! | invariant | broken by |
//! |---|---|
//! | At no time do two servers decide. | [`Finding::TwoPrimaries`] |
//! | What was acknowledged, and not replaced since, is what every server answers at the end. | [`Finding::Lost`], [`Finding::Disagree`] |
//! | What was deleted is gone everywhere. | [`Finding::StillServed`] |
//! | A later write has a higher version. | [`Finding::VersionWentBack`] |
//!
//! A write that nobody acknowledged accuses no one: it may be done at any time, and stay undone. Of two writes at the same time,
//! either may be the later one. So whatever is found is wrong in every possible order of the writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::history::{History, Outcome, Write};
use crate::{Millis, name_of, seconds};

/// An invariant that does not hold, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum Finding {
    /// Two servers decided at the same time, by the same election or without any.
    TwoPrimaries {
        /// Since when both did.
        from: Millis,
        /// Until when.
        until: Millis,
        /// The two.
        servers: [usize; 2],
    },
    /// No server has a value that was acknowledged, nor a later one.
    Lost {
        /// Its key.
        key: String,
        /// The value.
        value: String,
        /// Who acknowledged it.
        server: usize,
        /// When the client knew.
        acknowledged: Millis,
    },
    /// A key that was deleted has a value.
    StillServed {
        /// The key.
        key: String,
        /// When the client knew that it was deleted.
        deleted: Millis,
        /// Those who answer it.
        servers: Vec<usize>,
    },
    /// Some servers have the last value that was acknowledged, and some an older one.
    Disagree {
        /// The key.
        key: String,
        /// What each answers.
        answers: Vec<(usize, Option<String>)>,
    },
    /// A later write of a key has the same version as an earlier one, or a lower one.
    VersionWentBack {
        /// The key.
        key: String,
        /// The version of the earlier write.
        earlier: u64,
        /// The version of the later one.
        later: u64,
    },
}

/// Every invariant that does not hold, sorted by kind.
#[must_use]
pub fn check(history: &History) -> Vec<Finding> {
    let mut findings = two_primaries(history);
    let keys: BTreeSet<&str> = history.writes.iter().map(|write| write.key.as_str()).collect();
    for key in keys {
        let writes: Vec<&Write> = history.writes.iter().filter(|write| write.key == key).collect();
        findings.extend(values(history, key, &writes));
        findings.extend(versions(key, &writes));
    }
    findings.sort();
    findings.dedup();
    findings
}

fn two_primaries(history: &History) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, one) in history.claims.iter().enumerate() {
        for other in &history.claims[number + 1..] {
            let (from, until) = (one.from.max(other.from), one.until.min(other.until));
            if one.server != other.server && one.election == other.election && from < until {
                let mut servers = [one.server, other.server];
                servers.sort_unstable();
                findings.push(Finding::TwoPrimaries { from, until, servers });
            }
        }
    }
    findings
}

/// Whether a write may be the last one of its key: it was not refused, and none that was acknowledged began after it ended.
fn may_be_last(write: &Write, writes: &[&Write]) -> bool {
    match write.outcome {
        Outcome::Refused => false,
        Outcome::Unknown => true,
        Outcome::Acknowledged { at, .. } => {
            !writes.iter().any(|other| other.acknowledged_at().is_some() && other.asked >= at)
        }
    }
}

fn values(history: &History, key: &str, writes: &[&Write]) -> Vec<Finding> {
    let last: Vec<&Write> = writes.iter().copied().filter(|write| may_be_last(write, writes)).collect();
    let acknowledged = last.iter().copied().filter_map(|write| Some((write, write.acknowledged_at()?)));
    // The one that was acknowledged last, of several at the same time. Without one, nothing was promised.
    let Some((promised, at)) = acknowledged.max_by_key(|(_, at)| *at) else { return Vec::new() };
    let answers: Vec<(usize, Option<String>)> = history
        .found
        .iter()
        .filter(|found| found.key == key)
        .map(|found| (found.server, found.value.clone()))
        .collect();
    let is_right = |answer: &Option<String>| last.iter().any(|write| write.value == *answer);
    let wrong: Vec<usize> =
        answers.iter().filter(|(_, answer)| !is_right(answer)).map(|(server, _)| *server).collect();
    if wrong.is_empty() {
        return Vec::new();
    }
    let finding = match &promised.value {
        None => Finding::StillServed { key: key.to_owned(), deleted: at, servers: wrong },
        Some(value) if wrong.len() == answers.len() => Finding::Lost {
            key: key.to_owned(),
            value: value.clone(),
            server: promised.server,
            acknowledged: at,
        },
        Some(_) => Finding::Disagree { key: key.to_owned(), answers },
    };
    vec![finding]
}

/// Each write beside the one with the highest version of those that had ended before it began.
fn versions(key: &str, writes: &[&Write]) -> Vec<Finding> {
    let numbered = |write: &Write| match write.outcome {
        Outcome::Acknowledged { at, version: Some(version) } => Some((write.asked, at, version)),
        _ => None,
    };
    let all: Vec<(Millis, Millis, u64)> = writes.iter().filter_map(|write| numbered(write)).collect();
    let went_back = |&(asked, _, later): &(Millis, Millis, u64)| {
        let before = all.iter().filter(|(_, at, _)| *at <= asked).map(|(.., version)| *version);
        let earlier = before.max().filter(|earlier| *earlier >= later)?;
        Some(Finding::VersionWentBack { key: key.to_owned(), earlier, later })
    };
    all.iter().filter_map(went_back).collect()
}

impl Finding {
    /// The invariant in two words, for tables.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TwoPrimaries { .. } => "two primaries",
            Self::Lost { .. } => "write lost",
            Self::StillServed { .. } => "deleted, served",
            Self::Disagree { .. } => "servers disagree",
            Self::VersionWentBack { .. } => "version repeats",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoPrimaries { from, until, servers: [one, other] } => {
                let (one, other) = (name_of(*one), name_of(*other));
                write!(
                    f,
                    "two primaries from {} s to {} s: {one} and {other}",
                    seconds(*from),
                    seconds(*until)
                )
            }
            Self::Lost { key, value, server, acknowledged } => {
                let (server, at) = (name_of(*server), seconds(*acknowledged));
                write!(f, "acknowledged write lost: {key}={value}, acknowledged by {server} at {at} s")
            }
            Self::StillServed { key, deleted, servers } => {
                let verb = if servers.len() == 1 { "serves" } else { "serve" };
                write!(f, "{} still {verb} {key}, deleted at {} s", names(servers), seconds(*deleted))
            }
            Self::Disagree { key, answers } => {
                let mut by_answer: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
                for (server, answer) in answers {
                    by_answer.entry(answer.as_deref().unwrap_or("absent")).or_default().push(*server);
                }
                let parts: Vec<String> = by_answer
                    .iter()
                    .map(|(answer, servers)| format!("{answer} at {}", names(servers)))
                    .collect();
                write!(f, "servers disagree: {key} is {}", parts.join(", and "))
            }
            Self::VersionWentBack { key, earlier, later } if earlier == later => {
                write!(f, "version {later} of {key} was given twice")
            }
            Self::VersionWentBack { key, earlier, later } => {
                write!(f, "version of {key} went from {earlier} to {later}")
            }
        }
    }
}

/// Servers as text: `5001, 5002`.
fn names(servers: &[usize]) -> String {
    let names: Vec<String> = servers.iter().copied().map(name_of).collect();
    names.join(", ")
}
