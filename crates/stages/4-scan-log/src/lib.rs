//! Stage 4: append to a log, scan it to read.
//!
//! ```text
//!   set("test-1", "value-1")        delete("test-3")          get("test-1")
//!         │ append one line               │ append one line         │ read backwards, in blocks,
//!         ▼                               ▼                         ▼ until a line begins ["test-1",
//!   store.json        ["test-3","value-3",false]␊                ▲ oldest
//!                     ["test-1","value-1",false]␊                │
//!                     ["test-3",null,true]␊                      │ newest
//!
//!   store/
//!   ├── LOGLADDER             whose folder this is; locked while it is open
//!   ├── store.json            a line for every set and delete there ever was
//!   ├── store.json.crc32      line n: the CRC-32 of line n of store.json, with its line feed
//!   └── store.json.torn-1234  an unfinished write that opening cut off at offset 1234, kept for you
//! ```
//!
//! A line is a JSON array: the key, the value, and whether the key is deleted. Nothing is ever changed in
//! place; the newest line of a key counts. So a set only appends, whatever else the store holds: the
//! cheapest write there is, and one that cannot damage what was written before. How a byte string becomes
//! JSON is said in [`logladder_json::encode`].
//!
//! A read pays for it. It looks for the first bytes of the key's lines, from the newest block of the file to
//! the oldest, and parses nothing but the line it finds. A key that was never set costs a read of the whole
//! file.
//!
//! A log from elsewhere may spell a key otherwise than this crate would, with white space or needless
//! escapes. Opening notices, and remembers where the last such line ends: before that place, lines are parsed
//! to compare their keys, which is slower by an order of magnitude. What is written from then on is found the
//! fast way.
//!
//! # Crash contract
//!
//! With [`SyncPolicy::Always`], the default, an acknowledged set or delete survives a loss of power
//! ([`Durability::PowerLoss`]): its line is appended and synced, then its checksum. A crash in between leaves
//! a line without a checksum, which is kept and gets one, or an unfinished line at the end. That is cut off
//! at the next opening, kept in a file beside the log, and reported ([`Engine::repairs`]). With
//! [`SyncPolicy::Never`] an acknowledged write survives the death of the process; a loss of power may take what was
//! written since the last `sync`, and if it takes a line and leaves a later one, opening refuses the log as
//! damaged.
//!
//! Damage: a line in the middle that cannot be read, or one whose checksum is another's, is refused with its
//! offset and number; no file is changed. If the log was cut short, the checksums that have lost their lines
//! are cut off too, kept and reported. A log from elsewhere, with no `store.json.crc32`, is accepted if every
//! line can be read, and gets one; its last line may lack the line feed, and gets that too. A file that cannot
//! be read from its first line on is a stranger's, and refused. Checksums are compared when the store is opened; a line that rots later is
//! noticed only if it can no longer be read.
//!
//! # What this stage does not do; the next one fixes it
//!
//! Every read scans: with ten times the entries it takes ten times as long. And the log only grows, since
//! nothing is ever thrown away. Stage 5 keeps everything in memory and reads the log once, at the start;
//! stage 7 remembers where each key's newest entry lies, and compacts.
//!
//! # Examples
//!
//! ```
//! use logladder_engine::{Engine, Open};
//! use logladder_scan_log::{Options, ScanLog};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let store = ScanLog::open(dir.path(), Options::default())?;
//! store.set(b"test-1", b"value-1")?;
//! store.delete(b"test-3")?;
//! assert_eq!(store.get(b"test-1")?.as_deref(), Some(&b"value-1"[..]));
//! assert_eq!(
//!     std::fs::read_to_string(dir.path().join("store.json")).unwrap(),
//!     "[\"test-1\",\"value-1\",false]\n[\"test-3\",null,true]\n"
//! );
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! [`Engine::repairs`]: logladder_engine::Engine::repairs
//! [`SyncPolicy::Always`]: logladder_engine::SyncPolicy::Always
//! [`SyncPolicy::Never`]: logladder_engine::SyncPolicy::Never
//! [`Durability::PowerLoss`]: logladder_engine::Durability::PowerLoss

mod checksums;
mod describe;
mod engine;
mod iterate;
mod line;
mod lines;
mod recovery;
mod search;

pub use checksums::CHECKSUM_FILE;
pub use describe::describe;
pub use engine::{Options, ScanLog};
pub use recovery::LOG_FILE;
