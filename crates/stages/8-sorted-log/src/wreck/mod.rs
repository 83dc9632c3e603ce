//! [`Wreck`]: everything that can be read of a store, whether it is whole or not, and what is wrong with the rest.
//!
//! ```text
//!   manifest   its edits up to the first that cannot be read; with it, which tables are newer
//!   tables     every block that is whole
//!   logs       every record that is whole: they are newer than all tables
//!   the rest   what the manifest has lost: see `unlisted`
//! ```
//!
//! Nothing in a table says which of two values is newer: the manifest does. Where it is lost, tables that it would have
//! named are taken by their numbers, and it is said that this is a guess.

mod logs;
mod merged;
mod unlisted;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use logladder_disk::{LOCK_FILE, Untouched};
use logladder_engine::{CheckReport, Error, Problem, Progress, Result, Severity};

use crate::describe::show;
use crate::files::{FileKind, MANIFEST};
use crate::manifest::{Found, Manifest};
use crate::table::TableMeta;
use crate::table::look::{Look, look};

/// What is said of a key: a value, or none for a tombstone.
type Entry = (Vec<u8>, Option<Vec<u8>>);

/// What logs say of each key, the newest last.
type Said = BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>>;

/// A table, as far as it can be read.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    blocks: Vec<Range<usize>>,
    /// Whether the manifest says where it belongs.
    is_listed: bool,
}

/// What can be read of a store.
#[derive(Debug, Default)]
pub(crate) struct Wreck {
    pub(crate) report: CheckReport,
    /// What the logs say.
    memory: Said,
    /// What logs say that should be in tables: it is older than all else.
    earlier: Said,
    /// Tables that follow each other, the newest first.
    runs: Vec<Vec<Part>>,
}

impl Wreck {
    /// Reads every file in `folder`. Before each, `progress` is told how far that is.
    ///
    /// # Errors
    ///
    /// A file is of a newer version. What cannot be read is a problem in the report.
    pub(crate) fn of(folder: &Untouched, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Self> {
        let mut reader = Reader::new(folder);
        reader.manifest()?;
        let total = folder.entries.iter().map(|entry| entry.len).sum();
        let mut done = 0;
        for entry in &folder.entries {
            progress(Progress::new(&folder.path(&entry.name), done, total));
            done += entry.len;
            if entry.is_dir {
                reader.wreck.report.problems.push(folder.judge_folder(&entry.name));
            } else {
                reader.file(&entry.name, entry.len)?;
            }
        }
        reader.missing_tables();
        reader.logs()?;
        reader.arrange();
        reader.unlisted()?;
        Ok(reader.finish())
    }
}

/// Reads the files of a store, one after the other.
struct Reader<'r> {
    folder: &'r Untouched,
    wreck: Wreck,
    /// What the manifest says, or its edits up to the first that cannot be read.
    found: Found,
    is_manifest_whole: bool,
    /// Whether a file is missing that the manifest names, or a write that should come next.
    is_missing: bool,
    has_logs: bool,
    listed: BTreeMap<u64, TableMeta>,
    looks: BTreeMap<u64, Look>,
    /// The bytes of the logs that count.
    logs: BTreeMap<u64, Vec<u8>>,
    /// The tables that the manifest does not name though it is whole, and the logs that it says are in tables.
    unlisted_tables: Vec<u64>,
    earlier_logs: Vec<u64>,
    /// The files that are not used, and why.
    unused: Vec<(String, &'static str)>,
}

impl<'r> Reader<'r> {
    fn new(folder: &'r Untouched) -> Self {
        Self {
            folder,
            wreck: Wreck::default(),
            found: Found::default(),
            is_manifest_whole: false,
            is_missing: false,
            has_logs: false,
            listed: BTreeMap::new(),
            looks: BTreeMap::new(),
            logs: BTreeMap::new(),
            unlisted_tables: Vec::new(),
            earlier_logs: Vec::new(),
            unused: Vec::new(),
        }
    }

    fn say(&mut self, severity: Severity, name: &str, offset: u64, what: impl Into<String>) {
        let problem = Problem::new(severity, &self.folder.path(name), offset, what);
        self.wreck.report.problems.push(problem);
    }

    fn say_error(&mut self, name: &str, error: Error) {
        let problem = Problem::of_error(Severity::Damage, &self.folder.path(name), error);
        self.wreck.report.problems.push(problem);
    }

    fn manifest(&mut self) -> Result<()> {
        let kinds = || self.folder.entries.iter().filter_map(|entry| FileKind::of(&entry.name));
        let path = self.folder.path(MANIFEST);
        if !kinds().any(|kind| kind == FileKind::Manifest) {
            // The manifest of a new store comes before any other file.
            self.is_manifest_whole = kinds().next().is_none();
            if !self.is_manifest_whole {
                self.say(Severity::Damage, MANIFEST, 0, format!("it is missing: {UNORDERED}"));
            }
            return Ok(());
        }
        let bytes = match self.folder.read(MANIFEST) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.say_error(MANIFEST, error);
                return Ok(());
            }
        };
        match Manifest::decode(&path, &bytes) {
            Ok(found) => {
                self.is_manifest_whole = true;
                if found.is_torn {
                    let what =
                        "an edit was not finished; the next open cuts it off and keeps it beside the file";
                    self.say(Severity::Unfinished, MANIFEST, found.end as u64, what);
                }
                self.found = found;
            }
            Err(error @ Error::UnsupportedVersion { .. }) => return Err(error),
            Err(error) => {
                self.say_error(MANIFEST, error);
                let found = Manifest::beginning(&bytes);
                self.say(Severity::Damage, MANIFEST, found.end as u64, UNORDERED);
                self.found = found;
            }
        }
        let tables = self.found.manifest.levels.iter().flatten();
        self.listed = tables.map(|table| (table.number, table.clone())).collect();
        Ok(())
    }

    fn file(&mut self, name: &str, len: u64) -> Result<()> {
        self.wreck.report.files += 1;
        self.wreck.report.bytes += len;
        match FileKind::of(name) {
            None if name == LOCK_FILE => self.lock_file(),
            None => self.wreck.report.problems.push(self.folder.judge_other_file(name)),
            // It was looked at before all others.
            Some(FileKind::Manifest) => {}
            Some(FileKind::Log(number)) if self.is_manifest_whole && number < self.found.manifest.log => {
                self.earlier_logs.push(number);
            }
            Some(FileKind::Log(number)) => match self.folder.read(name) {
                Ok(bytes) => drop(self.logs.insert(number, bytes)),
                Err(error) => self.say_error(name, error),
            },
            Some(FileKind::Table(number)) => self.table(number, name)?,
        }
        Ok(())
    }

    fn lock_file(&mut self) {
        match self.folder.read(LOCK_FILE) {
            Ok(bytes) => self.wreck.report.problems.extend(self.folder.judge_lock_file(&bytes)),
            Err(error) => self.say_error(LOCK_FILE, error),
        }
    }

    fn table(&mut self, number: u64, name: &str) -> Result<()> {
        let meta = self.listed.get(&number);
        if meta.is_none() && self.is_manifest_whole {
            self.unlisted_tables.push(number);
            return Ok(());
        }
        let path = self.folder.path(name);
        let look = match self.folder.read(name) {
            Ok(bytes) if meta.is_none() && self.found.replaced.has_table(&path, number, &bytes) => {
                self.unused.push((name.to_owned(), unlisted::REPLACED));
                return Ok(());
            }
            Ok(bytes) => look(&path, number, meta, &bytes)?,
            Err(error) => {
                self.say_error(name, error);
                return Ok(());
            }
        };
        self.wreck.report.records += look.entries;
        self.wreck.report.problems.extend(look.problems.iter().cloned());
        self.looks.insert(number, look);
        Ok(())
    }

    fn missing_tables(&mut self) {
        let is_there = |name: &str| self.folder.entries.iter().any(|entry| entry.name == name);
        let missing = self.listed.values().filter(|table| !is_there(&FileKind::Table(table.number).name()));
        let missing: Vec<TableMeta> = missing.cloned().collect();
        self.is_missing |= !missing.is_empty();
        for table in missing {
            let (from, to) = (show(&table.smallest), show(&table.largest));
            let what = format!(
                "it is missing, and the manifest names it: what it says of keys from {from} to {to} is lost"
            );
            self.say(Severity::Damage, &FileKind::Table(table.number).name(), 0, what);
        }
    }

    /// Puts the tables in order.
    fn arrange(&mut self) {
        let folder = self.folder;
        let mut looks = std::mem::take(&mut self.looks);
        let loose: Vec<u64> =
            looks.keys().rev().filter(|number| !self.listed.contains_key(number)).copied().collect();
        let mut part = |number: u64, is_listed: bool| {
            let look = looks.remove(&number).filter(|look| !look.blocks.is_empty())?;
            Some(Part { path: folder.path(&FileKind::Table(number).name()), blocks: look.blocks, is_listed })
        };
        let mut runs: Vec<Vec<Part>> = Vec::new();
        // The higher number is newer, as far as can be told.
        runs.extend(loose.into_iter().map(|number| part(number, false).into_iter().collect()));
        let [newest, deeper @ ..] = &self.found.manifest.levels;
        runs.extend(newest.iter().map(|table| part(table.number, true).into_iter().collect()));
        let run =
            |level: &Vec<TableMeta>| level.iter().filter_map(|table| part(table.number, true)).collect();
        runs.extend(deeper.iter().map(run));
        runs.retain(|run| !run.is_empty());
        self.wreck.runs = runs;
    }

    fn finish(mut self) -> Wreck {
        if self.wreck.report.worst() >= Some(Severity::Damage) {
            for (name, what) in std::mem::take(&mut self.unused) {
                self.say(Severity::Remark, &name, 0, what);
            }
        }
        self.wreck
            .report
            .problems
            .sort_by(|a, b| (&a.path, a.offset, &a.what).cmp(&(&b.path, b.offset, &b.what)));
        self.wreck
    }
}

/// What it means that a manifest is not whole.
const UNORDERED: &str = "which tables are the store, and which of them are newer, is not told from here on, so a key that \
                         stands in several of them may get an older value, or come back";
