//! Sealing a segment: from then on it never changes, and says so itself.

use logladder_disk::{Disk, File};
use logladder_engine::{Error, Result};

use crate::format::header::{Footer, SegmentHeader};
use crate::format::hint;
use crate::scan::{self, Stop, Survey};
use crate::usage::Tombstones;

/// What is known of a segment once all its records have been read.
#[derive(Debug)]
pub(crate) struct Contents {
    /// The footer that it has or should have.
    pub(crate) footer: Footer,
    /// The bytes of its hint.
    pub(crate) hint: Vec<u8>,
    pub(crate) tombstones: Tombstones,
}

impl Contents {
    /// Of the segment `id`, which has been surveyed.
    pub(crate) fn of(id: u64, survey: &Survey<'_>) -> Self {
        Self {
            footer: survey.footer,
            hint: hint::encode(id, &survey.footer, &survey.entries),
            tombstones: Tombstones::among(&survey.entries),
        }
    }
}

/// Appends the footer of the segment `id` to the `file` of its records. It is for the caller to sync it.
///
/// What was written is read once more, so that nothing is sealed that could not be read back.
///
/// # Errors
///
/// It cannot be read back, or the disk failed.
pub(crate) fn append_footer(disk: &dyn Disk, file: &dyn File, id: u64) -> Result<Contents> {
    let map;
    let bytes = if let Some(bytes) = file.bytes() {
        bytes
    } else {
        map = disk.map(file.path())?;
        &map
    };
    let header = SegmentHeader::decode(file.path(), id, bytes)?;
    let survey = scan::survey(bytes, &header);
    if let Stop::Flaw(flaw) = survey.stop {
        return Err(Error::corrupt(file.path(), survey.footer.data_len, flaw.to_string()));
    }
    let contents = Contents::of(id, &survey);
    file.append(&contents.footer.encode())?;
    Ok(contents)
}
