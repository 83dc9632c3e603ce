//! [`Copying`]: the part of a compaction that takes long, and that changes nothing yet.

use std::path::PathBuf;
use std::sync::Arc;

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{File, TEMPORARY_SUFFIX};
use logladder_engine::{Error, Result};

use crate::files::{check_id, hint_name, segment_name};
use crate::format::header::{FOOTER_LEN, Origin, SegmentHeader};
use crate::format::record::{Kind, Record};
use crate::index::Location;
use crate::scan::Walk;
use crate::seal;
use crate::segment::Segment;
use crate::store::{Store, location, write_hint};

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
    pub(crate) done: Vec<Segment>,
    current: Option<Output>,
    /// Files to remove should nothing come of it.
    files: Vec<PathBuf>,
}

/// A segment of copies that is being written, under a temporary name.
#[derive(Debug)]
struct Output {
    id: u64,
    file: Box<dyn File>,
    /// Copies that have not been appended yet.
    buffer: Vec<u8>,
}

impl<'s> Copying<'s> {
    /// Nothing yet. No segment that is left behind holds a sequence number below `floor`.
    pub(crate) fn new(store: &'s Store, floor: u64, may_stop: bool) -> Self {
        Self { store, floor, may_stop, done: Vec::new(), current: None, files: Vec::new() }
    }

    /// Copies what is still of use in `sources`. Says `false` if it was stopped before it was done.
    ///
    /// # Errors
    ///
    /// A source is damaged, or the disk failed.
    pub(crate) fn run(&mut self, sources: &[Arc<Segment>]) -> Result<bool> {
        let first_sequence = sources.iter().map(|source| source.min_sequence()).min().unwrap_or(1);
        for source in sources {
            let Some(bytes) = source.sealed_bytes() else { continue };
            let header = SegmentHeader::decode(source.path(), u64::from(source.id()), bytes)?;
            let mut walk = Walk::of(bytes, &header);
            while let Some(found) = walk.next() {
                if self.may_stop && self.store.signal.is_stopping() {
                    return Ok(false);
                }
                let (offset, record) = found
                    .map_err(|flaw| Error::corrupt(source.path(), walk.offset() as u64, flaw.to_string()))?;
                let place = location(source.id(), offset, &self.store.folder)?;
                if self.is_needed(&record, place)? {
                    self.append(&record, first_sequence)?;
                }
            }
        }
        if let Some(output) = self.current.take() {
            self.finish(output)?;
        }
        self.store.disk().sync_dir(self.store.folder.dir())?;
        Ok(true)
    }

    /// Whether the store would change if this record were gone.
    fn is_needed(&self, record: &Record<'_>, place: Location) -> Result<bool> {
        let catalog = &self.store.catalog;
        Ok(match record.header.kind {
            Kind::Set => catalog.is_current(record.key, place)?,
            Kind::Tombstone => {
                // If the key has a value again, the value does the tombstone's work: it is newer than whatever
                // the tombstone covers, and on the disk before this compaction is installed.
                let may_cover_something = self.floor <= record.header.sequence;
                may_cover_something && !sabotage::skips(Rule::TombstoneKept) && !catalog.has(record.key)?
            }
            Kind::Footer => false,
        })
    }

    fn append(&mut self, record: &Record<'_>, first_sequence: u64) -> Result<()> {
        let mut output = match self.current.take() {
            Some(output) if output.has_room(record, self.store.options.segment_bytes) => output,
            full => {
                if let Some(full) = full {
                    self.finish(full)?;
                }
                self.begin(first_sequence)?
            }
        };
        output.buffer.extend_from_slice(record.bytes);
        if output.buffer.len() >= BUFFER_BYTES {
            output.flush()?;
        }
        self.current = Some(output);
        Ok(())
    }

    fn begin(&mut self, first_sequence: u64) -> Result<Output> {
        let id = {
            let mut writer = self.store.writer()?;
            let id = writer.manifest.next_segment;
            check_id(self.store.folder.dir(), id)?;
            writer.manifest.next_segment += 1;
            id
        };
        let temporary = self.store.folder.path(&(segment_name(id) + TEMPORARY_SUFFIX));
        let file = self.store.disk().create(&temporary)?;
        self.files.push(temporary);
        let header = SegmentHeader { id, origin: Origin::Compaction, first_sequence };
        Ok(Output { id, file, buffer: header.encode().to_vec() })
    }

    fn finish(&mut self, mut output: Output) -> Result<()> {
        output.flush()?;
        let Output { id, file, .. } = output;
        let disk = self.store.disk();
        let contents = seal::append_footer(disk, &*file, id)?;
        if !sabotage::skips(Rule::CopySyncedFirst) {
            file.sync()?;
        }
        let path = self.store.folder.path(&segment_name(id));
        disk.rename(file.path(), &path)?;
        write_hint(&self.store.folder, id, &contents.hint);
        self.files.extend([path.clone(), self.store.folder.path(&hint_name(id))]);
        let short = check_id(self.store.folder.dir(), id)?;
        let segment = Segment::sealed(short, &path, disk.map(&path)?, contents.footer, contents.tombstones);
        self.done.push(segment);
        Ok(())
    }

    /// The copies may have become the store: [`clean_up`](Self::clean_up) leaves them alone.
    pub(crate) fn keep_files(&mut self) {
        self.files.clear();
    }

    /// Removes what was written, as far as that can be done: the next open removes the rest.
    pub(crate) fn clean_up(&mut self) {
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
