//! [`Pages`]: the keys of a range as they were at one revision, some at a time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use etcd_client::{GetOptions, KeyValue, ResponseHeader, SortOrder, SortTarget};
use logladder_engine::{Direction, Error, Result};

use crate::fault::Fault;
use crate::layout::Range;
use crate::{Etcd, Reads};

/// How many keys the first page has. The next ones have as many as make about [`PAGE_BYTES`].
const FIRST_PAGE: i64 = 64;
const LARGEST_PAGE: i64 = 4_096;

/// About so many bytes in a page: a quarter of what a client takes in one answer.
const PAGE_BYTES: usize = 1 << 20;

/// A walk over a range. What is written meanwhile does not change what it shows: etcd still has the older revision, and
/// this engine compacts none that it reads.
pub(crate) struct Pages<'e> {
    etcd: &'e Etcd,
    range: Range,
    reads: Reads,
    /// None before the first page.
    pin: Option<Pin<'e>>,
    limit: i64,
    direction: Direction,
    is_over: bool,
}

impl<'e> Pages<'e> {
    pub(crate) fn new(etcd: &'e Etcd, range: Range, reads: Reads) -> Self {
        let is_over = range.start >= range.end;
        Self { etcd, range, reads, pin: None, limit: FIRST_PAGE, direction: Direction::Forward, is_over }
    }

    /// The same from the greatest key to the least. etcd reads and sorts the whole range for each page then.
    pub(crate) fn towards(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    /// The revision that is shown; 0 before the first page.
    pub(crate) fn revision(&self) -> i64 {
        self.pin.as_ref().map_or(0, |pin| pin.revision)
    }

    /// Goes on with this key of etcd.
    pub(crate) fn skip_to(&mut self, start: Vec<u8>) {
        self.range.start = start;
        self.is_over = self.range.start >= self.range.end;
    }

    /// The next keys, in their order; none at the end.
    pub(crate) fn next(&mut self) -> Result<Vec<KeyValue>> {
        while !self.is_over {
            let options = GetOptions::new()
                .with_range(self.range.end.clone())
                .with_limit(self.limit)
                .with_revision(self.revision());
            let options = match self.direction {
                Direction::Forward => options,
                Direction::Backward => options.with_sort(SortTarget::Key, SortOrder::Descend),
            };
            let (start, reads) = (self.range.start.clone(), self.reads);
            let mut answer =
                match self.etcd.run(|store| async move { store.get(start, options, reads).await }) {
                    Ok(answer) => answer,
                    // A few large values where small ones were before.
                    Err(Fault::TooLong) if self.limit > 1 => {
                        self.limit = (self.limit / 8).max(1);
                        continue;
                    }
                    Err(Fault::Compacted) => {
                        let why =
                            "another client of the cluster compacted it while all keys were read".to_owned();
                        return Err(Error::Cluster { why });
                    }
                    Err(fault) => return Err(fault.into()),
                };
            if self.pin.is_none() {
                let revision = answer.header().map_or(0, ResponseHeader::revision);
                self.pin = Some(Pin::new(&self.etcd.pinned, revision));
            }
            let more = answer.more();
            let page = answer.take_kvs();
            match page.last() {
                Some(last) if more && self.direction == Direction::Backward => {
                    self.range.end = last.key().to_vec();
                    self.is_over = self.range.start >= self.range.end;
                }
                // The least key behind this one.
                Some(last) if more => self.skip_to([last.key(), b"\0"].concat()),
                _ => self.is_over = true,
            }
            let bytes: usize = page.iter().map(|pair| pair.key().len() + pair.value().len()).sum();
            let fitting = page.len().saturating_mul(PAGE_BYTES) / bytes.max(1);
            self.limit =
                i64::try_from(fitting).unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE).min(self.limit * 4);
            return Ok(page);
        }
        Ok(Vec::new())
    }
}

/// Keeps a revision from being compacted by this engine.
struct Pin<'e> {
    pinned: &'e Mutex<BTreeMap<i64, usize>>,
    revision: i64,
}

impl<'e> Pin<'e> {
    fn new(pinned: &'e Mutex<BTreeMap<i64, usize>>, revision: i64) -> Self {
        *pinned.lock().unwrap_or_else(PoisonError::into_inner).entry(revision).or_default() += 1;
        Self { pinned, revision }
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pinned.get_mut(&self.revision) {
            *count -= 1;
            if *count == 0 {
                pinned.remove(&self.revision);
            }
        }
    }
}
