//! Stage 7: a hash index over log segments, with compaction.
//!
//! This is Bitcask's idea (Sheehy and Smith, "Bitcask: A Log-Structured Hash Table for Fast Key/Value Data",
//! 2010). Every write is appended to a log. An index in memory says where in the log the value of each key
//! is. The log is cut into segments, and those of which much has been overwritten are compacted: what is
//! still of use is copied into new segments, and the old ones are removed.
//!
//! ```text
//!   set("name", "anna")  ──► append a record to the active segment ──► index: "name" is there
//!   get("name")          ──► look in the index ──► read that record, check it, done
//!   delete("name")       ──► append a tombstone ──► forget "name"
//!
//!        index in memory                    segments on the disk
//!     ┌────────┬───────────┐      ┌────────┬────────┬────────┬────────┬────────┐
//!     │ "anna" │ 1, at  32 ├────► │ header │ record │ record │ record │ footer │  1  sealed
//!     │ "bob"  │ 1, at 116 ├──┐   └────────┴────────┴────────┴────────┴────────┘
//!     │ "carl" │ 2, at  32 ├┐ └──────────────────────────────────┘
//!     └────────┴───────────┘│     ┌────────┬────────┬──────────────────────────┐
//!      (a fingerprint, not  └───► │ header │ record │ space reserved ahead     │  2  active
//!       the key: 10 bytes)        └────────┴────────┴──────────────────────────┘
//!
//!   store/
//!   ├── LOGLADDER                  whose folder this is; locked while it is open
//!   ├── MANIFEST                   which segments are the store, and which of them are its tail
//!   ├── CHECKPOINT                 the index of a store that was closed
//!   ├── segment-0000000001.log     a sealed segment: it never changes again
//!   ├── segment-0000000001.hint    its records without their values, where those are large
//!   └── segment-0000000002.log     the active segment
//!
//!   a record:  ┌───────┬──────────────────┬─────────┬─────────────────┬─────┬───────┐
//!              │ CRC32 │ kind & value len │ key len │ sequence number │ key │ value │
//!              └───────┴──────────────────┴─────────┴─────────────────┴─────┴───────┘
//!                  4            4              2             6
//! ```
//!
//! What decides is the sequence number. It goes up by one with each write, whatever the clock says; of two
//! records of a key the one with the higher number counts, whatever file it is in. [`describe`] names the
//! bytes of any of these files one by one.
//!
//! The log can do more than remember. Read from some position on, it is everything that has changed since
//! ([`Changes`]). Of each key it can keep what it was before ([`History`], with [`Options::versions`]). Some records
//! with a mark before them are all there or none ([`Atomic`]). A value can have an end ([`Expire`]). And sealed
//! segments never change, so that a second name for each of them is a [`Backup`].
//!
//! # Crash contract
//!
//! With [`SyncPolicy::Never`], the default here, an acknowledged write survives the death of the process
//! ([`Durability::ProcessCrash`]). It lies in a page of the file that the kernel owns, and needs no system call
//! to get there. [`Engine::sync`] makes everything before it survive a loss of power, and so does the sealing of
//! a segment. Of what was written since, a loss of power leaves a beginning: the store opens with all writes up
//! to the first that was lost.
//!
//! With [`SyncPolicy::Every`], a thread syncs from time to time, and a loss of power takes no more than that time.
//!
//! With [`SyncPolicy::Always`] each write is synced before it is acknowledged, and survives a loss of power
//! ([`Durability::PowerLoss`]). Threads that write at once share one sync.
//!
//! In all cases:
//!
//! - A write is whole or absent, a batch too, and a deleted value never comes back.
//! - Only the tail of the log is ever cut, and only where no valid record follows, or where a loss of
//!   power left a hole of zeros. What is cut is kept in a file beside it and reported by [`Engine::repairs`].
//! - Every byte that is believed is covered by a checksum. Damage that opening meets is
//!   [`Error::Corrupt`] with the file and the offset, and then no file is changed. Opening does not read the
//!   values of sealed segments; damage in one of those is the same error when that key is read.
//!   [`check()`] reads every byte and reports all damage there is, and [`salvage()`] makes a new store of what is whole.
//! - Compaction may stop anywhere. What is the store and what is not changes in one step, the replacement of
//!   `MANIFEST`.
//!
//! # Limits
//!
//! Keys of 65,535 bytes, values of 1 GiB less one byte ([`limits`]), batches of 256 MiB less 61 bytes, as
//! [`HashLog`] counts them. 2⁴⁸ − 2 writes in a store's
//! life, and 65,535 segments at a time; then writes are refused. While a store is open, its files are mapped: if
//! another program shortens one, reading the lost part kills the process.
//!
//! # What this stage does not do; the next one fixes it
//!
//! The index takes some ten bytes of memory a key; and it is a hash table, so keys come in no order, and a
//! range of them cannot be asked for. Stage 8 sorts the log.
//!
//! There is one log, and so one writer at a time. Each segment is a memory map, of which Linux allows a process some
//! 65,000.
//!
//! # Examples
//!
//! ```
//! use logladder_engine::{Compact, Engine, Open};
//! use logladder_hash_log::{HashLog, Options};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let store = HashLog::open(dir.path(), Options::default())?;
//! store.set(b"name", b"anna")?;
//! store.set(b"name", b"bob")?;
//! assert_eq!(store.get(b"name")?, Some(b"bob".to_vec()));
//!
//! store.sync()?; // now a loss of power cannot take it
//! store.compact()?; // and "anna" is gone from the disk
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! [`SyncPolicy::Never`]: logladder_engine::SyncPolicy::Never
//! [`SyncPolicy::Always`]: logladder_engine::SyncPolicy::Always
//! [`Durability::ProcessCrash`]: logladder_engine::Durability::ProcessCrash
//! [`Durability::PowerLoss`]: logladder_engine::Durability::PowerLoss
//! [`Engine::sync`]: logladder_engine::Engine::sync
//! [`Engine::repairs`]: logladder_engine::Engine::repairs
//! [`Error::Corrupt`]: logladder_engine::Error::Corrupt
//! [`limits`]: logladder_engine::limits

mod background;
mod backup;
mod catalog;
mod check;
mod choose;
mod close;
mod commit;
mod compact;
mod copy;
mod describe;
mod engine;
mod evidence;
mod files;
mod follow;
mod format;
mod index;
mod load;
mod look;
mod options;
mod read;
mod reader;
mod recover;
mod runs;
mod salvage;
mod scan;
mod seal;
mod segment;
mod snapshot;
mod store;
mod sync;
mod tail;
mod untouched;
mod usage;
mod write;

// So that a program that embeds this engine depends on this crate alone.
pub use logladder_engine::{
    Atomic, Backup, Batch, Change, Changes, CheckReport, Compact, Compacted, Durability, Engine, Error,
    Expire, Expiry, History, Iterate, Open, Position, Problem, Progress, Repair, Result, Salvaged, Severity,
    Stats, SyncPolicy, Version, Visit, VisitChange, VisitVersion, Write,
};

pub use check::{check, check_with};
pub use describe::describe;
pub use engine::HashLog;
pub use options::{Compaction, Hints, Options};
pub use read::ValueRef;
pub use reader::{Reader, segments};
pub use salvage::{salvage, salvage_with};
pub use usage::SegmentUsage;
