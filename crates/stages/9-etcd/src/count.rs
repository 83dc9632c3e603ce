//! [`Count`]: how many changes the store has seen, counted by etcd itself.
//!
//! A position in the log must say how many changes came before it. etcd's revision does not: it goes up by one for a
//! whole transaction, and for the writes of everyone else in the cluster. A number that each write reads, raises and
//! writes back would make all writers wait for each other, and fail each other's transactions.
//!
//! But etcd counts how often each key was put, its *version*. So a write puts, in the same transaction, an empty value
//! under a key that nobody ever reads the value of: a counter. It need not know how far that is.
//!
//! ```text
//!   a batch of 6 changes = 4 + 2:   put :cc   put :cb         a key can be put once in a transaction, so there is a
//!                                                             counter for each power of two
//!   changes so far = 1 × version of :ca  +  2 × version of :cb  +  4 × version of :cc  +  …
//! ```
//!
//! Read at an older revision, the counters say how many there were then. That is how a position is checked.

use etcd_client::{GetOptions, KeyValue, ResponseHeader, TxnOp};
use logladder_engine::Position;

use crate::fault::Fault;
use crate::members::Kind;
use crate::store::Store;

/// What the counters said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    /// The revision that they were read at.
    pub(crate) revision: i64,
    /// How many changes there had been.
    pub(crate) changes: u64,
    /// The revision of the last one, or 0 if there was none.
    pub(crate) last: i64,
    /// How many there were at that revision.
    pub(crate) in_last: u64,
}

impl Count {
    /// Reads the counters: now, or as they were at a revision.
    pub(crate) async fn read(store: &Store, at: Option<i64>) -> Result<Self, Fault> {
        let range = store.layout.counts();
        let options = GetOptions::new().with_range(range.end.clone()).with_revision(at.unwrap_or(0));
        let ask = |mut member: crate::members::Member| {
            let (start, options) = (range.start.clone(), options.clone());
            async move { member.kv.get(start, Some(options)).await }
        };
        let answer = store.members.ask(Kind::Read, ask).await?;
        let now = answer.header().map_or(0, ResponseHeader::revision);
        let mut count = Self { revision: at.unwrap_or(now), ..Self::default() };
        for counter in answer.kvs() {
            count.add(store.layout.number_of(counter.key()), counter);
        }
        Ok(count)
    }

    fn add(&mut self, number: Option<u8>, counter: &KeyValue) {
        let (Some(number), Ok(times)) = (number, u64::try_from(counter.version())) else { return };
        let each = 1_u64 << number;
        self.changes = self.changes.saturating_add(each.saturating_mul(times));
        if counter.mod_revision() > self.last {
            (self.last, self.in_last) = (counter.mod_revision(), 0);
        }
        if counter.mod_revision() == self.last {
            self.in_last = self.in_last.saturating_add(each);
        }
    }

    /// The place behind everything that was counted.
    pub(crate) fn position(&self) -> Position {
        let revision = if self.changes == 0 { self.revision } else { self.last };
        Position { sequence: self.changes, segment: u64::try_from(revision).unwrap_or(0), offset: 0 }
    }
}

// ANCHOR: counting
/// What a transaction does to count so many changes.
pub(crate) fn counting(store: &Store, changes: usize) -> impl Iterator<Item = TxnOp> {
    (0..64_u8)
        .filter(move |number| (changes as u64 >> number) & 1 == 1)
        .map(|number| TxnOp::put(store.layout.count(number), Vec::new(), None))
}
// ANCHOR_END: counting
