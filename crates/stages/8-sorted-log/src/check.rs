//! Checking a store: every byte of every file is read, and nothing is changed.
//!
//! Opening believes what it need not read: the blocks of tables. A check reads all of them, goes on behind each problem,
//! and names every one.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, RealDisk, Untouched};
use logladder_engine::{CheckReport, Error, Problem, Progress, Result, Severity};

use crate::Options;
use crate::engine::STAGE;
use crate::files::{FORMAT_VERSION, FileKind};
use crate::recover::{Place, read};
use crate::wreck::Wreck;

/// Reads every byte of the store in `dir`, and reports what is wrong: every damaged table, and every damaged block of it. No
/// file is changed, and none is added.
///
/// It needs memory for the largest file, and for the logs.
///
/// # Errors
///
/// [`Error::Locked`] if the store is open, [`Error::ForeignStore`] if there is none of this stage,
/// [`Error::UnsupportedVersion`], or the system refused to list the folder. A file that cannot be read is a problem in
/// the report.
///
/// ```
/// # use logladder_sorted_log::{Engine, Open, Options, SortedLog};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = SortedLog::open(dir.path(), Options::default())?;
/// store.set(b"name", b"anna")?;
/// store.flush()?;
/// Box::new(store).close()?;
///
/// let report = logladder_sorted_log::check(dir.path())?;
/// assert!(report.is_healthy());
/// assert_eq!((report.records, report.keys), (1, 1));
/// # Ok::<(), logladder_sorted_log::Error>(())
/// ```
pub fn check(dir: &Path) -> Result<CheckReport> {
    check_with(RealDisk::shared(), dir, &mut |_| ())
}

/// [`check`] on any disk. Before each file, `progress` is told how far it is.
///
/// # Errors
///
/// As [`check`].
pub fn check_with(
    disk: Arc<dyn Disk>,
    dir: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<CheckReport> {
    let folder = untouched(disk, dir)?;
    let mut wreck = Wreck::of(&folder, progress)?;
    let mut keys = 0;
    wreck.for_each(&*folder.disk, |_, _| {
        keys += 1;
        Ok(())
    })?;
    wreck.report.keys = keys;
    as_opening_finds_it(&folder, &mut wreck.report)?;
    Ok(wreck.report)
}

/// Looks into the folder of a store that nobody has open.
///
/// # Errors
///
/// As [`Untouched::open`].
pub(crate) fn untouched(disk: Arc<dyn Disk>, dir: &Path) -> Result<Untouched> {
    Untouched::open(disk, dir, STAGE, FORMAT_VERSION, |name| FileKind::of(name).is_some())
}

/// Reads the store once more as opening does, if nothing is known against it: what opening would refuse is damage, and of
/// what no list names it can tell what that is.
///
/// # Errors
///
/// The disk failed.
pub(crate) fn as_opening_finds_it(folder: &Untouched, report: &mut CheckReport) -> Result<()> {
    if report.worst() >= Some(Severity::Damage) {
        return Ok(());
    }
    match read(Place { disk: &*folder.disk, dir: &folder.dir }, &Options::default()) {
        Ok(whole) => {
            let told = [
                (&whole.orphans.useless, "a crash left it, and the next open removes it"),
                (&whole.orphans.strange, "it is none of this store's: move it away once you know what it is"),
            ];
            for (paths, what) in told {
                let remarks = paths.iter().map(|path| Problem::new(Severity::Remark, path, 0, what));
                report.problems.extend(remarks);
            }
        }
        Err(error @ Error::Corrupt { .. }) => {
            report.problems.push(Problem::of_error(Severity::Damage, &folder.dir, error));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
