//! [`Commits`]: *group commit*, as in stage 7: sets that come while a transaction is under way share the next one.
//!
//! ```text
//!   writer 1   set ───► a transaction of its own, at once ──────► answered, and the next one begins
//!   writer 2     set ─┐                                                     │
//!   writer 3      set ┼─► wait meanwhile ───────────────────────────────────┴─► one transaction for all three
//!   writer 4       set┘
//! ```
//!
//! A transaction costs a trip and a sync of a majority, whether it holds one write or a hundred. Nobody waits for company: a
//! set that finds nothing under way goes alone. What depends on what is there, a delete or a comparison, goes alone
//! as well, since its answer is its own.
//!
//! No writer leads the others. Each group is a task of the runtime, which begins the next one when it ends, however it ends; and
//! who waits does so until its own deadline. Until a set is in a transaction it can be withdrawn, and then nothing was sent.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use logladder_engine::{Batch, Error, Result};
use tokio::runtime::Handle;

use crate::Etcd;
use crate::fault::Fault;
use crate::store::Store;

/// How many groups are under way at once. With two, each is smaller, and etcd works on more of them.
const AT_ONCE: usize = 1;

/// The most sets of one group: so many fit into a transaction without another inside, together with their counters.
const MOST_SETS: usize = 100;

/// The most bytes of one group of several, so that short values do not wait behind long ones.
const MOST_BYTES: usize = 256 << 10;

/// How long after its deadline a writer waits for what its transaction says of that deadline.
const LAST_WORD: Duration = Duration::from_millis(100);

/// The sets that wait.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Set>,
    /// How many groups are under way.
    under_way: usize,
    /// The number of the next set.
    next: u64,
}

/// A set whose writer waits.
struct Set {
    number: u64,
    key: Vec<u8>,
    value: Vec<u8>,
    deadline: Instant,
    writer: SyncSender<std::result::Result<(), Fault>>,
}

impl Set {
    fn answer(self, outcome: std::result::Result<(), Fault>) {
        // Who waited may have given up.
        let _ = self.writer.send(outcome);
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set {} of {} bytes", self.number, self.value.len())
    }
}

impl Commits {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in it panics between two changes that belong together.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a set out again. False if it is in a transaction already.
    fn withdraw(&self, number: u64) -> bool {
        let mut queue = self.queue();
        let place = queue.waiting.iter().position(|set| set.number == number);
        place.is_some_and(|place| queue.waiting.remove(place).is_some())
    }
}

impl Queue {
    /// The next group, if one may begin and somebody waits. It is under way from now on.
    fn begin(&mut self, store: &Store) -> Option<Vec<Set>> {
        if self.under_way >= AT_ONCE {
            return None;
        }
        let most = store.room().min(MOST_BYTES);
        let first = self.waiting.pop_front()?;
        // Its deadline is that of the group. Who came long after it has more time, and goes with the next one.
        let latest = first.deadline + store.options.timeout / 2;
        let mut bytes = store.bytes_of(&first.key, &first.value);
        let mut group = vec![first];
        while group.len() < MOST_SETS
            && let Some(set) = self.waiting.front()
            && set.deadline <= latest
        {
            bytes = bytes.saturating_add(store.bytes_of(&set.key, &set.value));
            if bytes > most {
                break;
            }
            group.extend(self.waiting.pop_front());
        }
        self.under_way += 1;
        Some(group)
    }
}

impl Etcd {
    /// Sets a key in a transaction with whoever else sets one at the moment.
    pub(crate) fn set_together(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let deadline = Instant::now() + self.store.options.timeout;
        let (writer, answer) = mpsc::sync_channel(1);
        let (number, group) = {
            let mut queue = self.commits.queue();
            let number = queue.next;
            queue.next += 1;
            queue.waiting.push_back(Set {
                number,
                key: key.to_vec(),
                value: value.to_vec(),
                deadline,
                writer,
            });
            (number, queue.begin(&self.store))
        };
        if let Some(group) = group {
            Turn::begin(&self.store, &self.commits, self.runtime.handle(), group);
        }
        let until = deadline + LAST_WORD;
        match answer.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(outcome) => Ok(outcome?),
            Err(RecvTimeoutError::Timeout) if self.commits.withdraw(number) => {
                Err(Error::NoQuorum { why: "the writes before this one have no answer".to_owned() })
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(Error::OutcomeUnknown { why: "no answer in time".to_owned() })
            }
            // The work has panicked.
            Err(RecvTimeoutError::Disconnected) => Err(Error::panicked()),
        }
    }
}

/// The right of a group to be under way. When it ends, the next group has it.
struct Turn {
    store: Arc<Store>,
    commits: Arc<Commits>,
    runtime: Handle,
}

impl Turn {
    fn begin(store: &Arc<Store>, commits: &Arc<Commits>, runtime: &Handle, group: Vec<Set>) {
        let turn = Self { store: Arc::clone(store), commits: Arc::clone(commits), runtime: runtime.clone() };
        runtime.spawn(async move { commit(&turn.store, group).await });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let group = {
            let mut queue = self.commits.queue();
            queue.under_way = queue.under_way.saturating_sub(1);
            queue.begin(&self.store)
        };
        if let Some(group) = group {
            Self::begin(&self.store, &self.commits, &self.runtime, group);
        }
    }
}

/// Does a group, and answers its writers.
async fn commit(store: &Store, group: Vec<Set>) {
    let now = Instant::now();
    let (group, late): (Vec<Set>, Vec<Set>) = group.into_iter().partition(|set| set.deadline > now);
    for set in late {
        set.answer(Err(Fault::NotDone("the writes before this one took too long".to_owned())));
    }
    match write(store, &group).await {
        // Each alone is not too long, and nothing was done.
        Err(fault) if fault.is_of_its_length() && group.len() > 1 => {
            for set in group {
                let outcome = write(store, std::slice::from_ref(&set)).await;
                set.answer(outcome);
            }
        }
        outcome => {
            for set in group {
                let same = match &outcome {
                    Ok(()) => Ok(()),
                    Err(fault) => Err(fault.to_another()),
                };
                set.answer(same);
            }
        }
    }
}

/// Sets these keys in one transaction, in their order.
async fn write(store: &Store, group: &[Set]) -> std::result::Result<(), Fault> {
    let Some(deadline) = group.iter().map(|set| set.deadline).min() else { return Ok(()) };
    let mut batch = Batch::new();
    for set in group {
        batch.set(&set.key, &set.value);
    }
    store.write_until(store.batch(&batch)?, deadline).await.map(drop)
}
