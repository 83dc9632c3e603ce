//! The rivals: other people's engines, each behind [`Engine`] in a file of its own, and the table of them.
//!
//! Each is called as an application would call it, by its own documentation: a write is one call or one
//! transaction, a get is a fresh read. Where an engine can hand out its bytes without a copy, the one copy is
//! that into the caller's buffer. Nothing is tuned but what decides durability.
//!
//! A rival enters twice. *Relaxed* ([`SyncPolicy::Never`]) is how it is fastest one write at a time; *synced*
//! ([`SyncPolicy::Always`]) is the most that it does before it acknowledges a write. What either survives is
//! stated in [`Rival::durability`] as the engine's documentation and source have it, and the kill test
//! shows how much of it is true for a killed process.

mod candystore;
mod fjall;
mod heed;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sled;

use std::error;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use logladder_engine::{Direction, Durability, Engine, Error, KeyRange, Result, SyncPolicy};
use serde::{Deserialize, Serialize};

type OpenRival = fn(&Path, SyncPolicy, Option<Budget>) -> Result<Box<dyn Engine>>;

/// Another project's engine.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rival {
    /// Its name in tables and on the command line.
    pub name: &'static str,
    /// The package it comes from.
    pub package: &'static str,
    /// How it is opened and called relaxed.
    pub relaxed: Opened,
    /// How it is opened and called synced.
    pub synced: Opened,
    /// Whether it is called as no application would call it all the time. Then it stands beside the others for
    /// gets alone, and is not ranked.
    pub aside: bool,
    open: OpenRival,
}

/// The memory that an engine may take for itself, in bytes. It is told to those that can be told; without it, each takes what
/// it takes by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Budget {
    /// What is written last and is not in a sorted file yet, of an engine that has such a thing.
    pub write_buffer: u64,
    /// Copies of what lies in files, of an engine that keeps any. One that maps its files has the kernel's.
    pub cache: u64,
}

/// One way to open and call an engine.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Opened {
    /// The options and calls that make the difference, in its own words.
    pub with: &'static str,
    /// What a write that it acknowledged survives.
    pub durability: Durability,
}

impl Opened {
    const fn new(with: &'static str, durability: Durability) -> Self {
        Self { with, durability }
    }
}

/// Every rival that was built.
pub static RIVALS: &[Rival] = &[
    Rival {
        name: "heed",
        package: "heed",
        relaxed: heed::RELAXED,
        synced: heed::SYNCED,
        aside: false,
        open: heed::open,
    },
    Rival {
        name: "heed-long-read",
        package: "heed",
        relaxed: heed::LONG_READ,
        synced: heed::SYNCED,
        aside: true,
        open: heed::open_for_a_long_read,
    },
    Rival {
        name: "redb",
        package: "redb",
        relaxed: redb::RELAXED,
        synced: redb::SYNCED,
        aside: false,
        open: redb::open,
    },
    Rival {
        name: "fjall",
        package: "fjall",
        relaxed: fjall::RELAXED,
        synced: fjall::SYNCED,
        aside: false,
        open: fjall::open,
    },
    Rival {
        name: "sled",
        package: "sled",
        relaxed: sled::RELAXED,
        synced: sled::SYNCED,
        aside: false,
        open: sled::open,
    },
    Rival {
        name: "candystore",
        package: "candystore",
        relaxed: candystore::RELAXED,
        synced: candystore::SYNCED,
        aside: false,
        open: candystore::open,
    },
    #[cfg(feature = "rocksdb")]
    Rival {
        name: "rocksdb",
        package: "rocksdb",
        relaxed: rocksdb::RELAXED,
        synced: rocksdb::SYNCED,
        aside: false,
        open: rocksdb::open,
    },
];

impl Rival {
    /// Opens a store of this engine in the folder `dir`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] with what the engine says.
    pub fn open(&self, dir: &Path, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
        (self.open)(dir, sync, None)
    }

    /// As [`open`](Self::open), with so much memory.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_within(&self, dir: &Path, sync: SyncPolicy, budget: Budget) -> Result<Box<dyn Engine>> {
        (self.open)(dir, sync, Some(budget))
    }

    /// How it is opened and called under this policy.
    #[must_use]
    pub fn opened(&self, sync: SyncPolicy) -> Opened {
        if is_synced(sync) { self.synced } else { self.relaxed }
    }

    /// What a write that it acknowledged survives.
    #[must_use]
    pub fn durability(&self, sync: SyncPolicy) -> Durability {
        self.opened(sync).durability
    }

    /// The version that was built, from the workspace's lock file.
    #[must_use]
    pub fn version(&self) -> &'static str {
        let lock = include_str!("../../../../Cargo.lock");
        let behind_name = lock.split_once(&format!("name = \"{}\"\nversion = \"", self.package));
        behind_name.and_then(|(_, rest)| rest.split_once('"')).map_or("unknown", |(version, _)| version)
    }
}

fn is_synced(sync: SyncPolicy) -> bool {
    matches!(sync, SyncPolicy::Always)
}

/// Turns what an engine says into an error that names what was being done, and to which store.
fn refused<E: Into<Box<dyn error::Error + Send + Sync>>>(
    op: &'static str,
    dir: &Path,
) -> impl Fn(E) -> Error {
    move |error| Error::io(op, dir, io::Error::other(error))
}

/// Puts what was read into the caller's buffer, in the one copy that is made of it.
fn copied(found: Option<impl AsRef<[u8]>>, value: &mut Vec<u8>) -> bool {
    value.clear();
    let hit = found.is_some();
    if let Some(found) = found {
        value.extend_from_slice(found.as_ref());
    }
    hit
}

/// Goes through rows from the end that the direction begins at, until `show` breaks.
fn go_through<T, E>(
    mut rows: impl DoubleEndedIterator<Item = T>,
    direction: Direction,
    mut show: impl FnMut(T) -> std::result::Result<ControlFlow<()>, E>,
) -> std::result::Result<(), E> {
    let mut next = || match direction {
        Direction::Forward => rows.next(),
        Direction::Backward => rows.next_back(),
    };
    while let Some(row) = next() {
        if show(row)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Whether a range ends before it begins. Some engines have no answer to that but a panic.
fn is_inverted(range: KeyRange<'_>) -> bool {
    match range {
        (Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
            start > end
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_rival_keeps_its_word_over_a_clean_close_at_its_stated_durability() {
        for rival in RIVALS {
            for sync in [SyncPolicy::Always, SyncPolicy::Never] {
                let folder = tempfile::tempdir().unwrap();
                let dir = folder.path().join("new");
                let store = rival.open(&dir, sync).unwrap();
                assert_eq!(store.name(), rival.name);
                assert_eq!(store.durability(), rival.durability(sync), "{}", rival.name);
                let mut value = b"what was here before".to_vec();
                assert!(!store.get_into(b"key", &mut value).unwrap(), "{}", rival.name);
                store.set(b"key", b"value").unwrap();
                store.set(b"other", &vec![b'x'; 64_000]).unwrap();
                store.set(b"key", b"newer").unwrap();
                store.delete(b"other").unwrap();
                store.delete(b"absent").unwrap();
                assert!(store.get_into(b"key", &mut value).unwrap());
                assert_eq!(value, b"newer", "{}", rival.name);
                let mut in_place = Vec::new();
                assert!(store.get_with(b"key", &mut |found| in_place.extend_from_slice(found)).unwrap());
                assert_eq!(in_place, b"newer", "{}", rival.name);
                assert!(!store.get_with(b"other", &mut |_| panic!("it was deleted")).unwrap());
                store.close().unwrap();

                let store = rival.open(&dir, sync).unwrap();
                assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"newer"[..]), "{}", rival.name);
                assert_eq!(store.get(b"other").unwrap(), None, "{}", rival.name);
                assert_eq!(store.stats().unwrap().live_keys, 1, "{}", rival.name);
            }
        }
    }

    #[test]
    fn each_rival_that_has_an_order_shows_every_range_both_ways_as_a_map_does() {
        let text = |number: u32| format!("{number:04}").into_bytes();
        let budget = Budget { write_buffer: 8 << 20, cache: 8 << 20 };
        let map: BTreeMap<Vec<u8>, Vec<u8>> =
            (0..300).map(|number| (text(2 * number), vec![b'v'; number as usize])).collect();
        let (start, end) = (text(101), text(400));
        let [start, end] = [start.as_slice(), end.as_slice()];
        let ranges: [KeyRange<'_>; 6] = [
            (Bound::Unbounded, Bound::Unbounded),
            (Bound::Included(start), Bound::Unbounded),
            (Bound::Included(start), Bound::Excluded(end)),
            (Bound::Excluded(start), Bound::Included(end)),
            (Bound::Unbounded, Bound::Excluded(start)),
            (Bound::Excluded(end), Bound::Excluded(end)),
        ];
        let mut ordered_rivals = 0;
        for rival in RIVALS {
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().join("new");
            let store = rival.open_within(&dir, SyncPolicy::Never, budget).unwrap();
            let Some(ordered) = store.as_ordered() else { continue };
            ordered_rivals += 1;
            for (key, value) in &map {
                store.set(key, value).unwrap();
            }
            for range in ranges {
                let mut expected: Vec<(Vec<u8>, Vec<u8>)> =
                    if is_inverted(range) { Vec::new() } else { pairs(map.range::<[u8], _>(range)) };
                for direction in [Direction::Forward, Direction::Backward] {
                    let mut shown = Vec::new();
                    let mut visit = |key: &[u8], value: &[u8]| {
                        shown.push((key.to_vec(), value.to_vec()));
                        ControlFlow::Continue(())
                    };
                    ordered.scan(range, direction, &mut visit).unwrap();
                    assert_eq!(shown, expected, "{}: {range:?} {direction:?}", rival.name);
                    expected.reverse();
                }
            }
            let mut seen = 0;
            let mut thrice = |_: &[u8], _: &[u8]| {
                seen += 1;
                if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            ordered.scan(ranges[0], Direction::Forward, &mut thrice).unwrap();
            assert_eq!(seen, 3, "{}", rival.name);
        }
        assert!(ordered_rivals >= 3);
    }

    fn pairs<'p>(rows: impl Iterator<Item = (&'p Vec<u8>, &'p Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
        rows.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    #[test]
    fn the_version_of_each_rival_is_known() {
        for rival in RIVALS {
            assert!(rival.version().starts_with(|first: char| first.is_ascii_digit()), "{}", rival.name);
        }
    }
}
