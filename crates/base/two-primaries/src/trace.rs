//! [`Trace`]: what happened, step by step, and the lines that show it.

use serde::Serialize;

use crate::{Finding, History, Millis, SERVERS, Scenario, check, name_of, seconds};

/// What happened in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// Every step.
    pub rows: Vec<Row>,
    /// What the clients saw of it.
    pub history: History,
}

/// A step, and how the servers stand after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// When.
    pub at: Millis,
    /// Whose doing it is.
    pub kind: Kind,
    /// Who does it. Several servers that do the same at the same time stand in one row.
    pub who: String,
    /// What.
    pub text: String,
    /// The state of each server.
    pub states: Vec<State>,
}

/// Whose doing a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A client's.
    Client,
    /// A server's.
    Server,
    /// The failover process's.
    Failover,
    /// Nobody's: a process is paused, killed, started.
    Fault,
}

/// How a server stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// What it takes itself for, or that it does not run.
    pub role: &'static str,
    /// Its keys, values and versions.
    pub holds: String,
}

/// What a line of a trace is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// The names of the columns.
    Heading,
    /// A step.
    Step(Kind),
    /// All invariants hold.
    Clean,
    /// One does not.
    Wrong,
}

impl Trace {
    /// Of these rows and what clients saw.
    #[must_use]
    pub fn new(scenario: &Scenario, rows: Vec<Row>, history: History) -> Self {
        let mut merged: Vec<Row> = Vec::new();
        for row in rows {
            match merged.last_mut() {
                Some(last) if (last.at, last.kind, &last.text) == (row.at, row.kind, &row.text) => {
                    last.who = format!("{}, {}", last.who, row.who);
                    last.states = row.states;
                }
                _ => merged.push(row),
            }
        }
        Self { scenario: scenario.name.clone(), about: scenario.about.clone(), rows: merged, history }
    }

    /// What the judge finds.
    #[must_use]
    pub fn verdict(&self) -> Vec<Finding> {
        check(&self.history)
    }

    /// The lines of the trace, without line ends: the columns, each step, the verdict.
    #[must_use]
    pub fn lines(&self) -> Vec<(Line, String)> {
        let width_of = |server: usize| {
            let cells = self.rows.iter().filter_map(|row| row.states.get(server));
            cells.map(|state| state.holds.chars().count()).max().unwrap_or(0) + ROLE
        };
        let widths: Vec<usize> = (0..SERVERS).map(width_of).collect();
        let who = self.rows.iter().map(|row| row.who.chars().count()).max().unwrap_or(0);
        let text = self.rows.iter().map(|row| row.text.chars().count()).max().unwrap_or(0);
        let line = |at: &str, who_: &str, text_: &str, cells: &[String]| {
            let cells: Vec<String> =
                cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let line = format!("{at:>6}  {who_:<who$}  {text_:<text$} │ {}", cells.join(" │ "));
            line.trim_end().to_owned()
        };
        let names: Vec<String> = (0..SERVERS).map(name_of).collect();
        let mut lines = vec![(Line::Heading, line("s", "who", "what", &names))];
        for row in &self.rows {
            let cells: Vec<String> = row
                .states
                .iter()
                .map(|state| format!("{:<ROLE$}{}", state.role, state.holds).trim_end().to_owned())
                .collect();
            lines.push((Line::Step(row.kind), line(&seconds(row.at), &row.who, &row.text, &cells)));
        }
        let verdict = self.verdict();
        if verdict.is_empty() {
            lines.push((Line::Clean, "clean: every invariant holds".to_owned()));
        }
        lines.extend(verdict.iter().map(|finding| (Line::Wrong, format!("✗ {finding}"))));
        lines
    }

    /// The trace as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines().into_iter().flat_map(|(_, line)| [line, "\n".to_owned()]).collect()
    }
}

/// The columns that a role takes.
const ROLE: usize = 8;
