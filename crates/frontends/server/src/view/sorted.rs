//! The layout of a sorted-log: the log of the memtable, and the tables of each level.
//!
//! ```text
//!   the logs, the newest first ──► level 0, the newest first ──► level 1 ──► level 2 …
//! ```
//!
//! That is the order in which a get asks them, and the one in which they are read here: the first that is met of a key is what
//! counts. So what is said of an entry is right as long as everything before it was read; where there is too much of
//! that, nothing is said.

mod runs;
mod tail;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use logladder::Field;
use logladder::sorted_log::{self, ListedTable, Listing};
use logladder_disk::{Disk, Entry};
use logladder_engine::Result;

use self::runs::Run;
pub(super) use self::tail::Tail;
use super::layout::{
    Class, FileView, Layout, MOST_FILES, MOST_PLACES, Newest, Place, Record, Totals, WINDOW, in_words,
    read_part, shown,
};

/// Bytes of a file before what is in it.
const HEADER_LEN: u64 = 32;

/// What a file is to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is a part of it.
    Listed,
    /// It is none: about to be one, or about to be removed.
    Loose,
    /// Nobody knows, since the manifest cannot be read.
    Unknown,
}

/// Looks at a store, part by part.
struct Looking<'d> {
    disk: &'d dyn Disk,
    dir: &'d Path,
    /// Keys that a newer part has, or the same.
    seen: HashSet<Vec<u8>>,
    /// Whether a newer part was not read, or not all of it.
    is_blind: bool,
    /// So many bytes of tables may still be read.
    budget: u64,
    /// How many tables were not.
    unread: u64,
    layout: Layout,
}

/// The number of a log, by the name of its file.
fn log_number(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

fn is_table(name: &str) -> bool {
    name.strip_suffix(".table").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The log that is written to.
pub(super) fn newest_log(entries: &[Entry]) -> Option<&Entry> {
    let logs = entries.iter().filter_map(|entry| Some((log_number(&entry.name)?, entry)));
    logs.max_by_key(|(number, _)| *number).map(|(_, entry)| entry)
}

/// What is there now. The `tail` is kept from one look to the next.
pub(super) fn look(disk: &dyn Disk, dir: &Path, entries: &[Entry], tail: &mut Tail) -> Layout {
    let mut looking = Looking {
        disk,
        dir,
        seen: HashSet::new(),
        is_blind: false,
        budget: WINDOW,
        unread: 0,
        layout: Layout::default(),
    };
    let listing = looking.listing(entries);
    looking.layout.newest_sequence = listing.as_ref().map(|listing| listing.last_sequence);
    let others = entries.iter().filter(|entry| log_number(&entry.name).is_none() && !is_table(&entry.name));
    let mut files: Vec<FileView> = others.map(|entry| FileView::other(entry, role(&entry.name))).collect();
    let mut later = Vec::new();
    let mut logs: Vec<(u64, &Entry)> =
        entries.iter().filter_map(|entry| Some((log_number(&entry.name)?, entry))).collect();
    logs.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    for (age, (number, entry)) in logs.into_iter().enumerate() {
        let standing = match &listing {
            None => Standing::Unknown,
            Some(listing) if number >= listing.first_log => Standing::Listed,
            Some(_) => Standing::Loose,
        };
        let mut own = Tail::default();
        let file = looking.log(entry, standing, age == 0, if age == 0 { &mut *tail } else { &mut own });
        let among = if standing == Standing::Loose { &mut later } else { &mut files };
        among.push(file);
    }
    let tables = listing.as_ref().map(|listing| listing.tables.as_slice()).unwrap_or_default();
    let by_name: HashMap<&str, &Entry> = entries.iter().map(|entry| (&*entry.name, entry)).collect();
    for table in tables {
        match by_name.get(&*table.file_name) {
            Some(entry) if files.len() < MOST_FILES => {
                files.push(looking.table(entry, Some(table), Standing::Listed));
            }
            Some(_) => {
                looking.is_blind = true;
                looking.unread += 1;
            }
            None => looking.note(format!("{} is missing, and the manifest names it", table.file_name)),
        }
    }
    let listed: HashSet<&str> = tables.iter().map(|table| &*table.file_name).collect();
    let standing = if listing.is_some() { Standing::Loose } else { Standing::Unknown };
    for entry in entries.iter().filter(|entry| is_table(&entry.name) && !listed.contains(&*entry.name)) {
        later.push(looking.table(entry, None, standing));
    }
    // The newest parts come first here, so it is the end that is left out.
    let room = MOST_FILES.saturating_sub(files.len());
    looking.unread += later.len().saturating_sub(room) as u64;
    files.extend(later.into_iter().take(room));
    let mut layout = looking.layout;
    if looking.unread > 0 {
        layout
            .left_out
            .push(format!("{} tables are not shown entry by entry, or not at all", looking.unread));
    }
    layout.files = files;
    layout
}

impl Looking<'_> {
    /// Tells of the first trouble that is met.
    fn note(&mut self, what: String) {
        self.layout.trouble.get_or_insert(what);
    }

    /// What the manifest says, if there is one that can be read.
    fn listing(&mut self, entries: &[Entry]) -> Option<Listing> {
        if !entries.iter().any(|entry| entry.name == "MANIFEST") {
            return None;
        }
        match sorted_log::listing_on(self.disk, self.dir) {
            Ok(listing) => Some(listing),
            Err(error) => {
                self.note(error.to_string());
                None
            }
        }
    }

    fn log(&mut self, entry: &Entry, standing: Standing, is_newest: bool, tail: &mut Tail) -> FileView {
        let role = match (standing, is_newest) {
            (Standing::Unknown, _) => "a log",
            (Standing::Loose, _) => "in a table by now: about to be removed",
            (_, true) => "the log of the memtable: new writes go here",
            (_, false) => "the log of a memtable that is full, and is to be a table",
        };
        let records = match self.log_records(entry, standing, tail) {
            Ok(records) => records,
            Err(error) => {
                self.is_blind = true;
                self.note(error.to_string());
                vec![Record::plain(0, entry.len, Class::Unread, "not read")]
            }
        };
        let group = if standing == Standing::Loose { "not in the manifest" } else { "memtable" };
        FileView { group: Some(group.to_owned()), ..FileView::of_records(entry, role, records) }
    }

    fn log_records(&mut self, entry: &Entry, standing: Standing, tail: &mut Tail) -> Result<Vec<Record>> {
        tail.follow(self.disk, self.dir, entry)?;
        let path = self.dir.join(&entry.name);
        let header = read_part(self.disk, &path, 0, HEADER_LEN)?;
        // A little more than the frames, to see whether the rest is reserve.
        let end = (tail.end() + HEADER_LEN).min(entry.len);
        let part = read_part(self.disk, &path, tail.start(), end.saturating_sub(tail.start()))?;
        let bytes = [&*header, &*part].concat();
        let mut runs = runs::of_log(&sorted_log::describe(&entry.name, &bytes), &bytes);
        if runs.is_empty() && entry.len > 0 {
            self.is_blind = true;
            self.note(format!("{}: it does not begin as a log does", entry.name));
            return Ok(vec![Record::plain(0, entry.len, Class::Torn, "unfinished or damaged")]);
        }
        let skipped = tail.start() - HEADER_LEN;
        for run in runs.iter_mut().filter(|run| run.at >= HEADER_LEN) {
            run.at += skipped;
        }
        if standing != Standing::Loose {
            let last = runs.iter().rev().find_map(|run| run.sequence);
            self.layout.newest_sequence = self.layout.newest_sequence.max(last);
            if self.layout.newest.is_none()
                && let Some((start, end)) = tail.last()
            {
                let from = usize::try_from(start - tail.start()).unwrap_or(usize::MAX);
                let to = usize::try_from(end - tail.start()).unwrap_or(usize::MAX);
                let frame = part.get(from..to.min(part.len())).unwrap_or_default();
                self.layout.newest = Some(newest(&entry.name, &header, frame, start));
            }
        }
        // The newest write of a key is the last.
        let mut records: Vec<Record> =
            runs.into_iter().rev().map(|run| self.judge(&entry.name, run, standing)).collect();
        if skipped > 0 {
            self.is_blind = true;
            let what =
                format!("the writes in the first {} bytes of {} were not read", tail.start(), entry.name);
            self.layout.left_out.push(what);
            records.push(Record::plain(HEADER_LEN, skipped, Class::Unread, "not read"));
        }
        records.sort_by_key(|record| record.at);
        fill_up(entry, &mut records);
        Ok(records)
    }

    fn table(&mut self, entry: &Entry, listed: Option<&ListedTable>, standing: Standing) -> FileView {
        let role = match standing {
            Standing::Listed => "a table: it never changes",
            Standing::Loose => "a table that is being written, or is about to be removed",
            Standing::Unknown => "a table",
        };
        let group =
            listed.map_or_else(|| "not in the manifest".to_owned(), |table| format!("level {}", table.level));
        let is_read = entry.len <= self.budget && !(self.is_blind && standing == Standing::Listed);
        let mut file = if is_read {
            self.budget -= entry.len;
            match self.table_records(entry, standing) {
                Ok(records) => FileView::of_records(entry, role, records),
                Err(error) => {
                    self.is_blind = true;
                    self.note(error.to_string());
                    unread(entry, role)
                }
            }
        } else {
            self.unread += 1;
            self.is_blind |= standing == Standing::Listed;
            unread(entry, role)
        };
        file.group = Some(group);
        if let Some(table) = listed {
            file.note = Some(in_short(table));
            if table.bytes != entry.len {
                let what =
                    format!("{} has {} bytes, and the manifest says {}", entry.name, entry.len, table.bytes);
                self.note(what);
            }
        }
        file
    }

    fn table_records(&mut self, entry: &Entry, standing: Standing) -> Result<Vec<Record>> {
        let bytes = read_part(self.disk, &self.dir.join(&entry.name), 0, WINDOW)?;
        let runs = runs::of_table(&sorted_log::describe(&entry.name, &bytes), &bytes);
        if runs.is_empty() && entry.len > 0 {
            self.is_blind = true;
            self.note(format!("{}: it does not begin as a table does", entry.name));
            return Ok(vec![Record::plain(0, entry.len, Class::Torn, "unfinished or damaged")]);
        }
        let mut records: Vec<Record> =
            runs.into_iter().map(|run| self.judge(&entry.name, run, standing)).collect();
        fill_up(entry, &mut records);
        Ok(records)
    }

    /// Says what a run is good for.
    fn judge(&mut self, name: &str, run: Run, standing: Standing) -> Record {
        let Run { at, len, kind, write, sequence, is_damaged } = run;
        let class = match &write {
            _ if is_damaged => {
                // Of a log, what was not finished does not count. What a table says there, nobody knows.
                self.is_blind |= standing == Standing::Listed && is_table(name);
                self.note(format!("{name}: the {len} bytes from {at} on are unfinished or damaged"));
                Class::Torn
            }
            None if kind == "reserve" => Class::Reserve,
            None if kind == "compressed block" => {
                self.is_blind |= standing == Standing::Listed;
                Class::Unread
            }
            None => Class::Frame,
            Some(_) if standing == Standing::Loose => Class::Loose,
            Some(_) if standing == Standing::Unknown || self.is_blind => Class::Unread,
            Some((key, _)) if self.seen.contains(key) => Class::Dead,
            Some((_, None)) => Class::Tombstone,
            Some((key, Some(_))) => {
                self.layout.keys += 1;
                if self.layout.places.len() < MOST_PLACES {
                    self.layout.places.push(Place::new(key, name, at, len));
                }
                Class::Live
            }
        };
        let key = write.as_ref().map(|(key, _)| shown(key));
        let (of, value) = write.map_or((None, None), |(key, value)| (Some(key), value));
        if matches!(class, Class::Live | Class::Tombstone) {
            self.seen.extend(of);
        }
        Record { at, len, class, kind, key, value, sequence }
    }
}

/// A table of which nothing is known but its length.
fn unread(entry: &Entry, role: &'static str) -> FileView {
    let mut totals = Totals::default();
    totals.add(Class::Unread, entry.len);
    FileView { is_log: true, is_whole: false, totals, ..FileView::other(entry, role) }
}

/// Lets the records reach the end of the file: what is reserved, or could not be read, goes on to there.
fn fill_up(entry: &Entry, records: &mut Vec<Record>) {
    let end = records.last().map_or(0, |last| last.at.saturating_add(last.len));
    let left = entry.len.saturating_sub(end);
    match records.last_mut() {
        _ if left == 0 => {}
        Some(last) if matches!(last.class, Class::Reserve | Class::Torn) => last.len += left,
        _ => records.push(Record::plain(end, left, Class::Unread, "not read")),
    }
}

/// What the manifest says of a table.
fn in_short(table: &ListedTable) -> String {
    let keys = if table.entries == 1 {
        format!("1 key, {}", shown(&table.smallest))
    } else {
        format!("{} keys, {} to {}", table.entries, shown(&table.smallest), shown(&table.largest))
    };
    match table.tombstones {
        0 => keys,
        1 => format!("{keys}, 1 a tombstone"),
        several => format!("{keys}, {several} of them tombstones"),
    }
}

/// The fields of the last frame: it is described behind the header of its log, as if it were the first.
fn newest(file: &str, header: &[u8], frame: &[u8], at: u64) -> Newest {
    let alone = [header, frame].concat();
    let fields = sorted_log::describe(file, &alone);
    let writes: Vec<(Vec<u8>, Option<String>)> =
        runs::of_log(&fields, &alone).into_iter().filter_map(|run| run.write).collect();
    let text = match writes.as_slice() {
        [(key, value)] => in_words(&shown(key), value.as_deref()),
        several => format!("{} writes in one batch", several.len()),
    };
    let within = |field: Field| {
        let start = field.bytes.start.checked_sub(header.len())?;
        Some(Field { bytes: start..field.bytes.end - header.len(), ..field })
    };
    Newest::of(file, at, frame, text, fields.into_iter().filter_map(within).collect())
}

/// What a file is, by its name.
fn role(name: &str) -> &'static str {
    match name {
        "MANIFEST" => "which tables are the store, and from which log on",
        "LOGLADDER" => "the lock",
        _ if name.contains(".torn-") => "what a repair cut off, kept",
        _ => "another file",
    }
}
