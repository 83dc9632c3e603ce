//! [`Atomic`]: several writes as one, and a write that depends on what is there.

use crate::Result;

/// A set or a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write<'b> {
    /// Sets the key to the value.
    Set(&'b [u8], &'b [u8]),
    /// Removes the key.
    Delete(&'b [u8]),
}

impl<'b> Write<'b> {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &'b [u8] {
        match self {
            Self::Set(key, _) | Self::Delete(key) => key,
        }
    }
}

/// Writes that are done together, in the order in which they were added.
///
/// ```
/// # use logladder_engine::{Batch, Write};
/// let mut batch = Batch::new();
/// batch.set(b"anna", b"50").set(b"bob", b"150").delete(b"transfer");
/// assert_eq!(batch.len(), 3);
/// assert_eq!(batch.iter().next(), Some(Write::Set(b"anna", b"50")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// All keys and values, one after the other.
    bytes: Vec<u8>,
    /// The length of each key, and of its value unless it is deleted.
    lengths: Vec<(usize, Option<usize>)>,
}

impl Batch {
    /// No writes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a set.
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.lengths.push((key.len(), Some(value.len())));
        self
    }

    /// Adds a delete.
    pub fn delete(&mut self, key: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(key);
        self.lengths.push((key.len(), None));
        self
    }

    /// Takes all writes out, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
    }

    /// How many writes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The writes, in order.
    pub fn iter(&self) -> impl Iterator<Item = Write<'_>> {
        let mut rest = self.bytes.as_slice();
        self.lengths.iter().map(move |&(key_len, value_len)| {
            let (key, behind) = rest.split_at(key_len);
            let (value, behind) = behind.split_at(value_len.unwrap_or(0));
            rest = behind;
            if value_len.is_some() { Write::Set(key, value) } else { Write::Delete(key) }
        })
    }
}

/// Several writes as one, and a write that depends on what is there.
pub trait Atomic {
    /// Does all writes of the batch or none: after a crash at any moment the store has all of them or none. Of two
    /// writes of one key, the later one counts, and after a crash the earlier one is never seen. A read of several
    /// keys meanwhile may still see some of them done and others not; other writes come before the batch or after it.
    /// An empty batch is fine.
    ///
    /// # Errors
    ///
    /// As [`Engine::set`](crate::Engine::set). [`TooLarge`](crate::Error::TooLarge) if one key or value is, or the
    /// batch as a whole; that changes nothing.
    fn write(&self, batch: &Batch) -> Result<()>;

    /// If the value of `key` is `expected`, makes it `new` and says `true`; else changes nothing and says `false`.
    /// `None` is no value: to expect it is to create, to write it is to delete. No other write comes between the
    /// look and the change.
    ///
    /// # Errors
    ///
    /// As [`Engine::set`](crate::Engine::set).
    fn compare_and_set(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_what_was_put_in_in_that_order() {
        let mut batch = Batch::new();
        batch.set(b"", b"").delete(b"").set(b"key", b"value").delete(b"key");
        let writes: Vec<Write<'_>> = batch.iter().collect();
        let expected =
            [Write::Set(b"", b""), Write::Delete(b""), Write::Set(b"key", b"value"), Write::Delete(b"key")];
        assert_eq!(writes, expected);
        assert_eq!(writes[3].key(), b"key");
        batch.clear();
        assert!(batch.is_empty() && batch.iter().next().is_none());
    }
}
