//! Random choices that a seed repeats, in any process and in any order.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

use crate::SEED;

/// The seed of this run: `LOGLADDER_SEED`, or another each time.
#[must_use]
pub fn seed() -> u64 {
    let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| RandomState::new().hash_one(0))
}

/// A number that is settled by what it is drawn for.
#[must_use]
pub fn draw(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// One of the numbers below `end`.
#[must_use]
pub fn below(end: u64, what: impl Hash) -> u64 {
    draw(what) % end
}

/// One of `choices`.
#[must_use]
pub fn one_of<T: Copy>(choices: &[T], what: impl Hash) -> T {
    choices[index(below(choices.len() as u64, what))]
}

/// The place of a number that counts what is in memory.
pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or_else(|_| panic!("{number} is no place in memory"))
}
