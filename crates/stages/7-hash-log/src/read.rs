//! Reading: one key, in place, or many at once.

use std::hint::black_box;
use std::ops::{Deref, Range};
use std::sync::Arc;

use logladder_engine::{Result, limits};

use crate::format::index as as_index;
use crate::segment::Segment;
use crate::store::Store;

/// So many keys are looked for at once.
const AT_ONCE: usize = 64;

/// How far apart the bytes of a record are touched: a line of the processor's cache.
const LINE: usize = 64;

/// A value where it lies in the store: nothing was copied.
///
/// It keeps its segment, and so the space of that on the disk, for as long as it is held.
#[derive(Debug, Clone)]
pub struct ValueRef(Held);

#[derive(Debug, Clone)]
enum Held {
    InPlace {
        segment: Arc<Segment>,
        range: Range<usize>,
    },
    /// The segment is not mapped.
    Copied(Vec<u8>),
}

impl Deref for ValueRef {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            // A segment that was mapped stays so.
            Held::InPlace { segment, range } => {
                segment.bytes().and_then(|bytes| bytes.get(range.clone())).unwrap_or_default()
            }
            Held::Copied(value) => value,
        }
    }
}

impl Store {
    /// Hands the value of `key` to `read`, in place, if it has one.
    #[inline]
    pub(crate) fn get_with<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        limits::check_key(key)?;
        let found = self.catalog.read(key, |record| record.live_value().map(read))?;
        Ok(found.flatten())
    }

    /// The value of `key` where it lies, if it has one.
    pub(crate) fn get_ref(&self, key: &[u8]) -> Result<Option<ValueRef>> {
        limits::check_key(key)?;
        let hash = self.catalog.index().hash(key);
        let found = self.catalog.search(hash, |segment, location, record| {
            if record.key != key {
                return None;
            }
            Some(record.live_value().map(|value| {
                let end = as_index(location.offset.into()) + record.bytes.len();
                let range = end - value.len()..end;
                match segment.bytes() {
                    Some(_) => Held::InPlace { segment: Arc::clone(segment), range },
                    None => Held::Copied(value.to_vec()),
                }
            }))
        })?;
        Ok(found.flatten().map(ValueRef))
    }

    /// Hands the values of several keys to `visit`.
    ///
    /// What takes long in a read is waiting for memory, once for the slot and once for the record. So for some keys at
    /// a time each step is done for all of them before the next, and the processor waits for many at once.
    pub(crate) fn get_many(&self, keys: &[&[u8]], visit: &mut dyn FnMut(usize, Option<&[u8]>)) -> Result<()> {
        keys.iter().try_for_each(|key| limits::check_key(key))?;
        let index = self.catalog.index();
        for (chunk, keys) in keys.chunks(AT_ONCE).enumerate() {
            let mut places = [None; AT_ONCE];
            for (place, key) in places.iter_mut().zip(keys) {
                let hash = index.hash(key);
                *place = index.table(hash).and_then(|table| table.places_of(hash.print()).next());
            }
            let segments = self.catalog.segments();
            let mut touched = 0;
            for place in places.into_iter().flatten() {
                if let Some(bytes) = segments.get(place.seat).and_then(|segment| segment.bytes()) {
                    let start = as_index(place.offset.into());
                    for line in 0..3 {
                        touched ^= bytes.get(start + line * LINE).copied().unwrap_or_default();
                    }
                }
            }
            black_box(touched);
            for (place, key) in keys.iter().enumerate() {
                let place = chunk * AT_ONCE + place;
                let shown = self.catalog.read(key, |record| visit(place, record.live_value()))?;
                if shown.is_none() {
                    visit(place, None);
                }
            }
        }
        Ok(())
    }
}
