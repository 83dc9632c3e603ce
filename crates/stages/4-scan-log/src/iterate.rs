//! Visiting every key: a log tells what happened, not what is there, so that has to be worked out first.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use logladder_engine::{Iterate, Result, Visit};

use crate::ScanLog;

/// Where the newest line of each key begins; `None` if that one deletes it.
type Places = BTreeMap<Box<[u8]>, Option<u64>>;

impl Iterate for ScanLog {
    /// Reads the log once, then each value in its place. Meanwhile every key that is still to be shown is in
    /// memory, with some 50 bytes beside; values are not, but for one.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let mut seen = self.end();
        let mut places = self.live_places(seen)?;
        while !places.is_empty() {
            // What the visitor, or another thread, has written since the last one was shown.
            let end = self.end();
            self.scan(seen, end, |line, entry| {
                if let Some(place) = places.get_mut(&*entry.key) {
                    *place = entry.value.is_some().then_some(line.offset);
                }
            })?;
            seen = end;
            let Some((_, Some(offset))) = places.pop_first() else { continue };
            let flow = self.read(offset, end, |entry| match &entry.value {
                Some(value) => visit(&entry.key, value),
                None => ControlFlow::Continue(()),
            })?;
            if flow == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl ScanLog {
    fn live_places(&self, end: u64) -> Result<Places> {
        let mut places = Places::new();
        self.scan(0, end, |line, entry| match entry.value {
            Some(_) => drop(places.insert(Box::from(&*entry.key), Some(line.offset))),
            None => drop(places.remove(&*entry.key)),
        })?;
        Ok(places)
    }

    /// Every live key with the length of its value.
    pub(crate) fn live_value_lens(&self) -> Result<BTreeMap<Box<[u8]>, u64>> {
        let mut lens = BTreeMap::new();
        self.scan(0, self.end(), |_, entry| match entry.value {
            Some(value) => drop(lens.insert(Box::from(&*entry.key), value.len() as u64)),
            None => drop(lens.remove(&*entry.key)),
        })?;
        Ok(lens)
    }
}
