//! The files of a store: their names, new segments, hints, and the removal of what a compaction has replaced.

use std::path::PathBuf;

use logladder_disk::{install_temporary, replace, write_temporary};
use logladder_engine::{Result, SyncPolicy};

use super::record::{self, END};
use super::scan::scan;
use super::{Museum, Segment, State, hint};
use crate::Bug;

const LOG: &str = "log";
const HINT: &str = "hint";

/// The name of a segment, or of its hint.
fn name(number: u32, extension: &str) -> String {
    format!("{number:04}.{extension}")
}

/// The number in a segment's name.
pub(crate) fn number_of(file_name: &str) -> Option<u32> {
    let number = file_name.split_once('.')?.0.parse().ok()?;
    (file_name == name(number, LOG)).then_some(number)
}

/// Whether a store of the museum has such a file.
pub(crate) fn is_own(file_name: &str) -> bool {
    let stem = file_name.strip_suffix(HINT).map(|stem| format!("{stem}{LOG}"));
    number_of(stem.as_deref().unwrap_or(file_name)).is_some()
}

impl Museum {
    pub(crate) fn segment_path(&self, number: u32) -> PathBuf {
        self.folder.path(&name(number, LOG))
    }

    pub(crate) fn hint_path(&self, number: u32) -> PathBuf {
        self.folder.path(&name(number, HINT))
    }

    /// Makes an empty segment. It is there whole, with its header, or not at all.
    pub(super) fn new_segment(&self, number: u32) -> Result<Segment> {
        let (disk, path) = (self.disk(), self.segment_path(number));
        let header = record::segment_header(number);
        // ANCHOR: unsynced-folder
        if self.bug == Bug::UnsyncedFolder {
            write_temporary(disk, &path, &[&header], SyncPolicy::Always)?;
            install_temporary(disk, &path)?;
        } else {
            replace(disk, &path, &[&header], SyncPolicy::Always)?; // syncs the folder as well
        }
        // ANCHOR_END: unsynced-folder
        Ok(Segment { first: number, file: disk.open(&path)? })
    }

    /// Completes the newest segment, and begins another.
    pub(super) fn rotate(&self, state: &mut State) -> Result<()> {
        let (newest, full) = state.newest()?;
        full.file.append(&record::encode(self.bug, &END))?;
        // ANCHOR: unsynced-rotation
        if self.bug != Bug::UnsyncedRotation {
            full.file.sync()?;
        }
        // ANCHOR_END: unsynced-rotation
        self.write_hint(newest, full)?;
        // ANCHOR: counts-from-keys
        let last = if self.bug == Bug::CountsFromKeys {
            state.index.values().map(|place| place.segment).max().unwrap_or(0)
        } else {
            newest
        };
        // ANCHOR_END: counts-from-keys
        let next = last.saturating_add(1);
        state.segments.insert(next, self.new_segment(next)?);
        Ok(())
    }

    /// Writes the hint of a complete segment. It can be made anew at any time, and so is not synced.
    pub(super) fn write_hint(&self, number: u32, segment: &Segment) -> Result<()> {
        let bytes = self.disk().read(&self.segment_path(number))?;
        let hint = hint::encode(segment.first, bytes.len(), &scan(self.bug, &bytes).found);
        replace(self.disk(), &self.hint_path(number), &[&hint], SyncPolicy::Never)
    }

    /// Removes a segment that a compaction has replaced, and its hint. A crash may come after any step, and the next
    /// opening does it again.
    pub(crate) fn remove_segment(&self, number: u32) -> Result<()> {
        let (disk, hint) = (self.disk(), self.hint_path(number));
        // ANCHOR: installs-once
        let is_there = if self.bug == Bug::InstallsOnce { true } else { disk.entry(&hint)?.is_some() };
        // ANCHOR_END: installs-once
        if is_there {
            disk.remove(&hint)?;
        }
        disk.remove(&self.segment_path(number))
    }
}
