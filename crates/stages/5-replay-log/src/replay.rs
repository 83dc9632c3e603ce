//! Replaying lines into the map, by several threads if there are many.
//!
//! Each thread reads all lines, and does what they say to its share of the tables. So every key meets its changes in
//! their order, and no thread waits for another. To read a line costs a third of what its place in memory does.

use std::thread;

use logladder_engine::{Error, Result};

use crate::aof::{self, Found, Source};
use crate::entry::Entry;
use crate::log::{Mark, Marks};
use crate::map::{Map, TABLES};
use crate::parse::Change;

/// A smaller file is replayed by one thread.
const WORTH_THREADS: usize = 4 << 20;

/// With more threads, most of the time goes into reading the same lines.
const MOST_THREADS: usize = 4;

/// Does to `map` what the lines say, of which the first is change number `sequence` + 1. What stands in the map
/// after an error is not said.
pub(crate) fn replay(source: Source<'_>, sequence: u64, map: &Map) -> Result<(Found, Marks)> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let threads = if source.bytes.len() < WORTH_THREADS { 1 } else { threads };
    let work = |thread: usize| {
        let is_mine = |table: usize| table * threads / TABLES == thread;
        let mut marks = Marks::from(sequence);
        let ended = |offset, changes| marks.note(Mark { offset, sequence: sequence + changes });
        let found = aof::read(source, |change| apply(map, change, is_mine), ended)?;
        Ok((found, marks))
    };
    if threads == 1 {
        return work(0);
    }
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        let mut outcome = work(0);
        for other in others {
            let theirs = other.join().unwrap_or_else(|_| Err(Error::panicked()));
            outcome = outcome.and_then(|ours| theirs.map(|_| ours));
        }
        outcome
    })
}

fn apply(map: &Map, change: &Change<'_>, is_mine: impl Fn(usize) -> bool) -> Result<()> {
    let place = map.place(&change.key);
    match &change.value {
        _ if !is_mine(place.table()) => Ok(()),
        Some(value) => map.put(Entry::new(place, &change.key, value), &[]),
        None => map.remove(place, &change.key, &[]),
    }
}
