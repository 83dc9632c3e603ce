//! [`App`]: what every request shares, and how engine calls are run.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::http::StatusCode;
use logladder_engine::{Durability, Engine, Error};
use tokio::sync::{Semaphore, watch};

use crate::SharedEngine;
use crate::answer::Refusal;
use crate::capability::Capability;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::snapshot;
use crate::together::Together;

/// Stages whose `get` reads memory, mapped files included, and takes no lock that is held during file work: a map
/// (memory, json-file, replay-log), an index over mapped segments (hash-log, and a copy that is one), or a memtable and
/// mapped tables (sorted-log). Their gets run on the threads of the network, which saves two changes of thread per request.
/// Whatever else an engine does, and a get of any other stage, runs on a thread that may wait.
const READS_FROM_MEMORY: [&str; 6] =
    ["memory", "json-file", "replay-log", "hash-log", "sorted-log", "follower"];

/// How far the server is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    Running,
    /// No new connections; requests that began are answered.
    Draining,
    /// What is still open is cut off.
    Over,
}

/// What every request shares.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) engine: Shared,
    pub(crate) options: Options,
    pub(crate) metrics: Metrics,
    pub(crate) life: watch::Sender<Life>,
    /// Says that something was written, to those that follow the changes.
    pub(crate) written: watch::Sender<()>,
    pub(crate) watchers: Arc<Semaphore>,
    /// Those that are taking over everything.
    pub(crate) snapshots: Arc<Semaphore>,
    /// Why the last write failed, if it did.
    trouble: Mutex<Option<String>>,
    /// Passed by every write; closed for those of several steps that no other may come between.
    gate: RwLock<()>,
    /// Writes of several keys, which all pass the gate too.
    pub(crate) together: Together,
    /// Held while a copy of the store is made.
    pub(crate) backing_up: Mutex<()>,
    pub(crate) reads_inline: bool,
    writes_inline: bool,
}

/// The engine, which cannot print itself.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) SharedEngine);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl App {
    pub(crate) fn new(engine: SharedEngine, options: Options) -> Self {
        Self {
            reads_inline: READS_FROM_MEMORY.contains(&engine.name()),
            // Such a store has no file to wait for.
            writes_inline: engine.durability() == Durability::Never,
            metrics: Metrics::new(&**engine),
            life: watch::Sender::new(Life::Running),
            written: watch::Sender::new(()),
            watchers: Arc::new(Semaphore::new(options.max_watchers)),
            snapshots: Arc::new(Semaphore::new(snapshot::AT_ONCE)),
            trouble: Mutex::new(None),
            gate: RwLock::new(()),
            together: Together::default(),
            backing_up: Mutex::new(()),
            engine: Shared(engine),
            options,
        }
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &**self.engine.0
    }

    /// A get, or something that costs as little.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Engine) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        if self.reads_inline { work(self.engine()) } else { self.run(work).await }
    }

    /// Work that may wait for the disk, or take long.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Engine) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let app = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(app.engine())).await {
            Ok(outcome) => outcome,
            Err(error) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        }
    }

    /// A write, and a sync after it if the client asked for one. It is done to its end even if the client leaves.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        sync: bool,
        work: impl FnOnce(&dyn Engine) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        // Such a store has nothing that a sync could put anywhere.
        if sync && self.writes_inline {
            return Err(Capability::Keep.lacking(self.engine()));
        }
        let app = Arc::clone(self);
        let work = move |engine: &dyn Engine| {
            let done = {
                let _gate = app.pass_gate();
                work(engine)?
            };
            if sync {
                engine.sync()?;
            }
            Ok(done)
        };
        let outcome = if self.writes_inline { work(self.engine()) } else { self.run(work).await };
        match &outcome {
            Ok(_) => self.note_written(),
            Err(refusal) => self.note_refused(refusal),
        }
        outcome
    }

    /// Held while something is written.
    pub(crate) fn pass_gate(&self) -> RwLockReadGuard<'_, ()> {
        // It guards nothing that a panic could have left half-changed.
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held by a write of several steps, between which there is no other write through this server.
    pub(crate) fn close_gate(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was written.
    pub(crate) fn note_written(&self) {
        self.report(None);
        // Saying it to nobody takes longer than many a write.
        if self.written.receiver_count() > 0 {
            self.written.send_replace(());
        }
    }

    /// Something was not written, perhaps because the store failed.
    pub(crate) fn note_refused(&self, refusal: &Refusal) {
        if refusal.status.is_server_error() && refusal.problem.stages.is_none() {
            self.report(Some(refusal.problem.error.clone()));
        }
    }

    fn report(&self, trouble: Option<String>) {
        let mut held = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *held != trouble {
            *held = trouble;
        }
    }

    /// Why the store should get no requests now, if there is a reason.
    pub(crate) async fn trouble(self: &Arc<Self>) -> Option<String> {
        if *self.life.borrow() > Life::Running {
            return Some("the server is shutting down".into());
        }
        self.failure().await
    }

    /// Why the last write failed, or the engine's own last attempt to write what it had acknowledged; or that the store is
    /// no longer where it was opened, for which the engine looks at the disk.
    pub(crate) async fn failure(self: &Arc<Self>) -> Option<String> {
        let refused = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match refused {
            Some(refused) => Some(refused),
            None => match self.run(|engine| Ok(engine.trouble())).await {
                Ok(trouble) => trouble,
                Err(refusal) => Some(refusal.problem.error),
            },
        }
    }
}

/// Says in the log what the sync at the end could not do.
pub(crate) async fn sync(app: &Arc<App>) -> Result<(), Error> {
    let app = Arc::clone(app);
    match tokio::task::spawn_blocking(move || app.engine().sync()).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::Poisoned { why: error.to_string() }),
    }
}
