//! What the tests of second processes do there, and the first one's account of it. The processes themselves are
//! those of `logladder_contract::second_process`.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod draw;
pub(crate) mod failure;
pub(crate) mod ledger;
pub(crate) mod steps;
