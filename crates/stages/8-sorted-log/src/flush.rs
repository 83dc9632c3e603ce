//! Writing a memtable as a table of level 0: then its log is no longer needed.

use std::iter;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Direction, Error, Result};

use crate::files::FileKind;
use crate::manifest::Edit;
use crate::memtable::Memtable;
use crate::store::Store;

impl Store {
    /// Writes the oldest full memtable, if there is one. After a failure, the store takes no more writes.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(crate) fn flush_oldest(&self) -> Result<bool> {
        let _flushing = self.flushing.lock().map_err(|_| Error::panicked())?;
        let (state, _) = self.now_kept();
        let Some(memtable) = state.full.last() else { return Ok(false) };
        let newer = state.full.iter().rev().nth(1).unwrap_or(&state.active);
        self.poison.check()?;
        // Nothing has been changed yet: whoever moved the folder away may put it back.
        self.folder.check_in_place()?;
        self.poison.guard(self.flush(memtable, newer)).map(|()| true)
    }

    /// Writes everything that is in memory.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(crate) fn flush_all(&self) -> Result<()> {
        {
            let mut writer = self.writer()?;
            if !writer.memtable.is_empty() {
                self.poison.guard(self.rotate(&mut writer))?;
                writer.has_rotated = false;
            }
        }
        while self.flush_oldest()? {}
        Ok(())
    }

    // ANCHOR: flush
    fn flush(&self, memtable: &Arc<Memtable>, newer: &Memtable) -> Result<()> {
        let mut builder = self.new_table()?;
        let mut cursor = memtable.cursor(Bound::Unbounded, u64::MAX, Direction::Forward);
        while let Some(key) = cursor.key() {
            builder.add(key, cursor.value())?;
            cursor.advance();
        }
        let meta = builder.finish()?;
        if !sabotage::skips(Rule::CopySyncedFirst) {
            self.disk().sync_dir(self.folder.dir())?;
        }
        let table = self.open_table(&meta)?;
        let log = Some((newer.log, newer.has_log.load(Ordering::Acquire), memtable.last_sequence()));
        self.install(&Edit { log, added: vec![(0, meta)], ..Edit::default() }, vec![table], true)?;
        self.remove_replaced(iter::once(FileKind::Log(memtable.log)))
    }
    // ANCHOR_END: flush
}
