//! [`Turns`]: a lock that is given in the order in which it was asked for.
//!
//! The janitor takes it again the moment it has given it back, as long as there is work. A lock that makes no
//! promise about order would let it have it each time, while a `sync` waits.

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

    fn line(&self) -> MutexGuard<'_, Line> {
        // Two numbers, each changed by one statement: a panic cannot have left them half-changed.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.line().now += 1;
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
