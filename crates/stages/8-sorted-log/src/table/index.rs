//! The index of a table: where the keys of each block start. It is in memory while the table is open.

use std::cmp::Ordering;

use super::block::common_len;
use crate::bytes::Reader;
use crate::files::HEADER_LEN;

/// Where the blocks lie, and at which keys they start. It is in memory while the table is open.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The starts, one behind the other.
    pub(super) keys: Vec<u8>,
    /// Where the start of each block ends in `keys`.
    key_ends: Vec<u32>,
    /// Where each block starts in the file, and at last where the last ends.
    pub(super) offsets: Vec<u64>,
    /// How many bytes all starts but the first begin with alike. The first block starts before every key.
    shared: usize,
    /// The next eight bytes of each start but the first, as a number, with zeros behind a shorter one: most steps of a search
    /// compare no more than that.
    heads: Vec<u64>,
}

/// The first bytes of what is left of a key, as a number.
#[inline]
fn short_head(rest: &[u8]) -> u64 {
    if let Some(first) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*first);
    }
    let mut bytes = [0; 8];
    bytes[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(bytes)
}

impl Index {
    /// That of a file whose blocks end at `end`. `None` if it names blocks that cannot be there.
    pub(super) fn decode(bytes: &[u8], end: u64) -> Option<Self> {
        let mut fields = Reader::new(bytes);
        let mut index = Self { offsets: vec![HEADER_LEN as u64], ..Self::default() };
        let mut at = HEADER_LEN as u64;
        while !fields.is_empty() {
            index.keys.extend_from_slice(fields.key()?);
            index.key_ends.push(u32::try_from(index.keys.len()).ok()?);
            let len = fields.varint()?;
            at = at.checked_add(len).filter(|&at| len > 5 && at <= end)?;
            index.offsets.push(at);
        }
        index.take_heads();
        (at == end && index.len() > 0).then_some(index)
    }

    fn take_heads(&mut self) {
        if self.len() > 1 {
            // They are sorted, so what the second and the last have in common, all between have.
            self.shared = common_len(self.start(1), self.start(self.len() - 1));
            let head = |block| short_head(self.start(block).get(self.shared..).unwrap_or_default());
            self.heads = (1..self.len()).map(head).collect();
        }
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.key_ends.len()
    }

    /// Behind which key a block begins.
    #[inline]
    pub(super) fn start(&self, block: usize) -> &[u8] {
        let begin = if block == 0 { 0 } else { self.key_ends[block - 1] as usize };
        &self.keys[begin..self.key_ends[block] as usize]
    }

    /// The last block that starts at or before `key`. The first starts before every key.
    #[inline]
    pub(super) fn block_of(&self, key: &[u8]) -> usize {
        if self.heads.is_empty() {
            return 0;
        }
        let shared = &self.start(1)[..self.shared];
        match key[..self.shared.min(key.len())].cmp(shared) {
            Ordering::Less => 0,
            Ordering::Greater => self.len() - 1,
            Ordering::Equal => {
                let head = short_head(&key[self.shared..]);
                let mut high = self.heads.partition_point(|&other| other <= head) + 1;
                // Those with a smaller head start before it. Of those with the same, the whole start decides.
                if high > 1 && self.heads[high - 2] == head {
                    let mut low = self.heads.partition_point(|&other| other < head);
                    while high - low > 1 {
                        let middle = usize::midpoint(low, high);
                        if self.start(middle) <= key { low = middle } else { high = middle }
                    }
                }
                high - 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::bytes::{put_key, put_varint};

    /// Few different bytes, so that keys have beginnings in common, of more bytes than a head has.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 0..5).prop_flat_map(|beginning| {
            let end = vec(prop_oneof![Just(0_u8), Just(1)], 0..4);
            (Just(beginning), 0..12_usize, end)
                .prop_map(|(beginning, zeros, end)| [beginning, vec![0; zeros], end].concat())
        })
    }

    proptest! {
        #[test]
        fn the_block_of_a_key_is_the_last_that_starts_at_or_before_it(
            starts in btree_set(keys(), 0..40),
            shared in vec(any::<u8>(), 0..3),
            others in vec(keys(), 20),
        ) {
            // The first start is empty.
            let starts: Vec<Vec<u8>> = std::iter::once(Vec::new())
                .chain(starts.into_iter().map(|start| [shared.as_slice(), &start].concat()).filter(|start| !start.is_empty()))
                .collect();
            let mut bytes = Vec::new();
            for start in &starts {
                put_key(&mut bytes, start);
                put_varint(&mut bytes, 10);
            }
            let index = Index::decode(&bytes, (HEADER_LEN + 10 * starts.len()) as u64).unwrap();
            let with_shared = others.iter().map(|key| [shared.as_slice(), key].concat());
            for key in others.iter().cloned().chain(with_shared).chain(starts.clone()) {
                let expected = starts.iter().rposition(|start| *start <= key).unwrap();
                prop_assert_eq!(index.block_of(&key), expected, "{:?} in {:?}", key, starts);
            }
        }
    }
}
