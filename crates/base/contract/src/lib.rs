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
//! The contract on one page, a sentence a case, is [`CASES`]: the file `src/list.rs`.

// A contract tells what is wrong by panicking: that is what a failing test is.
#![allow(clippy::missing_panics_doc)]

mod bench;
mod case;
mod cases;
pub mod crash;
mod damage;
mod faults;
mod golden;
mod list;
mod model;
mod process;
mod sabotage;
mod samples;
mod show;
mod subject;
mod tests_of;
mod violation;

pub use bench::{Bench, Place, Store};
#[doc(hidden)]
pub use case::assert_case;
pub use case::{CASES, Case, CaseOutcome, Verdict, run_cases, run_cases_on};
pub use damage::{DamageSummary, bit_flips, cuts};
pub use faults::{FaultSummary, faults};
#[doc(hidden)]
pub use golden::assert_script;
pub use model::{ModelSummary, SEED, model};
#[doc(hidden)]
pub use process::assert_killed_owner_loses_nothing;
pub use sabotage::Sabotage;
#[doc(hidden)]
pub use sabotage::assert_noticed;
pub use subject::{Allowance, Allowed, Subject};
pub use violation::Violation;

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
