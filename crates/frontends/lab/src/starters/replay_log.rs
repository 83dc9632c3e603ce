//! A map in memory, and behind it the log that brings it back.
//!
//! ```text
//!   set("name", "anna") ──► append ──► log  │ record │ record │ …          get("name")
//!           └──────────► the map  ◄── replayed when the store is opened        ▲ from the map
//!                            └─────────────────────────────────────────────────┘
//!   compact: the map, written as a new log, takes the place of the old one
//!
//!   a record:  │ checksum 4 │ key length 4 │ value length 4 │ key │ value │
//! ```
//!
//! The records are those of the log that every read scans: little-endian, the CRC-32 covers everything behind it, and a value
//! length of `u32::MAX` says that the key is deleted. Encoding and decoding them is given.
//!
//! Crash contract: an acknowledged write survives a loss of power, with [`SyncPolicy::Always`]. A record that a crash left
//! unfinished at the end is cut off and kept; damage anywhere else is an error, and no file is changed.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use logladder_disk::{Disk, File, OpenOn, Poison, RealDisk, StoreFolder, cut_torn_tail, replace};
use logladder_engine::{
    Compact, Compacted, Durability, Engine, Error, Field, Iterate, Open, Repair, Result, Stats, SyncPolicy,
    Visit, limits,
};

const NAME: &str = "mine";
const VERSION: u32 = 1;
/// The store's one file.
const LOG: &str = "log";
/// The bytes of a record before its key.
const HEADER: usize = 12;
/// The value length of a key that is deleted.
const DELETED: u32 = u32::MAX;

type Map = HashMap<Vec<u8>, Vec<u8>>;

/// A store in memory that can be told again from its log.
#[derive(Debug)]
pub struct Store {
    folder: StoreFolder,
    sync: SyncPolicy,
    map: RwLock<Map>,
    /// Held while something is written. A compaction puts another file here.
    log: Mutex<Box<dyn File>>,
    /// Refuses writes once one has failed: nobody knows what part of that one is in the file.
    poison: Poison,
    repairs: Vec<Repair>,
}

impl OpenOn for Store {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, sync: SyncPolicy) -> Result<Self> {
        //~ step 1 open: open
        //~ do Take the folder, open the log or make it, sync the folder, and put all that into a `Store` with what `replay` gives.
        //~ + What is in a log that was there already is for `replay` to say, which comes later.
        //~ hint `StoreFolder::open` makes the folder, locks it, and refuses it if it is another's. Its last argument says which
        //~ + file names are yours. `Disk::entry` says whether a file is there.
        //~ hint A file that was made is on the disk only once its folder is synced: `folder.disk().sync_dir(folder.dir())`. Do it
        //~ + also if the file was there: the process that made it may have died before it came to that.
        //~ hint
        //~ + let folder = StoreFolder::open(disk, dir, NAME, VERSION, |name| name == LOG)?;
        //~ + let path = folder.path(LOG);
        //~ + let log = match folder.disk().entry(&path)? {
        //~ +     Some(_) => folder.disk().open(&path)?,
        //~ +     None => folder.disk().create(&path)?,
        //~ + };
        //~ + folder.disk().sync_dir(folder.dir())?;
        //~ + let (map, repairs) = replay(&folder, &*log)?;
        //~ + Ok(Self { folder, sync, map: RwLock::new(map), log: Mutex::new(log), poison: Poison::default(), repairs })
        let folder = StoreFolder::open(disk, dir, NAME, VERSION, |name| name == LOG)?;
        let path = folder.path(LOG);
        let log = match folder.disk().entry(&path)? {
            Some(_) => folder.disk().open(&path)?,
            None => folder.disk().create(&path)?,
        };
        folder.disk().sync_dir(folder.dir())?;
        let (map, repairs) = replay(&folder, &*log)?;
        let (map, log) = (RwLock::new(map), Mutex::new(log));
        Ok(Self { folder, sync, map, log, poison: Poison::default(), repairs })
        //~ end
    }
}

impl Store {
    /// Appends a record, and does to the map what it says.
    fn append(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let log = self.log.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        //~ step 2 append: set
        //~ checks written
        //~ do First the log: append the record, and sync it unless the policy is `Never`. Then the map: put the value in, or take
        //~ + the key out. Why in this order: whoever reads a value must find it again after a crash.
        //~ hint `self.poison.guard(outcome)?` remembers a failure. `encode(key, value)` makes the record.
        //~ hint Keep the lock of the log until the map is changed. Else two writes of one key may come into the map in another
        //~ + order than into the log.
        //~ hint
        //~ + self.poison.guard(log.append(&encode(key, value)))?;
        //~ + if self.sync != SyncPolicy::Never { self.poison.guard(log.sync())?; }
        //~ + let mut map = self.map.write().map_err(|_| Error::panicked())?;
        //~ + match value {
        //~ +     Some(value) => map.insert(key.to_vec(), value.to_vec()),
        //~ +     None => map.remove(key),
        //~ + };
        //~ + Ok(())
        self.poison.guard(log.append(&encode(key, value)))?;
        if self.sync != SyncPolicy::Never {
            self.poison.guard(log.sync())?;
        }
        let mut map = self.map.write().map_err(|_| Error::panicked())?;
        match value {
            Some(value) => map.insert(key.to_vec(), value.to_vec()),
            None => map.remove(key),
        };
        Ok(())
        //~ end
    }
}

/// What the log tells, from its first record to its last. What a crash left unfinished at its end is cut off, and reported.
fn replay(folder: &StoreFolder, log: &dyn File) -> Result<(Map, Vec<Repair>)> {
    let mut map = Map::new();
    if log.is_empty() {
        return Ok((map, Vec::new()));
    }
    let bytes = folder.disk().read(log.path())?;
    //~ step 5 replay: reopen
    //~ do Go from record to record, and do to the map what each says. Where there is no sound one, either a crash cut the last
    //~ + write short, which is to be cut off; or a record in the middle is damaged, which is an error. What tells them apart:
    //~ + behind an unfinished write there is no sound record.
    //~ hint `while let Some(record) = decode(&bytes[end..])` goes on until one cannot be decoded. If that is the end of the file,
    //~ + all is well.
    //~ hint To see whether a sound record follows, try `decode` at every later byte: a length may be the very thing that is
    //~ + damaged. `cut_torn_tail` cuts, and keeps what it cut.
    //~ hint
    //~ + let mut end = 0;
    //~ + while let Some(record) = decode(&bytes[end..]) {
    //~ +     match record.value { Some(value) => map.insert(record.key.to_vec(), value.to_vec()), None => map.remove(record.key) };
    //~ +     end += record.len;
    //~ + }
    //~ + if end == bytes.len() { return Ok((map, Vec::new())); }
    //~ + if (end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some()) {
    //~ +     return Err(Error::corrupt(log.path(), end as u64, "a record is damaged, and sound ones follow it"));
    //~ + }
    //~ + Ok((map, vec![cut_torn_tail(&**folder.disk(), log, end as u64)?]))
    let mut end = 0;
    while let Some(record) = decode(&bytes[end..]) {
        match record.value {
            Some(value) => map.insert(record.key.to_vec(), value.to_vec()),
            None => map.remove(record.key),
        };
        end += record.len;
    }
    if end == bytes.len() {
        return Ok((map, Vec::new()));
    }
    if (end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some()) {
        return Err(Error::corrupt(log.path(), end as u64, "a record is damaged, and sound ones follow it"));
    }
    Ok((map, vec![cut_torn_tail(&**folder.disk(), log, end as u64)?]))
    //~ end
}

impl Compact for Store {
    /// Writers wait meanwhile; readers do not.
    fn compact(&self) -> Result<Compacted> {
        let mut log = self.log.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        let before = log.len();
        //~ step 6 compact: compact
        //~ checks model crash flips cuts faults
        //~ do Write a new log with one record for each key that has a value, and put it in the place of the old one. From then on
        //~ + write to the new one. Say what that gained.
        //~ hint A deleted key needs no record: the older records that it took back are gone with the old log. `replace` puts the
        //~ + new log in its place, whole, synced.
        //~ hint `replace` changes what the name stands for. The file that is open is still the old one, which nobody will ever read
        //~ + again: open the path anew.
        //~ hint
        //~ + let map = self.map.read().map_err(|_| Error::panicked())?;
        //~ + let records: Vec<u8> = map.iter().flat_map(|(key, value)| encode(key, Some(value))).collect();
        //~ + drop(map);
        //~ + let (disk, path) = (self.folder.disk(), self.folder.path(LOG));
        //~ + self.poison.guard(replace(&**disk, &path, &[&records], SyncPolicy::Always))?;
        //~ + *log = self.poison.guard(disk.open(&path))?;
        //~ + let mut gained = Compacted::default(); … files_removed, files_written, bytes_reclaimed …
        let map = self.map.read().map_err(|_| Error::panicked())?;
        let records: Vec<u8> = map.iter().flat_map(|(key, value)| encode(key, Some(value))).collect();
        drop(map);
        let (disk, path) = (self.folder.disk(), self.folder.path(LOG));
        self.poison.guard(replace(&**disk, &path, &[&records], SyncPolicy::Always))?;
        *log = self.poison.guard(disk.open(&path))?;
        let mut gained = Compacted::default();
        (gained.files_removed, gained.files_written) = (1, 1);
        gained.bytes_reclaimed = before.saturating_sub(log.len());
        Ok(gained)
        //~ end
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
        self.append(key, Some(value))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        //~ step 3 get: get visit
        //~ do Give a copy of the key's value, or None. The log is not read.
        //~ hint `self.map.read()` lets many threads look at once. It fails if a thread panicked while it wrote: that is
        //~ + `Error::panicked()`.
        //~ hint A `HashMap<Vec<u8>, _>` can be asked for a `&[u8]`. What it gives must be copied: `cloned`.
        //~ hint Ok(self.map.read().map_err(|_| Error::panicked())?.get(key).cloned())
        Ok(self.map.read().map_err(|_| Error::panicked())?.get(key).cloned())
        //~ end
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        //~ step 4 delete: delete
        //~ do Append a record that says that the key is deleted. Should one be written if the key is not there?
        //~ hint What is only taken out of the map comes back when the log is replayed.
        //~ hint `append` writes such a record if it is given no value. For a key that is not there it is of no use, and does no harm.
        //~ hint self.append(key, None)
        self.append(key, None)
        //~ end
    }

    /// Each write was synced before it was acknowledged, unless the policy is `Never`.
    fn sync(&self) -> Result<()> {
        let log = self.log.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        self.poison.guard(log.sync())
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let map = self.map.read().map_err(|_| Error::panicked())?;
        stats.live_keys = map.len() as u64;
        stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
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

impl Iterate for Store {
    /// Copies the list of keys first, so that no lock is held while the visitor runs.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let keys: Vec<Vec<u8>> = self.map.read().map_err(|_| Error::panicked())?.keys().cloned().collect();
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

/// The bytes of a record; without a value, those that say that the key is deleted.
fn encode(key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let mut record = vec![0; 4];
    record.extend_from_slice(&length(key).to_le_bytes());
    record.extend_from_slice(&value.map_or(DELETED, length).to_le_bytes());
    record.extend_from_slice(key);
    record.extend_from_slice(value.unwrap_or_default());
    let checksum = crc32fast::hash(&record[4..]);
    record[..4].copy_from_slice(&checksum.to_le_bytes());
    record
}

/// The length of a key or a value, which `limits` keeps far below four gigabytes.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(DELETED)
}

/// What a record says, and how long it is.
struct Record<'b> {
    key: &'b [u8],
    /// None if the key is deleted.
    value: Option<&'b [u8]>,
    len: usize,
}

/// The record that `bytes` begin with. None if they begin with no whole and sound one.
fn decode(bytes: &[u8]) -> Option<Record<'_>> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (checksum, key_len, value_len) = (number(0)?, number(4)? as usize, number(8)?);
    let (deleted, value_start) = (value_len == DELETED, HEADER + key_len);
    let len = if deleted { value_start } else { value_start + value_len as usize };
    let record = bytes.get(..len)?;
    if crc32fast::hash(&record[4..]) != checksum {
        return None;
    }
    let (key, value) = (&record[HEADER..value_start], &record[value_start..]);
    Some(Record { key, value: (!deleted).then_some(value), len })
}

/// Names the bytes of the log, for whoever looks at them. It says what is there, sound or not.
#[must_use]
pub fn describe(_file: &str, bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut start = 0;
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    while let (Some(checksum), Some(key_len), Some(value_len)) =
        (number(start), number(start + 4), number(start + 8))
    {
        let key_end = (start + HEADER).saturating_add(key_len as usize).min(bytes.len());
        let held = if value_len == DELETED { 0 } else { value_len as usize };
        let end = key_end.saturating_add(held).min(bytes.len());
        let matches = crc32fast::hash(&bytes[start + 4..end]) == checksum;
        let said = if matches { "matches" } else { "does not match" };
        fields.push(Field::new(start..start + 4, "checksum", said));
        fields.push(Field::new(start + 4..start + 8, "key length", key_len.to_string()));
        let said = if value_len == DELETED { "deleted".to_owned() } else { value_len.to_string() };
        fields.push(Field::new(start + 8..start + HEADER, "value length", said));
        let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
        fields.push(Field::new(start + HEADER..key_end, "key", text(&bytes[start + HEADER..key_end])));
        fields.push(Field::new(key_end..end, "value", text(&bytes[key_end..end])));
        start = end;
    }
    if start < bytes.len() {
        fields.push(Field::new(start..bytes.len(), "rest", "not a whole record"));
    }
    fields
}
