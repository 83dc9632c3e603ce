//! What an engine says of itself: which crash it survives, how large it is, what opening had to repair.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The crash that an acknowledged write survives.
///
/// They are ordered: a later one survives whatever an earlier one does. Engines are compared only with
/// engines of the same durability; a store that does less work per write is not a faster store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// None: the data is gone when the engine is.
    Never,
    /// Only what `sync` or `close` covered survives anything, a killed process included.
    OnSync,
    /// As `OnSync`, but the engine writes on its own soon after the write is acknowledged.
    Eventual,
    /// The death of the process (`kill -9`): the bytes are with the kernel. A power loss may take what was
    /// written since the last `sync`.
    ProcessCrash,
    /// The loss of power: the bytes are on the disk.
    PowerLoss,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Never => "never",
            Self::OnSync => "on sync",
            Self::Eventual => "eventual",
            Self::ProcessCrash => "process crash",
            Self::PowerLoss => "power loss",
        })
    }
}

/// When a persistent engine syncs its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// Before each write is acknowledged: it survives a power loss. The safe choice, and the slow one: a
    /// sync of a solid-state disk takes some hundred microseconds.
    #[default]
    Always,
    /// Only when `sync` or `close` is called: an acknowledged write survives the death of the process, as
    /// the kernel has it, but perhaps not a power loss.
    Never,
    /// As `Never`, and a thread of the engine syncs when this much time has passed since the first write that
    /// is not on the disk yet: a power loss takes no more than that. A stage without such a thread
    /// syncs each write, as with `Always`; and so does every stage if the time is zero.
    Every(Duration),
}

impl SyncPolicy {
    /// The same, with `Always` for a time of zero, which means just that. A stage asks for it once, when it is opened.
    #[must_use]
    pub fn simplified(self) -> Self {
        match self {
            Self::Every(Duration::ZERO) => Self::Always,
            other => other,
        }
    }

    /// The durability of an engine that hands each write to the kernel before it acknowledges it.
    #[must_use]
    pub fn durability(self) -> Durability {
        match self.simplified() {
            Self::Always => Durability::PowerLoss,
            Self::Never | Self::Every(_) => Durability::ProcessCrash,
        }
    }
}

/// How large a store is.
///
/// More fields will come with the stages that need them: make one with [`Stats::default`] and set its
/// fields.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys that have a value. One whose value has [ended](crate::Expire) may count until it is removed.
    pub live_keys: u64,
    /// Bytes of those keys and their values.
    pub live_bytes: u64,
    /// Bytes of the store's files, by their length.
    pub disk_bytes: u64,
    /// Bytes of memory for finding a key: an estimate from sizes, not a measurement.
    pub index_bytes: u64,
    /// How many files are appended to by write(2), a system call for each write, because space for them could
    /// not be reserved and mapped. 0 is the fast way, and what a stage says that always writes.
    pub unreserved_files: u64,
    /// Keys whose newest value, or whose delete, is in memory alone: what the death of the process would take. 0
    /// for a stage that hands each write to the kernel before it is acknowledged.
    pub unwritten_keys: u64,
    /// How often writing those has failed since it last succeeded. 0 is health.
    pub failed_writes: u64,
    /// How often writers had to wait for room, as [`Engine::stalls`](crate::Engine::stalls) says it. None for a stage
    /// that never lets them wait.
    pub stalls: Option<Stalls>,
}

/// How often writers had to wait since the store was opened, because they were faster than what they had written could be
/// put in its place, and for how long.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stalls {
    /// How many waits have begun.
    pub count: u64,
    /// What they took together, of one that goes on as well. Writers that wait at the same time count each for itself, so
    /// this may be more than has passed.
    pub time: Duration,
}

impl Stalls {
    /// So many waits, which took so long together.
    #[must_use]
    pub fn new(count: u64, time: Duration) -> Self {
        Self { count, time }
    }
}

/// Something that opening a store had to cut off: a write that a crash left unfinished.
///
/// Nothing is thrown away. The bytes lie in [`kept`](Repair::kept) until the user removes that file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repair {
    /// The file that was cut.
    pub path: PathBuf,
    /// Where it was cut: its new length in bytes.
    pub offset: u64,
    /// How many bytes were cut off.
    pub len: u64,
    /// The file that holds them now.
    pub kept: PathBuf,
}

impl Repair {
    /// A cut of `len` bytes at `offset` of `path`, kept in the file `kept`.
    #[must_use]
    pub fn new(path: PathBuf, offset: u64, len: u64, kept: PathBuf) -> Self {
        Self { path, offset, len, kept }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cut {} bytes of an unfinished write off {} at offset {}; they are kept in {}",
            self.len,
            self.path.display(),
            self.offset,
            self.kept.display()
        )
    }
}
