//! [`Atomic`]: batches, and writes that depend on what is there. Each is one transaction of etcd, and one trip.
//!
//! etcd compares by itself before it writes, so nothing is read first and nothing can come in between. It is asked to
//! compare values, which is what the trait speaks of: a comparison of revisions needs a read before it, and fails when
//! somebody else has put the same value again. Only where the expected value and the new one are too long for one request
//! together is it done in that way.

use std::time::Instant;

use etcd_client::{Compare, CompareOp, GetOptions, Txn};
use logladder_engine::{Atomic, Batch, Error, Result, limits};

use crate::layout::{stored, value_of};
use crate::{Etcd, Reads};

impl Atomic for Etcd {
    /// Each of its writes is a change and a version, also those of a key that is written again behind them. It is as long
    /// as a request may be: [`Options::max_request_bytes`](crate::Options::max_request_bytes) less some thirty bytes a
    /// write and the length of the store's prefix.
    fn write(&self, batch: &Batch) -> Result<()> {
        let txn = self.store.batch(batch)?;
        if !batch.is_empty() {
            self.write_txn(txn)?;
        }
        Ok(())
    }

    fn compare_and_set(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool> {
        limits::check_key(key)?;
        self.store.check_entry(key, new.unwrap_or_default())?;
        if let (None, None) = (expected, new) {
            // To expect nothing and leave nothing is a question.
            return Ok(self.look(key)?.is_none_or(|(value, _)| value.is_none()));
        }
        let write = self.store.one_change(key, new);
        let Some(expected) = expected else {
            let txn = Txn::new().when([self.store.is_there(key)]).or_else(write);
            return Ok(!self.write_txn(txn)?.succeeded());
        };
        if !self.store.fit_together(key, expected, new.unwrap_or_default()) {
            return self.replace_if_unchanged(key, expected, new);
        }
        let is_as_expected =
            Compare::value(self.store.layout.data(key), CompareOp::Equal, stored(Some(expected)));
        Ok(self.write_txn(Txn::new().when([is_as_expected]).and_then(write))?.succeeded())
    }
}

impl Etcd {
    /// What `key` is now, if it was ever written, and the revision that made it so.
    fn look(&self, key: &[u8]) -> Result<Option<(Option<Vec<u8>>, i64)>> {
        let place = self.store.layout.data(key);
        let answer =
            self.run(|store| async move { store.get(place, GetOptions::new(), Reads::Linearizable).await })?;
        let Some(found) = answer.kvs().first() else { return Ok(None) };
        Ok(Some((value_of(key, found.value())?.map(<[u8]>::to_vec), found.mod_revision())))
    }

    /// Compares here, and writes if nobody has written since; else again.
    fn replace_if_unchanged(&self, key: &[u8], expected: &[u8], new: Option<&[u8]>) -> Result<bool> {
        let deadline = Instant::now() + self.store.options.timeout;
        while Instant::now() < deadline {
            let revision = match self.look(key)? {
                Some((Some(value), revision)) if value == expected => revision,
                _ => return Ok(false),
            };
            let is_unchanged = Compare::mod_revision(self.store.layout.data(key), CompareOp::Equal, revision);
            let txn = Txn::new().when([is_unchanged]).and_then(self.store.one_change(key, new));
            if self.write_txn(txn)?.succeeded() {
                return Ok(true);
            }
        }
        Err(Error::Contended { what: "compare and set" })
    }
}
