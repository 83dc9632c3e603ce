//! The common benchmark: one seeded workload for every engine, each in a fresh process and folder.
//!
//! ```text
//!   Runner ──── a request, as JSON ────► worker_entry, in the same binary, started again
//!     ▲                                     │  Workload::run or climb::Plan::run
//!     │                                     ▼
//!     └── progress, then a Run ◄──── Trial: warm-up, memory, CountingDisk, closing, opening
//!                                           │
//!                                           ▼
//!                                    Meter: batches of operations, timed, every value compared
//! ```
//!
//! - [`Contestant`] is a way to open an engine; [`Workload`] is what is done to it, [`climb`] the same with
//!   real [`input`].
//! - [`Crowd`] is what many threads do to it at once, with every latency.
//! - A [`Report`] holds everything that was found out. [`tables`] and [`chart`] show it, [`learndb`] in the
//!   form and beside the figures of the course that the ladder follows. A [`Sheet`] is a table that is kept with them,
//!   for the book; [`page`](mod@page) shows all of them in a browser.
//!
//! The rules: every value that is read is compared with what was stored, and an engine that answers wrongly
//! has no figures ([`Failure::WrongValue`]). Everything is bounded in time, and what was cut off says so.
//! Engines are ranked only beside engines of the same durability. Only figures of one session compare.

pub mod chart;
pub mod climb;
mod contestant;
mod counting_disk;
mod crowd;
mod failure;
pub mod figures;
pub mod input;
pub mod learndb;
mod machine;
mod memory;
mod meter;
pub mod page;
mod progress;
pub mod redis;
pub mod report;
mod runner;
pub mod scale;
mod sheet;
mod spread;
pub mod statistics;
pub mod summary;
pub mod tables;
mod target;
mod trial;
mod worker;
mod workload;

pub use contestant::Contestant;
pub use counting_disk::CountingDisk;
pub use crowd::{Crowd, PUBLISHED as DSKVS_PUBLISHED};
pub use failure::Failure;
pub use machine::Machine;
pub use memory::Heap;
pub use progress::Progress;
pub use report::{Operation, Report, Run};
pub use runner::{Runner, reports_folder};
pub use sheet::{Asked, Sheet, save};
pub use spread::{Deed, Spread};
pub use target::{Target, TargetRow};
pub use worker::{Job, WORKER_ARGUMENT, worker_entry};
pub use workload::{Data, SEED, Workload};

#[cfg(test)]
mod samples;
#[cfg(test)]
pub(crate) use samples::sample_report;
