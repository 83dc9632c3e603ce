//! All parts of a wreck as one: of a key that several of them have, the newest counts.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque, btree_map};
use std::ops::Range;
use std::slice;

use logladder_disk::{Disk, Map};
use logladder_engine::{Error, Result};

use super::{Entry, Part, Wreck};
use crate::table::look::entries_of;

/// The entries of one source, in order; each with whether it is known how old they are.
enum Source<'s> {
    Memory { entries: btree_map::Iter<'s, Vec<u8>, Vec<Option<Vec<u8>>>>, is_certain: bool },
    Run(RunReader<'s>),
}

impl<'s> Source<'s> {
    fn run(disk: &'s dyn Disk, parts: &'s [Part]) -> Self {
        Self::Run(RunReader { disk, parts: parts.iter(), current: None, read: VecDeque::new() })
    }

    fn next(&mut self) -> Result<Option<(Entry, bool)>> {
        match self {
            Self::Memory { entries, is_certain } => Ok(entries.next().map(|(key, values)| {
                let newest = values.last().cloned().flatten();
                ((key.clone(), newest), *is_certain)
            })),
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

/// What a source says of a key.
struct Say {
    /// Its number: a lower one is newer.
    source: usize,
    value: Option<Vec<u8>>,
    is_certain: bool,
}

/// The next entry of a source: key, number of the source, value, whether that is certain.
type Next = (Vec<u8>, usize, Option<Vec<u8>>, bool);

/// All sources, key by key.
struct Merged<'s> {
    sources: Vec<Source<'s>>,
    /// The next entry of each, by key and then by age.
    order: BinaryHeap<Reverse<Next>>,
}

impl<'s> Merged<'s> {
    fn new(sources: Vec<Source<'s>>) -> Result<Self> {
        let mut merged = Self { sources, order: BinaryHeap::new() };
        (0..merged.sources.len()).try_for_each(|source| merged.step(source))?;
        Ok(merged)
    }

    fn step(&mut self, source: usize) -> Result<()> {
        if let Some(((key, value), is_certain)) = self.sources[source].next()? {
            self.order.push(Reverse((key, source, value, is_certain)));
        }
        Ok(())
    }

    /// The next key, and what is said of it, the newest first.
    fn next(&mut self) -> Result<Option<(Vec<u8>, Vec<Say>)>> {
        let Some(Reverse((key, source, value, is_certain))) = self.order.pop() else { return Ok(None) };
        self.step(source)?;
        let mut said = vec![Say { source, value, is_certain }];
        while let Some(Reverse((same, ..))) = self.order.peek()
            && *same == key
            && let Some(Reverse((_, source, value, is_certain))) = self.order.pop()
        {
            said.push(Say { source, value, is_certain });
            self.step(source)?;
        }
        Ok(Some((key, said)))
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
        let mut sources = vec![Source::Memory { entries: self.memory.iter(), is_certain: true }];
        sources.extend(self.runs.iter().map(|run| Source::run(disk, run)));
        sources.push(Source::Memory { entries: self.earlier.iter(), is_certain: false });
        let mut merged = Merged::new(sources)?;
        let mut guesses = 0;
        while let Some((key, said)) = merged.next()? {
            let newest = &said[0];
            // The logs that count are newer than all else.
            let is_guess = newest.source > 0
                && said
                    .iter()
                    .any(|older| older.value != newest.value && !(newest.is_certain && older.is_certain));
            guesses += u64::from(is_guess);
            if let Some(value) = &newest.value {
                visit(&key, value)?;
            }
        }
        Ok(guesses)
    }

    /// Which of these tables, that are none of the wreck's, say something that nothing in it does.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(super) fn says_more(&self, disk: &dyn Disk, tables: &[Part]) -> Result<Vec<bool>> {
        let mut says_more = vec![false; tables.len()];
        let ours = self.runs.len();
        let sources = self.runs.iter().map(|run| Source::run(disk, run));
        let others = tables.iter().map(|table| Source::run(disk, slice::from_ref(table)));
        let mut merged = Merged::new(sources.chain(others).collect())?;
        while let Some((key, said)) = merged.next()? {
            let in_logs = self.memory.get(&key);
            for say in said.iter().filter(|say| say.source >= ours) {
                let is_said = in_logs.is_some_and(|values| values.contains(&say.value))
                    || said.iter().any(|other| other.source < ours && other.value == say.value);
                says_more[say.source - ours] |= !is_said;
            }
        }
        Ok(says_more)
    }
}
