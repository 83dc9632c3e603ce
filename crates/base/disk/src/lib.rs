//! The file work of every engine.
//!
//! An engine never calls `std::fs`: it is handed a [`Disk`] and does all its work through it. There are two.
//! [`RealDisk`] is the file system. [`RecordingDisk`] is one in memory that writes down the sequence of
//! operations, fails any of them on demand, and from the record builds every state that a crash could have
//! left behind ([`crash`]). The same engine, unchanged, runs on both: that is how its crash contract is
//! proven.
//!
//! ```text
//!   engine ──► Disk::create / reserve / open ──► File::append ──► the log grows
//!          ──► replace(disk, path, contents) ──► temporary, sync, rename, sync the folder
//!          ──► StoreFolder::open             ──► whose folder is this, and is it in use?
//!          ──► cut_torn_tail                 ──► the tail rule: cut, keep, report
//! ```
//!
//! What the file system is assumed to do, and no more:
//!
//! - bytes are on the disk once [`File::sync`] has returned; before that any write may be lost, whole or
//!   from some byte on, also when a later one is not;
//! - a created, renamed or removed name is on the disk once [`Disk::sync_dir`] of its folder has returned;
//! - a rename within a folder replaces the target whole or not at all.
//!
//! See Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, for what happens to those who
//! assume more.

pub mod crash;
mod folder;
mod held_lock;
mod mapped;
#[cfg(feature = "names")]
pub mod names;
pub mod parallel;
mod poison;
mod real;
mod recorded_file;
mod recording;
mod repaired;
mod replace;
pub mod sabotage;
mod tail;
mod untouched;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_engine::{Open, Result};

pub use folder::{LOCK_FILE, StoreFolder, claim, folder_in_place_of_file};
pub use mapped::{Map, prefetch};
pub use poison::Poison;
pub use real::RealDisk;
pub use recording::{Fault, Filter, Op, RecordingDisk};
pub use repaired::finish_repair;
pub use replace::{TEMPORARY_SUFFIX, install_temporary, replace, write_temporary};
pub use tail::{TORN_INFIX, cut_torn_tail, end_without_zeros};
pub use untouched::Untouched;

/// The space of a reserved file grows by so many bytes: 1 MiB.
pub const RESERVE_STEP: u64 = 1 << 20;

/// An engine that can be opened on any disk: what a crash test asks of it.
pub trait OpenOn: Open {
    /// [`Open::open`] on the given disk. `Open::open` is this on [`RealDisk`].
    ///
    /// # Errors
    ///
    /// As [`Open::open`].
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Self::Options) -> Result<Self>;
}

/// A file system, as far as a storage engine needs one. Paths are used as they are given.
pub trait Disk: Send + Sync + Debug {
    /// The same path from the root on, so that it goes on naming the same thing when the process changes its
    /// working directory. A disk without working directories gives it back as it is.
    ///
    /// # Errors
    ///
    /// `path` is empty, or the working directory is gone.
    fn absolute(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_path_buf())
    }

    /// The same path from the root on, and by way of no link and no `..`, as far as there is anything: what it has in common
    /// with another is a folder that both lie in. A disk that has neither gives it back as it is.
    ///
    /// # Errors
    ///
    /// As [`absolute`](Self::absolute), or the system refused to look.
    fn resolved(&self, path: &Path) -> Result<PathBuf> {
        self.absolute(path)
    }

    /// Makes one folder. One that is there already is fine.
    ///
    /// # Errors
    ///
    /// The system refused, or a file stands there.
    fn create_dir(&self, dir: &Path) -> Result<()>;

    /// What stands at `path`, or `None`.
    ///
    /// # Errors
    ///
    /// The system refused to look.
    fn entry(&self, path: &Path) -> Result<Option<Entry>>;

    /// What stands in the folder `dir`, sorted by name. Names that are not UTF-8 are given lossily, with U+FFFD
    /// for what is not: no path may be built from those.
    ///
    /// # Errors
    ///
    /// It is not there, or not a folder, or the system refused.
    fn list(&self, dir: &Path) -> Result<Vec<Entry>>;

    /// Makes a new, empty file for appending.
    ///
    /// # Errors
    ///
    /// Something stands there already, or the system refused.
    fn create(&self, path: &Path) -> Result<Box<dyn File>>;

    /// Makes a new file of at most `capacity` bytes that is mapped into memory, with space reserved for it on the disk
    /// ahead, in steps of [`RESERVE_STEP`]. An append to it is a copy, without a system call but for one in each step,
    /// and survives the death of the process all the same; its bytes can be read in place ([`File::bytes`]). Until it
    /// is truncated, the file is as long as the space that is reserved, and what was not written is zeros.
    ///
    /// # Errors
    ///
    /// As [`create`](Disk::create), or the space cannot be reserved here. Then no file is left behind.
    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>>;

    /// Opens a file that is there, for reading and appending.
    ///
    /// # Errors
    ///
    /// It is not there, or the system refused.
    fn open(&self, path: &Path) -> Result<Box<dyn File>>;

    /// Maps the whole of a file that no longer changes into memory, for reading.
    ///
    /// # Errors
    ///
    /// As [`open`](Disk::open).
    fn map(&self, path: &Path) -> Result<Map>;

    /// Renames a file within its folder, in place of what has the new name.
    ///
    /// # Errors
    ///
    /// The system refused; both names stand for what they did.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Gives a file that no longer changes another name, perhaps in another folder. The two are one file, until one
    /// of the names is removed.
    ///
    /// # Errors
    ///
    /// The other name is taken, or the system or the file system has no such thing: then the file must be copied.
    fn link(&self, from: &Path, _to: &Path) -> Result<()> {
        let none = std::io::Error::from(std::io::ErrorKind::Unsupported);
        Err(logladder_engine::Error::io("give another name to", from, none))
    }

    /// Removes a file's name. Who has it open or mapped keeps it.
    ///
    /// # Errors
    ///
    /// It is not there, or the system refused.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Returns when every name created, renamed or removed in `dir` is on the disk.
    ///
    /// # Errors
    ///
    /// The system refused, or the disk failed.
    fn sync_dir(&self, dir: &Path) -> Result<()>;

    /// Returns when every file in `dir`, and every name, is on the disk, whoever wrote it. Folders inside it are
    /// not looked into; a file whose name is not UTF-8, which no store has, may be left out.
    ///
    /// # Errors
    ///
    /// As [`sync_dir`](Disk::sync_dir).
    fn sync_files(&self, dir: &Path) -> Result<()> {
        let can_be_opened =
            |entry: &&Entry| !entry.is_dir && !entry.name.contains(char::REPLACEMENT_CHARACTER);
        for entry in self.list(dir)?.iter().filter(can_be_opened) {
            self.open(&dir.join(&entry.name))?.sync()?;
        }
        self.sync_dir(dir)
    }

    /// Returns when every file in `dir` and in the folders below it, and every name, is on the disk, whoever wrote it.
    /// Of names that are not UTF-8 the same is true as for [`sync_files`](Disk::sync_files).
    ///
    /// # Errors
    ///
    /// As [`sync_dir`](Disk::sync_dir).
    fn sync_tree(&self, dir: &Path) -> Result<()> {
        let is_folder = |entry: &&Entry| entry.is_dir && !entry.name.contains(char::REPLACEMENT_CHARACTER);
        for entry in self.list(dir)?.iter().filter(is_folder) {
            self.sync_tree(&dir.join(&entry.name))?;
        }
        self.sync_files(dir)
    }

    /// Takes the lock of the file at `path`, which is made if it is not there and never removed. The lock is
    /// the system's: it ends with the process that holds it, however that ends.
    ///
    /// # Errors
    ///
    /// [`Locked`](logladder_engine::Error::Locked) if someone has it, in this process or another.
    fn lock(&self, path: &Path) -> Result<Lock>;

    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// As [`open`](Disk::open).
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let file = self.open(path)?;
        // The length is the file's own, not a number read from it, so there is as much to read.
        let mut bytes = vec![0; usize::try_from(file.len()).unwrap_or(usize::MAX)];
        file.read_at(0, &mut bytes)?;
        Ok(bytes)
    }
}

/// A file that grows at its end.
pub trait File: Send + Sync + Debug {
    /// The path it was opened by.
    fn path(&self) -> &Path;

    /// Its length in bytes: what was there when it was opened, and every append that succeeded since. Bytes
    /// of a failed append, or of an unused reserve, lie behind it.
    fn len(&self) -> u64;

    /// Whether nothing is in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `bytes` and returns the offset they start at. Then they are with the kernel: they survive the
    /// death of this process, but not yet a loss of power.
    ///
    /// # Errors
    ///
    /// The system refused: some of the bytes may be in the file, behind [`len`](File::len). A reserved file
    /// refuses, with `StorageFull` and unchanged, what no longer fits its reserve.
    fn append(&self, bytes: &[u8]) -> Result<u64>;

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// The file ends before, or the system refused.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// Cuts the file to `len` bytes. For a reserved file: gives back the unused reserve.
    ///
    /// # Errors
    ///
    /// The system refused; or `len` is past the end; or the file is reserved, and `len` is not its length.
    fn truncate(&self, len: u64) -> Result<()>;

    /// Returns when everything written is on the disk.
    ///
    /// # Errors
    ///
    /// The disk failed. What was written since the last success may be lost, and a second call does not
    /// prove otherwise.
    fn sync(&self) -> Result<()>;

    /// All bytes of the file, in place, if it is mapped ([`Disk::reserve`]).
    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

/// What stands in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The last part of its path.
    pub name: String,
    /// Its length in bytes. For a folder, 0.
    pub len: u64,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// A lock that is held until this value is dropped.
#[derive(Debug)]
pub struct Lock {
    /// Whatever releases the lock when it is dropped.
    holder: Box<dyn Holder>,
}

/// Who holds a locked file.
trait Holder: Debug + Send + Sync {
    /// Whether that file is the one that stands at `path` now.
    fn is_at(&self, path: &Path) -> Result<bool>;
}

impl Lock {
    fn new(holder: impl Holder + 'static) -> Self {
        Self { holder: Box::new(holder) }
    }

    /// Whether the locked file is the one that stands at `path` now. It no longer is when the folder was moved away,
    /// and perhaps another put in its place: a lock is of a file, whatever its name becomes.
    ///
    /// # Errors
    ///
    /// The system refused to look.
    pub fn is_at(&self, path: &Path) -> Result<bool> {
        self.holder.is_at(path)
    }
}

/// The folder that a path lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
