//! The manifest: which tables are the store, and from which log on. It is a log of edits itself.
//!
//! ```text
//!   ┌────────┬──────┬──────┬──────┬──
//!   │ header │ edit │ edit │ edit │ …      each edit is a frame, numbered from 1
//!   └────────┴──────┴──────┴──────┴──
//!   an edit:  1, log number, 1 if its file is there, last sequence in tables      (varints)
//!             2, level, number, length, entries, tombstones, CRC32, smallest and largest key   a table comes
//!             3, number                                                                         a table goes
//!             4, log number, length                                                             so much of a log is on the disk
//! ```
//!
//! What happens to tables and logs happens in one step: the edit is appended and synced. Only then is a file removed that
//! the store no longer needs; so an edit that a crash left unfinished is cut off, and everything that the edits before it
//! name is there. The first edit says everything; when those after it have become long, the file is replaced by one with
//! two edits: what there was, and what is changed. So which tables the last change replaced is told in either case, and
//! one that a crash left is known for what it is.
//!
//! Nothing in a log says where it ended before somebody cut it. So the manifest notes that a log was made, before a write in it
//! is acknowledged, and how long it was when the store was closed: up to there it has no unfinished end.

use std::path::Path;

use logladder_engine::{Error, Result};

use crate::bytes::{Reader, put_key, put_varint};
use crate::files::{FileKind, HEADER_LEN, Header, MOST_NUMBER};
use crate::frame::{Frame, Tail, judge_tail};
use crate::replaced::Replaced;
use crate::table::TableMeta;

/// So many levels there are, level 0 included: the deepest takes whatever comes.
pub(crate) const LEVELS: usize = 7;

pub(crate) const LOG: u64 = 1;
pub(crate) const ADD: u64 = 2;
pub(crate) const REMOVE: u64 = 3;
pub(crate) const SYNCED: u64 = 4;

/// What stands in place of the manifest of a copy until that is whole. No manifest begins so.
pub(crate) const UNFINISHED_COPY: &[u8] = b"this copy was not finished: make another\n";

/// What the edits so far say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Logs with a lower number are in tables.
    pub(crate) log: u64,
    /// Whether the log of that number had been made when this was written.
    pub(crate) has_log: bool,
    /// The number of the last write that is in a table.
    pub(crate) last_sequence: u64,
    /// How much of the newest log is known to be on the disk, unless that log is in a table.
    pub(crate) synced: Option<Synced>,
    /// The tables of each level: in level 0 the newest first, in the others by their keys.
    pub(crate) levels: [Vec<TableMeta>; LEVELS],
}

/// How much of a log is on the disk, and was whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Synced {
    /// Its number.
    pub(crate) log: u64,
    /// So many bytes.
    pub(crate) len: u64,
}

/// A change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    /// The log, whether it is there, and the last sequence number in tables.
    pub(crate) log: Option<(u64, bool, u64)>,
    pub(crate) synced: Option<Synced>,
    pub(crate) removed: Vec<u64>,
    pub(crate) added: Vec<(usize, TableMeta)>,
}

impl Edit {
    /// Whether a table goes for good: one that only moves to another level comes as well.
    pub(crate) fn replaces_tables(&self) -> bool {
        let comes = |number: &u64| self.added.iter().any(|(_, table)| table.number == *number);
        !self.removed.iter().all(comes)
    }

    /// The frame of the edit with this number.
    pub(crate) fn encode(&self, number: u64) -> Vec<u8> {
        let mut buffer = Vec::new();
        Frame::begin(&mut buffer);
        if let Some((log, has_log, last_sequence)) = self.log {
            for field in [LOG, log, u64::from(has_log), last_sequence] {
                put_varint(&mut buffer, field);
            }
        }
        if let Some(Synced { log, len }) = self.synced {
            for field in [SYNCED, log, len] {
                put_varint(&mut buffer, field);
            }
        }
        for &number in &self.removed {
            put_varint(&mut buffer, REMOVE);
            put_varint(&mut buffer, number);
        }
        for (level, table) in &self.added {
            let fields = [ADD, *level as u64, table.number, table.len, table.entries, table.tombstones];
            for field in fields.into_iter().chain([table.crc.into()]) {
                put_varint(&mut buffer, field);
            }
            put_key(&mut buffer, &table.smallest);
            put_key(&mut buffer, &table.largest);
        }
        Frame::end(&mut buffer, number);
        buffer
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(body);
        let mut edit = Self::default();
        let number = |fields: &mut Reader<'_>| fields.varint().filter(|&number| number <= MOST_NUMBER);
        while !fields.is_empty() {
            match fields.varint()? {
                LOG => edit.log = Some((number(&mut fields)?, fields.varint()? == 1, number(&mut fields)?)),
                ADD => {
                    let level = fields.len().filter(|&level| level < LEVELS)?;
                    let table = TableMeta {
                        number: number(&mut fields)?,
                        len: fields.varint()?,
                        entries: fields.varint()?,
                        tombstones: fields.varint()?,
                        crc: u32::try_from(fields.varint()?).ok()?,
                        smallest: fields.key()?.to_vec(),
                        largest: fields.key()?.to_vec(),
                    };
                    edit.added.push((level, table));
                }
                REMOVE => edit.removed.push(fields.varint()?),
                SYNCED => edit.synced = Some(Synced { log: number(&mut fields)?, len: number(&mut fields)? }),
                _ => return None,
            }
        }
        Some(edit)
    }
}

impl Manifest {
    /// That of a new store, whose first log will have this number.
    pub(crate) fn new(log: u64) -> Self {
        Self { log, ..Self::default() }
    }

    /// The edit that makes a new store this one.
    pub(crate) fn whole(&self) -> Edit {
        let tables = self.levels.iter().enumerate();
        let added = tables.flat_map(|(level, tables)| tables.iter().map(move |table| (level, table.clone())));
        let log = Some((self.log, self.has_log, self.last_sequence));
        Edit { log, synced: self.synced, removed: Vec::new(), added: added.collect() }
    }

    /// The bytes of a manifest that says this in one edit.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Header { kind: FileKind::Manifest, first_sequence: 0 }.encode().to_vec();
        bytes.extend_from_slice(&self.whole().encode(1));
        bytes
    }

    /// Makes the change. `None` if it contradicts what is there.
    #[must_use]
    pub(crate) fn apply(&mut self, edit: &Edit) -> Option<()> {
        if let Some((log, has_log, last_sequence)) = edit.log {
            (self.log, self.has_log, self.last_sequence) = (log, has_log, last_sequence);
        }
        // Of a log that is in a table, nothing needs to be known.
        self.synced = edit.synced.or(self.synced).filter(|synced| synced.log >= self.log);
        for number in &edit.removed {
            let mut all = self.levels.iter_mut();
            let found = all.find_map(|tables| {
                tables.iter().position(|table| table.number == *number).map(|place| (tables, place))
            });
            let (tables, place) = found?;
            tables.remove(place);
        }
        for (level, table) in &edit.added {
            if self.numbers().any(|number| number == table.number) || table.smallest > table.largest {
                return None;
            }
            let tables = &mut self.levels[*level];
            let comes_before = |other: &TableMeta| match level {
                0 => other.number > table.number,
                _ => other.largest < table.smallest,
            };
            let place = tables.partition_point(comes_before);
            if *level > 0 && tables.get(place).is_some_and(|next| next.smallest <= table.largest) {
                return None;
            }
            tables.insert(place, table.clone());
        }
        Some(())
    }

    /// The logs that were made, as far as is known: their files must be there, and begin as logs do.
    pub(crate) fn known_logs(&self) -> impl Iterator<Item = u64> {
        self.has_log.then_some(self.log).into_iter().chain(self.synced.map(|synced| synced.log))
    }

    /// How much of the log with this number is known to be on the disk.
    pub(crate) fn synced_len(&self, log: u64) -> u64 {
        self.synced.filter(|synced| synced.log == log).map_or(0, |synced| synced.len)
    }

    /// The numbers of all tables.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.levels.iter().flatten().map(|table| table.number)
    }

    /// What the edits of a damaged manifest say up to the first that cannot be read, and where that is.
    pub(crate) fn beginning(bytes: &[u8]) -> Found {
        let mut found = Found { manifest: Self::new(1), end: HEADER_LEN, ..Found::default() };
        loop {
            let frame = Frame::decode(bytes.get(found.end..).unwrap_or_default());
            let frame = frame.ok().filter(|frame| frame.sequence == found.edits + 1);
            let Some((frame, edit)) = frame.and_then(|frame| Some((frame, Edit::decode(frame.body)?))) else {
                return found;
            };
            let mut next = found.manifest.clone();
            if next.apply(&edit).is_none() {
                return found;
            }
            found.note(&edit);
            (found.manifest, found.end, found.edits) = (next, found.end + frame.len(), found.edits + 1);
        }
    }

    /// Reads the manifest at `path`.
    ///
    /// # Errors
    ///
    /// It is damaged.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Found> {
        let damaged = |at: usize, what: &str| Error::corrupt(path, at as u64, what);
        if !bytes.is_empty() && UNFINISHED_COPY.starts_with(bytes) {
            return Err(damaged(0, "the copy of a store in this folder was never finished: make another"));
        }
        Header::decode(path, FileKind::Manifest, bytes)?;
        let mut found = Found { end: HEADER_LEN, ..Found::default() };
        loop {
            let number = found.edits + 1;
            let rest = bytes.get(found.end..).unwrap_or_default();
            let flaw = match Frame::decode(rest) {
                Ok(frame) if frame.sequence != number => {
                    let what = format!("edit {number} belongs here, and this is {}", frame.sequence);
                    return Err(damaged(found.end, &what));
                }
                Ok(frame) => {
                    let edit = Edit::decode(frame.body);
                    let applied = edit.and_then(|edit| {
                        found.note(&edit);
                        found.manifest.apply(&edit)
                    });
                    let what = "the edit contradicts those before it, or makes no sense";
                    applied.ok_or_else(|| damaged(found.end, what))?;
                    (found.end, found.edits) = (found.end + frame.len(), number);
                    continue;
                }
                Err(flaw) => flaw,
            };
            // The first edit was there before the file had its name.
            if found.edits == 0 {
                return Err(damaged(found.end, flaw));
            }
            match judge_tail(bytes, found.end, number) {
                Tail::Unused if rest.is_empty() => {}
                // No space is reserved in a manifest.
                Tail::Unused | Tail::Torn { .. } => found.is_torn = true,
                Tail::Damaged { follower } => {
                    let what = format!("{flaw}, and a valid edit follows at offset {follower}");
                    return Err(damaged(found.end, &what));
                }
            }
            return Ok(found);
        }
    }
}

/// What a manifest file says.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) manifest: Manifest,
    /// Where the valid edits end.
    pub(crate) end: usize,
    /// How many there are.
    pub(crate) edits: u64,
    /// Whether an unfinished edit stands behind them.
    pub(crate) is_torn: bool,
    /// The tables and logs that an edit took away.
    pub(crate) replaced: Replaced,
    /// The highest number that an edit names.
    pub(crate) highest: u64,
}

impl Found {
    fn note(&mut self, edit: &Edit) {
        // The first edit replaces nothing.
        if self.edits > 0 {
            self.replaced.note(&self.manifest, edit);
        }
        let log = edit.log.map(|(log, ..)| log).max(edit.synced.map(|synced| synced.log));
        let added = edit.added.iter().map(|(_, table)| table.number);
        self.highest = added.chain(log).fold(self.highest, u64::max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(number: u64, smallest: &str, largest: &str) -> TableMeta {
        let (smallest, largest) = (smallest.as_bytes().to_vec(), largest.as_bytes().to_vec());
        TableMeta { number, len: 100, entries: 3, tombstones: 1, crc: 7, smallest, largest }
    }

    fn adding(level: usize, table: TableMeta) -> Edit {
        Edit { added: vec![(level, table)], ..Edit::default() }
    }

    #[test]
    fn a_manifest_of_many_edits_says_the_same_as_one_of_a_single_edit() {
        let mut manifest = Manifest::new(1);
        let mut bytes = manifest.encode();
        let mut edits = vec![
            adding(0, table(2, "a", "z")),
            adding(0, table(3, "a", "c")),
            adding(1, table(4, "k", "m")),
            adding(1, table(5, "a", "b")),
        ];
        edits.push(Edit { log: Some((9, true, 77)), removed: vec![2], ..Edit::default() });
        edits.push(Edit { synced: Some(Synced { log: 9, len: 1_000 }), ..Edit::default() });
        for (number, edit) in (2..).zip(&edits) {
            manifest.apply(edit).unwrap();
            bytes.extend_from_slice(&edit.encode(number));
        }
        let path = Path::new("MANIFEST");
        assert_eq!(Manifest::decode(path, &bytes).unwrap().manifest, manifest);
        assert_eq!(Manifest::decode(path, &manifest.encode()).unwrap().manifest, manifest);
        assert_eq!(manifest.levels[1].iter().map(|table| table.number).collect::<Vec<_>>(), [5, 4]);
    }

    #[test]
    fn what_is_known_of_a_log_is_forgotten_when_that_log_is_in_a_table() {
        let mut manifest = Manifest::new(1);
        let synced = Some(Synced { log: 2, len: 32 });
        manifest.apply(&Edit { synced, ..Edit::default() }).unwrap();
        assert_eq!((manifest.known_logs().collect::<Vec<_>>(), manifest.synced_len(2)), (vec![2], 32));
        assert_eq!(manifest.synced_len(3), 0);
        manifest.apply(&Edit { log: Some((2, true, 5)), ..Edit::default() }).unwrap();
        assert_eq!(manifest.synced, synced);
        manifest.apply(&Edit { log: Some((3, false, 7)), ..Edit::default() }).unwrap();
        assert_eq!((manifest.synced, manifest.known_logs().count()), (None, 0));
    }

    #[test]
    fn edits_that_contradict_each_other_are_refused() {
        let mut manifest = Manifest::new(1);
        manifest.apply(&adding(1, table(2, "a", "c"))).unwrap();
        assert!(manifest.clone().apply(&adding(1, table(3, "b", "d"))).is_none(), "they overlap");
        assert!(manifest.clone().apply(&adding(2, table(2, "x", "y"))).is_none(), "the number is taken");
        let absent = Edit { removed: vec![3], ..Edit::default() };
        assert!(manifest.clone().apply(&absent).is_none(), "there is no such table");
    }

    #[test]
    fn the_newest_table_of_level_0_comes_first_whatever_the_length_of_its_number() {
        let mut manifest = Manifest::new(1);
        for number in [9_999, 10_001, 10_000, 9_998] {
            manifest.apply(&adding(0, table(number, "a", "b"))).unwrap();
        }
        assert!(manifest.levels[0].iter().map(|table| table.number).eq([10_001, 10_000, 9_999, 9_998]));
    }
}
