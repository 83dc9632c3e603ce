//! [`Rows`]: what a store must show, row by row and in sums.
//!
//! A row becomes a number that depends on every byte of its key and its value, and on which value stands with which key. Sums
//! of such numbers are known for every run of rows beforehand, so that a scan can be checked for the price of reading what it
//! shows.

use std::ops::{Bound, ControlFlow};
use std::time::{Duration, Instant};

use logladder_bench::Failure;
use logladder_engine::{Direction, KeyRange, Ordered};

use super::ROWS;
use crate::ledger::{Ledger, key_text};
use crate::session::failed;

const ALL: KeyRange<'static> = (Bound::Unbounded, Bound::Unbounded);

/// The rows of a store, in order.
pub(super) struct Rows<'l> {
    ledger: &'l Ledger,
    numbers: Vec<u32>,
    /// The sums of the first rows: of none, of one, and so on.
    sums: Vec<u64>,
}

/// What a scan showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    rows: u64,
    sum: u64,
}

impl Seen {
    #[inline]
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(row(key, value));
    }
}

#[inline]
fn row(key: &[u8], value: &[u8]) -> u64 {
    // Odd, so that no bit of the value is lost.
    (words(key) << 1 | 1).wrapping_mul(words(value))
}

#[inline]
fn words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, &byte| sum.rotate_left(8) ^ u64::from(byte))
}

impl<'l> Rows<'l> {
    /// Those of a store in which these keys were set, as the ledger says.
    pub(super) fn of(ledger: &'l Ledger, set: &[u32]) -> Self {
        let mut numbers = set.to_vec();
        numbers.sort_unstable();
        let mut sums = vec![0_u64];
        let mut sum = 0_u64;
        for &number in &numbers {
            let value = ledger.value(number, ledger.acknowledged(number)).unwrap_or_default();
            sum = sum.wrapping_add(row(&key_text(number), value));
            sums.push(sum);
        }
        Self { ledger, numbers, sums }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    fn between(&self, from: usize, to: usize) -> Seen {
        Seen { rows: (to - from) as u64, sum: self.sums[to].wrapping_sub(self.sums[from]) }
    }

    /// Compares every row, in order.
    ///
    /// # Errors
    ///
    /// A row is wrong, or missing, or one too many; or the engine failed.
    pub(super) fn compare(
        &self,
        engine: &str,
        ordered: &dyn Ordered,
        direction: Direction,
    ) -> Result<(), Failure> {
        let during = "compare every row";
        let mut expected: Box<dyn Iterator<Item = &u32>> = match direction {
            Direction::Forward => Box::new(self.numbers.iter()),
            Direction::Backward => Box::new(self.numbers.iter().rev()),
        };
        let mut wrong = None;
        let mut visit = |key: &[u8], value: &[u8]| {
            let right = expected.next().map(|&number| {
                (key_text(number), self.ledger.value(number, self.ledger.acknowledged(number)))
            });
            if right.is_some_and(|(text, right)| key == text && right == Some(value)) {
                return ControlFlow::Continue(());
            }
            let right = right.and_then(|(text, value)| value.filter(|_| key == text));
            wrong = Some(Failure::wrong_value(engine, during, key, right, Some(value)));
            ControlFlow::Break(())
        };
        ordered.scan(ALL, direction, &mut visit).map_err(failed(engine, during))?;
        match (wrong, expected.next()) {
            (Some(wrong), _) => Err(wrong),
            (None, None) => Ok(()),
            (None, Some(&missing)) => {
                let value = self.ledger.value(missing, self.ledger.acknowledged(missing));
                Err(Failure::wrong_value(engine, during, &key_text(missing), value, None))
            }
        }
    }

    /// Scans everything, and says how long that took.
    ///
    /// # Errors
    ///
    /// What was shown is not what was set; or the engine failed.
    pub(super) fn scan_all(
        &self,
        engine: &str,
        ordered: &dyn Ordered,
        direction: Direction,
    ) -> Result<Duration, Failure> {
        self.timed(engine, ordered, ALL, direction, 0..self.len())
    }

    /// Scans some rows from the row at this place on, and says how long that took.
    ///
    /// # Errors
    ///
    /// As [`scan_all`](Self::scan_all).
    pub(super) fn scan_some(
        &self,
        engine: &str,
        ordered: &dyn Ordered,
        place: usize,
    ) -> Result<Duration, Failure> {
        let start = key_text(self.numbers[place]);
        let range: KeyRange<'_> = (Bound::Included(&start), Bound::Unbounded);
        let end = self.len().min(place + ROWS);
        self.timed(engine, ordered, range, Direction::Forward, place..end)
    }

    fn timed(
        &self,
        engine: &str,
        ordered: &dyn Ordered,
        range: KeyRange<'_>,
        direction: Direction,
        rows: std::ops::Range<usize>,
    ) -> Result<Duration, Failure> {
        let during = "scan";
        let wanted = rows.len() as u64;
        let mut seen = Seen::default();
        let started = Instant::now();
        let outcome = ordered.scan(range, direction, &mut |key, value| {
            seen.add(key, value);
            if seen.rows == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let time = started.elapsed();
        outcome.map_err(failed(engine, during))?;
        if seen == self.between(rows.start, rows.end) {
            return Ok(time);
        }
        let what = format!("{wanted} rows were to be shown, and these were {}, or others", seen.rows);
        Err(Failure::Engine { engine: engine.to_owned(), during: during.to_owned(), what })
    }
}

#[cfg(test)]
mod tests {
    use logladder_engine::{Result as EngineResult, Visit};

    use super::*;

    /// Shows these rows, whatever is asked for.
    #[derive(Clone)]
    struct Shown(Vec<(Vec<u8>, Vec<u8>)>);

    impl Ordered for Shown {
        fn scan(&self, range: KeyRange<'_>, _: Direction, visit: &mut Visit<'_>) -> EngineResult<()> {
            let is_in = |key: &[u8]| match range.0 {
                Bound::Included(start) => key >= start,
                _ => true,
            };
            for (key, value) in self.0.iter().filter(|(key, _)| is_in(key)) {
                if visit(key, value).is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    fn filled(ledger: &Ledger) -> (Vec<u32>, Shown) {
        let numbers: Vec<u32> = (0..300).map(|number| 2 * number).collect();
        let mut shown = Shown(Vec::new());
        for &number in &numbers {
            let state = ledger.begin(number, true);
            ledger.acknowledge(number, state);
            shown.0.push((key_text(number).to_vec(), ledger.value(number, state).unwrap().to_vec()));
        }
        (numbers, shown)
    }

    type Change = fn(&mut Shown);

    #[test]
    fn a_scan_of_all_rows_or_of_some_is_right_only_if_each_row_is() {
        let ledger = Ledger::new(600, 50, 1);
        let (numbers, right) = filled(&ledger);
        let rows = Rows::of(&ledger, &numbers);
        let is_right = |shown: &Shown| {
            let all = rows.scan_all("x", shown, Direction::Forward).is_ok();
            let some = rows.scan_some("x", shown, 150).is_ok();
            (rows.compare("x", shown, Direction::Forward).is_ok(), all, some)
        };
        assert_eq!(is_right(&right), (true, true, true));
        assert!(rows.scan_some("x", &right, 299).is_ok(), "one row is left");
        let wrong: [(&str, Change); 5] = [
            ("a row is missing", |shown| drop(shown.0.remove(200))),
            ("the last row is missing", |shown| drop(shown.0.pop())),
            ("two rows have changed their values", |shown| {
                let value = std::mem::take(&mut shown.0[200].1);
                shown.0[200].1 = std::mem::replace(&mut shown.0[201].1, value);
            }),
            ("a byte differs", |shown| shown.0[200].1[49] ^= 1),
            ("a row comes twice", |shown| {
                let row = shown.0[200].clone();
                shown.0.insert(200, row);
            }),
        ];
        for (name, change) in wrong {
            let mut shown = right.clone();
            change(&mut shown);
            let (compared, all, some) = is_right(&shown);
            assert!(!compared, "{name}");
            assert_eq!((all, some), (false, name == "the last row is missing"), "{name}");
        }
    }
}
