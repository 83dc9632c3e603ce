//! An index in memory over segments of a log, which are compacted.
//!
//! ```text
//!   the index:  "name" → segment 2, offset 8          get("name"): one look, one read
//!               "city" → segment 1, offset 31
//!
//!   1.log │ beginning │ record │ record │ …           full: nothing is appended to it any more
//!   2.log │ beginning │ record │ …                    the active one: every write is appended here
//!
//!   a beginning:  │ checksum 4 │ length of the segment before 4 │
//!   a record:     │ checksum 4 │ key length 4 │ value length 4 │ key │ value │
//! ```
//!
//! The records are those of the log that every read scans: little-endian, the CRC-32 covers everything behind it, and a value
//! length of `u32::MAX` says that the key is deleted. Encoding and decoding them is given. Each segment says how long the one
//! before it was, so that a full one that lost its end is noticed.
//!
//! Crash contract: an acknowledged write survives a loss of power, with [`SyncPolicy::Always`]. A record that a crash left
//! unfinished at the end of the active segment is cut off and kept; damage anywhere else is an error.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use logladder_disk::{Disk, File, OpenOn, Poison, RealDisk, StoreFolder, cut_torn_tail, replace};
use logladder_engine::{
    Compact, Compacted, Durability, Engine, Error, Field, Iterate, Open, Repair, Result, Stats, SyncPolicy,
    Visit, limits,
};

const NAME: &str = "mine";
const VERSION: u32 = 1;
/// A segment that is longer than this is full.
const FULL: u64 = 256 * 1024;
/// The bytes of a segment before its first record.
const BEGINNING: usize = 8;
/// The bytes of a record before its key.
const HEADER: usize = 12;
/// The value length of a key that is deleted.
const DELETED: u32 = u32::MAX;

/// A store that finds each value by one look in memory and one read.
#[derive(Debug)]
pub struct Store {
    folder: StoreFolder,
    sync: SyncPolicy,
    /// What readers need.
    state: RwLock<State>,
    /// One write at a time.
    writer: Mutex<()>,
    /// Refuses writes once one has failed.
    poison: Poison,
    repairs: Vec<Repair>,
}

#[derive(Debug, Default)]
struct State {
    /// Where the newest record of each key with a value lies.
    index: HashMap<Vec<u8>, Place>,
    /// By number. The last one is the active one.
    segments: BTreeMap<u32, Arc<dyn File>>,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    segment: u32,
    offset: u64,
    len: usize,
}

impl State {
    /// The active segment and its number. A store that is open has one.
    fn active(&self) -> Result<(u32, Arc<dyn File>)> {
        let last = self.segments.last_key_value().map(|(number, file)| (*number, Arc::clone(file)));
        last.ok_or_else(Error::panicked)
    }

    /// Does to the index what a record at `place` says.
    fn learn(&mut self, record: &Record<'_>, place: Place) {
        match record.value {
            Some(_) => self.index.insert(record.key.to_vec(), place),
            None => self.index.remove(record.key),
        };
    }
}

fn file_name(number: u32) -> String {
    format!("{number}.log")
}

/// The number in the name of a segment. Only the spelling that [`file_name`] gives is one.
fn number_in(name: &str) -> Option<u32> {
    let number = name.strip_suffix(".log")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

impl OpenOn for Store {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, sync: SyncPolicy) -> Result<Self> {
        //~ step 1 open: open
        //~ do Take the folder, in which every name with a `number_in` it is yours, and sync it. `load` gives the segments that were
        //~ + there and their index. If there is none, make the first, numbered 1, before which there were 0 bytes.
        //~ hint `StoreFolder::open` makes the folder, locks it, and refuses it if it is another's. Its last argument says which
        //~ + file names are yours.
        //~ hint `folder.disk().sync_dir(folder.dir())` syncs the folder: a process that made a segment may have died before it
        //~ + could. `begin_segment` makes a segment with its beginning.
        //~ hint
        //~ + let folder = StoreFolder::open(disk, dir, NAME, VERSION, |name| number_in(name).is_some())?;
        //~ + folder.disk().sync_dir(folder.dir())?;
        //~ + let (mut state, repairs) = load(&folder)?;
        //~ + if state.segments.is_empty() { state.segments.insert(1, begin_segment(&folder, 1, 0)?); }
        //~ + Ok(Self { state: RwLock::new(state), writer: Mutex::default(), poison: Poison::default(), folder, sync, repairs })
        let folder = StoreFolder::open(disk, dir, NAME, VERSION, |name| number_in(name).is_some())?;
        folder.disk().sync_dir(folder.dir())?;
        let (mut state, repairs) = load(&folder)?;
        if state.segments.is_empty() {
            state.segments.insert(1, begin_segment(&folder, 1, 0)?);
        }
        let state = RwLock::new(state);
        Ok(Self { folder, sync, state, writer: Mutex::default(), poison: Poison::default(), repairs })
        //~ end
    }
}

/// The beginning of a segment.
fn beginning(length_before: u64) -> [u8; BEGINNING] {
    let length = u32::try_from(length_before).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = [0; BEGINNING];
    bytes[4..].copy_from_slice(&length);
    bytes[..4].copy_from_slice(&crc32fast::hash(&length).to_le_bytes());
    bytes
}

/// Makes a segment with nothing but its beginning, on the disk before it is used.
fn begin_segment(folder: &StoreFolder, number: u32, length_before: u64) -> Result<Arc<dyn File>> {
    let file = folder.disk().create(&folder.path(&file_name(number)))?;
    file.append(&beginning(length_before))?;
    file.sync()?;
    folder.disk().sync_dir(folder.dir())?;
    Ok(Arc::from(file))
}

/// The segments that are there, and where the newest record of each key lies. What a crash left unfinished at the end of
/// the last one is cut off, and reported.
fn load(folder: &StoreFolder) -> Result<(State, Vec<Repair>)> {
    let (mut state, mut repairs) = (State::default(), Vec::new());
    let mut numbers: Vec<u32> = folder.list()?.iter().filter_map(|entry| number_in(&entry.name)).collect();
    numbers.sort_unstable();
    let mut before: Option<(u32, u64)> = None;
    for &number in &numbers {
        let path = folder.path(&file_name(number));
        let file: Arc<dyn File> = Arc::from(folder.disk().open(&path)?);
        let bytes = folder.disk().read(&path)?;
        let is_last = numbers.last() == Some(&number);
        let mut end = 0;
        //~ step 6 load: reopen
        //~ do Check the beginning of this segment: it must be the one that says how long the segment before was, if that one is still
        //~ + there. Then learn from each record, and leave `end` where the sound bytes end. What follows below cuts the last
        //~ + segment there, and refuses any other.
        //~ hint `before` holds the number and the length of the segment before. If there was none, or compaction has removed it,
        //~ + any sound beginning will do. A beginning is sound if it is what `beginning` gives for the length in it.
        //~ hint The first record begins at BEGINNING. `state.learn(&record, Place { segment: number, offset, len: record.len })`.
        //~ hint
        //~ + if let Some(start) = bytes.first_chunk::<BEGINNING>() {
        //~ +     let said = u64::from(u32::from_le_bytes([start[4], start[5], start[6], start[7]]));
        //~ +     let is_sound = *start == beginning(said);
        //~ +     let fits = before.is_none_or(|(earlier, len)| earlier + 1 != number || len == said);
        //~ +     if is_sound && !fits { return Err(Error::corrupt(&path, 0, "the segment before it has another length")); }
        //~ +     if is_sound { end = BEGINNING; }
        //~ + }
        //~ + while end >= BEGINNING && let Some(record) = decode(&bytes[end..]) {
        //~ +     state.learn(&record, Place { segment: number, offset: end as u64, len: record.len });
        //~ +     end += record.len;
        //~ + }
        if let Some(start) = bytes.first_chunk::<BEGINNING>() {
            let said = u64::from(u32::from_le_bytes([start[4], start[5], start[6], start[7]]));
            let is_sound = *start == beginning(said);
            let fits = before.is_none_or(|(earlier, len)| earlier + 1 != number || len == said);
            if is_sound && !fits {
                return Err(Error::corrupt(&path, 0, "the segment before it has another length"));
            }
            if is_sound {
                end = BEGINNING;
            }
        }
        while end >= BEGINNING
            && let Some(record) = decode(&bytes[end..])
        {
            state.learn(&record, Place { segment: number, offset: end as u64, len: record.len });
            end += record.len;
        }
        //~ end
        if end < bytes.len() || end < BEGINNING {
            let sound_follows = (end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some());
            if !is_last || sound_follows {
                return Err(Error::corrupt(&path, end as u64, "it is damaged here"));
            }
            if end < bytes.len() {
                repairs.push(cut_torn_tail(&**folder.disk(), &*file, end as u64)?);
            }
            if end < BEGINNING {
                file.append(&beginning(before.map_or(0, |(_, len)| len)))?;
                file.sync()?;
            }
        }
        before = Some((number, file.len()));
        state.segments.insert(number, file);
    }
    Ok((state, repairs))
}

impl Store {
    fn writer(&self) -> Result<MutexGuard<'_, ()>> {
        let writer = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        Ok(writer)
    }

    /// Appends a record to the active segment, and puts its place into the index.
    fn append(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let _one_at_a_time = self.writer()?;
        let (mut number, mut active) = self.state.read().map_err(|_| Error::panicked())?.active()?;
        if active.len() > FULL {
            (number, active) = self.poison.guard(self.rotate(number, &active))?;
        }
        let bytes = encode(key, value);
        //~ step 2 append: set
        //~ checks written
        //~ do Append the bytes, and sync them unless the policy is `Never`. Then let readers find the record.
        //~ hint `self.poison.guard(outcome)?` remembers a failure. `File::append` gives the offset at which the record begins.
        //~ hint `State::learn` wants a `Record`, which says what was written, and its `Place`. Take the lock of the state only now:
        //~ + readers need not wait for the disk.
        //~ hint
        //~ + let offset = self.poison.guard(active.append(&bytes))?;
        //~ + if self.sync != SyncPolicy::Never { self.poison.guard(active.sync())?; }
        //~ + let record = Record { key, value, len: bytes.len() };
        //~ + let place = Place { segment: number, offset, len: bytes.len() };
        //~ + self.state.write().map_err(|_| Error::panicked())?.learn(&record, place);
        //~ + Ok(())
        let offset = self.poison.guard(active.append(&bytes))?;
        if self.sync != SyncPolicy::Never {
            self.poison.guard(active.sync())?;
        }
        let record = Record { key, value, len: bytes.len() };
        let place = Place { segment: number, offset, len: bytes.len() };
        self.state.write().map_err(|_| Error::panicked())?.learn(&record, place);
        Ok(())
        //~ end
    }

    /// The active segment is full: begins the next one, and gives it with its number.
    fn rotate(&self, number: u32, full: &Arc<dyn File>) -> Result<(u32, Arc<dyn File>)> {
        //~ step 4 rotate:
        //~ do Sync the full segment, whatever the policy is: nobody will come back to it. Then begin the next one, and let the state
        //~ + know.
        //~ hint A later `sync` syncs only the active segment. What was not synced in a full one would never be.
        //~ hint `begin_segment` wants to know how long the segment before is: `full.len()`.
        //~ hint
        //~ + full.sync()?;
        //~ + let next = begin_segment(&self.folder, number + 1, full.len())?;
        //~ + self.state.write().map_err(|_| Error::panicked())?.segments.insert(number + 1, Arc::clone(&next));
        //~ + Ok((number + 1, next))
        full.sync()?;
        let next = begin_segment(&self.folder, number + 1, full.len())?;
        self.state.write().map_err(|_| Error::panicked())?.segments.insert(number + 1, Arc::clone(&next));
        Ok((number + 1, next))
        //~ end
    }
}

impl Compact for Store {
    /// Writers wait meanwhile; readers do not.
    fn compact(&self) -> Result<Compacted> {
        let _one_at_a_time = self.writer()?;
        let before = self.folder.disk_bytes()?;
        let keys: Vec<Vec<u8>> =
            self.state.read().map_err(|_| Error::panicked())?.index.keys().cloned().collect();
        let (last, active) = self.state.read().map_err(|_| Error::panicked())?.active()?;
        let mut bytes = beginning(active.len()).to_vec();
        let mut fresh = State::default();
        for key in keys {
            let Some(value) = self.get(&key)? else { continue };
            let record = encode(&key, Some(&value));
            let place = Place { segment: last + 1, offset: bytes.len() as u64, len: record.len() };
            bytes.extend(record);
            fresh.index.insert(key, place);
        }
        self.poison.guard(self.install(last + 1, &bytes, fresh))?;
        let mut gained = Compacted::default();
        gained.files_removed = u64::from(last);
        gained.files_written = 2;
        gained.bytes_reclaimed = before.saturating_sub(self.folder.disk_bytes()?);
        Ok(gained)
    }
}

impl Store {
    /// Puts the segment `number`, which holds everything that `fresh` has in its index, in the place of all others, and
    /// begins an active one behind it.
    fn install(&self, number: u32, bytes: &[u8], mut fresh: State) -> Result<()> {
        let (disk, path) = (self.folder.disk(), self.folder.path(&file_name(number)));
        //~ step 7 install: compact
        //~ checks model crash flips cuts faults
        //~ do Write the new segment whole, and begin the active one behind it; then let readers use both; and only then remove the
        //~ + old ones. A crash may come between any two of these, and between the removals.
        //~ hint `replace` makes a file that is there whole or not at all. Readers that still hold an old segment keep it, removed or not.
        //~ hint A value must never outlive the record that deleted it, which lies in a later segment. So the oldest is removed
        //~ + first, and its removal is on the disk (`sync_dir`) before the next.
        //~ hint
        //~ + replace(&**disk, &path, &[bytes], SyncPolicy::Always)?;
        //~ + fresh.segments.insert(number, Arc::from(disk.open(&path)?));
        //~ + fresh.segments.insert(number + 1, begin_segment(&self.folder, number + 1, bytes.len() as u64)?);
        //~ + let old = std::mem::replace(&mut *self.state.write().map_err(|_| Error::panicked())?, fresh);
        //~ + for segment in old.segments.keys() {
        //~ +     disk.remove(&self.folder.path(&file_name(*segment)))?;
        //~ +     disk.sync_dir(self.folder.dir())?;
        //~ + }
        //~ + Ok(())
        replace(&**disk, &path, &[bytes], SyncPolicy::Always)?;
        fresh.segments.insert(number, Arc::from(disk.open(&path)?));
        fresh.segments.insert(number + 1, begin_segment(&self.folder, number + 1, bytes.len() as u64)?);
        let old = std::mem::replace(&mut *self.state.write().map_err(|_| Error::panicked())?, fresh);
        for segment in old.segments.keys() {
            disk.remove(&self.folder.path(&file_name(*segment)))?;
            disk.sync_dir(self.folder.dir())?;
        }
        Ok(())
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
        //~ do Look where the key's record lies, read it there, and check it before its value is believed.
        //~ hint Take the place and the segment out of the state, and let the lock go before you read. The file stays readable, also
        //~ + if compaction removes it meanwhile.
        //~ hint `Place` is copied, and `Arc::clone` keeps the segment. A record that cannot be decoded is `Error::corrupt`, with the
        //~ + segment's path and the offset.
        //~ hint
        //~ + let found = {
        //~ +     let state = self.state.read().map_err(|_| Error::panicked())?;
        //~ +     let place = state.index.get(key).copied();
        //~ +     place.and_then(|place| Some((place, Arc::clone(state.segments.get(&place.segment)?))))
        //~ + };
        //~ + let Some((place, segment)) = found else { return Ok(None) };
        //~ + let mut bytes = vec![0; place.len];
        //~ + segment.read_at(place.offset, &mut bytes)?;
        //~ + … decode(&bytes), its value as a Vec, or the error …
        let found = {
            let state = self.state.read().map_err(|_| Error::panicked())?;
            let place = state.index.get(key).copied();
            place.and_then(|place| Some((place, Arc::clone(state.segments.get(&place.segment)?))))
        };
        let Some((place, segment)) = found else { return Ok(None) };
        let mut bytes = vec![0; place.len];
        segment.read_at(place.offset, &mut bytes)?;
        match decode(&bytes) {
            Some(record) => Ok(record.value.map(<[u8]>::to_vec)),
            None => Err(Error::corrupt(segment.path(), place.offset, "the record there is no longer sound")),
        }
        //~ end
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        //~ step 5 delete: delete
        //~ do Append a record that says that the key is deleted.
        //~ hint What is only taken out of the index comes back when the segments are loaded.
        //~ hint `append` writes such a record if it is given no value.
        //~ hint self.append(key, None)
        self.append(key, None)
        //~ end
    }

    /// Full segments were synced when they were rotated.
    fn sync(&self) -> Result<()> {
        let _one_at_a_time = self.writer()?;
        let (_, active) = self.state.read().map_err(|_| Error::panicked())?.active()?;
        self.poison.guard(active.sync())
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let held = self.state.read().map_err(|_| Error::panicked())?;
        stats.live_keys = held.index.len() as u64;
        stats.live_bytes = held.index.values().map(|place| (place.len - HEADER) as u64).sum();
        let place_len = size_of::<(Vec<u8>, Place)>() + 1;
        let key_bytes: usize = held.index.keys().map(Vec::len).sum();
        stats.index_bytes = (held.index.capacity() * place_len + key_bytes) as u64;
        drop(held);
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
        let keys: Vec<Vec<u8>> =
            self.state.read().map_err(|_| Error::panicked())?.index.keys().cloned().collect();
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

/// Names the bytes of a segment, for whoever looks at them. It says what is there, sound or not.
#[must_use]
pub fn describe(_file: &str, bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (Some(checksum), Some(before)) = (number(0), number(4)) else {
        return vec![Field::new(0..bytes.len(), "rest", "shorter than a beginning")];
    };
    let matches = crc32fast::hash(&bytes[4..BEGINNING]) == checksum;
    fields.push(Field::new(0..4, "checksum", if matches { "matches" } else { "does not match" }));
    fields.push(Field::new(4..BEGINNING, "length before", before.to_string()));
    let mut start = BEGINNING;
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
