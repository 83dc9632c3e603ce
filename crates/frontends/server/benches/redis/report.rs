//! [`Report`]: what was found, as a table and as JSON.

use std::fmt;
use std::time::Instant;

use logladder_bench::{Machine, Sheet, figures};
use serde::Serialize;

/// Everything that was found in one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    /// How many processes wanted a core in the minute before the run began, and before it ended.
    load: [Option<f64>; 2],
    rounds: u32,
    seconds: u64,
    pub(crate) rows: Vec<Row>,
    #[serde(skip)]
    began: Instant,
}

/// A stage beside a `redis-server`.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What an acknowledged write survives.
    pub(crate) survives: String,
    pub(crate) stage: String,
    /// What `redis-server` was started with.
    pub(crate) redis: String,
    pub(crate) command: String,
    pub(crate) pipeline: u32,
    /// Ours ÷ theirs, of the medians.
    pub(crate) ratio: f64,
    pub(crate) ours: Figures,
    pub(crate) theirs: Figures,
}

/// Requests a second.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    pub(crate) median: f64,
    /// Of every round, the slowest first.
    all: Vec<f64>,
}

impl Figures {
    pub(crate) fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self { median: all.get(all.len() / 2).copied().unwrap_or_default(), all }
    }

    /// Half the distance between the fastest and the slowest, of the median.
    fn spread_percent(&self) -> f64 {
        let (slowest, fastest) = (self.all.first().copied(), self.all.last().copied());
        (fastest.unwrap_or_default() - slowest.unwrap_or_default()) / 2.0 / self.median * 100.0
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&figures::per_second(self.median))?;
        // From a single round nothing follows.
        if self.all.len() > 1 { write!(f, " ±{:.0}%", self.spread_percent()) } else { f.write_str(" ±?") }
    }
}

impl Report {
    pub(crate) fn begin(rounds: u32) -> Self {
        let load = [load(), None];
        Self { machine: Machine::detect(), load, rounds, seconds: 0, rows: Vec::new(), began: Instant::now() }
    }

    pub(crate) fn end(&mut self) {
        self.load[1] = load();
        self.seconds = self.began.elapsed().as_secs();
    }
}

impl Report {
    /// What the figures are of, in a line.
    pub(crate) fn run(&self) -> String {
        let load = self.load.map(|load| load.map_or_else(|| "not known".to_owned(), |load| load.to_string()));
        format!(
            "{}. Load before: {}; at the end, with the run's own: {}. Rounds: {}, {} s in all.",
            self.machine, load[0], load[1], self.rounds, self.seconds
        )
    }

    pub(crate) fn sheet(&self) -> Sheet {
        let headings =
            ["a write survives", "stage", "command", ">pipeline", ">ours/s", ">redis-server/s", ">ratio"];
        let mut sheet = Sheet::new("redis", "The stages beside redis-server", headings);
        let cells = |row: &Row| {
            let Row { survives, stage, command, pipeline, ours, theirs, ratio, .. } = row;
            vec![
                survives.clone(),
                stage.clone(),
                command.clone(),
                pipeline.to_string(),
                ours.to_string(),
                theirs.to_string(),
                format!("{ratio:.2}×"),
            ]
        };
        sheet.rows = self.rows.iter().map(cells).collect();
        sheet
    }
}

/// The load of the last minute, where the system says it.
fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
