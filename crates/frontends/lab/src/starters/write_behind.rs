//! Everything in memory, and a thread that writes it to the disk as soon as it can.
//!
//! ```text
//!   set("name", "anna") ──► the map, and a note: "name" is dirty        get("name") ◄── the map
//!                                    │ the janitor, a thread: takes what is dirty
//!                                    ▼ writes it, and only then strikes out the note
//!   k-6e616d65      │ checksum 4 │ key length 4 │ key │ value │         a file for each key
//! ```
//!
//! The files are those of the store with a file for each key. Encoding and decoding them is given, and so is the janitor; what
//! it does, `flush`, is yours.
//!
//! Crash contract: `sync` and `close` write everything before they return, and what they covered survives a loss of power. A
//! crash may take whatever was written since, and never more.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use logladder_disk::{Disk, OpenOn, RealDisk, StoreFolder, names, replace};
use logladder_engine::{
    Durability, Engine, Error, Field, Iterate, Open, Result, Stats, SyncPolicy, Visit, limits,
};

const NAME: &str = "mine";
const VERSION: u32 = 1;
/// The bytes of a file before its key.
const HEADER: usize = 8;

/// A store in memory whose janitor writes it to the disk.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    janitor: Option<JoinHandle<()>>,
}

/// What the callers and the janitor share.
#[derive(Debug)]
struct Shared {
    folder: StoreFolder,
    memory: Mutex<Memory>,
    /// Wakes the janitor.
    wake: Condvar,
    /// Held while files are written: the janitor and who syncs do it one after the other.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Memory {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The keys that the disk does not have as they are, each with the number of its newest write.
    dirty: BTreeMap<Vec<u8>, u64>,
    /// How many writes there were.
    writes: u64,
    is_closing: bool,
    /// Why the janitor failed. It waits for the next write, and tries again.
    trouble: Option<String>,
}

impl OpenOn for Store {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, _sync: SyncPolicy) -> Result<Self> {
        //~ step 1 open: open
        //~ do Take the folder, in which every file that has the name of a key is yours; sync it, for another process may have died
        //~ + before it could; load it; and start the janitor. What is in files that were there already is for `load` to say.
        //~ hint `StoreFolder::open` makes the folder, locks it, and refuses it if it is another's. Its last argument says which
        //~ + file names are yours: `names::is_of_key` knows them.
        //~ hint `folder.disk().sync_dir(folder.dir())` syncs the folder. `load` gives the map of a `Memory` whose other fields are
        //~ + those of `Memory::default()`. `Store::start` starts the janitor.
        //~ hint
        //~ + let folder = StoreFolder::open(disk, dir, NAME, VERSION, names::is_of_key)?;
        //~ + folder.disk().sync_dir(folder.dir())?;
        //~ + let memory = Mutex::new(Memory { map: load(&folder)?, ..Memory::default() });
        //~ + Self::start(Shared { folder, memory, wake: Condvar::new(), writing: Mutex::default() })
        let folder = StoreFolder::open(disk, dir, NAME, VERSION, names::is_of_key)?;
        folder.disk().sync_dir(folder.dir())?;
        let memory = Mutex::new(Memory { map: load(&folder)?, ..Memory::default() });
        Self::start(Shared { folder, memory, wake: Condvar::new(), writing: Mutex::default() })
        //~ end
    }
}

impl Store {
    /// Starts the janitor of a store.
    fn start(shared: Shared) -> Result<Self> {
        let shared = Arc::new(shared);
        let its_own = Arc::clone(&shared);
        let janitor = thread::Builder::new().name("janitor".to_owned()).spawn(move || its_own.keep_clean());
        match janitor {
            Ok(janitor) => Ok(Self { shared, janitor: Some(janitor) }),
            Err(error) => Err(Error::io("start a thread for", shared.folder.dir(), error)),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Ok(mut memory) = self.shared.memory.lock() {
            memory.is_closing = true;
        }
        self.shared.wake.notify_all();
        if let Some(janitor) = self.janitor.take() {
            // One that panicked has left its work undone, which is known from what is dirty.
            let _ = janitor.join();
        }
    }
}

/// What the files of the folder hold.
fn load(folder: &StoreFolder) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let files: Vec<String> = folder.list()?.into_iter().map(|entry| entry.name).collect();
    let files: Vec<String> = files.into_iter().filter(|name| names::is_of_key(name)).collect();
    if files.is_empty() {
        return Ok(BTreeMap::new());
    }
    //~ step 6 load: reopen
    //~ checks model crash flips cuts
    //~ do Read each file, and put its key and its value into a map. A file that is not sound is an error that names it.
    //~ hint `folder.disk().read(&folder.path(&name))` reads a file, and `decode` takes it apart.
    //~ hint A file that cannot be decoded: `Error::corrupt(&path, 0, "…")`. Do not leave it out: its key would be gone, and nobody
    //~ + would know.
    //~ hint
    //~ + let mut map = BTreeMap::new();
    //~ + for name in files {
    //~ +     let path = folder.path(&name);
    //~ +     let file = folder.disk().read(&path)?;
    //~ +     let Some((key, value)) = decode(&file) else { return Err(Error::corrupt(&path, 0, "…")); };
    //~ +     map.insert(key.to_vec(), value.to_vec());
    //~ + }
    //~ + Ok(map)
    let mut map = BTreeMap::new();
    for name in files {
        let path = folder.path(&name);
        let file = folder.disk().read(&path)?;
        let Some((key, value)) = decode(&file) else {
            return Err(Error::corrupt(&path, 0, "its checksum is not that of its bytes"));
        };
        map.insert(key.to_vec(), value.to_vec());
    }
    Ok(map)
    //~ end
}

impl Shared {
    fn memory(&self) -> Result<MutexGuard<'_, Memory>> {
        self.memory.lock().map_err(|_| Error::panicked())
    }

    /// Puts a value into the map, or takes a key out of it, and notes that the disk does not know.
    fn write(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        //~ step 2 write: set
        //~ do Change the map, note the key as dirty under the number of this write, and wake the janitor. Nothing waits for the
        //~ + disk.
        //~ hint `self.memory()?` gives map, notes and numbers under one lock, so that nobody ever sees one without the other.
        //~ hint Count the write first: `memory.writes += 1`. The number tells `flush` whether a key was written again while its
        //~ + file was. And forget the janitor's trouble, so that it tries again.
        //~ hint
        //~ + let mut memory = self.memory()?;
        //~ + match value {
        //~ +     Some(value) => memory.map.insert(key.to_vec(), value.to_vec()),
        //~ +     None => memory.map.remove(key),
        //~ + };
        //~ + memory.writes += 1;
        //~ + let number = memory.writes;
        //~ + memory.dirty.insert(key.to_vec(), number);
        //~ + memory.trouble = None;
        //~ + self.wake.notify_one();
        //~ + Ok(())
        let mut memory = self.memory()?;
        match value {
            Some(value) => memory.map.insert(key.to_vec(), value.to_vec()),
            None => memory.map.remove(key),
        };
        memory.writes += 1;
        let number = memory.writes;
        memory.dirty.insert(key.to_vec(), number);
        memory.trouble = None;
        self.wake.notify_one();
        Ok(())
        //~ end
    }

    /// Writes what is dirty now. When it returns, the disk has it.
    fn flush(&self) -> Result<()> {
        let _one_at_a_time = self.writing.lock().map_err(|_| Error::panicked())?;
        //~ step 3 flush: sync
        //~ checks written
        //~ do Take a copy of what is dirty, with its values. Write each to the disk by `store` or `remove`, without the lock of the
        //~ + memory. A key is clean when its file is written, and if it was not written again meanwhile.
        //~ hint A note that is struck out before its write has succeeded is lost if that fails. One that is struck out although the
        //~ + key was set again is lost as well.
        //~ hint The number in the note tells: strike it out only if it is still the one that you copied. While files are written,
        //~ + callers must be able to go on, so the lock of the memory is taken twice for each key, and held briefly.
        //~ hint
        //~ + let dirty: Vec<(Vec<u8>, u64)> = self.memory()?.dirty.iter().map(|(key, number)| (key.clone(), *number)).collect();
        //~ + for (key, number) in dirty {
        //~ +     let value = self.memory()?.map.get(&key).cloned();
        //~ +     match value { Some(value) => self.store(&key, &value)?, None => self.remove(&key)? }
        //~ +     let mut memory = self.memory()?;
        //~ +     if memory.dirty.get(&key) == Some(&number) { memory.dirty.remove(&key); }
        //~ + }
        //~ + Ok(())
        let dirty: Vec<(Vec<u8>, u64)> =
            self.memory()?.dirty.iter().map(|(key, number)| (key.clone(), *number)).collect();
        for (key, number) in dirty {
            let value = self.memory()?.map.get(&key).cloned();
            match value {
                Some(value) => self.store(&key, &value)?,
                None => self.remove(&key)?,
            }
            let mut memory = self.memory()?;
            if memory.dirty.get(&key) == Some(&number) {
                memory.dirty.remove(&key);
            }
        }
        Ok(())
        //~ end
    }

    /// Puts the file of a key in the place of its old one, whole.
    fn store(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let path = self.folder.path(&names::file_name(key));
        replace(&**self.folder.disk(), &path, &[&encode(key, value)], SyncPolicy::Always)
    }

    /// Removes the file of a key. The folder is synced also if it was not there: an earlier attempt may have failed to.
    fn remove(&self, key: &[u8]) -> Result<()> {
        let (disk, path) = (self.folder.disk(), self.folder.path(&names::file_name(key)));
        if disk.entry(&path)?.is_some() {
            disk.remove(&path)?;
        }
        disk.sync_dir(self.folder.dir())
    }

    /// The janitor: writes what is dirty as soon as there is something, until the store is closed.
    fn keep_clean(&self) {
        while let Ok(memory) = self.memory() {
            let is_idle = |memory: &mut Memory| {
                !memory.is_closing && (memory.dirty.is_empty() || memory.trouble.is_some())
            };
            match self.wake.wait_while(memory, is_idle) {
                Ok(memory) if !memory.is_closing => {}
                _ => return,
            }
            if let Err(error) = self.flush()
                && let Ok(mut memory) = self.memory()
            {
                memory.trouble = Some(error.to_string());
            }
        }
    }
}

/// The bytes of the file of `key`.
fn encode(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 4];
    file.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
    file.extend_from_slice(key);
    file.extend_from_slice(value);
    let checksum = crc32fast::hash(&file[4..]);
    file[..4].copy_from_slice(&checksum.to_le_bytes());
    file
}

/// The key and the value that a file holds. None if it is not sound.
fn decode(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let number = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
    if crc32fast::hash(file.get(4..)?) != number(0)? {
        return None;
    }
    file.get(HEADER..)?.split_at_checked(number(4)? as usize)
}

impl Engine for Store {
    fn name(&self) -> &'static str {
        NAME
    }

    fn durability(&self) -> Durability {
        Durability::Eventual
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.shared.write(key, Some(value))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        //~ step 4 get: get visit
        //~ do Give a copy of the key's value, or None. No file is read.
        //~ hint Everything is in the map, whether the disk knows it or not.
        //~ hint What the map gives is borrowed from it, and must be copied before the lock is gone: `cloned`.
        //~ hint Ok(self.shared.memory()?.map.get(key).cloned())
        Ok(self.shared.memory()?.map.get(key).cloned())
        //~ end
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        //~ step 5 delete: delete
        //~ do Take the key out of the map, and note that its file is to be removed.
        //~ hint A deleted key is dirty like any other: the disk still has its file.
        //~ hint `write` does both, if it is given no value.
        //~ hint self.shared.write(key, None)
        self.shared.write(key, None)
        //~ end
    }

    fn sync(&self) -> Result<()> {
        self.shared.flush()
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let memory = self.shared.memory()?;
        stats.live_keys = memory.map.len() as u64;
        stats.live_bytes = memory.map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        stats.unwritten_keys = memory.dirty.len() as u64;
        drop(memory);
        stats.disk_bytes = self.shared.folder.disk_bytes()?;
        Ok(stats)
    }

    fn trouble(&self) -> Option<String> {
        self.shared.memory().ok()?.trouble.clone()
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }
}

impl Iterate for Store {
    /// Copies the list of keys first, so that no lock is held while the visitor runs.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let keys: Vec<Vec<u8>> = self.shared.memory()?.map.keys().cloned().collect();
        for key in keys {
            let Some(value) = self.get(&key)? else { continue };
            if visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl Open for Store {
    type Options = SyncPolicy;

    fn open(dir: &Path, sync: SyncPolicy) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, sync)
    }
}

/// Names the bytes of a file, for whoever looks at them. It says what is there, sound or not.
#[must_use]
pub fn describe(_file: &str, bytes: &[u8]) -> Vec<Field> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (Some(checksum), Some(key_len)) = (number(0), number(4)) else {
        return vec![Field::new(0..bytes.len(), "rest", "shorter than a header")];
    };
    let matches = crc32fast::hash(&bytes[4..]) == checksum;
    let key_end = HEADER.saturating_add(key_len as usize).min(bytes.len());
    let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
    vec![
        Field::new(0..4, "checksum", if matches { "matches" } else { "does not match" }),
        Field::new(4..HEADER, "key length", key_len.to_string()),
        Field::new(HEADER..key_end, "key", text(&bytes[HEADER..key_end])),
        Field::new(key_end..bytes.len(), "value", text(&bytes[key_end..])),
    ]
}
