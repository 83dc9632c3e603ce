//! Stage 5: a map in memory, an append-only file behind it, and snapshots.
//!
//! ```text
//!   set("name", "John")            delete("city")              get("name")
//!         │ 1  append one line           │ 1  append one line         ▲
//!         ▼                              ▼                            │
//!   appendonly-0000000002.aof                                         │
//!     {"operation":"SET","key":"name","value":"John"}␊                │
//!     {"operation":"DEL","key":"city"}␊                               │
//!         │ 2  then the map              │                            │
//!         ▼                              ▼                            │
//!   ┌──────────────── a map in memory, in many small tables ──────────┴──┐
//!   │  "name" → "John"     "artist" → "Daft Punk"     …                  │
//!   └────────────────────────────────────────────────────────────────────┘
//!         │ 3  now and then all of it, as it is at one moment
//!         ▼
//!   base-0000000003.snapshot       opening reads this, and then the lines behind it
//!
//!   store/
//!   ├── LOGLADDER                  whose folder this is; locked while it is open
//!   ├── MANIFEST                   which of the others count; replaced whole
//!   ├── base-0000000003.snapshot   the store at one moment (base-….aof if it is kept as lines)
//!   ├── appendonly-0000000002.aof  a line for each change since
//!   └── appendonly-0000000002.sums what those lines must be, as far as they were synced
//! ```
//!
//! Everything is in memory, and a get never touches the disk. The disk holds what it takes to have it there again. There
//! are two ways, both from Redis, and [`Persistence`] chooses: a line for each change, before it is acknowledged (the
//! *append-only file*, AOF), or all of it now and then (a *snapshot*, RDB), or both, which is the default: a snapshot,
//! and the lines since.
//!
//! *Log first, memory after.* A line that could not be appended changes nothing in memory, and its writer is told.
//! Nobody ever reads what no crash could bring back, except where the caller asked not to wait for the disk.
//!
//! Lines only grow, so now and then a *rewrite* makes a new base of what is there, and the old lines go. It happens
//! while writes go on, by [copy on write](crate#a-snapshot-while-writes-go-on), and a crash at any step leaves one store
//! or the other: the manifest says which.
//!
//! # A snapshot while writes go on
//!
//! Redis forks: the child process has the memory as it was, and the system copies each page that the parent changes. Here
//! the map does that itself. It consists of a thousand tables. A snapshot takes one after the other, under its lock. Who
//! changes a key in a table whose turn has not come yet first puts the old value aside for the snapshot. So the
//! snapshot is of one moment, no writer waits for more than a table, and the memory that it takes is that of the
//! values which were changed meanwhile: at most the store once more, if every key is changed.
//!
//! # Crash contract
//!
//! With lines, and [`SyncPolicy::Always`], the default, an acknowledged write survives a loss of power
//! ([`Durability::PowerLoss`]), and so does everything that a reader has seen. Threads that write at once share one
//! sync. With [`SyncPolicy::Never`] it survives the death of the process; a loss of power may take what was written since
//! the last `sync`, and if it takes a line and leaves a later one, opening refuses the file. With [`SyncPolicy::Every`] a
//! thread syncs so often; without threads ([`Housekeeping::OnDemand`]) each write is synced.
//!
//! With snapshots alone, a crash takes everything since the last one, whatever the [`SyncPolicy`]: those made by the rules
//! in the background ([`Durability::Eventual`]), or without threads by `sync`, `close` and
//! [`snapshot`](ReplayLog::snapshot) alone ([`Durability::OnSync`]).
//!
//! A batch is one line, and so whole or absent. A failed append or sync is an error, changes nothing in memory, and the
//! store takes no more writes until it is opened again. A failed snapshot or rewrite loses nothing: the old files are
//! still there, and another may succeed. Only if it failed when a new manifest took the place of the old one does the
//! store take no more writes either. A line that finds the disk full has the space of a rewrite that is under way.
//!
//! Damage: an unfinished last line is cut off, kept and reported ([`Engine::repairs`]). A bad line elsewhere is an error
//! with its number and offset, and so are lines that were synced and are gone; no file is changed. The lines have no place for a checksum, so a second file has sums
//! of what was synced; a line that still reads well and is not what was synced is refused. Snapshots and the manifest have
//! checksums inside. What was appended since the last sum is compared with nothing: there, a flipped bit that leaves a
//! readable line is not noticed.
//!
//! # What this stage does not do; the next one fixes it
//!
//! All data must fit in memory, and opening reads all of it: a second or so for each few million keys. And each write
//! waits for its line: with a sync for the disk, without one for a system call. Stage 6 lets a janitor write, and
//! answers at once; stage 7 leaves the values on the disk.
//!
//! # Examples
//!
//! ```
//! use logladder_engine::{Engine, Open};
//! use logladder_replay_log::{Options, ReplayLog};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let store = ReplayLog::open(dir.path(), Options::default())?;
//! store.set(b"name", b"John")?;
//! store.delete(b"name")?;
//! assert_eq!(
//!     std::fs::read_to_string(dir.path().join("appendonly-0000000001.aof")).unwrap(),
//!     "{\"operation\":\"SET\",\"key\":\"name\",\"value\":\"John\"}\n{\"operation\":\"DEL\",\"key\":\"name\"}\n"
//! );
//! drop(store);
//!
//! let store = ReplayLog::open(dir.path(), Options::default())?;
//! assert_eq!(store.replay().to_string(), "Loaded 2 operations from AOF file");
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! A file that another program wrote in this form is opened in a folder of its own, under the name
//! `appendonly-0000000001.aof`.
//!
//! The ways, their names and the order of the steps are those of Redis 7 ("Redis persistence" in its documentation; the
//! base, the increments and the manifest are its "multi part AOF").
//!
//! [`Engine::repairs`]: logladder_engine::Engine::repairs
//! [`SyncPolicy`]: logladder_engine::SyncPolicy
//! [`SyncPolicy::Always`]: logladder_engine::SyncPolicy::Always
//! [`SyncPolicy::Never`]: logladder_engine::SyncPolicy::Never
//! [`SyncPolicy::Every`]: logladder_engine::SyncPolicy::Every
//! [`Durability::PowerLoss`]: logladder_engine::Durability::PowerLoss
//! [`Durability::Eventual`]: logladder_engine::Durability::Eventual
//! [`Durability::OnSync`]: logladder_engine::Durability::OnSync

mod aof;
mod background;
mod backup;
mod commit;
mod describe;
mod engine;
mod entry;
mod files;
mod follow;
mod history;
mod line;
mod load;
mod log;
mod manifest;
mod map;
mod options;
mod parse;
mod recover;
mod replay;
mod report;
mod rewrite;
mod snapshot;
mod store;
mod sums;
mod unfinished;
mod view;
mod write;

pub use describe::describe;
pub use engine::ReplayLog;
pub use line::write_set;
pub use options::{Housekeeping, Options, Persistence, RewriteRule, SnapshotRule};
pub use parse::{Change, changes_of};
pub use report::Replay;
