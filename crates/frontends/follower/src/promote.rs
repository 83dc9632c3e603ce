//! [`promote`]: what was a copy becomes a store of its own.

use std::fmt;

use logladder_engine::{Engine, Result};

use crate::local::{PLACE, Place};

/// What a copy was when it became a store of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promoted {
    /// A state that its leader had.
    Whole,
    /// A part of what its leader had, or the state of no moment: it had not been copied to the end.
    InPart,
}

impl fmt::Display for Promoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this store was a copy that followed another one, and is a store of its own from now on",
        )?;
        match self {
            Self::Whole => Ok(()),
            Self::InPart => {
                f.write_str("; it had not been copied to the end: some of what the leader had is missing")
            }
        }
    }
}

/// Makes a store of its own of what was a copy, if `store`, a hash-log, was one: takes the place in the leader's log out of
/// it. From then on it is not followed into any more.
///
/// # Errors
///
/// The store cannot be read or written.
pub fn promote(store: &dyn Engine) -> Result<Option<Promoted>> {
    let Some(place) = store.get(PLACE)?.as_deref().and_then(Place::read) else { return Ok(None) };
    store.delete(PLACE)?;
    Ok(Some(if place.is_whole() { Promoted::Whole } else { Promoted::InPart }))
}

/// Whether an entry of a hash-log is the place that a copy keeps for itself, which no reader is shown.
#[must_use]
pub fn is_place(key: &[u8], value: &[u8]) -> bool {
    key == PLACE && Place::read(value).is_some()
}
