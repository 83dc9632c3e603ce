//! A log: every write is appended to one file, and every read scans it.
//!
//! ```text
//!   set("name", "anna")      set("name", "bob")       delete("name")
//!        ▼ append                 ▼ append                 ▼ append
//!   log  │ record │ record │ record │ …      the newest record of a key is the one that counts
//!
//!   a record:  │ checksum 4 │ key length 4 │ value length 4 │ key │ value │
//! ```
//!
//! The lengths and the checksum are little-endian. The checksum is the CRC-32 of everything behind it, so that it covers
//! the lengths as well. A value length of `u32::MAX` says that the key is deleted; no value is that long.
//!
//! Crash contract: an acknowledged write survives a loss of power, with [`SyncPolicy::Always`]. A record that a crash left
//! unfinished at the end is cut off and kept; damage anywhere else is an error, and no file is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use logladder_disk::{Disk, File, OpenOn, Poison, RealDisk, StoreFolder, cut_torn_tail};
use logladder_engine::{
    Durability, Engine, Error, Field, Iterate, Open, Repair, Result, Stats, SyncPolicy, Visit, limits,
};

const NAME: &str = "mine";
const VERSION: u32 = 1;
/// The store's one file.
const LOG: &str = "log";
/// The bytes of a record before its key.
const HEADER: usize = 12;
/// The value length of a key that is deleted.
const DELETED: u32 = u32::MAX;

/// A store that appends every write to one file, and reads that file to find a value.
#[derive(Debug)]
pub struct Store {
    folder: StoreFolder,
    sync: SyncPolicy,
    log: Box<dyn File>,
    /// Where the acknowledged records end. Readers go no further, and need no lock: what lies before it never changes.
    end: AtomicU64,
    /// One write at a time.
    writer: Mutex<()>,
    /// Refuses writes once one has failed: nobody knows what part of that one is in the file.
    poison: Poison,
    repairs: Vec<Repair>,
}

impl OpenOn for Store {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, sync: SyncPolicy) -> Result<Self> {
        //~ step 1 open: open
        //~ do Take the folder, open the log or make it, and put both into a `Store`.
        //~ do What is in a log that was there already is for `recover` to say, which is written at the end.
        //~ hint `StoreFolder::open` makes the folder, locks it, and refuses it if it is another's. Its last argument says
        //~ + which file names are yours. `Disk::entry` says whether a file is there.
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
        //~ + let repairs = recover(&folder, &*log)?;
        //~ + Ok(Self { end: AtomicU64::new(log.len()), writer: Mutex::default(), poison: Poison::default(), folder, … })
        let folder = StoreFolder::open(disk, dir, NAME, VERSION, |name| name == LOG)?;
        let path = folder.path(LOG);
        let log = match folder.disk().entry(&path)? {
            Some(_) => folder.disk().open(&path)?,
            None => folder.disk().create(&path)?,
        };
        folder.disk().sync_dir(folder.dir())?;
        let repairs = recover(&folder, &*log)?;
        Ok(Self {
            end: AtomicU64::new(log.len()),
            writer: Mutex::default(),
            poison: Poison::default(),
            folder,
            sync,
            log,
            repairs,
        })
        //~ end
    }
}

/// The bytes of a record; without a value, those that say that the key is deleted.
fn encode(key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    //~ step 2 encode:
    //~ do Write a record, as drawn at the top: checksum, lengths, key, value.
    //~ hint Build everything behind the checksum first; then its checksum is `crc32fast::hash(&record[4..])`.
    //~ hint `u32::to_le_bytes` gives the four bytes of a number. Begin with four zeros, and overwrite them at the end.
    //~ hint
    //~ + let mut record = vec![0; 4];
    //~ + record.extend_from_slice(&length(key).to_le_bytes());
    //~ + record.extend_from_slice(&value.map_or(DELETED, length).to_le_bytes());
    //~ + … key, then value.unwrap_or_default() …
    //~ + let checksum = crc32fast::hash(&record[4..]);
    //~ + record[..4].copy_from_slice(&checksum.to_le_bytes());
    let mut record = vec![0; 4];
    record.extend_from_slice(&length(key).to_le_bytes());
    record.extend_from_slice(&value.map_or(DELETED, length).to_le_bytes());
    record.extend_from_slice(key);
    record.extend_from_slice(value.unwrap_or_default());
    let checksum = crc32fast::hash(&record[4..]);
    record[..4].copy_from_slice(&checksum.to_le_bytes());
    record
    //~ end
}

/// The length of a key or a value, which `limits` keeps far below four gigabytes.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(DELETED)
}

impl Store {
    /// Appends a record, and returns when it is as safe as the sync policy says.
    fn append(&self, record: &[u8]) -> Result<()> {
        //~ step 3 append: set
        //~ checks written
        //~ do Take the lock, refuse if an earlier write failed, append the record, sync it unless the policy is `Never`, and
        //~ + only then let readers see it, by moving `end`.
        //~ hint `self.poison.check()?` refuses; `self.poison.guard(outcome)?` remembers a failure. A lock whose holder panicked
        //~ + is `Error::panicked()`.
        //~ hint `File::append` gives the offset at which the record begins: `end` is that and the record's length. If you move
        //~ + it before the sync, a reader may see a value that is then lost.
        //~ hint
        //~ + let _one_at_a_time = self.writer.lock().map_err(|_| Error::panicked())?;
        //~ + self.poison.check()?;
        //~ + let start = self.poison.guard(self.log.append(record))?;
        //~ + if self.sync != SyncPolicy::Never { self.poison.guard(self.log.sync())?; }
        //~ + self.end.store(start + record.len() as u64, Ordering::Release);
        //~ + Ok(())
        let _one_at_a_time = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        let start = self.poison.guard(self.log.append(record))?;
        if self.sync != SyncPolicy::Never {
            self.poison.guard(self.log.sync())?;
        }
        self.end.store(start + record.len() as u64, Ordering::Release);
        Ok(())
        //~ end
    }

    /// Shows every acknowledged record to `show`, the oldest first.
    fn scan(&self, mut show: impl FnMut(Record<'_>)) -> Result<()> {
        let mut bytes = vec![0; usize::try_from(self.end.load(Ordering::Acquire)).unwrap_or(usize::MAX)];
        self.log.read_at(0, &mut bytes)?;
        let mut offset = 0;
        while offset < bytes.len() {
            let Some(record) = decode(&bytes[offset..]) else {
                return Err(Error::corrupt(self.log.path(), offset as u64, "there is no sound record here"));
            };
            offset += record.len;
            show(record);
        }
        Ok(())
    }
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
    //~ step 5 decode: get
    //~ checks rot
    //~ do Read the lengths, then the whole record, and believe it only if its checksum is right.
    //~ + Whatever the bytes are, this must not panic: they may come from a damaged file. `rot` flips every bit of whole records;
    //~ + bytes that end before a record does come with the last step.
    //~ hint `bytes.get(from..to)` gives None where indexing would panic, and `?` hands that on.
    //~ hint A number: `u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?)`. A deleted key has no value, and `DELETED` is
    //~ + no length.
    //~ hint
    //~ + let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    //~ + let (checksum, key_len, value_len) = (number(0)?, number(4)? as usize, number(8)?);
    //~ + let (deleted, value_start) = (value_len == DELETED, HEADER + key_len);
    //~ + let len = if deleted { value_start } else { value_start + value_len as usize };
    //~ + let record = bytes.get(..len)?;
    //~ + … None if the checksum of record[4..] is another, else Some(Record { … })
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
    //~ end
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
        self.append(&encode(key, Some(value)))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        //~ step 4 get:
        //~ do Scan the log. The last record of the key says what its value is, or that it has none.
        //~ hint `self.scan(|record| …)` shows every record, the oldest first. Keep what the last one of this key said.
        //~ hint A record without a value is news too: it takes away what an older one said.
        //~ hint
        //~ + let mut value = None;
        //~ + self.scan(|record| {
        //~ +     if record.key == key { value = record.value.map(<[u8]>::to_vec); }
        //~ + })?;
        //~ + Ok(value)
        let mut value = None;
        self.scan(|record| {
            if record.key == key {
                value = record.value.map(<[u8]>::to_vec);
            }
        })?;
        Ok(value)
        //~ end
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        //~ step 6 delete: delete
        //~ do Append a record that says that the key is deleted. Whether it was there does not matter.
        //~ hint Nothing is ever removed from a log. What takes a key away is one more record.
        //~ hint `encode` makes such a record if it is given no value.
        //~ hint self.append(&encode(key, None))
        self.append(&encode(key, None))
        //~ end
    }

    /// Each write was synced before it was acknowledged, unless the policy is `Never`.
    fn sync(&self) -> Result<()> {
        let _one_at_a_time = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        self.poison.guard(self.log.sync())
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        stats.disk_bytes = self.folder.disk_bytes()?;
        //~ step 7 stats: stats
        //~ do Count the keys that have a value, and the bytes of those keys and values.
        //~ hint A key counts once, however many records it has, and not at all if the last of them deletes it.
        //~ hint Scan into a map from the key to the length of its value: insert for a value, remove for a delete.
        //~ hint
        //~ + let mut live = BTreeMap::new();
        //~ + self.scan(|record| match record.value {
        //~ +     Some(value) => drop(live.insert(record.key.to_vec(), value.len())),
        //~ +     None => drop(live.remove(record.key)),
        //~ + })?;
        //~ + stats.live_keys = live.len() as u64; … and stats.live_bytes, the sum of key.len() + value_len …
        let mut live = BTreeMap::new();
        self.scan(|record| match record.value {
            Some(value) => drop(live.insert(record.key.to_vec(), value.len())),
            None => drop(live.remove(record.key)),
        })?;
        stats.live_keys = live.len() as u64;
        stats.live_bytes = live.iter().map(|(key, value_len)| (key.len() + value_len) as u64).sum();
        Ok(stats)
        //~ end
    }

    fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }
}

impl Iterate for Store {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        //~ step 8 visit: visit
        //~ do Show every key that has a value to `visit`, with that value, until it answers `ControlFlow::Break`. A visitor may
        //~ + read and write the store, so hold no lock; it is shown what is there when the turn of a key comes.
        //~ hint First make a list of the keys, each once. Then go through it, and ask for each value when its turn comes.
        //~ hint A key that was deleted since has no value any more: leave it out. `self.get` says so.
        //~ hint
        //~ + let mut keys = BTreeSet::new();
        //~ + self.scan(|record| {
        //~ +     keys.insert(record.key.to_vec());
        //~ + })?;
        //~ + for key in keys {
        //~ +     let Some(value) = self.get(&key)? else { continue };
        //~ +     if visit(&key, &value) == ControlFlow::Break(()) { break; }
        //~ + }
        //~ + Ok(())
        let mut keys = BTreeSet::new();
        self.scan(|record| {
            keys.insert(record.key.to_vec());
        })?;
        for key in keys {
            let Some(value) = self.get(&key)? else { continue };
            if visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
        //~ end
    }
}

/// Looks at a log that was there already. What a crash left unfinished at its end is cut off, and reported.
fn recover(folder: &StoreFolder, log: &dyn File) -> Result<Vec<Repair>> {
    if log.is_empty() {
        return Ok(Vec::new());
    }
    //~ step 9 recover: reopen
    //~ checks model crash flips cuts faults
    //~ do Go through the records. Where there is no sound one, either a crash cut the last write short, which is to be cut
    //~ + off; or a record in the middle is damaged, which is an error. What tells them apart: behind an unfinished write
    //~ + there is no sound record.
    //~ hint Read the file (`folder.disk().read(log.path())`) and go from record to record, until one cannot be decoded. If
    //~ + that is the end of the file, all is well.
    //~ hint To see whether a sound record follows, try `decode` at every later byte: a length may be the very thing that is
    //~ + damaged. `cut_torn_tail` cuts, and keeps what it cut.
    //~ hint
    //~ + let bytes = folder.disk().read(log.path())?;
    //~ + let mut end = 0;
    //~ + while let Some(record) = decode(&bytes[end..]) { end += record.len; }
    //~ + if end == bytes.len() { return Ok(Vec::new()); }
    //~ + if (end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some()) {
    //~ +     return Err(Error::corrupt(log.path(), end as u64, "a record is damaged, and sound ones follow it"));
    //~ + }
    //~ + Ok(vec![cut_torn_tail(&**folder.disk(), log, end as u64)?])
    let bytes = folder.disk().read(log.path())?;
    let mut end = 0;
    while let Some(record) = decode(&bytes[end..]) {
        end += record.len;
    }
    if end == bytes.len() {
        return Ok(Vec::new());
    }
    if (end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some()) {
        return Err(Error::corrupt(log.path(), end as u64, "a record is damaged, and sound ones follow it"));
    }
    Ok(vec![cut_torn_tail(&**folder.disk(), log, end as u64)?])
    //~ end
}

impl Open for Store {
    type Options = SyncPolicy;

    fn open(dir: &Path, sync: SyncPolicy) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, sync)
    }
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
