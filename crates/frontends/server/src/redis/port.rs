//! [`Port`]: what all connections to the port share, and where each kind of work is done.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use logladder_engine::{Durability, limits};
use subtle::ConstantTimeEq;
use tokio::runtime::Handle;

use super::client::Client;
use super::commands::Work;
use super::gather::{Gather, Gathered, Leader};
use super::gauge::Limits;
use super::refusal::Refused;
use super::shelves::Shelves;
use crate::app::App;
use crate::metrics::RedisMetrics;

/// Stages whose writes, when they need not be on the disk before they are acknowledged, are a copy into memory, mapped files included. Theirs
/// run on the threads of the network, as those of Redis do: now and then one waits for the kernel or for the next file,
/// and the clients of that thread with it.
const WRITES_TO_MEMORY: [&str; 2] = ["memory", "hash-log"];

/// Stages whose writes are then an append that the kernel takes. Theirs run there too, and several are one append.
const WRITES_TO_THE_KERNEL: [&str; 1] = ["replay-log"];

/// Where work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it is read from the network: work that waits for nothing.
    Network,
    /// With the writes of other connections, which share an append and a sync.
    Gathered,
    /// On a thread that may wait.
    Thread,
}

/// What all connections to the port share.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    pub(crate) limits: Limits,
    /// Whether the store is a copy, which takes no writes.
    pub(crate) is_copy: bool,
    /// For writes that wait for the disk.
    pub(crate) gather: Arc<Gather>,
    pub(crate) leader: Leader,
    pub(crate) shelves: Shelves,
    pub(crate) metrics: RedisMetrics,
    pub(crate) started: Instant,
    /// The threads that may wait.
    pub(crate) waiting: Handle,
    reads: Place,
    writes: Place,
    connections: AtomicU64,
}

impl Port {
    /// What may wait runs on the threads of `waiting`.
    pub(crate) fn new(app: Arc<App>, address: SocketAddr, waiting: Handle) -> Self {
        let engine = app.engine();
        let waits = engine.durability() == Durability::PowerLoss;
        let has = |stages: &[&str]| stages.contains(&engine.name());
        let writes = if (waits || has(&WRITES_TO_THE_KERNEL)) && engine.as_atomic().is_some() {
            Place::Gathered
        } else if !waits && has(&WRITES_TO_MEMORY) {
            Place::Network
        } else {
            Place::Thread
        };
        Self {
            address,
            is_copy: engine.as_follow().is_some(),
            limits: Limits::of(app.options.max_body_bytes),
            gather: Arc::default(),
            leader: if waits { Leader::Waiting } else { Leader::Network },
            shelves: Shelves::default(),
            metrics: app.metrics.redis(),
            started: Instant::now(),
            waiting,
            reads: if app.reads_inline { Place::Network } else { Place::Thread },
            writes,
            connections: AtomicU64::new(0),
            app,
        }
    }

    /// Where a command that does such work runs. What runs on the threads of the network can run anywhere.
    pub(crate) fn place_of(&self, work: Work) -> Place {
        match work {
            Work::None => Place::Network,
            // It may have to wait for a write of several keys, and that for the disk.
            Work::ReadTogether if self.writes != Place::Network && self.app.together.quiet().is_none() => {
                Place::Thread
            }
            Work::Read | Work::ReadTogether => self.reads,
            Work::Write => self.writes,
            Work::Walk => Place::Thread,
        }
    }

    pub(crate) fn admit(&self, peer: SocketAddr) -> Client {
        let id = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        Client::new(id, peer, !self.has_token())
    }

    /// How many connections there have been.
    pub(crate) fn connections_so_far(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn has_token(&self) -> bool {
        self.app.options.token.is_some()
    }

    pub(crate) fn is_token(&self, shown: &[u8]) -> bool {
        self.app.options.token.as_ref().is_some_and(|token| shown.ct_eq(token.bytes()).into())
    }

    /// Whether the store has room for such an entry.
    pub(crate) fn is_within_limits((key, value): (&[u8], &[u8])) -> bool {
        limits::check_entry(key, value).is_ok()
    }

    /// Does the sets that were put together.
    pub(crate) fn write(&self, gathered: &mut Gathered) -> Result<(), Refused> {
        let engine = self.app.engine();
        let outcome = {
            let _gate = self.app.pass_gate();
            let _under_way = gathered.has_several.then(|| self.app.together.begin(engine));
            gathered.write(engine)
        };
        gathered.clear();
        match &outcome {
            Ok(()) => self.app.note_written(),
            Err(refused) => self.note(refused),
        }
        outcome
    }

    /// Remembers that the store failed, if that is why something was refused.
    pub(crate) fn note(&self, refused: &Refused) {
        if let Refused::Store(refusal) = refused {
            self.app.note_refused(refusal);
        }
    }
}
