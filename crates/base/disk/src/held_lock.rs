//! [`HeldLock`]: a lock of the system on a file, how it is given up, and where the file is now.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use logladder_engine::{Error, Result};

use crate::Holder;

/// A locked file.
#[derive(Debug)]
pub(crate) struct HeldLock(fs::File);

impl HeldLock {
    /// Of a file that has been locked.
    pub(crate) fn of(file: fs::File) -> Self {
        Self(file)
    }
}

impl Drop for HeldLock {
    /// Gives the lock up by a call of its own. The system's lock ends with the last copy of the open file, and a
    /// process that another thread is starting has copies of all of them until its program runs: closing
    /// ours would leave the lock to it for that moment.
    fn drop(&mut self) {
        // Should it fail, closing the file does the same a moment later.
        let _ = self.0.unlock();
    }
}

impl Holder for HeldLock {
    fn is_at(&self, path: &Path) -> Result<bool> {
        let failed = |source| Error::io("look at", path, source);
        match fs::metadata(path) {
            Ok(there) => Ok(is_same_file(&self.0.metadata().map_err(failed)?, &there)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(failed(source)),
        }
    }
}

/// Whether both are of one file: a device and a number on it name a file for as long as someone has it open.
fn is_same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Disk, RealDisk};

    #[test]
    fn a_lock_that_is_dropped_is_free_though_a_process_being_started_has_a_copy_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let file = fs::File::options().write(true).create_new(true).open(&path).unwrap();
        file.try_lock().unwrap();
        let _copy = file.try_clone().unwrap();
        assert!(matches!(RealDisk.lock(&path), Err(Error::Locked { .. })));
        drop(HeldLock::of(file));
        assert!(RealDisk.lock(&path).is_ok());
    }

    #[test]
    fn a_locked_file_is_where_it_was_moved_to_and_not_where_another_took_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        let lock = RealDisk.lock(&old).unwrap();
        assert!(lock.is_at(&old).unwrap() && !lock.is_at(&new).unwrap());
        RealDisk.rename(&old, &new).unwrap();
        assert!(lock.is_at(&new).unwrap() && !lock.is_at(&old).unwrap());
        fs::copy(&new, &old).unwrap();
        assert!(!lock.is_at(&old).unwrap());
    }
}
