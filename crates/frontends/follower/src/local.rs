//! [`LocalCopy`]: the copy itself, with the place up to which it has everything.
//!
//! ```text
//!   one batch of the hash-log:  set a = 1 │ delete b │ set PLACE = {"position":"17.2.1056", …}
//! ```
//!
//! The place also says how many changes the log of the copy has with it. If there are more, someone else has written to
//! the copy since, such as a server that was started over it when the leader was gone; it is not followed any further then.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use logladder_engine::{
    Atomic, Batch, Changes, Engine, Error, Expire, Iterate, Open, Position, Result, SyncPolicy,
};
use logladder_hash_log::{HashLog, Options};
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

/// The key of the place. A key of this name at the leader is not copied.
pub(crate) const PLACE: &[u8] = b"\0logladder/follower";

/// What is gathered of a copy before it is written.
const MOST_BYTES: usize = 1 << 20;

/// Up to where the copy has everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Place {
    /// A position of the leader; none while everything is copied.
    position: Option<String>,
    /// The copy is a state that the leader had from this position on.
    whole_from: u64,
    /// How many changes the copy's own log has, the write of this place included.
    sequence: u64,
    /// How many sets of values that end may stand behind it: they cannot be in its batch.
    ends: u64,
}

/// A change of the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedChange {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
    /// Milliseconds since 1970.
    pub(crate) expires: Option<u64>,
    pub(crate) next: Position,
}

/// The copy. There is one, and nobody else writes to its store.
#[derive(Debug)]
pub(crate) struct LocalCopy {
    store: Arc<HashLog>,
    place: Place,
    batch: Batch,
    /// How many bytes are in the batch, about.
    bytes: usize,
    /// The keys that a copy has shown, by their hashes, if there were any before it.
    seen: Option<HashSet<u128>>,
    hash_key: [u8; 16],
}

impl LocalCopy {
    /// Opens the copy in the folder `dir`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignStore`] if the folder holds a store that is no copy, or to which someone else has written; else those
    /// of [`HashLog::open`].
    pub(crate) fn open(dir: &Path, sync: SyncPolicy) -> Result<Self> {
        let store = HashLog::open(dir, Options::default().with_sync(sync))?;
        let sequence = store.position()?.sequence;
        let foreign = |found: &str| Error::ForeignStore {
            dir: PathBuf::from(dir),
            expected: "follower",
            found: found.to_owned(),
        };
        let place = match store.get(PLACE)? {
            None if sequence == 0 => Place::default(),
            None => return Err(foreign("a store that is no copy of another one")),
            Some(place) => {
                let place: Place = serde_json::from_slice(&place)
                    .map_err(|_| foreign("a copy whose place in the leader's log makes no sense"))?;
                let most = place.sequence.saturating_add(place.ends);
                if !(place.sequence..=most).contains(&sequence) {
                    return Err(foreign("a copy to which someone else has written since"));
                }
                place
            }
        };
        // Keys of the leader are not of its choosing: a fixed hash could be made to collide.
        let hash_key = random_bytes();
        Ok(Self { store: Arc::new(store), place, batch: Batch::new(), bytes: 0, seen: None, hash_key })
    }

    pub(crate) fn store(&self) -> &Arc<HashLog> {
        &self.store
    }

    /// Up to where it has everything, and from which position on it is a state that the leader had; none while it is copied.
    pub(crate) fn place(&self) -> Option<(Position, u64)> {
        Some((self.place.position.as_ref()?.parse().ok()?, self.place.whole_from))
    }

    /// Begins to take everything over. Until [`end_copy`](Self::end_copy), the copy has no place.
    pub(crate) fn begin_copy(&mut self) -> Result<()> {
        self.batch.clear();
        self.bytes = 0;
        let has_keys = !self.is_empty()?;
        self.seen = has_keys.then(HashSet::new);
        self.place.position = None;
        self.write_place(0)
    }

    fn is_empty(&self) -> Result<bool> {
        let mut is_empty = true;
        self.store.for_each(&mut |key, _| {
            if key == PLACE {
                return ControlFlow::Continue(());
            }
            is_empty = false;
            ControlFlow::Break(())
        })?;
        Ok(is_empty)
    }

    /// Takes over a key. It is written with others, later.
    pub(crate) fn entry(&mut self, key: &[u8], value: &[u8], expires: Option<u64>) -> Result<()> {
        if key == PLACE {
            return Ok(());
        }
        if let Some(seen) = &mut self.seen {
            seen.insert(hash(&self.hash_key, key));
        }
        if let Some(expires) = expires {
            self.write_place(1)?;
            return self.store.set_until(key, value, moment(expires));
        }
        self.batch.set(key, value);
        self.bytes += key.len() + value.len();
        if self.bytes >= MOST_BYTES { self.write_place(0) } else { Ok(()) }
    }

    /// Everything was taken over, as it was at `position` and perhaps later, but not after `whole_from`. Keys that were not
    /// among it are gone at the leader.
    pub(crate) fn end_copy(&mut self, position: Position, whole_from: u64) -> Result<()> {
        self.write_place(0)?;
        if let Some(seen) = self.seen.take() {
            let mut gone = Vec::new();
            self.store.for_each(&mut |key, _| {
                if key != PLACE && !seen.contains(&hash(&self.hash_key, key)) {
                    gone.push(key.to_vec());
                }
                ControlFlow::Continue(())
            })?;
            for key in gone {
                self.batch.delete(&key);
            }
        }
        self.place.position = Some(position.to_string());
        self.place.whole_from = whole_from;
        self.write_place(0)
    }

    /// Does these changes, and keeps the place behind the last of them. None is left in the list.
    pub(crate) fn apply(&mut self, changes: &mut Vec<OwnedChange>) -> Result<()> {
        for run in changes.chunk_by(|one, other| one.expires.is_some() == other.expires.is_some()) {
            let ends = run.first().is_some_and(|first| first.expires.is_some());
            if ends {
                self.write_place(run.len() as u64)?;
            }
            for OwnedChange { key, value, expires, next } in run {
                self.place.position = Some(next.to_string());
                match (value, expires) {
                    _ if key == PLACE => {}
                    (Some(value), Some(expires)) => self.store.set_until(key, value, moment(*expires))?,
                    (Some(value), None) => drop(self.batch.set(key, value)),
                    (None, _) => drop(self.batch.delete(key)),
                }
            }
        }
        changes.clear();
        self.write_place(0)
    }

    /// Writes what was gathered, and the place. Of what stands behind it, `ends` changes may be in no batch.
    fn write_place(&mut self, ends: u64) -> Result<()> {
        // A batch counts each of its writes.
        let written = self.batch.len() as u64 + 1;
        self.place.sequence = self.store.position()?.sequence.saturating_add(written);
        self.place.ends = ends;
        let place = serde_json::to_vec(&self.place)
            .map_err(|error| Error::Poisoned { why: format!("the place cannot be written down: {error}") })?;
        self.batch.set(PLACE, &place);
        let done = self.store.write(&self.batch);
        self.batch.clear();
        self.bytes = 0;
        done
    }
}

fn moment(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn hash(hash_key: &[u8; 16], key: &[u8]) -> u128 {
    let mut hasher = SipHasher13::new_with_key(hash_key);
    std::hash::Hasher::write(&mut hasher, key);
    hasher.finish128().as_u128()
}

/// As random as the hashes of the standard library's maps.
fn random_bytes() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = |number: u64| RandomState::new().hash_one(number).to_le_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half(0));
    bytes[8..].copy_from_slice(&half(1));
    bytes
}
