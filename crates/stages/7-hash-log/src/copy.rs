//! [`Copying`]: the part of a compaction that takes long, and that changes nothing yet.

use std::path::PathBuf;
use std::time::Duration;

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{File, TEMPORARY_SUFFIX};
use logladder_engine::{Error, Result};

use crate::compact::SourceSegment;
use crate::files::{hint_name, segment_name};
use crate::format::extra::Extra;
use crate::format::header::{FOOTER_LEN, Origin, SegmentHeader};
use crate::format::record::{self, Kind, Record};
use crate::index::{Hash, Location};
use crate::scan::Walk;
use crate::seal::{append_footer, write_hint};
use crate::segment::Segment;
use crate::store::{Store, short_offset};
use crate::usage::Usage;

/// Copies are collected up to so many bytes before they are appended.
const BUFFER_BYTES: usize = 1 << 20;

/// A compaction that has not been installed yet.
#[derive(Debug)]
pub(crate) struct Copying<'s> {
    store: &'s Store,
    /// The lowest sequence number in the segments that are not compacted.
    floor: u64,
    /// Whether the end of the engine ends it.
    may_stop: bool,
    /// The segments that are finished.
    pub(crate) done: Vec<Copied>,
    /// Where the values are that have ended, and the hashes of their keys.
    pub(crate) ended: Vec<(Hash, Location)>,
    current: Option<Output>,
    /// Files to remove should nothing come of it.
    files: Vec<PathBuf>,
}

/// What becomes of a record.
enum Fate {
    Kept,
    /// It is the newest of its key, and its value has ended.
    Ended,
    Dropped,
}

/// A segment of copies that is finished.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) segment: Segment,
    /// Where its records were before, in the order in which they stand in it.
    pub(crate) originals: Vec<Location>,
}

/// A segment of copies that is being written, under a temporary name.
#[derive(Debug)]
struct Output {
    header: SegmentHeader,
    file: Box<dyn File>,
    /// Copies that have not been appended yet.
    buffer: Vec<u8>,
    originals: Vec<Location>,
}

impl<'s> Copying<'s> {
    /// Nothing yet. No segment that is left behind holds a sequence number below `floor`.
    pub(crate) fn new(store: &'s Store, floor: u64, may_stop: bool) -> Self {
        Self { store, floor, may_stop, done: Vec::new(), ended: Vec::new(), current: None, files: Vec::new() }
    }

    /// Copies what is still of use in `sources`. Says `false` if it was stopped before it was done.
    ///
    /// # Errors
    ///
    /// A source is damaged, or the disk failed.
    pub(crate) fn run(&mut self, sources: &[SourceSegment]) -> Result<bool> {
        let first_sequence = sources.iter().map(|(_, source)| source.min_sequence()).min().unwrap_or(1);
        for (seat, source) in sources {
            let Some(bytes) = source.bytes() else { continue };
            let mut walk = Walk::of(bytes, source.header());
            while let Some(found) = walk.next() {
                if self.may_stop && self.store.signal.is_stopping() {
                    return Ok(false);
                }
                let (offset, record) = found
                    .map_err(|flaw| Error::corrupt(source.path(), walk.offset() as u64, flaw.to_string()))?;
                self.store.signal.advance(record.bytes.len() as u64);
                if matches!(record.header.kind, Kind::Batch | Kind::Footer) {
                    // The records of a batch are here as a whole, and the copies get a footer of their own. Behind a
                    // large value it may stand further into the file than any record with a key.
                    continue;
                }
                let offset = short_offset(offset, source.id(), &self.store.folder)?;
                let place = Location { seat: *seat, offset };
                match self.fate(&record, place)? {
                    Fate::Kept => self.append(&record, record.bytes, place, first_sequence)?,
                    Fate::Ended => self.end(&record, place, first_sequence)?,
                    Fate::Dropped => {}
                }
            }
        }
        if let Some(output) = self.current.take() {
            self.finish(output)?;
        }
        self.store.disk().sync_dir(self.store.folder.dir())?;
        Ok(true)
    }

    // ANCHOR: fate
    /// Whether the store would change if this record were gone.
    fn fate(&self, record: &Record<'_>, place: Location) -> Result<Fate> {
        let catalog = &self.store.catalog;
        if catalog.is_current(record.key, place) {
            // As a version, a value is of use when it has ended.
            let has_ended = record.extra.has_ended() && self.store.catalog.versions() <= 1;
            return Ok(if has_ended { Fate::Ended } else { Fate::Kept });
        }
        if !record.is_delete() || !self.may_cover_something(record) {
            return Ok(Fate::Dropped);
        }
        // If the index has the key again, that record does the tombstone's work: it is newer than whatever the
        // tombstone covers, and on the disk before this compaction is installed.
        let is_covered = catalog.read(record.key, |_| ())?.is_some();
        Ok(if is_covered { Fate::Dropped } else { Fate::Kept })
    }
    // ANCHOR_END: fate

    /// Whether a segment that stays may hold an older value of the record's key.
    fn may_cover_something(&self, record: &Record<'_>) -> bool {
        self.floor <= record.header.sequence && !sabotage::skips(Rule::TombstoneKept)
    }

    /// A value has ended: it becomes a tombstone, if an older one may be left to be covered.
    fn end(&mut self, record: &Record<'_>, place: Location, first_sequence: u64) -> Result<()> {
        self.ended.push((self.store.catalog.index().hash(record.key), place));
        if !self.may_cover_something(record) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        record::encode(&mut bytes, record.key, None, Extra::default(), record.header.sequence)?;
        self.append(record, &bytes, place, first_sequence)
    }

    fn append(
        &mut self,
        record: &Record<'_>,
        bytes: &[u8],
        place: Location,
        first_sequence: u64,
    ) -> Result<()> {
        let mut output = match self.current.take() {
            Some(output) if output.has_room(record, self.store.options.segment_limit()) => output,
            full => {
                if let Some(full) = full {
                    self.finish(full)?;
                }
                self.begin(first_sequence)?
            }
        };
        output.buffer.extend_from_slice(bytes);
        output.originals.push(place);
        if output.buffer.len() >= BUFFER_BYTES {
            let written = output.buffer.len() as u64;
            output.flush()?;
            if self.may_stop {
                self.store.signal.rest(time_for(written, self.store.options.compaction_bytes_per_second));
            }
        }
        self.current = Some(output);
        Ok(())
    }

    fn begin(&mut self, first_sequence: u64) -> Result<Output> {
        let id = self.store.next_segment()?;
        let temporary = self.store.folder.path(&(segment_name(id) + TEMPORARY_SUFFIX));
        self.store.folder.check_in_place()?;
        let file = self.store.disk().create(&temporary)?;
        self.files.push(temporary);
        let header = SegmentHeader { store: self.store.mark, id, origin: Origin::Compaction, first_sequence };
        Ok(Output { header, file, buffer: header.encode().to_vec(), originals: Vec::new() })
    }

    fn finish(&mut self, mut output: Output) -> Result<()> {
        output.flush()?;
        let Output { header, file, originals, .. } = output;
        let disk = self.store.disk();
        self.store.folder.check_in_place()?;
        let contents = append_footer(disk, &*file, &header, self.store.options.hints)?;
        if !sabotage::skips(Rule::CopySyncedFirst) {
            file.sync()?;
        }
        let path = self.store.folder.path(&segment_name(header.id));
        self.store.folder.check_in_place()?;
        disk.rename(file.path(), &path)?;
        write_hint(&self.store.folder, header.id, contents.hint.as_deref());
        self.files.extend([path.clone(), self.store.folder.path(&hint_name(header.id))]);
        let usage = Usage::of(contents.fixed, 0);
        let segment = Segment::sealed(header, &path, disk.map(&path)?, contents.footer, usage);
        self.done.push(Copied { segment, originals });
        Ok(())
    }

    /// The copies may have become the store: [`clean_up`](Self::clean_up) leaves them alone.
    pub(crate) fn keep_files(&mut self) {
        self.files.clear();
    }

    /// Removes what was written, as far as that can be done: the next open removes the rest.
    pub(crate) fn clean_up(&mut self) {
        if self.store.folder.check_in_place().is_err() {
            return;
        }
        for path in self.files.drain(..) {
            if let Ok(Some(_)) = self.store.disk().entry(&path) {
                let _ = self.store.disk().remove(&path);
            }
        }
    }
}

impl Output {
    fn has_room(&self, record: &Record<'_>, segment_bytes: u64) -> bool {
        let len = self.file.len() + (self.buffer.len() + record.bytes.len() + FOOTER_LEN) as u64;
        len <= segment_bytes
    }

    fn flush(&mut self) -> Result<()> {
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// How long it may take to write so many bytes at this rate, in bytes a second; 0 is no limit.
fn time_for(bytes: u64, rate: u64) -> Duration {
    match rate {
        0 => Duration::ZERO,
        rate => Duration::from_micros(bytes.saturating_mul(1_000_000) / rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_rate_bytes_take_their_time_and_without_one_none() {
        assert_eq!(time_for(1 << 20, 1 << 20), Duration::from_secs(1));
        assert_eq!(time_for(3 << 20, 2 << 20), Duration::from_millis(1500));
        assert_eq!(time_for(1, 0), Duration::ZERO);
        // No sum of bytes overflows.
        assert_eq!(time_for(u64::MAX, 1), Duration::from_micros(u64::MAX));
    }
}
