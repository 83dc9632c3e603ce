//! The filesystem as the database: a file for each key.
//!
//! ```text
//!   set("name", "anna")              get("name")
//!        │ write a new file, sync it,     │ read the file, check it
//!        ▼ rename it into its place       ▼
//!   k-6e616d65      │ checksum 4 │ key length 4 │ key │ value │
//!   k-63697479      (the key in hexadecimal; of a long key, its hash)
//! ```
//!
//! The checksum is the CRC-32 of everything behind it; both numbers are little-endian. The key stands in the file, because
//! that of a long key cannot be told from the file's name.
//!
//! Crash contract: an acknowledged write survives a loss of power, with [`SyncPolicy::Always`]. A file is the old one or the
//! new one, whole. A damaged one is an error that names it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, RwLock};

use logladder_disk::{Disk, OpenOn, Poison, RealDisk, StoreFolder, names, replace};
use logladder_engine::{
    Durability, Engine, Error, Field, Iterate, Open, Result, Stats, SyncPolicy, Visit, limits,
};

const NAME: &str = "mine";
const VERSION: u32 = 1;
/// The bytes of a file before its key.
const HEADER: usize = 8;

/// A store with a file for each key.
#[derive(Debug)]
pub struct Store {
    folder: StoreFolder,
    sync: SyncPolicy,
    /// Many readers at once, or one writer.
    files: RwLock<()>,
    /// Refuses writes once one has failed.
    poison: Poison,
}

impl OpenOn for Store {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, sync: SyncPolicy) -> Result<Self> {
        //~ step 1 open: open
        //~ do Take the folder, in which every file that has the name of a key is yours, and put it into a `Store`. Sync it as
        //~ + well: another process may have died before it could.
        //~ hint `StoreFolder::open` makes the folder, locks it, and refuses it if it is another's. Its last argument says which
        //~ + file names are yours: `names::is_of_key` knows them.
        //~ hint There is nothing to load: the files are the store. `folder.disk().sync_dir(folder.dir())` syncs the folder.
        //~ hint
        //~ + let folder = StoreFolder::open(disk, dir, NAME, VERSION, names::is_of_key)?;
        //~ + folder.disk().sync_dir(folder.dir())?;
        //~ + Ok(Self { folder, sync, files: RwLock::default(), poison: Poison::default() })
        let folder = StoreFolder::open(disk, dir, NAME, VERSION, names::is_of_key)?;
        folder.disk().sync_dir(folder.dir())?;
        Ok(Self { folder, sync, files: RwLock::default(), poison: Poison::default() })
        //~ end
    }
}

/// The bytes of the file of `key`.
fn encode(key: &[u8], value: &[u8]) -> Vec<u8> {
    //~ step 3 encode: set
    //~ checks written
    //~ do Write a file, as drawn at the top: checksum, key length, key, value.
    //~ hint Build everything behind the checksum first; then its checksum is `crc32fast::hash(&file[4..])`.
    //~ hint `u32::to_le_bytes` gives the four bytes of a number. Begin with four zeros, and overwrite them at the end.
    //~ hint
    //~ + let mut file = vec![0; 4];
    //~ + file.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
    //~ + file.extend_from_slice(key); … and the value
    //~ + let checksum = crc32fast::hash(&file[4..]);
    //~ + file[..4].copy_from_slice(&checksum.to_le_bytes());
    let mut file = vec![0; 4];
    file.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
    file.extend_from_slice(key);
    file.extend_from_slice(value);
    let checksum = crc32fast::hash(&file[4..]);
    file[..4].copy_from_slice(&checksum.to_le_bytes());
    file
    //~ end
}

/// The key and the value that a file holds. None if it is not sound.
fn decode(file: &[u8]) -> Option<(&[u8], &[u8])> {
    //~ step 5 decode: get
    //~ do Check the checksum, then take the file apart. Whatever the bytes are, this must not panic.
    //~ hint `file.get(from..to)` gives None where indexing would panic, and `?` hands that on.
    //~ hint A number: `u32::from_le_bytes(file.get(4..8)?.try_into().ok()?)`. Behind the header come the key and the value:
    //~ + `split_at_checked` parts them.
    //~ hint
    //~ + let number = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
    //~ + if crc32fast::hash(file.get(4..)?) != number(0)? { return None; }
    //~ + file.get(HEADER..)?.split_at_checked(number(4)? as usize)
    let number = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
    if crc32fast::hash(file.get(4..)?) != number(0)? {
        return None;
    }
    file.get(HEADER..)?.split_at_checked(number(4)? as usize)
    //~ end
}

impl Store {
    /// The key and the value in the file of this name, if it is there. To be called under the lock.
    fn read(&self, name: &str) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let path = self.folder.path(name);
        if self.folder.disk().entry(&path)?.is_none() {
            return Ok(None);
        }
        let file = self.folder.disk().read(&path)?;
        match decode(&file) {
            Some((key, value)) => Ok(Some((key.to_vec(), value.to_vec()))),
            None => Err(Error::corrupt(&path, 0, "its checksum is not that of its bytes")),
        }
    }

    /// The names of the files of all keys.
    fn file_names(&self) -> Result<Vec<String>> {
        let names = self.folder.list()?.into_iter().map(|entry| entry.name);
        Ok(names.filter(|name| names::is_of_key(name)).collect())
    }
}

impl Engine for Store {
    fn name(&self) -> &'static str {
        NAME
    }

    fn durability(&self) -> Durability {
        self.sync.durability()
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let _one_writer = self.files.write().map_err(|_| Error::panicked())?;
        //~ step 2 set:
        //~ do Refuse if an earlier write failed. Else put the file in the place of the old one, so that a crash leaves one of the
        //~ + two, whole.
        //~ hint `self.poison.check()?` refuses; `self.poison.guard(outcome)` remembers a failure. The file's name is
        //~ + `names::file_name(key)`.
        //~ hint Writing over the old file would leave half a value behind. `replace` writes a new one, syncs it, and renames it.
        //~ hint
        //~ + self.poison.check()?;
        //~ + let path = self.folder.path(&names::file_name(key));
        //~ + self.poison.guard(replace(&**self.folder.disk(), &path, &[&encode(key, value)], self.sync))
        self.poison.check()?;
        let path = self.folder.path(&names::file_name(key));
        self.poison.guard(replace(&**self.folder.disk(), &path, &[&encode(key, value)], self.sync))
        //~ end
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        let _no_writer = self.files.read().map_err(|_| Error::panicked())?;
        //~ step 4 get:
        //~ do Read the key's file. One that holds another key, whose hash is the same, is not this one's.
        //~ hint `self.read(name)` gives what the file of that name holds, and None if there is none.
        //~ hint `Option::filter` keeps the pair only if its key is the one that was asked for.
        //~ hint
        //~ + let found = self.read(&names::file_name(key))?.filter(|(found, _)| found == key);
        //~ + Ok(found.map(|(_, value)| value))
        let found = self.read(&names::file_name(key))?.filter(|(found, _)| found == key);
        Ok(found.map(|(_, value)| value))
        //~ end
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let _one_writer = self.files.write().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        //~ step 6 delete: delete
        //~ do Remove the key's file, if it is there, and sync the folder unless the policy is `Never`. A failure is to be remembered.
        //~ hint `Disk::entry` says whether a file is there, `Disk::remove` removes it.
        //~ hint A name that was removed comes back after a loss of power if its folder was not synced: `sync_dir`.
        //~ hint
        //~ + let (disk, path) = (self.folder.disk(), self.folder.path(&names::file_name(key)));
        //~ + if disk.entry(&path)?.is_none() { return Ok(()); }
        //~ + self.poison.guard(disk.remove(&path))?;
        //~ + if self.sync == SyncPolicy::Never { return Ok(()); }
        //~ + self.poison.guard(disk.sync_dir(self.folder.dir()))
        let (disk, path) = (self.folder.disk(), self.folder.path(&names::file_name(key)));
        if disk.entry(&path)?.is_none() {
            return Ok(());
        }
        self.poison.guard(disk.remove(&path))?;
        if self.sync == SyncPolicy::Never {
            return Ok(());
        }
        self.poison.guard(disk.sync_dir(self.folder.dir()))
        //~ end
    }

    /// Each write was synced before it was acknowledged, unless the policy is `Never`.
    fn sync(&self) -> Result<()> {
        let _one_writer = self.files.write().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        self.poison.guard(self.folder.disk().sync_files(self.folder.dir()))
    }

    /// Reads every file.
    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        self.for_each(&mut |key, value| {
            stats.live_keys += 1;
            stats.live_bytes += (key.len() + value.len()) as u64;
            ControlFlow::Continue(())
        })?;
        stats.disk_bytes = self.folder.disk_bytes()?;
        Ok(stats)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }
}

impl Iterate for Store {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        //~ step 7 visit: visit stats
        //~ checks model crash flips cuts faults
        //~ do Show every key and its value to `visit`, until it answers `ControlFlow::Break`. A visitor may read and write the store,
        //~ + so no lock may be held while it runs; a file that is gone when its turn comes is left out.
        //~ hint `self.file_names()` lists the files, and `self.read(name)` reads one. Both want the lock while they run.
        //~ hint Take the lock anew for each file, in a block of its own, so that it is free again before `visit` is called.
        //~ hint
        //~ + let no_writer = || self.files.read().map_err(|_| Error::panicked());
        //~ + let names = { let _held = no_writer()?; self.file_names()? };
        //~ + for name in names {
        //~ +     let found = { let _held = no_writer()?; self.read(&name)? };
        //~ +     let Some((key, value)) = found else { continue };
        //~ +     if visit(&key, &value) == ControlFlow::Break(()) { break; }
        //~ + }
        //~ + Ok(())
        let no_writer = || self.files.read().map_err(|_| Error::panicked());
        let names = {
            let _held = no_writer()?;
            self.file_names()?
        };
        for name in names {
            let found = {
                let _held = no_writer()?;
                self.read(&name)?
            };
            let Some((key, value)) = found else { continue };
            if visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
        //~ end
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
