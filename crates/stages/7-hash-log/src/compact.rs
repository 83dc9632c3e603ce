//! Compaction: what is still of use in some sealed segments is copied into new ones, and the old ones go.
//!
//! ```text
//!   1  copy     sources ──► segment-….log.tmp     reads and writes go on
//!   2  finish   footer, sync, rename, sync the folder
//!   3  install  sync the tail of the log, replace MANIFEST     ◄── from here on the copies are the store
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
//!   one goes. Step 3 syncs the tail of the log for that.

use std::collections::BTreeSet;
use std::sync::Arc;

use logladder_engine::{Compacted, Error, Result};

use crate::choose::{self, Floor, Zeal};
use crate::copy::{Copied, Copying};
use crate::files::hint_name;
use crate::index::{Hash, Location};
use crate::scan::Walk;
use crate::segment::Segment;
use crate::store::{Store, short_offset};

/// So many records are moved in the index before a writer has its turn.
const MOVED_AT_ONCE: usize = 256;

/// A segment that is compacted, and its seat.
pub(crate) type SourceSegment = (u16, Arc<Segment>);

impl Store {
    /// Compacts every segment that has something to give up. What has been written is sealed first if that has.
    pub(crate) fn compact(&self) -> Result<Compacted> {
        let _one_at_a_time = self.compaction.lock().map_err(|_| Error::panicked())?;
        self.folder.check_in_place()?;
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
    pub(crate) fn compact_wasteful(&self, zeal: Zeal) -> Result<()> {
        loop {
            if !self.signal.is_compacting() {
                return Ok(());
            }
            let one_at_a_time = self.compaction.lock().map_err(|_| Error::panicked())?;
            let chosen = choose::in_background(&self.catalog.usage(), self.options.segment_limit(), zeal);
            if chosen.is_empty() {
                return Ok(());
            }
            self.compact_these(&chosen, true)?;
            drop(one_at_a_time);
            // Segments that have become full meanwhile come first.
            self.seal_full()?;
        }
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
        self.folder.check_in_place()?;
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
            |(_, segment): &(u16, &Arc<Segment>)| segment.is_sealed() && ids.contains(&segment.id());
        let segments = self.catalog.segments();
        let mut sources: Vec<SourceSegment> =
            segments.iter().filter(is_source).map(|(seat, segment)| (seat, Arc::clone(segment))).collect();
        drop(segments);
        sources.sort_unstable_by_key(|(_, segment)| segment.id());
        let leaving = sources.iter().map(|(_, source)| source.id()).collect();
        // Segments that come while this runs hold only newer records.
        let floor = Floor::without(&self.catalog.usage(), &leaving).lowest;
        if sources.is_empty() {
            return Ok(Compacted::default());
        }
        self.signal.begin_round(sources.iter().map(|(_, source)| source.data_len()).sum());
        let mut copying = Copying::new(self, floor, may_stop);
        let outcome = match copying.run(&sources) {
            Ok(true) => self.install_copies(&sources, &mut copying).map(|()| true),
            unfinished => unfinished,
        };
        let outcome = match outcome {
            Ok(true) => self
                .forget(&copying.ended)
                .and_then(|()| self.move_and_remove(&sources, std::mem::take(&mut copying.done))),
            Ok(false) => {
                copying.clean_up();
                Ok(Compacted::default())
            }
            Err(error) => {
                copying.clean_up();
                Err(error)
            }
        };
        self.signal.end_round();
        outcome
    }

    // ANCHOR: install_copies
    /// Makes the copies part of the store in place of the sources.
    fn install_copies(&self, sources: &[SourceSegment], copying: &mut Copying<'_>) -> Result<()> {
        // Every newer record for whose sake one was left behind is in the index, and so in the log by now.
        self.sync()?;
        let copies: Vec<u64> = copying.done.iter().map(|copy| copy.segment.id()).collect();
        // From here on the copies may be the store, whether or not the next step says that it succeeded.
        copying.keep_files();
        self.poison.guard(self.install(|list| {
            for (_, source) in sources {
                list.sealed.remove(&source.id());
            }
            list.sealed.extend(copies);
        }))
    }
    // ANCHOR_END: install_copies

    /// Points the index to the copies, and removes the sources. Who is reading a source keeps it.
    fn move_and_remove(&self, sources: &[SourceSegment], copies: Vec<Copied>) -> Result<Compacted> {
        let written = copies.len() as u64;
        for copy in copies {
            self.move_to(copy)?;
        }
        {
            let _writer = self.writer()?;
            for (seat, _) in sources {
                self.catalog.retire(*seat);
            }
        }
        self.folder.check_in_place()?;
        for (_, source) in sources {
            self.disk().remove(source.path())?;
            let hint = self.folder.path(&hint_name(source.id()));
            if self.disk().entry(&hint)?.is_some() {
                self.disk().remove(&hint)?;
            }
        }
        let mut compacted = Compacted::default();
        compacted.files_removed = sources.len() as u64;
        compacted.files_written = written;
        Ok(compacted)
    }

    /// Takes keys out of the index whose values have ended.
    fn forget(&self, ended: &[(Hash, Location)]) -> Result<()> {
        for ended in ended.chunks(MOVED_AT_ONCE) {
            let _writer = self.writer()?;
            for &(hash, location) in ended {
                self.catalog.forget(hash, location)?;
            }
        }
        Ok(())
    }

    /// Points the index to the records of one copy.
    fn move_to(&self, Copied { segment, originals }: Copied) -> Result<()> {
        let id = segment.id();
        let seat = {
            let _writer = self.writer()?;
            self.catalog.add(segment)?
        };
        let segments = self.catalog.segments();
        let Some((copy, bytes)) = segments.get(seat).and_then(|copy| Some((copy, copy.bytes()?))) else {
            return Ok(());
        };
        let mut walk = Walk::of(bytes, copy.header());
        for originals in originals.chunks(MOVED_AT_ONCE) {
            let _writer = self.writer()?;
            for &original in originals {
                let Some(Ok((offset, record))) = walk.next() else {
                    let what = "what was copied cannot be read back";
                    return Err(Error::corrupt(copy.path(), walk.offset() as u64, what));
                };
                let location = Location { seat, offset: short_offset(offset, id, &self.folder)? };
                self.catalog.relocate(&record, original, location);
            }
        }
        Ok(())
    }
}
