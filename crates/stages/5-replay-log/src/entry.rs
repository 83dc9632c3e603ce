//! [`Entry`]: a key and its value in one piece of memory.

use crate::map::Place;

/// A key and its value, one behind the other: one allocation for each set, and one place to fetch for each get.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    bytes: Box<[u8]>,
    key_len: u32,
    /// Where the key belongs, so that a table that grows need not look at the key again.
    place: Place,
}

impl Entry {
    /// An entry of a key that is no longer than the limit, 65,535 bytes.
    pub(crate) fn new(place: Place, key: &[u8], value: &[u8]) -> Self {
        // Of exactly this capacity, so that nothing is moved again.
        let mut bytes = Vec::with_capacity(key.len() + value.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        Self { bytes: bytes.into_boxed_slice(), key_len, place }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    fn split(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at(self.key_len as usize)
    }

    pub(crate) fn key(&self) -> &[u8] {
        self.split().0
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.split().1
    }

    /// Whether this is the entry of `key`, which belongs to `place`.
    pub(crate) fn is_of(&self, place: Place, key: &[u8]) -> bool {
        self.place == place && self.key() == key
    }

    /// Puts another value in place of this one, if it is of the same length.
    pub(crate) fn overwrite(&mut self, value: &[u8]) -> bool {
        let (_, old) = self.bytes.split_at_mut(self.key_len as usize);
        let fits = old.len() == value.len();
        if fits {
            old.copy_from_slice(value);
        }
        fits
    }

    /// Bytes of both.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}
