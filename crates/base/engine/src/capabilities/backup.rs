//! [`Backup`]: a copy of a store in use.

use std::path::Path;

use crate::Result;

/// A consistent copy of a store, while it is in use.
pub trait Backup {
    /// Makes a copy of the store in the folder `dir`, which is made if it is not there and must be empty. Reads and
    /// writes go on.
    ///
    /// The copy is a store of the same stage, as this one was at one moment during the call: with all that was
    /// acknowledged before, perhaps the first of what was written meanwhile, and a [batch](crate::Batch) whole or
    /// not at all. It survives a loss of power when the call returns, whatever the store's durability. From then on
    /// the two share nothing that a write or a compaction of either changes.
    ///
    /// Until the call has returned, a crash leaves nothing in `dir` that opens as a store with less in it than that:
    /// opening it says that it is no store, or finds everything. Where nothing but the file of the lock has been made
    /// yet, it finds a new, empty store, as in any empty folder.
    ///
    /// # Errors
    ///
    /// [`NotEmpty`](crate::Error::NotEmpty) if `dir` is not empty, and [`Unsupported`](crate::Error::Unsupported) if it
    /// lies in the folder of the store: neither changes anything; [`Io`](crate::Error::Io) if the disk failed: then `dir` is as after a crash.
    fn backup(&self, dir: &Path) -> Result<()>;
}
