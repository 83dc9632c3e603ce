//! The engine's threads. They belong to the store, and end with it.
//!
//! - With [`SyncPolicy::Every`], one syncs from time to time.
//! - Another makes snapshots by the rules, or rewrites when that is due.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use logladder_engine::{Error, Result, SyncPolicy};

use crate::options::Housekeeping;
use crate::store::Store;

/// How often the rules for snapshots are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// After a snapshot by a rule has failed, so much time passes until the next. The disk may be full.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// What the threads are told, and what they have to say.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_rewrite_due: bool,
    is_stopping: bool,
    /// Why a snapshot or a rewrite failed, until someone has been told.
    failure: Option<Error>,
}

impl Signal {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each field stands for itself, so a panic cannot have left them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A rewrite is due.
    pub(crate) fn wake(&self) {
        self.state().is_rewrite_due = true;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.state().is_stopping = true;
        self.changed.notify_all();
    }

    fn keep(&self, failure: Error) {
        // The first is the cause of the others.
        self.state().failure.get_or_insert(failure);
    }

    /// Why the last snapshot or rewrite in the background failed, if nobody has been told yet.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.state().failure.take()
    }

    /// Waits so long, or for the end: `false`.
    fn wait_for(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), time, |state| !state.is_stopping);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_stopping
    }

    /// Waits until a rewrite is due, or for the end: `false`.
    fn wait_for_rewrite(&self) -> bool {
        let nothing = |state: &mut State| !state.is_rewrite_due && !state.is_stopping;
        let mut state =
            self.changed.wait_while(self.state(), nothing).unwrap_or_else(PoisonError::into_inner);
        state.is_rewrite_due = false;
        !state.is_stopping
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
        let options = &store.options;
        if options.housekeeping == Housekeeping::OnDemand {
            return Ok(background);
        }
        if !options.has_log() {
            if !options.snapshots.is_empty() {
                background.spawn("logladder-snapshots", snapshot_by_rules)?;
            }
            return Ok(background);
        }
        if let SyncPolicy::Every(time) = options.sync {
            background.spawn("logladder-sync", move |store| sync_every(store, time))?;
        }
        if options.rewrite.growth_percent > 0 {
            background.spawn("logladder-rewrite", rewrite_when_due)?;
        }
        Ok(background)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce(&Store) + Send + 'static) -> Result<()> {
        let theirs = Arc::clone(&self.store);
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(move || run(&theirs))
            .map_err(|source| Error::io("start a thread for", self.store.folder.dir(), source))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Ends the threads and waits for them; a snapshot or a rewrite under way is finished first.
    ///
    /// # Errors
    ///
    /// One panicked.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.store.signal.stop();
        let panicked =
            self.threads.drain(..).map(JoinHandle::join).filter(std::result::Result::is_err).count();
        if panicked > 0 { Err(Error::panicked()) } else { Ok(()) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Who wants to know calls `close`.
        let _ = self.stop();
    }
}

/// A failure stops the store, and the next write says why.
fn sync_every(store: &Store, time: Duration) {
    while store.signal.wait_for(time) {
        let _ = store.sync();
    }
}

fn rewrite_when_due(store: &Store) {
    while store.signal.wait_for_rewrite() {
        // A store that takes no more writes has told its users why.
        if store.poison.check().is_ok()
            && let Err(failure) = store.rewrite()
        {
            store.signal.keep(failure);
        }
    }
}

fn snapshot_by_rules(store: &Store) {
    let mut last = Instant::now();
    let mut pause = LOOK_EVERY;
    while store.signal.wait_for(pause) {
        pause = LOOK_EVERY;
        let changes = {
            let writer = store.look();
            writer.sequence - writer.base_sequence
        };
        let since = last.elapsed();
        if store.poison.check().is_err()
            || !store.options.snapshots.iter().any(|rule| rule.is_due(since, changes))
        {
            continue;
        }
        match store.snapshot_of_changes() {
            Ok(()) => last = Instant::now(),
            Err(failure) => {
                store.signal.keep(failure);
                pause = REST_AFTER_FAILURE;
            }
        }
    }
}
