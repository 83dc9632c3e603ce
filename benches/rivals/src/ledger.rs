//! [`Ledger`]: what a store must hold, for threads that read and write it at once.
//!
//! A key is a number; the engine sees its sixteen digits. The ledger counts the writes of each key, once when a
//! write begins and once when it has been acknowledged. The value of a write is a run of a pool of random
//! text, at a place that follows from the seed, the key and the count. So a value is made and compared without
//! a copy, at any size, and costs the measurement nothing.
//!
//! A get may return the last write acknowledged before it began, or any that began before it ended:
//!
//! ```text
//!   writes of a key:     3 ──acknowledged──►  4 ──begun, acknowledged──►  5 ──begun ───►
//!   a get:                            └──────────────────────────────────────┘  may find 3, 4 or 5
//! ```
//!
//! Each key has one writer at a time.

use std::sync::atomic::{AtomicU32, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Places in the pool that a value can begin at: an engine that mixes values up is caught but for one in so many.
const PLACES: usize = 1 << 18;

/// The number of writes of one key, and whether the last one left a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(u32);

impl State {
    const NEW: Self = Self(0);

    fn next(self, present: bool) -> Self {
        Self((((self.0 >> 1) + 1) << 1) | u32::from(present))
    }

    fn is_present(self) -> bool {
        self.0 & 1 == 1
    }

    fn writes(self) -> u32 {
        self.0 >> 1
    }
}

/// What every key of a store must have for a value.
#[derive(Debug)]
pub(crate) struct Ledger {
    seed: u64,
    pool: Vec<u8>,
    value_len: usize,
    begun: Vec<AtomicU32>,
    acknowledged: Vec<AtomicU32>,
}

impl Ledger {
    /// A ledger of `keys` keys that were never written, for values of `value_len` bytes.
    pub(crate) fn new(keys: u32, value_len: usize, seed: u64) -> Self {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let pool = (0..PLACES + value_len).map(|_| LETTERS[random.random_range(0..LETTERS.len())]).collect();
        // Filled with something else first, so that the pages are there before an engine is measured.
        let new = || {
            let states: Vec<AtomicU32> = (0..keys).map(|_| AtomicU32::new(u32::MAX)).collect();
            for state in &states {
                state.store(State::NEW.0, Ordering::Relaxed);
            }
            states
        };
        Self { seed, pool, value_len, begun: new(), acknowledged: new() }
    }

    /// How many keys there are.
    pub(crate) fn keys(&self) -> u32 {
        u32::try_from(self.begun.len()).unwrap_or(u32::MAX)
    }

    /// Notes that a write of the key begins, and returns what it will leave.
    pub(crate) fn begin(&self, key: u32, present: bool) -> State {
        let next = State(self.begun[key as usize].load(Ordering::Relaxed)).next(present);
        self.begun[key as usize].store(next.0, Ordering::SeqCst);
        next
    }

    /// Notes that the write that leaves `state` was acknowledged.
    pub(crate) fn acknowledge(&self, key: u32, state: State) {
        self.acknowledged[key as usize].store(state.0, Ordering::SeqCst);
    }

    /// The last acknowledged write. A key that is not in the ledger was never written.
    pub(crate) fn acknowledged(&self, key: u32) -> State {
        look(&self.acknowledged, key)
    }

    /// The value that a write leaves.
    pub(crate) fn value(&self, key: u32, state: State) -> Option<&[u8]> {
        let place = usize::try_from(mixed(self.seed ^ (u64::from(key) << 32) ^ u64::from(state.writes())))
            .unwrap_or(0)
            % PLACES;
        state.is_present().then(|| &self.pool[place..place + self.value_len])
    }

    /// Whether a get may have `found` this, which began when `from` was acknowledged and has just ended.
    pub(crate) fn agrees(&self, key: u32, from: State, found: Option<&[u8]>) -> bool {
        let to = look(&self.begun, key);
        if self.value(key, from) == found || self.value(key, to) == found {
            return true;
        }
        // Between the two, a writer that sets and deletes in turn could have left either.
        let between = from.writes() + 1..to.writes();
        between.into_iter().any(|writes| match found {
            Some(_) => self.value(key, State(writes << 1 | 1)) == found,
            None => true,
        })
    }
}

fn look(states: &[AtomicU32], key: u32) -> State {
    states.get(key as usize).map_or(State::NEW, |state| State(state.load(Ordering::SeqCst)))
}

/// The finisher of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every bit of the result depends on every bit.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The key of this number, as the engine sees it.
pub(crate) fn key_text(number: u32) -> [u8; 16] {
    let mut text = [b'0'; 16];
    let mut rest = number;
    for digit in text.iter_mut().rev() {
        // A digit is below ten.
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_sixteen_digits_of_its_number() {
        assert_eq!(&key_text(0), b"0000000000000000");
        assert_eq!(&key_text(u32::MAX), b"0000004294967295");
    }

    #[test]
    fn a_get_may_find_what_was_acknowledged_or_began_since_and_nothing_older() {
        let ledger = Ledger::new(2, 100, 7);
        let first = ledger.begin(1, true);
        ledger.acknowledge(1, first);
        let before = ledger.acknowledged(1);
        let found = |state| ledger.value(1, state).map(<[u8]>::to_vec);
        assert!(ledger.agrees(1, before, found(first).as_deref()));
        assert!(!ledger.agrees(1, before, None));

        let second = ledger.begin(1, true);
        assert!(
            ledger.agrees(1, before, found(first).as_deref())
                && ledger.agrees(1, before, found(second).as_deref())
        );
        ledger.acknowledge(1, second);
        assert!(
            !ledger.agrees(1, ledger.acknowledged(1), found(first).as_deref()),
            "the older value is stale now"
        );
        assert!(
            !ledger.agrees(0, ledger.acknowledged(0), found(second).as_deref()),
            "another key's value is wrong"
        );
    }

    #[test]
    fn a_deleted_key_and_one_outside_the_ledger_have_no_value() {
        let ledger = Ledger::new(1, 10, 7);
        ledger.acknowledge(0, ledger.begin(0, true));
        ledger.acknowledge(0, ledger.begin(0, false));
        for key in [0, 1] {
            assert!(ledger.agrees(key, ledger.acknowledged(key), None));
            assert!(!ledger.agrees(key, ledger.acknowledged(key), Some(b"0123456789")));
        }
    }
}
