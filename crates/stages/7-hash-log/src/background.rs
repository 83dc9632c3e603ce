//! The compaction thread: it waits until a segment has been sealed, and compacts what has become worth it. It
//! belongs to the engine, and ends with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use logladder_engine::{Error, Result};

use crate::store::Store;

/// What the compaction thread is told, and what it has to say.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    has_work: bool,
    /// Why a compaction failed, until someone has been told.
    failure: Option<Error>,
}

impl Signal {
    /// There may be something to compact.
    pub(crate) fn wake(&self) {
        self.state().has_work = true;
        self.changed.notify_all();
    }

    /// Whether the thread is to end, in the middle of a compaction if need be.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The failure of a compaction in the background that nobody has been told of yet.
    ///
    /// # Errors
    ///
    /// That failure.
    pub(crate) fn report(&self) -> Result<()> {
        match self.state().failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn keep(&self, failure: Error) {
        // The first is the cause of the others.
        self.state().failure.get_or_insert(failure);
    }

    fn stop(&self) {
        // Under the lock, so that it cannot come between the thread's look and its wait.
        let _state = self.state();
        self.stopping.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits for work, or for the end: `false`.
    fn wait(&self) -> bool {
        let mut state = self
            .changed
            .wait_while(self.state(), |state| !state.has_work && !self.is_stopping())
            .unwrap_or_else(PoisonError::into_inner);
        state.has_work = false;
        !self.is_stopping()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each field stands for itself, so a panic cannot have left them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The compaction thread of a store.
#[derive(Debug)]
pub(crate) struct Background {
    store: Arc<Store>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    pub(crate) fn start(store: &Arc<Store>) -> Result<Self> {
        let theirs = Arc::clone(store);
        let thread =
            thread::Builder::new()
                .name("logladder-compaction".into())
                .spawn(move || run(&theirs))
                .map_err(|source| Error::io("start a compaction thread for", store.folder.dir(), source))?;
        Ok(Self { store: Arc::clone(store), thread: Some(thread) })
    }

    /// Ends the thread and waits for it. It leaves off in the middle of a compaction, which changes nothing.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.store.signal.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(Error::panicked()),
            _ => Ok(()),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Who wants to know calls `close`.
        let _ = self.stop();
    }
}

fn run(store: &Store) {
    while store.signal.wait() {
        // A store that takes no more writes has told its users why.
        if store.poison.check().is_ok()
            && let Err(failure) = store.compact_wasteful()
        {
            store.signal.keep(failure);
        }
    }
}
