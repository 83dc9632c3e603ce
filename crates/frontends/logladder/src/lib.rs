//! Every stage of the ladder, behind one trait.
//!
//! A program that knows which engine it wants depends on that engine's crate alone. This one is for who
//! wants to choose at run time, or to see them side by side: it exports every stage as a module, the words
//! they share at its root, and the table of stages, [`STAGES`].
//!
//! ```
//! use logladder::{Engine, SyncPolicy};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let folder = folder.path();
//! let stage = logladder::stage("hash-log").ok_or("no such stage")?;
//! let store = stage.open(folder, SyncPolicy::Always)?;
//! store.set(b"city", b"Dhaka")?;
//! assert_eq!(store.get(b"city")?.as_deref(), Some(&b"Dhaka"[..]));
//! store.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod table;

pub use logladder_engine::{
    CheckReport, Collections, Compact, Compacted, Durability, Engine, Error, Field, Iterate, Open, Problem,
    Progress, Repair, Result, Salvaged, Severity, Stalls, Stats, SyncPolicy, Visit, collection_and_member,
    limits,
};
pub use table::{STAGES, Stage, stage};

/// Stage 1: a hash map.
pub use logladder_memory as memory;

/// Stage 2: one JSON file, rewritten on every set.
pub use logladder_json_file as json_file;

/// Stage 3: the filesystem as the database.
pub use logladder_file_per_key as file_per_key;

/// Stage 4: append to a log, scan it to read.
pub use logladder_scan_log as scan_log;

/// Stage 5: a map in memory, behind it an append-only file and snapshots.
pub use logladder_replay_log as replay_log;

/// Stage 6: collections in memory, written to the disk by a janitor.
pub use logladder_write_behind as write_behind;

/// Stage 7: an index over log segments, with compaction.
pub use logladder_hash_log as hash_log;

/// Stage 8: a memtable, a write-ahead log and sorted tables, merged level by level.
pub use logladder_sorted_log as sorted_log;

/// Stage 9: the same trait over a replicated cluster. It is not in the table of stages: it is opened by the addresses of
/// machines, and not in a folder.
#[cfg(feature = "etcd")]
pub use logladder_etcd as etcd;

/// Typed documents over any engine.
pub use logladder_json as json;

/// The file work of the engines, and the disk that crashes on demand.
pub use logladder_disk as disk;
