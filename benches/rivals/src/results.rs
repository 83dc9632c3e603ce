//! [`Results`]: everything that a run found out, its medians, and how ours stand to the rivals.

use std::collections::BTreeMap;
use std::path::Path;

use logladder_bench::{Failure, Machine, Report, reports_folder};
use logladder_disk::{RealDisk, replace};
use logladder_engine::{Durability, SyncPolicy};
use serde::{Serialize, Serializer};

use crate::entrant::Side;
use crate::measure::Measure;
use crate::rivals::RIVALS;

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
    /// The version of each rival.
    pub versions: BTreeMap<&'static str, &'static str>,
    /// Every figure of every round.
    pub figures: Vec<Figure>,
    /// What killed processes left.
    pub kills: Vec<Kept>,
    /// Why some figure is missing. Not empty: the run failed.
    pub failures: Vec<Failure>,
    /// Memory, disk and latency, by the common benchmark's runner.
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

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature.
fn as_text<S: Serializer>(durability: &Durability, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(durability)
}

/// The rounds of one measure of one engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Median {
    pub(crate) per_second: f64,
    /// Half the distance of the fastest and the slowest round, in percent of the median. None of one round.
    pub(crate) spread_percent: Option<f64>,
    pub(crate) cut_off: bool,
}

/// One engine's medians.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) of: Of,
    pub(crate) medians: BTreeMap<Measure, Median>,
}

/// How one of ours stands to the rivals in one measure.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) value_len: u32,
    pub(crate) measure: Measure,
    pub(crate) ours: (Of, f64),
    /// The best rival of the same durability.
    pub(crate) alike: Option<(Of, f64)>,
    /// The best rival of any durability.
    pub(crate) any: Option<(Of, f64)>,
    pub(crate) limit: Option<(Of, f64)>,
}

impl Results {
    pub(crate) fn begin(test: bool) -> Self {
        let cost = Report::begin("rivals-cost");
        Self {
            date: cost.date.clone(),
            machine: cost.machine.clone(),
            test,
            versions: RIVALS.iter().map(|rival| (rival.package, rival.version())).collect(),
            figures: Vec::new(),
            kills: Vec::new(),
            failures: Vec::new(),
            cost,
        }
    }

    /// Writes everything to `rivals.json` in the folder of reports, in place of an older one. A test writes to
    /// `rivals-test.json`.
    ///
    /// # Errors
    ///
    /// [`Failure::System`].
    pub fn save(&self) -> Result<std::path::PathBuf, Failure> {
        let name = if self.test { "rivals-test.json" } else { "rivals.json" };
        let path = reports_folder().join(name);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::system("write the results as JSON", &error))?;
        let failed =
            |error: &dyn std::error::Error| Failure::system(format!("write {}", path.display()), error);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(|error| failed(&error))?;
        replace(&RealDisk, &path, &[&text], SyncPolicy::Never).map_err(|error| failed(&error))?;
        Ok(path)
    }

    /// The sizes of values, and whether synced, of which there are figures, in the order they ran.
    pub(crate) fn kinds(&self) -> Vec<(u32, bool)> {
        let mut kinds = Vec::new();
        for figure in &self.figures {
            let kind = (figure.value_len, figure.measure.is_durable());
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// The medians of each engine, in the order they ran.
    pub(crate) fn rows(&self, (value_len, durable): (u32, bool)) -> Vec<Row> {
        let mut rounds: Vec<(Of, BTreeMap<Measure, Vec<&Figure>>)> = Vec::new();
        let of_kind =
            |figure: &&Figure| figure.value_len == value_len && figure.measure.is_durable() == durable;
        for figure in self.figures.iter().filter(of_kind) {
            let place = rounds.iter().position(|(of, _)| *of == figure.of).unwrap_or_else(|| {
                rounds.push((figure.of, BTreeMap::new()));
                rounds.len() - 1
            });
            rounds[place].1.entry(figure.measure).or_default().push(figure);
        }
        let median = |(measure, figures): (Measure, Vec<&Figure>)| (measure, median(&figures));
        let row = |(of, rounds): (Of, BTreeMap<_, _>)| Row {
            of,
            medians: rounds.into_iter().map(median).collect(),
        };
        rounds.into_iter().map(row).collect()
    }

    /// How each of ours that keeps anything stands in each measure.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        let mut standings = Vec::new();
        for kind in self.kinds() {
            let rows = self.rows(kind);
            let best = |measure: Measure, among: &dyn Fn(&Of) -> bool| {
                let rates = rows
                    .iter()
                    .filter(|row| among(&row.of))
                    .filter_map(|row| row.medians.get(&measure).map(|median| (row.of, median.per_second)));
                rates.max_by(|a, b| a.1.total_cmp(&b.1))
            };
            let is_ours = |of: &Of| of.side == Side::Ours && of.durability > Durability::Never;
            for ours in rows.iter().filter(|row| is_ours(&row.of)) {
                for (&measure, median) in &ours.medians {
                    let is_rival = |of: &Of| of.side == Side::Rival;
                    standings.push(Standing {
                        value_len: kind.0,
                        measure,
                        ours: (ours.of, median.per_second),
                        alike: best(measure, &|of| is_rival(of) && of.durability == ours.of.durability),
                        any: best(measure, &is_rival),
                        limit: best(measure, &|of| of.side == Side::Limit),
                    });
                }
            }
        }
        standings
    }
}

fn median(figures: &[&Figure]) -> Median {
    let mut rates: Vec<f64> = figures.iter().map(|figure| figure.per_second).collect();
    rates.sort_by(f64::total_cmp);
    let (lowest, highest) = (rates.first().copied().unwrap_or(0.0), rates.last().copied().unwrap_or(0.0));
    let middle = rates.len() / 2;
    let per_second = match rates.len() {
        0 => 0.0,
        len if len % 2 == 1 => rates[middle],
        _ => f64::midpoint(rates[middle - 1], rates[middle]),
    };
    let spread = || (highest - lowest) / 2.0 / per_second.max(1e-9) * 100.0;
    Median {
        per_second,
        spread_percent: (rates.len() > 1).then(spread),
        cut_off: figures.iter().any(|figure| figure.cut_off),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const fn of(engine: &'static str, side: Side, durability: Durability) -> Of {
        Of { engine, side, opened_with: "default", durability }
    }

    pub(crate) fn sample() -> Results {
        let mut results = Results::begin(true);
        let entrants = [
            (of("strong", Side::Rival, Durability::PowerLoss), [900.0, 1000.0, 1100.0]),
            (of("weak", Side::Rival, Durability::OnSync), [700.0, 600.0, 500.0]),
            (of("alike", Side::Rival, Durability::ProcessCrash), [450.0; 3]),
            (of("trick", Side::Aside, Durability::OnSync), [9000.0; 3]),
            (of("hash-log", Side::Ours, Durability::ProcessCrash), [1800.0, 1700.0, 3000.0]),
            (of("memory", Side::Ours, Durability::Never), [5000.0; 3]),
            (of("raw", Side::Limit, Durability::ProcessCrash), [3600.0; 3]),
        ];
        for (of, rates) in entrants {
            for (round, per_second) in (1..).zip(rates) {
                let measure = Measure::Fill;
                let cut_off = of.engine == "weak" && round == 2;
                results.figures.push(Figure {
                    of,
                    round,
                    keys: 10,
                    value_len: 100,
                    measure,
                    per_second,
                    operations: 10,
                    cut_off,
                });
            }
        }
        let kept = of("weak", Side::Rival, Durability::OnSync);
        results.kills.push(Kept { of: kept, acknowledged: 1000, kept: 994, wrong: 0 });
        results
    }

    #[test]
    fn a_row_has_the_median_its_spread_and_whether_any_round_was_cut_off() {
        let rows = sample().rows((100, false));
        let median = |name| rows.iter().find(|row| row.of.engine == name).unwrap().medians[&Measure::Fill];
        assert_eq!(
            median("strong"),
            Median { per_second: 1000.0, spread_percent: Some(10.0), cut_off: false }
        );
        assert!((median("hash-log").per_second - 1800.0).abs() < 1e-9);
        assert!(median("weak").cut_off);
        assert!(sample().rows((100, true)).is_empty());
    }

    #[test]
    fn ours_stand_to_the_best_rival_of_their_durability_to_the_best_of_all_and_to_the_limit() {
        let standings = sample().standings();
        assert_eq!(standings.len(), 1, "memory keeps nothing, and is not ranked");
        let names =
            [standings[0].alike, standings[0].any, standings[0].limit].map(|best| best.unwrap().0.engine);
        assert_eq!(names, ["alike", "strong", "raw"]);
        assert!((standings[0].ours.1 - 1800.0).abs() < 1e-9);
    }
}
