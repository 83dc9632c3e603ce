//! A copy of a store in use: a base in another folder, of one moment.

use std::path::Path;

use logladder_engine::Result;

use crate::engine::{FORMAT_VERSION, STAGE};
use crate::files::{FileKind, MANIFEST};
use crate::manifest::{Manifest, UNFINISHED_COPY};
use crate::options::Persistence;
use crate::rewrite::write_manifest;
use crate::store::Store;

impl Store {
    /// Makes a copy of the store in the empty folder `dir`.
    ///
    /// The manifest is written last. Until then another stands in its place that says so, and is refused.
    pub(crate) fn backup(&self, dir: &Path) -> Result<()> {
        let disk = self.folder.disk();
        let owns = |name: &str| FileKind::of(name).is_some();
        let target = self.folder.open_for_copy(dir, STAGE, FORMAT_VERSION, owns)?;
        // Not by way of a temporary file: whatever a crash leaves of this one is refused.
        let unfinished = disk.create(&target.path(MANIFEST))?;
        unfinished.append(UNFINISHED_COPY)?;
        unfinished.sync()?;
        disk.sync_dir(target.dir())?;
        target.claim()?;
        let moment = self.moment();
        let counts = self.counts_of(&moment.lines, &moment.counts)?;
        let kind = match self.options.persistence {
            Persistence::AppendOnly => FileKind::Rewritten(1),
            _ => FileKind::Snapshot(1),
        };
        let base = self.write_base(&target, kind, &moment.view, &counts, |_| ())?;
        let sequence = moment.view.sequence;
        let hash_key = self.files()?.manifest.hash_key;
        let counts_versions = self.counts_versions;
        let manifest =
            Manifest { hash_key, counts_versions, next: 2, sequence, base: Some(base), logs: Vec::new() };
        write_manifest(&target, &manifest)
    }
}
