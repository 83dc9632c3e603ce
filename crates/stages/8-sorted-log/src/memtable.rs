//! The memtable: what was written last, sorted, in memory.
//!
//! It is a skip list in which a key stands once for each write of it, the newest first. Nothing in it ever changes, so
//! that a reader who knows a sequence number sees the store as it was then, while others write.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering as Memory};

use crossbeam_skiplist::SkipSet;
use crossbeam_skiplist::set::Entry;
use logladder_engine::Direction;

/// What an entry takes besides its key and value: the node of the list, two allocations, the fields.
const ENTRY_OVERHEAD: usize = 96;

/// A sorted table in memory, with the log that says the same on the disk.
pub(crate) struct Memtable {
    entries: SkipSet<Written>,
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
    pub(crate) fn new(log: u64, has_log: bool) -> Self {
        let (bytes, last_sequence) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { entries: SkipSet::new(), bytes, log, has_log: AtomicBool::new(has_log), last_sequence }
    }

    /// Adds a set, or with no value a delete.
    pub(crate) fn insert(&self, key: &[u8], value: Option<&[u8]>, sequence: u64) {
        let written = Written::new(key, value, sequence);
        self.bytes.fetch_add(written.bytes.len() + ENTRY_OVERHEAD, Memory::Relaxed);
        self.entries.insert(written);
        self.last_sequence.fetch_max(sequence, Memory::Release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How much memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Memory::Relaxed)
    }

    /// The greatest number of a write in it.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence.load(Memory::Acquire)
    }

    /// Hands what the last write of `key` up to `sequence` left to `read`: a value, or none if it was a delete.
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        sequence: u64,
        read: impl FnOnce(Option<&[u8]>) -> R,
    ) -> Option<R> {
        let entry = self.entries.lower_bound(Bound::Included(&Probe(key, sequence) as &dyn Place))?;
        (entry.key() == key).then(|| read(entry.written()))
    }

    /// The entries up to `sequence` from `start` on.
    pub(crate) fn cursor(
        &self,
        start: Bound<&[u8]>,
        sequence: u64,
        direction: Direction,
    ) -> MemoryCursor<'_> {
        // Of one key the greatest number comes first, and no write has the number 0.
        let at = match (direction, start) {
            (Direction::Forward, Bound::Unbounded) => self.entries.front(),
            (Direction::Forward, Bound::Included(key)) => self.from(&Bound::Included(Probe(key, u64::MAX))),
            (Direction::Forward, Bound::Excluded(key)) => self.from(&Bound::Excluded(Probe(key, 0))),
            (Direction::Backward, Bound::Unbounded) => self.entries.back(),
            (Direction::Backward, Bound::Included(key)) => self.up_to(&Bound::Included(Probe(key, 0))),
            (Direction::Backward, Bound::Excluded(key)) => self.up_to(&Bound::Excluded(Probe(key, u64::MAX))),
        };
        let mut cursor = MemoryCursor { at: None, ahead: at, sequence, direction };
        cursor.advance();
        cursor
    }

    fn from(&self, bound: &Bound<Probe<'_>>) -> Option<Entry<'_, Written>> {
        self.entries.lower_bound(bound.as_ref().map(|probe| probe as &dyn Place))
    }

    fn up_to(&self, bound: &Bound<Probe<'_>>) -> Option<Entry<'_, Written>> {
        self.entries.upper_bound(bound.as_ref().map(|probe| probe as &dyn Place))
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
        while let Some(next) = ahead.as_ref().filter(|next| next.key() == entry.key()) {
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
    sequence: u64,
    key_len: u32,
    is_set: bool,
    /// The key, then the value.
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
        // A key has 65,535 bytes at most.
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        Self { sequence, key_len, is_set: value.is_some(), bytes: bytes.into_boxed_slice() }
    }

    #[inline]
    fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len as usize]
    }

    #[inline]
    fn written(&self) -> Option<&[u8]> {
        self.is_set.then(|| &self.bytes[self.key_len as usize..])
    }
}

/// A place in the order of a memtable. It is a trait so that the list can be asked for a key that nobody owns.
trait Place {
    fn key(&self) -> &[u8];
    fn sequence(&self) -> u64;
}

/// A place to look for.
struct Probe<'k>(&'k [u8], u64);

impl Place for Probe<'_> {
    fn key(&self) -> &[u8] {
        self.0
    }

    fn sequence(&self) -> u64 {
        self.1
    }
}

impl Place for Written {
    fn key(&self) -> &[u8] {
        self.key()
    }

    fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Ord for dyn Place + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key()).then_with(|| other.sequence().cmp(&self.sequence()))
    }
}

impl PartialOrd for dyn Place + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Place + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for dyn Place + '_ {}

impl<'a> Borrow<dyn Place + 'a> for Written {
    fn borrow(&self) -> &(dyn Place + 'a) {
        self
    }
}

impl Ord for Written {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key()).then_with(|| other.sequence.cmp(&self.sequence))
    }
}

impl PartialOrd for Written {
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
        let memtable = Memtable::new(1, true);
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
        assert_eq!(memtable.get(b"b", 3, |value| value.map(<[u8]>::to_vec)), Some(None));
        assert_eq!(memtable.get(b"b", 0, |_| ()), None);
    }
}
