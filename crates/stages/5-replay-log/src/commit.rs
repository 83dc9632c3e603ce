//! Syncing the append-only file, and *group commit*: threads that write at once share one sync.
//!
//! ```text
//!   writer 1   append ─┐
//!   writer 2   append ─┼─► the first becomes the leader: one fdatasync ──► readers see all three
//!   writer 3   append ─┘   the others wait for it
//!   writer 4     append while that sync runs ─────────────────────────────► leads the next one
//! ```
//!
//! With [`SyncPolicy::Always`](logladder_engine::SyncPolicy::Always) a change is in the map only once its line is on
//! the disk: what a reader has seen, no crash takes away.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use logladder_engine::Result;

use crate::log::Mark;
use crate::store::{Store, Writer};

/// The lines of so many bytes may be synced without a sum, unless a sync was asked for.
const SUM_STEP: u64 = 256 * 1024;

/// How far the changes are on the disk, and who is seeing to the rest.
#[derive(Debug)]
pub(crate) struct Commits {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// So many changes are on the disk, and shown.
    durable: u64,
    has_leader: bool,
}

/// The right to sync and to change files. One thread has it at a time, and gives it back whatever happens.
#[derive(Debug)]
pub(crate) struct Leader<'c>(&'c Commits);

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.0.state().has_leader = false;
        self.0.changed.notify_all();
    }
}

impl Commits {
    /// Of a store in which so many changes have been made.
    pub(crate) fn beginning_at(sequence: u64) -> Self {
        Self { state: Mutex::new(State { durable: sequence, has_leader: false }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each field stands for itself, so a panic cannot have left them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the leadership.
    pub(crate) fn lead(&self) -> Leader<'_> {
        let state = self.state();
        let mut state =
            self.changed.wait_while(state, |state| state.has_leader).unwrap_or_else(PoisonError::into_inner);
        state.has_leader = true;
        drop(state);
        Leader(self)
    }
}

impl Store {
    // ANCHOR: commit
    /// Returns when the first `sequence` changes are on the disk and shown.
    ///
    /// # Errors
    ///
    /// A sync failed, this thread's or the leader's.
    pub(crate) fn commit(&self, sequence: u64) -> Result<()> {
        let commits = &self.commits;
        loop {
            let mut state = commits.state();
            if state.durable >= sequence {
                return Ok(());
            }
            self.poison.check()?;
            if state.has_leader {
                drop(commits.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            state.has_leader = true;
            drop(state);
            let leader = Leader(commits);
            self.sync_log(&leader, SUM_STEP)?;
        }
    }
    // ANCHOR_END: commit

    /// Returns when everything that has been appended is on the disk and shown. Writes a sum if it covers at least so
    /// many bytes more than the last one.
    pub(crate) fn sync_log(&self, leader: &Leader<'_>, sum_step: u64) -> Result<()> {
        let (log, end, pending, sequence) = {
            let writer = self.writer()?;
            let Some(log) = writer.logs.last().cloned() else { return Ok(()) };
            (log, writer.end, writer.pending.len(), writer.sequence)
        };
        self.poison.guard(log.sync_up_to(end))?;
        self.show_pending(leader, &mut *self.writer()?, pending, Mark { offset: end, sequence })?;
        self.poison.guard(log.cover(&self.folder, end, sum_step))
    }

    /// Shows the first `count` of what is pending: all up to `shown`, which is on the disk.
    pub(crate) fn show_pending(
        &self,
        leader: &Leader<'_>,
        writer: &mut Writer,
        count: usize,
        shown: Mark,
    ) -> Result<()> {
        writer.drop_ended_views();
        let Writer { pending, views, newest, .. } = writer;
        for made in pending.drain(..count) {
            self.show(views, newest, made)?;
        }
        if self.options.syncs_each_write() {
            writer.shown = shown;
        }
        leader.0.state().durable = shown.sequence;
        Ok(())
    }

    /// Returns when everything that was acknowledged is on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.poison.check()?;
        if self.options.has_log() {
            self.sync_log(&self.commits.lead(), 1)
        } else {
            // If it failed, the last one is still there, and everything is still in memory.
            self.snapshot_of_changes()
        }
    }
}
