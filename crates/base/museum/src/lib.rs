//! The bug museum: a small log engine that is right, and each way in which engines like it have been wrong.
//!
//! Every stage of Logladder is held to a list of failure modes, and each line of it is a bug that was found in a published
//! engine. Here they can be looked at. [`Museum`] is an engine of the kind of stage 7 (segments, an index, tombstones,
//! compaction, hints, checksums), [`Late`] one of the kind of stage 6. Both keep the contract. Opened with a [`Bug`], they
//! do one thing wrong, in one place of the code.
//!
//! ```text
//!   Bug ──► exhibits()   the list: number, name, what goes wrong, how it comes to be, what avoids it
//!       ──► patch()      the right code and the wrong, cut out of the engine's source
//!       ──► trace()      the shortest run of the contract that shows it, with the files that were found
//!       ──► avoided()    the tests of the stages that show that they do not fail so
//!       ──► catches()    which check of the contract notices which bug
//!       ──► Sandbox      a store with the bug, for your own test: against_every_bug()
//! ```
//!
//! `cargo xtask bugs` shows all of it. To try a test of your own, write it as a function of a [`Sandbox`]:
//!
//! ```
//! # fn main() {}
//! use logladder_museum::{Sandbox, against_every_bug};
//!
//! fn what_was_deleted_stays_deleted(sandbox: &mut Sandbox) {
//!     let store = sandbox.open();
//!     store.set(b"name", b"anna").unwrap();
//!     store.delete(b"name").unwrap();
//!     drop(store);
//!     assert_eq!(sandbox.open().get(b"name").unwrap(), None);
//! }
//!
//! // A test, which prints the bugs that the function noticed and those that it passed.
//! against_every_bug!(what_was_deleted_stays_deleted, notices "loses-deletes");
//! ```
//!
//! or open a store with a bug where you want to have it:
//!
//! ```
//! use logladder_museum::{Bug, open};
//! # let folder = std::env::temp_dir().join(format!("logladder-museum-{}", std::process::id()));
//!
//! let store = open(Bug::MagicValue, &folder)?;
//! store.set(b"name", b"__tombstone__")?;
//! assert_eq!(store.get(b"name")?, None);
//! # drop(store);
//! # let _ = std::fs::remove_dir_all(&folder);
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! This crate is for tests and lessons: its engines are small, and never fast.

mod avoided;
mod bug;
mod calls;
mod catches;
mod engine;
mod exhibits;
mod late;
mod patch;
mod sandbox;
mod text;
mod trace;

use std::path::Path;

use logladder_engine::{Engine, Open, Result};

pub use avoided::{Avoided, avoided};
pub use bug::Bug;
pub use catches::{Catches, Check, catches, catches_of};
pub use engine::describe::describe;
pub use engine::{Museum, Options};
pub use exhibits::{Exhibit, NOT_SHOWN, ShownBy, exhibit, exhibits};
pub use late::Late;
pub use patch::{Patch, patch};
#[doc(hidden)]
pub use sandbox::assert_noticed;
pub use sandbox::{Report, Sandbox, against_every_bug};
pub use text::{Line, Tone, dump_lines, exhibit_lines, patch_lines, trace_lines};
pub use trace::{Trace, script, trace, trace_of};

/// Opens a store with this bug in the folder `dir` of the real disk.
///
/// # Errors
///
/// As [`Open::open`].
pub fn open(bug: Bug, dir: &Path) -> Result<Box<dyn Engine>> {
    if bug.is_of_late() {
        return Ok(Box::new(Late::open(dir, bug)?));
    }
    Ok(Box::new(Museum::open(dir, Options { bug, ..Options::default() })?))
}
