//! All parts of a wreck as one: of a key that several of them have, the newest counts.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::slice;

use logladder_disk::{Disk, Map};
use logladder_engine::{Error, Result};

use super::{Entry, Part, Wreck};
use crate::table::look::entries_of;

/// The entries of one source, in order; each with whether it is known how old they are.
enum Source<'s> {
    Memory(std::collections::btree_map::Iter<'s, Vec<u8>, Option<Vec<u8>>>),
    Run(RunReader<'s>),
}

impl Source<'_> {
    fn next(&mut self) -> Result<Option<(Entry, bool)>> {
        match self {
            Self::Memory(entries) => {
                Ok(entries.next().map(|(key, value)| ((key.clone(), value.clone()), true)))
            }
            Self::Run(run) => run.next(),
        }
    }
}

/// Reads tables that follow each other, block by block.
struct RunReader<'s> {
    disk: &'s dyn Disk,
    parts: slice::Iter<'s, Part>,
    current: Option<(&'s Part, Map, slice::Iter<'s, Range<usize>>)>,
    read: VecDeque<Entry>,
}

impl RunReader<'_> {
    fn next(&mut self) -> Result<Option<(Entry, bool)>> {
        loop {
            if let (Some(entry), Some((part, ..))) = (self.read.pop_front(), &self.current) {
                return Ok(Some((entry, part.is_listed)));
            }
            let block = self
                .current
                .as_mut()
                .and_then(|(part, map, blocks)| blocks.next().map(|block| (*part, &*map, block.clone())));
            if let Some((part, map, block)) = block {
                let start = block.start as u64;
                let read = &mut self.read;
                entries_of(map, block, |key, value| {
                    read.push_back((key.to_vec(), value.map(<[u8]>::to_vec)));
                })
                .ok_or_else(|| Error::corrupt(&part.path, start, "the block changed while it was read"))?;
                continue;
            }
            let Some(part) = self.parts.next() else { return Ok(None) };
            self.current = Some((part, self.disk.map(&part.path)?, part.blocks.iter()));
        }
    }
}

impl Wreck {
    /// Shows each key that has a value, and that value. Says of how many keys it is a guess which value is the newest.
    ///
    /// # Errors
    ///
    /// Those of `visit`; or the disk failed.
    pub(crate) fn for_each(
        &self,
        disk: &dyn Disk,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<u64> {
        let mut sources = vec![Source::Memory(self.memory.iter())];
        sources.extend(self.runs.iter().map(|run| {
            Source::Run(RunReader { disk, parts: run.iter(), current: None, read: VecDeque::new() })
        }));
        // By key, and then by age: the number of the source.
        let mut order = BinaryHeap::new();
        let mut step = |order: &mut BinaryHeap<_>, source: usize| -> Result<()> {
            if let Some(((key, value), is_certain)) = sources[source].next()? {
                order.push(Reverse((key, source, value, is_certain)));
            }
            Ok(())
        };
        (0..=self.runs.len()).try_for_each(|source| step(&mut order, source))?;
        let mut guesses = 0;
        while let Some(Reverse((key, source, value, is_certain))) = order.pop() {
            step(&mut order, source)?;
            let mut is_guess = false;
            while let Some(Reverse((same, ..))) = order.peek()
                && *same == key
                && let Some(Reverse((_, older, other, is_older_certain))) = order.pop()
            {
                is_guess |= source > 0 && other != value && !(is_certain && is_older_certain);
                step(&mut order, older)?;
            }
            guesses += u64::from(is_guess);
            if let Some(value) = value {
                visit(&key, &value)?;
            }
        }
        Ok(guesses)
    }
}
