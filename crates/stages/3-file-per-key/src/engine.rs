//! [`FilePerKey`]: the engine.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use logladder_disk::names::{file_name, is_of_key};
use logladder_disk::{Disk, Entry, OpenOn, Poison, RealDisk, StoreFolder, folder_in_place_of_file, replace};
use logladder_engine::{Durability, Engine, Error, Iterate, Open, Result, Stats, SyncPolicy, Visit, limits};

use crate::entry_file::{self, HEADER_LEN};

const STAGE: &str = "file-per-key";
const FORMAT_VERSION: u32 = 1;

/// A store that keeps each value in a file of its own.
#[derive(Debug)]
pub struct FilePerKey {
    folder: StoreFolder,
    options: Options,
    /// One write at a time: two of the same key would share a temporary file. Reads need no lock, since a
    /// rename puts a whole file in place of a whole file.
    writer: Mutex<()>,
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

impl FilePerKey {
    /// The bytes of the file of this name, or `None` if there is no such file.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self.folder.disk().read(&self.folder.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                self.folder.check_in_place()?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn writer(&self) -> Result<MutexGuard<'_, ()>> {
        let writer = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        Ok(writer)
    }

    // ANCHOR: remove
    fn remove(&self, name: &str) -> Result<()> {
        let path = self.folder.path(name);
        if self.folder.disk().entry(&path)?.is_none() {
            return Ok(());
        }
        self.folder.disk().remove(&path)?;
        match self.options.sync {
            SyncPolicy::Never => Ok(()),
            _ => self.folder.disk().sync_dir(self.folder.dir()),
        }
    }
    // ANCHOR_END: remove

    /// The files that hold an entry, with their lengths. Strangers' files are passed over.
    fn entry_files(&self) -> Result<Vec<Entry>> {
        let mut entries = self.folder.list()?;
        entries.retain(|entry| is_of_key(&entry.name));
        match entries.iter().find(|entry| entry.is_dir) {
            Some(folder) => Err(folder_in_place_of_file(&self.folder.path(&folder.name))),
            None => Ok(entries),
        }
    }
}

impl Engine for FilePerKey {
    fn name(&self) -> &'static str {
        STAGE
    }

    fn durability(&self) -> Durability {
        self.options.sync.durability()
    }

    // ANCHOR: get
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        let name = file_name(key);
        let Some(mut bytes) = self.read(&name)? else { return Ok(None) };
        let path = self.folder.path(&name);
        let (found, value) = entry_file::parse(&path, &bytes)?;
        if found != key {
            return Err(Error::corrupt(&path, HEADER_LEN as u64, "it holds the value of another key"));
        }
        let value_start = bytes.len() - value.len();
        bytes.drain(..value_start);
        Ok(Some(bytes))
    }
    // ANCHOR_END: get

    // ANCHOR: set
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let _writer = self.writer()?;
        // At the path of a folder that was moved away, another store may stand by now.
        self.folder.check_in_place()?;
        let path = self.folder.path(&file_name(key));
        let head = entry_file::head(key, value);
        self.poison.guard(replace(&**self.folder.disk(), &path, &[&head, value], self.options.sync))
    }
    // ANCHOR_END: set

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let _writer = self.writer()?;
        self.folder.check_in_place()?;
        self.poison.guard(self.remove(&file_name(key)))
    }

    fn sync(&self) -> Result<()> {
        let _writer = self.writer()?;
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
        let mut stats = Stats::default();
        for entry in self.entry_files()? {
            stats.live_keys += 1;
            stats.live_bytes += entry.len.saturating_sub(HEADER_LEN as u64);
        }
        stats.disk_bytes = self.folder.disk_bytes()?;
        // The index is the folder: the file system's memory, not ours.
        stats.index_bytes = 0;
        Ok(stats)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }
}

impl Iterate for FilePerKey {
    /// Lists the folder first, and reads each file when its turn comes.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        for Entry { name, .. } in self.entry_files()? {
            let Some(bytes) = self.read(&name)? else { continue };
            let path = self.folder.path(&name);
            let (key, value) = entry_file::parse(&path, &bytes)?;
            if file_name(key) != name {
                return Err(Error::corrupt(&path, HEADER_LEN as u64, "it holds the value of another key"));
            }
            if visit(key, value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl Open for FilePerKey {
    type Options = Options;

    fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, options)
    }
}

impl OpenOn for FilePerKey {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self> {
        let folder = StoreFolder::open(disk, dir, STAGE, FORMAT_VERSION, is_of_key)?;
        Ok(Self { folder, options, writer: Mutex::new(()), poison: Poison::default() })
    }
}
