//! Stage 6: collections in memory, written to the disk by a janitor.
//!
//! ```text
//!   set("artist/air", "calm")                     get("artist/air")
//!         │                                              ▲
//!         ▼                                              │
//!   ┌──── two layers of maps in memory ──────────────────┴─┐
//!   │  "artist" ─► "air" → "calm" *    "daft_punk" → "epic"│    * dirty: not as it is on the disk
//!   └───────┬──────────────────────────────────────────────┘
//!           │ once in the queue, however often it is set; the queue is bounded
//!           ▼
//!   the janitor: k-616972.tmp ─sync─► rename ─► k-616972 ─sync the folder─► the mark goes, if nothing has changed
//!
//!   store/
//!   ├── LOGLADDER                whose folder this is; locked while it is open
//!   ├── k-617274697374/          the collection "artist", in hexadecimal 61 72 74 69 73 74
//!   │   ├── k-616972             its member "air"
//!   │   └── k-646166745f70756e6b its member "daft_punk"
//!   └── loose/                   the keys without a `/`
//!
//!   a file:  ┌──────┬─────────┬──────┬───┬───────┬──────────┬──────────┬───────────┬────────────┬────────┬───────┐
//!            │ LLWB │ version │ kind │ 0 │ CRC32 │ coll len │ memb len │ value len │ collection │ member │ value │
//!            └──────┴─────────┴──────┴───┴───────┴──────────┴──────────┴───────────┴────────────┴────────┴───────┘
//!              4        1        1     2     4        2          2           4
//! ```
//!
//! Reads and writes are served from memory, and wait for the disk only when the queue is full. What was written is on
//! the disk soon after, typically within a millisecond or a few syncs. The idea, and the two layers, are those of
//! dskvs, a store in Go by aybabtme, which calls it *eventual persistence*.
//!
//! The first `/` of a key splits it into a collection and a member. Both faces see the same keys: [`Engine`] takes every
//! byte string, and keeps those without a `/` in a folder of their own; [`Collections`] is strict, and shows, replaces
//! and deletes what has a collection.
//!
//! # Crash contract
//!
//! [`Durability::Eventual`]: an acknowledged write survives any crash once [`sync`](logladder_engine::Engine::sync) or
//! [`close`](logladder_engine::Engine::close) has returned `Ok`, and until then perhaps. A key then has the value that was last on the
//! disk, or one that was set later. What the janitor has written survives
//!
//! - with [`SyncPolicy::Always`], the default, a loss of power, and no file is ever torn: it is synced before it takes
//!   the place of the older one;
//! - with [`SyncPolicy::Never`] and [`SyncPolicy::Every`] the death of the process. A loss of power may leave a file
//!   torn that was written since the last `sync`; its check says so, and the store does not open until it is moved
//!   away.
//!
//! A write that fails stays in memory and marked, is tried again by the janitor after a rest that grows to a second, is
//! counted in [`Stats`] and reported by `sync` and `close`. Unlike the stages below this one goes on after a failure:
//! the value is in memory, and the next attempt writes all of it to a new file. Where even a failed `fsync` may have
//! lost pages that a later one would call clean, nothing of the failed one is relied on.
//!
//! A damaged file is an error that names it when the store is opened; no other file is changed then.
//!
//! # What this stage does not do; the next one fixes it
//!
//! All values are in memory, and opening reads every file. Each key costs a file, and the unit of writing is the
//! whole value of a key: several keys cannot be changed as one, because a crash may come between two files, so there is
//! no [`Atomic`]. The folder of a collection stays when its last member has gone. Stage 7 keeps only an index in
//! memory, and appends to one log.
//!
//! # Examples
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use logladder_engine::{Collections, Engine, Open};
//! use logladder_write_behind::{Options, WriteBehind};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let music = WriteBehind::open(dir.path(), Options::default())?;
//! assert_eq!(music.put(b"artist/daft_punk", b"epic")?, None);
//! assert_eq!(music.put(b"artist/daft_punk", b"more epic")?.as_deref(), Some(&b"epic"[..]));
//! music.get_all(b"artist", &mut |member, value| {
//!     assert_eq!((member, value), (&b"daft_punk"[..], &b"more epic"[..]));
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(music.delete_all(b"artist")?, 1);
//! Box::new(music).close()?; // everything is on the disk
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! [`Atomic`]: logladder_engine::Atomic
//! [`Collections`]: logladder_engine::Collections
//! [`Durability::Eventual`]: logladder_engine::Durability::Eventual
//! [`Engine`]: logladder_engine::Engine
//! [`Stats`]: logladder_engine::Stats
//! [`SyncPolicy::Always`]: logladder_engine::SyncPolicy::Always
//! [`SyncPolicy::Every`]: logladder_engine::SyncPolicy::Every
//! [`SyncPolicy::Never`]: logladder_engine::SyncPolicy::Never

mod backup;
mod engine;
mod janitor;
mod load;
mod member_file;
mod memory;
mod options;
mod queue;
mod store;
mod turns;
mod write;

pub use engine::WriteBehind;
pub use member_file::{HEADER_LEN, MAGIC, VERSION, describe};
pub use options::{Janitor, Options};
