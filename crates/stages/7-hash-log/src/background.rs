//! The engine's threads. They belong to the store, and end with it.
//!
//! - The one for *maintenance* seals segments that are full, and compacts what has become worth it.
//! - With [`SyncPolicy::Every`](logladder_engine::SyncPolicy::Every), another syncs from time to time.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use logladder_engine::{Error, Result, SyncPolicy};

use crate::Compaction;
use crate::choose::Zeal;
use crate::store::Store;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// A store in which nothing has been written for so long is idle.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// What the threads are told, and what they have to say.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
    progress: [AtomicU64; 2],
}

#[derive(Debug, Default)]
struct State {
    has_work: bool,
    is_paused: bool,
    /// Whether the maintenance thread runs.
    is_maintained: bool,
    /// How many rounds of compaction have ended.
    rounds: u64,
    /// Why maintenance failed, until someone has been told.
    failure: Option<Error>,
}

/// Why the maintenance thread goes to work.
enum Call {
    Work,
    Idle,
    Stop,
}

impl Signal {
    /// There may be something to seal or to compact.
    pub(crate) fn wake(&self) {
        self.state().has_work = true;
        self.changed.notify_all();
    }

    /// Whether the threads are to end, in the middle of a compaction if need be.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The failure of a thread that nobody has been told of yet.
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

    /// Holds the compaction in the background, or lets it go on.
    pub(crate) fn pause(&self, is_paused: bool) {
        let mut state = self.state();
        state.is_paused = is_paused;
        // What has waited meanwhile is to be looked at.
        state.has_work |= !is_paused;
        self.changed.notify_all();
    }

    /// Whether there is reason to believe that compaction will come.
    pub(crate) fn is_compacting(&self) -> bool {
        let state = self.state();
        state.is_maintained && !state.is_paused && !self.is_stopping()
    }

    fn maintain(&self, is_maintained: bool) {
        self.state().is_maintained = is_maintained;
        self.changed.notify_all();
    }

    /// Waits while compaction is paused, and then for so long, so that it does not write too fast. Ends at once if
    /// the threads are to end.
    pub(crate) fn rest(&self, time: Duration) {
        let must_wait = |state: &mut State| state.is_paused && !self.is_stopping();
        let state = self.changed.wait_while(self.state(), must_wait).unwrap_or_else(PoisonError::into_inner);
        if !time.is_zero() {
            let goes_on = |_: &mut State| !self.is_stopping();
            drop(self.changed.wait_timeout_while(state, time, goes_on));
        }
    }

    /// A round of compaction begins that goes through so many bytes.
    pub(crate) fn begin_round(&self, bytes: u64) {
        self.progress[0].store(0, Ordering::Relaxed);
        self.progress[1].store(bytes, Ordering::Relaxed);
    }

    /// It has gone through so many more.
    pub(crate) fn advance(&self, bytes: u64) {
        self.progress[0].fetch_add(bytes, Ordering::Relaxed);
    }

    /// It has ended.
    pub(crate) fn end_round(&self) {
        self.progress[1].store(0, Ordering::Relaxed);
        self.state().rounds += 1;
        self.changed.notify_all();
    }

    /// How many bytes the round that runs has gone through, and of how many.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        let [done, all] = [0, 1].map(|which: usize| self.progress[which].load(Ordering::Relaxed));
        (all > 0).then_some((done.min(all), all))
    }

    /// Waits until a round has ended, but not for ever.
    pub(crate) fn await_round(&self, most: Duration) {
        let state = self.state();
        let before = state.rounds;
        let goes_on = |state: &mut State| {
            state.rounds == before && state.is_maintained && !state.is_paused && !self.is_stopping()
        };
        drop(self.changed.wait_timeout_while(state, most, goes_on));
    }

    fn keep(&self, failure: Error) {
        // The first is the cause of the others.
        self.state().failure.get_or_insert(failure);
    }

    fn stop(&self) {
        // Under the lock, so that it cannot come between a thread's look and its wait.
        let _state = self.state();
        self.stopping.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits for work, for idleness if that is of interest, or for the end.
    fn wait(&self, idle_counts: bool) -> Call {
        let mut state = self.state();
        let nothing = |state: &mut State| !state.has_work && !self.is_stopping();
        let timed_out;
        if idle_counts {
            let outcome = self.changed.wait_timeout_while(state, IDLE_AFTER, nothing);
            let (guard, timeout) = outcome.unwrap_or_else(PoisonError::into_inner);
            (state, timed_out) = (guard, timeout.timed_out());
        } else {
            state = self.changed.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
            timed_out = false;
        }
        state.has_work = false;
        match (self.is_stopping(), timed_out) {
            (true, _) => Call::Stop,
            (false, true) => Call::Idle,
            (false, false) => Call::Work,
        }
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
        if store.options.compaction == Compaction::Background {
            // What the last process left may be worth it.
            store.signal.wake();
            store.signal.maintain(true);
            background.spawn("logladder-maintenance", maintain)?;
        }
        if let SyncPolicy::Every(time) = store.options.sync {
            background.spawn("logladder-sync", move |store| sync_every(store, time))?;
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

    /// Ends the threads and waits for them. They leave off in the middle of a compaction, which changes nothing.
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

/// Says that the thread has ended, by a panic perhaps, so that nobody waits for it.
struct Maintenance<'s>(&'s Signal);

impl Drop for Maintenance<'_> {
    fn drop(&mut self) {
        self.0.maintain(false);
    }
}

fn maintain(store: &Store) {
    let _maintenance = Maintenance(&store.signal);
    let (mut seen, mut idle_counts) = (0, true);
    loop {
        let zeal = match store.signal.wait(idle_counts) {
            Call::Stop => return,
            Call::Work => Zeal::Busy,
            Call::Idle => Zeal::Idle,
        };
        let written = store.writer().map_or(seen, |writer| writer.next_sequence);
        let was_written = std::mem::replace(&mut seen, written) != written;
        // A store that takes no more writes has told its users why.
        if store.poison.check().is_err() {
            idle_counts = false;
            continue;
        }
        let zeal = if was_written { Zeal::Busy } else { zeal };
        let done = store.seal_full().and_then(|()| store.compact_wasteful(zeal));
        // Idle and done: only another write makes a difference.
        idle_counts = was_written || zeal == Zeal::Busy;
        if let Err(failure) = done {
            store.signal.keep(failure);
        }
    }
}

/// A failure stops the store, and the next write says why.
fn sync_every(store: &Store, time: Duration) {
    while store.signal.wait_for(time) {
        if store.poison.check().is_ok()
            && let Err(failure) = store.sync()
        {
            store.signal.keep(failure);
        }
    }
}
