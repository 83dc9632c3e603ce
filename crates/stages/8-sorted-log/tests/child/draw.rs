//! Random choices that a seed repeats, in any process and in any order.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

use logladder_contract::SEED;

/// The seed of this run: `LOGLADDER_SEED`, or another each time.
pub(crate) fn seed() -> u64 {
    let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| RandomState::new().hash_one(0))
}

/// A number that is settled by what it is drawn for.
pub(crate) fn draw(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// One of the numbers below `end`.
pub(crate) fn below(end: u64, what: impl Hash) -> u64 {
    draw(what) % end
}

/// One of `choices`.
pub(crate) fn one_of<T: Copy>(choices: &[T], what: impl Hash) -> T {
    choices[usize::try_from(below(choices.len() as u64, what)).expect("an index")]
}
