//! A copy of a store in use. Tables never change, so a copy of one is a second name for the same file, where the file
//! system has such a thing.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, replace};
use logladder_engine::{Error, Result, SyncPolicy};

use crate::engine::STAGE;
use crate::files::{FORMAT_VERSION, FileKind, MANIFEST};
use crate::manifest::UNFINISHED_COPY;
use crate::store::Store;

/// Bytes are copied in pieces of this size.
const PIECE: usize = 1 << 20;

impl Store {
    /// Makes a copy of the store in the empty folder `dir`.
    ///
    /// # Errors
    ///
    /// Something is in it, or it lies in the folder of the store; or the disk failed.
    pub(crate) fn backup(&self, dir: &Path) -> Result<()> {
        // What is listed stays while this runs.
        let _no_compaction = self.compaction.lock().map_err(|_| Error::panicked())?;
        // Before a table is written for a copy that cannot be made there, or a folder made for one of what is not there any more.
        self.folder.check_copy_target(dir)?;
        self.folder.check_in_place()?;
        self.flush_all()?;
        self.folder.check_in_place()?;
        let disk = Arc::clone(self.folder.disk());
        let owns = |name: &str| FileKind::of(name).is_some();
        let target = self.folder.open_for_copy(dir, STAGE, FORMAT_VERSION, owns)?;
        let _no_flush = self.flushing.lock().map_err(|_| Error::panicked())?;
        let mut manifest = self.manifest()?;
        // The copy has no log: its first write makes one, with a number behind that.
        (manifest.has_log, manifest.synced) = (false, None);
        let unfinished = disk.create(&target.path(MANIFEST))?;
        unfinished.append(UNFINISHED_COPY)?;
        unfinished.sync()?;
        disk.sync_dir(target.dir())?;
        target.claim()?;
        for number in manifest.numbers() {
            let name = FileKind::Table(number).name();
            copy(&*disk, &self.folder.path(&name), &target.path(&name))?;
        }
        // If it was moved meanwhile, these may be another store's: then the copy stays unfinished.
        self.folder.check_in_place()?;
        disk.sync_dir(target.dir())?;
        replace(&*disk, &target.path(MANIFEST), &[&manifest.encode()], SyncPolicy::Always)
    }
}

/// Gives the file a second name, or copies it where that cannot be done.
fn copy(disk: &dyn Disk, from: &Path, to: &Path) -> Result<()> {
    if disk.link(from, to).is_ok() {
        return Ok(());
    }
    let source = disk.map(from)?;
    let target = disk.create(to)?;
    for piece in source.chunks(PIECE) {
        target.append(piece)?;
    }
    target.sync()
}
