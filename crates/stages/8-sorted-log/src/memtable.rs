//! The memtable: what was written last, sorted, in memory.
//!
//! It is a skip list in which a key stands once for each write of it, the newest first. Nothing in it ever changes, so
//! that a reader who knows a sequence number sees the store as it was then, while others write. A Bloom filter beside it says of
//! most keys that are not in the list that it need not be searched.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering as Memory};

use crossbeam_skiplist::SkipSet;
use crossbeam_skiplist::set::Entry;
use logladder_engine::Direction;

use crate::bytes::{HEAD_LEN, head};
use crate::seen::Seen;
use crate::table::filter;

/// What an entry takes besides its key and value: the node of the list, two allocations, the fields.
const ENTRY_OVERHEAD: usize = 112;

/// A sorted table in memory, with the log that says the same on the disk.
pub(crate) struct Memtable {
    entries: SkipSet<Written>,
    /// Which keys may be among them.
    seen: Seen,
    bytes: AtomicUsize,
    /// The number of its log.
    pub(crate) log: u64,
    /// Whether that file is there: it is made by the first write.
    pub(crate) has_log: AtomicBool,
    last_sequence: AtomicU64,
}

impl fmt::Debug for Memtable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memtable")
            .field("log", &self.log)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl Memtable {
    /// An empty one, whose log will have about `log_bytes`.
    pub(crate) fn new(log: u64, has_log: bool, log_bytes: u64) -> Self {
        Self {
            entries: SkipSet::new(),
            seen: Seen::for_log(log_bytes),
            bytes: AtomicUsize::new(0),
            log,
            has_log: AtomicBool::new(has_log),
            last_sequence: AtomicU64::new(0),
        }
    }

    /// Adds a set, or with no value a delete. One thread at a time may.
    pub(crate) fn insert(&self, key: &[u8], value: Option<&[u8]>, sequence: u64) {
        let written = Written::new(key, value, sequence);
        self.bytes.fetch_add(written.bytes.len() + ENTRY_OVERHEAD, Memory::Relaxed);
        self.seen.add(filter::hash(key));
        self.entries.insert(written);
        self.last_sequence.fetch_max(sequence, Memory::Release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How much memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Memory::Relaxed) + self.seen.bytes()
    }

    /// The greatest number of a write in it.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence.load(Memory::Acquire)
    }

    /// Hands what the last write of `key` up to `sequence` left to `read`: a value, or none if it was a delete. The
    /// [hash](filter::hash) of the key is `hash`.
    #[inline]
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        hash: u64,
        sequence: u64,
        read: impl FnOnce(Option<&[u8]>) -> R,
    ) -> Option<R> {
        if !self.seen.may_have(hash) {
            return None;
        }
        let probe = Written::probe(key, sequence);
        let entry = self.entries.lower_bound(Bound::Included(&probe))?;
        entry.has_key_of(&probe).then(|| read(entry.written()))
    }

    /// The entries up to `sequence` from `start` on.
    pub(crate) fn cursor(
        &self,
        start: Bound<&[u8]>,
        sequence: u64,
        direction: Direction,
    ) -> MemoryCursor<'_> {
        let from = |bound: Bound<Written>| self.entries.lower_bound(bound.as_ref());
        let up_to = |bound: Bound<Written>| self.entries.upper_bound(bound.as_ref());
        let probe = Written::probe;
        // Of one key the greatest number comes first, and no write has the number 0.
        let at = match (direction, start) {
            (Direction::Forward, Bound::Unbounded) => self.entries.front(),
            (Direction::Forward, Bound::Included(key)) => from(Bound::Included(probe(key, u64::MAX))),
            (Direction::Forward, Bound::Excluded(key)) => from(Bound::Excluded(probe(key, 0))),
            (Direction::Backward, Bound::Unbounded) => self.entries.back(),
            (Direction::Backward, Bound::Included(key)) => up_to(Bound::Included(probe(key, 0))),
            (Direction::Backward, Bound::Excluded(key)) => up_to(Bound::Excluded(probe(key, u64::MAX))),
        };
        let mut cursor = MemoryCursor { at: None, ahead: at, sequence, direction };
        cursor.advance();
        cursor
    }
}

/// Goes through the keys of a memtable as they were at some sequence number.
#[derive(Debug)]
pub(crate) struct MemoryCursor<'m> {
    /// The write that counts for the key that the cursor is at.
    at: Option<Entry<'m, Written>>,
    /// Where the next key is looked for.
    ahead: Option<Entry<'m, Written>>,
    sequence: u64,
    direction: Direction,
}

impl MemoryCursor<'_> {
    #[inline]
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.at.as_ref().map(|entry| entry.key())
    }

    #[inline]
    pub(crate) fn value(&self) -> Option<&[u8]> {
        self.at.as_ref().and_then(|entry| entry.written())
    }

    /// Goes on to the next key.
    pub(crate) fn advance(&mut self) {
        let Some(mut entry) = self.ahead.take() else {
            self.at = None;
            return;
        };
        let forward = self.direction == Direction::Forward;
        while entry.sequence > self.sequence {
            if !(if forward { entry.move_next() } else { entry.move_prev() }) {
                self.at = None;
                return;
            }
        }
        // Forward, this is the newest that counts. Backward, it is the oldest, and newer ones may follow.
        let mut ahead = if forward { entry.next() } else { entry.prev() };
        while let Some(next) = ahead.as_ref().filter(|next| next.has_key_of(&entry)) {
            let (following, counts) =
                if forward { (next.next(), false) } else { (next.prev(), next.sequence <= self.sequence) };
            let passed = std::mem::replace(&mut ahead, following);
            if counts && let Some(newer) = passed {
                entry = newer;
            }
        }
        (self.at, self.ahead) = (Some(entry), ahead);
    }
}

/// One write.
struct Written {
    /// The [head] of the key: most comparisons end with it, and need not wait for the memory that `bytes` lies in.
    head: u128,
    sequence: u64,
    key_len: u32,
    is_set: bool,
    /// The key, then the value. A short probe has neither.
    bytes: Box<[u8]>,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} @ {}", self.key().escape_ascii(), self.sequence)
    }
}

impl Written {
    fn new(key: &[u8], value: Option<&[u8]>, sequence: u64) -> Self {
        let mut bytes = Vec::with_capacity(key.len() + value.map_or(0, <[u8]>::len));
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value.unwrap_or_default());
        Self { is_set: value.is_some(), bytes: bytes.into_boxed_slice(), ..Self::place(key, sequence) }
    }

    /// What is compared with entries to find this place among them, and is none itself: the head of a short key says all.
    #[inline]
    fn probe(key: &[u8], sequence: u64) -> Self {
        let bytes = if key.len() > HEAD_LEN { key.into() } else { Box::default() };
        Self { bytes, ..Self::place(key, sequence) }
    }

    #[inline]
    fn place(key: &[u8], sequence: u64) -> Self {
        // A key has 65,535 bytes at most.
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        Self { head: head(key), sequence, key_len, is_set: false, bytes: Box::default() }
    }

    /// Not of a probe.
    #[inline]
    fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len as usize]
    }

    /// What of the key the head has no room for.
    #[inline]
    fn rest(&self) -> &[u8] {
        let len = self.key_len as usize;
        if len > HEAD_LEN { &self.bytes[HEAD_LEN..len] } else { &[] }
    }

    #[inline]
    fn written(&self) -> Option<&[u8]> {
        self.is_set.then(|| &self.bytes[self.key_len as usize..])
    }

    #[inline]
    fn has_key_of(&self, other: &Self) -> bool {
        self.head == other.head && self.key_len == other.key_len && self.rest() == other.rest()
    }
}

impl Ord for Written {
    /// By their keys, and of one key the greatest number first.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.head
            .cmp(&other.head)
            .then_with(|| self.rest().cmp(other.rest()))
            // One of them may be the other with zeros behind it.
            .then_with(|| self.key_len.cmp(&other.key_len))
            .then_with(|| other.sequence.cmp(&self.sequence))
    }
}

impl PartialOrd for Written {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Written {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(memtable: &Memtable, sequence: u64, direction: Direction) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut cursor = memtable.cursor(Bound::Unbounded, sequence, direction);
        let mut shown = Vec::new();
        while let Some(key) = cursor.key() {
            shown.push((text(key), cursor.value().map(text)));
            cursor.advance();
        }
        shown
    }

    #[test]
    fn each_sequence_number_sees_the_keys_as_they_were_then_both_ways() {
        let memtable = Memtable::new(1, true, 1_000);
        memtable.insert(b"b", Some(b"1"), 1);
        memtable.insert(b"a", Some(b"2"), 2);
        memtable.insert(b"b", None, 3);
        memtable.insert(b"b", Some(b"4"), 4);
        memtable.insert(b"c", Some(b""), 5);
        let expected: [&[(&str, Option<&str>)]; 6] = [
            &[],
            &[("b", Some("1"))],
            &[("a", Some("2")), ("b", Some("1"))],
            &[("a", Some("2")), ("b", None)],
            &[("a", Some("2")), ("b", Some("4"))],
            &[("a", Some("2")), ("b", Some("4")), ("c", Some(""))],
        ];
        for (sequence, expected) in (0..).zip(expected) {
            let mut expected: Vec<_> =
                expected.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
            assert_eq!(shown(&memtable, sequence, Direction::Forward), expected, "{sequence}");
            expected.reverse();
            assert_eq!(shown(&memtable, sequence, Direction::Backward), expected, "{sequence}");
        }
        let get = |key: &[u8], sequence| {
            memtable.get(key, filter::hash(key), sequence, |value| value.map(<[u8]>::to_vec))
        };
        assert_eq!(get(b"b", 3), Some(None));
        assert_eq!(get(b"b", 4), Some(Some(b"4".to_vec())));
        assert_eq!([get(b"b", 0), get(b"d", 9)], [None, None]);
    }

    #[test]
    fn keys_longer_than_a_head_and_keys_that_end_with_zeros_stand_in_the_order_of_their_bytes() {
        let mut keys: Vec<Vec<u8>> =
            ["", "a", "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaac", "b"]
                .into_iter()
                .flat_map(|key| ["", "\0", "\0\0"].map(|end| [key, end].concat().into_bytes()))
                .collect();
        let memtable = Memtable::new(1, true, 1_000);
        for (sequence, key) in (1..).zip(keys.iter().rev()) {
            memtable.insert(key, Some(key), sequence);
        }
        keys.sort();
        let mut cursor = memtable.cursor(Bound::Unbounded, u64::MAX, Direction::Forward);
        for (place, key) in keys.iter().enumerate() {
            assert_eq!(cursor.key(), Some(key.as_slice()));
            cursor.advance();
            let found = memtable.get(key, filter::hash(key), u64::MAX, |value| value.map(<[u8]>::to_vec));
            assert_eq!(found, Some(Some(key.clone())));
            let next =
                |start, direction| memtable.cursor(start, u64::MAX, direction).key().map(<[u8]>::to_vec);
            assert_eq!(next(Bound::Excluded(key), Direction::Forward), keys.get(place + 1).cloned());
            let before = place.checked_sub(1).map(|place| keys[place].clone());
            assert_eq!(next(Bound::Excluded(key), Direction::Backward), before);
            assert_eq!(next(Bound::Included(key), Direction::Backward), Some(key.clone()));
        }
        assert_eq!(cursor.key(), None);
    }
}
