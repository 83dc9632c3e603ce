//! [`Queue`]: what is to be written, in the order in which it was first changed, and how much of it there is.
//!
//! A key is in it once at most, however often it is set: who writes it takes the value of that moment from memory.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use logladder_engine::{Result, SyncPolicy};

use crate::janitor::Call;
use crate::memory::Collection;
use crate::options::{Janitor, Options};

/// So many deletes may wait beyond the keys that the options allow. On a full disk they are what makes space.
const MORE_DELETES: usize = 1 << 10;

/// A member whose newest value, or whose delete, is to be written.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) collection: Arc<Collection>,
    pub(crate) member: Arc<[u8]>,
}

/// What is to be written, and how that goes.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// There is work for the janitor, or it is to end.
    called: Condvar,
    /// How many members are not written, and how many bytes they have: those in the queue, and those being written.
    keys: AtomicUsize,
    bytes: AtomicU64,
    /// How many more were found not to be on the disk, in the turn that writes.
    found: AtomicUsize,
    options: Options,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    is_stopping: bool,
    /// When the first file was written that has not been synced.
    unsynced_since: Option<Instant>,
    /// How many attempts to write have failed since one succeeded, and what the last of them said.
    failures: u64,
    last_failure: Option<String>,
}

impl Queue {
    /// An empty one. Files that are on the disk and may not have been synced are to be, if there `are_files`.
    pub(crate) fn new(options: Options, are_files: bool) -> Self {
        let unsynced_since = are_files.then(Instant::now);
        Self {
            state: Mutex::new(State { unsynced_since, ..State::default() }),
            called: Condvar::new(),
            keys: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            found: AtomicUsize::new(0),
            options,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each field stands for itself, so a panic cannot have left them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a member, under the lock of its collection: a write that was acknowledged is in the queue.
    pub(crate) fn push(&self, waiting: Waiting) {
        self.state().waiting.push_back(waiting);
        self.called.notify_one();
    }

    /// Takes so many at most, the first ones.
    pub(crate) fn take(&self, most: usize) -> Vec<Waiting> {
        let mut state = self.state();
        let count = most.min(state.waiting.len());
        state.waiting.drain(..count).collect()
    }

    /// How many are in it.
    pub(crate) fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// A member with so many bytes is no longer as it is on the disk.
    pub(crate) fn count(&self, bytes: u64) {
        self.keys.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// One that was counted has changed again.
    pub(crate) fn recount(&self, before: u64, after: u64) {
        self.bytes.fetch_add(after, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
    }

    /// One that was counted has been written.
    pub(crate) fn discount(&self, bytes: u64) {
        self.keys.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// So many members turned out not to be on the disk, and are in the queue now.
    pub(crate) fn note_found(&self, count: usize) {
        self.found.fetch_add(count, Ordering::Relaxed);
    }

    /// How many did since this was asked last.
    pub(crate) fn take_found(&self) -> usize {
        self.found.swap(0, Ordering::Relaxed)
    }

    /// How many members are not written.
    pub(crate) fn unwritten(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Whether who wants to write must wait. Never when everything is written.
    pub(crate) fn is_full(&self) -> bool {
        let (keys, bytes) = (self.unwritten(), self.bytes.load(Ordering::Relaxed));
        keys > 0 && (keys >= self.options.most_keys || bytes >= self.options.most_bytes)
    }

    /// Whether who wants to delete must wait. Whatever the bytes: a delete has few, and gives more back.
    pub(crate) fn is_full_of_deletes(&self) -> bool {
        self.is_full() && self.unwritten() >= self.options.most_keys.saturating_add(MORE_DELETES)
    }

    /// Remembers how an attempt to write went.
    pub(crate) fn note_outcome(&self, outcome: &Result<()>) {
        let mut state = self.state();
        match outcome {
            Ok(()) => (state.failures, state.last_failure) = (0, None),
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                state.last_failure = Some(error.to_string());
            }
        }
    }

    /// How many attempts have failed since one succeeded.
    pub(crate) fn failures(&self) -> u64 {
        self.state().failures
    }

    /// What the last of them said.
    pub(crate) fn last_failure(&self) -> Option<String> {
        self.state().last_failure.clone()
    }

    /// Files were written that are not synced.
    pub(crate) fn note_unsynced(&self) {
        self.state().unsynced_since.get_or_insert_with(Instant::now);
        self.called.notify_one();
    }

    /// All of them have been synced.
    pub(crate) fn note_synced(&self) {
        self.state().unsynced_since = None;
    }

    /// Whether there are such files.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.state().unsynced_since.is_some()
    }

    /// Waits for something that the janitor is to do.
    pub(crate) fn wait(&self) -> Call {
        let mut state = self.state();
        loop {
            if state.is_stopping {
                return Call::Stop;
            }
            if !state.waiting.is_empty() {
                return Call::Write;
            }
            state = match self.time_until_sync(&state) {
                Some(Duration::ZERO) => return Call::Sync,
                Some(time) => {
                    let outcome = self.called.wait_timeout(state, time);
                    outcome.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.called.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn time_until_sync(&self, state: &State) -> Option<Duration> {
        let SyncPolicy::Every(time) = self.options.sync else { return None };
        debug_assert_eq!(self.options.janitor, Janitor::Thread, "nobody else waits");
        state.unsynced_since.map(|since| time.saturating_sub(since.elapsed()))
    }

    /// Waits so long, or until the janitor is to end: `false`.
    pub(crate) fn rest(&self, time: Duration) -> bool {
        let goes_on = |state: &mut State| !state.is_stopping;
        drop(self.called.wait_timeout_while(self.state(), time, goes_on));
        !self.state().is_stopping
    }

    /// Ends the janitor.
    pub(crate) fn stop(&self) {
        // Under the lock, so that it cannot come between the janitor's look and its wait.
        self.state().is_stopping = true;
        self.called.notify_all();
    }
}
