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
use std::path::Path;

use logladder_engine::{Durability, Engine, Error, Result, SyncPolicy};

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
    open: fn(&Path, SyncPolicy) -> Result<Box<dyn Engine>>,
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
        (self.open)(dir, sync)
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

#[cfg(test)]
mod tests {
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
    fn the_version_of_each_rival_is_known() {
        for rival in RIVALS {
            assert!(rival.version().starts_with(|first: char| first.is_ascii_digit()), "{}", rival.name);
        }
    }
}
