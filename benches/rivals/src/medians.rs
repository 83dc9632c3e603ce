//! The medians of [`Results`], and how ours stand to the rivals.

use std::collections::BTreeMap;

use logladder_engine::Durability;

use crate::entrant::Side;
use crate::latency::{Beside, Tail};
use crate::measure::Measure;
use crate::results::{Figure, Of, Results, Scaled, Spaced};

/// The rounds of one measure of one engine, as one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Median {
    pub(crate) per_second: f64,
    /// Half the distance of the fastest and the slowest round, in percent of the median. None of one round.
    pub(crate) spread_percent: Option<f64>,
    pub(crate) cut_off: bool,
}

impl Median {
    /// That of the rates of some rounds.
    pub(crate) fn of(rates: Vec<f64>, cut_off: bool) -> Self {
        let lowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = rates.iter().copied().fold(0.0, f64::max);
        let rounds = rates.len();
        let per_second = median(rates);
        let spread = || (highest - lowest) / 2.0 / per_second.max(1e-9) * 100.0;
        Self { per_second, spread_percent: (rounds > 1).then(spread), cut_off }
    }
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

/// What the store of one engine took on the disk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SpaceMedian {
    pub(crate) of: Of,
    pub(crate) live: u64,
    /// Bytes for each live byte.
    pub(crate) after_fill: f64,
    /// None if a round was cut off.
    pub(crate) after_overwrite: Option<f64>,
}

/// What a large store of one engine took in memory, and to open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Large {
    pub(crate) of: Of,
    pub(crate) keys: u64,
    pub(crate) heap: Option<u64>,
    pub(crate) anonymous: Option<u64>,
    /// Seconds.
    pub(crate) open_after_a_crash: f64,
    pub(crate) open_after_a_clean_close: f64,
    /// Keys that were looked for after the crash in all rounds, and those that were there.
    pub(crate) looked_for: u64,
    pub(crate) kept: u64,
}

impl Results {
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
        let row = |(of, figures): (Of, Vec<&Figure>)| {
            let mut rounds: BTreeMap<Measure, Vec<&Figure>> = BTreeMap::new();
            let of_kind =
                |figure: &&Figure| figure.value_len == value_len && figure.measure.is_durable() == durable;
            for figure in figures.into_iter().filter(of_kind) {
                rounds.entry(figure.measure).or_default().push(figure);
            }
            let median = |(measure, figures): (Measure, Vec<&Figure>)| (measure, median_of(&figures));
            Row { of, medians: rounds.into_iter().map(median).collect() }
        };
        let rows = by_engine(&self.figures, |figure| figure.of).into_iter().map(row);
        rows.filter(|row| !row.medians.is_empty()).collect()
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

    #[allow(clippy::cast_precision_loss)] // Two decimals of the ratio are shown.
    pub(crate) fn space_medians(&self) -> Vec<SpaceMedian> {
        let by_engine = by_engine(&self.spaces, |spaced| spaced.of);
        let row = |(of, rounds): (Of, Vec<&Spaced>)| {
            let ratio = |bytes: u64, live: u64| bytes as f64 / live.max(1) as f64;
            let seen = || rounds.iter().map(|spaced| spaced.occupied);
            let after: Option<Vec<f64>> =
                seen().map(|seen| Some(ratio(seen.after_overwrite?, seen.live))).collect();
            SpaceMedian {
                of,
                live: seen().map(|seen| seen.live).max().unwrap_or(0),
                after_fill: median(seen().map(|seen| ratio(seen.after_fill, seen.live)).collect()),
                after_overwrite: after.map(median),
            }
        };
        by_engine.into_iter().map(row).collect()
    }

    pub(crate) fn large_medians(&self) -> Vec<Large> {
        let by_engine = by_engine(&self.scales, |scaled| scaled.of);
        let row = |(of, rounds): (Of, Vec<&Scaled>)| {
            let counts = |count: &dyn Fn(&Scaled) -> Option<u64>| {
                rounds.iter().map(|scaled| count(scaled)).collect::<Option<Vec<u64>>>().map(median_count)
            };
            let seconds = |seconds: &dyn Fn(&Scaled) -> f64| {
                median(rounds.iter().map(|scaled| seconds(scaled)).collect())
            };
            Large {
                of,
                keys: counts(&|scaled| Some(scaled.filled.keys)).unwrap_or(0),
                heap: counts(&|scaled| scaled.filled.heap),
                anonymous: counts(&|scaled| scaled.filled.anonymous),
                open_after_a_crash: seconds(&|scaled| scaled.after_a_crash.seconds),
                open_after_a_clean_close: seconds(&|scaled| scaled.after_a_clean_close.seconds),
                looked_for: rounds.iter().map(|scaled| scaled.after_a_crash.looked_for).sum(),
                kept: rounds.iter().map(|scaled| scaled.after_a_crash.kept).sum(),
            }
        };
        by_engine.into_iter().map(row).collect()
    }

    /// Each figure is the median of its own, so the row as a whole may be that of no round.
    pub(crate) fn tail_medians(&self) -> BTreeMap<Beside, Tail> {
        let mut rounds: BTreeMap<Beside, Vec<Tail>> = BTreeMap::new();
        for observed in &self.tails {
            rounds.entry(observed.tail.beside).or_default().push(observed.tail);
        }
        let tail = |(beside, tails): (Beside, Vec<Tail>)| {
            let of = |figure: fn(&Tail) -> u64| median_count(tails.iter().map(figure).collect());
            let tail = Tail {
                beside,
                p50: of(|tail| tail.p50),
                p99: of(|tail| tail.p99),
                p999: of(|tail| tail.p999),
                longest: of(|tail| tail.longest),
                gets: of(|tail| tail.gets),
                sets: of(|tail| tail.sets),
                compacted: of(|tail| tail.compacted),
            };
            (beside, tail)
        };
        rounds.into_iter().map(tail).collect()
    }
}

/// The rounds of each engine, in the order in which the engines ran.
fn by_engine<R>(rounds: &[R], of: impl Fn(&R) -> Of) -> Vec<(Of, Vec<&R>)> {
    let mut engines: Vec<(Of, Vec<&R>)> = Vec::new();
    for round in rounds {
        match engines.iter_mut().find(|(known, _)| *known == of(round)) {
            Some((_, rounds)) => rounds.push(round),
            None => engines.push((of(round), vec![round])),
        }
    }
    engines
}

/// The middle one, or of two in the middle the larger.
fn median_count(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

/// The middle one, or the mean of the two in the middle. 0 of none.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => 0.0,
        len if len % 2 == 1 => numbers[middle],
        _ => f64::midpoint(numbers[middle - 1], numbers[middle]),
    }
}

fn median_of(figures: &[&Figure]) -> Median {
    let rates = figures.iter().map(|figure| figure.per_second).collect();
    Median::of(rates, figures.iter().any(|figure| figure.cut_off))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::results::Kept;

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
