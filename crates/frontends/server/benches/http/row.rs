//! A line of the table: a figure, what it is compared with, and whether that is good enough.

use std::fmt;

use logladder_bench::Machine;
use serde_json::{Value, json};

use crate::measure::Scale;

/// A figure against its target.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    /// What was measured, and of what it is a part, each as text with its unit.
    pub(crate) measured: String,
    pub(crate) against: String,
    pub(crate) ratio: f64,
    /// None: it is only shown.
    pub(crate) target: Option<Target>,
}

/// What is asked of a ratio.
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    fn target(&self) -> String {
        match self.target {
            None => String::new(),
            Some(Target::AtLeast(least)) => format!("at least {least}"),
            Some(Target::AtMost(most)) => format!("at most {most}"),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.target {
            None => "",
            Some(Target::AtLeast(least)) if self.ratio >= least => "met",
            Some(Target::AtMost(most)) if self.ratio <= most => "met",
            Some(_) => "missed",
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, against, ratio, .. } = self;
        let (target, verdict) = (self.target(), self.verdict());
        write!(f, "{what:<58} {measured:>14}  against {against:<14} {ratio:>6.2}  {target:<14} {verdict}")
    }
}

/// The rows as the book reads results.
pub(crate) fn results(rows: &[Row], scale: &Scale) -> Value {
    let cells: Vec<[String; 6]> = rows
        .iter()
        .map(|row| {
            let ratio = format!("{:.2}", row.ratio);
            let words = [row.what.to_owned(), row.measured.clone(), row.against.clone(), ratio];
            let [what, measured, against, ratio] = words;
            [what, measured, against, ratio, row.target(), row.verdict().to_owned()]
        })
        .collect();
    let now = std::process::Command::new("date").args(["-u", "+%FT%TZ"]).output();
    let date =
        now.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    json!({
        "run": format!("Rounds: {} of {} s; mixed load: {} s. {}, {date}.", scale.rounds, scale.round.as_secs(),
            scale.mixed.as_secs(), Machine::detect()),
        "tables": [{
            "name": "targets",
            "title": "Over the loopback, client and server on the same cores",
            "headings": ["what", "measured", "against", "ratio", "target", ""],
            "right": [false, true, true, true, false, false],
            "rows": cells,
        }],
    })
}
