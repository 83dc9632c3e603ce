//! [`Gather`]: the sets of many connections as one write, so that they share one append and one sync.
//!
//! ```text
//!   connection 1   SET … SET … ─┐
//!   connection 2   SET … GET …  ├─► the first becomes the leader: one batch, one sync ──► all are answered
//!   connection 3   SET …       ─┘
//!   connection 4   SET … while that goes on ──────────────────────────────────────────► the leader's next batch
//! ```
//!
//! It is the group commit of the engines, a floor higher: there, each write that waits is a thread that waits; here it is some
//! bytes in a queue. Where a set has to be on the disk before it is acknowledged, the leader is a thread that may wait. Where it does not, but is an
//! append that the kernel takes, each thread of the network gathers for itself: it goes through all connections that have something
//! to say, and the leader is what it does after them, as Redis does. A command that is no plain set waits until the sets before it in its own connection are done, and is then done
//! by itself. Those of other connections may come before it or after it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logladder_engine::{Batch, Engine, Write};
use tokio::sync::oneshot;

use super::port::{Place, Port};
use super::refusal::Refused;
use super::session::{Ran, Session};

/// A batch is written as soon as it has so many sets, or so many bytes.
const MOST_SETS: usize = 4096;
const MOST_BYTES: usize = 1 << 20;

/// Sets that have not been done.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    batch: Batch,
    bytes: usize,
    /// The most bytes that there were at once, for all of which there is memory.
    most: usize,
    /// Whether some of them are of one command.
    pub(crate) has_several: bool,
}

impl Gathered {
    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.batch.clear();
        self.bytes = 0;
        self.has_several = false;
    }

    /// Whether there is room for so many bytes more. What is larger than a batch has one to itself.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        self.is_empty() || (self.batch.len() < MOST_SETS && self.bytes.saturating_add(bytes) <= MOST_BYTES)
    }

    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.batch.set(key, value);
        self.bytes += key.len() + value.len();
        self.most = self.most.max(self.bytes);
    }

    /// One set as one, several as a batch.
    pub(crate) fn write(&self, engine: &dyn Engine) -> Result<(), Refused> {
        match (self.batch.len(), self.batch.iter().next(), engine.as_atomic()) {
            (1, Some(Write::Set(key, value)), _) => engine.set(key, value)?,
            (_, _, Some(atomic)) => atomic.write(&self.batch)?,
            _ => {}
        }
        Ok(())
    }
}

/// A session that waits to be gone on with.
#[derive(Debug)]
struct Ticket {
    session: Box<Session>,
    back: oneshot::Sender<(Box<Session>, Ran)>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Ticket>,
    has_leader: bool,
    /// The memory of the last leader, for the next one.
    gathered: Gathered,
}

/// Who writes what was gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leader {
    /// A thread that may wait.
    Waiting,
    /// The thread of the network on which it was gathered.
    Network,
}

/// Where sessions wait whose next command is a write.
#[derive(Debug, Default)]
pub(crate) struct Gather(Mutex<Queue>);

impl Gather {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in it is ever half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes on with the session beside those of other connections: of all, or of those of this thread, whose gather is `here`. None, if that panicked: what was done is not known.
pub(crate) async fn submit(
    port: &Arc<Port>,
    here: &Arc<Gather>,
    session: Box<Session>,
) -> Option<(Box<Session>, Ran)> {
    let gather = match port.leader {
        Leader::Waiting => &port.gather,
        Leader::Network => here,
    };
    let (back, outcome) = oneshot::channel();
    let has_leader = {
        let mut queue = gather.queue();
        queue.waiting.push(Ticket { session, back });
        std::mem::replace(&mut queue.has_leader, true)
    };
    if !has_leader {
        let (port, gather) = (Arc::clone(port), Arc::clone(gather));
        match port.leader {
            Leader::Waiting => drop(port.waiting.clone().spawn_blocking(move || lead(&port, &gather))),
            // It stands behind all that this thread has to do now.
            Leader::Network => drop(tokio::spawn(async move { lead(&port, &gather) })),
        }
    }
    outcome.await.ok()
}

/// Gives the leadership back, whatever happens to the leader.
struct Leadership<'p>(&'p Gather);

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = self.0.queue();
            queue.has_leader = false;
            queue.waiting.clear();
        }
    }
}

/// Goes on with whoever waits, until nobody does.
fn lead(port: &Port, gather: &Gather) {
    let _leadership = Leadership(gather);
    let mut gathered = std::mem::take(&mut gather.queue().gathered);
    loop {
        let waiting = {
            let mut queue = gather.queue();
            if queue.waiting.is_empty() {
                queue.has_leader = false;
                if gathered.most <= MOST_BYTES {
                    queue.gathered = gathered;
                }
                return;
            }
            std::mem::take(&mut queue.waiting)
        };
        go_on(port, waiting, &mut gathered);
    }
}

/// Goes on with these sessions as far as they can here.
fn go_on(port: &Port, mut waiting: Vec<Ticket>, gathered: &mut Gathered) {
    while !waiting.is_empty() {
        let mut ended: Vec<(Ticket, Ran)> = Vec::with_capacity(waiting.len());
        let mut unended = Vec::new();
        for mut ticket in waiting {
            match ticket.session.advance(port, Place::Gathered, gathered) {
                Ran::Waits => unended.push(ticket),
                ran => ended.push((ticket, ran)),
            }
        }
        let outcome = if gathered.is_empty() { Ok(()) } else { port.write(gathered) };
        for ticket in &mut unended {
            ticket.session.settle(&outcome);
        }
        for (mut ticket, ran) in ended {
            ticket.session.note_writes(port);
            // A connection that has ended does not want it back.
            let _ = ticket.back.send((ticket.session, ran));
        }
        waiting = unended;
    }
}
