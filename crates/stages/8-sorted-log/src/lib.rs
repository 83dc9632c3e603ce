//! Stage 8: a memtable, a write-ahead log and sorted tables, merged level by level.
//!
//! This is the log-structured merge tree (O'Neil, Cheng, Gawlick and O'Neil, "The Log-Structured Merge-Tree", 1996), in
//! the form that Bigtable and LevelDB gave it. What is written last is kept sorted in memory, and in a log that is
//! only read after a crash. When the memory is full, it is written out as a table: a file of keys in order, which never
//! changes. Tables are merged in the background, so that few of them have to be looked into, and what was
//! overwritten is gone.
//!
//! ```text
//!   set("name", "anna") ──► append to the log ──► memtable: a sorted list in memory
//!                                                    │ full: written as a table
//!                                                    ▼
//!   get("name") ──► memtable ──► level 0   ▒▒▒▒▒▒▒▒▒  ▒▒▒▒▒▒▒▒▒      as they came: they overlap
//!                                  │                 │ merged
//!                                  ▼                 ▼
//!                                level 1   ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒      a key is in one of them at most
//!                                level 2   ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒ ▒▒▒
//!                 the first that knows the key has the answer, a tombstone too
//!
//!   store/
//!   ├── LOGLADDER            whose folder this is; locked while it is open
//!   ├── MANIFEST             which tables are the store, and from which log on: a log of edits itself
//!   ├── 0000000007.log       what the memtable says
//!   ├── 0000000004.table     blocks of sorted keys, a Bloom filter, an index of the blocks, a footer
//!   └── 0000000006.table
//! ```
//!
//! A key is looked for in the index of a table by binary search, and the Bloom filter says of most tables that they do not
//! have it. A scan merges all parts, forward or backward, as they were at one moment: each write has a number, and no
//! file ever changes, so a [`Snapshot`] is only a number and the list of parts. [`describe()`] names the bytes of any of these
//! files one by one.
//!
//! # Where it comes from
//!
//! The book that this ladder follows ends with a promise: a buffer of writes, written into
//! `sorted_string_table_0001.json` when it has `maxBufferLength` entries, searched newest first by binary search. This stage
//! keeps that promise, and its tests carry the names of three mistakes that are easily made on the way:
//! deleted values come back from an older table, where one answer says both that a key is deleted and that it is not here;
//! keys that are sorted as JSON text and compared as keys are not found; and file 10000 sorts before file 9999 where names
//! are text.
//!
//! # Crash contract
//!
//! With [`SyncPolicy::Always`], the default, each write is synced before it is acknowledged and can be seen, and survives a
//! loss of power ([`Durability::PowerLoss`]). Threads that write at once share one sync.
//!
//! With [`SyncPolicy::Never`], an acknowledged write survives the death of the process ([`Durability::ProcessCrash`]):
//! it lies in a page of the log that the kernel owns. [`Engine::sync`] makes everything before it survive a loss of
//! power, and so does a memtable that is full. With [`SyncPolicy::Every`], a thread syncs from time to time.
//!
//! In all cases:
//!
//! - A write is whole or absent, a batch too, and a deleted value never comes back.
//! - Only the newest log and the manifest are ever cut, and only where no valid record follows, or where a loss of power
//!   left a hole of zeros. What is cut is kept in a file beside it and reported by [`Engine::repairs`]. What was in the log
//!   when the store was closed is never cut: damage there is told as such, to the last write.
//! - Every byte that is believed is covered by a checksum. Damage is [`Error::Corrupt`] with the file and the offset: of a
//!   log, the manifest, a filter or an index at opening, and then no file is changed; of a block when it is first read. A
//!   table that is whole and another store's is damage as well.
//! - A merge that meets damage leaves the table where it is, and writes go on ([`Engine::trouble`] tells of it) until level 0 is
//!   full of what cannot be merged without it. [`check()`] names every damaged place without opening the store, and
//!   [`salvage()`] makes a new one of everything else.
//! - What is the store changes in one step, an edit of the manifest that is synced before any file is removed. A flush or a
//!   merge may stop anywhere.
//! - Of the files that no list names, opening removes what a crash explains. Whatever else has such a name is left alone
//!   ([`SortedLog::left_alone`]); and a table with keys that are nowhere else means that the manifest is an older one,
//!   which is refused.
//!
//! # Limits
//!
//! Keys of 65,535 bytes, values of 1 GiB less one byte ([`limits`]), batches of 1 GiB. While a store is open,
//! its tables are mapped: if another program shortens one, reading the lost part kills the process. A log that was reserved
//! and mapped is written without a system call; after a reopening, the same log is continued by write(2) until it is full.
//!
//! # What this stage does not do; the next one fixes it
//!
//! Each byte is written several times: to the log, to a table, and again for each level that it passes. That is the price of
//! order, and of deletes that give their space back.
//!
//! It lives in one folder on one machine. If that is gone, so is the store; and nobody else can answer meanwhile. Stage 9
//! keeps copies on several machines that agree.
//!
//! # Examples
//!
//! ```
//! use logladder_engine::{Compact, Engine, Open};
//! use logladder_sorted_log::{Options, SortedLog};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let store = SortedLog::open(dir.path(), Options::default())?;
//! store.set(b"name", b"anna")?; // on the disk when it returns
//! store.set(b"name", b"bob")?;
//! assert_eq!(store.get(b"name")?, Some(b"bob".to_vec()));
//!
//! store.compact()?; // and "anna" is gone from the disk
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! [`SyncPolicy::Always`]: logladder_engine::SyncPolicy::Always
//! [`SyncPolicy::Never`]: logladder_engine::SyncPolicy::Never
//! [`SyncPolicy::Every`]: logladder_engine::SyncPolicy::Every
//! [`Durability::PowerLoss`]: logladder_engine::Durability::PowerLoss
//! [`Durability::ProcessCrash`]: logladder_engine::Durability::ProcessCrash
//! [`Engine::sync`]: logladder_engine::Engine::sync
//! [`Engine::trouble`]: logladder_engine::Engine::trouble
//! [`Engine::repairs`]: logladder_engine::Engine::repairs
//! [`Error::Corrupt`]: logladder_engine::Error::Corrupt
//! [`limits`]: logladder_engine::limits

mod background;
mod backup;
mod bytes;
mod check;
mod commit;
mod compact;
mod damage;
mod describe;
mod engine;
mod files;
mod flush;
mod frame;
mod log;
mod manifest;
mod memtable;
mod merge;
mod options;
mod orphans;
mod outside;
mod read;
mod recover;
mod replaced;
mod salvage;
mod seen;
mod snapshot;
mod stalls;
mod store;
mod table;
mod wreck;
mod write;

// So that a program that embeds this engine depends on this crate alone.
pub use logladder_engine::{
    Atomic, Backup, Batch, CheckReport, Compact, Compacted, Direction, Durability, Engine, Error, Iterate,
    KeyRange, Open, Ordered, Problem, Progress, Repair, Result, Salvaged, Severity, Stalls, Stats,
    SyncPolicy, Visit, Write,
};

pub use check::{check, check_with};
pub use describe::describe;
pub use engine::SortedLog;
pub use options::{Compression, Options, Work};
pub use outside::{ListedTable, Listing, listing, listing_on};
pub use salvage::{salvage, salvage_with};
pub use snapshot::Snapshot;
