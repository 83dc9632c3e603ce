//! Several sorted sources as one: of a key that stands in more than one, the newest counts.

use std::cmp::Ordering;

use logladder_engine::{Direction, Result};

use crate::memtable::MemoryCursor;
use crate::table::cursor::RunCursor;

/// Something sorted.
#[derive(Debug)]
pub(crate) enum Source<'s> {
    Memory(MemoryCursor<'s>),
    Run(Box<RunCursor<'s>>),
}

impl Source<'_> {
    #[inline]
    fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Memory(cursor) => cursor.key(),
            Self::Run(cursor) => cursor.key(),
        }
    }

    #[inline]
    fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Memory(cursor) => cursor.value(),
            Self::Run(cursor) => cursor.value(),
        }
    }

    #[inline]
    fn advance(&mut self) -> Result<()> {
        match self {
            Self::Memory(cursor) => {
                cursor.advance();
                Ok(())
            }
            Self::Run(cursor) => cursor.advance(),
        }
    }
}

/// Sources, the newest first, gone through together.
#[derive(Debug)]
pub(crate) struct Merge<'s> {
    sources: Vec<Source<'s>>,
    /// The sources that are not used up, by the key that each is at and then by age. There are few, and the first
    /// mostly stays the first: to put it in its place again takes one comparison then.
    order: Vec<usize>,
    direction: Direction,
}

impl<'s> Merge<'s> {
    pub(crate) fn new(sources: Vec<Source<'s>>, direction: Direction) -> Self {
        let mut merge = Self { order: Vec::with_capacity(sources.len()), sources, direction };
        for source in (0..merge.sources.len()).rev() {
            merge.put_in_order(source);
        }
        merge
    }

    /// The key that it is at; `None` at the end.
    #[inline]
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.order.first().and_then(|&first| self.sources[first].key())
    }

    /// The newest value of that key; `None` if it was deleted.
    #[inline]
    pub(crate) fn value(&self) -> Option<&[u8]> {
        self.order.first().and_then(|&first| self.sources[first].value())
    }

    /// Goes on to the next key.
    ///
    /// # Errors
    ///
    /// A block is damaged.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<()> {
        let Some(&first) = self.order.first() else { return Ok(()) };
        // Older sources that are at the same key stand right behind the newest.
        while self.order.len() > 1 && self.sources[self.order[1]].key() == self.sources[first].key() {
            let older = self.order.remove(1);
            self.sources[older].advance()?;
            self.put_in_order(older);
            // It may be at a key that comes before every other now, but never before the first's.
        }
        self.sources[first].advance()?;
        if self.order.len() > 1 || self.sources[first].key().is_none() {
            self.order.remove(0);
            self.put_in_order(first);
        }
        Ok(())
    }

    /// Puts a source where its key belongs, or nowhere if it is used up.
    #[inline]
    fn put_in_order(&mut self, source: usize) {
        if self.sources[source].key().is_none() {
            return;
        }
        let place = self.order.iter().position(|&other| self.compare(source, other) == Ordering::Less);
        self.order.insert(place.unwrap_or(self.order.len()), source);
    }

    /// Which of two sources comes first.
    #[inline]
    fn compare(&self, one: usize, other: usize) -> Ordering {
        let by_key = self.sources[one].key().cmp(&self.sources[other].key());
        let by_key = if self.direction == Direction::Forward { by_key } else { by_key.reverse() };
        by_key.then(one.cmp(&other))
    }
}
