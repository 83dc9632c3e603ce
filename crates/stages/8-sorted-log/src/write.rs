//! The write path: a write goes to the log, then into the memtable.
//!
//! ```text
//!   set ──► is the memtable full? ──yes──► sync its log, set it aside, begin the next
//!                  │ no                                  │
//!                  ▼                                     │
//!          append to the log  ◄──────────────────────────┘
//!                  │
//!             memtable: key, number → value
//!                  │
//!           (SyncPolicy::Always: be synced, with whoever writes at the same time)
//!                  │
//!           the number of the last write that readers see is moved on
//! ```

use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use logladder_engine::{Error, Result, SyncPolicy, Write, limits};

use crate::Work;
use crate::files::{FileKind, HEADER_LEN, Header};
use crate::frame::{Frame, MAX_BODY};
use crate::log::{put_write, write_len};
use crate::memtable::Memtable;
use crate::stalls::Stall;
use crate::store::{LogFile, State, Store, Writer, cut_unfinished};

/// The buffer of a frame is given back when one has made it larger than this.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// So many memtables may wait to be written as tables; then writers wait.
const MOST_FULL: usize = 4;

impl Store {
    /// Does all of these writes or none.
    ///
    /// # Errors
    ///
    /// One is too large, or all together; or the disk failed, now or before.
    pub(crate) fn write<'b>(&self, writes: impl Iterator<Item = Write<'b>> + Clone) -> Result<()> {
        check(writes.clone())?;
        self.await_room()?;
        let mut held = self.writer()?;
        self.append(&mut held, writes)?;
        self.acknowledge(held)
    }

    /// Makes `new` the value of `key` if it is `expected`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub(crate) fn compare_and_set(
        &self,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool> {
        let write = new.map_or(Write::Delete(key), |new| Write::Set(key, new));
        check(std::iter::once(write))?;
        self.await_room()?;
        let mut writer = self.writer()?;
        let last = writer.next_sequence - 1;
        // With what nobody else can see yet, because it is not on the disk.
        let is_expected = self.now().0.get(key, last, |found| Some(found) == expected)?;
        if !is_expected.unwrap_or(expected.is_none()) {
            drop(writer);
            // What was seen must not be taken away by a crash once the caller knows.
            if self.options.sync == SyncPolicy::Always {
                self.commit(last)?;
            }
            return Ok(false);
        }
        self.append(&mut writer, std::iter::once(write))?;
        self.acknowledge(writer)?;
        Ok(true)
    }

    // ANCHOR: append
    /// Appends to the log and to the memtable.
    fn append<'b>(&self, writer: &mut Writer, list: impl Iterator<Item = Write<'b>> + Clone) -> Result<()> {
        writer.has_written = true;
        let mut buffer = std::mem::take(&mut writer.buffer);
        Frame::begin(&mut buffer);
        list.clone().for_each(|write| put_write(&mut buffer, write));
        Frame::end(&mut buffer, writer.next_sequence);
        self.poison.guard(self.append_frame(writer, &buffer))?;
        buffer.shrink_to(KEPT_BUFFER_BYTES);
        writer.buffer = buffer;
        for write in list {
            let (key, value) = match write {
                Write::Set(key, value) => (key, Some(value)),
                Write::Delete(key) => (key, None),
            };
            writer.memtable.insert(key, value, writer.next_sequence);
            writer.next_sequence += 1;
        }
        if self.options.sync != SyncPolicy::Always {
            self.visible.fetch_max(writer.next_sequence - 1, Ordering::AcqRel);
        }
        Ok(())
    }
    // ANCHOR_END: append

    fn append_frame(&self, writer: &mut Writer, frame: &[u8]) -> Result<()> {
        let len = frame.len() as u64;
        if let Some(log) = &writer.log {
            let end = log.file.len() + len;
            let is_full = end > log.capacity || end > self.options.memtable_bytes;
            if is_full && !writer.memtable.is_empty() {
                self.rotate(writer)?;
            }
        }
        if writer.log.is_none() {
            writer.log = Some(self.begin_log(writer, len)?);
        }
        let Some(LogFile { file, .. }) = &writer.log else { return Ok(()) };
        file.append(frame).inspect_err(|_| cut_unfinished(&**file)).map(drop)
    }

    /// Makes the log of the writer's memtable, with room for a frame of `len` bytes at least.
    fn begin_log(&self, writer: &Writer, len: u64) -> Result<LogFile> {
        self.folder.check_in_place()?;
        let kind = FileKind::Log(writer.memtable.log);
        let path = self.folder.path(&kind.name());
        let capacity = self.options.memtable_bytes.max(HEADER_LEN as u64 + len);
        let (file, is_reserved) = match self.disk().reserve(&path, capacity) {
            Ok(file) => (file, true),
            Err(_) => (self.disk().create(&path)?, false),
        };
        file.append(&Header { kind, first_sequence: writer.next_sequence }.encode())?;
        file.sync()?;
        self.disk().sync_dir(self.folder.dir())?;
        writer.memtable.has_log.store(true, Ordering::Release);
        // So that a log which somebody removes is missed.
        self.note_synced(kind.number(), HEADER_LEN as u64)?;
        Ok(LogFile { file: Arc::from(file), is_reserved, capacity })
    }

    /// Sets the memtable aside to be written as a table, and begins the next. Its log is on the disk then, so that only the
    /// newest log can ever have an unfinished end.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(crate) fn rotate(&self, writer: &mut Writer) -> Result<()> {
        self.end_log(writer)?;
        let memtable = Arc::new(Memtable::new(self.new_number(), false, self.options.memtable_bytes));
        writer.memtable = Arc::clone(&memtable);
        writer.has_rotated = true;
        self.change(|state| {
            let full = std::iter::once(&state.active).chain(&state.full).cloned().collect();
            State { active: memtable, full, tables: Arc::clone(&state.tables) }
        });
        Ok(())
    }

    /// Returns when what was written is as durable as the policy says, and can be seen.
    fn acknowledge(&self, mut writer: MutexGuard<'_, Writer>) -> Result<()> {
        let last = writer.next_sequence - 1;
        let has_rotated = std::mem::take(&mut writer.has_rotated);
        drop(writer);
        if self.options.sync == SyncPolicy::Always {
            self.commit(last)?;
        }
        match self.options.work {
            // Its failure is this write's, though that is done: none that follows may be acknowledged.
            Work::Caller if has_rotated => self.poison.guard(self.work()),
            Work::Background if has_rotated => {
                self.signal.wake();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits while more is waiting to be written and merged than should be: whoever writes faster than that would fill the
    /// memory with memtables, or level 0 with tables that each read has to look into.
    ///
    /// # Errors
    ///
    /// There will be no more room: the disk failed, or damage keeps level 0 from being merged.
    fn await_room(&self) -> Result<()> {
        if self.options.work == Work::Caller {
            return self.damage.check_room();
        }
        let mut stall: Option<Stall<'_>> = None;
        loop {
            let seen = self.signal.rounds();
            let (state, _) = self.now();
            let most_tables = self.most_level0_tables();
            if state.full.len() <= MOST_FULL && state.tables.levels[0].len() <= most_tables {
                return Ok(());
            }
            self.damage.check_room()?;
            drop(state);
            self.poison.check()?;
            if let Some(stall) = &mut stall {
                stall.count_time();
            } else {
                stall = Some(self.stalls.begin());
                self.signal.wake();
            }
            self.signal.await_round(seen);
        }
    }
}

/// Refuses what is too large.
fn check<'b>(writes: impl Iterator<Item = Write<'b>>) -> Result<()> {
    let mut len = 0;
    for write in writes {
        match write {
            Write::Set(key, value) => limits::check_entry(key, value)?,
            Write::Delete(key) => limits::check_key(key)?,
        }
        len += write_len(write);
    }
    if len > MAX_BODY {
        return Err(Error::TooLarge { what: "the batch", len: len as u64, limit: MAX_BODY as u64 });
    }
    Ok(())
}
