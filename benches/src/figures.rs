//! Figures as people read them: the same words in tables, charts and messages.

use std::time::Duration;

use crate::statistics::Rate;

/// A number with its thousands set apart by commas: `33,793`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Operations per second: `2,137`, and below a hundred `62.86`.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A rate is positive and far below 2^53.
pub fn per_second(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.2}") } else { count(rate.round() as u64) }
}

/// A rate with its margin: `2,137 ±2.88%`.
#[must_use]
pub fn rate(rate: &Rate) -> String {
    format!("{} {}", per_second(rate.per_second), margin(rate))
}

/// A rate as benchmark.js prints it: `2,137 ops/sec ±2.88% (64 runs sampled)`.
#[must_use]
pub fn rate_in_full(rate: &Rate) -> String {
    let runs = if rate.runs == 1 { "run" } else { "runs" };
    format!("{} ops/sec {} ({} {runs} sampled)", per_second(rate.per_second), margin(rate), rate.runs)
}

fn margin(rate: &Rate) -> String {
    // From a single run nothing follows.
    rate.margin_percent.map_or_else(|| "±?".to_owned(), |margin| format!("±{margin:.2}%"))
}

/// A duration in the unit that suits it: `850 ns`, `1.2 µs`, `3.4 ms`, `12 s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let nanoseconds = duration.as_secs_f64() * 1e9;
    scaled(nanoseconds, 1e3, &["ns", "µs", "ms", "s"])
}

/// Bytes in the decimal unit that suits them: `512 B`, `1.2 MB`.
#[must_use]
#[allow(clippy::cast_precision_loss)] // Two digits are shown.
pub fn bytes(bytes: u64) -> String {
    bytes_of(bytes as f64)
}

/// As [`bytes`], of a number that need not be whole, such as bytes a second.
#[must_use]
pub fn bytes_of(bytes: f64) -> String {
    scaled(bytes, 1e3, &["B", "kB", "MB", "GB", "TB"])
}

/// As [`bytes`], with a sign: `+1.2 MB`.
#[must_use]
pub fn difference(difference: i64) -> String {
    let sign = if difference < 0 { '−' } else { '+' };
    format!("{sign}{}", bytes(difference.unsigned_abs()))
}

fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // What would be shown as 1000 goes to the next unit.
    while number >= step - 0.5 && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && number < 9.95);
    format!("{number:.decimals$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_the_course_prints_them() {
        assert_eq!([count(0), count(999), count(1_234_567)], ["0", "999", "1,234,567"]);
        let rate = Rate { per_second: 62.861, median: 62.0, margin_percent: Some(1.984), runs: 63 };
        assert_eq!(rate_in_full(&rate), "62.86 ops/sec ±1.98% (63 runs sampled)");
        let single = Rate { per_second: 2136.6, median: 0.0, margin_percent: None, runs: 1 };
        assert_eq!(rate_in_full(&single), "2,137 ops/sec ±? (1 run sampled)");
    }

    #[test]
    fn units_suit_their_number() {
        let shown = |nanoseconds| duration(Duration::from_nanos(nanoseconds));
        assert_eq!([shown(850), shown(1_234), shown(999_999)], ["850 ns", "1.2 µs", "1.0 ms"]);
        assert_eq!([shown(16_400_000), shown(3_000_000_000)], ["16 ms", "3.0 s"]);
        assert_eq!([bytes(0), bytes(1536), bytes(19_957_000)], ["0 B", "1.5 kB", "20 MB"]);
        assert_eq!([difference(-1_500), difference(25_000_000)], ["−1.5 kB", "+25 MB"]);
    }
}
