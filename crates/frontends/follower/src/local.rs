//! [`LocalCopy`]: the copy itself, with the place up to which it has everything.
//!
//! ```text
//!   one batch of the hash-log:  set a = 1 │ delete b │ set PLACE = {"position":"17.2.1056", …}
//! ```
//!
//! The place also says how many changes the log of the copy has with it. If there are more, someone else has written to
//! the copy since, such as a server that was started over it when the leader was gone; it is not followed any further then.
//!
//! And it says what the last change was, in short. A store has no name to know it by, and another one may have the same
//! place; but hardly with the same change before it.

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

/// What is gathered before it is written.
const MOST_BYTES: usize = 1 << 20;

/// A value that is longer is written by itself: a batch has no room for the longest and the place.
const LONGEST_IN_A_BATCH: usize = 64 << 20;

/// Up to where the copy has everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// A position of the leader; none while everything is copied.
    position: Option<String>,
    /// The copy is a state that the leader had from this position on.
    whole_from: u64,
    /// How many changes the copy's own log has, the write of this place included.
    sequence: u64,
    /// How many sets may stand behind it that cannot be in its batch: of values that end, or are too long.
    ends: u64,
    /// The change that ends at the position; none where nothing was followed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<LastChange>,
}

impl Place {
    /// The place that these bytes are, if they are one.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether the copy is a state that the leader had.
    pub(crate) fn is_whole(&self) -> bool {
        let position = self.position.as_ref().and_then(|text| text.parse::<Position>().ok());
        position.is_some_and(|position| position.sequence >= self.whole_from)
    }
}

/// The change before a place, by which the leader's store is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastChange {
    /// The position before it.
    pub(crate) before: String,
    /// Its [digest](OwnedChange::digest).
    pub(crate) digest: String,
}

/// How far the copy is, once something is written.
#[derive(Debug, Clone, Copy)]
struct Reached<'c> {
    position: Position,
    /// The change that ends there, and the position before it.
    last: Option<(Position, &'c OwnedChange)>,
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

impl OwnedChange {
    /// Whether it cannot be done in a batch.
    fn is_alone(&self) -> bool {
        self.expires.is_some() || self.value.as_ref().is_some_and(|value| value.len() > LONGEST_IN_A_BATCH)
    }

    /// A few letters that are others for another change.
    pub(crate) fn digest(&self) -> String {
        let Self { key, value, expires, next } = self;
        // No secret: it is compared with changes of servers that the copy believes anyhow.
        let mut hasher = SipHasher13::new();
        std::hash::Hash::hash(&(key, value, expires, next.to_string()), &mut hasher);
        format!("{:032x}", hasher.finish128().as_u128())
    }

    /// About how many bytes it takes.
    fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
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
                let place = Place::read(&place)
                    .ok_or_else(|| foreign("a copy whose place in the leader's log makes no sense"))?;
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

    /// The change before the place, if the copy has followed any.
    pub(crate) fn last_change(&self) -> Option<&LastChange> {
        self.place.last.as_ref()
    }

    /// Begins to take everything over. Until [`end_copy`](Self::end_copy), the copy has no place.
    pub(crate) fn begin_copy(&mut self) -> Result<()> {
        self.batch.clear();
        self.bytes = 0;
        let has_keys = !self.is_empty()?;
        self.seen = has_keys.then(HashSet::new);
        (self.place.position, self.place.last) = (None, None);
        self.write_place(None, 0)
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
        if expires.is_some() || value.len() > LONGEST_IN_A_BATCH {
            self.write_place(None, 1)?;
            return self.set_alone(key, value, expires);
        }
        self.batch.set(key, value);
        self.bytes += key.len() + value.len();
        if self.bytes >= MOST_BYTES { self.write_place(None, 0) } else { Ok(()) }
    }

    fn set_alone(&self, key: &[u8], value: &[u8], expires: Option<u64>) -> Result<()> {
        match expires {
            Some(expires) => self.store.set_until(key, value, moment(expires)),
            None => self.store.set(key, value),
        }
    }

    /// Everything was taken over, as it was at `position` and perhaps later, but not after `whole_from`. Keys that were not
    /// among it are gone at the leader.
    pub(crate) fn end_copy(&mut self, position: Position, whole_from: u64) -> Result<()> {
        self.write_place(None, 0)?;
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
                self.bytes += key.len();
                if self.bytes >= MOST_BYTES {
                    self.write_place(None, 0)?;
                }
            }
        }
        self.place.whole_from = whole_from;
        self.write_place(Some(Reached { position, last: None }), 0)
    }

    /// Does these changes, and keeps the place behind those that are done. None is left in the list. If one cannot be done, the place
    /// is before it, in memory as on the disk: nothing is ever passed over.
    pub(crate) fn apply(&mut self, changes: &mut Vec<OwnedChange>) -> Result<()> {
        // Behind the last change that is done, or in the batch.
        let mut reached: Option<Reached<'_>> = None;
        let mut before = self.place().map(|(position, _)| position);
        for run in changes.chunk_by(|one, other| one.is_alone() == other.is_alone()) {
            if run.first().is_some_and(OwnedChange::is_alone) {
                self.write_place(reached, run.len() as u64)?;
            }
            for change in run {
                let OwnedChange { key, value, expires, next } = change;
                match value {
                    _ if key == PLACE => {}
                    Some(value) if change.is_alone() => self.set_alone(key, value, *expires)?,
                    Some(value) => drop(self.batch.set(key, value)),
                    None => drop(self.batch.delete(key)),
                }
                reached = Some(Reached { position: *next, last: before.map(|before| (before, change)) });
                before = Some(*next);
                self.bytes += change.bytes();
                if self.bytes >= MOST_BYTES && !change.is_alone() {
                    self.write_place(reached, 0)?;
                }
            }
        }
        self.write_place(reached, 0)?;
        changes.clear();
        Ok(())
    }

    /// Writes what was gathered, and the place: behind `reached`, if that is said. Of what stands behind it, `ends` changes may be in no batch.
    fn write_place(&mut self, reached: Option<Reached<'_>>, ends: u64) -> Result<()> {
        let mut place = self.place.clone();
        if let Some(Reached { position, last }) = reached {
            place.position = Some(position.to_string());
            place.last = last
                .map(|(before, change)| LastChange { before: before.to_string(), digest: change.digest() });
        }
        // A batch counts each of its writes.
        let written = self.batch.len() as u64 + 1;
        place.sequence = self.store.position()?.sequence.saturating_add(written);
        place.ends = ends;
        let text = serde_json::to_vec(&place)
            .map_err(|error| Error::Poisoned { why: format!("the place cannot be written down: {error}") })?;
        self.batch.set(PLACE, &text);
        let done = self.store.write(&self.batch);
        self.batch.clear();
        self.bytes = 0;
        done?;
        self.place = place;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64) -> Position {
        Position { sequence, segment: 1, offset: 0 }
    }

    fn change(key: &[u8], expires: Option<u64>, sequence: u64) -> OwnedChange {
        OwnedChange { key: key.to_vec(), value: Some(b"value".to_vec()), expires, next: at(sequence) }
    }

    #[test]
    fn a_change_that_cannot_be_done_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let too_long = vec![b'k'; 70_000];
        for expires in [None, Some(u64::MAX)] {
            let dir = folder.path().join(format!("{}", expires.is_some()));
            let mut copy = LocalCopy::open(&dir, SyncPolicy::Never).unwrap();
            copy.begin_copy().unwrap();
            copy.end_copy(at(1), 1).unwrap();
            copy.apply(&mut vec![change(b"one", None, 2)]).unwrap();
            let mut changes = vec![change(&too_long, expires, 3), change(b"two", None, 4)];
            copy.apply(&mut changes).unwrap_err();
            assert_eq!(copy.place(), Some((at(2), 1)), "the place in memory");
            drop(copy);
            let copy = LocalCopy::open(&dir, SyncPolicy::Never).unwrap();
            assert_eq!(copy.place(), Some((at(2), 1)), "the place on the disk");
            assert_eq!(copy.store().get(b"two").unwrap(), None);
        }
    }

    #[test]
    fn a_batch_holds_no_more_than_some_bytes_however_many_changes_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut copy = LocalCopy::open(folder.path(), SyncPolicy::Never).unwrap();
        copy.begin_copy().unwrap();
        copy.end_copy(at(1), 1).unwrap();
        let before = copy.store().position().unwrap().sequence;
        let large =
            |sequence| OwnedChange { value: Some(vec![b'v'; MOST_BYTES]), ..change(b"key", None, sequence) };
        copy.apply(&mut (2..7).map(large).collect()).unwrap();
        // Each is in a batch of its own, with the place behind it; and one place ends them.
        assert_eq!(copy.store().position().unwrap().sequence - before, 5 * 2 + 1);
        assert_eq!(copy.place(), Some((at(6), 1)));
    }
}
