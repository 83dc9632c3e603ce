//! Syncing the log, and *group commit*: threads that write at once share one sync.
//!
//! ```text
//!   writer 1   append ─┐
//!   writer 2   append ─┼─► the first becomes the leader: one fdatasync ──► all three can be seen
//!   writer 3   append ─┘   the others wait for it
//!   writer 4     append while that sync runs ────────────────────────────► leads the next one
//! ```
//!
//! With [`SyncPolicy::Always`](logladder_engine::SyncPolicy::Always), a write can be seen only once it is on the disk: what
//! a reader has seen, no crash takes away.

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use logladder_engine::{Error, Result};

use crate::store::{Store, Writer};

/// How far the log is on the disk, and who is seeing to the rest.
#[derive(Debug)]
pub(crate) struct Commits {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// The number of the last write that is on the disk.
    durable: u64,
    has_leader: bool,
}

impl Commits {
    /// Of a store whose writes up to this one are on the disk.
    pub(crate) fn durable_up_to(durable: u64) -> Self {
        Self { state: Mutex::new(State { durable, has_leader: false }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each field stands for itself, so a panic cannot have left them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the leadership back, whatever happens to the leader.
struct Leader<'c>(&'c Commits);

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.0.state().has_leader = false;
        self.0.changed.notify_all();
    }
}

impl Store {
    /// Returns when the write `last` and all before it are on the disk, and can be seen.
    ///
    /// # Errors
    ///
    /// A sync failed, this thread's or the leader's.
    pub(crate) fn commit(&self, last: u64) -> Result<()> {
        loop {
            let mut state = self.commits.state();
            if state.durable >= last {
                return Ok(());
            }
            self.poison.check()?;
            if state.has_leader {
                drop(self.commits.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            state.has_leader = true;
            drop(state);
            let _leader = Leader(&self.commits);
            let (file, last) = {
                let writer = self.writer()?;
                (writer.log.as_ref().map(|log| Arc::clone(&log.file)), writer.next_sequence - 1)
            };
            // Without a log, everything is in logs that were synced when they were full.
            file.map_or(Ok(()), |file| self.poison.guard(file.sync()))?;
            self.mark_durable(last);
        }
    }

    /// Everything up to the write `last` is on the disk.
    pub(crate) fn mark_durable(&self, last: u64) {
        let mut state = self.commits.state();
        state.durable = state.durable.max(last);
        self.visible.fetch_max(last, Ordering::AcqRel);
        drop(state);
        self.commits.changed.notify_all();
    }

    /// Returns when everything that was written is on the disk.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit); or a write has failed before.
    pub(crate) fn sync(&self) -> Result<()> {
        let last = self.writer()?.next_sequence - 1;
        self.commit(last)
    }

    /// Syncs the log of the writer, and gives back the space that was reserved for it.
    ///
    /// When a log is full, the thread that found it so waits for this, whatever the policy; no other can do it later. The
    /// write that found no room must lie in a file when it is acknowledged, so the next log is made at once. From then on
    /// a loss of power may keep that one and lose a page of this one. No opening could tell the gap from damage, since
    /// a log that another follows has no unfinished end; and it would be none at the end of what was written, which is
    /// all that [`SyncPolicy::Never`](logladder_engine::SyncPolicy::Never) may lose.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(crate) fn end_log(&self, writer: &mut Writer) -> Result<()> {
        if let Some(log) = writer.log.take() {
            if log.is_reserved {
                log.file.truncate(log.file.len())?;
            }
            log.file.sync()?;
        }
        self.mark_durable(writer.next_sequence - 1);
        Ok(())
    }

    /// Leaves the store to the next opening: everything on the disk and noted to be, no space reserved.
    ///
    /// # Errors
    ///
    /// The disk failed, now or before.
    pub(crate) fn close(&self) -> Result<()> {
        let mut writer = self.writer()?;
        let log = writer.log.as_ref().map(|log| (writer.memtable.log, log.file.len()));
        self.poison.guard(self.end_log(&mut writer))?;
        self.folder.check_in_place()?;
        match log.map_or(Ok(()), |(log, len)| self.note_synced(log, len)) {
            // The process that wrote has not noted it, because it was killed. On a full disk, who only reads need not.
            Err(Error::Io { source, .. }) if is_full(&source) && !writer.has_written => Ok(()),
            noted => self.poison.guard(noted),
        }
    }

    /// How many logs are written without a reserve.
    pub(crate) fn unreserved_files(&self) -> u64 {
        let is_unreserved =
            |writer: MutexGuard<'_, Writer>| writer.log.as_ref().is_some_and(|log| !log.is_reserved);
        u64::from(self.writer().is_ok_and(is_unreserved))
    }
}

/// Whether there is no space left for what was to be written.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}
