//! [`replace`]: a file is changed whole or not at all.

use std::path::{Path, PathBuf};

use logladder_engine::{Error, Result, SyncPolicy};

use crate::{Disk, File, parent};

/// What the name of a temporary file ends with: one that a crash interrupted. [`StoreFolder::open`] removes
/// them.
///
/// [`StoreFolder::open`]: crate::StoreFolder::open
pub const TEMPORARY_SUFFIX: &str = ".tmp";

// ANCHOR: replace
/// Puts `contents`, one piece after the other, in place of the file at `path`.
///
/// The new bytes go to a temporary file beside it, which is synced, renamed over the old one, and the folder
/// synced. Whatever happens, the file is the old one or the new one, whole. With [`SyncPolicy::Never`] neither
/// is synced: the replacement is atomic for the death of the process, but after a power loss the file may be
/// old, new or, on some file systems, empty.
///
/// # Errors
///
/// The system refused. If it was the last step that failed, which of the two files survives a power loss is
/// not known.
pub fn replace(disk: &dyn Disk, path: &Path, contents: &[&[u8]], policy: SyncPolicy) -> Result<()> {
    write_temporary(disk, path, contents, policy)?;
    install_temporary(disk, path)?;
    sync_folder(disk, path, policy)
}
// ANCHOR_END: replace

/// The first half of [`replace`], for who replaces many files and lets them share the syncs of their folders: writes
/// the temporary file beside `path`, in place of one that a failed attempt may have left.
///
/// # Errors
///
/// The system refused. The file at `path` is as it was.
pub fn write_temporary(disk: &dyn Disk, path: &Path, contents: &[&[u8]], policy: SyncPolicy) -> Result<()> {
    let mut pieces = contents.iter();
    write_temporary_with(disk, path, policy, |file| pieces.try_for_each(|piece| file.append(piece).map(drop)))
}

/// The second half of [`replace`], but for the sync of the folder: the temporary file takes the place of the file at
/// `path`.
///
/// # Errors
///
/// The system refused. Both files stand.
pub fn install_temporary(disk: &dyn Disk, path: &Path) -> Result<()> {
    disk.rename(&temporary_path(path), path)
}

/// [`replace`] with what `write` appends to the new file: for contents that are too long to be in memory.
pub(crate) fn replace_with(
    disk: &dyn Disk,
    path: &Path,
    policy: SyncPolicy,
    write: impl FnOnce(&dyn File) -> Result<()>,
) -> Result<()> {
    write_temporary_with(disk, path, policy, write)?;
    install_temporary(disk, path)?;
    sync_folder(disk, path, policy)
}

// ANCHOR: write_temporary
fn write_temporary_with(
    disk: &dyn Disk,
    path: &Path,
    policy: SyncPolicy,
    write: impl FnOnce(&dyn File) -> Result<()>,
) -> Result<()> {
    let temporary = temporary_path(path);
    match disk.create(&temporary) {
        Ok(file) => {
            write(&*file)?;
            if policy == SyncPolicy::Never { Ok(()) } else { file.sync() }
        }
        // Left over from a failed replacement in this very process; the next attempt starts afresh.
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            disk.remove(&temporary)?;
            write_temporary_with(disk, path, policy, write)
        }
        Err(error) => Err(error),
    }
}
// ANCHOR_END: write_temporary

fn sync_folder(disk: &dyn Disk, path: &Path, policy: SyncPolicy) -> Result<()> {
    if policy == SyncPolicy::Never { Ok(()) } else { disk.sync_dir(parent(path)) }
}

/// The name of the file that is written before it takes the place of the one at `path`.
fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    PathBuf::from(name)
}
