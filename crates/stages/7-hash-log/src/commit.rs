//! Syncing the tail of the log, and *group commit*: threads that write at once share one sync.
//!
//! ```text
//!   writer 1   append ─┐
//!   writer 2   append ─┼─► the first becomes the leader: one fdatasync ──► all three are in the index
//!   writer 3   append ─┘   the others wait for it
//!   writer 4     append while that sync runs ─────────────────────────────► leads the next one
//! ```
//!
//! With [`SyncPolicy::Always`](logladder_engine::SyncPolicy::Always), a record is in the index only once it is on
//! the disk: what a reader has seen, no crash takes away. The leader puts in whatever its sync has covered, in the
//! order of the log.

use std::sync::{Arc, PoisonError};

use logladder_disk::File;
use logladder_engine::{Error, Result, SyncPolicy};

use crate::store::Store;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// How far the log is on the disk, and who is seeing to the rest.
#[derive(Debug)]
pub(crate) struct Commits {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Every record with a lower number is on the disk, and in the index.
    durable: u64,
    has_leader: bool,
}

impl Commits {
    /// Of a store that is on the disk as a whole, in which the next record has this number.
    pub(crate) fn beginning_at(next_sequence: u64) -> Self {
        let state = State { durable: next_sequence, has_leader: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
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
    /// Returns when every record with a number below `end` is on the disk and in the index.
    ///
    /// # Errors
    ///
    /// A sync failed, this thread's or the leader's.
    pub(crate) fn commit(&self, end: u64) -> Result<()> {
        let commits = &self.commits;
        loop {
            let mut state = commits.state();
            if state.durable >= end {
                return Ok(());
            }
            self.poison.check()?;
            if state.has_leader {
                drop(commits.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            state.has_leader = true;
            drop(state);
            let _leader = Leader(commits);
            self.sync()?;
        }
    }

    /// The number below which every record may be shown to who follows the log.
    pub(crate) fn committed(&self) -> Result<u64> {
        Ok(match self.options.sync {
            SyncPolicy::Always => self.commits.state().durable,
            _ => self.writer_of_any()?.next_sequence,
        })
    }

    /// Returns when every record that has been appended is on the disk and in the index. Sealed segments are
    /// there already.
    pub(crate) fn sync(&self) -> Result<()> {
        let syncing = self.syncing.lock().map_err(|_| Error::panicked())?;
        self.sync_tail(&syncing)
    }

    /// The same for who has the lock.
    pub(crate) fn sync_tail(&self, _syncing: &MutexGuard<'_, ()>) -> Result<()> {
        let (unpublished, end, files) = {
            let writer = self.writer()?;
            let tail = writer.full.iter().chain(&writer.active);
            let files: Vec<(u16, Arc<dyn File>, u64)> = tail
                .map(|growing| (growing, growing.file.len()))
                .filter(|(growing, len)| *len > growing.synced)
                .map(|(growing, len)| (growing.seat, Arc::clone(&growing.file), len))
                .collect();
            (writer.unpublished.clone(), writer.next_sequence, files)
        };
        for (_, file, _) in &files {
            self.poison.guard(file.sync())?;
        }
        let mut writer = self.writer()?;
        let writer = &mut *writer;
        for growing in writer.full.iter_mut().chain(&mut writer.active) {
            if let Some((_, _, len)) = files.iter().find(|(seat, ..)| *seat == growing.seat) {
                growing.synced = growing.synced.max(*len);
            }
        }
        let segments = self.catalog.segments();
        for &location in &unpublished {
            let Some(segment) = segments.get(location.seat) else { continue };
            segment.with_record(location.offset, |record| {
                self.catalog.put(self.catalog.index().hash(record.key), location, record)
            })??;
        }
        writer.unpublished.drain(..unpublished.len());
        let mut state = self.commits.state();
        state.durable = state.durable.max(end);
        Ok(())
    }
}
