//! The engine's threads. They belong to the store, and end with it: one writes memtables as tables, one merges tables, and
//! with [`SyncPolicy::Every`] another syncs from time to time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use logladder_engine::{Error, Result, SyncPolicy};

use crate::Work;
use crate::store::Store;

/// A writer that waits looks again after so long, whatever happens.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the threads are told, and what they have done.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// How often there was something to do.
    calls: u64,
    /// How often something was done.
    rounds: u64,
}

impl Signal {
    /// There may be something to write or to merge.
    pub(crate) fn wake(&self) {
        self.state().calls += 1;
        self.changed.notify_all();
    }

    /// Something was done: a table has come or gone. Or nothing will be any more.
    pub(crate) fn end_round(&self) {
        let mut state = self.state();
        state.rounds += 1;
        state.calls += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// How often something was done.
    pub(crate) fn rounds(&self) -> u64 {
        self.state().rounds
    }

    /// Waits until more was done than that, but not for ever.
    pub(crate) fn await_round(&self, seen: u64) {
        let goes_on = |state: &mut State| state.rounds == seen && !self.is_stopping();
        drop(self.changed.wait_timeout_while(self.state(), LOOK_AGAIN, goes_on));
    }

    /// Whether the threads are to end, in the middle of a merge if need be.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        // Under the lock, so that it cannot come between a thread's look and its wait.
        let _state = self.state();
        self.stopping.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits for a call after the one that was `seen`, and says which it is; or for the end: `None`.
    fn wait(&self, seen: u64) -> Option<u64> {
        let nothing = |state: &mut State| state.calls == seen && !self.is_stopping();
        let state = self.changed.wait_while(self.state(), nothing).unwrap_or_else(PoisonError::into_inner);
        (!self.is_stopping()).then_some(state.calls)
    }

    /// Waits so long, or for the end: `false`.
    fn wait_for(&self, time: Duration) -> bool {
        drop(self.changed.wait_timeout_while(self.state(), time, |_| !self.is_stopping()));
        !self.is_stopping()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each field stands for itself, so a panic cannot have left them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads of a store.
#[derive(Debug)]
pub(crate) struct Background {
    store: Arc<Store>,
    threads: Vec<JoinHandle<()>>,
}

impl Background {
    /// Starts the threads that the options ask for.
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    pub(crate) fn start(store: &Arc<Store>) -> Result<Self> {
        let mut background = Self { store: Arc::clone(store), threads: Vec::new() };
        if store.options.work == Work::Background {
            background.spawn("logladder-flush", |store| repeat(store, Store::flush_oldest))?;
            background.spawn("logladder-merge", |store| repeat(store, Store::merge_down))?;
            // What the last process left may be worth it.
            store.signal.wake();
        }
        if let SyncPolicy::Every(time) = store.options.sync {
            background.spawn("logladder-sync", move |store| {
                while store.signal.wait_for(time) {
                    // A failure stops the store, and the next write says why.
                    let _ = store.sync();
                }
            })?;
        }
        Ok(background)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce(&Store) + Send + 'static) -> Result<()> {
        let theirs = Arc::clone(&self.store);
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                let _watched = Watched(&theirs);
                run(&theirs);
            })
            .map_err(|source| Error::io("start a thread for", self.store.folder.dir(), source))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Ends the threads and waits for them. They leave off in the middle of a merge, which changes nothing.
    ///
    /// # Errors
    ///
    /// One panicked.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.store.signal.stop();
        let panicked = self.threads.drain(..).map(JoinHandle::join).filter(std::result::Result::is_err);
        if panicked.count() > 0 { Err(Error::panicked()) } else { Ok(()) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Who wants to know calls `close`.
        let _ = self.stop();
    }
}

/// Stops the store's writers if the thread panics: nobody would do its work.
struct Watched<'s>(&'s Store);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.poison.guard::<()>(Err(Error::panicked()));
            self.0.signal.end_round();
        }
    }
}

/// Does some work whenever there may be some, for as long as there is. A failure, of whatever kind, stops the store, and the
/// next write says why: what is not written or merged any more would make writers wait for ever.
fn repeat(store: &Store, work: impl Fn(&Store) -> Result<bool>) {
    let work = || store.poison.guard(work(store));
    let mut seen = 0;
    while let Some(call) = store.signal.wait(seen) {
        seen = call;
        while store.poison.check().is_ok() && !store.signal.is_stopping() && matches!(work(), Ok(true)) {}
    }
}
