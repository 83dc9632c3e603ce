//! Small engines that keep the contract, and what becomes of them when one of their lines is wrong.
//!
//! [`LogEngine`] is a map in memory over one log. A record is `CRC32 | tombstone | key length | value length | key | value`.

pub(crate) mod late;
pub(crate) mod ledger;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Disk, File, OpenOn, Poison, RealDisk, StoreFolder, cut_torn_tail, replace};
use logladder_engine::{
    Compact, Compacted, Durability, Engine, Error, Iterate, Open, Repair, Result, Stats, SyncPolicy, Visit,
    limits,
};

const LOG: &str = "log";
const HEADER: usize = 13;

/// What is wrong with the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mutation {
    #[default]
    Nothing,
    /// A delete reaches the map and not the log.
    LosesDeletes,
    /// A write is acknowledged before it is synced.
    ForgetsToSync,
    /// A write is acknowledged before the system has it.
    KeepsWritesToItself,
    /// `get_into` leaves the buffer as it is when there is no value.
    KeepsTheBuffer,
    /// A read gives the value before the last one.
    ReadsOldValues,
    /// Opening overlooks the last record.
    DropsTheLastRecord,
    /// Opening panics where a record is not whole.
    PanicsOnATornTail,
    /// After a failed append it goes on appending.
    GoesOnAfterAFailure,
    /// A failed sync counts as a good one.
    SwallowsFailedSyncs,
    /// Reading stops at the first bad record, whatever follows.
    CutsAtTheFirstBadRecord,
    /// What a process that died had not synced is taken for durable.
    TrustsWhatItFinds,
    /// What it cuts off is thrown away.
    ThrowsTailsAway,
    /// The new log of a compaction is not synced.
    CompactsWithoutSync,
    /// A compaction forgets the last key.
    CompactsOneKeyAway,
    /// Keys are compared in lower case.
    IgnoresCase,
    /// A value `null` counts as deleted.
    TakesNullForDeleted,
    /// Nothing is locked.
    OpensTwice,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) sync: SyncPolicy,
    pub(crate) mutation: Mutation,
}

#[derive(Debug)]
pub(crate) struct LogEngine {
    folder: Option<StoreFolder>,
    disk: Arc<dyn Disk>,
    options: Options,
    state: Mutex<State>,
    poison: Poison,
    repairs: Vec<Repair>,
}

#[derive(Debug)]
struct State {
    log: Box<dyn File>,
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    before: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The limits of keys and values are below 2³².
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn record(key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let mut rest = vec![u8::from(value.is_none())];
    let value = value.unwrap_or_default();
    rest.extend(length(key).to_le_bytes());
    rest.extend(length(value).to_le_bytes());
    rest.extend(key);
    rest.extend(value);
    [&crc32fast::hash(&rest).to_le_bytes()[..], &rest].concat()
}

type Record = (Vec<u8>, Option<Vec<u8>>, usize);

/// The record at the beginning of `bytes`, and its length.
fn parse(bytes: &[u8]) -> Option<Record> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (key_len, value_len) = (number(5)? as usize, number(9)? as usize);
    let end = HEADER.checked_add(key_len)?.checked_add(value_len)?;
    let rest = bytes.get(4..end)?;
    if crc32fast::hash(rest) != number(0)? && !sabotage::skips(Rule::ChecksumCheck) {
        return None;
    }
    let (key, value) = rest[HEADER - 4..].split_at(key_len);
    Some((key.to_vec(), (rest[0] == 0).then(|| value.to_vec()), end))
}

impl LogEngine {
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| Error::panicked())
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.options.mutation == mutation
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
        if self.is(Mutation::IgnoresCase) { key.to_ascii_lowercase() } else { key.to_vec() }
    }

    fn write(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let mut state = self.state()?;
        if !self.is(Mutation::GoesOnAfterAFailure) {
            self.poison.check()?;
        }
        self.poison.guard(self.append(&state, key, value))?;
        let before = state.map.get(key).cloned().unwrap_or_default();
        state.before.insert(key.to_vec(), before);
        match value {
            Some(value) => state.map.insert(key.to_vec(), value.to_vec()),
            None => state.map.remove(key),
        };
        Ok(())
    }

    fn append(&self, state: &State, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        if value.is_none() && self.is(Mutation::LosesDeletes) {
            return Ok(());
        }
        if self.is(Mutation::KeepsWritesToItself) {
            return Ok(());
        }
        state.log.append(&record(key, value))?;
        if self.options.sync == SyncPolicy::Never || self.is(Mutation::ForgetsToSync) {
            return Ok(());
        }
        match state.log.sync() {
            Err(_) if self.is(Mutation::SwallowsFailedSyncs) => Ok(()),
            outcome => outcome,
        }
    }

    /// What of the log is whole; where it ends; and whether something valid follows.
    fn replay(bytes: &[u8], mutation: Mutation) -> (Vec<Record>, usize, bool) {
        let (mut records, mut at) = (Vec::new(), 0);
        while let Some(found) = parse(&bytes[at..]) {
            at += found.2;
            records.push(found);
        }
        let skips = sabotage::skips(Rule::TailRule) || mutation == Mutation::CutsAtTheFirstBadRecord;
        let goes_on = !skips && (at + 1..bytes.len()).any(|later| parse(&bytes[later..]).is_some());
        (records, at, goes_on)
    }
}

impl OpenOn for LogEngine {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        let mut folder = Some(StoreFolder::open(disk.clone(), dir, "reference", 1, |name| name == LOG)?);
        let path = dir.join(LOG);
        if options.mutation == Mutation::OpensTwice {
            folder = None;
        }
        if disk.entry(&path)?.is_none() {
            replace(&*disk, &path, &[], SyncPolicy::Always)?;
        }
        let bytes = disk.read(&path)?;
        let (mut records, end, goes_on) = Self::replay(&bytes, options.mutation);
        if goes_on {
            return Err(Error::corrupt(&path, end as u64, "a record fails its check, and others follow"));
        }
        let (log, mut repairs) = (disk.open(&path)?, Vec::new());
        if end < bytes.len() {
            assert!(options.mutation != Mutation::PanicsOnATornTail, "a torn tail");
            repairs.push(cut_torn_tail(&*disk, &*log, end as u64)?);
            if options.mutation == Mutation::ThrowsTailsAway {
                disk.remove(&repairs[0].kept)?;
            }
        }
        if options.mutation == Mutation::DropsTheLastRecord {
            records.pop();
        }
        let mut map = BTreeMap::new();
        for (key, value, _) in records {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        // What a process that died had not synced becomes durable before anything is built on it.
        if options.mutation != Mutation::TrustsWhatItFinds {
            disk.sync_files(dir)?;
        }
        let state = Mutex::new(State { log, map, before: BTreeMap::new() });
        Ok(Self { folder, disk, options, state, poison: Poison::default(), repairs })
    }
}

impl Open for LogEngine {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl Engine for LogEngine {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn durability(&self) -> Durability {
        self.options.sync.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        let state = self.state()?;
        if self.is(Mutation::ReadsOldValues) && state.before.get(key).is_some_and(|old| !old.is_empty()) {
            return Ok(state.before.get(key).cloned());
        }
        Ok(state.map.get(&self.key(key)).cloned())
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        if !self.is(Mutation::KeepsTheBuffer) {
            value.clear();
        }
        let Some(found) = self.get(key)? else { return Ok(false) };
        value.clear();
        value.extend(found);
        Ok(true)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        if self.is(Mutation::TakesNullForDeleted) && value == b"null" {
            return self.write(key, None);
        }
        self.write(&self.key(key), Some(value))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.write(&self.key(key), None)
    }

    fn sync(&self) -> Result<()> {
        let state = self.state()?;
        if self.is(Mutation::SwallowsFailedSyncs) {
            let _ = state.log.sync();
            return Ok(());
        }
        self.poison.check()?;
        self.poison.guard(state.log.sync())
    }

    fn stats(&self) -> Result<Stats> {
        let map = &self.state()?.map;
        let mut stats = Stats::default();
        stats.live_keys = map.len() as u64;
        stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        stats.disk_bytes = self.folder.as_ref().map_or(Ok(0), StoreFolder::disk_bytes)?;
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

impl Iterate for LogEngine {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let keys: Vec<Vec<u8>> = self.state()?.map.keys().cloned().collect();
        for key in keys {
            let Some(value) = self.get(&key)? else { continue };
            if visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl Compact for LogEngine {
    fn compact(&self) -> Result<Compacted> {
        let mut state = self.state()?;
        self.poison.check()?;
        let path = state.log.path().to_path_buf();
        let before = state.log.len();
        let mut records: Vec<Vec<u8>> =
            state.map.iter().map(|(key, value)| record(key, Some(value))).collect();
        if self.is(Mutation::CompactsOneKeyAway) {
            records.pop();
        }
        let pieces: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let synced = !self.is(Mutation::CompactsWithoutSync) && !sabotage::skips(Rule::CopySyncedFirst);
        let policy = if synced { SyncPolicy::Always } else { SyncPolicy::Never };
        // A failure may leave the old log under the handle that the new one replaced.
        self.poison.guard(replace(&*self.disk, &path, &pieces, policy))?;
        state.log = self.poison.guard(self.disk.open(&path))?;
        let mut compacted = Compacted::default();
        compacted.bytes_reclaimed = before - state.log.len();
        Ok(compacted)
    }
}

/// The smallest engine there is: nothing survives.
#[derive(Debug, Default)]
pub(crate) struct MapEngine {
    map: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Engine for MapEngine {
    fn name(&self) -> &'static str {
        "map"
    }

    fn durability(&self) -> Durability {
        Durability::Never
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        Ok(self.map.lock().map_err(|_| Error::panicked())?.get(key).cloned())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.map.lock().map_err(|_| Error::panicked())?.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.map.lock().map_err(|_| Error::panicked())?.remove(key);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> Result<Stats> {
        let map = self.map.lock().map_err(|_| Error::panicked())?;
        let mut stats = Stats::default();
        stats.live_keys = map.len() as u64;
        stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        Ok(stats)
    }
}
