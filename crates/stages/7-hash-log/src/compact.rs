//! Compaction: what is still of use in some sealed segments is copied into new ones, and the old ones go.
//!
//! ```text
//!   1  copy     sources ──► segment-….log.tmp     reads and writes go on
//!   2  finish   footer, sync, rename, sync the folder
//!   3  install  sync the active segment, replace MANIFEST      ◄── from here on the copies are the store
//!   4  move     index: key → copy, unless it has been written again
//!   5  remove   the sources
//! ```
//!
//! A crash before the manifest is replaced leaves the sources as the store, and after it the copies; the other
//! files are in neither list and are removed at the next open. So each step may be repeated or left off.
//!
//! Any subset of the sealed segments can be compacted, because the sequence number says what is newest, not the
//! file. Two rules keep old values from coming back:
//!
//! - A tombstone is copied as long as a segment outside the subset holds a record with a lower number.
//! - A record is left behind because a newer one exists, so the newer one must be on the disk before the old
//!   one goes. Step 3 syncs the active segment for that.

use std::collections::BTreeSet;
use std::sync::Arc;

use logladder_engine::{Compacted, Error, Result};

use crate::choose::{self, Floor};
use crate::copy::Copying;
use crate::files::hint_name;
use crate::format::header::SegmentHeader;
use crate::format::record::Kind;
use crate::scan::Walk;
use crate::segment::Segment;
use crate::store::{Store, location};

impl Store {
    /// Compacts every segment that has something to give up. The active one is sealed first if it has.
    pub(crate) fn compact(&self) -> Result<Compacted> {
        let _one_at_a_time = self.compaction.lock().map_err(|_| Error::panicked())?;
        let before = self.folder.disk_bytes()?;
        let has_waste =
            (self.catalog.usage().iter()).any(|usage| !usage.is_sealed && usage.live_bytes < usage.bytes);
        if has_waste {
            self.seal()?;
        }
        let chosen = choose::on_demand(&self.catalog.usage());
        let compacted = self.compact_these(&chosen, true)?;
        self.with_gain_since(before, compacted)
    }

    /// Compacts what is worth it while the engine is in use, until nothing is.
    pub(crate) fn compact_wasteful(&self) -> Result<()> {
        let _one_at_a_time = self.compaction.lock().map_err(|_| Error::panicked())?;
        while !self.signal.is_stopping() {
            let chosen = choose::in_background(&self.catalog.usage(), self.options.segment_bytes);
            if chosen.is_empty() {
                break;
            }
            self.compact_these(&chosen, true)?;
        }
        Ok(())
    }

    /// Merges the crumbs that short sessions leave. It takes no longer than opening them did, so it is not stopped.
    pub(crate) fn compact_crumbs(&self) -> Result<()> {
        let _one_at_a_time = self.compaction.lock().map_err(|_| Error::panicked())?;
        let chosen = choose::crumbs(&self.catalog.usage());
        self.compact_these(&chosen, false).map(drop)
    }

    /// Compacts these segments, as far as they are there and sealed.
    pub(crate) fn compact_segments(&self, ids: &[u64]) -> Result<Compacted> {
        let _one_at_a_time = self.compaction.lock().map_err(|_| Error::panicked())?;
        let before = self.folder.disk_bytes()?;
        let compacted = self.compact_these(ids, true)?;
        self.with_gain_since(before, compacted)
    }

    fn with_gain_since(&self, before: u64, mut compacted: Compacted) -> Result<Compacted> {
        compacted.bytes_reclaimed = before.saturating_sub(self.folder.disk_bytes()?);
        Ok(compacted)
    }

    fn compact_these(&self, ids: &[u64], may_stop: bool) -> Result<Compacted> {
        self.poison.check()?;
        let ids: BTreeSet<u64> = ids.iter().copied().collect();
        let is_source =
            |segment: &&Arc<Segment>| segment.is_sealed() && ids.contains(&u64::from(segment.id()));
        let segments = self.catalog.segments();
        let sources: Vec<Arc<Segment>> = segments.iter().filter(is_source).cloned().collect();
        let leaving = sources.iter().map(|source| u64::from(source.id())).collect();
        // Segments that come while this runs hold only newer records.
        let floor = Floor::without(&self.catalog.usage(), &leaving).lowest;
        drop(segments);
        if sources.is_empty() {
            return Ok(Compacted::default());
        }
        let mut copying = Copying::new(self, floor, may_stop);
        let outcome = match copying.run(&sources) {
            Ok(true) => self.install_copies(&sources, &mut copying).map(|()| true),
            unfinished => unfinished,
        };
        match outcome {
            Ok(true) => self.move_and_remove(&sources, std::mem::take(&mut copying.done)),
            Ok(false) => {
                copying.clean_up();
                Ok(Compacted::default())
            }
            Err(error) => {
                copying.clean_up();
                Err(error)
            }
        }
    }

    /// Makes the copies part of the store in place of the sources.
    fn install_copies(&self, sources: &[Arc<Segment>], copying: &mut Copying<'_>) -> Result<()> {
        let mut writer = self.writer()?;
        if let Some(active) = &writer.active {
            self.poison.guard(active.file.sync())?;
        }
        let mut manifest = writer.manifest.clone();
        for source in sources {
            manifest.segments.remove(&u64::from(source.id()));
        }
        manifest.segments.extend(copying.done.iter().map(|copy| u64::from(copy.id())));
        // From here on the copies may be the store, whether or not the next step says that it succeeded.
        copying.keep_files();
        self.poison.guard(self.install(&mut writer, manifest))
    }

    /// Points the index to the copies, and removes the sources. Who is reading a source keeps it.
    fn move_and_remove(&self, sources: &[Arc<Segment>], copies: Vec<Segment>) -> Result<Compacted> {
        let written = copies.len() as u64;
        for copy in copies {
            let copy = self.catalog.add(copy);
            let Some(bytes) = copy.sealed_bytes() else { continue };
            let header = SegmentHeader::decode(copy.path(), u64::from(copy.id()), bytes)?;
            let mut walk = Walk::of(bytes, &header);
            while let Some(found) = walk.next() {
                let (offset, record) = found
                    .map_err(|flaw| Error::corrupt(copy.path(), walk.offset() as u64, flaw.to_string()))?;
                if record.header.kind == Kind::Set {
                    self.catalog.relocate(&record, location(copy.id(), offset, &self.folder)?)?;
                }
            }
        }
        for source in sources {
            self.catalog.retire(source.id());
        }
        for source in sources {
            self.disk().remove(source.path())?;
            let hint = self.folder.path(&hint_name(u64::from(source.id())));
            if self.disk().entry(&hint)?.is_some() {
                self.disk().remove(&hint)?;
            }
        }
        let mut compacted = Compacted::default();
        compacted.files_removed = sources.len() as u64;
        compacted.files_written = written;
        Ok(compacted)
    }
}
