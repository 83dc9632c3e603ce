//! A check finds every flipped bit and changes nothing; a salvage brings back everything that is whole, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the store's own names are in lower case"
)]

mod bench;
mod crashes;
mod flips;
mod folders;
mod looks;
