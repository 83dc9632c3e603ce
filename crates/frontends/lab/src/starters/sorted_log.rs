//! A memtable and its log, and below them sorted tables, which are merged.
//!
//! ```text
//!   set("name", "anna") ──► 4.log │ record │ record │ …       get("name"): the memtable, and then the tables, the
//!           └──────► the memtable: "city", "name", …             newest first, until one knows the key
//!
//!   4.log is full ──► 4-4.table: the memtable, in the order of its keys; 5.log begins
//!   a merge       ──► 3-4.table takes the place of 3-3.table and 4.log
//!
//!   a table:     │ block │ block │ … │ index │ footer │
//!   a block:     records in the order of their keys, until they are long enough
//!   the index:   a record for each block: its first key, and as its value where it begins (8)
//!   the footer:  │ checksum 4 │ where the index begins 8 │
//!   a record:    │ checksum 4 │ key length 4 │ value length 4 │ key │ value │
//! ```
//!
//! The records are those of the log that every read scans: little-endian, the CRC-32 covers everything behind it, and a value
//! length of `u32::MAX` says that the key is deleted. Encoding and decoding them is given.
//!
//! No file says which others are the store: their names do. A table is named after the first and the last log whose writes are
//! in it. What lies within the logs of another table is *covered*: that table has it all, and the file can go. So a table
//! counts as soon as its name is there, and whatever a crash leaves behind is found by its name.
//!
//! Crash contract: an acknowledged write survives a loss of power, with [`SyncPolicy::Always`]. A record that a crash left
//! unfinished at the end of the log is cut off and kept; damage anywhere else is an error, and no file is changed.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow, Range, RangeBounds};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::vec::IntoIter;

use logladder_disk::{Disk, File, OpenOn, Poison, RealDisk, StoreFolder, cut_torn_tail, replace};
use logladder_engine::{
    Compact, Compacted, Direction, Durability, Engine, Error, Field, Iterate, KeyRange, Open, Ordered,
    Repair, Result, Stats, SyncPolicy, Visit, limits,
};

const NAME: &str = "mine";
const VERSION: u32 = 1;
/// A log that is longer than this is full. This is so short that checks of a few writes see tables come and go. When every
/// promise is kept, try 64 KiB, and see on the chart what that changes.
const FULL: u64 = 512;
/// A block that is as long as this, or longer, is full. Short for the same reason: 4 KiB would be usual.
const BLOCK: usize = 128;
/// The bytes of a table behind its index.
const FOOTER: usize = 12;
/// The bytes of a record before its key.
const HEADER: usize = 12;
/// The value length of a key that is deleted.
const DELETED: u32 = u32::MAX;
/// Every key.
const ALL: KeyRange<'static> = (Bound::Unbounded, Bound::Unbounded);

/// A store whose files are sorted, but for the newest.
#[derive(Debug)]
pub struct Store {
    folder: StoreFolder,
    sync: SyncPolicy,
    /// What readers need.
    state: RwLock<State>,
    /// Held while something is written, merged as well.
    log: Mutex<Log>,
    /// Refuses writes once one has failed.
    poison: Poison,
    repairs: Vec<Repair>,
}

#[derive(Debug)]
struct State {
    memtable: Memtable,
    /// The oldest first. Their logs follow each other from 1 on, without a gap.
    tables: Vec<Arc<Table>>,
}

/// What the log says: the newest value of each key that is in it, or none if that is deleted.
type Memtable = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

#[derive(Debug)]
struct Log {
    number: u64,
    file: Box<dyn File>,
}

/// What the memtable or a table says of a key.
#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    /// None is a tombstone: the key is deleted, whatever an older table says.
    value: Option<Vec<u8>>,
}

fn log_name(number: u64) -> String {
    format!("{number}.log")
}

fn table_name(first: u64, last: u64) -> String {
    format!("{first}-{last}.table")
}

/// The number in the name of a log. Only the spelling that [`log_name`] gives is one.
fn log_in(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".log")?.parse().ok()?;
    (log_name(number) == name).then_some(number)
}

/// The first and the last log in the name of a table.
fn logs_in(name: &str) -> Option<(u64, u64)> {
    let (first, last) = name.strip_suffix(".table")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (table_name(first, last) == name).then_some((first, last))
}

impl OpenOn for Store {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, sync: SyncPolicy) -> Result<Self> {
        //~ step 1 open: open
        //~ do Take the folder, in which every name with a `log_in` or with `logs_in` it is yours, and sync it. `tables_of` gives the
        //~ + tables that were there. Open the log that follows the last of theirs, or 1, and let `replay` say what is in it. When all
        //~ + that went well, remove what the tables cover.
        //~ hint `StoreFolder::open` makes the folder, locks it, and refuses it if it is another's. Its last argument says which
        //~ + file names are yours.
        //~ hint `folder.disk().sync_dir(folder.dir())` syncs the folder: a process that put a table there may have died before it
        //~ + could. `open_log` opens a log or makes it, and `remove_covered` removes what can go.
        //~ hint
        //~ + let is_own = |name: &str| log_in(name).is_some() || logs_in(name).is_some();
        //~ + let folder = StoreFolder::open(disk, dir, NAME, VERSION, is_own)?;
        //~ + folder.disk().sync_dir(folder.dir())?;
        //~ + let tables = tables_of(&folder)?;
        //~ + let log = open_log(&folder, tables.last().map_or(1, |table| table.last.saturating_add(1)))?;
        //~ + let (memtable, repairs) = replay(&folder, &*log.file)?;
        //~ + remove_covered(&folder, &tables)?;
        //~ + let (state, log) = (RwLock::new(State { memtable, tables }), Mutex::new(log));
        //~ + Ok(Self { folder, sync, state, log, poison: Poison::default(), repairs })
        let is_own = |name: &str| log_in(name).is_some() || logs_in(name).is_some();
        let folder = StoreFolder::open(disk, dir, NAME, VERSION, is_own)?;
        folder.disk().sync_dir(folder.dir())?;
        let tables = tables_of(&folder)?;
        let log = open_log(&folder, tables.last().map_or(1, |table| table.last.saturating_add(1)))?;
        let (memtable, repairs) = replay(&folder, &*log.file)?;
        remove_covered(&folder, &tables)?;
        let (state, log) = (RwLock::new(State { memtable, tables }), Mutex::new(log));
        Ok(Self { folder, sync, state, log, poison: Poison::default(), repairs })
        //~ end
    }
}

/// The tables that are the store, the oldest first. Those that another covers are left out.
fn tables_of(folder: &StoreFolder) -> Result<Vec<Arc<Table>>> {
    let mut names: Vec<(u64, u64)> = folder.list()?.iter().filter_map(|entry| logs_in(&entry.name)).collect();
    let mut tables = Vec::new();
    if names.is_empty() {
        return Ok(tables);
    }
    //~ step 11 tables: compact
    //~ checks model crash flips cuts faults
    //~ do Each name says which logs are in a table. Open those that together have the logs from 1 on, each once, and leave out
    //~ + those that are covered. If a log is in none of them, a table is missing: refuse the store.
    //~ hint A crash between two removals leaves tables whose logs a wider one has as well: `1-4` beside `1-2` and `3-3`. The
    //~ + wider one is newer, and a value that it has forgotten must not come back from the others.
    //~ hint Sort them by their first log, and of those with the same first log the widest to the front. Then go through them with
    //~ + the number of the log that must come next: which tables end before it, and which begin with it?
    //~ hint
    //~ + names.sort_unstable_by_key(|&(first, last)| (first, Reverse(last)));
    //~ + let mut next = 1;
    //~ + for (first, last) in names.into_iter() {
    //~ +     if last < next { continue; }
    //~ +     if first != next { return Err(Error::corrupt(…, 0, "the table before it is missing")); }
    //~ +     tables.push(Arc::new(Table::open(folder, first, last)?));
    //~ +     next = last.saturating_add(1);
    //~ + }
    names.sort_unstable_by_key(|&(first, last)| (first, Reverse(last)));
    let mut next = 1;
    for (first, last) in names {
        if last < next {
            continue;
        }
        if first != next {
            let path = folder.path(&table_name(first, last));
            return Err(Error::corrupt(&path, 0, "the table before it is missing"));
        }
        tables.push(Arc::new(Table::open(folder, first, last)?));
        next = last.saturating_add(1);
    }
    //~ end
    Ok(tables)
}

/// Removes every table that is not among these, and every log that is in them. What a crash brings back of it is covered
/// still, and removed when the store is opened: so this needs no sync.
fn remove_covered(folder: &StoreFolder, tables: &[Arc<Table>]) -> Result<()> {
    let last = tables.last().map_or(0, |table| table.last);
    for entry in folder.list()? {
        let is_old_table = logs_in(&entry.name)
            .is_some_and(|logs| tables.iter().all(|table| (table.first, table.last) != logs));
        if is_old_table || log_in(&entry.name).is_some_and(|number| number <= last) {
            folder.disk().remove(&folder.path(&entry.name))?;
        }
    }
    Ok(())
}

/// The log with this number, which is made if it is not there. It is on the disk before anything is written to it.
fn open_log(folder: &StoreFolder, number: u64) -> Result<Log> {
    let later = folder.list()?.iter().filter_map(|entry| log_in(&entry.name)).find(|other| *other > number);
    if let Some(later) = later {
        let path = folder.path(&log_name(later));
        return Err(Error::corrupt(&path, 0, "the table of the log before it is missing"));
    }
    let path = folder.path(&log_name(number));
    let file = match folder.disk().entry(&path)? {
        Some(_) => folder.disk().open(&path)?,
        None => folder.disk().create(&path)?,
    };
    folder.disk().sync_dir(folder.dir())?;
    Ok(Log { number, file })
}

/// What the log tells, from its first record to its last. What a crash left unfinished at its end is cut off, and reported.
fn replay(folder: &StoreFolder, log: &dyn File) -> Result<(Memtable, Vec<Repair>)> {
    let mut memtable = Memtable::new();
    if log.is_empty() {
        return Ok((memtable, Vec::new()));
    }
    let bytes = folder.disk().read(log.path())?;
    //~ step 6 replay: reopen
    //~ do Go from record to record, and put each into the memtable, tombstones as well. Where there is no sound one, either a crash
    //~ + cut the last write short, which is to be cut off; or a record in the middle is damaged, which is an error. What tells
    //~ + them apart: behind an unfinished write there is no sound record.
    //~ hint `decode` gives an entry and the length of its record. `while let Some((entry, len)) = decode(&bytes[end..])` goes on
    //~ + until one cannot be decoded. If that is the end of the file, all is well.
    //~ hint To see whether a sound record follows, try `decode` at every later byte: a length may be the very thing that is
    //~ + damaged. `cut_torn_tail` cuts, and keeps what it cut.
    //~ hint
    //~ + let mut end = 0;
    //~ + while let Some((entry, len)) = decode(&bytes[end..]) {
    //~ +     memtable.insert(entry.key, entry.value);
    //~ +     end += len;
    //~ + }
    //~ + if end == bytes.len() { return Ok((memtable, Vec::new())); }
    //~ + if (end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some()) {
    //~ +     return Err(Error::corrupt(log.path(), end as u64, "a record is damaged, and sound ones follow it"));
    //~ + }
    //~ + Ok((memtable, vec![cut_torn_tail(&**folder.disk(), log, end as u64)?]))
    let mut end = 0;
    while let Some((entry, len)) = decode(&bytes[end..]) {
        memtable.insert(entry.key, entry.value);
        end += len;
    }
    if end == bytes.len() {
        return Ok((memtable, Vec::new()));
    }
    if (end + 1..bytes.len()).any(|later| decode(&bytes[later..]).is_some()) {
        return Err(Error::corrupt(log.path(), end as u64, "a record is damaged, and sound ones follow it"));
    }
    Ok((memtable, vec![cut_torn_tail(&**folder.disk(), log, end as u64)?]))
    //~ end
}

/// A file of entries in the order of their keys, which never changes.
#[derive(Debug)]
struct Table {
    /// The first and the last log whose writes are in it.
    first: u64,
    last: u64,
    file: Box<dyn File>,
    /// The first key of each block, and where the block begins.
    blocks: Vec<(Vec<u8>, u64)>,
    /// Where the last block ends.
    end: u64,
}

/// The bytes of a table with these entries, which come in the order of their keys.
fn build(entries: impl Iterator<Item = Result<Entry>>) -> Result<Vec<u8>> {
    //~ step 7 build:
    //~ do Put the record of each entry behind the one before. With the first one, and whenever the block is full, a new block
    //~ + begins: the index gets a record with the entry's key, and as its value the place where the block begins. Behind the last
    //~ + block comes the index, and behind that the footer.
    //~ hint Two buffers grow side by side, one of blocks and one of index records. `encode(key, Some(value))` makes a record for
    //~ + either, and `(bytes.len() as u64).to_le_bytes()` is a place in the file. An entry may be an error: hand it on with `?`.
    //~ hint Remember where the block began, and compare before an entry is put in: `bytes.len() - start >= BLOCK`. The footer is
    //~ + the CRC-32 of the eight bytes that say where the index begins, and then those bytes.
    //~ hint
    //~ + let (mut bytes, mut index, mut start) = (Vec::new(), Vec::new(), 0);
    //~ + for entry in entries {
    //~ +     let Entry { key, value } = entry?;
    //~ +     if index.is_empty() || bytes.len() - start >= BLOCK {
    //~ +         start = bytes.len();
    //~ +         index.extend(encode(&key, Some(&(start as u64).to_le_bytes())));
    //~ +     }
    //~ +     bytes.extend(encode(&key, value.as_deref()));
    //~ + }
    //~ + let index_start = (bytes.len() as u64).to_le_bytes();
    //~ + … the index, crc32fast::hash(&index_start).to_le_bytes(), index_start …
    let (mut bytes, mut index, mut start) = (Vec::new(), Vec::new(), 0);
    for entry in entries {
        let Entry { key, value } = entry?;
        if index.is_empty() || bytes.len() - start >= BLOCK {
            start = bytes.len();
            index.extend(encode(&key, Some(&(start as u64).to_le_bytes())));
        }
        bytes.extend(encode(&key, value.as_deref()));
    }
    let index_start = (bytes.len() as u64).to_le_bytes();
    bytes.extend(index);
    bytes.extend(crc32fast::hash(&index_start).to_le_bytes());
    bytes.extend(index_start);
    Ok(bytes)
    //~ end
}

impl Table {
    /// Reads the footer and the index, and checks both.
    fn open(folder: &StoreFolder, first: u64, last: u64) -> Result<Self> {
        let path = folder.path(&table_name(first, last));
        let file = folder.disk().open(&path)?;
        let footer_start = file.len().saturating_sub(FOOTER as u64);
        let footer = read(&*file, footer_start, file.len())?;
        let index_start = match footer.as_slice() {
            [a, b, c, d, place @ ..] if crc32fast::hash(place).to_le_bytes() == [*a, *b, *c, *d] => {
                place_in(place)
            }
            _ => None,
        };
        let Some(end) = index_start.filter(|start| *start <= footer_start) else {
            return Err(Error::corrupt(&path, footer_start, "its footer is not sound"));
        };
        let mut blocks = Vec::new();
        for entry in entries_in(&read(&*file, end, footer_start)?, &path, end)? {
            let Some(start) = entry.value.as_deref().and_then(place_in).filter(|start| *start <= end) else {
                return Err(Error::corrupt(&path, end, "its index names a block that is not there"));
            };
            blocks.push((entry.key, start));
        }
        Ok(Self { first, last, file, blocks, end })
    }

    /// The entries of a block, each of them checked.
    fn block(&self, number: usize) -> Result<Vec<Entry>> {
        let start_of = |number: usize| self.blocks.get(number).map_or(self.end, |(_, start)| *start);
        let start = start_of(number);
        entries_in(&read(&*self.file, start, start_of(number + 1))?, self.file.path(), start)
    }

    /// How many blocks have a first key that is not greater than this one.
    fn blocks_up_to(&self, key: &[u8]) -> usize {
        self.blocks.partition_point(|(first, _)| first.as_slice() <= key)
    }

    /// What the table says of the key, if it says anything.
    fn find(&self, key: &[u8]) -> Result<Option<Entry>> {
        //~ step 10 find: much
        //~ do One block alone can have the key: find out which, read that one, and look for the key in it. A tombstone is
        //~ + something that was found.
        //~ hint A block has the keys from its first one up to the first one of the next block. So it is the last block that does
        //~ + not begin behind the key.
        //~ hint `blocks_up_to` counts those by binary search. If there are none, the table does not know the key.
        //~ hint
        //~ + let Some(number) = self.blocks_up_to(key).checked_sub(1) else { return Ok(None) };
        //~ + Ok(self.block(number)?.into_iter().find(|entry| entry.key == key))
        let Some(number) = self.blocks_up_to(key).checked_sub(1) else { return Ok(None) };
        Ok(self.block(number)?.into_iter().find(|entry| entry.key == key))
        //~ end
    }
}

/// The bytes of a file from `start` to `end`.
fn read(file: &dyn File, start: u64, end: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX)];
    file.read_at(start, &mut bytes)?;
    Ok(bytes)
}

/// The entries of the records that `bytes` are, which begin at `start` of the file at `path`.
fn entries_in(bytes: &[u8], path: &Path, start: u64) -> Result<Vec<Entry>> {
    let (mut entries, mut end) = (Vec::new(), 0);
    while end < bytes.len() {
        let Some((entry, len)) = decode(&bytes[end..]) else {
            return Err(Error::corrupt(path, start + end as u64, "the record there is not sound"));
        };
        entries.push(entry);
        end += len;
    }
    Ok(entries)
}

/// Goes through what the memtable or a table says of the keys of a range.
struct Source<'s> {
    /// Where it stands. None at its end.
    head: Option<Entry>,
    /// What was read and comes after that.
    entries: IntoIter<Entry>,
    /// The blocks that were not read yet.
    blocks: Range<usize>,
    /// None for the memtable.
    table: Option<&'s Table>,
    range: KeyRange<'s>,
    direction: Direction,
}

impl<'s> Source<'s> {
    fn of_memtable(entries: Vec<Entry>, direction: Direction) -> Self {
        Self { head: None, entries: entries.into_iter(), blocks: 0..0, table: None, range: ALL, direction }
    }

    fn of_table(table: &'s Table, range: KeyRange<'s>, direction: Direction) -> Self {
        let start = match range.0 {
            Bound::Included(key) | Bound::Excluded(key) => table.blocks_up_to(key).saturating_sub(1),
            Bound::Unbounded => 0,
        };
        let end = match range.1 {
            Bound::Included(key) | Bound::Excluded(key) => table.blocks_up_to(key),
            Bound::Unbounded => table.blocks.len(),
        };
        let entries = Vec::new().into_iter();
        Self { head: None, entries, blocks: start..end, table: Some(table), range, direction }
    }

    /// Gives the entry at which it stands, and goes on to the next one.
    fn advance(&mut self) -> Result<Option<Entry>> {
        let next = self.read()?;
        Ok(std::mem::replace(&mut self.head, next))
    }

    fn read(&mut self) -> Result<Option<Entry>> {
        let is_forward = self.direction == Direction::Forward;
        loop {
            let entry = if is_forward { self.entries.next() } else { self.entries.next_back() };
            if entry.is_some() {
                return Ok(entry);
            }
            let block = if is_forward { self.blocks.next() } else { self.blocks.next_back() };
            let (Some(table), Some(block)) = (self.table, block) else { return Ok(None) };
            let mut entries = table.block(block)?;
            entries.retain(|entry| is_within(&self.range, &entry.key));
            self.entries = entries.into_iter();
        }
    }
}

fn is_within(range: &KeyRange<'_>, key: &[u8]) -> bool {
    RangeBounds::<[u8]>::contains(range, key)
}

/// The newest entry of each key, in the order of the keys or against it. Tombstones are among them.
struct Merge<'m> {
    /// The newest first. Each of them has its keys in that order.
    sources: Vec<Source<'m>>,
    direction: Direction,
}

impl<'m> Merge<'m> {
    fn of(
        memtable: Vec<Entry>,
        tables: &'m [Arc<Table>],
        range: KeyRange<'m>,
        direction: Direction,
    ) -> Result<Self> {
        let mut sources = vec![Source::of_memtable(memtable, direction)];
        sources.extend(tables.iter().rev().map(|table| Source::of_table(table, range, direction)));
        for source in &mut sources {
            // To its first entry.
            source.advance()?;
        }
        Ok(Self { sources, direction })
    }

    /// The entry that comes next.
    fn entry(&mut self) -> Result<Option<Entry>> {
        //~ step 5 merge: visit scan stats
        //~ do Each source stands at an entry, its `head`, or at its end. Of all these, find the key that comes next: the least one, or
        //~ + going backward the greatest. Let every source that stands at this key go on, and give what the newest of them said.
        //~ hint The sources whose keys lie further on stay where they are: their turn comes. Those that stand at the same key have what
        //~ + the newest has replaced, and if they do not go on, the key comes a second time.
        //~ hint `heads.min()` and `heads.max()` find the key in an iterator of `&entry.key`; clone it, so that the sources can be
        //~ + changed. `Source::advance` gives the entry and goes on. The newest source is the first one in the list.
        //~ hint
        //~ + let heads = self.sources.iter().filter_map(|source| source.head.as_ref()).map(|entry| &entry.key);
        //~ + let next = match self.direction { Direction::Forward => heads.min(), Direction::Backward => heads.max() };
        //~ + let Some(key) = next.cloned() else { return Ok(None) };
        //~ + let mut newest = None;
        //~ + for source in &mut self.sources {
        //~ +     if source.head.as_ref().is_some_and(|entry| entry.key == key) {
        //~ +         let entry = source.advance()?;
        //~ +         newest = newest.or(entry);
        //~ +     }
        //~ + }
        //~ + Ok(newest)
        let heads = self.sources.iter().filter_map(|source| source.head.as_ref()).map(|entry| &entry.key);
        let next = match self.direction {
            Direction::Forward => heads.min(),
            Direction::Backward => heads.max(),
        };
        let Some(key) = next.cloned() else { return Ok(None) };
        let mut newest = None;
        for source in &mut self.sources {
            if source.head.as_ref().is_some_and(|entry| entry.key == key) {
                let entry = source.advance()?;
                newest = newest.or(entry);
            }
        }
        Ok(newest)
        //~ end
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        self.entry().transpose()
    }
}

/// Whether a merge may leave an entry out. `is_bottom` says that no table is older than those that are merged.
fn may_be_forgotten(entry: &Entry, is_bottom: bool) -> bool {
    //~ step 8 forget:
    //~ do Which entries need not be in the table that a merge makes? They take space, and every scan has to go past them.
    //~ hint A value is never to be forgotten. A tombstone says that the values of its key in older tables are no longer true.
    //~ hint As long as there is an older table, it may have such a value, and that would be back without the tombstone. Where there
    //~ + is none, the tombstone says what is true without it.
    //~ hint entry.value.is_none() && is_bottom
    entry.value.is_none() && is_bottom
    //~ end
}

impl Store {
    fn writer(&self) -> Result<MutexGuard<'_, Log>> {
        let log = self.log.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        Ok(log)
    }

    /// Appends a record to the log, and does to the memtable what it says.
    fn append(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let mut log = self.writer()?;
        if log.file.len() > FULL {
            self.poison.guard(self.flush(&mut log))?;
        }
        //~ step 2 append: set
        //~ checks written
        //~ do First the log: append the record, and sync it unless the policy is `Never`. Then the memtable: put the value in, or a
        //~ + tombstone. Why in this order: whoever reads a value must find it again after a crash.
        //~ hint `self.poison.guard(outcome)?` remembers a failure. `encode(key, value)` makes the record.
        //~ hint A key without a value is not taken out of the memtable: an older table may have a value of it, which the tombstone
        //~ + hides. `value.map(<[u8]>::to_vec)` is what the memtable holds of either.
        //~ hint
        //~ + self.poison.guard(log.file.append(&encode(key, value)))?;
        //~ + if self.sync != SyncPolicy::Never { self.poison.guard(log.file.sync())?; }
        //~ + let mut state = self.state.write().map_err(|_| Error::panicked())?;
        //~ + state.memtable.insert(key.to_vec(), value.map(<[u8]>::to_vec));
        //~ + Ok(())
        self.poison.guard(log.file.append(&encode(key, value)))?;
        if self.sync != SyncPolicy::Never {
            self.poison.guard(log.file.sync())?;
        }
        let mut state = self.state.write().map_err(|_| Error::panicked())?;
        state.memtable.insert(key.to_vec(), value.map(<[u8]>::to_vec));
        Ok(())
        //~ end
    }

    /// What there is of a range now: what the memtable says, and the tables. Both stay as they are, whatever is written.
    fn view(&self, range: KeyRange<'_>) -> Result<(Vec<Entry>, Vec<Arc<Table>>)> {
        let state = self.state.read().map_err(|_| Error::panicked())?;
        let within = state.memtable.iter().filter(|(key, _)| is_within(&range, key));
        let entries = within.map(|(key, value)| Entry { key: key.clone(), value: value.clone() });
        Ok((entries.collect(), state.tables.clone()))
    }

    /// The log is full: makes a table of it. The newest tables are merged into that, until one is more than twice as long as
    /// all that is above it. So there are few tables; and an entry is written anew only when it comes into a table that is
    /// half as long again, or in which something was replaced.
    fn flush(&self, log: &mut Log) -> Result<()> {
        let tables = self.state.read().map_err(|_| Error::panicked())?.tables.clone();
        let (mut from, mut len) = (tables.len(), log.file.len());
        while from > 0 && tables[from - 1].file.len() <= 2 * len {
            from -= 1;
            len += tables[from].file.len();
        }
        self.merge(log, from)
    }

    /// Makes one table of the memtable and of the tables from the one at `from` on.
    fn merge(&self, log: &mut Log, from: usize) -> Result<()> {
        let (memtable, tables) = self.view(ALL)?;
        let (below, merged) = tables.split_at(from);
        let is_bottom = below.is_empty();
        let entries = Merge::of(memtable, merged, ALL, Direction::Forward)?;
        let is_kept =
            |entry: &Result<Entry>| !entry.as_ref().is_ok_and(|entry| may_be_forgotten(entry, is_bottom));
        let bytes = build(entries.filter(is_kept))?;
        let first = merged.first().map_or(log.number, |table| table.first);
        self.install(log, first, &bytes, below)
    }

    /// Puts the table of the logs from `first` to this one above the tables that are `below`, and begins the next log.
    fn install(&self, log: &mut Log, first: u64, bytes: &[u8], below: &[Arc<Table>]) -> Result<()> {
        let (disk, last) = (self.folder.disk(), log.number);
        //~ step 9 install:
        //~ do Write the table whole, under the name that says which logs are in it, and open it. Then begin the next log. Then let
        //~ + readers use an empty memtable and the table above those below. Only then remove what the table covers. A crash may
        //~ + come between any two of these.
        //~ hint `replace` makes a file that is there whole or not at all, and synced. If the log were removed before, a crash would
        //~ + take what is in it; if the next log began before, there would be two logs and no table between them.
        //~ hint `open_log` makes a log, `remove_covered` wants all the tables that are left. The memtable and the tables change under
        //~ + one lock, so that no reader sees the one without the other. Readers that still hold an old table keep it, removed or not.
        //~ hint
        //~ + replace(&**disk, &self.folder.path(&table_name(first, last)), &[bytes], SyncPolicy::Always)?;
        //~ + let table = Arc::new(Table::open(&self.folder, first, last)?);
        //~ + *log = open_log(&self.folder, last.saturating_add(1))?;
        //~ + let tables: Vec<Arc<Table>> = below.iter().cloned().chain([table]).collect();
        //~ + let state = State { memtable: Memtable::new(), tables: tables.clone() };
        //~ + *self.state.write().map_err(|_| Error::panicked())? = state;
        //~ + remove_covered(&self.folder, &tables)
        replace(&**disk, &self.folder.path(&table_name(first, last)), &[bytes], SyncPolicy::Always)?;
        let table = Arc::new(Table::open(&self.folder, first, last)?);
        *log = open_log(&self.folder, last.saturating_add(1))?;
        let tables: Vec<Arc<Table>> = below.iter().cloned().chain([table]).collect();
        let state = State { memtable: Memtable::new(), tables: tables.clone() };
        *self.state.write().map_err(|_| Error::panicked())? = state;
        remove_covered(&self.folder, &tables)
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
        //~ step 3 get: get
        //~ do Ask the memtable, and then one table after the other, the newest first. Who says something of the key is right, also
        //~ + if that is a tombstone: then there is no value, and no older table is asked.
        //~ hint Take both from the state under one lock, and let it go before a table is read: writers need not wait for the disk.
        //~ hint `state.memtable.get(key)` is None if the memtable says nothing, and `Some(None)` if it has a tombstone.
        //~ + `state.tables.clone()` copies no table. `Table::find` asks one; it comes later.
        //~ hint
        //~ + let tables = {
        //~ +     let state = self.state.read().map_err(|_| Error::panicked())?;
        //~ +     if let Some(value) = state.memtable.get(key) { return Ok(value.clone()); }
        //~ +     state.tables.clone()
        //~ + };
        //~ + for table in tables.iter().rev() {
        //~ +     if let Some(entry) = table.find(key)? { return Ok(entry.value); }
        //~ + }
        //~ + Ok(None)
        let tables = {
            let state = self.state.read().map_err(|_| Error::panicked())?;
            if let Some(value) = state.memtable.get(key) {
                return Ok(value.clone());
            }
            state.tables.clone()
        };
        for table in tables.iter().rev() {
            if let Some(entry) = table.find(key)? {
                return Ok(entry.value);
            }
        }
        Ok(None)
        //~ end
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        //~ step 4 delete: delete
        //~ do Write a tombstone. Whether the key is there does not matter, and to find out would be a read.
        //~ hint What is only taken out of the memtable comes back from the log, or from a table.
        //~ hint `append` writes a tombstone if it is given no value.
        //~ hint self.append(key, None)
        self.append(key, None)
        //~ end
    }

    /// What is in a table was synced when that was made.
    fn sync(&self) -> Result<()> {
        let log = self.writer()?;
        self.poison.guard(log.file.sync())
    }

    /// Counts by a scan: no part of the store knows which of its keys another part has replaced.
    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        self.scan(ALL, Direction::Forward, &mut |key, value| {
            stats.live_keys += 1;
            stats.live_bytes += (key.len() + value.len()) as u64;
            ControlFlow::Continue(())
        })?;
        let held = self.state.read().map_err(|_| Error::panicked())?;
        let firsts = held.tables.iter().flat_map(|table| &table.blocks).map(|(first, _)| first);
        let keys = held.memtable.keys().chain(firsts);
        stats.index_bytes = keys.map(|key| (key.len() + size_of::<(Vec<u8>, u64)>()) as u64).sum();
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

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        Some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        Some(self)
    }
}

impl Ordered for Store {
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        let (memtable, tables) = self.view(range)?;
        for entry in Merge::of(memtable, &tables, range, direction)? {
            let Entry { key, value: Some(value) } = entry? else { continue };
            if visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl Iterate for Store {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.scan(ALL, Direction::Forward, visit)
    }

    /// No table ever changes, and the memtable is copied.
    fn is_consistent(&self) -> bool {
        true
    }
}

impl Compact for Store {
    /// Merges everything. Writers wait meanwhile; readers do not.
    fn compact(&self) -> Result<Compacted> {
        let mut log = self.writer()?;
        let before = self.folder.disk_bytes()?;
        let tables = self.state.read().map_err(|_| Error::panicked())?.tables.len();
        let mut gained = Compacted::default();
        // One table alone has each key once, and no tombstone.
        if tables > 1 || !log.file.is_empty() {
            self.poison.guard(self.merge(&mut log, 0))?;
            // The tables and the log, for a table and a log.
            (gained.files_removed, gained.files_written) = (tables as u64 + 1, 2);
        }
        gained.bytes_reclaimed = before.saturating_sub(self.folder.disk_bytes()?);
        Ok(gained)
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

/// What the record says that `bytes` begin with, and how long it is. None if they begin with no whole and sound one.
fn decode(bytes: &[u8]) -> Option<(Entry, usize)> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (checksum, key_len, value_len) = (number(0)?, number(4)? as usize, number(8)?);
    let (deleted, value_start) = (value_len == DELETED, HEADER + key_len);
    let len = if deleted { value_start } else { value_start + value_len as usize };
    let record = bytes.get(..len)?;
    if crc32fast::hash(&record[4..]) != checksum {
        return None;
    }
    let (key, value) = (record[HEADER..value_start].to_vec(), record[value_start..].to_vec());
    Some((Entry { key, value: (!deleted).then_some(value) }, len))
}

/// A place in a file, of eight bytes.
fn place_in(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Names the bytes of a log or a table, for whoever looks at them. It says what is there, sound or not.
#[must_use]
pub fn describe(file: &str, bytes: &[u8]) -> Vec<Field> {
    let footer = if logs_in(file).is_some() { FOOTER } else { 0 };
    let (records, footer) = bytes.split_at(bytes.len().saturating_sub(footer));
    let index = footer.get(4..).and_then(place_in);
    let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
    let said = |matches: bool| if matches { "matches" } else { "does not match" };
    let number = |at: usize| Some(u32::from_le_bytes(records.get(at..at + 4)?.try_into().ok()?));
    let (mut fields, mut start) = (Vec::new(), 0);
    while let (Some(checksum), Some(key_len), Some(value_len)) =
        (number(start), number(start + 4), number(start + 8))
    {
        let key_end = (start + HEADER).saturating_add(key_len as usize).min(records.len());
        let held = if value_len == DELETED { 0 } else { value_len as usize };
        let end = key_end.saturating_add(held).min(records.len());
        let matches = crc32fast::hash(&records[start + 4..end]) == checksum;
        let deleted = if value_len == DELETED { "deleted".to_owned() } else { value_len.to_string() };
        fields.push(Field::new(start..start + 4, "checksum", said(matches)));
        fields.push(Field::new(start + 4..start + 8, "key length", key_len.to_string()));
        fields.push(Field::new(start + 8..start + HEADER, "value length", deleted));
        fields.push(Field::new(start + HEADER..key_end, "key", text(&records[start + HEADER..key_end])));
        fields.push(match place_in(&records[key_end..end]) {
            Some(place) if index.is_some_and(|index| index <= start as u64) => {
                Field::new(key_end..end, "block at", place.to_string())
            }
            _ => Field::new(key_end..end, "value", text(&records[key_end..end])),
        });
        start = end;
    }
    if start < records.len() {
        fields.push(Field::new(start..records.len(), "rest", "not a whole record"));
    }
    let (start, end) = (records.len(), bytes.len());
    match (footer, index) {
        ([], _) => {}
        ([a, b, c, d, place @ ..], Some(index)) => {
            let matches = crc32fast::hash(place).to_le_bytes() == [*a, *b, *c, *d];
            fields.push(Field::new(start..start + 4, "checksum", said(matches)));
            fields.push(Field::new(start + 4..end, "index at", index.to_string()));
        }
        _ => fields.push(Field::new(start..end, "rest", "shorter than a footer")),
    }
    fields
}
