//! x
pub mod rivals;
