//! From time slices to `x 2,137 ops/sec ±2.88% (64 runs sampled)`.
//!
//! A phase is cut into slices as it runs; at its end neighbouring slices are merged into at most
//! [`MOST_RUNS`] runs of about equal time. Each run is one sample of the speed. The figure is all operations
//! over all time, the margin is that of a 95% confidence interval of the mean by Student's t, as
//! benchmark.js computes it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most runs that a phase is merged into.
pub const MOST_RUNS: u32 = 64;

/// The most slices that are kept while a phase runs; past it, neighbours are merged.
const MOST_SLICES: usize = 4096;

/// How fast, and how sure.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rate {
    /// Operations per second: all operations over all their time.
    pub per_second: f64,
    /// The median of the runs, in operations per second.
    pub median: f64,
    /// Half the width of the 95% confidence interval, in percent of the mean. None from a single run.
    pub margin_percent: Option<f64>,
    /// How many runs were sampled.
    pub runs: u32,
}

/// Operations and the time they took, in the order they happened.
#[derive(Debug)]
pub(crate) struct Slices {
    slices: Vec<Slice>,
    shortest: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    operations: u64,
    time: Duration,
}

impl Slice {
    fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.time += other.time;
    }

    #[allow(clippy::cast_precision_loss)] // No phase has 2^53 operations.
    fn per_second(self) -> f64 {
        // A clock that did not move yields a large number instead of infinity, which JSON cannot write.
        self.operations as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

impl Slices {
    pub(crate) fn new() -> Self {
        Self { slices: Vec::with_capacity(MOST_SLICES), shortest: Duration::from_micros(100) }
    }

    /// Adds operations that took `time`, to the slice at hand or to a new one.
    pub(crate) fn add(&mut self, operations: u64, time: Duration) {
        let new = Slice { operations, time };
        match self.slices.last_mut() {
            Some(last) if last.time < self.shortest => last.add(new),
            _ => {
                if self.slices.len() == MOST_SLICES {
                    self.halve();
                }
                self.slices.push(new);
            }
        }
    }

    fn halve(&mut self) {
        self.slices = self.slices.chunks(2).map(total).collect();
        self.slices.reserve(MOST_SLICES - self.slices.len());
        self.shortest *= 2;
    }

    /// Merges the slices into runs of about equal time and computes the figure.
    pub(crate) fn rate(&self) -> Rate {
        let all = total(&self.slices);
        if all.operations == 0 {
            return Rate::default();
        }
        let speeds: Vec<f64> = self.runs(all.time).into_iter().map(Slice::per_second).collect();
        Rate {
            per_second: all.per_second(),
            median: median(&speeds),
            margin_percent: margin_percent(&speeds),
            runs: u32::try_from(speeds.len()).unwrap_or(u32::MAX),
        }
    }

    fn runs(&self, time: Duration) -> Vec<Slice> {
        let aim = time / MOST_RUNS;
        let mut runs: Vec<Slice> = Vec::new();
        let mut run = Slice::default();
        for &slice in &self.slices {
            run.add(slice);
            if run.time >= aim {
                runs.push(std::mem::take(&mut run));
            }
        }
        match runs.last_mut() {
            // What is left is shorter than a run: it belongs to the last one.
            Some(last) => last.add(run),
            None => runs.push(run),
        }
        runs
    }
}

fn total(slices: &[Slice]) -> Slice {
    slices.iter().fold(Slice::default(), |mut sum, &slice| {
        sum.add(slice);
        sum
    })
}

/// The value in the middle; of an even number of values, the mean of the two there.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        len if len % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The 95% margin of error of the mean, in percent of it.
#[allow(clippy::cast_precision_loss)] // At most 64 values.
fn margin_percent(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let standard_error = (variance / count).sqrt();
    Some(critical_t(values.len() - 1) * standard_error / mean * 100.0)
}

/// Student's t for a two-sided 95% interval; past 30 degrees of freedom, the normal distribution's.
fn critical_t(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
        2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045,
        2.042,
    ];
    match degrees {
        0 => TABLE[0],
        known if known <= TABLE.len() => TABLE[known - 1],
        _ => 1.96,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6 * b.abs().max(1.0)
    }

    #[test]
    fn mean_median_and_margin_are_those_of_known_data() {
        // Three runs of one second with 90, 100 and 110 operations: mean 100, standard deviation 10,
        // standard error 10/√3, t(2) = 4.303.
        let mut slices = Slices::new();
        for operations in [90, 100, 110] {
            slices.add(operations, Duration::from_secs(1));
        }
        let rate = slices.rate();
        assert!(close(rate.per_second, 100.0) && close(rate.median, 100.0), "{rate:?}");
        assert!(close(rate.margin_percent.unwrap(), 4.303 * 10.0 / 3f64.sqrt()), "{rate:?}");
        assert_eq!(rate.runs, 3);
    }

    #[test]
    fn an_even_pace_has_no_margin_and_a_single_run_states_none() {
        let mut even = Slices::new();
        (0..10_000).for_each(|_| even.add(7, Duration::from_millis(1)));
        let rate = even.rate();
        assert!(close(rate.per_second, 7000.0) && rate.runs <= MOST_RUNS && rate.runs > 50, "{rate:?}");
        assert!(rate.margin_percent.unwrap() < 1.0, "{rate:?}");

        let mut single = Slices::new();
        single.add(5, Duration::from_secs(1));
        assert_eq!(single.rate().margin_percent, None);
        assert_eq!(Slices::new().rate(), Rate::default());
    }

    #[test]
    fn however_many_slices_there_are_no_operation_is_lost() {
        let mut slices = Slices::new();
        (0..200_000).for_each(|_| slices.add(3, Duration::from_micros(150)));
        assert!(slices.slices.len() <= MOST_SLICES);
        assert_eq!(total(&slices.slices).operations, 600_000);
        assert!(close(slices.rate().per_second, 20_000.0));
    }
}
