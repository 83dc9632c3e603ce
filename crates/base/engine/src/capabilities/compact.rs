//! [`Compact`]: space that is given back.

use crate::Result;

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
