//! [`JsonFile`]: the engine.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Disk, OpenOn, Poison, RealDisk, StoreFolder, replace};
use logladder_engine::{Durability, Engine, Error, Iterate, Open, Result, Stats, SyncPolicy, Visit, limits};

use crate::checksum::{self, CHECKSUM_FILE, Checksum};
use crate::object::{self, Entries};

const STAGE: &str = "json-file";
const FORMAT_VERSION: u32 = 1;

/// The name of the file with the data.
pub const DATA_FILE: &str = "database.json";

/// A store that is one JSON file, and a copy of it in memory.
#[derive(Debug)]
pub struct JsonFile {
    folder: StoreFolder,
    options: Options,
    /// What the file holds. Never locked while the disk works.
    entries: RwLock<Entries>,
    /// One write at a time. It remembers the checksum of the file as it is.
    present: Mutex<Checksum>,
    poison: Poison,
}

/// What can be chosen at opening.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Options {
    /// Whether each write is synced before it is acknowledged.
    pub sync: SyncPolicy,
}

impl Options {
    /// The same with another sync policy.
    #[must_use]
    pub fn with_sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }
}

impl JsonFile {
    fn entries(&self) -> Result<RwLockReadGuard<'_, Entries>> {
        self.entries.read().map_err(|_| Error::panicked())
    }

    // ANCHOR: change
    /// Gives `key` a value, or takes it away: first on the disk, then in memory. So a write that fails
    /// changes nothing that a read could see.
    fn change(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let mut present = self.present.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        let text = {
            let entries = self.entries()?;
            if value.is_none() && !entries.contains_key(key) {
                return Ok(());
            }
            object::text_after(&entries, key, value)
        };
        let new = Checksum::of(&text);
        // At the path of a folder that was moved away, another store may stand by now.
        self.folder.check_in_place()?;
        self.poison.guard(self.replace_files(&text, new, *present))?;
        *present = new;
        let mut entries = self.entries.write().map_err(|_| Error::panicked())?;
        match value {
            Some(value) => drop(entries.insert(Box::from(key), Box::from(value))),
            None => drop(entries.remove(key)),
        }
        Ok(())
    }
    // ANCHOR_END: change

    // ANCHOR: replace_files
    /// The checksums go first: they allow the present file as well, so that a crash between the two leaves a
    /// file that matches.
    fn replace_files(&self, text: &[u8], new: Checksum, present: Checksum) -> Result<()> {
        let disk = &**self.folder.disk();
        let checksums = checksum::to_text(new, present);
        replace(disk, &self.folder.path(CHECKSUM_FILE), &[checksums.as_bytes()], self.options.sync)?;
        replace(disk, &self.folder.path(DATA_FILE), &[text], self.options.sync)
    }
    // ANCHOR_END: replace_files
}

impl Engine for JsonFile {
    fn name(&self) -> &'static str {
        STAGE
    }

    fn durability(&self) -> Durability {
        self.options.sync.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        Ok(self.entries()?.get(key).map(|value| value.to_vec()))
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        limits::check_key(key)?;
        value.clear();
        let entries = self.entries()?;
        let Some(found) = entries.get(key) else { return Ok(false) };
        value.extend_from_slice(found);
        Ok(true)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.change(key, Some(value))
    }

    /// Deleting an absent key leaves the file as it is.
    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        self.change(key, None)
    }

    fn sync(&self) -> Result<()> {
        let _one_at_a_time = self.present.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        self.folder.check_in_place()?;
        match self.options.sync {
            SyncPolicy::Never => self.poison.guard(self.folder.disk().sync_files(self.folder.dir())),
            // Each write was synced before it was acknowledged.
            _ => Ok(()),
        }
    }

    fn trouble(&self) -> Option<String> {
        self.folder.trouble()
    }

    fn stats(&self) -> Result<Stats> {
        let entries = self.entries()?;
        let key_bytes: usize = entries.keys().map(|key| key.len()).sum();
        let value_bytes: usize = entries.values().map(|value| value.len()).sum();
        let mut stats = Stats::default();
        stats.live_keys = entries.len() as u64;
        stats.live_bytes = (key_bytes + value_bytes) as u64;
        // The keys, and two fat pointers for each; the values are in memory as well.
        stats.index_bytes = (entries.len() * size_of::<(Box<[u8]>, Box<[u8]>)>() + key_bytes) as u64;
        drop(entries);
        stats.disk_bytes = self.folder.disk_bytes()?;
        Ok(stats)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }
}

impl Iterate for JsonFile {
    /// Copies the list of keys first, and each value when its turn comes.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let keys: Vec<Box<[u8]>> = self.entries()?.keys().cloned().collect();
        let mut value = Vec::new();
        for key in keys {
            if self.get_into(&key, &mut value)? && visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl Open for JsonFile {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl OpenOn for JsonFile {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        let is_ours = |name: &str| name == DATA_FILE || name == CHECKSUM_FILE;
        let folder = StoreFolder::open_unclaimed(disk, dir, STAGE, FORMAT_VERSION, is_ours)?;
        let found = load(&folder)?;
        folder.claim()?;
        let (entries, present) = match found {
            Some(found) => found,
            None => make_empty(&folder)?,
        };
        Ok(Self {
            folder,
            options,
            entries: RwLock::new(entries),
            present: Mutex::new(present),
            poison: Poison::default(),
        })
    }
}

/// Reads the store, or says that there is none yet. Nothing is changed.
fn load(folder: &StoreFolder) -> Result<Option<(Entries, Checksum)>> {
    let (path, checksum_path) = (folder.path(DATA_FILE), folder.path(CHECKSUM_FILE));
    let checksums = read(folder, &checksum_path)?;
    let Some(text) = read(folder, &path)? else {
        if checksums.is_some() {
            let what = format!(
                "it is missing, and {CHECKSUM_FILE} proves that it was there; to start empty, \
                                remove that file too"
            );
            return Err(Error::corrupt(&path, 0, what));
        }
        return Ok(None);
    };
    let entries = object::parse(&path, &text)?;
    let present = Checksum::of(&text);
    if let Some(checksums) = checksums {
        let allowed = checksum::parse(&checksum_path, &checksums)?;
        if !allowed.contains(&present) && !sabotage::skips(Rule::ChecksumCheck) {
            let what = format!(
                "its checksum is not in {CHECKSUM_FILE}; if it was edited by hand, remove that \
                                file to accept it as it is"
            );
            return Err(Error::corrupt(&path, 0, what));
        }
    }
    Ok(Some((entries, present)))
}

/// From its first day on a store has its file, so that a missing one is never taken for an empty one.
fn make_empty(folder: &StoreFolder) -> Result<(Entries, Checksum)> {
    replace(&**folder.disk(), &folder.path(DATA_FILE), &[object::EMPTY], SyncPolicy::Always)?;
    Ok((Entries::new(), Checksum::of(object::EMPTY)))
}

/// The bytes of the file at `path`, or `None` if there is none.
fn read(folder: &StoreFolder, path: &Path) -> Result<Option<Vec<u8>>> {
    match folder.disk().read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
