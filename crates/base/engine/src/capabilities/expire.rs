//! [`Expire`]: values that end by themselves.

use std::time::SystemTime;

use crate::Result;

/// Until when a key has its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// It has none.
    Absent,
    /// Until it is written again.
    Never,
    /// Until then, to the millisecond.
    At(SystemTime),
}

/// Values that end by themselves.
///
/// A value has ended once the clock of the machine says so, and is back if the clock is set back before it was
/// removed. The clock decides nothing else: which of two writes is newer does not depend on it. An older value is
/// never seen again, whether the newer one was replaced, deleted or has ended.
///
/// Until one that has ended is removed, which compaction does, [`stats`](crate::Engine::stats) may count it.
pub trait Expire {
    /// Sets `key` to `value` until `end`; then the key has no value. A later write of the key replaces the end as
    /// well. An end in the past is a delete that is in the log as a set. One that is later than the stage can write
    /// down becomes the latest that it can.
    ///
    /// # Errors
    ///
    /// As [`Engine::set`](crate::Engine::set); the end takes some bytes of the longest value.
    fn set_until(&self, key: &[u8], value: &[u8], end: SystemTime) -> Result<()>;

    /// Until when `key` has a value.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](crate::Engine::get).
    fn expiry(&self, key: &[u8]) -> Result<Expiry>;
}
