//! [`Shelves`]: the keys that a `SCAN` is about to show.
//!
//! A stage shows its keys in an order of its own, and a cursor is a number. So keys are shown in the order of a hash,
//! and the cursor is the hash of the last one: whatever is written meanwhile, a key that is there all the while is
//! shown once. Finding the next keys in that order is a walk over all keys. Each walk therefore
//! puts aside many more than one page has, and the pages after it come from there.

use std::collections::BinaryHeap;
use std::hash::Hasher;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use logladder_engine::{Iterate, Result};
use siphasher::sip::SipHasher13;

/// How many keys one walk puts aside at most, and about how many bytes of them.
const MOST_KEYS: usize = 1 << 16;
const MOST_BYTES: usize = 8 << 20;

/// How many scans at once find their keys put aside; with more, each page is a walk.
const MOST_SHELVES: usize = 4;

type Hashed = (u64, Box<[u8]>);

/// The keys of a stretch of hashes.
#[derive(Debug)]
struct Shelf {
    /// Behind this hash, and up to that one.
    from: u64,
    to: u64,
    /// In the order of their hashes.
    keys: Vec<Hashed>,
}

#[derive(Debug, Default)]
struct State {
    shelves: Vec<Shelf>,
    /// How many scans have begun.
    begun: u64,
}

/// What was put aside for the scans that go on now.
#[derive(Debug, Default)]
pub(crate) struct Shelves(Mutex<State>);

/// Some keys, and the cursor for the next ones: 0 behind the last.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) keys: Vec<Box<[u8]>>,
    pub(crate) cursor: u64,
}

impl Shelves {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each shelf is complete before it is put there.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys behind `cursor`, about `count` of them.
    pub(crate) fn page(&self, store: &dyn Iterate, cursor: u64, count: usize) -> Result<Page> {
        let begun = {
            let mut held = self.state();
            if cursor == 0 {
                // What was put aside before may lack what was written before this scan began.
                held.shelves.clear();
                held.begun += 1;
            }
            let found = held.shelves.iter().find(|shelf| (shelf.from..shelf.to).contains(&cursor));
            if let Some(shelf) = found {
                return Ok(shelf.page(cursor, count));
            }
            held.begun
        };
        let new = Shelf::fill(store, cursor)?;
        let page = new.page(cursor, count);
        let mut held = self.state();
        if page.cursor != 0 && held.begun == begun {
            if held.shelves.len() == MOST_SHELVES {
                held.shelves.remove(0);
            }
            held.shelves.push(new);
        }
        Ok(page)
    }
}

impl Shelf {
    fn fill(store: &dyn Iterate, from: u64) -> Result<Self> {
        let (mut nearest, mut bytes): (BinaryHeap<Hashed>, usize) = (BinaryHeap::new(), 0);
        // What is not behind it was left out.
        let mut to = u64::MAX;
        store.for_each(&mut |key, _| {
            let hash = hash(key);
            if hash > from && hash < to {
                bytes += key.len();
                nearest.push((hash, Box::from(key)));
                while nearest.len() > MOST_KEYS || (bytes > MOST_BYTES && nearest.len() > 1) {
                    let Some((hash, key)) = nearest.pop() else { break };
                    bytes -= key.len();
                    to = hash;
                }
            }
            ControlFlow::Continue(())
        })?;
        let mut keys = nearest.into_sorted_vec();
        if to < u64::MAX {
            // Keys of one hash are shown together, or the cursor would skip some.
            keys.retain(|(hash, _)| *hash < to);
            to = keys.last().map_or(to, |(last, _)| *last);
        }
        Ok(Self { from, to, keys })
    }

    fn page(&self, cursor: u64, count: usize) -> Page {
        let begin = self.keys.partition_point(|(hash, _)| *hash <= cursor);
        let rest = &self.keys[begin..];
        let mut len = count.min(rest.len());
        while len > 0 && len < rest.len() && rest[len].0 == rest[len - 1].0 {
            len += 1;
        }
        let (shown, is_all) = (&rest[..len], len == rest.len());
        let cursor = match shown.last() {
            _ if is_all && self.to == u64::MAX => 0,
            Some((last, _)) => *last,
            None => self.to,
        };
        Page { keys: shown.iter().map(|(_, key)| key.clone()).collect(), cursor }
    }
}

/// Between the first cursor and the end. It is the same in every process, so that a scan survives a restart.
fn hash(key: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(key);
    hasher.finish().clamp(1, u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use logladder::memory::Memory;
    use logladder_engine::Engine;

    use super::*;

    /// How often each key is shown, and how many pages there were.
    fn scan(shelves: &Shelves, store: &Memory, count: usize) -> (BTreeMap<Box<[u8]>, u32>, usize) {
        let (mut shown, mut cursor, mut pages) = (BTreeMap::new(), 0, 0);
        loop {
            let page = shelves.page(store, cursor, count).unwrap();
            page.keys.into_iter().for_each(|key| *shown.entry(key).or_default() += 1);
            pages += 1;
            cursor = page.cursor;
            if cursor == 0 {
                return (shown, pages);
            }
        }
    }

    #[test]
    fn a_scan_shows_each_key_once_whatever_the_size_of_its_pages() {
        let (shelves, store) = (Shelves::default(), Memory::default());
        for number in 0..1000_u32 {
            store.set(&number.to_le_bytes(), b"").unwrap();
        }
        for (count, most_pages) in [(1, 1001), (10, 101), (999, 2), (usize::MAX, 1)] {
            let (shown, pages) = scan(&shelves, &store, count);
            assert!(shown.len() == 1000 && shown.values().all(|times| *times == 1), "{count}");
            assert!(pages <= most_pages, "{pages} pages of {count}");
        }
        assert_eq!(scan(&shelves, &Memory::default(), 10).0.len(), 0);
    }

    #[test]
    fn more_keys_than_a_shelf_has_room_for_are_all_shown() {
        let (shelves, store) = (Shelves::default(), Memory::default());
        let count = MOST_KEYS + MOST_KEYS / 2;
        for number in 0..count {
            store.set(&number.to_le_bytes(), b"").unwrap();
        }
        let (shown, pages) = scan(&shelves, &store, 1 << 20);
        assert!(shown.len() == count && shown.values().all(|times| *times == 1));
        assert!((2..=4).contains(&pages), "{pages}");
    }

    #[test]
    fn a_scan_shows_what_was_written_before_it_began_though_an_older_one_still_goes_on() {
        let (shelves, store) = (Shelves::default(), Memory::default());
        for number in 0..100_u32 {
            store.set(&number.to_le_bytes(), b"").unwrap();
        }
        let older = shelves.page(&store, 0, 1).unwrap();
        store.set(b"new", b"").unwrap();
        let (shown, _) = scan(&shelves, &store, 10);
        assert!(shown.contains_key(&b"new"[..]));
        assert_ne!(shelves.page(&store, older.cursor, 1).unwrap().keys.len(), 0);
    }
}
