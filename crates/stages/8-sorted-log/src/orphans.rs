//! Files with names of tables and logs that no list names: what a crash left of a flush or a merge, and what someone put
//! there.
//!
//! ```text
//!   unfinished                                                removed
//!   a table or a log that the manifest says was replaced,     removed: a crash came before that
//!   and the very one: see `replaced`
//!   a table that says nothing but what the store says         removed: a flush or a merge that was not installed
//!   a table that says more, newer than anything that is
//!   known, where no log goes on from the manifest             refused: the manifest is an older one
//!   anything else                                             left alone, and told
//! ```
//!
//! That no log goes on is what makes a table suspicious: a log is removed only when its writes are in a table that the
//! manifest names, and the next one begins with the write behind those. So with a log, nothing is missing.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use logladder_engine::{Direction, Error, Result};

use crate::files::{FileKind, Header, MANIFEST};
use crate::frame::PAGE;
use crate::manifest::Found;
use crate::recover::{Place, Replayed};
use crate::store::Tables;
use crate::table::cursor::RunCursor;
use crate::table::{Table, filter};

/// What opening has read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'k> {
    /// The manifest, unless the store is new.
    pub(crate) found: Option<&'k Found>,
    pub(crate) tables: &'k Tables,
    pub(crate) logs: &'k BTreeMap<u64, Replayed>,
}

/// The files that belong to no list.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    /// They can be removed.
    pub(crate) useless: Vec<PathBuf>,
    /// They are none of this store's.
    pub(crate) strange: Vec<PathBuf>,
}

impl Known<'_> {
    /// Those of `files` that belong to no list. Nothing is changed.
    ///
    /// # Errors
    ///
    /// The manifest is older than one of them; or the disk failed.
    pub(crate) fn orphans(&self, place: Place<'_>, files: &[FileKind]) -> Result<Orphans> {
        let mut orphans = Orphans::default();
        // A new store has no other files.
        let Some(found) = self.found else { return Ok(orphans) };
        let mut named: Vec<u64> = found.manifest.numbers().collect();
        named.sort_unstable();
        for &kind in files {
            let path = place.path(&kind.name());
            let is_useless = match kind {
                FileKind::Manifest => continue,
                FileKind::Log(number) if self.logs.contains_key(&number) => continue,
                FileKind::Table(number) if named.binary_search(&number).is_ok() => continue,
                FileKind::Log(number) => {
                    let bytes = place.disk.map(&path)?;
                    is_unfinished(kind, &bytes) || found.replaced.has_log(&path, number, &bytes, self.tables)
                }
                FileKind::Table(number) => self.is_useless_table(place, &path, number, found)?,
            };
            let list = if is_useless { &mut orphans.useless } else { &mut orphans.strange };
            list.push(path);
        }
        Ok(orphans)
    }

    fn is_useless_table(&self, place: Place<'_>, path: &Path, number: u64, found: &Found) -> Result<bool> {
        let kind = FileKind::Table(number);
        let bytes = place.disk.map(path)?;
        if Header::decode(path, kind, &bytes).is_err() {
            return Ok(is_unfinished(kind, &bytes));
        }
        // No crash leaves another table of a number that the manifest has named: each was on the disk before.
        if found.replaced.has_table_numbered(number) {
            return Ok(found.replaced.has_table(path, number, &bytes));
        }
        // It was begun and never ended.
        let Ok(table) = Table::open_unlisted(place.disk, path, number) else { return Ok(true) };
        if self.says_as_much_as(&Arc::new(table)) {
            return Ok(true);
        }
        if self.logs.is_empty() && number > found.highest {
            let what = format!("it does not know of {}, and is older than that file", kind.name());
            return Err(Error::corrupt(&place.path(MANIFEST), found.end as u64, what));
        }
        Ok(false)
    }

    /// Whether each entry of the table stands in the store as well. A stranger's table ends that soon, and nothing less says
    /// that one of ours can go.
    fn says_as_much_as(&self, table: &Arc<Table>) -> bool {
        let Ok(mut cursor) = RunCursor::seek(slice::from_ref(table), Bound::Unbounded, Direction::Forward)
        else {
            // A damaged block: of a table that was never synced, any may be lost.
            return true;
        };
        while let Some(key) = cursor.key() {
            if !self.has(key, cursor.value()) {
                return false;
            }
            if cursor.advance().is_err() {
                break;
            }
        }
        true
    }

    /// Whether a table or a log of the store has this very entry: not only the newest of its key counts.
    fn has(&self, key: &[u8], value: Option<&[u8]>) -> bool {
        let is_same = |found: Option<&[u8]>| found == value;
        let mut logs = self.logs.values();
        let hash = filter::hash(key);
        logs.any(|log| log.memtable.get(key, hash, u64::MAX, is_same) == Some(true))
            || self.tables.of_key(key).any(|table| matches!(table.get(key, hash, is_same), Ok(Some(true))))
    }
}

/// Whether these are the bytes of a file that was made and not finished: a beginning of its header, or none where a loss of
/// power took the page.
fn is_unfinished(kind: FileKind, bytes: &[u8]) -> bool {
    let page = &bytes[..bytes.len().min(PAGE)];
    Header::is_unfinished(kind, bytes) || page.iter().all(|&byte| byte == 0)
}
