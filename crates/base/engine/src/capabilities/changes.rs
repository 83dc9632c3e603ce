//! [`Changes`]: the log as something to follow.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::SystemTime;

use crate::{Error, Result};

/// A place between two changes of one store. It can be kept and used again after the store was closed, or the
/// machine lost power; its text form is what the engine's documentation and no program should read.
///
/// A crash may take changes that were shown: those that the [durability](crate::Durability) does not cover. The
/// places behind them are then refused, or reached again by other changes. Who must never see a change that is lost
/// later follows a store that syncs each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// How many changes came before, since the store was made. This is what orders positions; behind each change
    /// it is one more than before it.
    pub sequence: u64,
    /// The file of the log in which the next one is, by its number.
    pub segment: u64,
    /// Where it begins there, in bytes.
    pub offset: u64,
}

/// The text form: three numbers, as in `17.2.1056`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.sequence, self.segment, self.offset)
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(sequence)), Some(Ok(segment)), Some(Ok(offset)), None) => {
                Ok(Self { sequence, segment, offset })
            }
            _ => Err(Error::InvalidPosition { why: format!("{text:?} is not of the form 17.2.1056") }),
        }
    }
}

/// One set or delete, as it is in the log. Each write of a [batch](crate::Batch) is one of its own. Deleting a key that
/// has no value may be one or not; a compaction is none, and neither is the end of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change<'c> {
    /// The key.
    pub key: &'c [u8],
    /// Its value from then on, or `None` if it was deleted.
    pub value: Option<&'c [u8]>,
    /// When the value ends, if it does.
    pub expires: Option<SystemTime>,
    /// The place behind this change: who has seen it goes on from here.
    pub next: Position,
}

impl<'c> Change<'c> {
    /// A set, or a delete if there is no value, of something that does not expire.
    #[must_use]
    pub fn new(key: &'c [u8], value: Option<&'c [u8]>, next: Position) -> Self {
        Self { key, value, expires: None, next }
    }

    /// The same with an end.
    #[must_use]
    pub fn until(mut self, expires: Option<SystemTime>) -> Self {
        self.expires = expires;
        self
    }
}

/// What a visitor of changes is: it is shown one, and says whether to go on.
pub type VisitChange<'v> = dyn FnMut(&Change<'_>) -> ControlFlow<()> + 'v;

/// Following what is written to a store, in order and without gaps.
pub trait Changes {
    /// The place behind everything that was acknowledged before the call. In a store to which nothing was ever
    /// written, its sequence is 0.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](crate::Engine::get).
    fn position(&self) -> Result<Position>;

    /// The earliest place from which every later change is still in the log.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](crate::Engine::get).
    fn earliest_position(&self) -> Result<Position>;

    /// Shows each change behind `since` to `visit`, in the order in which they were made, until it breaks or the end
    /// is reached, and returns the place behind the last that was shown; `since` if there is none. Nothing is waited
    /// for: at the end, ask again later. The visitor runs under no lock: it may call the engine, to read or to write.
    ///
    /// # Errors
    ///
    /// [`Compacted`](crate::Error::Compacted) if changes behind `since` are no longer in the log, before any is shown;
    /// also if compaction takes them while they are shown, and what was shown before was right and without a gap;
    /// [`InvalidPosition`](crate::Error::InvalidPosition) if this store never had such a place; else as
    /// [`Engine::get`](crate::Engine::get).
    fn changes(&self, since: Position, visit: &mut VisitChange<'_>) -> Result<Position>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_from_its_text_and_other_text_is_refused() {
        let position = Position { sequence: 17, segment: 2, offset: u64::MAX };
        assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        for text in ["", "1", "1.2", "1.2.3.4", "1.2.-3", "1.2.x", "1.2.18446744073709551616"] {
            assert!(matches!(text.parse::<Position>(), Err(Error::InvalidPosition { .. })), "{text:?}");
        }
    }
}
