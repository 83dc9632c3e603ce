//! The janitor: a thread that writes what is in the queue as soon as it can. It belongs to the store, and ends with it.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use logladder_engine::{Error, Result};

use crate::options::Janitor;
use crate::store::Store;

/// How long it rests after a failure: twice as long after each that follows, up to a limit.
const SHORTEST_REST: Duration = Duration::from_millis(1);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Why the janitor goes to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Something is in the queue.
    Write,
    /// What was written is to be synced.
    Sync,
    /// The store is closed or dropped.
    Stop,
}

/// The thread of a store, if it has one.
#[derive(Debug)]
pub(crate) struct JanitorThread {
    store: Arc<Store>,
    thread: Option<JoinHandle<()>>,
}

impl JanitorThread {
    /// Starts it, if the options ask for it.
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    pub(crate) fn start(store: &Arc<Store>) -> Result<Self> {
        let mut thread = None;
        if store.options.janitor == Janitor::Thread {
            let theirs = Arc::clone(store);
            let spawned =
                thread::Builder::new().name("logladder-janitor".into()).spawn(move || tidy(&theirs));
            thread =
                Some(spawned.map_err(|source| Error::io("start a thread for", store.folder.dir(), source))?);
        }
        Ok(Self { store: Arc::clone(store), thread })
    }

    /// Ends it. What is in the queue stays there.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.store.queue.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(Error::Poisoned { why: "the thread that writes panicked".into() }),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

fn tidy(store: &Store) {
    let mut rest = SHORTEST_REST;
    loop {
        let done = match store.queue.wait() {
            Call::Write => store.write_queued(),
            Call::Sync => store.sync(),
            Call::Stop => return,
        };
        // The queue remembers what went wrong, for who asks; here it is only tried again.
        if done.is_ok() {
            rest = SHORTEST_REST;
        } else {
            if !store.queue.rest(rest) {
                return;
            }
            rest = (rest * 2).min(LONGEST_REST);
        }
    }
}
