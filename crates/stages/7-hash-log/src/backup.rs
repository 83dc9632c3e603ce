//! A copy of a store in use.
//!
//! Sealed segments never change, so a copy of one is a second name for the same file, where the file system has such a
//! thing: a backup on the same disk takes no space and no time. It begins to take space when compaction removes the
//! first name.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::Disk;
use logladder_engine::{Error, Result};

use crate::engine::STAGE;
use crate::files::{FileKind, MANIFEST, hint_name, segment_name};
use crate::format::FORMAT_VERSION;
use crate::format::manifest::UNFINISHED_COPY;
use crate::store::{Store, write_manifest};

/// Bytes are copied in pieces of this size.
const PIECE: usize = 1 << 20;

impl Store {
    /// Makes a copy of the store in the empty folder `dir`.
    ///
    /// The manifest is written last. Until then another stands in its place that says so, and is refused.
    pub(crate) fn backup(&self, dir: &Path) -> Result<()> {
        // What is listed stays while this runs.
        let _no_compaction = self.compaction.lock().map_err(|_| Error::panicked())?;
        // Before a segment is sealed for a copy that cannot be made there.
        self.folder.check_copy_target(dir)?;
        self.seal()?;
        self.folder.check_in_place()?;
        let mut manifest = self.list()?.clone();
        manifest.tail.clear();
        let disk = Arc::clone(self.folder.disk());
        let owns = |name: &str| FileKind::of(name).is_some();
        let target = self.folder.open_for_copy(dir, STAGE, FORMAT_VERSION.into(), owns)?;
        // Not by way of a temporary file: whatever a crash leaves of this one is refused.
        let unfinished = disk.create(&target.path(MANIFEST))?;
        unfinished.append(UNFINISHED_COPY)?;
        unfinished.sync()?;
        disk.sync_dir(target.dir())?;
        target.claim()?;
        for &id in &manifest.sealed {
            copy(&*disk, &self.folder.path(&segment_name(id)), &target.path(&segment_name(id)))?;
            let hint = self.folder.path(&hint_name(id));
            if disk.entry(&hint)?.is_some() {
                copy(&*disk, &hint, &target.path(&hint_name(id)))?;
            }
        }
        // If it was moved meanwhile, these may be another store's: then the copy stays unfinished.
        self.folder.check_in_place()?;
        disk.sync_dir(target.dir())?;
        write_manifest(&target, &manifest)
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
