//! [`Tail`]: a watch of etcd, read one change after the other.
//!
//! A watch can begin at any revision that is not compacted, and shows every put since, in order, those of one transaction in
//! the order of its operations. Beginning in the past takes etcd up to a tenth of a second. So a watch that has been read to
//! some place is kept, for whoever asks for what comes next; who follows a store asks for just that.

use std::collections::VecDeque;
use std::fmt;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use etcd_client::{KeyValue, WatchClient, WatchFilterType, WatchOptions, WatchStream};
use logladder_engine::Position;
use tokio::time::timeout;

use crate::Etcd;
use crate::fault::Fault;
use crate::layout::Range;
use crate::members::{Kind, Member};
use crate::store::Store;

/// How many watches are kept for who may go on.
const KEPT: usize = 16;

/// How long.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// The revision of the first change.
    pub(crate) revision: i64,
    /// How many changes of that revision have been shown already.
    pub(crate) skipped: u64,
}

/// One watch.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The place of whoever has read from it so far.
    pub(crate) at: Position,
    used: Instant,
    watch: Watch,
    /// What has come and was not shown yet.
    waiting: VecDeque<KeyValue>,
}

impl Tail {
    /// Begins to watch the store.
    pub(crate) async fn begin(store: &Store, at: Position, beginning: Beginning) -> Result<Self, Fault> {
        let watch = Watch::begin(store, store.layout.changing(), beginning.revision).await?;
        let mut tail = Self { at, used: Instant::now(), watch, waiting: VecDeque::new() };
        for _ in 0..beginning.skipped {
            tail.fill(store, 1).await?;
            tail.waiting.pop_front();
        }
        Ok(tail)
    }

    /// Waits until so many changes have come that were not shown yet.
    pub(crate) async fn fill(&mut self, store: &Store, wanted: usize) -> Result<(), Fault> {
        while self.waiting.len() < wanted {
            let came = timeout(store.options.patience, self.watch.stream.message()).await;
            let came = came.map_err(|_| Fault::NotDone("a watch shows nothing".to_owned()))?;
            let Some(came) = came.map_err(|error| Fault::of(&error))? else {
                return Err(Fault::NotDone("a member ended a watch".to_owned()));
            };
            // It has begun somewhere, perhaps long after the last answer.
            came.header().map_or(Ok(()), |header| store.members.recognise(header))?;
            if came.compact_revision() > 0 {
                return Err(Fault::Compacted);
            }
            if came.canceled() {
                return Err(Fault::NotDone(format!("a member ended a watch: {}", came.cancel_reason())));
            }
            self.waiting.extend(came.events().iter().filter_map(|event| event.kv().cloned()));
        }
        Ok(())
    }

    /// How many changes have come that were not shown yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next change, and whether another one of the same revision has come behind it.
    pub(crate) fn take(&mut self) -> Option<(KeyValue, bool)> {
        let change = self.waiting.pop_front()?;
        let goes_on = self.waiting.front().is_some_and(|next| next.mod_revision() == change.mod_revision());
        Some((change, goes_on))
    }
}

/// A watch of a range from a revision on.
struct Watch {
    stream: WatchStream,
    /// Its connection, which ends with it.
    _connection: WatchClient,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

impl Watch {
    async fn begin(store: &Store, range: Range, revision: i64) -> Result<Self, Fault> {
        let options = WatchOptions::new()
            .with_range(range.end)
            .with_start_revision(revision)
            // A store's keys are never deleted in etcd. Who does it all the same by hand makes no change of the store.
            .with_filters([WatchFilterType::NoDelete])
            // A batch may be longer than one answer.
            .with_fragment();
        let ask = |member: Member| {
            let (start, options) = (range.start.clone(), options.clone());
            // In a box, since connecting takes much room, and this is held by whoever waits for it.
            Box::pin(async move {
                let mut connection = member.connect_to_watch().await?;
                let stream = connection.watch(start, Some(options)).await?;
                Ok((connection, stream))
            })
        };
        let (connection, stream) = store.members.ask(Kind::Read, ask).await?;
        Ok(Self { stream, _connection: connection })
    }
}

/// The revision up to which the history is compacted, by what a watch says that begins before it; none if it says
/// nothing.
pub(crate) async fn compacted_revision(store: &Store) -> Result<Option<i64>, Fault> {
    // Where nothing is ever put, nothing else comes.
    let mut watch = Watch::begin(store, store.layout.nothing(), 1).await?;
    loop {
        match timeout(store.options.timeout, watch.stream.message()).await {
            Ok(Ok(Some(came))) if came.compact_revision() > 0 => return Ok(Some(came.compact_revision())),
            // That it has begun.
            Ok(Ok(Some(_))) => {}
            Ok(Err(error)) => return Err(Fault::of(&error)),
            Ok(Ok(None)) | Err(_) => return Ok(None),
        }
    }
}

impl Etcd {
    /// A watch that has been read up to just that place, if one was kept.
    pub(crate) fn kept_tail(&self, at: Position) -> Option<Tail> {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        tails.retain(|tail| tail.used.elapsed() < KEPT_FOR);
        let place = tails.iter().position(|tail| tail.at == at)?;
        Some(tails.swap_remove(place))
    }

    /// Keeps a watch for whoever goes on from there.
    pub(crate) fn keep_tail(&self, mut tail: Tail, at: Position) {
        (tail.at, tail.used) = (at, Instant::now());
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        if tails.len() >= KEPT {
            tails.remove(0);
        }
        tails.push(tail);
    }

    /// Ends the watches that were kept: what they would still show may be compacted.
    pub(crate) fn drop_tails(&self) {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
