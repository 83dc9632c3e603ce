//! Scans: the engines that keep keys in order, beside `sorted-log`.
//!
//! ```text
//!   fill ─► settle ─► compare every row, both ways ─► get ─► get absent ─► whole scans ─► scans of 100 rows
//!              │
//!              └─ bytes written, bytes on the disk
//! ```
//!
//! - Keys have an even number, in sixteen digits, and are set in random order. A key that is absent has an odd one: it lies
//!   between two that are there, so that the range of keys says nothing about it.
//! - *Settle* is a sync, and then waiting until the engine writes nothing and computes next to nothing: what merges tables in
//!   the background has done what it wants to do. Nobody is told to compact.
//! - A scan shows each row to a visitor that reads every byte of it. What it read is compared with a sum that is known
//!   beforehand; and once, untimed, every row is compared itself, in order, in both directions.
//! - Every engine has the same [`Budget`] of memory, where it can be told one.
//! - Rounds are the outer loop, and each begins with another engine.
//!
//! [`Session`] is what one process does, [`ScanResults`] what came of all of them; the table of targets is
//! in [`sheets`].

mod flags;
mod results;
mod rows;
mod schedule;
mod session;
mod sheets;
mod system;

pub use flags::ScanFlags;
pub use results::{ScanResults, Seen};
pub use schedule::ScanSchedule;

pub(crate) use session::{Scanned, Session};

use logladder::sorted_log::{Options, SortedLog};
use logladder_bench::Contestant;

use crate::entrant::Entrant;
use crate::rivals::Budget;

/// The engine that all of this is about.
pub(crate) const ENGINE: &str = "sorted-log";

/// The rival that is a B+tree in one map, and scans fastest.
pub(crate) const MAPPED: &str = "heed";

/// Rivals that are log-structured merge trees themselves.
pub(crate) const MERGE_TREES: [&str; 2] = ["fjall", "rocksdb"];

/// Those that are measured if nobody else is named.
pub(crate) const USUAL: [&str; 5] = [ENGINE, MAPPED, "redb", "fjall", "rocksdb"];

/// Rows of a short scan.
pub(crate) const ROWS: usize = 100;

/// Bytes of each value.
pub(crate) const VALUE_LEN: u32 = 100;

/// The way to open an entrant with so much memory.
pub(crate) fn contestant(entrant: Entrant, budget: Budget) -> Contestant {
    match entrant {
        Entrant::Ours(stage) if stage.name == ENGINE => {
            let options =
                move |sync| Options::default().with_sync(sync).with_memtable_bytes(budget.write_buffer);
            Contestant::on_disk::<SortedLog>(stage.name, options)
        }
        Entrant::Rival(rival) => {
            Contestant::other(rival.name, move |dir, sync| rival.open_within(dir, sync, budget))
        }
        other => other.contestant(),
    }
}
