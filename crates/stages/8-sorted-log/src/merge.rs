//! Several sorted sources as one: of a key that stands in more than one, the newest counts.

use std::cmp::Ordering;

use logladder_engine::{Direction, Result};

use crate::bytes::head;
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
    order: Vec<Place>,
    /// Whether the second is at the same key as the first.
    is_tied: bool,
    direction: Direction,
}

/// A source, and where it is.
#[derive(Debug, Clone, Copy)]
struct Place {
    source: usize,
    /// The [head] of the key that it is at: most comparisons end with it.
    head: u128,
}

impl<'s> Merge<'s> {
    pub(crate) fn new(sources: Vec<Source<'s>>, direction: Direction) -> Self {
        let place = |(source, at): (usize, &Source<'_>)| Some(Place { source, head: head(at.key()?) });
        let order: Vec<Place> = sources.iter().enumerate().filter_map(place).collect();
        let mut merge = Self { order, sources, is_tied: false, direction };
        for at in (0..merge.order.len()).rev() {
            merge.sink(at);
        }
        merge.look_for_tie();
        merge
    }

    /// The key that it is at; `None` at the end.
    #[inline]
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.order.first().and_then(|first| self.sources[first.source].key())
    }

    /// The newest value of that key; `None` if it was deleted.
    #[inline]
    pub(crate) fn value(&self) -> Option<&[u8]> {
        self.order.first().and_then(|first| self.sources[first.source].value())
    }

    /// Goes on to the next key.
    ///
    /// # Errors
    ///
    /// A block is damaged.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<()> {
        // Older sources that are at the same key stand right behind the newest. One that goes on may be at a key that
        // comes before every other then, but never before the first's.
        while self.is_tied {
            self.advance_at(1)?;
        }
        self.advance_at(0)
    }

    /// Has the source that stands there go on, and puts it where its next key belongs.
    #[inline]
    fn advance_at(&mut self, at: usize) -> Result<()> {
        let Some(&Place { source, .. }) = self.order.get(at) else { return Ok(()) };
        self.sources[source].advance()?;
        if let Some(key) = self.sources[source].key() {
            self.order[at].head = head(key);
            self.sink(at);
        } else {
            self.order.remove(at);
        }
        self.look_for_tie();
        Ok(())
    }

    /// Puts the source that stands there behind those that come before it. The others behind it are in order.
    #[inline]
    fn sink(&mut self, mut at: usize) {
        let Some(&place) = self.order.get(at) else { return };
        while let Some(&next) = self.order.get(at + 1)
            && self.compare(next, place).then(next.source.cmp(&place.source)) == Ordering::Less
        {
            self.order[at] = next;
            at += 1;
        }
        self.order[at] = place;
    }

    #[inline]
    fn look_for_tie(&mut self) {
        self.is_tied = match self.order[..] {
            [first, second, ..] => self.compare(first, second) == Ordering::Equal,
            _ => false,
        };
    }

    /// Which of two sources is at the key that comes first.
    #[inline]
    fn compare(&self, one: Place, other: Place) -> Ordering {
        let keys = || self.sources[one.source].key().cmp(&self.sources[other.source].key());
        let by_key = one.head.cmp(&other.head).then_with(keys);
        if self.direction == Direction::Forward { by_key } else { by_key.reverse() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::memtable::Memtable;

    /// Few different bytes, so that sources have keys in common, and some longer than a head.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let end = vec(prop_oneof![Just(0_u8), Just(b'a')], 0..3);
        (any::<bool>(), end)
            .prop_map(|(is_long, end)| [if is_long { &[b'x'; 16][..] } else { &[] }, &end].concat())
    }

    proptest! {
        #[test]
        fn of_a_key_in_several_sources_the_newest_value_is_shown_once_and_in_order(
            parts in vec(btree_map(keys(), proptest::option::of(vec(any::<u8>(), 0..2)), 0..12), 0..6),
        ) {
            let memtables: Vec<Memtable> = parts.iter().map(|part| {
                let memtable = Memtable::new(1, false, 100);
                for (key, value) in part {
                    memtable.insert(key, value.as_deref(), 1);
                }
                memtable
            }).collect();
            let mut expected = BTreeMap::new();
            parts.into_iter().rev().for_each(|part| expected.extend(part));
            let mut expected: Vec<_> = expected.into_iter().collect();
            for direction in [Direction::Forward, Direction::Backward] {
                let cursor = |memtable| Source::Memory(Memtable::cursor(memtable, Bound::Unbounded, 1, direction));
                let mut merge = Merge::new(memtables.iter().map(cursor).collect(), direction);
                let mut shown = Vec::new();
                while let Some(key) = merge.key() {
                    shown.push((key.to_vec(), merge.value().map(<[u8]>::to_vec)));
                    merge.advance().unwrap();
                }
                prop_assert_eq!(&shown, &expected);
                expected.reverse();
            }
        }
    }
}
