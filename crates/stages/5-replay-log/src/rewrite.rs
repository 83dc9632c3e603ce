//! Rewriting the append-only file, and snapshots: the store as it is at one moment becomes the base, and the lines
//! before that moment go.
//!
//! ```text
//!   1  a new, empty file for lines                     B   old lines  (new lines)
//!   2  the manifest lists it behind the others         B   old lines   new lines
//!   3  the old lines are synced, writers go over to the new ones: that is the moment
//!   4  the map as it was then is written and synced    B   old lines   new lines   (B')
//!   5  the manifest lists it in place of what was      B'  new lines
//!   6  what it lists no more is removed
//! ```
//!
//! A crash after any of them leaves one store: that of the manifest. Writers wait in step 3, for the sync of what was
//! written while the one before it ran.
//!
//! What fails leaves one store as well, and the next attempt begins anew. Only where a manifest was about to take the
//! place of the other does nobody know which a crash would leave; then the store takes no more writes. A writer that
//! finds the disk full takes the space of an unfinished base for its line, and step 4 fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{StoreFolder, TEMPORARY_SUFFIX, install_temporary, write_temporary};
use logladder_engine::{Compacted, Error, Result, SyncPolicy};

use crate::entry::Entry;
use crate::files::{FileKind, MANIFEST};
use crate::line;
use crate::load::Counts;
use crate::log::{Log, MARK_STEP, Mark, Marks};
use crate::manifest::{Base, Manifest};
use crate::map::TABLES;
use crate::options::{Housekeeping, Persistence};
use crate::snapshot::{Pieces, SnapshotWriter};
use crate::store::{Files, Moment, Store};
use crate::unfinished::Unfinished;
use crate::view::View;

/// Rewritten lines are written in pieces of this size.
const PIECE_LEN: usize = 256 * 1024;

/// Puts `manifest` in place of the one that is there.
pub(crate) fn write_manifest(folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
    stage_manifest(folder, manifest)?;
    install_manifest(folder)
}

/// The first half of that: the one that is there stays there, whatever happens.
fn stage_manifest(folder: &StoreFolder, manifest: &Manifest) -> Result<()> {
    folder.check_in_place()?;
    let text = manifest.encode();
    write_temporary(&**folder.disk(), &folder.path(MANIFEST), &[text.as_bytes()], SyncPolicy::Always)
}

/// The second half. Should it fail, nobody knows which of the two a crash would leave.
fn install_manifest(folder: &StoreFolder) -> Result<()> {
    install_temporary(&**folder.disk(), &folder.path(MANIFEST))?;
    folder.disk().sync_dir(folder.dir())
}

/// Makes a new, empty file for lines, which begin with change `sequence` + 1.
pub(crate) fn create_log(folder: &StoreFolder, number: u64, sequence: u64) -> Result<Arc<Log>> {
    folder.check_in_place()?;
    let file = folder.disk().create(&folder.path(&FileKind::Aof(number).name()))?;
    folder.disk().sync_dir(folder.dir())?;
    Ok(Arc::new(Log::new(number, file, Marks::from(sequence))))
}

impl Store {
    /// Makes a new base of everything there is. Does nothing if the base is that already.
    pub(crate) fn rewrite(&self) -> Result<Compacted> {
        self.rewrite_and_settle(&mut *self.files()?)
    }

    /// The same by a thread of the engine, which has nobody to tell of a failure. A store that takes no more writes has
    /// told its users why.
    pub(crate) fn rewrite_in_background(&self) -> Result<()> {
        let mut files = self.files()?;
        if self.poison.check().is_ok()
            && let Err(failure) = self.rewrite_and_settle(&mut files)
        {
            self.signal.keep(failure);
        }
        Ok(())
    }

    fn rewrite_and_settle(&self, files: &mut Files) -> Result<Compacted> {
        let outcome = self.rewrite_if_changed(files);
        // However it went, the next one is due when the lines have grown again, or none would ever be.
        let lines = if outcome.is_ok() { 0 } else { self.look().line_bytes() };
        self.await_growth(files, lines);
        if outcome.is_ok() {
            // Of what failed before, nothing is left to be told.
            self.signal.take_failure();
        }
        outcome
    }

    fn rewrite_if_changed(&self, files: &mut Files) -> Result<Compacted> {
        self.poison.check()?;
        if self.is_rewritten(files)? {
            return Ok(Compacted::default());
        }
        self.folder.check_in_place()?;
        let before = self.folder.disk_bytes()?;
        let removed = self.rewrite_into(files)?;
        let mut compacted = Compacted::default();
        compacted.files_removed = removed;
        compacted.files_written = 1;
        compacted.bytes_reclaimed = before.saturating_sub(self.folder.disk_bytes()?);
        Ok(compacted)
    }

    /// A snapshot, if anything has changed since the last one.
    pub(crate) fn snapshot_of_changes(&self) -> Result<()> {
        let mut files = self.files()?;
        if !self.is_rewritten(&files)? {
            self.rewrite_into(&mut files)?;
        }
        self.signal.take_failure();
        Ok(())
    }

    fn is_rewritten(&self, files: &Files) -> Result<bool> {
        let writer = self.writer()?;
        let has_no_lines = writer.line_bytes() == 0 || writer.logs.is_empty();
        let base = files.manifest.base.map(|base| base.file);
        let is_of_this_kind = match (base, self.options.persistence) {
            (None, _) => writer.sequence == 0 && files.manifest.logs.len() <= 1,
            (Some(FileKind::Rewritten(_)), persistence) => persistence == Persistence::AppendOnly,
            (Some(_), persistence) => persistence != Persistence::AppendOnly,
        };
        let lists_no_old_lines = self.options.has_log() || files.manifest.logs.is_empty();
        let has_no_changes = has_no_lines && writer.sequence == writer.base_sequence;
        Ok(has_no_changes && is_of_this_kind && lists_no_old_lines)
    }

    /// The steps of the drawing. Gives how many files were removed.
    fn rewrite_into(&self, files: &mut Files) -> Result<u64> {
        let moment = if self.options.has_log() { self.begin_new_log(files)? } else { self.moment() };
        let counts = self.counts_of(&moment.lines, &moment.counts)?;
        let kind = match self.options.persistence {
            Persistence::AppendOnly => FileKind::Rewritten(files.take_number()),
            _ => FileKind::Snapshot(files.take_number()),
        };
        let sequence = moment.view.sequence;
        // The file that was begun, if there is one.
        let newest = files.manifest.logs.last().copied().filter(|_| self.options.has_log());
        let mut manifest = Manifest {
            hash_key: files.manifest.hash_key,
            counts_versions: self.counts_versions,
            next: files.next,
            sequence,
            base: None,
            logs: newest.into_iter().collect(),
        };
        let begun = |base: &Arc<Unfinished>| self.look().base_under_way = Some(Arc::clone(base));
        let written = self.write_base(&self.folder, kind, &moment.view, &counts, begun);
        let staged = written.and_then(|base| {
            manifest.base = Some(base);
            stage_manifest(&self.folder, &manifest)
        });
        if staged.is_err() {
            self.remove_unlisted(kind);
        }
        // Only now: until its space is free, a writer that finds none may know of it.
        self.look().base_under_way = None;
        staged?;
        self.poison.guard(install_manifest(&self.folder))?;
        let old = std::mem::replace(&mut files.manifest, manifest);
        {
            let mut writer = self.look();
            let keep = writer.logs.len().saturating_sub(1);
            writer.logs.drain(..keep);
            writer.older_bytes = 0;
            writer.base_sequence = sequence;
            writer.counts = Arc::new(counts);
        }
        self.remove_old(&old, &files.manifest)
    }

    /// Steps 1 to 3.
    fn begin_new_log(&self, files: &mut Files) -> Result<Moment> {
        let number = files.take_number();
        // Its first change is not known yet.
        let mut log = create_log(&self.folder, number, 0)?;
        let mut manifest = files.manifest.clone();
        manifest.logs.push(number);
        manifest.next = files.next;
        stage_manifest(&self.folder, &manifest)?;
        self.poison.guard(install_manifest(&self.folder))?;
        files.manifest = manifest;
        let leader = self.commits.lead();
        self.sync_log(&leader, 1)?;
        let view = View::new();
        let mut writer = self.writer()?;
        let Some(old) = writer.logs.last().cloned() else { return Err(Error::panicked()) };
        // What was written while that ran. Nothing may stand in the new file that does not follow what is on the disk.
        self.poison.guard(old.sync_up_to(writer.end))?;
        let (pending, end, sequence) = (writer.pending.len(), writer.end, writer.sequence);
        self.show_pending(&leader, &mut writer, pending, Mark { offset: end, sequence })?;
        writer.shown = Mark { offset: end, sequence };
        if let Some(log) = Arc::get_mut(&mut log) {
            log.begin_at(sequence);
        }
        let moment = writer.moment(view);
        writer.logs.push(log);
        writer.older_bytes += end;
        writer.end = 0;
        writer.mark_at = MARK_STEP;
        writer.shown = Mark { offset: 0, sequence };
        drop(writer);
        self.poison.guard(old.cover(&self.folder, end, 1))?;
        Ok(moment)
    }

    /// Writes the store as `view` has it into a file of `folder`, which is whole and on the disk when this returns.
    pub(crate) fn write_base(
        &self,
        folder: &StoreFolder,
        kind: FileKind,
        view: &View,
        counts: &Counts,
        begun: impl FnOnce(&Arc<Unfinished>),
    ) -> Result<Base> {
        let disk = &**folder.disk();
        let temporary = folder.path(&temporary(kind));
        folder.check_in_place()?;
        let file = Arc::new(Unfinished::new(disk.create(&temporary)?));
        begun(&file);
        let written = match kind {
            FileKind::Rewritten(_) => self.write_lines(&file, view),
            _ => self.write_snapshot(&file, view, counts),
        };
        if written.is_err() {
            file.give_up();
        }
        let (len, crc) = written?;
        if !sabotage::skips(Rule::CopySyncedFirst) {
            file.sync()?;
        }
        file.finish()?;
        folder.check_in_place()?;
        disk.rename(&temporary, &folder.path(&kind.name()))?;
        disk.sync_dir(folder.dir())?;
        Ok(Base { file: kind, len, crc })
    }

    fn write_snapshot(&self, file: &Unfinished, view: &View, counts: &Counts) -> Result<(u64, u32)> {
        let mut snapshot = SnapshotWriter::begin(file, view.sequence)?;
        for table in 0..TABLES {
            self.map.show_table(table, view, |entry| snapshot.push(entry))?;
            snapshot.write_full_blocks()?;
        }
        for (key, &count) in counts {
            snapshot.push_count(key, count);
            snapshot.write_full_blocks()?;
        }
        snapshot.finish()
    }

    fn write_lines(&self, file: &Unfinished, view: &View) -> Result<(u64, u32)> {
        let mut pieces = Pieces::to(file);
        let mut crc = crc32fast::Hasher::new();
        let (mut piece, mut len) = (Vec::new(), 0);
        let mut write = |piece: &mut Vec<u8>| -> Result<()> {
            crc.update(piece);
            len += piece.len() as u64;
            pieces.append(piece)?;
            piece.clear();
            Ok(())
        };
        // Under the lock of a table its entries are copied as they are; to make lines of them takes longer, and a
        // writer who wants the table would wait.
        let (mut copied, mut lens): (Vec<u8>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
        for table in 0..TABLES {
            let copy = |entry: &Entry| {
                lens.push((entry.key().len(), entry.value().len()));
                copied.extend_from_slice(entry.key());
                copied.extend_from_slice(entry.value());
            };
            self.map.show_table(table, view, copy)?;
            let mut rest = &copied[..];
            for (key_len, value_len) in lens.drain(..) {
                let (key, behind) = rest.split_at(key_len);
                let (value, behind) = behind.split_at(value_len);
                line::write_set(key, value, &mut piece);
                rest = behind;
                if piece.len() >= PIECE_LEN {
                    write(&mut piece)?;
                }
            }
            copied.clear();
        }
        if !piece.is_empty() {
            write(&mut piece)?;
        }
        Ok((len, crc.finalize()))
    }

    /// Removes what there is of a base that no manifest lists. The next opening would do that too.
    fn remove_unlisted(&self, kind: FileKind) {
        if self.folder.check_in_place().is_ok() {
            let _ = self.disk().remove(&self.folder.path(&temporary(kind)));
            let _ = self.disk().remove(&self.folder.path(&kind.name()));
        }
    }

    /// Removes what the new manifest lists no more.
    fn remove_old(&self, old: &Manifest, new: &Manifest) -> Result<u64> {
        let mut removed = 0;
        self.folder.check_in_place()?;
        for entry in self.folder.list()? {
            if let Some(kind) = FileKind::of(&entry.name)
                && old.lists(kind)
                && !new.lists(kind)
            {
                self.disk().remove(&self.folder.path(&entry.name))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Settles when the next rewrite is due: when the lines that are there have grown beyond the first so many bytes,
    /// which one that failed was to replace.
    pub(crate) fn await_growth(&self, files: &Files, lines: u64) {
        if self.options.housekeeping == Housekeeping::OnDemand {
            return;
        }
        let base = files.manifest.base.map_or(0, |base| base.len);
        let due_at = self.options.rewrite.due_at(base);
        self.rewrite_at.store(due_at.saturating_add(lines), Ordering::Relaxed);
    }
}

fn temporary(kind: FileKind) -> String {
    kind.name() + TEMPORARY_SUFFIX
}
