//! [`Snapshot`]: the store of one moment, to be gone through while writes go on; and the versions of one key.

use std::ops::ControlFlow;
use std::sync::Arc;

use logladder_engine::{Result, Version, Visit, VisitVersion};

use crate::catalog::{Catalog, Segments};
use crate::index::Location;
use crate::store::Store;

/// The place of each key's newest record at one moment, and the segments to read them from, which stay as long as it
/// does, whatever compaction removes.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// In the order in which the records lie in the segments, so that they are read in long runs.
    places: Vec<Location>,
    segments: Arc<Segments>,
}

impl Store {
    /// The store of this moment. Writers wait while the index is copied, some ten nanoseconds a key.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        let unchanged = self.published_or_poisoned_writer()?;
        Snapshot::of(&self.catalog, unchanged)
    }
}

impl Store {
    /// Shows the versions of `key` that one moment has, the newest first, until `visit` breaks.
    ///
    /// Writers wait while their places are noted: beside one that moves them to the right for another, a search
    /// could see some of before and some of after.
    pub(crate) fn versions(&self, key: &[u8], visit: &mut VisitVersion<'_>) -> Result<()> {
        let mut places = Vec::new();
        let unchanged = self.writer_of_any()?;
        self.catalog.search(self.catalog.index().hash(key), |segment, location, record| {
            if record.key == key {
                places.push((Arc::clone(segment), location.offset));
            }
            None::<()>
        })?;
        drop(unchanged);
        for (segment, offset) in places {
            let flow = segment.with_record(offset, |record| {
                let value = (!record.is_delete()).then_some(record.value);
                // One that was written when versions were not kept counts as the first.
                visit(&Version::new(record.extra.version.unwrap_or(1), value))
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Snapshot {
    /// What the catalog shows. While `unchanged` is held nobody changes it; it is given back as early as can be.
    pub(crate) fn of<G>(catalog: &Catalog, unchanged: G) -> Result<Self> {
        let segments = catalog.segments();
        let mut places = Vec::new();
        for shard in catalog.index().shards().flatten() {
            places.extend(shard.table().slots().filter_map(|slot| Some((slot.print(), slot.location()?))));
        }
        drop(unchanged);
        if catalog.versions() > 1 {
            keep_newest(&mut places, &segments)?;
        }
        let mut places: Vec<Location> = places.into_iter().map(|(_, place)| place).collect();
        places.sort_unstable();
        Ok(Self { places, segments })
    }
}

/// Of places in the order of the index, keeps the first of each key: the newest.
fn keep_newest(places: &mut Vec<(u32, Location)>, segments: &Segments) -> Result<()> {
    let mut of_print: Vec<Vec<u8>> = Vec::new();
    let mut last = 0;
    let mut failure = None;
    places.retain(|(print, place)| {
        if last != *print {
            of_print.clear();
            last = *print;
        }
        let Some(segment) = segments.get(place.seat) else { return false };
        match segment.with_record(place.offset, |record| record.key.to_vec()) {
            Ok(key) if of_print.contains(&key) => false,
            Ok(key) => {
                of_print.push(key);
                true
            }
            Err(error) => {
                failure.get_or_insert(error);
                false
            }
        }
    });
    match failure {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

impl Snapshot {
    /// Shows each key and its value to `visit`, until it breaks.
    pub(crate) fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        for place in &self.places {
            let Some(segment) = self.segments.get(place.seat) else { continue };
            let flow = segment.with_record(place.offset, |record| match record.live_value() {
                Some(value) => visit(record.key, value),
                None => ControlFlow::Continue(()),
            })?;
            if flow == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}
