//! [`GroupCommit`]: threads that wait for the same sync share it.
//!
//! Whoever finds no sync under way leads one, for everything written by then; who comes later waits, and
//! often finds that the next leader's sync has covered it too (DeWitt et al., "Implementation Techniques for
//! Main Memory Database Systems", SIGMOD 1984).

use std::sync::{Condvar, Mutex};

use logladder_engine::{Error, Result};

/// Which writes have been synced. Writes are numbered from 1 in the order they were made.
#[derive(Debug, Default)]
pub(crate) struct GroupCommit {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    synced: u64,
    under_way: bool,
}

impl GroupCommit {
    /// Returns once write number `write` has been synced. `sync` syncs, and returns the number of the last write
    /// that had been made when it began.
    pub(crate) fn wait_for(&self, write: u64, sync: impl Fn() -> Result<u64>) -> Result<()> {
        let mut state = self.state.lock().map_err(|_| Error::panicked())?;
        while state.synced < write {
            if state.under_way {
                state = self.ended.wait(state).map_err(|_| Error::panicked())?;
                continue;
            }
            state.under_way = true;
            drop(state);
            let outcome = sync();
            state = self.state.lock().map_err(|_| Error::panicked())?;
            state.under_way = false;
            self.ended.notify_all();
            state.synced = state.synced.max(outcome?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn no_write_returns_before_a_sync_that_began_after_it() {
        let (commit, made, synced, syncs) =
            (GroupCommit::default(), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let write = made.fetch_add(1, Ordering::SeqCst) + 1;
                        let sync = || {
                            let covered = made.load(Ordering::SeqCst);
                            thread::yield_now();
                            synced.fetch_max(covered, Ordering::SeqCst);
                            syncs.fetch_add(1, Ordering::SeqCst);
                            Ok(covered)
                        };
                        commit.wait_for(write, sync).unwrap();
                        assert!(synced.load(Ordering::SeqCst) >= write);
                    }
                });
            }
        });
        assert!(syncs.load(Ordering::SeqCst) <= 4000);
    }

    #[test]
    fn a_failed_sync_is_an_error_and_the_next_thread_tries_again() {
        let commit = GroupCommit::default();
        assert!(commit.wait_for(1, || Err(Error::panicked())).is_err());
        assert!(commit.wait_for(1, || Ok(1)).is_ok());
        assert!(commit.wait_for(1, || Err(Error::panicked())).is_ok(), "it is synced already");
    }
}
