//! [`Museum`]: a small engine of the kind of stage 7, an index over log segments, that keeps the contract; and that can be
//! opened with one [`Bug`].
//!
//! ```text
//!   set, delete ──► record ──► the newest segment, 0003.log ──► index: key ──► segment, place
//!                                │ full: an end record, a sync, a hint, and 0004.log begins
//!   get ──► index ──► one read of a record, whose checksum and key are compared
//!   compact ──► what is live in a run of full segments ──► 0003.log anew ──► 0001.log, 0002.log are removed
//! ```
//!
//! Each bug is asked about in one place, between two anchors that have its name. What the right engine does stands in the
//! other branch. [`patch`](crate::patch) shows the two side by side.

mod compact;
pub(crate) mod describe;
mod hint;
mod open;
pub(crate) mod record;
mod scan;
mod segments;

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use logladder_disk::{Disk, File, LOCK_FILE, OpenOn, Poison, RealDisk, StoreFolder};
use logladder_engine::{
    Compact, Compacted, Durability, Engine, Error, Iterate, Open, Repair, Result, Stats, SyncPolicy, Visit,
    limits,
};

use crate::Bug;
use record::{Kind, RECORD_HEADER, Record};

/// The value that one of the bugs takes for "deleted".
const TOMBSTONE: &[u8] = b"__tombstone__";

/// How a store of the museum is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What is wrong with it.
    pub bug: Bug,
    /// When a write is synced.
    pub sync: SyncPolicy,
    /// A segment that has so many bytes is full. Few, so that a handful of writes fills some.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { bug: Bug::None, sync: SyncPolicy::Always, segment_bytes: 72 }
    }
}

/// A small engine: an index in memory over log segments, with tombstones, compaction and hints.
#[derive(Debug)]
pub struct Museum {
    bug: Bug,
    options: Options,
    folder: StoreFolder,
    state: Mutex<State>,
    /// Held by the compaction that is under way.
    compacting: Mutex<()>,
    poison: Poison,
    /// Whether opening succeeded.
    is_open: bool,
    repairs: Vec<Repair>,
}

#[derive(Debug, Default)]
struct State {
    index: BTreeMap<Vec<u8>, Place>,
    /// By number. The last one is appended to.
    segments: BTreeMap<u32, Segment>,
    next_stamp: u64,
}

/// Where the newest record of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    segment: u32,
    offset: usize,
    len: usize,
    stamp: u64,
}

#[derive(Debug)]
struct Segment {
    /// The lowest number of a segment whose records are in it.
    first: u32,
    file: Box<dyn File>,
}

impl Museum {
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| Error::panicked())
    }

    fn disk(&self) -> &dyn Disk {
        &**self.folder.disk()
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
        // ANCHOR: folds-case
        if self.bug == Bug::FoldsCase { key.to_ascii_lowercase() } else { key.to_vec() }
        // ANCHOR_END: folds-case
    }

    /// Writes a record, and lets the index show it.
    fn write(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let key = self.key(key);
        let mut state = self.state()?;
        // ANCHOR: writes-behind-garbage
        if self.bug != Bug::WritesBehindGarbage {
            self.poison.check()?;
        }
        // ANCHOR_END: writes-behind-garbage
        // ANCHOR: magic-value
        let is_kept = if self.bug == Bug::MagicValue { value != Some(TOMBSTONE) } else { true };
        // ANCHOR_END: magic-value
        let Some(value) = value.filter(|_| is_kept) else {
            // ANCHOR: loses-deletes
            if self.bug != Bug::LosesDeletes {
                self.poison.guard(self.append(&mut state, Kind::Tombstone, &key, &[]))?;
            }
            // ANCHOR_END: loses-deletes
            state.index.remove(&key);
            return Ok(());
        };
        let place = self.poison.guard(self.append(&mut state, Kind::Value, &key, value))?;
        // ANCHOR: keeps-old-values
        if self.bug == Bug::KeepsOldValues {
            state.index.entry(key).or_insert(place);
        } else {
            state.index.insert(key, place);
        }
        // ANCHOR_END: keeps-old-values
        Ok(())
    }

    /// Appends a record to the newest segment, or to a new one if that is full.
    fn append(&self, state: &mut State, kind: Kind, key: &[u8], value: &[u8]) -> Result<Place> {
        if state.newest()?.1.file.len() >= self.options.segment_bytes {
            self.rotate(state)?;
        }
        let stamp = state.next_stamp;
        let bytes = record::encode(self.bug, &Record { kind, stamp, key, value });
        state.next_stamp = stamp.saturating_add(1);
        let (segment, newest) = state.newest()?;
        let offset = usize::try_from(newest.file.append(&bytes)?).unwrap_or(usize::MAX);
        // ANCHOR: forgets-to-sync
        if self.bug != Bug::ForgetsToSync {
            self.sync_if_asked_to(&*newest.file)?;
        }
        // ANCHOR_END: forgets-to-sync
        Ok(Place { segment, offset, len: bytes.len(), stamp })
    }

    fn sync_if_asked_to(&self, file: &dyn File) -> Result<()> {
        if self.options.sync == SyncPolicy::Never {
            return Ok(());
        }
        // ANCHOR: swallows-sync-errors
        if self.bug == Bug::SwallowsSyncErrors {
            let _ = file.sync(); // the next one will do
            Ok(())
        } else {
            file.sync()
        }
        // ANCHOR_END: swallows-sync-errors
    }

    /// The record at `place`, if it is what the index says it is.
    fn read(&self, state: &State, key: &[u8], place: Place) -> Result<Vec<u8>> {
        let path = self.segment_path(place.segment);
        let damaged = |what: &str| Error::corrupt(&path, place.offset as u64, what);
        let Some(segment) = state.segments.get(&place.segment) else {
            return Err(damaged("the segment is not there"));
        };
        // A hint may claim anything. What is not there is not allocated either.
        if (place.offset as u64).saturating_add(place.len as u64) > segment.file.len() {
            return Err(damaged("the index leads past the end"));
        }
        let mut bytes = vec![0; place.len];
        segment.file.read_at(place.offset as u64, &mut bytes)?;
        match record::parse(self.bug, &bytes) {
            Some(record) if record.kind == Kind::Value && record.key == key => Ok(record.value.to_vec()),
            Some(_) => Err(damaged("the record is not the one that the index means")),
            None => Err(damaged("the record fails its check")),
        }
    }
}

impl State {
    /// The segment that is appended to, and its number.
    fn newest(&self) -> Result<(u32, &Segment)> {
        let newest = self.segments.last_key_value().map(|(&number, segment)| (number, segment));
        newest.ok_or_else(|| Error::Poisoned { why: "the store has no segment".into() })
    }

    /// The key whose record comes next behind a place.
    fn first_behind(&self, place: Option<Place>) -> Option<(Vec<u8>, Place)> {
        let behind = self.index.iter().filter(|(_, other)| Some(**other) > place);
        behind.min_by_key(|(_, place)| **place).map(|(key, &place)| (key.clone(), place))
    }
}

impl Drop for Museum {
    fn drop(&mut self) {
        // ANCHOR: unlinks-the-lock
        if self.bug == Bug::UnlinksTheLock {
            let _ = self.disk().remove(&self.folder.path(LOCK_FILE));
        }
        // ANCHOR_END: unlinks-the-lock
        if self.bug == Bug::LocksByExistence && self.is_open {
            let _ = self.disk().remove(&self.folder.path(open::IN_USE));
        }
    }
}

impl OpenOn for Museum {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        open::open(disk, dir, options)
    }
}

impl Open for Museum {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl Engine for Museum {
    fn name(&self) -> &'static str {
        "museum"
    }

    fn durability(&self) -> Durability {
        self.options.sync.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        let (key, state) = (self.key(key), self.state()?);
        state.index.get(&key).map(|&place| self.read(&state, &key, place)).transpose()
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        // ANCHOR: keeps-the-buffer
        if self.bug != Bug::KeepsTheBuffer {
            value.clear();
        }
        // ANCHOR_END: keeps-the-buffer
        let Some(found) = self.get(key)? else { return Ok(false) };
        *value = found;
        Ok(true)
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        // ANCHOR: reads-under-the-lock
        if self.bug == Bug::ReadsUnderTheLock {
            limits::check_key(key)?;
            let state = self.state()?;
            let Some(&place) = state.index.get(key) else { return Ok(false) };
            read(&self.read(&state, key, place)?); // and if it panics?
        } else {
            let Some(value) = self.get(key)? else { return Ok(false) };
            read(&value);
        }
        // ANCHOR_END: reads-under-the-lock
        Ok(true)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.write(key, Some(value))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.write(key, None)
    }

    fn sync(&self) -> Result<()> {
        let state = self.state()?;
        self.poison.check()?;
        // Full segments were synced when they became full.
        self.poison.guard(state.newest()?.1.file.sync())
    }

    fn stats(&self) -> Result<Stats> {
        let index = &self.state()?.index;
        let mut stats = Stats::default();
        stats.live_keys = index.len() as u64;
        stats.live_bytes = index.values().map(|place| (place.len - RECORD_HEADER) as u64).sum();
        stats.disk_bytes = self.folder.disk_bytes()?;
        Ok(stats)
    }

    fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        Some(self)
    }
}

impl Iterate for Museum {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let mut keys: VecDeque<(Vec<u8>, Place)> =
            self.state()?.index.iter().map(|(key, &place)| (key.clone(), place)).collect();
        let mut last = None;
        loop {
            // ANCHOR: visits-by-place
            let next = if self.bug == Bug::VisitsByPlace {
                self.state()?.first_behind(last)
            } else {
                keys.pop_front()
            };
            // ANCHOR_END: visits-by-place
            let Some((key, place)) = next else { return Ok(()) };
            last = Some(place);
            // ANCHOR: holds-places
            let value = if self.bug == Bug::HoldsPlaces {
                Some(self.read(&*self.state()?, &key, place)?) // where it was when the visit began
            } else {
                self.get(&key)?
            };
            // ANCHOR_END: holds-places
            if value.is_some_and(|value| visit(&key, &value) == ControlFlow::Break(())) {
                return Ok(());
            }
        }
    }
}

impl Compact for Museum {
    fn compact(&self) -> Result<Compacted> {
        let _one_at_a_time = self.compacting.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        let Some(run) = self.choose()? else { return Ok(Compacted::default()) };
        let copy = self.copy(&run)?;
        if copy.bytes.len() as u64 >= run.bytes {
            return Ok(Compacted::default());
        }
        // A failure may leave the old segment under the handle that the new one replaced.
        self.poison.guard(self.install(&run, &copy))
    }
}
