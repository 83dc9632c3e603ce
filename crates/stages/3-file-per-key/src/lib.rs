//! Stage 3: the filesystem as the database. One file a key.
//!
//! ```text
//!   set("name", "anna")  ──►  k-6e616d65.tmp ──sync──► rename ──► k-6e616d65 ──sync the folder──► done
//!   get("name")          ──►  read k-6e616d65, check it, done
//!   delete("name")       ──►  remove k-6e616d65, sync the folder
//!
//!   store/
//!   ├── LOGLADDER                  whose folder this is; locked while it is open
//!   ├── k-                         the value of the empty key
//!   ├── k-6e616d65                 the value of "name", in hexadecimal 6e 61 6d 65
//!   └── h-9f86d081884c7d65…        the value of a key too long for a file name, by its SHA-256
//!
//!   a file:  ┌──────┬─────────┬───┬───────┬─────────┬───────────┬─────┬───────┐
//!            │ LLFK │ version │ 0 │ CRC32 │ key len │ value len │ key │ value │
//!            └──────┴─────────┴───┴───────┴─────────┴───────────┴─────┴───────┘
//!              4        1       3     4        4          8
//! ```
//!
//! Reading and writing no longer touch what other keys hold, so the price of a set stays the same as the
//! store grows. The index is the folder itself: the file system finds a name for us, and keeps it sorted,
//! cached and safe in its own journal.
//!
//! # Crash contract
//!
//! With [`SyncPolicy::Always`], the default, an acknowledged set or delete survives a loss of power
//! ([`Durability::PowerLoss`]): each replaces a whole file atomically and syncs its folder. A crash in the
//! middle leaves the old value or the new one, and perhaps a temporary file, which the next open removes.
//!
//! With [`SyncPolicy::Never`] it survives the death of the process. A loss of power may then take what was
//! written since the last `sync`, and because a rename may reach the disk before the bytes it names, a key
//! written since then may even be unreadable: its file fails its check, and reading it is an error.
//!
//! # What this stage does not do; the next one fixes it
//!
//! Each set costs a new file, a rename and two syncs, and each file takes at least a block of the disk and an
//! inode: 100 bytes of data occupy four kilobytes. Stage 4 appends every entry to one file instead.
//!
//! # Examples
//!
//! ```
//! use logladder_engine::{Engine, Open};
//! use logladder_file_per_key::{FilePerKey, Options};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let store = FilePerKey::open(dir.path(), Options::default())?;
//! store.set(b"name", b"anna")?;
//! assert!(dir.path().join("k-6e616d65").exists());
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! [`SyncPolicy::Always`]: logladder_engine::SyncPolicy::Always
//! [`SyncPolicy::Never`]: logladder_engine::SyncPolicy::Never
//! [`Durability::PowerLoss`]: logladder_engine::Durability::PowerLoss

mod engine;
mod entry_file;

pub use engine::{FilePerKey, Options};
pub use entry_file::{HEADER_LEN, MAGIC, VERSION, describe};
pub use logladder_disk::names::file_name;
