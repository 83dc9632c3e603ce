//! How engines of this kind fail, and that this one does not. Each test is named after what holds; the number of
//! the failure mode stands beside it. What all stages have in common is in `tests/contract.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod background;
mod bench;
mod clock;
mod compaction;
mod damage;
mod derived;
mod hints;
mod numbers;
mod opening;
mod panics;
mod repair;
mod table;
mod tail;
