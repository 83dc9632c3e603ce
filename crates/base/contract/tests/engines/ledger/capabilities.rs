//! Every capability of the ledger.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::MutexGuard;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logladder_disk::replace;
use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{
    Atomic, Backup, Batch, Change, Changes, Compact, Compacted, Engine, Error, Expire, Expiry, History,
    Iterate, Position, Result, SyncPolicy, Version, Visit, VisitChange, VisitVersion, Write, limits,
};

use super::record::{Kind, NO_END, Record};
use super::{Flaw, LOG, Ledger, State, Submitted, UNFINISHED, milliseconds, now};

/// A flaw between two threads shows when the one comes in the middle of the other: here it has the time.
pub(super) fn let_others_in() {
    std::thread::sleep(Duration::from_micros(200));
}

impl Iterate for Ledger {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let shows_ended = self.is(Flaw::ShowsWhatHasEnded);
        let records: Vec<Record> = {
            let state = self.state()?;
            let newest = state.versions.values().filter_map(|versions| versions.last());
            let is_shown =
                |record: &&Record| record.is_live(now()) || shows_ended && record.kind == Kind::Set;
            newest.filter(is_shown).cloned().collect()
        };
        for record in records {
            let value = match self.options.flaw {
                Flaw::ClaimsAConsistentView => self.get(&record.key)?.unwrap_or_default(),
                _ => record.value,
            };
            if visit(&record.key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn is_consistent(&self) -> bool {
        true
    }
}

impl Atomic for Ledger {
    fn write(&self, batch: &Batch) -> Result<()> {
        let submitted = |write| match write {
            Write::Set(key, value) => Submitted { key, value: Some(value), end: NO_END },
            Write::Delete(key) => Submitted { key, value: None, end: NO_END },
        };
        let mut writes: Vec<Submitted<'_>> = batch.iter().map(submitted).collect();
        if self.is(Flaw::AppliesBatchesBackwards) {
            writes.reverse();
        }
        let one_by_one = self.is(Flaw::LetsOthersIntoABatch) || self.is(Flaw::StopsInTheMiddleOfABatch);
        let (mut bytes, limit) = (0, self.options.batch_limit);
        for write in &writes {
            limits::check_entry(write.key, write.value.unwrap_or_default())?;
            if one_by_one {
                let_others_in();
                self.write_all(&mut *self.state()?, std::slice::from_ref(write))?;
            }
            bytes += write.key.len() + write.value.unwrap_or_default().len();
        }
        if bytes > limit && !self.is(Flaw::TakesEveryBatch) {
            return Err(Error::TooLarge { what: "the batch", len: bytes as u64, limit: limit as u64 });
        }
        if one_by_one || writes.is_empty() {
            return Ok(());
        }
        self.write_all(&mut *self.state()?, &writes)
    }

    fn compare_and_set(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool> {
        limits::check_entry(key, new.unwrap_or_default())?;
        let mut looked = self.state()?;
        let mut value = looked.value(key).map(|record| record.value.clone());
        if self.is(Flaw::TakesEmptyForNone) {
            value = value.filter(|value| !value.is_empty());
        }
        if self.is(Flaw::LooksBeforeTheLock) {
            drop(looked);
            let_others_in();
            looked = self.state()?;
        }
        if value.as_deref() != expected {
            return Ok(false);
        }
        self.write_all(&mut looked, &[Submitted { key, value: new, end: NO_END }])?;
        Ok(true)
    }
}

impl History for Ledger {
    fn versions(&self, key: &[u8], visit: &mut VisitVersion<'_>) -> Result<()> {
        limits::check_key(key)?;
        let versions = self.state()?.versions.get(key).cloned().unwrap_or_default();
        for record in versions.iter().rev() {
            if record.kind == Kind::Delete && self.is(Flaw::ForgetsDeletes) {
                continue;
            }
            if visit(&Version::new(record.number, record.value())) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl State {
    /// The place behind the change with this sequence, which is in the log, or the base.
    fn place(&self, sequence: u64) -> Position {
        let behind = usize::try_from(sequence - self.base.0).unwrap_or(usize::MAX);
        let offset = if behind == 0 { self.base.1 } else { self.changes[behind - 1].1 };
        Position { sequence, segment: self.generation, offset }
    }

    fn check_place(&self, place: Position, flaw: Flaw) -> Result<()> {
        let is_old = place.segment < self.generation;
        let is_gone = match flaw {
            Flaw::LosesWhoIsUpToDate => is_old,
            _ => is_old && place.sequence < self.base.0,
        };
        if is_gone {
            return Err(Error::Compacted { earliest: self.place(self.base.0) });
        }
        let is_known = (self.base.0..=self.sequence()).contains(&place.sequence);
        if is_known && (is_old || flaw == Flaw::TakesEveryPlace || self.place(place.sequence) == place) {
            return Ok(());
        }
        Err(Error::InvalidPosition { why: format!("{place} is not where a change begins") })
    }
}

impl Changes for Ledger {
    fn position(&self) -> Result<Position> {
        let state = self.state()?;
        Ok(state.place(state.sequence()))
    }

    fn earliest_position(&self) -> Result<Position> {
        let state = self.state()?;
        Ok(state.place(state.base.0))
    }

    fn changes(&self, since: Position, visit: &mut VisitChange<'_>) -> Result<Position> {
        let (changes, mut place) = {
            let state = self.state()?;
            let mut since = since;
            if self.is(Flaw::HidesTheGap) && since.segment < state.generation {
                since = state.place(state.base.0);
            }
            state.check_place(since, self.options.flaw)?;
            let from = usize::try_from(since.sequence - state.base.0).unwrap_or(usize::MAX);
            let with_places = state.changes[from..].iter();
            let changes: Vec<(Record, Position)> =
                with_places.map(|(record, _)| (record.clone(), state.place(record.sequence))).collect();
            (changes, since)
        };
        for (record, next) in changes {
            if record.continues && self.is(Flaw::ShowsOneChangeOfABatch) {
                continue;
            }
            place = next;
            let end = (record.end != NO_END).then(|| time(record.end));
            if visit(&Change::new(&record.key, record.value(), next).until(end)) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(place)
    }
}

fn time(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}

impl Expire for Ledger {
    fn set_until(&self, key: &[u8], value: &[u8], end: SystemTime) -> Result<()> {
        limits::check_entry(key, value)?;
        let mut end = milliseconds(end);
        if self.is(Flaw::DecidesEndsWhenWritten) && end > now() {
            end = NO_END - 1;
        }
        self.write_all(&mut *self.state()?, &[Submitted { key, value: Some(value), end }])
    }

    fn expiry(&self, key: &[u8]) -> Result<Expiry> {
        limits::check_key(key)?;
        Ok(match self.state()?.value(key) {
            None => Expiry::Absent,
            Some(record) if record.end == NO_END => Expiry::Never,
            Some(record) => Expiry::At(time(record.end)),
        })
    }
}

impl Ledger {
    /// What a compaction keeps, in the order in which it was written.
    fn kept(&self, state: &State) -> Vec<Record> {
        let mut kept = Vec::new();
        for versions in state.versions.values() {
            let mut versions = versions.clone();
            let newest = versions.len() - 1;
            if versions[newest].has_ended(now()) {
                if self.is(Flaw::UncoversOlderValues) && newest > 0 {
                    versions.pop();
                } else {
                    versions[newest] = Record {
                        kind: Kind::Delete,
                        end: NO_END,
                        value: Vec::new(),
                        ..versions[newest].clone()
                    };
                }
            }
            let keeps = match self.options.flaw {
                Flaw::KeepsEveryVersion => usize::MAX,
                Flaw::CompactsHistoryAway => 1,
                _ => self.options.versions,
            };
            kept.extend(versions.drain(versions.len().saturating_sub(keeps)..));
        }
        for record in &mut kept {
            record.continues = false;
        }
        kept.sort_by_key(|record| record.sequence);
        kept
    }

    fn write_anew(&self, state: &mut MutexGuard<'_, State>) -> Result<()> {
        let kept = self.kept(state);
        let base = Record {
            kind: Kind::Base,
            continues: false,
            sequence: state.sequence(),
            number: state.generation + 1,
            end: NO_END,
            key: Vec::new(),
            value: kept.len().to_le_bytes().to_vec(),
        };
        let mut bytes = Vec::new();
        base.encode(&mut bytes);
        for record in &kept {
            record.encode(&mut bytes);
        }
        let policy =
            if sabotage::skips(Rule::CopySyncedFirst) { SyncPolicy::Never } else { SyncPolicy::Always };
        let path = self.folder.path(LOG);
        replace(&**self.disk(), &path, &[&bytes], policy)?;
        state.log = self.disk().open(&path)?;
        state.generation += 1;
        state.base = (base.sequence, bytes.len() as u64);
        state.changes.clear();
        state.versions.clear();
        for record in kept {
            state.apply(record, 0);
        }
        Ok(())
    }
}

impl Compact for Ledger {
    fn compact(&self) -> Result<Compacted> {
        let mut state = self.state()?;
        self.poison.check()?;
        let before = state.log.len();
        // A failure may leave the old log under the handle that the new one replaced.
        self.poison.guard(self.write_anew(&mut state))?;
        let mut compacted = Compacted::default();
        compacted.bytes_reclaimed = before.saturating_sub(state.log.len());
        Ok(compacted)
    }
}

impl Backup for Ledger {
    fn backup(&self, dir: &Path) -> Result<()> {
        let disk = &**self.disk();
        match disk.entry(dir)? {
            Some(_) => {
                let entries = disk.list(dir)?;
                if let Some(entry) = entries.first().filter(|_| !self.is(Flaw::CopiesIntoFullFolders)) {
                    return Err(Error::NotEmpty { dir: dir.to_path_buf(), found: entry.name.clone() });
                }
            }
            None if dir.starts_with(self.folder.dir()) && !self.is(Flaw::CopiesIntoItself) => {
                let what = "the copy would lie in the folder of the store itself: name another folder".into();
                return Err(Error::Unsupported { what });
            }
            None => disk.create_dir(dir)?,
        }
        let bytes = self.bytes_to_copy()?;
        // Nothing that a crash leaves of the folder is a store before this is gone.
        let mark = dir.join(UNFINISHED);
        let marks = !self.is(Flaw::ShowsUnfinishedCopies);
        if marks {
            disk.create(&mark)?;
            disk.sync_dir(dir)?;
        }
        let path = dir.join(LOG);
        if disk.entry(&path)?.is_some() {
            disk.remove(&path)?;
        }
        let log = disk.create(&path)?;
        log.append(&bytes)?;
        let syncs = !self.is(Flaw::CopiesWithoutSync);
        if syncs {
            log.sync()?;
        }
        disk.sync_dir(dir)?;
        if marks {
            disk.remove(&mark)?;
            disk.sync_dir(dir)?;
        }
        disk.sync_dir(dir.parent().unwrap_or(dir))
    }
}

impl Ledger {
    fn bytes_to_copy(&self) -> Result<Vec<u8>> {
        let (mut bytes, keys) = {
            let state = self.state()?;
            (self.disk().read(state.log.path())?, state.versions.keys().cloned().collect::<Vec<_>>())
        };
        if self.is(Flaw::CopiesWithoutTheNewest) {
            let last = self.state()?.changes.last().map_or(0, |(record, _)| record.len());
            bytes.truncate(bytes.len() - usize::try_from(last).unwrap_or(0));
        }
        if self.is(Flaw::CopiesKeyByKey) {
            bytes.clear();
            for (key, sequence) in keys.iter().zip(1..) {
                let_others_in();
                let Some(newest) = self.state()?.value(key).cloned() else { continue };
                Record { sequence, continues: false, ..newest }.encode(&mut bytes);
            }
        }
        Ok(bytes)
    }
}
