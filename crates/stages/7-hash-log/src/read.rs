//! Reading: one key, in place, or many at once.

use std::ops::{Deref, Range};
use std::sync::Arc;

use logladder_engine::{Result, limits};

use crate::format::index as as_index;
use crate::segment::Segment;
use crate::store::Store;

/// So many keys are looked for at once.
const AT_ONCE: usize = 64;

/// So many bytes of each record are fetched ahead; when the rest of a longer one is needed, the processor has seen that
/// it is read from its start to its end.
const PREFETCHED: usize = 192;

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
        let catalog = &self.catalog;
        for (chunk, keys) in keys.chunks(AT_ONCE).enumerate() {
            let mut hashes = [None; AT_ONCE];
            for (place, key) in hashes.iter_mut().zip(keys) {
                let hash = catalog.index().hash(key);
                catalog.prefetch_slot(hash);
                *place = Some(hash);
            }
            for hash in hashes.into_iter().flatten() {
                catalog.prefetch_record(hash, PREFETCHED);
            }
            for (place, (key, hash)) in keys.iter().zip(hashes.into_iter().flatten()).enumerate() {
                let place = chunk * AT_ONCE + place;
                let shown = catalog.search(hash, |_, _, record| {
                    (record.key == *key).then(|| visit(place, record.live_value()))
                })?;
                if shown.is_none() {
                    visit(place, None);
                }
            }
        }
        Ok(())
    }
}
