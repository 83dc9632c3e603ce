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

    pub(crate) fn keep(&self, failure: Error) {
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
        // Nobody can go on after a panic: whoever asks for a rewrite is told.
        let _ = store.rewrite_in_background();
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use logladder_disk::{Disk, LOCK_FILE, OpenOn, RecordingDisk};
    use logladder_engine::{Changes, Engine};

    use super::*;
    use crate::{Options, ReplayLog};

    /// Something that never comes fails the test instead of hanging it.
    const FAR_TOO_LONG: Duration = Duration::from_mins(2);

    #[test]
    fn after_a_rewrite_that_failed_the_next_begins_by_itself_and_leaves_nothing_to_be_told() {
        let (disk, dir) = (RecordingDisk::new(), Path::new("/store"));
        let options = Options::default().with_sync(SyncPolicy::Never).with_rewrite(100, 1_000);
        let store = ReplayLog::open_on(Arc::new(disk.clone()), dir, options).unwrap();
        let set_until = |what: &str, is_so: &dyn Fn() -> bool| {
            let (start, mut left) = (Instant::now(), 20_000);
            while !is_so() {
                assert!(start.elapsed() < FAR_TOO_LONG, "it never comes: {what}");
                if left > 0 {
                    left -= 1;
                    store.set(b"key", &[b'x'; 100]).unwrap();
                }
                thread::yield_now();
            }
        };
        // As if the folder had been moved away.
        let (lock, away) = (dir.join(LOCK_FILE), Path::new("/away"));
        disk.rename(&lock, away).unwrap();
        set_until("a rewrite that fails", &|| store.store().signal.state().failure.is_some());
        disk.rename(away, &lock).unwrap();
        let earliest = || store.earliest_position().unwrap().sequence;
        let before = earliest();
        set_until("a rewrite", &|| earliest() > before);
        Box::new(store).close().unwrap();
    }
}
