//! Salvaging: a new store from everything that is still whole in a damaged one.
//!
//! ```text
//!   all valid records of all segments ──► in the order of their numbers ──► set and delete in a new store
//! ```
//!
//! Doing again what was done, in the order in which it was done, needs no rule of its own: the newest record of a key
//! wins, a tombstone takes away what came before it, and versions follow each other.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, Map, RealDisk, StoreFolder, Untouched, finish_repair};
use logladder_engine::{Engine, Error, Expire, Progress, Result, Salvaged, Severity, SyncPolicy};

use crate::check::look_over;
use crate::engine::STAGE;
use crate::evidence::{Evidence, Listed};
use crate::files::{FileKind, segment_name};
use crate::format::FORMAT_VERSION;
use crate::format::extra::moment_of;
use crate::format::header::SegmentHeader;
use crate::format::record::Record;
use crate::runs::{Order, Run, RunStop, runs};
use crate::untouched;
use crate::{HashLog, Options};

/// Makes a new store in the empty folder `into` from every valid record of the store in `dir`, which is not changed.
///
/// The records of every segment are used, whatever stands before or behind them, and whether or not there is a
/// manifest. Segments that the manifest does not list, which compaction was done with or had not finished, are used only if
/// something else is damaged: what they hold and no other does was overwritten or deleted, mostly. So are the records of a
/// batch of which a part is damaged; those of one that was never finished are not. Values keep their ends.
///
/// Where the newest record of a key is damaged, the key has the value of an older one that is still there, or none; if
/// that record was a delete, the value may be back. [`Salvaged::problems`] says where such records were.
///
/// Of an unsuccessful salvage, or one that was interrupted, some of the store may be in `into`. That is not taken for a store,
/// and neither opened nor checked: remove it and begin again. A salvage needs 24 bytes of memory a record.
///
/// # Errors
///
/// [`Error::Locked`] if the store is open; [`Error::ForeignStore`] if it is none; [`Error::NotEmpty`] if
/// `into` is not; [`Error::Unsupported`] if `into` lies in `dir`; [`Error::UnsupportedVersion`]; or the disk failed.
///
/// ```
/// # use logladder_engine::{Engine, Open};
/// # use logladder_hash_log::{HashLog, Options, salvage};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (old, new) = (dir.path().join("old"), dir.path().join("new"));
/// let store = HashLog::open(&old, Options::default())?;
/// store.set(b"name", b"anna")?;
/// Box::new(store).close()?;
/// std::fs::remove_file(old.join("MANIFEST")).unwrap();
///
/// let salvaged = salvage(&old, &new)?;
/// assert_eq!((salvaged.keys, salvaged.problems.is_empty()), (1, false));
/// assert_eq!(HashLog::open(&new, Options::default())?.get(b"name")?, Some(b"anna".to_vec()));
/// # Ok::<(), logladder_engine::Error>(())
/// ```
pub fn salvage(dir: &Path, into: &Path) -> Result<Salvaged> {
    salvage_with(RealDisk::shared(), dir, into, Options::default(), &mut |_| ())
}

/// [`salvage`] on any disk, with the options of the new store. It keeps as many versions of each key as [`Options::versions`]
/// says, or as the old one did if that can still be read; they are counted anew. Before each file is checked, `progress` is told how far that is.
///
/// # Errors
///
/// As [`salvage`].
pub fn salvage_with(
    disk: Arc<dyn Disk>,
    dir: &Path,
    into: &Path,
    options: Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Salvaged> {
    let folder = untouched::open(Arc::clone(&disk), dir)?;
    folder.check_target(into)?;
    let evidence = Evidence::in_folder(&folder)?;
    let report = look_over(&folder, &evidence, progress)?;
    let is_damaged = report.worst() >= Some(Severity::Unfinished);
    let mut wreck = Wreck::default();
    for &id in &evidence.segments {
        if is_damaged || !matches!(evidence.listed(id), Listed::Before | Listed::Nowhere) {
            wreck.take(&folder, &evidence, id)?;
        }
    }
    // In the end it is synced as a whole.
    let before = evidence.manifest.as_ref().map_or(0, |manifest| manifest.earlier_versions);
    let versions = 1 + usize::from(options.earlier_versions(before));
    let options = options.with_sync(SyncPolicy::Never).with_versions(versions);
    let fill = || -> Result<(u64, u64)> {
        let owns = |name: &str| FileKind::of(name).is_some();
        let target = StoreFolder::open_for_repair(disk, into, STAGE, FORMAT_VERSION.into(), owns)?;
        let store = HashLog::open_in(target, options)?;
        let records = wreck.replay(&store)?;
        store.sync()?;
        let keys = store.stats()?.live_keys;
        Box::new(store).close()?;
        finish_repair(&*folder.disk, into, STAGE, FORMAT_VERSION.into())?;
        Ok((records, keys))
    };
    let (records, keys) = fill().map_err(Error::of_repair)?;
    let mut salvaged = Salvaged::default();
    (salvaged.records, salvaged.keys, salvaged.problems) = (records, keys, report.problems);
    Ok(salvaged)
}

/// A valid record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    sequence: u64,
    /// Which of the segments it is in, and where.
    place: usize,
    offset: usize,
}

/// Everything that is still whole.
#[derive(Debug, Default)]
struct Wreck {
    segments: Vec<Map>,
    records: Vec<Found>,
}

impl Wreck {
    /// Takes the valid records of the segment `id`, unless it is another store's.
    fn take(&mut self, folder: &Untouched, evidence: &Evidence, id: u64) -> Result<()> {
        let name = segment_name(id);
        // Touching a map of what the disk cannot give would kill the process, and reading it is an error. The check has
        // said so.
        let Ok(bytes) = folder.read(&name) else { return Ok(()) };
        if evidence.is_foreign(&bytes) {
            return Ok(());
        }
        let path = folder.path(&name);
        let header = SegmentHeader::decode(&path, evidence.mark, id, &bytes).ok();
        let found = runs(&bytes, &Order::of(&bytes, header.as_ref()));
        let end = end_of_finished(&found, evidence.listed(id)).unwrap_or(bytes.len());
        let place = self.segments.len();
        for run in &found {
            let of_keys =
                run.records(&bytes).filter(|(offset, record)| *offset < end && record.header.kind.has_key());
            self.records.extend(of_keys.map(|(offset, record)| Found {
                sequence: record.header.sequence,
                place,
                offset,
            }));
        }
        self.segments.push(folder.disk.map(&path)?);
        Ok(())
    }

    /// Does all of it again, in the order of the numbers. Says how many records that took.
    fn replay(mut self, store: &HashLog) -> Result<u64> {
        self.records.sort_unstable();
        let mut done: u64 = 0;
        let mut before: Option<Record<'_>> = None;
        for &found in &self.records {
            let record = self.record(found)?;
            // Compaction was interrupted between the copy and the removal.
            let is_copy = before.is_some_and(|before| {
                before.header.sequence == record.header.sequence && before.key == record.key
            });
            before = Some(record);
            if is_copy {
                continue;
            }
            done += 1;
            match record.extra.expires {
                _ if record.is_delete() => store.delete(record.key)?,
                None => store.set(record.key, record.value)?,
                Some(end) => store.set_until(record.key, record.value, moment_of(end))?,
            }
        }
        Ok(done)
    }

    fn record(&self, found: Found) -> Result<Record<'_>> {
        let bytes = self.segments.get(found.place).and_then(|bytes| bytes.get(found.offset..));
        Record::decode(bytes.unwrap_or_default()).map_err(|flaw| {
            let what = format!("a record at offset {} changed while it was copied: {flaw}", found.offset);
            Error::Unsupported { what }
        })
    }
}

/// Where a batch begins that was being written when a crash came: nobody was told of it.
fn end_of_finished(found: &[Run], listed: Listed) -> Option<usize> {
    let last = found.last().filter(|last| !matches!(last.stop, RunStop::Footer(_)))?;
    if listed == Listed::Sealed { None } else { last.open_batch }
}
