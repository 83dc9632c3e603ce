//! Other people's engines behind the ladder's trait, measured beside it in one run.
//!
//! ```text
//!   cargo bench -p logladder-rivals -- --only get,mixed --engines heed,hash-log --keys 1000000 --rounds 3
//!
//!   Flags ──► Schedule ──► for each step a fresh folder and a process of its own (process)
//!                             │
//!                             ├─ Session   fill, overwrite, get, … by one thread and several
//!                             ├─ Space     what it takes on the disk
//!                             ├─ Latency   gets beside a writer and compaction
//!                             ├─ Scale     many keys: memory, opening clean and after a crash
//!                             ├─ Kill      set, be killed, count
//!                             └─ the common benchmark's Workload: memory, disk, latency
//!                             ▼
//!                          Results ──► medians ──► tables by durability, ratios, targets, rivals.json
//! ```
//!
//! - [`rivals`] is a file for each engine: what is called, at which stated durability, and why.
//! - [`raw`] is what the machine allows at best, behind the same trait.
//! - [`scans`] is a benchmark of its own: `sorted-log` beside the engines that keep keys in order.
//! - `--targets` measures what is asked of `hash-log`, and puts it beside the best rival in one table.
//! - [`entrant`] gathers these and the stages of the ladder by name.
//!
//! The rules are those of the common benchmark ([`logladder_bench`]): the same keys, values and order for
//! everyone, from a seed; every value compared; engines ranked only beside engines of the same durability; only
//! figures of one run compare. It has what that runner has not: several threads on one engine, and processes
//! that are killed.
//!
//! The package stands outside the default build. Nothing in the workspace may depend on it.

pub mod entrant;
pub mod flags;
mod kill;
pub mod latency;
mod ledger;
pub mod measure;
mod medians;
mod memory;
mod process;
pub mod raw;
pub mod results;
pub mod rivals;
mod run;
mod said;
mod scale;
pub mod scans;
mod schedule;
mod session;
mod sheets;
pub mod show;
mod space;
mod stretch;
mod targets;

pub use entrant::{Entrant, Side};
pub use flags::{Flags, Part};
pub use measure::Measure;
pub use process::{Launcher, worker_entry};
pub use results::Results;
pub use said::Said;
pub use schedule::Schedule;
