//! Which keys a memtable may have: a Bloom filter in memory, filled as they come.
//!
//! Its lines and bits are those of a [table's filter](crate::table::filter). A search of the list waits for memory at each of
//! its steps; the filter is one wait.

use std::array;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::table::filter::{number_of_line, places_of};

/// So many bytes of log are expected for each line: 48 writes of 64 bytes. More and shorter ones make the filter worse, and
/// nothing wrong.
const LOG_BYTES_PER_LINE: u64 = 48 * 64;

/// At most so many lines, 16 MiB: whoever lets memtables grow larger than a gigabyte has a worse filter.
const MOST_LINES: u64 = 1 << 18;

/// The bits of some keys: a line of the processor's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Line([AtomicU64; 8]);

/// The filter.
#[derive(Debug)]
pub(crate) struct Seen {
    count: usize,
    /// Made by the first key.
    lines: OnceLock<Box<[Line]>>,
}

impl Seen {
    /// For the keys of a log that grows so long.
    pub(crate) fn for_log(bytes: u64) -> Self {
        let count = usize::try_from((bytes / LOG_BYTES_PER_LINE + 1).min(MOST_LINES)).unwrap_or(1);
        Self { count, lines: OnceLock::new() }
    }

    /// Adds a key with this hash. One thread at a time may: two could lose a bit of each other's.
    ///
    /// Who reads a number of a write that was told after this sees the key: that is what makes the order of these stores
    /// of no account.
    #[inline]
    pub(crate) fn add(&self, hash: u64) {
        let line = || Line(array::from_fn(|_| AtomicU64::new(0)));
        let lines = self.lines.get_or_init(|| (0..self.count).map(|_| line()).collect());
        let line = &lines[number_of_line(hash, lines.len())];
        for (word, bit) in words_of(hash) {
            let bits = line.0[word].load(Ordering::Relaxed);
            line.0[word].store(bits | bit, Ordering::Relaxed);
        }
    }

    /// Whether a key with this hash may have been added.
    #[inline]
    pub(crate) fn may_have(&self, hash: u64) -> bool {
        let Some(lines) = self.lines.get() else { return false };
        let line = &lines[number_of_line(hash, lines.len())];
        words_of(hash).all(|(word, bit)| line.0[word].load(Ordering::Relaxed) & bit != 0)
    }

    /// How much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.lines.get().map_or(0, |lines| size_of_val(&**lines))
    }
}

/// The words of a line in which a key has its bits, and those bits.
#[inline]
fn words_of(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    // Less than 8.
    places_of(hash).map(|bit| (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::filter::hash;

    #[test]
    fn every_key_that_was_added_may_be_there_and_few_others() {
        let seen = Seen::for_log(10_000 * 64);
        let of = |number: u32| hash(&number.to_be_bytes());
        assert!(!seen.may_have(of(0)));
        (0..10_000).for_each(|number| seen.add(of(number)));
        assert!((0..10_000).all(|number| seen.may_have(of(number))));
        let wrong = (10_000..30_000).filter(|&number| seen.may_have(of(number))).count();
        assert!(wrong < 600, "{wrong} of 20,000 absent keys pass");
        assert_eq!(seen.bytes(), 64 * (10_000 * 64 / 3_072 + 1));
    }
}
