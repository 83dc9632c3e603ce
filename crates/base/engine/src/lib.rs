//! The trait that every stage of the ladder implements, and the words it uses.
//!
//! This is the ground floor: it depends on nothing, and everything else depends on it.
//!
//! - [`Engine`] is what a key-value store can do at least; [`Open`] is how one comes to be.
//! - [`Iterate`], [`Ordered`], [`Atomic`], [`Compact`], [`Backup`], [`Changes`], [`History`], [`Expire`], [`Collections`],
//!   [`Cluster`] and [`Follow`] are *capabilities*: what some stages can do and others cannot. Code that holds one engine asks for them at compile time
//!   (`E: Engine + Iterate`); code that holds any engine asks at run time ([`Engine::as_iterate`]).
//! - [`Durability`] says which crash an acknowledged write survives, and [`SyncPolicy`] is how a user of a
//!   persistent engine chooses.
//! - [`Error`] names the file and what the user can do about it.
//!
//! Keys and values are byte strings. The empty key is a key and the empty value is a value; how long they
//! may be is said in [`limits`].
//!
//! # Examples
//!
//! ```
//! use logladder_engine::{Engine, Result};
//!
//! /// Any engine will do: this function never learns which stage it was given.
//! fn greet(engine: &dyn Engine) -> Result<Option<Vec<u8>>> {
//!     engine.set(b"greeting", b"hello")?;
//!     engine.get(b"greeting")
//! }
//! ```

mod capabilities;
mod engine;
mod error;
mod layout;
pub mod limits;
mod problem;
mod report;

pub use capabilities::{
    Atomic, Backup, Batch, Change, Changes, Cluster, Collections, Compact, Compacted, Direction, Expire,
    Expiry, Follow, FollowState, History, Iterate, KeyRange, Lag, Member, MemberState, Ordered, Position,
    Version, Visit, VisitChange, VisitVersion, Write, check_collection, collection_and_member,
    range_of_prefix, split_at_collection,
};
pub use engine::{Engine, Open};
pub use error::{Error, Result};
pub use layout::Field;
pub use problem::{CheckReport, Problem, Progress, Salvaged, Severity};
pub use report::{Durability, Repair, Stalls, Stats, SyncPolicy};
