//! [`Field`]: the bytes of a file, named one run at a time, for lessons, dumps and inspection.

use std::ops::Range;

/// A run of bytes in a file that means one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it lies, from the start of the file.
    pub bytes: Range<usize>,
    /// What the format calls it: `checksum`, `key length`.
    pub name: &'static str,
    /// What it says, in words: `"name"`, `4 bytes`, `matches`.
    pub meaning: String,
}

impl Field {
    /// The field `name` at `bytes`, which says `meaning`.
    #[must_use]
    pub fn new(bytes: Range<usize>, name: &'static str, meaning: impl Into<String>) -> Self {
        Self { bytes, name, meaning: meaning.into() }
    }
}
