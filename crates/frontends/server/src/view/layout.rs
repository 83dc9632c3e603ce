//! [`Layout`]: what lies in the files of a store at one moment, as a picture needs it.
//!
//! ```text
//!   the files ──► log.rs (lines: scan-log, replay-log) ──┐
//!             ──► segments.rs (hash-log) ────────────────┼──► Layout: each file cut into records, each record of a class
//!             ──► sorted.rs (sorted-log) ────────────────┤
//!             ──► the others: their sizes alone ─────────┘
//! ```
//!
//! It is read from outside, through the same functions that describe the formats for `logladder inspect`. No lock is taken
//! and no file is changed. The bytes of the classes of a file add up to its length, always.

use std::path::Path;
use std::sync::Arc;

use logladder::{Field, Stage, hash_log};
use logladder_disk::{Disk, Entry};
use logladder_engine::Result;
use serde::Serialize;

use super::{log, segments, sorted};

/// So many keys get an arrow.
pub(super) const MOST_PLACES: usize = 40;
/// So many records of a file are shown one by one.
pub(super) const MOST_RECORDS: usize = 400;
/// So many files are shown, the newest.
pub(super) const MOST_FILES: usize = 40;
/// So many bytes of a log are taken apart: of lines and of a memtable's log the last ones, of a segment the first; and of tables
/// as many.
pub(super) const WINDOW: u64 = 256 << 10;
/// So many letters of a key or a value are shown.
const SHOWN: usize = 48;
/// So many bytes of the newest record are shown.
const MOST_BYTES: usize = 512;

/// What bytes of a log are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    /// The newest record of a key that has a value.
    Live,
    /// A record that a newer one has overwritten or deleted.
    Dead,
    /// The newest record of a key that was deleted: it says that something older is dead.
    Tombstone,
    /// What a format needs around its records: headers, footers, the heads of batches, or all of a file that is no log.
    Frame,
    /// What cannot be read.
    Torn,
    /// Space that is reserved for records to come.
    Reserve,
    /// A record in a file that is no part of the store: a copy under way, or left behind.
    Loose,
    /// What nobody has looked at, because there is too much of it.
    Unread,
}

/// Bytes by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    live: u64,
    dead: u64,
    tombstone: u64,
    frame: u64,
    torn: u64,
    reserve: u64,
    loose: u64,
    unread: u64,
}

impl Totals {
    pub(super) fn add(&mut self, class: Class, bytes: u64) {
        let place = match class {
            Class::Live => &mut self.live,
            Class::Dead => &mut self.dead,
            Class::Tombstone => &mut self.tombstone,
            Class::Frame => &mut self.frame,
            Class::Torn => &mut self.torn,
            Class::Reserve => &mut self.reserve,
            Class::Loose => &mut self.loose,
            Class::Unread => &mut self.unread,
        };
        *place = place.saturating_add(bytes);
    }
}

/// A record, or another run of bytes of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Record {
    pub(super) at: u64,
    pub(super) len: u64,
    pub(super) class: Class,
    /// What the format calls it: `set`, `footer`.
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<u64>,
}

impl Record {
    /// A run of bytes that is no record of a key.
    pub(super) fn plain(at: u64, len: u64, class: Class, kind: &'static str) -> Self {
        Self { at, len, class, kind, key: None, value: None, sequence: None }
    }
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileView {
    pub(super) name: String,
    /// What it is, in words.
    pub(super) role: &'static str,
    /// What it stands among: the level of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    /// What else is known of it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// Whether records lie in it.
    pub(super) is_log: bool,
    pub(super) bytes: u64,
    pub(super) totals: Totals,
    /// By offset, without gaps if all are shown.
    pub(super) records: Vec<Record>,
    /// How many records more there are, as far as that is known.
    pub(super) is_whole: bool,
}

impl FileView {
    /// A file of which nothing is known but its length.
    pub(super) fn other(entry: &Entry, role: &'static str) -> Self {
        let mut totals = Totals::default();
        totals.add(Class::Frame, entry.len);
        let (name, records) = (entry.name.clone(), Vec::new());
        let (group, note) = (None, None);
        Self { name, role, group, note, is_log: false, bytes: entry.len, totals, records, is_whole: true }
    }

    /// A log, of which `records` are all, in order and without gaps.
    pub(super) fn of_records(entry: &Entry, role: &'static str, mut records: Vec<Record>) -> Self {
        let mut totals = Totals::default();
        for record in &records {
            totals.add(record.class, record.len);
        }
        let is_whole = records.len() <= MOST_RECORDS;
        let surplus = records.len().saturating_sub(MOST_RECORDS);
        // The newest stand at the end.
        records.drain(..surplus);
        let name = entry.name.clone();
        let bytes = records.last().map_or(0, |last| last.at.saturating_add(last.len));
        Self { name, role, group: None, note: None, is_log: true, bytes, totals, records, is_whole }
    }
}

/// Where the newest record of a key lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    /// As it is shown.
    pub(super) key: String,
    /// As it stands in a path; none if it is too long for one.
    pub(super) path: Option<String>,
    pub(super) file: String,
    pub(super) at: u64,
    pub(super) len: u64,
}

impl Place {
    pub(super) fn new(key: &[u8], file: &str, at: u64, len: u64) -> Self {
        const LONGEST_IN_A_PATH: usize = 256;
        let encoded =
            || percent_encoding::percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string();
        let path = (key.len() <= LONGEST_IN_A_PATH).then(encoded);
        Self { key: shown(key), path, file: file.to_owned(), at, len }
    }
}

/// Bytes of a record that mean one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldView {
    /// From the start of the file.
    at: u64,
    len: u64,
    /// The first of its bytes, as hexadecimal digits.
    hex: String,
    name: &'static str,
    meaning: String,
}

/// The record that was written last, field by field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Newest {
    pub(super) file: String,
    pub(super) at: u64,
    pub(super) len: u64,
    /// What it does, in words.
    pub(super) text: String,
    pub(super) fields: Vec<FieldView>,
}

impl Newest {
    /// The record of these `bytes`, which begins at `at`. Fields lie within the record; what they leave out is named as
    /// well.
    pub(super) fn of(file: &str, at: u64, bytes: &[u8], text: String, fields: Vec<Field>) -> Self {
        let mut all = Vec::new();
        let mut push = |start: usize, end: usize, name, meaning: String| {
            let content = bytes.get(start..end).unwrap_or_default();
            if content.is_empty() {
                return;
            }
            let shown = &content[..content.len().min(MOST_BYTES)];
            let hex = data_encoding::HEXLOWER.encode(shown);
            all.push(FieldView { at: at + start as u64, len: content.len() as u64, hex, name, meaning });
        };
        let mut end = 0;
        for field in fields {
            push(end, field.bytes.start, "JSON", between(bytes, end, field.bytes.start));
            push(field.bytes.start, field.bytes.end, field.name, abridged(&field.meaning));
            end = field.bytes.end;
        }
        push(end, bytes.len(), "JSON", between(bytes, end, bytes.len()));
        Self { file: file.to_owned(), at, len: bytes.len() as u64, text, fields: all }
    }
}

/// What stands between two fields of a line.
fn between(bytes: &[u8], start: usize, end: usize) -> String {
    let text = bytes.get(start..end).unwrap_or_default();
    format!("names and marks of JSON: {}", shown(text))
}

/// What lies in the files of a store at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Layout {
    pub(super) files: Vec<FileView>,
    /// The newest first.
    pub(super) places: Vec<Place>,
    /// How many keys have a value, in what was read.
    pub(super) keys: u64,
    pub(super) newest: Option<Newest>,
    /// Its number, in a stage that numbers its records.
    #[serde(skip)]
    pub(super) newest_sequence: Option<u64>,
    /// What cannot be read, and why.
    pub(super) trouble: Option<String>,
    /// What is there and not shown.
    pub(super) left_out: Vec<String>,
}

impl Layout {
    /// Of a store whose files cannot even be listed.
    pub(super) fn of_trouble(trouble: String) -> Self {
        Self { trouble: Some(trouble), ..Self::default() }
    }
}

/// Looks at the files of a store.
#[derive(Debug)]
pub(crate) struct Looker {
    stage: &'static Stage,
    disk: Arc<dyn Disk>,
    dir: std::path::PathBuf,
    /// Of a hash-log: how its index is known from outside.
    reader: Option<hash_log::Reader>,
    /// Of a sorted-log: where its log ends.
    tail: sorted::Tail,
}

/// The files as they are from outside; and where the writes end in a log that is as long as what is reserved for it.
pub(super) type Glance = (Vec<Entry>, u64);

/// A store whose files come and go is looked at so often before trouble is believed.
const LOOKS: usize = 3;

impl Looker {
    pub(super) fn at(stage: &'static Stage, disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { stage, disk, dir: dir.to_path_buf(), reader: None, tail: sorted::Tail::default() }
    }

    /// What is there now. Keys in `recent` are looked for even where not every record is shown.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed. A file that cannot be read is told of in the layout.
    pub(super) fn look(&mut self, recent: &[Vec<u8>]) -> Result<Layout> {
        let entries = self.files()?;
        let (disk, dir) = (&self.disk, &*self.dir);
        let mut layout = match self.stage.name {
            "scan-log" | "replay-log" => log::look(self.stage, &**disk, dir, &entries),
            "hash-log" => segments::look(disk, dir, &entries, &mut self.reader, recent),
            "sorted-log" => {
                let mut layout = sorted::look(&**disk, dir, &entries, &mut self.tail);
                for _ in 1..LOOKS {
                    if layout.trouble.is_some() {
                        layout = sorted::look(&**disk, dir, &self.files()?, &mut self.tail);
                    }
                }
                layout
            }
            _ => Layout {
                files: entries.iter().map(|entry| FileView::other(entry, "a file of the store")).collect(),
                ..Layout::default()
            },
        };
        let surplus = layout.files.len().saturating_sub(MOST_FILES);
        if surplus > 0 {
            layout.files.drain(..surplus);
            layout.left_out.push(format!("{surplus} older files are not shown"));
        }
        Ok(layout)
    }

    fn files(&self) -> Result<Vec<Entry>> {
        match self.disk.entry(&self.dir)? {
            Some(_) => Ok(self.disk.list(&self.dir)?.into_iter().filter(|entry| !entry.is_dir).collect()),
            None => Ok(Vec::new()),
        }
    }

    /// Cheap, and changed by nearly everything that changes the layout.
    pub(super) fn glance(&mut self) -> Result<Glance> {
        let entries = match self.disk.entry(&self.dir)? {
            Some(_) => self.disk.list(&self.dir)?,
            None => Vec::new(),
        };
        let end = match sorted::newest_log(&entries) {
            // If it has gone meanwhile, the next glance sees that.
            Some(log) if self.stage.name == "sorted-log" => {
                self.tail.follow(&*self.disk, &self.dir, log).unwrap_or(0)
            }
            _ => 0,
        };
        Ok((entries, end))
    }
}

/// Whether records of this stage are shown one by one.
pub(super) fn has_a_log(stage: &Stage) -> bool {
    matches!(stage.name, "scan-log" | "replay-log" | "hash-log" | "sorted-log")
}

/// The bytes of the file from `start` on, at most `len` of them.
pub(super) fn read_part(disk: &dyn Disk, path: &Path, start: u64, len: u64) -> Result<Vec<u8>> {
    let file = disk.open(path)?;
    let len = len.min(file.len().saturating_sub(start));
    // At most as much as the caller asked for, which is never a number out of a file.
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    file.read_at(start, &mut bytes)?;
    Ok(bytes)
}

/// A key or a value as text of bounded length.
pub(crate) fn shown(bytes: &[u8]) -> String {
    // Four bytes for a letter at most.
    let head = &bytes[..bytes.len().min(4 * SHOWN + 4)];
    match str::from_utf8(bytes) {
        Ok(text) if !text.chars().take(SHOWN + 1).any(char::is_control) => abridged(text),
        _ => abridged(&head.escape_ascii().to_string()),
    }
}

fn abridged(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `set key = value`, or what else was done.
pub(super) fn in_words(key: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("set {key} = {value}"),
        None => format!("delete {key}"),
    }
}
