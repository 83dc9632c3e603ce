//! [`Replaced`]: what the edits of a manifest took away, and how a file of that name is told from another store's.
//!
//! ```text
//!   a table   the checksum of its footer, which the manifest noted when the table came
//!   a log     its first write and its last; and its keys: how many, how many of them deleted, from which to which, as the
//!             edit says of the table that they are in now. If the store still has that table: each key and its value
//! ```
//!
//! A number is no proof: every store begins to count at 1.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use logladder_engine::Write;

use crate::files::{FileKind, Header};
use crate::log;
use crate::manifest::{Edit, Manifest};
use crate::store::Tables;
use crate::table::{TableMeta, checksum_of, filter};

/// The tables and logs that edits have replaced.
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    /// Each number, and the checksum of the footer.
    tables: BTreeSet<(u64, u32)>,
    logs: Vec<Flushed>,
}

/// A log that became a table.
#[derive(Debug)]
struct Flushed {
    /// Its number is one of these.
    numbers: Range<u64>,
    first_write: u64,
    last_write: u64,
    table: TableMeta,
}

impl Replaced {
    /// Notes what `edit` replaces of what `before` says.
    pub(crate) fn note(&mut self, before: &Manifest, edit: &Edit) {
        let tables = before.levels.iter().flatten().filter(|table| edit.removed.contains(&table.number));
        self.tables.extend(tables.map(|table| (table.number, table.crc)));
        if let (Some((log, _, last_write)), [(0, table)]) = (edit.log, edit.added.as_slice()) {
            let (numbers, first_write) = (before.log..log, before.last_sequence + 1);
            self.logs.push(Flushed { numbers, first_write, last_write, table: table.clone() });
        }
    }

    /// Whether a table of this number was replaced.
    pub(crate) fn has_table_numbered(&self, number: u64) -> bool {
        self.tables.range((number, 0)..=(number, u32::MAX)).next().is_some()
    }

    /// Whether these are the bytes of the table of this number that was replaced.
    pub(crate) fn has_table(&self, path: &Path, number: u64, bytes: &[u8]) -> bool {
        checksum_of(path, bytes).is_some_and(|crc| self.tables.contains(&(number, crc)))
    }

    /// Whether these are the bytes of a log of this number whose writes are in a table, which may be one of `tables`.
    pub(crate) fn has_log(&self, path: &Path, number: u64, bytes: &[u8], tables: &Tables) -> bool {
        let Ok(header) = Header::decode(path, FileKind::Log(number), bytes) else { return false };
        let mut logs = self.logs.iter();
        logs.any(|log| {
            log.numbers.contains(&number)
                && log.first_write == header.first_sequence
                && log.became_table(path, number, bytes, tables)
        })
    }
}

impl Flushed {
    fn became_table(&self, path: &Path, number: u64, bytes: &[u8], tables: &Tables) -> bool {
        let mut keys: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        let survey = log::survey(path, number, bytes, self.first_write, |_, write| {
            keys.insert(write.key(), if let Write::Set(_, value) = write { Some(value) } else { None });
        });
        let deleted = keys.values().filter(|value| value.is_none()).count() as u64;
        let is_same = survey.is_ok_and(|survey| survey.next_sequence == self.last_write + 1)
            && (keys.len() as u64, deleted) == (self.table.entries, self.table.tombstones)
            && keys.keys().next() == Some(&self.table.smallest.as_slice())
            && keys.keys().next_back() == Some(&self.table.largest.as_slice());
        let table = tables.all().find(|table| table.meta.number == self.table.number);
        is_same
            && table.is_none_or(|table| {
                let has = |key: &[u8], value: Option<&[u8]>| {
                    table.get(key, filter::hash(key), |found| found == value)
                };
                // Where the table is damaged, the log is the only place that has what it says.
                keys.iter().all(|(key, value)| matches!(has(key, *value), Ok(Some(true))))
            })
    }
}
