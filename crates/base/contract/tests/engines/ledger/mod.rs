//! A small engine with every capability, and what becomes of it when one of its lines is wrong.
//!
//! It is a map of versions in memory over one log. Its compaction writes the log anew: first a record that says
//! where the changes begin, then the versions that are kept, then what comes after.

mod capabilities;
mod collections;
mod flaw;
mod record;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Disk, File, OpenOn, Poison, RealDisk, StoreFolder, cut_torn_tail, replace};
use logladder_engine::{
    Atomic, Backup, Changes, Collections, Compact, Durability, Engine, Error, Expire, History, Iterate, Open,
    Repair, Result, Stats, SyncPolicy, limits,
};

pub(crate) use flaw::Flaw;
use record::{Kind, NO_END, Record};

const LOG: &str = "log";

/// Stands in a folder while it is no store yet.
const UNFINISHED: &str = "unfinished copy";

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) sync: SyncPolicy,
    /// How many versions of a key are kept.
    pub(crate) versions: usize,
    /// How many bytes the records of a batch may have.
    pub(crate) batch_limit: usize,
    /// Whether deleting what is not there is left out of the log.
    pub(crate) skips_deletes: bool,
    pub(crate) flaw: Flaw,
}

impl Default for Options {
    fn default() -> Self {
        let (sync, flaw) = (SyncPolicy::Always, Flaw::None);
        Self { sync, versions: 1, batch_limit: 1 << 20, skips_deletes: false, flaw }
    }
}

#[derive(Debug)]
pub(crate) struct Ledger {
    folder: StoreFolder,
    options: Options,
    state: Mutex<State>,
    poison: Poison,
    repairs: Vec<Repair>,
}

#[derive(Debug)]
struct State {
    log: Box<dyn File>,
    /// How often it has been compacted.
    generation: u64,
    /// The sequence behind which all changes are in the log, and where those begin in it.
    base: (u64, u64),
    /// Those changes, each with the offset behind it.
    changes: Vec<(Record, u64)>,
    /// The versions of each key, the oldest first.
    versions: BTreeMap<Vec<u8>, Vec<Record>>,
}

impl State {
    fn sequence(&self) -> u64 {
        self.base.0 + self.changes.len() as u64
    }

    /// The value of `key`, unless it has ended.
    fn value(&self, key: &[u8]) -> Option<&Record> {
        self.versions.get(key)?.last().filter(|newest| newest.is_live(now()))
    }

    fn live(&self) -> impl Iterator<Item = &Record> {
        self.versions.values().filter_map(|versions| versions.last()).filter(|newest| newest.is_live(now()))
    }

    fn apply(&mut self, record: Record, end: u64) {
        self.versions.entry(record.key.clone()).or_default().push(record.clone());
        if record.sequence > self.base.0 {
            self.changes.push((record, end));
        }
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    milliseconds(SystemTime::now())
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(NO_END).min(NO_END - 1)
}

/// A write that has no number yet.
#[derive(Debug, Clone, Copy)]
struct Submitted<'w> {
    key: &'w [u8],
    value: Option<&'w [u8]>,
    end: u64,
}

impl Ledger {
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| Error::panicked())
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.options.flaw == flaw
    }

    fn disk(&self) -> &Arc<dyn Disk> {
        self.folder.disk()
    }

    /// Appends the writes as one, and does them.
    fn write_all(&self, state: &mut State, writes: &[Submitted<'_>]) -> Result<()> {
        self.poison.check()?;
        let writes = &self.of_effect(state, writes)[..];
        if writes.is_empty() {
            return Ok(());
        }
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        let start = state.log.len();
        for (place, write) in writes.iter().enumerate() {
            let before =
                records.iter().filter(|(record, _): &&(Record, u64)| record.key == write.key).count();
            let newest = state.versions.get(write.key).and_then(|versions| versions.last());
            let mut end = write.end;
            if self.is(Flaw::KeepsTheEnd) && end == NO_END && write.value.is_some() {
                end = newest.map_or(NO_END, |newest| newest.end);
            }
            let record = Record {
                kind: if write.value.is_some() { Kind::Set } else { Kind::Delete },
                continues: place + 1 < writes.len() && !self.is(Flaw::WritesBatchesAsSingles),
                sequence: state.sequence() + 1 + place as u64,
                number: newest.map_or(0, |newest| newest.number) + 1 + before as u64,
                end,
                key: write.key.to_vec(),
                value: write.value.unwrap_or_default().to_vec(),
            };
            record.encode(&mut bytes);
            records.push((record, start + bytes.len() as u64));
        }
        if writes.len() < 2 || !self.is(Flaw::KeepsBatchesInMemory) {
            self.poison.guard(self.append(state, &bytes))?;
        }
        for (record, end) in records {
            state.apply(record, end);
        }
        Ok(())
    }

    /// The writes that are to be in the log.
    fn of_effect<'w>(&self, state: &State, writes: &[Submitted<'w>]) -> Vec<Submitted<'w>> {
        let mut effective: Vec<Submitted<'w>> = Vec::new();
        for write in writes {
            let earlier = effective.iter().rev().find(|earlier| earlier.key == write.key);
            let is_there =
                earlier.map_or_else(|| state.value(write.key).is_some(), |earlier| earlier.value.is_some());
            if is_there || write.value.is_some() || !self.options.skips_deletes {
                effective.push(*write);
            }
        }
        effective
    }

    fn append(&self, state: &State, bytes: &[u8]) -> Result<()> {
        state.log.append(bytes)?;
        if self.options.sync == SyncPolicy::Never { Ok(()) } else { state.log.sync() }
    }
}

/// What of a log is whole.
struct Replayed {
    records: Vec<(Record, u64)>,
    end: usize,
    /// Whether something valid follows.
    goes_on: bool,
}

/// A batch counts from its last record on.
fn replay(bytes: &[u8]) -> Replayed {
    let (mut records, mut batch, mut at, mut end) = (Vec::new(), Vec::new(), 0, 0);
    while let Some((record, len)) = Record::decode(&bytes[at..]) {
        at += len;
        let continues = record.continues && !sabotage::skips(Rule::BatchWhole);
        batch.push((record, at as u64));
        if !continues {
            records.append(&mut batch);
            end = at;
        }
    }
    let skips = sabotage::skips(Rule::TailRule);
    let goes_on = !skips && (at + 1..bytes.len()).any(|later| Record::decode(&bytes[later..]).is_some());
    Replayed { records, end, goes_on }
}

impl OpenOn for Ledger {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        let folder = StoreFolder::open(disk.clone(), dir, "ledger", 1, |name| name == LOG)?;
        let path = folder.path(LOG);
        if disk.entry(&path)?.is_none() {
            replace(&*disk, &path, &[], SyncPolicy::Always)?;
        }
        let bytes = disk.read(&path)?;
        let Replayed { mut records, end, goes_on } = replay(&bytes);
        if goes_on {
            return Err(Error::corrupt(&path, end as u64, "a record fails its check, and others follow"));
        }
        let mut state = State {
            log: disk.open(&path)?,
            generation: 0,
            base: (0, 0),
            changes: Vec::new(),
            versions: BTreeMap::new(),
        };
        if records.first().is_some_and(|(first, _)| first.kind == Kind::Base) {
            let (base, _) = records.remove(0);
            let kept = usize::from_le_bytes(base.value.try_into().unwrap_or_default());
            let Some(rest) = records.len().checked_sub(kept) else {
                return Err(Error::corrupt(
                    &path,
                    end as u64,
                    "it ends before what a compaction has written",
                ));
            };
            let begins = if rest == 0 { end as u64 } else { records[kept].1 - records[kept].0.len() };
            state.generation = base.number;
            state.base = (base.sequence, begins);
        } else if !records.is_empty() && records[0].0.sequence != 1 {
            return Err(Error::corrupt(&path, 0, "its beginning is missing"));
        }
        let mut repairs = Vec::new();
        if end < bytes.len() {
            repairs.push(cut_torn_tail(&*disk, &*state.log, end as u64)?);
        }
        for (mut record, end) in records {
            if options.flaw == Flaw::ForgetsEnds {
                record.end = NO_END;
            }
            if options.flaw == Flaw::CountsAnewWhenOpened && !state.versions.contains_key(&record.key) {
                record.number = 1;
            }
            state.apply(record, end);
        }
        // What a process that died had not synced becomes durable before anything is built on it.
        disk.sync_files(dir)?;
        Ok(Self { folder, options, state: Mutex::new(state), poison: Poison::default(), repairs })
    }
}

impl Open for Ledger {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl Engine for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn durability(&self) -> Durability {
        self.options.sync.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        Ok(self.state()?.value(key).map(|record| record.value.clone()))
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let value = self.get(key)?;
        if value.is_some() || self.is(Flaw::ShowsAbsentKeys) {
            read(value.as_deref().unwrap_or_default());
        }
        Ok(value.is_some())
    }

    fn get_many(&self, keys: &[&[u8]], visit: &mut dyn FnMut(usize, Option<&[u8]>)) -> Result<()> {
        for (place, key) in keys.iter().enumerate() {
            if self.is(Flaw::SkipsRepeatedKeys) && keys[..place].contains(key) {
                continue;
            }
            visit(place, self.get(key)?.as_deref());
        }
        Ok(())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.write_all(&mut *self.state()?, &[Submitted { key, value: Some(value), end: NO_END }])
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.write_all(&mut *self.state()?, &[Submitted { key, value: None, end: NO_END }])
    }

    fn sync(&self) -> Result<()> {
        let state = self.state()?;
        self.poison.check()?;
        self.poison.guard(state.log.sync())
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        for record in self.state()?.live() {
            stats.live_keys += 1;
            stats.live_bytes += (record.key.len() + record.value.len()) as u64;
        }
        stats.disk_bytes = self.folder.disk_bytes()?;
        Ok(stats)
    }

    fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }

    fn as_atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn as_history(&self) -> Option<&dyn History> {
        Some(self)
    }

    fn as_changes(&self) -> Option<&dyn Changes> {
        Some(self)
    }

    fn as_expire(&self) -> Option<&dyn Expire> {
        Some(self)
    }

    fn as_collections(&self) -> Option<&dyn Collections> {
        Some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        Some(self)
    }

    fn as_backup(&self) -> Option<&dyn Backup> {
        Some(self)
    }
}
