//! [`Replay`]: what opening a store did.

use std::fmt;
use std::time::Duration;

/// What opening a store read. As text it is what a program says when it starts:
///
/// ```
/// use logladder_engine::{Engine, Open};
/// use logladder_replay_log::{Options, ReplayLog};
///
/// # let dir = tempfile::tempdir().unwrap();
/// let store = ReplayLog::open(dir.path(), Options::default())?;
/// assert_eq!(store.replay().to_string(), "AOF file is empty, starting with empty database");
/// store.set(b"name", b"John")?;
/// drop(store);
/// let store = ReplayLog::open(dir.path(), Options::default())?;
/// assert_eq!(store.replay().to_string(), "Loaded 1 operations from AOF file");
/// # Ok::<(), logladder_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Replay {
    /// How many operations of the append-only files were applied; each write of a batch counts.
    pub operations: u64,
    /// The name of the snapshot that was loaded first, if there was one.
    pub snapshot: Option<String>,
    /// How many keys it held.
    pub keys: u64,
    /// How long opening took.
    pub duration: Duration,
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.snapshot, self.operations) {
            (None, 0) => f.write_str("AOF file is empty, starting with empty database"),
            (None, operations) => write!(f, "Loaded {operations} operations from AOF file"),
            (Some(name), 0) => write!(f, "Loaded {} keys from snapshot {name}", self.keys),
            (Some(name), operations) => {
                writeln!(f, "Loaded {} keys from snapshot {name}", self.keys)?;
                write!(f, "Loaded {operations} operations from AOF file")
            }
        }
    }
}
