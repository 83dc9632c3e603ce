//! Capabilities: what some stages can do and others cannot. Each is a trait that
//! [`Engine`](crate::Engine) hands out by an accessor.

use std::ops::ControlFlow;

use crate::Result;

/// What a visitor is: it is shown a key and its value, and says whether to go on.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// Visiting every key of a store.
pub trait Iterate {
    /// Shows every key and its value to `visit`, in no particular order, until it breaks.
    ///
    /// The keys are those present when the call began. Each is shown once, with the value it has at the
    /// moment it is shown; one deleted in the meantime is left out, and one added in the meantime does not
    /// appear. The visitor runs under no lock: it may call the engine, to read or to write.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](crate::Engine::get); what was shown before the error was right.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()>;
}

/// Reclaiming the space of what was overwritten or deleted.
pub trait Compact {
    /// Rewrites what is worth rewriting, and says what that gained. Reads and writes go on meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Engine::set`](crate::Engine::set); whatever the error, no live value is lost.
    fn compact(&self) -> Result<Compacted>;
}

/// What a compaction did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Files that were read and are now gone.
    pub files_removed: u64,
    /// Files that were written in their place.
    pub files_written: u64,
    /// Bytes on disk before, less bytes on disk after. Zero if nothing was gained.
    pub bytes_reclaimed: u64,
}
