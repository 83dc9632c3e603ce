//! Keys that are written in turn, so that their values tell whether they were seen at one moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::threads::Ends;
use crate::Store;

/// So many keys are written.
const KEYS: usize = 12;

pub(super) fn key(number: usize) -> String {
    format!("in turn {number}")
}

/// The names of the keys, in the order in which they are written.
pub(super) fn names() -> impl Iterator<Item = String> {
    (0..KEYS).map(key)
}

/// Writes every key, the one after the other.
pub(super) fn write_in_turn(store: &Store, round: u64) {
    for number in 0..KEYS {
        store.set(key(number), round.to_string());
    }
}

/// Writes every key in one batch.
pub(super) fn write_at_once(store: &Store, round: u64) {
    store.write_all(|batch| {
        for number in 0..KEYS {
            batch.set(key(number).as_bytes(), round.to_string().as_bytes());
        }
    });
}

/// The round in which each key was written, as `get` tells.
#[track_caller]
pub(super) fn rounds(get: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<u64> {
    let round = |number: usize| {
        let value = get(&key(number)).unwrap_or_else(|| panic!("there is no {}", key(number)));
        let text = String::from_utf8_lossy(&value).into_owned();
        text.parse().unwrap_or_else(|_| panic!("{} is {text}", key(number)))
    };
    (0..KEYS).map(round).collect()
}

/// Whether there was a moment at which the keys were of these rounds: the first ones are ahead of the others by one.
#[track_caller]
pub(super) fn are_of_one_moment(rounds: &[u64]) {
    let in_turn = rounds.is_sorted_by(|earlier, later| earlier >= later);
    assert!(in_turn && rounds[0] - rounds[KEYS - 1] <= 1, "{rounds:?} were never there at once");
}

/// Whether all keys are of one batch.
#[track_caller]
pub(super) fn are_of_one_batch(rounds: &[u64]) {
    assert!(rounds.iter().all(|round| *round == rounds[0]), "{rounds:?} are of more than one batch");
}

/// A thread that writes while another looks. It is never far ahead of who looks: what is looked at grows, and a lock
/// may be taken again and again.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// The round that is being written.
    round: AtomicU64,
    /// The round before which it does not stop.
    allowed: AtomicU64,
    is_enough: AtomicBool,
    has_ended: AtomicBool,
}

impl Writer {
    /// Writes round after round, as long as somebody looks.
    pub(super) fn write(&self, store: &Store, write: fn(&Store, u64)) {
        let _ends = Ends(&self.has_ended);
        while !self.is_enough.load(Ordering::Acquire) {
            let round = self.round.load(Ordering::Relaxed) + 1;
            if round > self.allowed.load(Ordering::Acquire) {
                thread::yield_now();
                continue;
            }
            self.round.store(round, Ordering::Release);
            write(store, round);
        }
    }

    /// Looks while the writer goes on: `looks` times, and until it has written for a while.
    pub(super) fn look(&self, looks: usize, mut look: impl FnMut(usize)) {
        let _enough = Ends(&self.is_enough);
        for number in 0.. {
            let round = self.round.load(Ordering::Acquire);
            if number >= looks && (round >= 10 || self.has_ended.load(Ordering::Acquire)) {
                break;
            }
            self.allowed.store(round + 100, Ordering::Release);
            look(number);
        }
    }
}
