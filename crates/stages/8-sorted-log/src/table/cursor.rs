//! Going through tables in order, or against it.

use std::borrow::Cow;
use std::ops::{Bound, Range};
use std::sync::Arc;

use logladder_disk::prefetch;
use logladder_engine::{Direction, Result};

use super::Table;
use super::block::{Block, RESTART_INTERVAL, entry};

/// So far behind an entry lies what is fetched while that entry is read. A merge goes from run to run, each somewhere
/// else in memory: without this, most of its time would be waiting for the next entry.
const NEAR: usize = 256;
const FAR: usize = NEAR + 128;

/// Goes through tables that follow each other: those of a level, or a single one.
#[derive(Debug)]
pub(crate) struct RunCursor<'t> {
    tables: &'t [Arc<Table>],
    /// Which of them the cursor is in.
    place: usize,
    block: usize,
    bytes: Cow<'t, [u8]>,
    /// Forward: the file, from this block on.
    file: &'t [u8],
    direction: Direction,
    /// The key that the cursor is at, if it is at one.
    key: Vec<u8>,
    is_at_key: bool,
    value: Option<Range<usize>>,
    /// Forward: where the next entry of the block begins, and where its last ends.
    next: usize,
    end: usize,
    /// Backward: the entries of the block that come before, with their keys in `arena`.
    before: Vec<Listed>,
    arena: Vec<u8>,
}

/// An entry of a block that is gone through backward.
#[derive(Debug)]
struct Listed {
    key: Range<usize>,
    value: Option<Range<usize>>,
}

impl<'t> RunCursor<'t> {
    /// At the first entry of the `tables`, in this direction, that is not outside of `start`.
    ///
    /// # Errors
    ///
    /// A block is damaged.
    pub(crate) fn seek(tables: &'t [Arc<Table>], start: Bound<&[u8]>, direction: Direction) -> Result<Self> {
        let mut cursor = Self {
            tables,
            place: 0,
            block: 0,
            bytes: Cow::Borrowed(&[]),
            file: &[],
            direction,
            key: Vec::new(),
            is_at_key: false,
            value: None,
            next: 0,
            end: 0,
            before: Vec::new(),
            arena: Vec::new(),
        };
        let key = match start {
            Bound::Included(key) | Bound::Excluded(key) => Some(key),
            Bound::Unbounded => None,
        };
        match direction {
            Direction::Forward => cursor.seek_forward(key)?,
            Direction::Backward => cursor.seek_backward(key)?,
        }
        let is_outside = |at: &[u8]| match (start, direction) {
            (Bound::Unbounded, _) => false,
            (Bound::Included(key), Direction::Forward) => at < key,
            (Bound::Excluded(key), Direction::Forward) => at <= key,
            (Bound::Included(key), Direction::Backward) => at > key,
            (Bound::Excluded(key), Direction::Backward) => at >= key,
        };
        while cursor.key().is_some_and(is_outside) {
            cursor.advance()?;
        }
        Ok(cursor)
    }

    fn seek_forward(&mut self, key: Option<&[u8]>) -> Result<()> {
        let Some(key) = key else {
            self.place = 0;
            return self.enter(0).and_then(|()| self.advance());
        };
        self.place = self.tables.partition_point(|table| table.meta.largest.as_slice() < key);
        let Some(table) = self.tables.get(self.place) else { return Ok(()) };
        self.enter(table.block_of(key))?;
        let restart = Block::parse(&self.bytes).and_then(|block| block.restart_before(key));
        self.next = restart.ok_or_else(|| table.senseless(self.block))?;
        self.advance()
    }

    fn seek_backward(&mut self, key: Option<&[u8]>) -> Result<()> {
        let behind = key.map_or(self.tables.len(), |key| {
            self.tables.partition_point(|table| table.meta.smallest.as_slice() <= key)
        });
        let Some(place) = behind.checked_sub(1) else { return Ok(()) };
        self.place = place;
        let table = &self.tables[place];
        self.enter(key.map_or(table.blocks() - 1, |key| table.block_of(key)))?;
        self.advance()
    }

    #[inline]
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.is_at_key.then_some(&self.key)
    }

    #[inline]
    pub(crate) fn value(&self) -> Option<&[u8]> {
        self.value.clone().map(|range| &self.bytes[range])
    }

    /// Goes on to the next key.
    ///
    /// # Errors
    ///
    /// A block is damaged.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<()> {
        loop {
            let stepped = match self.direction {
                Direction::Forward => self.step_forward()?,
                Direction::Backward => self.step_backward(),
            };
            if stepped || !self.enter_next()? {
                self.is_at_key = stepped;
                return Ok(());
            }
        }
    }

    #[inline]
    fn step_forward(&mut self) -> Result<bool> {
        if self.next >= self.end {
            return Ok(false);
        }
        let entry = entry(&self.bytes[..self.end], self.next).filter(|entry| entry.shared <= self.key.len());
        let Some(entry) = entry else { return Err(self.tables[self.place].senseless(self.block)) };
        self.key.truncate(entry.shared);
        self.key.extend_from_slice(&self.bytes[entry.tail]);
        (self.value, self.next) = (entry.value, entry.next);
        // Of compressed blocks it is not the place, but not far from it.
        if let Some(soon) = self.file.get(entry.next + NEAR..entry.next + FAR) {
            prefetch(soon);
        }
        Ok(true)
    }

    fn step_backward(&mut self) -> bool {
        let Some(listed) = self.before.pop() else { return false };
        self.key.clear();
        self.key.extend_from_slice(&self.arena[listed.key]);
        self.value = listed.value;
        true
    }

    /// Enters the block that follows in this direction, if there is one.
    fn enter_next(&mut self) -> Result<bool> {
        let Some(table) = self.tables.get(self.place) else { return Ok(false) };
        let block = match self.direction {
            Direction::Forward if self.block + 1 < table.blocks() => self.block + 1,
            Direction::Forward if self.place + 1 < self.tables.len() => {
                self.place += 1;
                0
            }
            Direction::Backward if self.block > 0 => self.block - 1,
            Direction::Backward if self.place > 0 => {
                self.place -= 1;
                self.tables[self.place].blocks() - 1
            }
            _ => return Ok(false),
        };
        self.enter(block).map(|()| true)
    }

    /// Enters a block of the table that the cursor is in.
    fn enter(&mut self, block: usize) -> Result<()> {
        let tables = self.tables;
        let Some(table) = tables.get(self.place) else { return Ok(()) };
        (self.block, self.next, self.end) = (block, 0, 0);
        self.key.clear();
        self.value = None;
        self.bytes = table.block(block)?;
        self.file = table.file_from(block);
        let end = Block::parse(&self.bytes).map(|parsed| parsed.end());
        self.end = end.ok_or_else(|| table.senseless(block))?;
        if self.direction == Direction::Backward {
            self.list_entries().ok_or_else(|| table.senseless(block))?;
        }
        Ok(())
    }

    /// Puts all entries of the block into `before`.
    fn list_entries(&mut self) -> Option<()> {
        self.before.clear();
        self.arena.clear();
        let (mut at, mut last): (usize, Range<usize>) = (0, 0..0);
        while at < self.end {
            let entry = entry(&self.bytes[..self.end], at)?;
            let start = self.arena.len();
            let shared = last.start..last.start.checked_add(entry.shared).filter(|&end| end <= last.end)?;
            self.arena.extend_from_within(shared);
            self.arena.extend_from_slice(&self.bytes[entry.tail]);
            last = start..self.arena.len();
            // Keys that share beginnings take more memory together than in the block, but never more than this.
            if last.end > RESTART_INTERVAL * self.bytes.len() {
                return None;
            }
            self.before.push(Listed { key: last.clone(), value: entry.value });
            at = entry.next;
        }
        Some(())
    }
}
