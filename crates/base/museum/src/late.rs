//! [`Late`]: a small engine of the kind of stage 6, a map in memory that is written later; and that can be opened with one
//! [`Bug`]. Its durability is `Eventual`, so what it failed to write it may write again.
//!
//! ```text
//!   set, delete ──► the map, which is dirty now
//!   sync        ──► if it is: CRC │ record │ record │ … ──► the file `map`, anew ──► clean
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use logladder_disk::{Disk, OpenOn, RealDisk, StoreFolder, replace};
use logladder_engine::{Durability, Engine, Error, Open, Result, Stats, SyncPolicy, limits};

use crate::Bug;
use crate::engine::record::{self, Kind, Record};

const FILE: &str = "map";

/// A small engine: a map in memory, and one file that `sync` writes anew.
#[derive(Debug)]
pub struct Late {
    bug: Bug,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    _lock: Option<StoreFolder>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    is_dirty: bool,
}

impl Late {
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| Error::panicked())
    }

    fn write(&self, state: &mut State) -> Result<()> {
        // ANCHOR: clean-too-early
        if self.bug == Bug::CleanTooEarly {
            state.is_dirty = false;
            self.write_file(&state.map)?;
        } else {
            self.write_file(&state.map)?;
            state.is_dirty = false;
        }
        // ANCHOR_END: clean-too-early
        Ok(())
    }

    fn write_file(&self, map: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<()> {
        let records = map.iter().map(|(key, value)| {
            record::encode(Bug::None, &Record { kind: Kind::Value, stamp: 0, key, value })
        });
        let records = records.collect::<Vec<_>>().concat();
        let bytes = [&crc32fast::hash(&records).to_le_bytes()[..], &records].concat();
        let (disk, path) = (&*self.disk, self.dir.join(FILE));
        // ANCHOR: writes-in-place
        if self.bug == Bug::WritesInPlace && disk.entry(&path)?.is_some() {
            let file = disk.open(&path)?;
            file.truncate(0)?;
            file.append(&bytes)?;
            return file.sync();
        }
        // ANCHOR_END: writes-in-place
        // ANCHOR: never-syncs
        let sync = if self.bug == Bug::NeverSyncs { SyncPolicy::Never } else { SyncPolicy::Always };
        // ANCHOR_END: never-syncs
        replace(disk, &path, &[&bytes], sync)
    }
}

impl OpenOn for Late {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, bug: Bug) -> Result<Self> {
        let folder = StoreFolder::open(Arc::clone(&disk), dir, "late", 1, |name| name == FILE)?;
        let dir = folder.dir().to_path_buf();
        let (path, mut state) = (folder.path(FILE), State::default());
        if disk.entry(&path)?.is_some() {
            let bytes = disk.read(&path)?;
            let whole =
                bytes.split_first_chunk().filter(|(sum, rest)| **sum == crc32fast::hash(rest).to_le_bytes());
            let Some((_, mut rest)) = whole else {
                return Err(Error::corrupt(&path, 0, "it fails its check"));
            };
            while let Some(record) = record::parse(Bug::None, rest) {
                state.map.insert(record.key.to_vec(), record.value.to_vec());
                rest = &rest[record.len()..];
            }
        }
        // ANCHOR: invents-a-value
        if bug == Bug::InventsAValue && state.map.len() > 1 {
            state.map.values_mut().take(1).for_each(|value| value.push(b'!'));
        }
        // ANCHOR_END: invents-a-value
        disk.sync_files(&dir)?;
        // ANCHOR: opens-twice
        let lock = if bug == Bug::OpensTwice { None } else { Some(folder) };
        // ANCHOR_END: opens-twice
        Ok(Self { bug, disk, dir, _lock: lock, state: Mutex::new(state) })
    }
}

impl Open for Late {
    type Options = Bug;

    fn open(dir: &Path, bug: Bug) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, bug)
    }
}

impl Engine for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    fn durability(&self) -> Durability {
        // ANCHOR: promises-too-much
        if self.bug == Bug::PromisesTooMuch { Durability::ProcessCrash } else { Durability::Eventual }
        // ANCHOR_END: promises-too-much
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        Ok(self.state()?.map.get(key).cloned())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let mut state = self.state()?;
        state.map.insert(key.to_vec(), value.to_vec());
        state.is_dirty = true;
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let mut state = self.state()?;
        state.map.remove(key);
        state.is_dirty = true;
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut state = self.state()?;
        if state.is_dirty { self.write(&mut state) } else { Ok(()) }
    }

    fn stats(&self) -> Result<Stats> {
        let map = &self.state()?.map;
        let mut stats = Stats::default();
        stats.live_keys = map.len() as u64;
        stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        stats.disk_bytes =
            self.disk.list(&self.dir)?.iter().fold(0, |sum: u64, file| sum.saturating_add(file.len));
        Ok(stats)
    }
}
