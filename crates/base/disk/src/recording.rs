//! [`RecordingDisk`]: a file system in memory that writes down what is done to it, and fails on demand.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logladder_engine::{Error, Result};

use crate::crash::{Recording, Tree};
use crate::mapped::Reserve;
use crate::recorded_file::RecordedFile;
use crate::{Disk, Entry, File, Holder, Lock, Map, RESERVE_STEP};

/// One thing that was done to the disk. Files are numbered as they are made, since names come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// A folder was made.
    CreateDir(PathBuf),
    /// The file `file` was made, empty, and named.
    Create {
        /// Its name.
        path: PathBuf,
        /// Its number.
        file: usize,
    },
    /// Bytes were written; space between the old end and `offset` is zeros.
    Write {
        /// The file's number.
        file: usize,
        /// Where they start.
        offset: u64,
        /// What was written.
        bytes: Vec<u8>,
    },
    /// The file was cut, or lengthened with zeros.
    SetLen {
        /// The file's number.
        file: usize,
        /// Its length now.
        len: u64,
    },
    /// What was written to the file is on the disk.
    Sync {
        /// The file's number.
        file: usize,
    },
    /// A sync failed: what was written since the last good one will never be made durable by a later one,
    /// because the kernel has marked the pages clean.
    FailedSync {
        /// The file's number.
        file: usize,
    },
    /// A name was moved.
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new name, of which whatever had it is rid.
        to: PathBuf,
    },
    /// A name was removed.
    Remove(PathBuf),
    /// The names in the folder are on the disk.
    SyncDir(PathBuf),
}

/// Which operations a [`Fault`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Filter {
    /// Every operation that changes something or syncs it.
    Any,
    /// Appends, whether written or copied into a reserve.
    Append,
    /// Syncs of files.
    Sync,
    /// Syncs of folders.
    SyncDir,
    /// New files, reserved or not.
    Create,
    /// Renames.
    Rename,
    /// Removals.
    Remove,
    /// Cuts.
    Truncate,
}

/// An operation that is to fail.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Which operations count.
    pub on: Filter,
    /// How many of them succeed first.
    pub after: usize,
    /// How many bytes of a failing append reach the file before the error.
    pub torn_at: usize,
    /// What the system says.
    pub kind: io::ErrorKind,
}

/// A disk in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct RecordingDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// What was there before the first operation.
    start: Tree,
    /// What is there now.
    pub(crate) now: Tree,
    ops: Vec<Op>,
    faults: Vec<Fault>,
    forgotten: BTreeSet<Filter>,
    locks: BTreeSet<PathBuf>,
    read_only: bool,
}

impl RecordingDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that holds `tree`, with nothing recorded: the machine after a crash.
    #[must_use]
    pub fn from_tree(tree: Tree) -> Self {
        let state = State { start: tree.clone(), now: tree, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A disk on which `recording` has been done: the machine after a process has died. That takes nothing away,
    /// and makes nothing durable either.
    #[must_use]
    pub fn resume(recording: Recording) -> Self {
        let mut state = State { start: recording.start.clone(), now: recording.start, ..State::default() };
        for op in recording.ops {
            state.record(op);
        }
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// What has been done so far.
    #[must_use]
    pub fn ops(&self) -> Vec<Op> {
        self.state().ops.clone()
    }

    /// What has been done behind the first `before` operations.
    #[must_use]
    pub fn ops_behind(&self, before: usize) -> Vec<Op> {
        self.state().ops.get(before..).unwrap_or_default().to_vec()
    }

    /// How many operations have been done so far.
    #[must_use]
    pub fn op_count(&self) -> usize {
        self.state().ops.len()
    }

    /// What was there before the first operation.
    #[must_use]
    pub fn start(&self) -> Tree {
        self.state().start.clone()
    }

    /// What is there now, as the running programs see it.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.state().now.clone()
    }

    /// Makes one operation fail.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Takes back every fault that has not happened yet.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// From now on, says yes to such operations and does nothing: for syncs, the lie of a disk that ignores
    /// them, or of an engine that forgot them.
    pub fn forget(&self, what: Filter) {
        self.state().forgotten.insert(what);
    }

    /// Whether everything that changes something is refused.
    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic in a test's engine must not hide what it did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `op` unless it is to fail, and records it.
    pub(crate) fn perform(&self, what: Filter, deed: &'static str, path: &Path, op: Op) -> Result<()> {
        let mut state = self.state();
        let failed = |kind| Error::io(deed, path, io::Error::from(kind));
        if state.read_only {
            return Err(failed(io::ErrorKind::PermissionDenied));
        }
        if let Some(fault) = state.due_fault(what) {
            match op {
                Op::Write { file, offset, mut bytes } if fault.torn_at > 0 => {
                    bytes.truncate(fault.torn_at);
                    state.record(Op::Write { file, offset, bytes });
                }
                Op::Sync { file } => state.record(Op::FailedSync { file }),
                _ => {}
            }
            return Err(failed(fault.kind));
        }
        if !state.forgotten.contains(&what) {
            state.record(op);
        }
        Ok(())
    }

    fn missing(deed: &'static str, path: &Path) -> Error {
        Error::io(deed, path, io::Error::from(io::ErrorKind::NotFound))
    }

    /// Names a new file, and says its number.
    fn name_new_file(&self, path: &Path) -> Result<usize> {
        let file = {
            let mut state = self.state();
            if state.now.exists(path) {
                return Err(Error::io("create", path, io::Error::from(io::ErrorKind::AlreadyExists)));
            }
            if !state.now.is_dir(crate::parent(path)) {
                return Err(Self::missing("create", path));
            }
            state.now.add_file()
        };
        self.perform(Filter::Create, "create", path, Op::Create { path: path.to_path_buf(), file })?;
        Ok(file)
    }

    fn file(&self, path: &Path, file: usize, reserve: Option<(Reserve, u64)>, len: u64) -> Box<dyn File> {
        Box::new(RecordedFile::new(self.clone(), path, file, reserve, len))
    }
}

impl State {
    fn record(&mut self, op: Op) {
        self.now.apply(&op);
        self.ops.push(op);
    }

    fn due_fault(&mut self, what: Filter) -> Option<Fault> {
        let counts = |fault: &Fault| fault.on == what || fault.on == Filter::Any;
        let due = self.faults.iter().position(|fault| counts(fault) && fault.after == 0);
        if let Some(index) = due {
            return Some(self.faults.remove(index));
        }
        for fault in self.faults.iter_mut().filter(|fault| counts(fault)) {
            fault.after -= 1;
        }
        None
    }
}

impl Disk for RecordingDisk {
    fn create_dir(&self, dir: &Path) -> Result<()> {
        {
            let state = self.state();
            if state.now.is_dir(dir) {
                return Ok(());
            }
            if state.now.exists(dir) {
                let kind = io::ErrorKind::AlreadyExists;
                return Err(Error::io("make the folder", dir, io::Error::from(kind)));
            }
        }
        self.perform(Filter::Create, "make the folder", dir, Op::CreateDir(dir.to_path_buf()))
    }

    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        Ok(self.state().now.entry(path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        let state = self.state();
        if !state.now.is_dir(dir) {
            return Err(Self::missing("list the folder", dir));
        }
        Ok(state.now.list(dir))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        let file = self.name_new_file(path)?;
        Ok(self.file(path, file, None, 0))
    }

    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>> {
        let failed = |source| Error::io("reserve space for", path, source);
        let size = usize::try_from(capacity).map_err(|error| failed(io::Error::other(error)))?;
        let reserve = Reserve::in_memory(size).map_err(failed)?;
        let file = self.name_new_file(path)?;
        let lengthen = Op::SetLen { file, len: RESERVE_STEP.min(capacity) };
        if let Err(error) = self.perform(Filter::Truncate, "reserve space for", path, lengthen) {
            // As the real disk does: no file is left behind.
            self.remove(path)?;
            return Err(error);
        }
        Ok(self.file(path, file, Some((reserve, capacity)), 0))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        let state = self.state();
        let file = state.now.file_at(path).ok_or_else(|| Self::missing("open", path))?;
        let len = state.now.bytes_of(file).len() as u64;
        drop(state);
        Ok(self.file(path, file, None, len))
    }

    fn map(&self, path: &Path) -> Result<Map> {
        let state = self.state();
        let file = state.now.file_at(path).ok_or_else(|| Self::missing("map", path))?;
        Ok(Map::of_bytes(Arc::from(state.now.bytes_of(file))))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        if self.state().now.file_at(from).is_none() {
            return Err(Self::missing("rename", from));
        }
        let op = Op::Rename { from: from.to_path_buf(), to: to.to_path_buf() };
        self.perform(Filter::Rename, "put a new file in place of", to, op)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        if self.state().now.file_at(path).is_none() {
            return Err(Self::missing("remove", path));
        }
        self.perform(Filter::Remove, "remove", path, Op::Remove(path.to_path_buf()))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.perform(Filter::SyncDir, "sync the folder", dir, Op::SyncDir(dir.to_path_buf()))
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        if self.state().now.file_at(path).is_none() {
            self.name_new_file(path)?;
        }
        if !self.state().locks.insert(path.to_path_buf()) {
            return Err(Error::Locked { path: path.to_path_buf() });
        }
        let file = self.state().now.file_at(path);
        Ok(Lock::new(RecordedLock { disk: self.clone(), path: path.to_path_buf(), file }))
    }
}

#[derive(Debug)]
struct RecordedLock {
    disk: RecordingDisk,
    path: PathBuf,
    /// Its number. None if the disk was told to forget that it was made.
    file: Option<usize>,
}

impl Holder for RecordedLock {
    fn is_at(&self, path: &Path) -> Result<bool> {
        Ok(self.disk.state().now.file_at(path) == self.file)
    }
}

impl Drop for RecordedLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}
