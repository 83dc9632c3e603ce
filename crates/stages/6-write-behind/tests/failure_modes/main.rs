//! How engines of this kind fail, and that this one does not. Each test is named after what holds; the number of
//! the failure mode stands in the table. What all stages have in common is in `tests/contract.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod bench;
mod crashes;
mod folders;
mod janitor;
mod locks;
mod queue;
mod retries;
mod table;
