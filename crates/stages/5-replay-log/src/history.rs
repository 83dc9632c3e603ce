//! What a key was before: the base has the number of each key's newest version, and every line since is one more.
//!
//! The newest version of all is in memory, its number beside its value, so that whoever wants no other waits for no file.
//! Older ones are in the lines, all of which are read to find them.
//!
//! A store that has counted once goes on counting, though nobody asks for it at a later opening: its manifest says so. So
//! a rewrite or a copy made then keeps the numbers, and the writes made meanwhile are counted, from their lines.

use std::ops::ControlFlow;

use logladder_engine::{Result, Version, VisitVersion};

use crate::follow::{Line, Trail};
use crate::load::Counts;
use crate::store::Store;

/// Where a version of a key is.
struct Place {
    log: usize,
    /// The beginning of its line.
    offset: u64,
    /// Which of the line's changes it is.
    change: usize,
}

/// The number of each key's newest version that readers see. It has none if versions are not counted.
#[derive(Debug, Default)]
pub(crate) struct Newest(Option<Counts>);

impl From<Counts> for Newest {
    fn from(counts: Counts) -> Self {
        Self(Some(counts))
    }
}

impl Newest {
    /// Readers see one more of `key`.
    pub(crate) fn count(&mut self, key: &[u8]) {
        if let Some(counts) = &mut self.0 {
            add_one(counts, key);
        }
    }

    fn of(&self, key: &[u8]) -> u64 {
        self.0.as_ref().and_then(|counts| counts.get(key).copied()).unwrap_or(0)
    }
}

fn add_one(counts: &mut Counts, key: &[u8]) {
    match counts.get_mut(key) {
        Some(count) => *count = count.saturating_add(1),
        None => drop(counts.insert(Box::from(key), 1)),
    }
}

/// The number of each key's newest version at the end of these lines, where `before` has those of the base.
pub(crate) fn count(trail: &Trail, before: &Counts) -> Result<Counts> {
    let mut counts = before.clone();
    for log in 0..trail.logs.len() {
        let mut lines = trail.lines_of(log, 0);
        while let Some(line) = lines.next_line()? {
            line.operation.changes().iter().for_each(|change| add_one(&mut counts, &change.key));
        }
    }
    Ok(counts)
}

impl Store {
    /// Shows the versions of `key`, newest first.
    pub(crate) fn versions(&self, key: &[u8], visit: &mut VisitVersion<'_>) -> Result<()> {
        let (trail, base, newest, now) = {
            let writer = self.look();
            let base = writer.counts.get(key).copied().unwrap_or(0);
            let now = self.map.get(key, <[u8]>::to_vec)?;
            (writer.trail(), base, writer.newest.of(key), now)
        };
        if newest == 0 || visit(&Version::new(newest, now.as_deref())) == ControlFlow::Break(()) {
            return Ok(());
        }
        let mut places = Vec::new();
        for log in 0..trail.logs.len() {
            let mut lines = trail.lines_of(log, 0);
            while let Some(Line { range, operation }) = lines.next_line()? {
                let changes = operation.changes().iter().enumerate();
                let of_key = changes.filter(|(_, change)| *change.key == *key);
                places.extend(of_key.map(|(change, _)| Place { log, offset: range.start, change }));
            }
        }
        // The last of them is the newest, which has been shown.
        places.pop();
        for (older, place) in places.iter().enumerate().rev() {
            // A count comes from a file.
            let number = base.saturating_add(older as u64).saturating_add(1);
            let mut lines = trail.lines_of(place.log, place.offset);
            let Some(line) = lines.next_line()? else { break };
            let Some(change) = line.operation.changes().get(place.change) else { break };
            if visit(&Version::new(number, change.value.as_deref())) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    /// The same, and nothing if versions are not counted.
    pub(crate) fn counts_of(&self, trail: &Trail, before: &Counts) -> Result<Counts> {
        if self.counts_versions { count(trail, before) } else { Ok(Counts::new()) }
    }
}
