//! What every stage must do.
//!
//! A stage does not write its own tests for what all stages have in common. It describes itself as a
//! [`Subject`], and [`contract!`] makes a test of each invariant:
//!
//! ```ignore
//! //! Stage 4 keeps the contract.
//! use logladder_contract::Subject;
//! use logladder_scan_log::{Options, ScanLog};
//!
//! fn subject() -> Subject {
//!     Subject::of::<ScanLog>(Options::default())
//! }
//! logladder_contract::contract!(subject);
//! ```
//!
//! What it asks, and where:
//!
//! | test module | what is done to the engine | here |
//! |---|---|---|
//! | `cases` | one invariant a case, on the disk in memory and on the real one | [`CASES`], [`run_cases`] |
//! | `scripts` | the golden scripts that all stages share | the folder `scripts/` |
//! | `model` | random programs, compared with a map | [`model`] |
//! | `process` | its process is killed while it writes | |
//! | `crash` | every state that a crash at any operation could leave is opened | [`crash::crash_images`] |
//! | `damage` | every bit is flipped, every file cut at every length | [`bit_flips`], [`cuts`] |
//! | `faults` | every operation of the disk fails once, and the program goes on | [`faults`] |
//! | `sabotage` | a sync or a rule is left out: the others must notice | [`Sabotage`] |
//!
//! What an engine can do beyond [`Engine`](logladder_engine::Engine) is asked of it as well: each [`Capability`] has
//! its cases, its steps in the crash scripts and its operations in the random programs, which run where it is there.
//!
//! The durability that an engine claims decides what is asserted; what makes no sense for it is not applicable,
//! and said to be. What a check found is a [`Violation`]: the script, the moment, what was expected, what was
//! found, and the bytes of the files. The same seed repeats a failed `model` test: set `LOGLADDER_SEED` to what
//! it printed.
//!
//! The checks are functions as well, for a program that shows their figures:
//!
//! ```
//! # use logladder_contract::{CASES, Subject, Violation};
//! fn show(subject: &Subject) -> Result<(), Box<Violation>> {
//!     for outcome in logladder_contract::run_cases(subject) {
//!         println!("{outcome}"); // ok    A deleted key stays deleted, however often the store is opened.
//!     }
//!     println!("{}", logladder_contract::crash::crash_images(subject)?);
//!     println!("{}", logladder_contract::bit_flips(subject)?);
//!     Ok(())
//! }
//! assert!(CASES.iter().any(|case| case.invariant == "The empty key is a key like any other."));
//! ```
//!
//! What no stage can be asked in the same way has its machinery here: [`second_process`] runs a test again in a process
//! that can be killed, [`injected`] lets its system calls fail, or kills it at any of them, and [`moved`] takes its folder
//! away.
//!
//! This crate is a development tool: a stage has it as a dev-dependency, with the feature `sabotage`.

// A contract tells what is wrong by panicking: that is what a failing test is.
#![allow(clippy::missing_panics_doc)]

mod bench;
mod capability;
mod case;
mod cases;
pub mod crash;
mod damage;
mod failure_modes;
mod faults;
mod golden;
#[cfg(target_os = "linux")]
pub mod injected;
mod list;
mod model;
pub mod moved;
mod process;
mod repair;
mod sabotage;
mod samples;
pub mod second_process;
mod show;
mod store;
mod subject;
mod tests_of;
mod violation;
mod watched;

pub use bench::{Bench, Place};
pub use capability::Capability;
pub use case::{CASES, Case, CaseOutcome, Verdict, run_case, run_cases, run_cases_on};
#[doc(hidden)]
pub use case::{assert_case, quietly};
pub use damage::{DamageSummary, bit_flips, bit_flips_of, cuts, cuts_of, twenty_keys};
pub use failure_modes::failure_modes;
pub use faults::{FaultSummary, faults, faults_of};
#[doc(hidden)]
pub use golden::assert_script;
pub use model::{ModelSummary, SEED, model};
#[doc(hidden)]
pub use process::assert_killed_owner_loses_nothing;
pub use repair::Repair;
pub use sabotage::Sabotage;
#[doc(hidden)]
pub use sabotage::assert_noticed;
pub use store::{MadeChange, Store};
pub use subject::{Allowance, Allowed, Subject};
pub use violation::Violation;
pub use watched::{Deed, WatchedDisk};

/// Prints what a check counted, or fails with what it found.
#[doc(hidden)]
#[track_caller]
#[allow(clippy::print_stdout, reason = "a test prints what it counted")]
pub fn assert_kept<S: std::fmt::Display>(outcome: Result<S, Box<Violation>>) {
    match outcome {
        Ok(summary) => println!("{summary}"),
        Err(violation) => panic!("a promise is broken\n{violation}"),
    }
}
