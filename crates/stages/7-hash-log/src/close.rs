//! Closing a store: everything sealed, and the index on the disk.

use logladder_disk::TEMPORARY_SUFFIX;
use logladder_engine::Result;

use crate::Compaction;
use crate::files::{CHECKPOINT, MANIFEST};
use crate::format::checkpoint::{self, Head, SegmentLine, mark_of};
use crate::store::Store;

impl Store {
    /// Seals everything, merges crumbs, and leaves a checkpoint. The threads have ended.
    pub(crate) fn close(&self) -> Result<()> {
        self.seal()?;
        if self.options.compaction == Compaction::Background {
            self.compact_crumbs()?;
        }
        // The manifest that is read, and the checkpoint of it that is replaced, are to be this store's.
        self.folder.check_in_place()?;
        let path = self.folder.path(MANIFEST);
        // A store in which nothing was ever written has no manifest, and needs neither.
        if self.disk().entry(&path)?.is_none() {
            return Ok(());
        }
        let manifest = mark_of(&self.disk().read(&path)?);
        // Nobody has written or compacted since the last one.
        let is_there = self.writer()?.has_checkpoint && self.checkpoint_of == Some(manifest);
        if !is_there {
            // It is a cache: if it cannot be written, the next open reads the segments.
            let _ = self.write_checkpoint(manifest);
        }
        Ok(())
    }

    fn write_checkpoint(&self, manifest: u32) -> Result<()> {
        let segments = self.catalog.segments();
        let mut by_id: Vec<_> = segments.iter().collect();
        by_id.sort_unstable_by_key(|(_, segment)| segment.id());
        let lines = by_id.iter().map(|(_, segment)| SegmentLine {
            id: segment.id(),
            live_bytes: segment.usage().live_bytes(),
            fixed: segment.usage().fixed(),
        });
        let head = Head {
            manifest,
            versions: u32::try_from(self.catalog.versions()).unwrap_or(u32::MAX),
            live: self.catalog.live(),
            segments: lines.collect(),
        };
        // In the next opening a segment has the seat of its place in the list, from 1.
        let mut seats = vec![None; usize::from(u16::MAX) + 1];
        for (place, (seat, _)) in (1..=u16::MAX).zip(&by_id) {
            seats[usize::from(*seat)] = Some(place);
        }
        let path = self.folder.path(CHECKPOINT);
        let temporary = self.folder.path(&format!("{CHECKPOINT}{TEMPORARY_SUFFIX}"));
        let file = self.disk().create(&temporary)?;
        checkpoint::write(&*file, &head, self.catalog.index(), |seat| seats[usize::from(seat)])?;
        self.disk().rename(&temporary, &path)
    }
}
