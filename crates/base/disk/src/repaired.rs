//! The folder of a store that is being made of what is whole of a damaged one: what claims it until the repair has ended.
//!
//! Such a store is opened, filled and closed as any other, and a process that dies meanwhile leaves one that is whole but for
//! the keys that were still to come. Nothing in its files could tell that, so the lock file does:
//!
//! ```text
//!   logladder hash-log 1 of an unfinished repair     opening and checking are refused
//!   logladder hash-log 1                             a store
//! ```

use std::path::Path;

use logladder_engine::{Error, Result};

use crate::folder::{claim, is_unfinished};
use crate::{Disk, LOCK_FILE};

/// What the lock file says until the repair has ended. It begins as the right claim does, so that the stage is told.
pub(crate) fn unfinished_claim(stage: &str, version: u32) -> String {
    format!("{} of an unfinished repair\n", claim(stage, version).trim_end())
}

/// Whether `found`, what a lock file says, is the claim of a repair that has not ended, or as much of it as a crash may leave
/// and no right claim has. Nothing less will do: whoever is told so removes the folder.
pub(crate) fn is_of_repair(stage: &str, version: u32, found: &[u8]) -> bool {
    let begins = format!("{} ", claim(stage, version).trim_end());
    found.starts_with(begins.as_bytes()) && is_unfinished(found, &unfinished_claim(stage, version))
}

/// Refuses the folder `dir`, whose lock file says `found`, if a repair into it has not ended. Whoever asks has the lock: else
/// the repair may be under way.
///
/// # Errors
///
/// [`Error::ForeignStore`], with what to do.
pub(crate) fn refuse_unfinished(dir: &Path, stage: &'static str, version: u32, found: &[u8]) -> Result<()> {
    if !is_of_repair(stage, version, found) {
        return Ok(());
    }
    let found = format!(
        "what a repair has made so far that was not finished: remove {} and repair again",
        dir.display()
    );
    Err(Error::ForeignStore { dir: dir.to_path_buf(), expected: stage, found })
}

/// Makes a store of the folder `dir`, which was opened with [`open_for_repair`](crate::StoreFolder::open_for_repair) and has
/// been filled, synced and closed.
///
/// # Errors
///
/// [`Error::ForeignStore`] if it is another folder by now; or the system refused.
pub fn finish_repair(disk: &dyn Disk, dir: &Path, stage: &'static str, version: u32) -> Result<()> {
    let dir = disk.absolute(dir)?;
    let path = dir.join(LOCK_FILE);
    // Nobody else gets past that line, so this needs no lock.
    let found = disk.read(&path)?;
    if found != unfinished_claim(stage, version).as_bytes() {
        let found = format!("`{}`", String::from_utf8_lossy(&found).trim_end());
        return Err(Error::ForeignStore { dir, expected: stage, found });
    }
    // Everything is there by now, and what is left when the claim is cut is a beginning of the right one: that claims nothing,
    // and the next opening would complete it.
    let file = disk.open(&path)?;
    let line = claim(stage, version);
    file.truncate(line.trim_end().len() as u64)?;
    file.sync()?;
    file.append(b"\n")?;
    file.sync()
}
