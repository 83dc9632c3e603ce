//! Opening: from files to a store. First everything is read, and whatever is damaged refused; only then are files changed.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Disk, File, StoreFolder, cut_torn_tail, parallel, replace};
use logladder_engine::{Error, Repair, Result, SyncPolicy, Write};

use crate::Options;
use crate::files::{FileKind, HEADER_LEN, Header, MANIFEST};
use crate::frame::Tail;
use crate::log;
use crate::manifest::{Found, Manifest};
use crate::memtable::Memtable;
use crate::orphans::{Known, Orphans};
use crate::store::{List, LogFile, Parts, State, Tables, limit};
use crate::table::{Table, TableMeta};

/// No crash leaves a file whose number is further than this from those that the manifest knows.
const FURTHEST: u64 = 1 << 40;

/// Where the files of a store are, to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    pub(crate) disk: &'p dyn Disk,
    pub(crate) dir: &'p Path,
}

impl<'p> Place<'p> {
    fn of(folder: &'p StoreFolder) -> Self {
        Self { disk: &**folder.disk(), dir: folder.dir() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// A log that was read.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) memtable: Memtable,
    survey: log::Survey,
}

/// What opening came to.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) parts: Parts,
    /// What had to be cut off.
    pub(crate) repairs: Vec<Repair>,
    /// What has the name of a file of the store, and is none of it.
    pub(crate) left_alone: Vec<PathBuf>,
}

/// Everything that opening reads.
#[derive(Debug)]
pub(crate) struct Whole {
    /// What the manifest says, unless the store is new.
    found: Option<Found>,
    manifest: Manifest,
    tables: Tables,
    logs: BTreeMap<u64, Replayed>,
    pub(crate) orphans: Orphans,
    next_number: u64,
}

/// Reads the store in `place`, and changes nothing.
///
/// # Errors
///
/// A file is damaged; or the disk failed.
pub(crate) fn read(place: Place<'_>, options: &Options) -> Result<Whole> {
    let disk = place.disk;
    let entries = disk.list(place.dir)?;
    let files: Vec<FileKind> = entries.iter().filter_map(|entry| FileKind::of(&entry.name)).collect();
    let path = place.path(MANIFEST);
    let found = if files.contains(&FileKind::Manifest) {
        Some(Manifest::decode(&path, &disk.read(&path)?)?)
    } else {
        check_new(place, &files)?;
        None
    };
    let manifest = found.as_ref().map_or_else(|| Manifest::new(1), |found| found.manifest.clone());
    let next_number = 1 + highest_number(place, &files, found.as_ref())?.max(manifest.log);
    let tables = Tables::of(&manifest, &open_tables(place, &manifest)?);
    let logs = replay(place, options, &manifest, &files)?;
    let orphans = Known { found: found.as_ref(), tables: &tables, logs: &logs }.orphans(place, &files)?;
    Ok(Whole { found, manifest, tables, logs, orphans, next_number })
}

/// Opens the store in `folder`.
///
/// # Errors
///
/// A file is damaged, and then none was changed; or the disk failed.
pub(crate) fn recover(folder: &StoreFolder, options: &Options) -> Result<Recovered> {
    let disk = &**folder.disk();
    let Whole { found, manifest, tables, logs, orphans, next_number } = read(Place::of(folder), options)?;

    // Nothing has been changed so far, and nothing is refused from here on.
    folder.claim()?;
    let mut repairs = Vec::new();
    let list = open_list(folder, options, manifest, found.as_ref(), &mut repairs)?;
    remove_orphans(folder, &list, &orphans.useless)?;
    let next_sequence =
        logs.values().last().map_or(list.manifest.last_sequence + 1, |log| log.survey.next_sequence);
    let mut newest = None;
    if let Some((&number, replayed)) = logs.last_key_value() {
        newest = Some(continue_log(folder, number, &replayed.survey, &mut repairs)?);
    }
    // A process that died may have made names and written bytes that are not on the disk yet.
    disk.sync_dir(folder.dir())?;
    let mut memtables: Vec<_> = logs.into_values().map(|log| Arc::new(log.memtable)).collect();
    let active = memtables
        .pop()
        .unwrap_or_else(|| Arc::new(Memtable::new(next_number, false, options.memtable_bytes)));
    memtables.reverse();
    let state = State { active, full: memtables, tables: Arc::new(tables) };
    let parts = Parts { state, log: newest, list, next_sequence, next_number: next_number + 1 };
    Ok(Recovered { parts, repairs, left_alone: orphans.strange })
}

/// The highest number that a file has, behind which the next ones go on. One that is too far from all that the manifest
/// knows is somebody else's, and would bring the store to the end of all numbers.
fn highest_number(place: Place<'_>, files: &[FileKind], found: Option<&Found>) -> Result<u64> {
    let known = found.map_or(0, |found| found.highest);
    let Some(highest) = files.iter().max_by_key(|kind| kind.number()) else { return Ok(known) };
    if highest.number().saturating_sub(known) > FURTHEST {
        let what =
            "its number is too far from those of the store's files, which would have to go on behind it";
        return Err(Error::corrupt(&place.path(&highest.name()), 0, what));
    }
    Ok(highest.number().max(known))
}

/// That a folder without a manifest has nothing in it that a manifest should name.
fn check_new(place: Place<'_>, files: &[FileKind]) -> Result<()> {
    match files.first() {
        // The manifest of a new store comes before any other file.
        Some(kind) => {
            let what = format!("it is missing, and {} is there", kind.name());
            Err(Error::corrupt(&place.path(MANIFEST), 0, what))
        }
        None => Ok(()),
    }
}

/// Opens all tables that the manifest names.
fn open_tables(place: Place<'_>, manifest: &Manifest) -> Result<HashMap<u64, Arc<Table>>> {
    let metas: Vec<&TableMeta> = manifest.levels.iter().flatten().collect();
    // Of each, about a fiftieth is read: its index and filter.
    let bytes = metas.iter().fold(0_u64, |sum, meta| sum.saturating_add(meta.len / 50));
    let tables = parallel::for_each(metas.len(), bytes, |which| {
        let path = place.path(&FileKind::Table(metas[which].number).name());
        Table::open(place.disk, &path, metas[which].clone())
    })?;
    Ok(tables.into_iter().map(|table| (table.meta.number, Arc::new(table))).collect())
}

/// Reads the logs whose writes are in no table, in the order of their numbers.
fn replay(
    place: Place<'_>,
    options: &Options,
    manifest: &Manifest,
    files: &[FileKind],
) -> Result<BTreeMap<u64, Replayed>> {
    let disk = place.disk;
    let mut numbers: Vec<u64> = Vec::new();
    for kind in files {
        if let FileKind::Log(number) = *kind
            && number >= manifest.log
        {
            // One that was being made and had no write yet. The one that the manifest knows was whole.
            let is_known = manifest.known_logs().any(|known| known == number);
            let path = place.path(&kind.name());
            if is_known || !Header::is_unfinished(*kind, &disk.map(&path)?) {
                numbers.push(number);
            }
        }
    }
    numbers.sort_unstable();
    if let Some(missing) = manifest.known_logs().find(|log| numbers.binary_search(log).is_err()) {
        let path = place.path(&FileKind::Log(missing).name());
        return Err(Error::corrupt(
            &path,
            0,
            "it is missing, and no table that the manifest names has what it says",
        ));
    }
    let mut logs: BTreeMap<u64, Replayed> = BTreeMap::new();
    let mut expected = manifest.last_sequence + 1;
    for (nth, &number) in numbers.iter().enumerate() {
        let path = place.path(&FileKind::Log(number).name());
        let map = disk.map(&path)?;
        let log_bytes = (map.len() as u64).max(options.memtable_bytes);
        let memtable = Memtable::new(number, true, log_bytes);
        let survey = log::survey(&path, number, &map, expected, |sequence, write| match write {
            Write::Set(key, value) => memtable.insert(key, Some(value), sequence),
            Write::Delete(key) => memtable.insert(key, None, sequence),
        })?;
        let is_whole = survey.tail == Tail::Unused && survey.end == map.len();
        if nth + 1 < numbers.len() && !is_whole {
            let what = "it is damaged: a log that another follows has no unfinished end";
            return Err(Error::corrupt(&path, survey.end as u64, what));
        }
        let synced = manifest.synced_len(number);
        if (survey.end as u64) < synced && !sabotage::skips(Rule::TailRule) {
            let what = format!(
                "the manifest says that {synced} bytes of it were on the disk, and from here on they are not right"
            );
            return Err(Error::corrupt(&path, survey.end as u64, what));
        }
        expected = survey.next_sequence;
        logs.insert(number, Replayed { memtable, survey });
    }
    Ok(logs)
}

/// Opens the manifest for edits, without what a crash left unfinished; or makes that of a new store.
fn open_list(
    folder: &StoreFolder,
    options: &Options,
    manifest: Manifest,
    found: Option<&Found>,
    repairs: &mut Vec<Repair>,
) -> Result<List> {
    let disk = &**folder.disk();
    let path = folder.path(MANIFEST);
    let (edits, is_torn, end) = if let Some(found) = found {
        (found.edits, found.is_torn, found.end as u64)
    } else {
        replace(disk, &path, &[&manifest.encode()], SyncPolicy::Always)?;
        (1, false, 0)
    };
    let file = disk.open(&path)?;
    if is_torn {
        repairs.push(cut_torn_tail(disk, &*file, end)?);
    }
    let limit = limit(manifest.whole().encode(1).len() + HEADER_LEN, options);
    Ok(List { manifest, file, edits, limit, removing: 0 })
}

/// Removes what belongs to no list and is not needed. The removal needs no sync: if it is lost, it is done again.
fn remove_orphans(folder: &StoreFolder, list: &List, orphans: &[PathBuf]) -> Result<()> {
    if orphans.is_empty() {
        return Ok(());
    }
    // The process before may have died before its last edit was on the disk: a loss of power would bring back a manifest
    // that needs these.
    list.file.sync()?;
    folder.disk().sync_dir(folder.dir())?;
    orphans.iter().try_for_each(|path| folder.disk().remove(path))
}

/// Opens the newest log to be continued, without what a crash left unfinished.
fn continue_log(
    folder: &StoreFolder,
    number: u64,
    survey: &log::Survey,
    repairs: &mut Vec<Repair>,
) -> Result<LogFile> {
    let disk: &dyn Disk = &**folder.disk();
    let file: Box<dyn File> = disk.open(&folder.path(&FileKind::Log(number).name()))?;
    let end = survey.end as u64;
    if let Tail::Torn { end: torn_end } = survey.tail {
        // The unused reserve first: it is not worth keeping a copy of.
        file.truncate(torn_end as u64)?;
        repairs.push(cut_torn_tail(disk, &*file, end)?);
    } else if file.len() > end {
        file.truncate(end)?;
    }
    file.sync()?;
    Ok(LogFile { file: Arc::from(file), is_reserved: false, capacity: u64::MAX })
}
