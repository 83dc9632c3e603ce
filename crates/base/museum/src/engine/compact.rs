//! Compaction: what is live in a run of complete segments is written into one, which takes the number of the last of them.
//!
//! The copy is made without the lock, so that reads and writes go on. It is installed by one rename. Its header says how
//! far down its records reach, so that the other sources count no more from that moment on, removed or not.

use std::collections::BTreeMap;

use logladder_disk::replace;
use logladder_engine::{Compacted, Error, Result, SyncPolicy};

use super::record::{self, END, Kind};
use super::scan::scan;
use super::{Museum, Place, Segment};
use crate::Bug;

/// Segments that are worth a compaction, and what was live when they were chosen.
pub(crate) struct Run {
    numbers: Vec<u32>,
    /// The lowest number of a segment whose records are in them.
    first: u32,
    /// The highest.
    last: u32,
    /// Of the segments, together.
    pub(crate) bytes: u64,
    /// Whether there are segments before them, in which a tombstone may have something to cover.
    is_behind_others: bool,
    index: BTreeMap<Vec<u8>, Place>,
}

/// What takes their place.
pub(crate) struct Copy {
    pub(crate) bytes: Vec<u8>,
    /// Of each live record: where it was, and where it is in the copy.
    moved: Vec<(Vec<u8>, Place, Place)>,
}

impl Museum {
    /// From the first complete segment of which two thirds are garbage to the last complete one.
    pub(crate) fn choose(&self) -> Result<Option<Run>> {
        let state = self.state()?;
        // What has replaced a value is on the disk before the value goes.
        self.poison.guard(state.newest()?.1.file.sync())?;
        let newest = state.newest()?.0;
        let mut live: BTreeMap<u32, u64> = BTreeMap::new();
        for place in state.index.values() {
            *live.entry(place.segment).or_default() += place.len as u64;
        }
        let is_worth_it = |number: &u32, segment: &Segment| {
            live.get(number).copied().unwrap_or(0) <= segment.file.len() / 3
        };
        let complete = || state.segments.range(..newest);
        let Some((&from, segment)) = complete().find(|(number, segment)| is_worth_it(number, segment)) else {
            return Ok(None);
        };
        let numbers: Vec<u32> = state.segments.range(from..newest).map(|(&number, _)| number).collect();
        Ok(Some(Run {
            first: segment.first,
            last: numbers.last().copied().unwrap_or(from),
            bytes: state.segments.range(from..newest).map(|(_, segment)| segment.file.len()).sum(),
            is_behind_others: complete().next().is_some_and(|(&number, _)| number < from),
            index: state.index.clone(),
            numbers,
        }))
    }

    /// Copies what is live, with the tombstones that are still needed.
    pub(crate) fn copy(&self, run: &Run) -> Result<Copy> {
        let mut copy = Copy { bytes: record::segment_header(run.first), moved: Vec::new() };
        for &number in &run.numbers {
            let path = self.segment_path(number);
            let bytes = self.disk().read(&path)?;
            let scan = scan(self.bug, &bytes);
            if !scan.is_complete {
                return Err(Error::corrupt(&path, scan.end as u64, "a record fails its check"));
            }
            for found in scan.found {
                let newest = run.index.get(&found.key);
                let is_kept = match found.kind {
                    Kind::Value => newest.is_some_and(|newest| newest.stamp == found.stamp),
                    Kind::Tombstone => {
                        // ANCHOR: drops-tombstones
                        let covers_something =
                            if self.bug == Bug::DropsTombstones { false } else { run.is_behind_others };
                        // ANCHOR_END: drops-tombstones
                        newest.is_none() && covers_something
                    }
                    Kind::End => false,
                };
                if !is_kept {
                    continue;
                }
                let from =
                    Place { segment: number, offset: found.offset, len: found.len, stamp: found.stamp };
                let to = Place { segment: run.last, offset: copy.bytes.len(), ..from };
                copy.bytes.extend(&bytes[found.offset..found.offset + found.len]);
                if found.kind == Kind::Value {
                    copy.moved.push((found.key, from, to));
                }
            }
        }
        // ANCHOR: compacts-one-record-away
        if self.bug == Bug::CompactsOneRecordAway
            && let Some((_, _, last)) = copy.moved.last()
        {
            copy.bytes.truncate(last.offset);
        }
        // ANCHOR_END: compacts-one-record-away
        copy.bytes.extend(record::encode(self.bug, &END));
        Ok(copy)
    }

    /// Puts the copy in the place of the run.
    pub(crate) fn install(&self, run: &Run, copy: &Copy) -> Result<Compacted> {
        let path = self.segment_path(run.last);
        // ANCHOR: removes-before-sync
        let sync = if self.bug == Bug::RemovesBeforeSync { SyncPolicy::Never } else { SyncPolicy::Always };
        // ANCHOR_END: removes-before-sync
        replace(self.disk(), &path, &[&copy.bytes], sync)?;
        let segment = Segment { first: run.first, file: self.disk().open(&path)? };
        self.write_hint(run.last, &segment)?;
        let mut state = self.state()?;
        for number in &run.numbers {
            state.segments.remove(number);
        }
        state.segments.insert(run.last, segment);
        for (key, from, to) in &copy.moved {
            // ANCHOR: compacts-over-newer
            let is_newest =
                if self.bug == Bug::CompactsOverNewer { true } else { state.index.get(key) == Some(from) };
            // ANCHOR_END: compacts-over-newer
            if is_newest {
                state.index.insert(key.clone(), *to);
            }
        }
        drop(state);
        for &number in run.numbers.iter().filter(|&&number| number != run.last) {
            self.remove_segment(number)?;
        }
        let mut compacted = Compacted::default();
        compacted.files_removed = run.numbers.len() as u64;
        compacted.files_written = 1;
        compacted.bytes_reclaimed = run.bytes.saturating_sub(copy.bytes.len() as u64);
        Ok(compacted)
    }
}
