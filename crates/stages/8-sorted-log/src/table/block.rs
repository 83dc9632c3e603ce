//! A block of a table: sorted keys and their values, each key without what it has in common with the one before.
//!
//! ```text
//!   ┌────────┬──────────┬────────────────────┬──────────┬───────┐
//!   │ shared │ unshared │ value len × 2 + set │ key tail │ value │  an entry: three varints, then bytes
//!   └────────┴──────────┴────────────────────┴──────────┴───────┘
//!   … entries, then where every sixteenth begins (u32 each), and how many of those there are (u32)
//! ```
//!
//! Every sixteenth entry, a *restart*, has its whole key, so that a key is found by binary search among those.

use std::cmp::Ordering;
use std::ops::Range;

use crate::bytes::{Reader, index, put_varint};

/// So many entries share beginnings of their keys.
pub(super) const RESTART_INTERVAL: usize = 16;

/// Writes a block.
#[derive(Debug, Default)]
pub(crate) struct BlockBuilder {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    last_key: Vec<u8>,
    entries: usize,
}

impl BlockBuilder {
    // ANCHOR: add
    /// Adds an entry whose key is greater than the last; one without a value is a tombstone.
    pub(crate) fn add(&mut self, key: &[u8], value: Option<&[u8]>) {
        let shared = if self.entries.is_multiple_of(RESTART_INTERVAL) {
            // A block has one entry past its limit at most, and that is less than 4 GiB.
            self.restarts.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
            0
        } else {
            common_len(&self.last_key, key)
        };
        put_varint(&mut self.bytes, shared as u64);
        put_varint(&mut self.bytes, (key.len() - shared) as u64);
        put_varint(&mut self.bytes, value.map_or(0, |value| (value.len() as u64) << 1 | 1));
        self.bytes.extend_from_slice(&key[shared..]);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(&key[shared..]);
        self.entries += 1;
    }
    // ANCHOR_END: add

    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How long the block would be now.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + 4 * self.restarts.len() + 4
    }

    /// The key that was added last.
    pub(crate) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// The bytes of the block. The builder begins the next with [`clear`](Self::clear).
    pub(crate) fn finish(&mut self) -> &[u8] {
        for restart in &self.restarts {
            self.bytes.extend_from_slice(&restart.to_le_bytes());
        }
        let count = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&count.to_le_bytes());
        &self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.restarts.clear();
        self.last_key.clear();
        self.entries = 0;
    }
}

/// Shows the entries of the block `bytes`, one after the other. `None` if they make no sense: some may have been shown.
pub(super) fn for_each_entry(bytes: &[u8], mut show: impl FnMut(&[u8], Option<&[u8]>)) -> Option<()> {
    let block = Block::parse(bytes)?;
    let (mut key, mut at) = (Vec::new(), 0);
    while at < block.end() {
        let entry = block.entry(at).filter(|entry| entry.shared <= key.len())?;
        key.truncate(entry.shared);
        key.extend_from_slice(&bytes[entry.tail]);
        show(&key, entry.value.map(|range| &bytes[range]));
        at = entry.next;
    }
    Some(())
}

/// How many bytes two keys begin with alike.
pub(crate) fn common_len(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// An entry as it stands in its block: places, not bytes.
#[derive(Debug, Clone)]
pub(crate) struct RawEntry {
    /// How many bytes of the key before begin this one.
    pub(crate) shared: usize,
    /// The rest of the key.
    pub(crate) tail: Range<usize>,
    /// The value; none for a tombstone.
    pub(crate) value: Option<Range<usize>>,
    /// Where the next entry begins.
    pub(crate) next: usize,
}

/// The entry at the offset `at` of the entries of a block.
#[inline]
pub(crate) fn entry(entries: &[u8], at: usize) -> Option<RawEntry> {
    let mut fields = Reader::at(entries, at);
    let (shared, unshared, value) = (fields.len()?, fields.len()?, fields.varint()?);
    let tail = fields.offset()..fields.offset().checked_add(unshared)?;
    let value_end = tail.end.checked_add(index(value >> 1))?;
    if value_end > entries.len() || (value & 1 == 0 && value != 0) {
        return None;
    }
    let value = (value & 1 == 1).then_some(tail.end..value_end);
    Some(RawEntry { shared, tail, value, next: value_end })
}

/// The bytes of a block, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'b> {
    bytes: &'b [u8],
    /// Where the entries end and the restarts begin.
    end: usize,
    restarts: usize,
}

impl<'b> Block<'b> {
    /// `None` if it is none: but the checksum has been compared by then.
    #[inline]
    pub(crate) fn parse(bytes: &'b [u8]) -> Option<Self> {
        let restarts = Reader::at(bytes, bytes.len().checked_sub(4)?).u32()? as usize;
        let end = (bytes.len() - 4).checked_sub(restarts.checked_mul(4)?)?;
        (restarts > 0 && end > 0).then_some(Self { bytes, end, restarts })
    }

    /// Where the entries end.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// The entry at the offset `at`.
    #[inline]
    pub(crate) fn entry(&self, at: usize) -> Option<RawEntry> {
        entry(&self.bytes[..self.end], at)
    }

    fn restart(&self, number: usize) -> Option<usize> {
        Reader::at(self.bytes, self.end + 4 * number).u32().map(|at| at as usize)
    }

    /// The last restart whose key is less than `key`, or the first.
    #[inline]
    pub(crate) fn restart_before(&self, key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.restarts);
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            let entry = self.entry(self.restart(middle)?)?;
            if self.bytes.get(entry.tail)? < key { low = middle } else { high = middle }
        }
        self.restart(low)
    }

    /// What the block says of `key`; `None` if the block makes no sense.
    ///
    /// No key is put together: it is enough to know how many bytes the key before has in common with the one that is
    /// looked for, and that it is less.
    pub(crate) fn find(&self, key: &[u8]) -> Option<Answer> {
        let mut at = self.restart_before(key)?;
        let mut matched = 0;
        while at < self.end {
            let entry = self.entry(at)?;
            at = entry.next;
            // A restart says nothing of the key before it, and has all of its own.
            if entry.shared == 0 {
                matched = 0;
            }
            match entry.shared.cmp(&matched) {
                // It differs from `key` where the one before did.
                Ordering::Greater => {}
                // It differs from the one before where that was still the same as `key`.
                Ordering::Less => return Some(Answer::Nothing),
                Ordering::Equal => {
                    let tail = self.bytes.get(entry.tail)?;
                    let wanted = key.get(matched..)?;
                    let common = common_len(tail, wanted);
                    match tail[common..].first().cmp(&wanted[common..].first()) {
                        Ordering::Less => matched += common,
                        Ordering::Equal => {
                            return Some(entry.value.map_or(Answer::Deleted, Answer::Value));
                        }
                        Ordering::Greater => return Some(Answer::Nothing),
                    }
                }
            }
        }
        Some(Answer::Nothing)
    }
}

// ANCHOR: answer
/// What a block says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Deleted,
    /// Where its value lies.
    Value(Range<usize>),
}
// ANCHOR_END: answer

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn built(entries: &[(Vec<u8>, Option<Vec<u8>>)]) -> Vec<u8> {
        let mut builder = BlockBuilder::default();
        for (key, value) in entries {
            builder.add(key, value.as_deref());
        }
        builder.finish().to_vec()
    }

    /// Few different bytes, so that keys have beginnings in common.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 0..6)
    }

    proptest! {
        #[test]
        fn every_key_of_a_block_is_found_and_no_other(
            entries in btree_map(keys(), proptest::option::of(vec(any::<u8>(), 0..4)), 1..80),
            others in vec(keys(), 20),
        ) {
            let list: Vec<_> = entries.clone().into_iter().collect();
            let bytes = built(&list);
            let block = Block::parse(&bytes).unwrap();
            for key in entries.keys().chain(&others) {
                let found = block.find(key).unwrap();
                let found = match found {
                    Answer::Nothing => None,
                    Answer::Deleted => Some(None),
                    Answer::Value(range) => Some(Some(bytes[range].to_vec())),
                };
                prop_assert_eq!(found.as_ref(), entries.get(key));
            }
        }

        #[test]
        fn no_bytes_make_a_block_panic(bytes in vec(any::<u8>(), 0..200), key in keys()) {
            if let Some(block) = Block::parse(&bytes) {
                let _ = block.find(&key);
            }
        }
    }
}
