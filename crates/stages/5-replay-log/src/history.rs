//! What a key was before: the base has the number of each key's newest version, and every line since is one more.

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

impl Store {
    pub(crate) fn versions(&self, key: &[u8], visit: &mut VisitVersion<'_>) -> Result<()> {
        let (trail, base, now) = {
            let writer = self.look();
            let base = writer.counts.get(key).copied().unwrap_or(0);
            let now = self.map.get(key, <[u8]>::to_vec)?;
            (writer.trail(), base, now)
        };
        let mut places = Vec::new();
        for log in 0..trail.logs.len() {
            let mut lines = trail.lines_of(log, 0);
            while let Some(Line { range, operation }) = lines.next_line()? {
                let changes = operation.changes().iter().enumerate();
                let of_key = changes.filter(|(_, change)| *change.key == *key);
                places.extend(of_key.map(|(change, _)| Place { log, offset: range.start, change }));
            }
        }
        if places.is_empty() {
            // It is as the base has it.
            if base > 0 {
                let _ = visit(&Version::new(base, now.as_deref()));
            }
            return Ok(());
        }
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

    /// The number of each key's newest version at the end of these lines, where `before` has those of the base;
    /// nothing if versions are not counted.
    pub(crate) fn counts_of(&self, trail: &Trail, before: &Counts) -> Result<Counts> {
        if !self.options.counts_versions() {
            return Ok(Counts::new());
        }
        let mut counts = before.clone();
        for log in 0..trail.logs.len() {
            let mut lines = trail.lines_of(log, 0);
            while let Some(line) = lines.next_line()? {
                for change in line.operation.changes() {
                    match counts.get_mut(&*change.key) {
                        Some(count) => *count = count.saturating_add(1),
                        None => drop(counts.insert(Box::from(&*change.key), 1)),
                    }
                }
            }
        }
        Ok(counts)
    }
}
