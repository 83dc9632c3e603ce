//! The folder of a store of this stage that is looked at and not changed.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, Untouched};
use logladder_engine::Result;

use crate::engine::STAGE;
use crate::files::FileKind;
use crate::format::FORMAT_VERSION;

/// Looks into `dir`.
///
/// # Errors
///
/// As [`Untouched::open`].
pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Untouched> {
    Untouched::open(disk, dir, STAGE, FORMAT_VERSION.into(), |name| FileKind::of(name).is_some())
}
