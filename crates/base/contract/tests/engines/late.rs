//! A small engine that writes later: a map in memory, and one file that `sync` writes anew. Its durability is
//! `Eventual`, so what it failed to write it may write again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use logladder_disk::{Disk, OpenOn, RealDisk, StoreFolder, replace};
use logladder_engine::{Durability, Engine, Error, Open, Result, Stats, SyncPolicy, limits};

use super::{parse, record};

const FILE: &str = "map";

/// What is wrong with the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Haste {
    #[default]
    None,
    /// What is to be written counts as written before it is.
    ForgetsBeforeItWrites,
    /// The old file is cut, and the new bytes are written into it.
    WritesInPlace,
    /// A file that was not synced counts as written.
    NeverSyncs,
    /// What the next opening shows was never asked for.
    InventsAValue,
}

#[derive(Debug)]
pub(crate) struct Late {
    folder: StoreFolder,
    haste: Haste,
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
        if self.haste == Haste::ForgetsBeforeItWrites {
            state.is_dirty = false;
        }
        let records: Vec<Vec<u8>> = state.map.iter().map(|(key, value)| record(key, Some(value))).collect();
        let records = records.concat();
        let bytes = [&crc32fast::hash(&records).to_le_bytes()[..], &records].concat();
        let (disk, path) = (&**self.folder.disk(), self.folder.path(FILE));
        match self.haste {
            Haste::WritesInPlace if disk.entry(&path)?.is_some() => {
                let file = disk.open(&path)?;
                file.truncate(0)?;
                file.append(&bytes)?;
                file.sync()?;
            }
            Haste::NeverSyncs => replace(disk, &path, &[&bytes], SyncPolicy::Never)?,
            _ => replace(disk, &path, &[&bytes], SyncPolicy::Always)?,
        }
        state.is_dirty = false;
        Ok(())
    }
}

impl OpenOn for Late {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, haste: Haste) -> Result<Self> {
        let folder = StoreFolder::open(Arc::clone(&disk), dir, "late", 1, |name| name == FILE)?;
        let (path, mut state) = (folder.path(FILE), State::default());
        if disk.entry(&path)?.is_some() {
            let bytes = disk.read(&path)?;
            let whole =
                bytes.split_first_chunk().filter(|(sum, rest)| **sum == crc32fast::hash(rest).to_le_bytes());
            let Some((_, mut rest)) = whole else {
                return Err(Error::corrupt(&path, 0, "it fails its check"));
            };
            while let Some((key, value, len)) = parse(rest) {
                state.map.insert(key, value.unwrap_or_default());
                rest = &rest[len..];
            }
        }
        if haste == Haste::InventsAValue && state.map.len() > 1 {
            state.map.values_mut().take(1).for_each(|value| value.push(b'!'));
        }
        disk.sync_files(dir)?;
        Ok(Self { folder, haste, state: Mutex::new(state) })
    }
}

impl Open for Late {
    type Options = Haste;

    fn open(dir: &Path, haste: Haste) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, haste)
    }
}

impl Engine for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    fn durability(&self) -> Durability {
        Durability::Eventual
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
        stats.disk_bytes = self.folder.disk_bytes()?;
        Ok(stats)
    }
}
