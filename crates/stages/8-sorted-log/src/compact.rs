//! Leveled compaction: tables are merged into the level below, so that a read has few of them to look into and what was
//! overwritten gives its space back.
//!
//! ```text
//!   level 0   memtables as they came: they overlap            ▒▒▒▒▒▒▒▒  ▒▒▒▒▒▒▒▒▒  ▒▒▒▒▒▒▒
//!                         │ when there are four: all, with what they overlap
//!                         ▼
//!   level 1   64 MiB, each key in one table at most           ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒
//!                         │ when it is larger: one table after the other
//!                         ▼
//!   level 2   640 MiB, and so on                              ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒
//! ```
//!
//! Of a key that several of the merged tables have, the newest counts. A tombstone has done its work, and is dropped, where no
//! deeper level has a table that may have its key. A snapshot needs no old versions here: it has the tables themselves.

use std::cmp::Reverse;
use std::ops::Bound;
use std::slice;
use std::sync::Arc;

use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Compacted, Direction, Error, Result};

use crate::damage::Damage;
use crate::files::FileKind;
use crate::manifest::{Edit, LEVELS};
use crate::merge::{Merge, Source};
use crate::store::{Store, Tables};
use crate::table::build::TableBuilder;
use crate::table::cursor::RunCursor;
use crate::table::{Table, TableMeta};

/// So many entries are merged between two looks at whether the store is being closed.
const LOOK_EVERY: u64 = 1024;

/// What is to be merged.
#[derive(Debug)]
struct Plan {
    /// Tables that follow each other, the newest run first.
    runs: Vec<Vec<Arc<Table>>>,
    /// Where the outcome goes.
    level: usize,
}

impl Plan {
    fn inputs(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.runs.iter().flatten()
    }

    /// The only table, if it overlaps nothing below: it can be moved there.
    fn moved(&self) -> Option<&Arc<Table>> {
        match self.runs.as_slice() {
            [run] => run.first().filter(|_| run.len() == 1),
            _ => None,
        }
    }

    /// Whether it can be done though some tables are damaged: to move one, it need not be read.
    fn avoids(&self, damage: &Damage) -> bool {
        self.moved().is_some() || !self.inputs().any(|table| damage.has(table.path()))
    }

    /// What to merge of a level that is too large, without damaged tables.
    fn of_level(tables: &Tables, level: usize, behind: &mut Vec<u8>, damage: &Damage) -> Option<Self> {
        let all = &tables.levels[level];
        if level == 0 {
            // What is older than all that is damaged may go down. What is newer must not go past it.
            let is_damaged = |table: &Arc<Table>| damage.has(table.path());
            let sound = all.iter().rposition(is_damaged).map_or(0, |damaged| damaged + 1);
            let plans = [&all[sound..], all.get(all.len().saturating_sub(1)..).unwrap_or_default()];
            let mut plans = plans.into_iter().filter_map(|upper| Self::of_tables(tables, level, upper));
            return plans.find(|plan| plan.avoids(damage));
        }
        let first = all.partition_point(|table| table.meta.smallest <= *behind);
        let (before, next) = all.split_at(first);
        let mut turns = next.iter().chain(before).map(slice::from_ref);
        let (plan, table) = turns.find_map(|table| {
            let plan = Self::of_tables(tables, level, table).filter(|plan| plan.avoids(damage))?;
            Some((plan, table.first()?))
        })?;
        behind.clone_from(&table.meta.largest);
        Some(plan)
    }

    /// To merge these tables of a level with what they overlap in the next.
    fn of_tables(tables: &Tables, level: usize, upper: &[Arc<Table>]) -> Option<Self> {
        let smallest = upper.iter().map(|table| &table.meta.smallest).min()?;
        let largest = upper.iter().map(|table| &table.meta.largest).max()?;
        let overlaps =
            |table: &&Arc<Table>| table.meta.largest >= *smallest && table.meta.smallest <= *largest;
        let lower: Vec<_> = tables.levels[level + 1].iter().filter(overlaps).cloned().collect();
        let mut runs: Vec<_> = upper.iter().map(|table| vec![Arc::clone(table)]).collect();
        if !lower.is_empty() {
            runs.push(lower);
        }
        Some(Self { runs, level: level + 1 })
    }

    /// Everything, into one level.
    fn of_all(tables: &Tables, level: usize) -> Self {
        let newest = tables.levels[0].iter().map(|table| vec![Arc::clone(table)]);
        // Each deeper level is older than those above it.
        let deeper = tables.levels[1..].iter().filter(|tables| !tables.is_empty()).cloned();
        Self { runs: newest.chain(deeper).collect(), level }
    }
}

impl Store {
    /// Does everything that there is to do: for a store without threads.
    ///
    /// # Errors
    ///
    /// The disk failed, or a table is damaged.
    pub(crate) fn work(&self) -> Result<()> {
        while self.flush_oldest()? {}
        while self.merge_down()? {}
        Ok(())
    }

    /// Merges some of the level that is furthest past its limit into the next, if one is. After a failure, the store takes no
    /// more writes. A damaged table is not a failure: it is left where it is, and something else is merged.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(crate) fn merge_down(&self) -> Result<bool> {
        let mut behind = self.compaction.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        let tables = Arc::clone(&self.now().0.tables);
        let levels = self.past_their_limits(&tables);
        loop {
            let of_level = |level: &usize| Plan::of_level(&tables, *level, &mut behind[*level], &self.damage);
            let Some(plan) = levels.iter().find_map(of_level) else {
                let most = self.most_level0_tables();
                self.damage.set_in_the_way(levels.contains(&0) && tables.levels[0].len() > most);
                return Ok(false);
            };
            // Nothing has been changed yet: whoever moved the folder away may put it back.
            self.folder.check_in_place()?;
            let outcome = self.carry_out(&plan, &tables);
            if let Err(error) = &outcome
                && self.damage.note(error, |path| plan.inputs().any(|table| table.path() == path))
            {
                // Nothing was changed. The next plan does without that table.
                continue;
            }
            self.damage.set_in_the_way(false);
            return self.poison.guard(outcome).map(|done| done.is_some());
        }
    }

    /// With more tables in level 0, writers wait.
    pub(crate) fn most_level0_tables(&self) -> usize {
        self.options.level0_tables.max(1).saturating_mul(3)
    }

    /// The levels that are past their limits, the furthest first.
    fn past_their_limits(&self, tables: &Tables) -> Vec<usize> {
        let fullness = |level: usize| {
            let (has, may_have) = if level == 0 {
                (tables.levels[0].len() as u64, self.options.level0_tables.max(1) as u64)
            } else {
                let bytes = tables.levels[level].iter().map(|table| table.meta.len).sum();
                (bytes, self.options.level_limit(level))
            };
            has.saturating_mul(100) / may_have.max(1)
        };
        // The deepest level has nowhere to go.
        let mut levels: Vec<(u64, usize)> = (0..LEVELS - 1).map(|level| (fullness(level), level)).collect();
        levels.retain(|(full, level)| *full > 100 || (*level == 0 && *full >= 100));
        // Of two that are as full, the deeper one.
        levels.sort_unstable_by_key(|level| Reverse(*level));
        levels.into_iter().map(|(_, level)| level).collect()
    }

    /// Merges everything there is into one level. If that fails before anything is replaced, as for want of space or at a
    /// damaged table, the store is as it was and goes on.
    ///
    /// # Errors
    ///
    /// The disk failed, or a table is damaged.
    pub(crate) fn compact(&self) -> Result<Compacted> {
        let _compaction = self.compaction.lock().map_err(|_| Error::panicked())?;
        self.folder.check_in_place()?;
        let before = self.folder.disk_bytes()?;
        self.flush_all()?;
        let mut compacted = Compacted::default();
        let tables = Arc::clone(&self.now().0.tables);
        if is_worth_it(&tables) {
            let bytes: u64 = tables.all().map(|table| table.meta.len).sum();
            let has_room = |level: &usize| self.options.level_limit(*level) >= bytes;
            let level = (1..LEVELS).find(has_room).unwrap_or(LEVELS - 1);
            let plan = Plan::of_all(&tables, level);
            let merged = self.merge(&plan, &Tables::default());
            if let Err(error) = &merged {
                self.damage.note(error, |path| plan.inputs().any(|table| table.path() == path));
            }
            let Some(written) = merged? else {
                return Ok(compacted);
            };
            compacted.files_removed = plan.inputs().count() as u64;
            compacted.files_written = written;
            // What was in memory when it began counts as its bytes in the log: no more than those of the blocks.
            let in_blocks: u64 = tables.all().map(|table| table.block_bytes()).sum();
            let left: u64 = self.now().0.tables.levels[level].iter().map(|table| table.meta.len).sum();
            let on_disk = before.saturating_sub(self.folder.disk_bytes()?);
            compacted.bytes_reclaimed = on_disk.min(in_blocks.saturating_sub(left));
        }
        Ok(compacted)
    }

    /// Says how many tables were written; nothing if the store is being closed.
    fn carry_out(&self, plan: &Plan, tables: &Tables) -> Result<Option<u64>> {
        if let Some(table) = plan.moved() {
            // It overlaps nothing below: to move it is to say so.
            let (removed, added) = (vec![table.meta.number], vec![(plan.level, table.meta.clone())]);
            return self
                .install(&Edit { removed, added, ..Edit::default() }, Vec::new(), false)
                .map(|()| Some(0));
        }
        self.merge(plan, tables)
    }

    /// Says how many tables were written; nothing if the store is being closed.
    fn merge(&self, plan: &Plan, tables: &Tables) -> Result<Option<u64>> {
        let mut output = Output::default();
        let opened = match self.write_merged(plan, tables, &mut output) {
            Ok(Some(opened)) => opened,
            outcome => {
                // What cannot be removed now is removed at the next opening.
                let _ = output.begun.iter().try_for_each(|&number| self.remove(FileKind::Table(number)));
                return outcome.map(|_| None);
            }
        };
        let count = opened.len() as u64;
        let removed = plan.inputs().map(|table| table.meta.number).collect();
        let added = output.written.into_iter().map(|meta| (plan.level, meta)).collect();
        self.poison.guard(self.install(&Edit { removed, added, ..Edit::default() }, opened, false))?;
        self.remove_replaced(plan.inputs().map(|table| FileKind::Table(table.meta.number)))?;
        Ok(Some(count))
    }

    /// Writes the tables of the outcome, and opens them. `None` if it left off because the store is being closed.
    fn write_merged<'p>(
        &self,
        plan: &'p Plan,
        tables: &Tables,
        output: &mut Output,
    ) -> Result<Option<Vec<Table>>> {
        let source = |run: &'p Vec<Arc<Table>>| {
            RunCursor::seek(run, Bound::Unbounded, Direction::Forward)
                .map(|cursor| Source::Run(Box::new(cursor)))
        };
        let sources = plan.runs.iter().map(source).collect::<Result<Vec<_>>>()?;
        let mut merge = Merge::new(sources, Direction::Forward);
        let mut builder: Option<TableBuilder> = None;
        let mut entries = 0_u64;
        while let Some(key) = merge.key() {
            entries += 1;
            if entries.is_multiple_of(LOOK_EVERY) && self.signal.is_stopping() {
                return Ok(None);
            }
            let value = merge.value();
            if value.is_some() || is_needed(key, tables, plan.level) {
                let mut to = if let Some(builder) = builder.take() {
                    builder
                } else {
                    let builder = self.new_table()?;
                    output.begun.push(builder.number());
                    builder
                };
                to.add(key, value)?;
                if to.len() >= self.options.table_bytes {
                    output.written.push(to.finish()?);
                } else {
                    builder = Some(to);
                }
            }
            merge.advance()?;
        }
        if let Some(builder) = builder {
            output.written.push(builder.finish()?);
        }
        if !output.written.is_empty() && !sabotage::skips(Rule::CopySyncedFirst) {
            self.disk().sync_dir(self.folder.dir())?;
        }
        output.written.iter().map(|meta| self.open_table(meta)).collect::<Result<Vec<Table>>>().map(Some)
    }
}

/// What a merge writes.
#[derive(Debug, Default)]
struct Output {
    /// The numbers of the files that were made.
    begun: Vec<u64>,
    /// The tables that are whole.
    written: Vec<TableMeta>,
}

// ANCHOR: is_needed
/// Whether a tombstone that goes to `level` may have something to cover in a deeper one.
fn is_needed(key: &[u8], tables: &Tables, level: usize) -> bool {
    if sabotage::skips(Rule::TombstoneKept) {
        return false;
    }
    tables.levels[level + 1..].iter().any(|tables| {
        let place = tables.partition_point(|table| table.meta.largest.as_slice() < key);
        tables.get(place).is_some_and(|table| table.meta.smallest.as_slice() <= key)
    })
}
// ANCHOR_END: is_needed

/// Whether a merge of everything gains anything: not where each key stands once and none is a tombstone.
fn is_worth_it(tables: &Tables) -> bool {
    let levels = tables.levels.iter().filter(|level| !level.is_empty()).count();
    levels > 1 || !tables.levels[0].is_empty() || tables.all().any(|table| table.meta.tombstones > 0)
}
