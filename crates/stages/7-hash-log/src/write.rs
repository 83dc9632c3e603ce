//! The write path: a record is appended to the active segment, and then the index points to it.
//!
//! ```text
//!   set ──► has the active segment room? ──no──► set it aside to be sealed,
//!                    │ yes                       begin the next, replace MANIFEST
//!                    ▼                                            │
//!            append the record  ◄─────────────────────────────────┘
//!                    │
//!             (SyncPolicy::Always: be synced, with whoever writes at the same time)
//!                    │
//!            index: key → place         only now can a reader see it
//! ```

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use logladder_disk::File;
use logladder_engine::{Batch, Error, Result, SyncPolicy, Write, limits};

use crate::Compaction;
use crate::choose;
use crate::files::{CHECKPOINT, segment_name};
use crate::format::extra::Extra;
use crate::format::header::{FOOTER_LEN, Origin, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::record::{self, BATCH_LEN, BatchHead, HEADER_LEN, Kind, MAX_SEQUENCE, Record};
use crate::index::{Location, MAX_OFFSET};
use crate::segment::Segment;
use crate::store::{Growing, Store, Writer, short_offset};
use crate::sync::MutexGuard;

/// The record buffer is given back when a record has made it larger than this.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// So many full segments may wait to be sealed; then whoever fills another seals one first.
const MOST_FULL: usize = 4;

/// Who has filled a segment waits for so many rounds of compaction at most, and for a fifth of a second at most for each.
const MOST_ROUNDS_WAITED: usize = 5;

/// The newest version of each key that a batch has written so far.
type Versions<'b> = HashMap<&'b [u8], u64>;

impl Store {
    /// Sets `key` to `value`, perhaps until some moment.
    pub(crate) fn set(&self, key: &[u8], value: &[u8], expires: Option<u64>) -> Result<()> {
        limits::check_entry(key, value)?;
        let hash = self.catalog.index().hash(key);
        self.catalog.prefetch_slot(hash);
        let mut writer = self.writer_for_versions()?;
        self.catalog.prefetch_record(hash, HEADER_LEN + key.len());
        self.append_one(&mut writer, key, Some(value), expires)?;
        self.acknowledge(writer)
    }

    /// Removes `key`. For one that has no value, nothing is written: whatever took it away is in the log.
    pub(crate) fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let mut writer = self.writer_for_versions()?;
        // What is not published yet may be a value of this key.
        if writer.unpublished.is_empty() && !self.has_value(key)? {
            return Ok(());
        }
        self.append_one(&mut writer, key, None, None)?;
        self.acknowledge(writer)
    }

    /// Does all writes of the batch or none.
    pub(crate) fn write(&self, batch: &Batch) -> Result<()> {
        for write in batch.iter() {
            match write {
                Write::Set(key, value) => limits::check_entry(key, value)?,
                Write::Delete(key) => limits::check_key(key)?,
            }
        }
        if batch.is_empty() {
            return self.writer().map(drop);
        }
        let mut writer = self.writer_for_versions()?;
        self.append_batch(&mut writer, batch)?;
        self.acknowledge(writer)
    }

    /// Makes `new` the value of `key` if it is `expected`.
    pub(crate) fn compare_and_set(
        &self,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool> {
        limits::check_entry(key, new.unwrap_or_default())?;
        let mut writer = self.published_writer()?;
        let is_expected = self.catalog.read(key, |record| record.live_value() == expected)?;
        if !is_expected.unwrap_or(expected.is_none()) {
            return Ok(false);
        }
        if new.is_none() && !self.has_value(key)? {
            return Ok(true);
        }
        self.append_one(&mut writer, key, new, None)?;
        self.acknowledge(writer)?;
        Ok(true)
    }

    /// Whether the newest record of `key` gives it a value, even one that has ended.
    fn has_value(&self, key: &[u8]) -> Result<bool> {
        Ok(self.catalog.read(key, |record| !record.is_delete())?.unwrap_or(false))
    }

    /// The writer's lock, with everything in the index that is in the log.
    pub(crate) fn published_writer(&self) -> Result<MutexGuard<'_, Writer>> {
        loop {
            let writer = self.writer()?;
            if writer.unpublished.is_empty() {
                return Ok(writer);
            }
            drop(writer);
            self.sync()?;
        }
    }

    /// The same for who writes nothing: if a write has failed, what was acknowledged before it.
    pub(crate) fn published_or_poisoned_writer(&self) -> Result<MutexGuard<'_, Writer>> {
        match self.published_writer() {
            Err(_) if self.poison.check().is_err() => self.writer_of_any(),
            outcome => outcome,
        }
    }

    /// The writer's lock; with everything in the index if versions are counted.
    fn writer_for_versions(&self) -> Result<MutexGuard<'_, Writer>> {
        if self.catalog.versions() > 1 { self.published_writer() } else { self.writer() }
    }

    /// Returns when what was written is as durable as the policy says, and can be seen.
    fn acknowledge(&self, mut writer: MutexGuard<'_, Writer>) -> Result<()> {
        let (end, full) = (writer.next_sequence, writer.full.len());
        let has_rotated = std::mem::take(&mut writer.has_rotated);
        drop(writer);
        if self.options.sync == SyncPolicy::Always {
            self.commit(end)?;
        }
        match self.options.compaction {
            Compaction::OnDemand if full > 0 => self.seal_full(),
            Compaction::Background if full > MOST_FULL => self.seal_oldest().map(drop),
            Compaction::Background if has_rotated => {
                self.let_compaction_keep_up();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits while more is waste than should be: whoever writes faster than compaction can follow would fill the disk
    /// otherwise.
    fn let_compaction_keep_up(&self) {
        for _ in 0..MOST_ROUNDS_WAITED {
            let (of_use, waste) = choose::balance(&self.catalog.usage());
            let most = of_use / 4 * 3 + 4 * self.options.segment_limit();
            if waste <= most || !self.signal.is_compacting() {
                break;
            }
            self.signal.await_round(Duration::from_millis(200));
        }
    }

    fn append_one(
        &self,
        writer: &mut Writer,
        key: &[u8],
        value: Option<&[u8]>,
        expires: Option<u64>,
    ) -> Result<()> {
        let mut buffer = std::mem::take(&mut writer.buffer);
        buffer.clear();
        let extra = Extra { expires, version: self.next_version(key)?, is_delete: false };
        record::encode(&mut buffer, key, value, extra, writer.next_sequence)?;
        self.append(writer, buffer, 1)
    }

    /// The head of the batch, and its writes.
    fn append_batch(&self, writer: &mut Writer, batch: &Batch) -> Result<()> {
        let mut records = Vec::new();
        let mut versions = Versions::new();
        for (sequence, write) in (writer.next_sequence..).zip(batch.iter()) {
            let (key, value) = match write {
                Write::Set(key, value) => (key, Some(value)),
                Write::Delete(key) => (key, None),
            };
            let version = self.next_version_in(key, &mut versions)?;
            record::encode(&mut records, key, value, Extra { version, ..Extra::default() }, sequence)?;
        }
        let limit = MAX_OFFSET - (SEGMENT_HEADER_LEN + HEADER_LEN + BATCH_LEN) as u64;
        let too_large = Error::TooLarge { what: "the batch", len: records.len() as u64, limit };
        let count = u32::try_from(batch.len()).ok().filter(|_| records.len() as u64 <= limit);
        let head = BatchHead { count: count.ok_or(too_large)?, len: records.len() as u64 };
        let mut buffer = std::mem::take(&mut writer.buffer);
        buffer.clear();
        record::encode_mark(&mut buffer, Kind::Batch, &head.encode(), writer.next_sequence)?;
        buffer.append(&mut records);
        self.append(writer, buffer, u64::from(head.count))
    }

    /// The number that the next version of `key` has, if versions are kept.
    fn next_version(&self, key: &[u8]) -> Result<Option<u64>> {
        if self.catalog.versions() <= 1 {
            return Ok(None);
        }
        // One that was written when versions were not kept counts as the first.
        let newest = self.catalog.read(key, |record| record.extra.version.unwrap_or(1))?;
        Ok(Some(newest.unwrap_or(0) + 1))
    }

    /// The same in a batch, which may have written the key before.
    fn next_version_in<'b>(&self, key: &'b [u8], versions: &mut Versions<'b>) -> Result<Option<u64>> {
        if self.catalog.versions() <= 1 {
            return Ok(None);
        }
        let version = match versions.get(key) {
            Some(before) => Some(before + 1),
            None => self.next_version(key)?,
        };
        versions.extend(version.map(|version| (key, version)));
        Ok(version)
    }

    // ANCHOR: append
    /// Appends the records in the buffer, which have so many numbers, and shows them to readers, unless they must
    /// be on the disk before.
    fn append(&self, writer: &mut Writer, buffer: Vec<u8>, numbers: u64) -> Result<()> {
        if writer.next_sequence.saturating_add(numbers - 1) > MAX_SEQUENCE {
            let spent =
                io::Error::other("all 2^48 sequence numbers are used: copy its keys into a new store");
            return Err(Error::io("number another write to", self.folder.dir(), spent));
        }
        let (seat, start) = self.poison.guard(self.append_bytes(writer, &buffer))?;
        writer.next_sequence += numbers;
        let mut rest = buffer.as_slice();
        while let Ok(record) = Record::unchecked(rest) {
            let location = Location { seat, offset: start + self.offset_in(&buffer, rest)? };
            rest = &rest[record.bytes.len()..];
            if !record.header.kind.has_key() {
                continue;
            }
            if self.options.sync == SyncPolicy::Always {
                writer.unpublished.push(location);
            } else {
                self.catalog.put(self.catalog.index().hash(record.key), location, &record)?;
            }
        }
        if buffer.capacity() <= KEPT_BUFFER_BYTES {
            writer.buffer = buffer;
        }
        Ok(())
    }
    // ANCHOR_END: append

    /// Where `rest`, the end of `buffer`, begins in it.
    fn offset_in(&self, buffer: &[u8], rest: &[u8]) -> Result<u32> {
        short_offset((buffer.len() - rest.len()) as u64, 0, &self.folder)
    }

    /// Appends the bytes, and says where they begin.
    fn append_bytes(&self, writer: &mut Writer, bytes: &[u8]) -> Result<(u16, u32)> {
        let active = match writer.active.take() {
            Some(active) if active.has_room(bytes.len() as u64) => active,
            full => {
                if let Some(full) = full {
                    writer.full.push(full);
                    writer.has_rotated = true;
                    self.signal.wake();
                }
                self.begin_next(writer, bytes.len() as u64)?
            }
        };
        let active = writer.active.insert(active);
        let offset = active.file.append(bytes).inspect_err(|_| cut_unfinished(&*active.file))?;
        Ok((active.seat, short_offset(offset, active.header.id, &self.folder)?))
    }

    /// Begins a segment with room for `needed` bytes of records.
    ///
    /// It is on the disk before the manifest lists it, and is listed before anything is appended to it. So a
    /// listed segment is always there, and one that is not listed holds nothing.
    fn begin_next(&self, writer: &mut Writer, needed: u64) -> Result<Growing> {
        let id = self.next_segment()?;
        let (header, file, capacity) = self.create_segment(id, writer.next_sequence, needed)?;
        let seat = self.catalog.add(Segment::growing(header, Arc::clone(&file)))?;
        self.install(|list| {
            list.tail.insert(id);
        })?;
        if std::mem::take(&mut writer.has_checkpoint) {
            self.disk().remove(&self.folder.path(CHECKPOINT))?;
        }
        Ok(Growing { seat, header, file, capacity, synced: SEGMENT_HEADER_LEN as u64 })
    }

    /// Makes the file of the segment `id`.
    fn create_segment(
        &self,
        id: u64,
        first_sequence: u64,
        needed: u64,
    ) -> Result<(SegmentHeader, Arc<dyn File>, u64)> {
        let capacity = self.capacity_for(needed);
        let path = self.folder.path(&segment_name(id));
        self.folder.check_in_place()?;
        // Where no space can be reserved, each append is a write(2) instead of a copy, and `stats` says so. If
        // there is no space at all, that is what fails.
        let file = self.disk().reserve(&path, capacity).or_else(|_| self.disk().create(&path))?;
        let header = SegmentHeader { store: self.mark, id, origin: Origin::Sets, first_sequence };
        file.append(&header.encode())?;
        file.sync()?;
        self.disk().sync_dir(self.folder.dir())?;
        Ok((header, Arc::from(file), capacity))
    }

    /// What the options say, or what the records need.
    fn capacity_for(&self, needed: u64) -> u64 {
        let needed = SEGMENT_HEADER_LEN as u64 + needed + FOOTER_LEN as u64;
        self.options.segment_limit().max(needed)
    }
}

/// Cuts what a failed append left behind the end of `file`, if the disk lets us. Nobody was told of it, and the next opening
/// would have to keep a copy of it, for which a full disk has no room. Nothing is written to the file any more, so that the
/// reserve goes with it.
fn cut_unfinished(file: &dyn File) {
    // The failure of the append says more.
    let _ = file.truncate(file.len());
}

impl Growing {
    /// Whether records of so many bytes fit, and the footer after them.
    fn has_room(&self, len: u64) -> bool {
        self.file.len() + len + FOOTER_LEN as u64 <= self.capacity
    }
}
