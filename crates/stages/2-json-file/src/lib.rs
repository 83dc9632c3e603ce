//! Stage 2: one JSON file, rewritten on every set.
//!
//! ```text
//!   set("2", {"name":"bob"})
//!     │ 1. the text of the whole file as it will be
//!     │ 2. database.json.crc32 replaced: the checksums of the new text and of the present one
//!     │ 3. database.json replaced:       {"1":{"name":"anna"},"2":{"name":"bob"}}
//!     ▼ 4. the map in memory changed
//!   get("2")  ──►  the map in memory
//!
//!   store/
//!   ├── LOGLADDER              whose folder this is; locked while it is open
//!   ├── database.json          every key with its value: one JSON object, no line break
//!   └── database.json.crc32    what database.json may be: two lines of checksum and length
//!
//!   database.json.crc32:   c45a1d70 40␊   the newest
//!                          8e73f53d 21␊   the one before, if the crash came between steps 2 and 3
//! ```
//!
//! Opening reads the file into a map in memory, and from then on reads never touch the disk. It is the
//! simplest store that keeps its data: any editor can read it, and any program that knows JSON.
//!
//! The members are sorted by key, byte by byte. How a byte string becomes a JSON value is said in
//! [`logladder_json::encode`], and how it becomes the name of a member in [`logladder_json::encode_name`].
//!
//! # Crash contract
//!
//! With [`SyncPolicy::Always`], the default, an acknowledged set or delete survives a loss of power
//! ([`Durability::PowerLoss`]). Both files are replaced whole and atomically ([`logladder_disk::replace`]),
//! the checksums first, so whatever a crash interrupts, `database.json` is the old text or the new one, and
//! its checksum is there. There is nothing to repair at the next opening but a temporary file to remove.
//!
//! With [`SyncPolicy::Never`] an acknowledged write survives the death of the process. A loss of power may
//! then take more than the last writes: a rename may reach the disk before the bytes that it names, and this
//! store has only one file. Opening then refuses it as damaged.
//!
//! Damage: a `database.json` that is not a JSON object, that names a key twice, or whose checksum is not in
//! `database.json.crc32`, is refused with its place and left as it is. A file that was edited by hand is
//! accepted once `database.json.crc32` is removed; so is one brought from elsewhere, which has none.
//!
//! # What this stage does not do; the next one fixes it
//!
//! Every set writes every key again: the price of one set grows with the store, and a store of a hundred
//! megabytes writes a hundred megabytes to change a byte. It must also fit in memory. Stage 3 gives each key
//! a file of its own.
//!
//! # Examples
//!
//! ```
//! use logladder_engine::{Engine, Open};
//! use logladder_json_file::{JsonFile, Options};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let store = JsonFile::open(dir.path(), Options::default())?;
//! store.set(b"1", br#"{"name":"anna"}"#)?;
//! store.set(b"2", br#"{"name":"bob"}"#)?;
//! assert_eq!(
//!     std::fs::read_to_string(dir.path().join("database.json")).unwrap(),
//!     r#"{"1":{"name":"anna"},"2":{"name":"bob"}}"#
//! );
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! [`SyncPolicy::Always`]: logladder_engine::SyncPolicy::Always
//! [`SyncPolicy::Never`]: logladder_engine::SyncPolicy::Never
//! [`Durability::PowerLoss`]: logladder_engine::Durability::PowerLoss

mod checksum;
mod describe;
mod engine;
mod object;

pub use checksum::CHECKSUM_FILE;
pub use describe::describe;
pub use engine::{DATA_FILE, JsonFile, Options};
