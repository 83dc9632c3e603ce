//! Every state that a crash could leave behind, built from what a [`RecordingDisk`] wrote down.
//!
//! A [`Recording`] is a disk's beginning and the operations done to it. For each point at which the machine
//! could have stopped, [`Recording::images_at`] builds the [`CrashImage`]s of that moment:
//!
//! | [`Loss`] | what the next start finds | what it stands for |
//! |---|---|---|
//! | `Nothing` | every operation before that point | `kill -9` between two system calls |
//! | `Torn` | the same, and the first bytes of the write under way | `kill -9` in the middle of one |
//! | `Unsynced` | only what a sync made durable | power loss, nothing else had been written back |
//! | `Dropped` | everything but one operation that was not synced | power loss, writes reordered |
//! | `Zeroed` | one unsynced write as zeros | power loss, the length came before the bytes |
//!
//! The idea of enumerating the states instead of sampling them is that of Pillai et al., "All File Systems
//! Are Not Created Equal", OSDI 2014 (ALICE).
//!
//! [`RecordingDisk`]: crate::RecordingDisk

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Entry, Op, RecordingDisk, parent};

/// Files and folders, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    dirs: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    /// By number, named or not. Shared between the many images of one recording.
    files: Vec<Arc<Vec<u8>>>,
}

impl Tree {
    /// The named files with their bytes, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.names.iter().map(|(path, &file)| (path.as_path(), self.bytes_of(file)))
    }

    /// The name of the file with this number, as [`Op`] has it, if it has one.
    #[must_use]
    pub fn name_of(&self, file: usize) -> Option<&Path> {
        self.names.iter().find(|(_, number)| **number == file).map(|(path, _)| path.as_path())
    }

    /// Puts `bytes` in place of the file at `path`, as damage or a stranger would: nothing is recorded.
    pub fn put(&mut self, path: &Path, bytes: Vec<u8>) {
        self.files.push(Arc::new(bytes));
        self.names.insert(path.to_path_buf(), self.files.len() - 1);
        let mut dir = parent(path);
        while self.dirs.insert(dir.to_path_buf()) && dir.parent().is_some() {
            dir = parent(dir);
        }
    }

    /// Takes the file at `path` away. Says whether there was one.
    pub fn take(&mut self, path: &Path) -> bool {
        self.names.remove(path).is_some()
    }

    /// A number that two trees share only if they look the same from outside (but for a chance of 2⁻⁶⁴).
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.dirs.hash(&mut hasher);
        for named in self.files() {
            named.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Does `op`. One that no longer makes sense, because an earlier one was dropped, does nothing.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::CreateDir(dir) => {
                self.dirs.insert(dir.clone());
            }
            Op::Create { path, file } => {
                self.bytes_mut(*file);
                self.names.insert(path.clone(), *file);
            }
            Op::Write { file, offset, bytes } => self.write(*file, *offset, bytes),
            Op::SetLen { file, len } => {
                if let Ok(len) = usize::try_from(*len) {
                    self.bytes_mut(*file).resize(len, 0);
                }
            }
            Op::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                }
            }
            Op::Remove(path) => {
                self.names.remove(path);
            }
            Op::Sync { .. } | Op::FailedSync { .. } | Op::SyncDir(_) => {}
        }
    }

    fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) {
        let Ok(start) = usize::try_from(offset) else { return };
        let content = self.bytes_mut(file);
        let end = start + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[start..end].copy_from_slice(bytes);
    }

    fn bytes_mut(&mut self, file: usize) -> &mut Vec<u8> {
        if self.files.len() <= file {
            self.files.resize_with(file + 1, Arc::default);
        }
        Arc::make_mut(&mut self.files[file])
    }

    pub(crate) fn bytes_of(&self, file: usize) -> &[u8] {
        self.files.get(file).map_or(&[], |bytes| bytes.as_slice())
    }

    pub(crate) fn file_at(&self, path: &Path) -> Option<usize> {
        self.names.get(path).copied()
    }

    /// Adds an empty file that has no name yet, and says its number. Nobody else will be given it, even if the
    /// file is never named.
    pub(crate) fn add_file(&mut self) -> usize {
        self.files.push(Arc::default());
        self.files.len() - 1
    }

    /// The root and the working folder are always there.
    pub(crate) fn is_dir(&self, path: &Path) -> bool {
        self.dirs.contains(path) || path.parent().is_none() || path == Path::new(".")
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.is_dir(path) || self.names.contains_key(path)
    }

    pub(crate) fn entry(&self, path: &Path) -> Option<Entry> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if self.is_dir(path) {
            return Some(Entry { name, len: 0, is_dir: true });
        }
        let len = self.bytes_of(self.file_at(path)?).len() as u64;
        Some(Entry { name, len, is_dir: false })
    }

    pub(crate) fn list(&self, dir: &Path) -> Vec<Entry> {
        let inside = |path: &&PathBuf| parent(path) == dir && path.as_path() != dir;
        let mut entries: Vec<Entry> = (self.dirs.iter().filter(inside))
            .chain(self.names.keys().filter(inside))
            .filter_map(|path| self.entry(path))
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }
}

/// A disk's beginning, and what was done to it.
#[derive(Debug, Clone)]
pub struct Recording {
    /// What was there first.
    pub start: Tree,
    /// What was done, in order.
    pub ops: Vec<Op>,
}

/// What a crash took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Loss {
    /// Nothing that was done.
    Nothing,
    /// The rest of the write under way.
    Torn {
        /// How many bytes were done.
        bytes: usize,
    },
    /// Everything that was not synced.
    Unsynced,
    /// The operation with this index, which was not synced.
    Dropped {
        /// The operation's index.
        op: usize,
    },
    /// The bytes, but not the length, of the write with this index, which was not synced.
    Zeroed {
        /// The write's index.
        op: usize,
    },
}

impl Loss {
    /// Whether only a loss of power does this; the death of the process does not.
    #[must_use]
    pub fn needs_power_loss(self) -> bool {
        !matches!(self, Self::Nothing | Self::Torn { .. })
    }
}

/// What the next start would find.
#[derive(Debug, Clone)]
pub struct CrashImage {
    /// How many operations had been done when the crash came.
    pub after: usize,
    /// What it took.
    pub loss: Loss,
    /// What is left.
    pub tree: Tree,
}

impl Recording {
    /// What `disk` has recorded so far.
    #[must_use]
    pub fn of(disk: &RecordingDisk) -> Self {
        Self { start: disk.start(), ops: disk.ops() }
    }

    /// What is left if the power is lost now, and nothing had been written back but what a sync made durable: the image
    /// [`Loss::Unsynced`] of this moment.
    #[must_use]
    pub fn after_power_loss(&self) -> Tree {
        self.build(&self.ops, |op| if is_durable(&self.ops, op) { Kept::Whole } else { Kept::Nothing })
    }

    /// Every image of a crash that came when `after` operations had been done and the next one, if there is
    /// one, was under way.
    #[must_use]
    pub fn images_at(&self, after: usize) -> Vec<CrashImage> {
        let after = after.min(self.ops.len());
        let done = &self.ops[..after];
        let whole = self.build(done, |_| Kept::Whole);
        let mut images = Vec::new();
        if let Some(Op::Write { file, offset, bytes }) = self.ops.get(after) {
            for torn in 1..bytes.len() {
                let mut tree = whole.clone();
                tree.write(*file, *offset, &bytes[..torn]);
                images.push(CrashImage { after, loss: Loss::Torn { bytes: torn }, tree });
            }
        }
        let unsynced: BTreeSet<usize> = (0..after).filter(|&op| !is_durable(done, op)).collect();
        for &op in &unsynced {
            let tree = self.build(done, |other| if other == op { Kept::Nothing } else { Kept::Whole });
            images.push(CrashImage { after, loss: Loss::Dropped { op }, tree });
            if matches!(done[op], Op::Write { .. }) {
                let tree = self.build(done, |other| if other == op { Kept::Length } else { Kept::Whole });
                images.push(CrashImage { after, loss: Loss::Zeroed { op }, tree });
            }
        }
        if !unsynced.is_empty() {
            let kept = |op| if unsynced.contains(&op) { Kept::Nothing } else { Kept::Whole };
            images.push(CrashImage { after, loss: Loss::Unsynced, tree: self.build(done, kept) });
        }
        images.push(CrashImage { after, loss: Loss::Nothing, tree: whole });
        // The simplest first: that is the one to be told of, if several show the same.
        images.sort_by_key(|image| image.loss);
        images
    }

    fn build(&self, done: &[Op], kept: impl Fn(usize) -> Kept) -> Tree {
        let mut tree = self.start.clone();
        for (index, op) in done.iter().enumerate() {
            match (kept(index), op) {
                (Kept::Whole, _) => tree.apply(op),
                (Kept::Length, Op::Write { file, offset, bytes }) => {
                    tree.write(*file, *offset, &vec![0; bytes.len()]);
                }
                (Kept::Length | Kept::Nothing, _) => {}
            }
        }
        tree
    }
}

/// How much of an operation the crash left.
enum Kept {
    Whole,
    Length,
    Nothing,
}

/// Whether the operation with this index survives a loss of power after all of `done`.
fn is_durable(done: &[Op], index: usize) -> bool {
    let later = &done[index + 1..];
    match &done[index] {
        Op::Write { file, .. } | Op::SetLen { file, .. } => later
            .iter()
            .find_map(|op| match op {
                Op::Sync { file: synced } if synced == file => Some(true),
                // Its pages were marked clean without having been written: no later sync covers them.
                Op::FailedSync { file: failed } if failed == file => Some(false),
                _ => None,
            })
            .unwrap_or(false),
        Op::CreateDir(path) | Op::Create { path, .. } | Op::Rename { to: path, .. } | Op::Remove(path) => {
            let dir = parent(path);
            later.iter().any(|op| matches!(op, Op::SyncDir(synced) if synced == dir))
        }
        // They leave nothing of their own.
        Op::Sync { .. } | Op::FailedSync { .. } | Op::SyncDir(_) => true,
    }
}
