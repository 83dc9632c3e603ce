//! The write path: a record is appended to the active segment, and then the index points to it.
//!
//! ```text
//!   set ──► has the active segment room? ──no──► seal it, begin the next, replace MANIFEST
//!                    │ yes                                        │
//!                    ▼                                            │
//!            append the record  ◄─────────────────────────────────┘
//!                    │
//!            sync (SyncPolicy::Always)
//!                    │
//!            index: key → place         only now can a reader see it
//! ```

use std::io;
use std::sync::Arc;

use logladder_engine::{Error, Result, SyncPolicy, limits};

use crate::files::{check_id, segment_name};
use crate::format::header::{FOOTER_LEN, Origin, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::manifest::Manifest;
use crate::format::record::{self, Header, Kind, MAX_SEQUENCE};
use crate::index::Location;
use crate::seal;
use crate::segment::Segment;
use crate::store::{Active, Store, Writer, location, write_hint};

/// The size of a store's first segments, unless the options say less.
const FIRST_SEGMENT_BYTES: u64 = 1 << 20;

/// The record buffer is given back when a record has made it larger than this.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// A record that has been appended.
struct Written {
    location: Location,
    header: Header,
}

impl Store {
    /// Sets `key` to `value`.
    pub(crate) fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let mut writer = self.writer()?;
        let written = self.append(&mut writer, Kind::Set, key, value)?;
        self.catalog.put(key, written.location, written.header.record_len())
    }

    /// Removes `key`. For one that has no value, nothing is written: whatever took it away is in the log.
    pub(crate) fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let mut writer = self.writer()?;
        if !self.catalog.has(key)? {
            return Ok(());
        }
        let Written { location, header } = self.append(&mut writer, Kind::Tombstone, key, &[])?;
        self.catalog.bury(key, location.segment, header.record_len(), header.sequence)
    }

    /// Returns when every acknowledged write is on the disk. Sealed segments are there already.
    ///
    /// The writer's lock is held meanwhile, so that no two syncs run at once: after one fails, the kernel may
    /// have marked the pages clean, and the other would say yes.
    pub(crate) fn sync(&self) -> Result<()> {
        let writer = self.writer()?;
        match &writer.active {
            Some(active) => self.poison.guard(active.file.sync()),
            None => Ok(()),
        }
    }

    /// Seals the active segment, if there is one. The next write begins another.
    pub(crate) fn seal(&self) -> Result<()> {
        let mut writer = self.writer()?;
        let Some(active) = writer.active.take() else { return Ok(()) };
        self.poison.guard(self.seal_active(&active).and_then(|()| {
            let manifest = Manifest { active: None, ..writer.manifest.clone() };
            self.install(&mut writer, manifest)
        }))?;
        self.signal.wake();
        Ok(())
    }

    /// Appends one record, and says where it is.
    fn append(&self, writer: &mut Writer, kind: Kind, key: &[u8], value: &[u8]) -> Result<Written> {
        let sequence = writer.next_sequence;
        if sequence > MAX_SEQUENCE {
            let spent =
                io::Error::other("all 2^48 sequence numbers are used: copy its keys into a new store");
            return Err(Error::io("number another write to", self.folder.dir(), spent));
        }
        let header = Header::new(kind, key.len(), value.len(), sequence)?;
        writer.buffer.clear();
        record::encode(&mut writer.buffer, header, key, value);
        let location = self.poison.guard(self.append_buffer(writer))?;
        if writer.buffer.capacity() > KEPT_BUFFER_BYTES {
            writer.buffer = Vec::new();
        }
        writer.next_sequence += 1;
        Ok(Written { location, header })
    }

    /// Appends the record in the buffer, and says where.
    fn append_buffer(&self, writer: &mut Writer) -> Result<Location> {
        let record_len = writer.buffer.len() as u64;
        let active = match writer.active.take() {
            Some(active) if active.has_room(record_len) => active,
            full => {
                if let Some(full) = full {
                    self.seal_active(&full)?;
                    self.signal.wake();
                }
                self.begin_next(writer, record_len)?
            }
        };
        let active = writer.active.insert(active);
        let offset = active.file.append(&writer.buffer)?;
        if self.options.sync != SyncPolicy::Never {
            active.file.sync()?;
        }
        location(active.id, offset, &self.folder)
    }

    /// Begins a segment with room for `record_len` bytes.
    ///
    /// It is on the disk before the manifest lists it, and is listed before anything is appended to it. So a
    /// listed segment is always there, and one that is not listed holds nothing.
    fn begin_next(&self, writer: &mut Writer, record_len: u64) -> Result<Active> {
        let mut manifest = writer.manifest.clone();
        let id = manifest.next_segment;
        let active = self.create_segment(id, writer.next_sequence, record_len)?;
        manifest.segments.insert(id);
        manifest.active = Some(id);
        manifest.next_segment += 1;
        self.install(writer, manifest)?;
        self.catalog.add(Segment::growing(active.id, Arc::clone(&active.file), writer.next_sequence));
        Ok(active)
    }

    /// Appends the footer, gives back the unused reserve, and puts it all on the disk.
    fn seal_active(&self, active: &Active) -> Result<()> {
        let (id, file) = (u64::from(active.id), &*active.file);
        let contents = seal::append_footer(self.disk(), file, id)?;
        file.truncate(file.len())?;
        file.sync()?;
        write_hint(&self.folder, id, &contents.hint);
        if let Some(growing) = self.catalog.segments().get(active.id) {
            self.catalog.add(growing.to_sealed(self.disk(), contents.footer)?);
        }
        Ok(())
    }

    /// Makes the file of the segment `id`.
    fn create_segment(&self, id: u64, first_sequence: u64, record_len: u64) -> Result<Active> {
        let short_id = check_id(self.folder.dir(), id)?;
        let capacity = self.capacity_for(record_len);
        let path = self.folder.path(&segment_name(id));
        // Where no space can be reserved, each append is a write(2) instead of a copy. If there is no space at
        // all, that is what fails.
        let file = self.disk().reserve(&path, capacity).or_else(|_| self.disk().create(&path))?;
        let origin = match self.options.sync {
            SyncPolicy::Never => Origin::Sets,
            _ => Origin::SyncedSets,
        };
        file.append(&SegmentHeader { id, origin, first_sequence }.encode())?;
        file.sync()?;
        self.disk().sync_dir(self.folder.dir())?;
        Ok(Active { id: short_id, file: Arc::from(file), capacity })
    }

    /// As much as the store holds already, within the options; and at least what the record needs.
    fn capacity_for(&self, record_len: u64) -> u64 {
        let needed = SEGMENT_HEADER_LEN as u64 + record_len + FOOTER_LEN as u64;
        let largest = self.options.segment_bytes;
        let usual = self.catalog.data_bytes().clamp(largest.min(FIRST_SEGMENT_BYTES), largest);
        usual.max(needed)
    }
}

impl Active {
    /// Whether a record of `record_len` bytes fits, and the footer after it.
    fn has_room(&self, record_len: u64) -> bool {
        self.file.len() + record_len + FOOTER_LEN as u64 <= self.capacity
    }
}
