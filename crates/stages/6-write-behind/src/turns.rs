//! [`Turns`]: a lock that is given in the order in which it was asked for.
//!
//! The janitor takes it again the moment it has given it back, as long as there is work. A lock that makes no
//! promise about order would let it have it each time, while a `sync` waits.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whose turn it is to write.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    /// The number that the next one is given who comes.
    next: u64,
    /// The number whose turn it is.
    now: u64,
    /// Those of who went away before it was theirs.
    left: BTreeSet<u64>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'t>(&'t Turns);

impl Turns {
    /// Waits for everyone who came before.
    pub(crate) fn take(&self) -> Turn<'_> {
        let mut line = self.line();
        let mine = line.next;
        line.next += 1;
        let waits = |line: &mut Line| line.now != mine;
        drop(self.moved.wait_while(line, waits).unwrap_or_else(PoisonError::into_inner));
        Turn(self)
    }

    /// The same, but goes away as soon as `needs_none`, which is asked again at each [`look_again`](Self::look_again).
    pub(crate) fn take_unless(&self, needs_none: impl Fn() -> bool) -> Option<Turn<'_>> {
        let mut line = self.line();
        let mine = line.next;
        line.next += 1;
        let waits = |line: &mut Line| line.now != mine && !needs_none();
        let mut line = self.moved.wait_while(line, waits).unwrap_or_else(PoisonError::into_inner);
        if line.now == mine {
            return Some(Turn(self));
        }
        line.left.insert(mine);
        None
    }

    /// Lets those who wait look whether they need a turn still.
    pub(crate) fn look_again(&self) {
        // Under the lock, so that it cannot come between a look and a wait.
        let _line = self.line();
        self.moved.notify_all();
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Each is changed by one statement: a panic cannot have left them half-changed.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = self.0.line();
        loop {
            line.now += 1;
            let now = line.now;
            if !line.left.remove(&now) {
                break;
            }
        }
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn there_is_one_turn_at_a_time_and_everyone_gets_one() {
        let (turns, inside, done) = (Turns::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let _turn = turns.take();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                        done.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 2_000);
    }

    #[test]
    fn who_asks_first_comes_first_though_another_asks_again_and_again() {
        let turns = Turns::default();
        let greedy = turns.take();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(turns.take()));
            // It has asked once its number is given out.
            while turns.line().next < 2 {
                thread::yield_now();
            }
            drop(greedy);
            // Were the lock not fair, this could have it before the other; as it is, the other has had it by now.
            let again = turns.take();
            assert_eq!(turns.line().now, 2);
            drop(again);
            waiting.join().unwrap();
        });
    }

    #[test]
    fn who_needs_no_turn_any_more_goes_away_and_holds_nobody_up() {
        let turns = Turns::default();
        let is_needless = AtomicUsize::new(0);
        let first = turns.take();
        thread::scope(|scope| {
            let leaves =
                scope.spawn(|| turns.take_unless(|| is_needless.load(Ordering::SeqCst) > 0).is_none());
            while turns.line().next < 2 {
                thread::yield_now();
            }
            let last = scope.spawn(|| drop(turns.take()));
            while turns.line().next < 3 {
                thread::yield_now();
            }
            is_needless.store(1, Ordering::SeqCst);
            turns.look_again();
            // Though the first one still has its turn.
            assert!(leaves.join().unwrap());
            drop(first);
            last.join().unwrap();
        });
        assert!(turns.take_unless(|| true).is_some(), "it is free");
    }

    #[test]
    fn a_panic_in_a_turn_ends_it() {
        let turns = Turns::default();
        let panics = || {
            let _turn = turns.take();
            panic!("on purpose");
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        drop(turns.take());
    }
}
