//! Reading: a key is looked for in the newest part of the store first; a scan merges all parts.

use std::ops::{Bound, ControlFlow};
use std::slice;
use std::sync::Arc;

use logladder_engine::{Direction, KeyRange, Result, Visit};

use crate::merge::{Merge, Source};
use crate::store::State;
use crate::table::cursor::RunCursor;
use crate::table::{Table, filter};

impl State {
    // ANCHOR: get
    /// Hands the value that `key` had after the write `sequence` to `read`, if it had one.
    ///
    /// # Errors
    ///
    /// A block is damaged.
    #[inline]
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        sequence: u64,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>> {
        let mut read = Some(read);
        // Called once at most: whatever calls it ends the search.
        let mut found = |value: Option<&[u8]>| value.and_then(|value| read.take().map(|read| read(value)));
        let hash = filter::hash(key);
        for memtable in std::iter::once(&self.active).chain(&self.full) {
            if let Some(answer) = memtable.get(key, hash, sequence, &mut found) {
                return Ok(answer);
            }
        }
        for table in &self.tables.levels[0] {
            if let Some(answer) = table.get(key, hash, &mut found)? {
                return Ok(answer);
            }
        }
        for level in &self.tables.levels[1..] {
            let place = level.partition_point(|table| table.meta.largest.as_slice() < key);
            if let Some(table) = level.get(place)
                && let Some(answer) = table.get(key, hash, &mut found)?
            {
                return Ok(answer);
            }
        }
        Ok(None)
    }
    // ANCHOR_END: get

    /// Everything in `range` as it was after the write `sequence`, deletes included.
    ///
    /// # Errors
    ///
    /// A block is damaged.
    pub(crate) fn merge(
        &self,
        range: KeyRange<'_>,
        sequence: u64,
        direction: Direction,
    ) -> Result<Merge<'_>> {
        let start = match direction {
            Direction::Forward => range.0,
            Direction::Backward => range.1,
        };
        let mut sources = Vec::new();
        for memtable in std::iter::once(&self.active).chain(&self.full) {
            if !memtable.is_empty() {
                sources.push(Source::Memory(memtable.cursor(start, sequence, direction)));
            }
        }
        let single = self.tables.levels[0].iter().map(slice::from_ref);
        let runs = single.chain(self.tables.levels[1..].iter().map(Vec::as_slice));
        for run in runs.filter(|run| overlaps(run, range)) {
            sources.push(Source::Run(Box::new(RunCursor::seek(run, start, direction)?)));
        }
        Ok(Merge::new(sources, direction))
    }

    /// Shows every key of `range` and its value, as they were after the write `sequence`.
    ///
    /// # Errors
    ///
    /// A block is damaged.
    pub(crate) fn scan(
        &self,
        range: KeyRange<'_>,
        sequence: u64,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let is_past = |key: &[u8]| match direction {
            Direction::Forward => is_behind(key, range.1),
            Direction::Backward => is_before(key, range.0),
        };
        let mut merge = self.merge(range, sequence, direction)?;
        while let Some(key) = merge.key() {
            if is_past(key) {
                break;
            }
            if let Some(value) = merge.value()
                && visit(key, value) == ControlFlow::Break(())
            {
                break;
            }
            merge.advance()?;
        }
        Ok(())
    }
}

/// Whether `key` lies behind the end of a range.
fn is_behind(key: &[u8], end: Bound<&[u8]>) -> bool {
    match end {
        Bound::Included(end) => key > end,
        Bound::Excluded(end) => key >= end,
        Bound::Unbounded => false,
    }
}

/// Whether `key` lies before the beginning of a range.
fn is_before(key: &[u8], start: Bound<&[u8]>) -> bool {
    match start {
        Bound::Included(start) => key < start,
        Bound::Excluded(start) => key <= start,
        Bound::Unbounded => false,
    }
}

/// Whether any of these tables, which follow each other, may have keys in `range`.
fn overlaps(run: &[Arc<Table>], range: KeyRange<'_>) -> bool {
    let first = run.partition_point(|table| is_before(&table.meta.largest, range.0));
    run.get(first).is_some_and(|table| !is_behind(&table.meta.smallest, range.1))
}
