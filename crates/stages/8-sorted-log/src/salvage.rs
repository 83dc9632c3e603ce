//! Salvaging: a new store from everything that can be read of a damaged one.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, RealDisk, StoreFolder, finish_repair};
use logladder_engine::{Engine, Error, Problem, Progress, Result, Salvaged, Severity, SyncPolicy};

use crate::check::{as_opening_finds_it, untouched};
use crate::engine::STAGE;
use crate::files::{FORMAT_VERSION, FileKind, MANIFEST};
use crate::wreck::Wreck;
use crate::{Options, SortedLog, Work};

/// Makes a new store in the empty folder `into` from everything that can be read of the store in `dir`, of which no file is
/// changed, renamed or removed.
///
/// Of each table every whole block is used, and of each log every whole record, whatever stands before or behind them. Where
/// the index of a table is damaged, its blocks are found by their checksums. A table that is not the one that the manifest
/// names is not used, nor one that the manifest says was replaced. A table that the manifest does not name at all is used if
/// the manifest is damaged, or is missing something, or is older than that table.
///
/// Where the newest of what was said of a key is damaged, the key has an older value that is still there, or none; if it was
/// deleted, the value may be back. [`Salvaged::problems`] names the keys between which that may be so. Where the manifest is
/// damaged, missing or too old, which of two tables is newer is a guess, and it is told for how many keys that counts.
///
/// Of an unsuccessful salvage, or one that was interrupted, some of the store may be in `into`. That is not taken for a store,
/// and neither opened nor checked: remove it and begin again.
///
/// # Errors
///
/// [`Error::Locked`] if the store is open; [`Error::ForeignStore`] if it is none; [`Error::NotEmpty`] if
/// `into` is not; [`Error::Unsupported`] if `into` lies in `dir`; [`Error::UnsupportedVersion`]; or the disk failed.
///
/// ```
/// # use logladder_sorted_log::{Engine, Open, Options, SortedLog, salvage};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (old, new) = (dir.path().join("old"), dir.path().join("new"));
/// let store = SortedLog::open(&old, Options::default())?;
/// store.set(b"name", b"anna")?;
/// Box::new(store).close()?;
/// std::fs::remove_file(old.join("MANIFEST")).unwrap();
///
/// let salvaged = salvage(&old, &new)?;
/// assert_eq!((salvaged.keys, salvaged.problems.is_empty()), (1, false));
/// assert_eq!(SortedLog::open(&new, Options::default())?.get(b"name")?, Some(b"anna".to_vec()));
/// # Ok::<(), logladder_sorted_log::Error>(())
/// ```
///
/// [`Error::Locked`]: logladder_engine::Error::Locked
/// [`Error::ForeignStore`]: logladder_engine::Error::ForeignStore
/// [`Error::NotEmpty`]: logladder_engine::Error::NotEmpty
/// [`Error::Unsupported`]: logladder_engine::Error::Unsupported
/// [`Error::UnsupportedVersion`]: logladder_engine::Error::UnsupportedVersion
pub fn salvage(dir: &Path, into: &Path) -> Result<Salvaged> {
    salvage_with(RealDisk::shared(), dir, into, Options::default(), &mut |_| ())
}

/// [`salvage`] on any disk, with the options of the new store. Before each file is read, `progress` is told how far that is.
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
    let folder = untouched(Arc::clone(&disk), dir)?;
    folder.check_target(into)?;
    let mut wreck = Wreck::of(&folder, progress)?;
    // What it cannot read is no reason to leave the rest.
    if let Err(error) = as_opening_finds_it(&folder, &mut wreck.report) {
        wreck.report.problems.push(Problem::of_error(Severity::Damage, &folder.dir, error));
    }
    let mut salvaged = Salvaged::default();
    // In the end it is synced as a whole.
    let options = options.with_sync(SyncPolicy::Never).with_work(Work::Caller);
    let fill = || -> Result<u64> {
        let owns = |name: &str| FileKind::of(name).is_some();
        let target = StoreFolder::open_for_repair(disk, into, STAGE, FORMAT_VERSION, owns)?;
        let store = SortedLog::open_in(target, options)?;
        let guesses = wreck.for_each(&*folder.disk, |key, value| {
            salvaged.keys += 1;
            store.set(key, value)
        })?;
        store.sync()?;
        Box::new(store).close()?;
        finish_repair(&*folder.disk, into, STAGE, FORMAT_VERSION)?;
        Ok(guesses)
    };
    let guesses = fill().map_err(Error::of_repair)?;
    salvaged.records = salvaged.keys;
    salvaged.problems = wreck.report.problems;
    if guesses > 0 {
        let what = format!(
            "{guesses} keys stand in several tables with different values: which is the newest was guessed"
        );
        salvaged.problems.push(Problem::new(Severity::Damage, &folder.path(MANIFEST), 0, what));
    }
    Ok(salvaged)
}
