//! [`Backup`]: a copy of a store in use.

use std::path::Path;

use crate::Result;

/// A consistent copy of a store, while it is in use.
pub trait Backup {
    /// Makes a copy of the store in the folder `dir`, which is made if it is not there and must be empty. The copy
    /// is a store of the same stage, with all that was acknowledged before the call and perhaps some of what was
    /// written meanwhile, and it survives a loss of power when the call returns. Reads and writes go on.
    ///
    /// # Errors
    ///
    /// [`ForeignStore`](crate::Error::ForeignStore) if `dir` is not empty; [`Io`](crate::Error::Io) if the disk
    /// failed: then what is in `dir` is no store, and opening it says so.
    fn backup(&self, dir: &Path) -> Result<()>;
}
