//! [`Untouched`]: the folder of a store that is looked at and not changed, whatever is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, Entry, LOCK_FILE, Lock};
use logladder_engine::{Error, Result};

use crate::engine::STAGE;
use crate::files::FileKind;
use crate::format::FORMAT_VERSION;

/// A folder that nobody has open. No file in it is changed, and none is added.
#[derive(Debug)]
pub(crate) struct Untouched {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    /// What is in it, by name.
    pub(crate) entries: Vec<Entry>,
    _lock: Option<Lock>,
}

impl Untouched {
    /// Looks into `dir`. If it has a lock file, that is locked.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`]; [`Error::ForeignStore`] if no file of this stage is there; [`Error::UnsupportedVersion`]; or
    /// the system refused.
    pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self> {
        let dir = disk.absolute(dir)?;
        let entries = disk.list(&dir)?;
        let has_lock_file = entries.iter().any(|entry| entry.name == LOCK_FILE && !entry.is_dir);
        let has_own = entries.iter().any(|entry| FileKind::of(&entry.name).is_some());
        let lock_path = dir.join(LOCK_FILE);
        let foreign = |found: String| Err(Error::ForeignStore { dir: dir.clone(), expected: STAGE, found });
        if !has_lock_file && !has_own {
            return foreign("no file of such a store".into());
        }
        if has_lock_file && !has_own {
            let line = disk.read(&lock_path)?;
            // In a store with files, a line that differs is looked at as damage.
            if !line.is_empty() && line != claim().as_bytes() {
                return foreign(format!("`{}`", String::from_utf8_lossy(&line).trim_end()));
            }
        }
        let lock = if has_lock_file { lock(&*disk, &lock_path)? } else { None };
        Ok(Self { disk, dir, entries, _lock: lock })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// All bytes of a file. A file that the disk cannot give is an error, which a map of it would not be.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>> {
        self.disk.read(&self.path(name))
    }
}

/// What the lock file of a store says.
pub(crate) fn claim() -> String {
    format!("logladder {STAGE} {FORMAT_VERSION}\n")
}

/// The lock, or none where nobody can write and so nobody can lock.
fn lock(disk: &dyn Disk, path: &Path) -> Result<Option<Lock>> {
    match disk.lock(path) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => Ok(None),
        outcome => outcome.map(Some),
    }
}
