//! The transactions that write: one for a call, however many keys it is about.
//!
//! etcd allows a key once in a transaction, and so many operations in it (`--max-txn-ops`, 128 unless it was set). Neither
//! is a limit here. Of several writes of one key, the last is what the key holds; those before it go where they are
//! found by the history and by who follows the changes, and by nobody else. And an operation may be a transaction of its own,
//! so that many of them make a tree:
//!
//! ```text
//!   set a = 1, delete a, set b = 5, set a = 2
//!
//!   put :e‹1›a‹0› = "=1"    put :e‹1›a‹1› = "-"    put :db = "=5"    put :da = "=2"    put :cc        one revision
//!        in the order of the batch, which is the order in which a watch shows them                    └ 4 changes
//! ```

use std::collections::HashMap;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use logladder_engine::{Batch, Error, Result, Write, limits};

use crate::count::counting;
use crate::layout::stored;
use crate::store::Store;

/// How many operations one transaction has at most, together with those on the way down to the deepest inside it: some
/// fewer than members allow.
const MOST_OPERATIONS: usize = 120;

/// What an operation takes in a request beside its key and its value, at most.
const OVERHEAD: usize = 32;

/// A transaction counts its changes by so many operations at most: the length of a request has so many bits, and more.
const MOST_COUNTERS: usize = 24;

impl Store {
    /// The operation that makes the value of `key` this, or deletes it.
    pub(crate) fn put(&self, key: &[u8], value: Option<&[u8]>) -> TxnOp {
        TxnOp::put(self.layout.data(key), stored(value), None)
    }

    /// The same as one change, with its counter.
    pub(crate) fn one_change(&self, key: &[u8], value: Option<&[u8]>) -> Vec<TxnOp> {
        let mut operations = vec![self.put(key, value)];
        operations.extend(counting(self, 1));
        operations
    }

    /// A transaction that does the batch.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub(crate) fn batch(&self, batch: &Batch) -> Result<Txn> {
        let mut bytes = self.envelope();
        let mut last: HashMap<&[u8], usize> = HashMap::new();
        for (number, write) in batch.iter().enumerate() {
            let value: &[u8] = match write {
                Write::Set(_, value) => value,
                Write::Delete(_) => &[],
            };
            limits::check_entry(write.key(), value)?;
            bytes += self.bytes_of(write.key(), value);
            last.insert(write.key(), number);
        }
        self.check_request("the batch", bytes)?;
        let mut replaced: HashMap<&[u8], u32> = HashMap::new();
        let mut operations: Vec<TxnOp> = Vec::with_capacity(batch.len() + 8);
        for (number, write) in batch.iter().enumerate() {
            let (key, value) = match write {
                Write::Set(key, value) => (key, Some(value)),
                Write::Delete(key) => (key, None),
            };
            if last.get(key) == Some(&number) {
                operations.push(self.put(key, value));
            } else {
                let nth = replaced.entry(key).or_default();
                operations.push(TxnOp::put(self.layout.earlier(key, *nth), stored(value), None));
                *nth = nth.saturating_add(1);
            }
        }
        operations.extend(counting(self, batch.len()));
        Ok(Txn::new().and_then(nested(operations)))
    }

    /// A transaction that deletes these keys, if nothing in `range` has changed since `revision`.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub(crate) fn delete_unless_changed(
        &self,
        keys: &[Vec<u8>],
        range: crate::layout::Range,
        revision: i64,
    ) -> Result<Txn> {
        let bytes = keys.iter().map(|key| self.bytes_of(key, &[])).sum::<usize>();
        self.check_request(
            "the list of the collection's members",
            self.envelope() + range.start.len() * 2 + bytes,
        )?;
        let mut operations: Vec<TxnOp> = keys.iter().map(|key| self.put(key, None)).collect();
        operations.extend(counting(self, keys.len()));
        let unchanged = Compare::mod_revision(range.start, CompareOp::Less, revision.saturating_add(1))
            .with_range(range.end);
        Ok(Txn::new().when([unchanged]).and_then(nested(operations)))
    }

    /// Whether both values of `key` fit into one request.
    pub(crate) fn fit_together(&self, key: &[u8], one: &[u8], other: &[u8]) -> bool {
        let bytes = self.bytes_of(key, one).saturating_add(self.bytes_of(key, other));
        self.envelope().saturating_add(bytes) <= self.options.max_request_bytes
    }

    /// That `key` has a value: something greater than the mark of a delete.
    pub(crate) fn is_there(&self, key: &[u8]) -> Compare {
        Compare::value(self.layout.data(key), CompareOp::Greater, stored(None))
    }

    /// Refuses an entry that fits into no request.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], which says how long the value of this key may be.
    pub(crate) fn check_entry(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let limit = self.options.max_request_bytes.saturating_sub(self.envelope() + self.bytes_of(key, &[]));
        if value.len() > limit {
            return Err(Error::TooLarge { what: "the value", len: value.len() as u64, limit: limit as u64 });
        }
        Ok(())
    }

    fn check_request(&self, what: &'static str, len: usize) -> Result<()> {
        let limit = self.options.max_request_bytes;
        if len > limit {
            return Err(Error::TooLarge { what, len: len as u64, limit: limit as u64 });
        }
        Ok(())
    }

    /// What a request takes beside its writes, at most.
    fn envelope(&self) -> usize {
        MOST_COUNTERS * self.bytes_of(&[], &[])
    }

    /// How many bytes the writes of a transaction may take.
    pub(crate) fn room(&self) -> usize {
        self.options.max_request_bytes.saturating_sub(self.envelope())
    }

    /// What a write takes in a request, at most.
    pub(crate) fn bytes_of(&self, key: &[u8], value: &[u8]) -> usize {
        OVERHEAD + self.layout.overhead() + key.len() + value.len()
    }
}

/// The same operations in the same order, so that no transaction has too many of its own.
fn nested(operations: Vec<TxnOp>) -> Vec<TxnOp> {
    nest(operations, |operations| TxnOp::txn(Txn::new().and_then(operations)))
}

/// A tree of these leaves in the same order, of which each way from the top to a leaf passes at most
/// [`MOST_OPERATIONS`] nodes and leaves, counted with those beside them.
fn nest<T>(leaves: Vec<T>, inner: impl Fn(Vec<T>) -> T) -> Vec<T> {
    let mut depth = 1;
    while (MOST_OPERATIONS / depth).saturating_pow(u32::try_from(depth).unwrap_or(u32::MAX)) < leaves.len() {
        depth += 1;
    }
    let width = MOST_OPERATIONS / depth;
    let mut level = leaves;
    // From the bottom up: each round puts as many together as one transaction may have.
    while level.len() > width {
        let mut above = Vec::with_capacity(level.len().div_ceil(width));
        let mut rest = level.into_iter();
        loop {
            let some: Vec<T> = rest.by_ref().take(width).collect();
            if some.is_empty() {
                break;
            }
            above.push(inner(some));
        }
        level = above;
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Node {
        Leaf(usize),
        Inner(Vec<Node>),
    }

    /// The leaves in order, and the most nodes side by side on a way down.
    fn walk(nodes: &[Node], leaves: &mut Vec<usize>) -> usize {
        let below = nodes.iter().map(|node| match node {
            Node::Leaf(number) => {
                leaves.push(*number);
                0
            }
            Node::Inner(nodes) => walk(nodes, leaves),
        });
        nodes.len() + below.max().unwrap_or(0)
    }

    #[test]
    fn however_many_operations_there_are_they_keep_their_order_and_no_transaction_has_too_many() {
        for count in [0, 1, 119, 120, 121, 3_600, 3_601, 64_000, 64_001, 500_000] {
            let tree = nest((0..count).map(Node::Leaf).collect(), Node::Inner);
            let mut leaves = Vec::new();
            let most = walk(&tree, &mut leaves);
            assert!(leaves.into_iter().eq(0..count), "{count} operations in their order");
            assert!(most <= MOST_OPERATIONS, "{most} operations of {count} count for one transaction");
        }
    }
}
