//! Checking a store: every byte of every file is read, and nothing is changed.
//!
//! Opening believes what it need not read: the values of sealed segments, and what a hint or a checkpoint repeats. A
//! check reads all of it, and goes on behind each problem.

mod segment;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, LOCK_FILE, Map, RealDisk, Untouched};
use logladder_engine::{CheckReport, Problem, Progress, Result, Severity};

use crate::evidence::{Evidence, Listed};
use crate::files::{CHECKPOINT, FileKind, hint_name, segment_name};
use crate::format::checkpoint::{Checkpoint, mark_of};
use crate::format::header::SegmentHeader;
use crate::format::{checksum_matches, hint};
use crate::runs::footer_of;
use crate::scan;
use crate::seal::hint_of;
use crate::tail::TailSegment;
use crate::untouched;

/// Reads every byte of the store in `dir`, and reports what is wrong. No file is changed, and none is added.
///
/// It goes on behind a problem, to the next record and the next file. It needs memory for the largest file, and some
/// 50 bytes a key.
///
/// # Errors
///
/// [`Error::Locked`] if the store is open, [`Error::ForeignStore`] if there is none of this stage,
/// [`Error::UnsupportedVersion`], or the system refused to list the folder. A file that cannot be read is a problem in
/// the report.
///
/// ```
/// # use logladder_engine::{Engine, Open};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = logladder_hash_log::HashLog::open(dir.path(), Default::default())?;
/// store.set(b"name", b"anna")?;
/// Box::new(store).close()?;
///
/// let report = logladder_hash_log::check(dir.path())?;
/// assert!(report.is_healthy());
/// assert_eq!((report.records, report.keys), (1, 1));
/// # Ok::<(), logladder_engine::Error>(())
/// ```
///
/// [`Error::Locked`]: logladder_engine::Error::Locked
/// [`Error::ForeignStore`]: logladder_engine::Error::ForeignStore
/// [`Error::UnsupportedVersion`]: logladder_engine::Error::UnsupportedVersion
pub fn check(dir: &Path) -> Result<CheckReport> {
    check_with(RealDisk::shared(), dir, &mut |_| ())
}

/// [`check`] on any disk. Before each file, `progress` is told how far it is.
///
/// # Errors
///
/// As [`check`].
pub fn check_with(
    disk: Arc<dyn Disk>,
    dir: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<CheckReport> {
    let folder = untouched::open(disk, dir)?;
    let evidence = Evidence::in_folder(&folder)?;
    look_over(&folder, &evidence, progress)
}

/// Checks everything in `folder`.
///
/// # Errors
///
/// None: what cannot be read is a problem in the report.
pub(crate) fn look_over(
    folder: &Untouched,
    evidence: &Evidence,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<CheckReport> {
    let total = folder.entries.iter().map(|entry| entry.len).sum();
    let mut report = CheckReport::default();
    report.problems.clone_from(&evidence.problems);
    let mut checker = Checker { folder, evidence, report, newest: HashMap::new(), tail: Vec::new() };
    let mut done = 0;
    for entry in &folder.entries {
        let path = folder.path(&entry.name);
        progress(Progress::new(&path, done, total));
        done += entry.len;
        if entry.is_dir {
            checker.report.problems.push(folder.judge_folder(&entry.name));
        } else {
            checker.file(&entry.name, entry.len)?;
        }
    }
    checker.tail_as_a_whole();
    Ok(checker.finish())
}

struct Checker<'c> {
    folder: &'c Untouched,
    evidence: &'c Evidence,
    report: CheckReport,
    /// Of each key, by its hash of 128 bits: the highest number of a record, and whether that gives it a value.
    newest: HashMap<[u64; 2], (u64, bool)>,
    /// The segments of the tail that have no damage of their own, by number.
    tail: Vec<TailSegment>,
}

impl Checker<'_> {
    fn say(&mut self, severity: Severity, name: &str, offset: u64, what: impl Into<String>) {
        self.report.problems.push(Problem::new(severity, &self.folder.path(name), offset, what));
    }

    fn file(&mut self, name: &str, len: u64) -> Result<()> {
        self.report.files += 1;
        self.report.bytes += len;
        let kind = FileKind::of(name);
        if kind.is_none() && name != LOCK_FILE {
            self.report.problems.push(self.folder.judge_other_file(name));
            return Ok(());
        }
        let bytes = match self.folder.read(name) {
            Ok(bytes) => bytes,
            Err(error) => {
                let is_cache = matches!(kind, Some(FileKind::Checkpoint | FileKind::Hint(_)));
                let severity = if is_cache { Severity::Harmless } else { Severity::Damage };
                self.report.problems.push(Problem::of_error(severity, &self.folder.path(name), error));
                return Ok(());
            }
        };
        match kind {
            None => self.report.problems.extend(self.folder.judge_lock_file(&bytes)),
            // It was looked at before all others.
            Some(FileKind::Manifest) => {}
            Some(FileKind::Checkpoint) => self.checkpoint(bytes),
            Some(FileKind::Segment(id)) => self.segment(id, bytes)?,
            Some(FileKind::Hint(id)) => self.hint(id, &bytes)?,
        }
        Ok(())
    }

    fn checkpoint(&mut self, bytes: Vec<u8>) {
        let Some(manifest) = &self.evidence.manifest else {
            self.say(Severity::Remark, CHECKPOINT, 0, "it cannot be compared: there is no whole manifest");
            return;
        };
        if Checkpoint::decode(Map::of_bytes(bytes.into()), mark_of(&manifest.encode())).is_none() {
            let what = "it is damaged, or of an earlier state of the store; the next open does without it";
            self.say(Severity::Harmless, CHECKPOINT, 0, what);
        }
    }

    /// A hint says what its segment does, or it is of no use.
    fn hint(&mut self, id: u64, bytes: &[u8]) -> Result<()> {
        let (name, segment) = (hint_name(id), segment_name(id));
        if matches!(self.evidence.listed(id), Listed::Before | Listed::Nowhere) {
            self.say(Severity::Remark, &name, 0, "its segment is not listed, and the next open removes it");
            return Ok(());
        }
        let whole = bytes
            .split_last_chunk::<4>()
            .filter(|(rest, crc)| checksum_matches(u32::from_le_bytes(**crc), &[rest]));
        if whole.is_none() {
            self.say(Severity::Harmless, &name, 0, "its checksum differs; the next open does without it");
            return Ok(());
        }
        // A segment that cannot be read has been said to be.
        let Ok(records) = self.folder.read(&segment) else { return Ok(()) };
        let Some(footer) = footer_of(&records) else {
            self.say(
                Severity::Remark,
                &name,
                0,
                format!("it cannot be compared: {segment} has no whole footer"),
            );
            return Ok(());
        };
        if hint::decode(bytes, id, &footer).is_none() {
            let what = format!("it is of another state of {segment}; the next open does without it");
            self.say(Severity::Harmless, &name, 0, what);
            return Ok(());
        }
        let path = self.folder.path(&segment);
        let Ok(header) = SegmentHeader::decode(&path, self.evidence.mark, id, &records) else {
            return Ok(());
        };
        let is_whole = scan::survey(&records, &header, |_| Ok(()))?.check_sealed().is_ok();
        let right = hint_of(&records, &header, &footer)?;
        if is_whole && right != bytes {
            let same = right.iter().zip(bytes).take_while(|(right, found)| right == found).count();
            let what = format!("it contradicts {segment}, and opening believes it: remove it");
            self.say(Severity::Damage, &name, same as u64, what);
        }
        Ok(())
    }

    fn finish(mut self) -> CheckReport {
        self.report.keys = self.newest.values().filter(|(_, has_value)| *has_value).count() as u64;
        let problems = &mut self.report.problems;
        problems.sort_by(|a, b| (&a.path, a.offset, &a.what).cmp(&(&b.path, b.offset, &b.what)));
        problems.dedup_by(|a, b| (&a.path, a.offset, &a.what) == (&b.path, b.offset, &b.what));
        self.report
    }
}
