//! Looking through a table from end to end, whether it is whole or not, and on behind each damage.
//!
//! ```text
//!   index is whole      its blocks lie where it says; each is read or is not
//!   index is not        blocks are found by their checksums, one behind the other, up to the first that is damaged
//! ```

use std::ops::Range;
use std::path::Path;

use logladder_engine::{Error, Problem, Result, Severity};

use super::block::for_each_entry;
use super::index::Index;
use super::{COMPRESSED, Footer, PLAIN, STRANGE, TableMeta, has_right_sum, plain, section};
use crate::bytes::index;
use crate::describe::show;
use crate::files::{FileKind, HEADER_LEN, Header};

/// The bytes behind a block that belong to it.
const TRAILER: usize = 5;

/// What was found in a table.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) problems: Vec<Problem>,
    /// Where its blocks lie that can be read, in order.
    pub(crate) blocks: Vec<Range<usize>>,
    /// How many entries those have.
    pub(crate) entries: u64,
}

/// Looks through the bytes of table `number`, which the manifest describes by `meta`, unless it does not know it.
///
/// # Errors
///
/// It is of a newer version.
pub(crate) fn look(path: &Path, number: u64, meta: Option<&TableMeta>, bytes: &[u8]) -> Result<Look> {
    let header = match Header::decode(path, FileKind::Table(number), bytes) {
        Err(error @ Error::UnsupportedVersion { .. }) => return Err(error),
        header => header.err(),
    };
    let mut looker =
        Looker { path, bytes, meta, look: Look::default(), first: None, last: None, tombstones: 0 };
    let footer = Footer::of(path, bytes);
    let is_known = |crc: u32| meta.is_none_or(|meta| meta.crc == crc);
    let is_ours = match &footer {
        Ok((_, _, crc)) => is_known(*crc) && (header.is_none() || meta.is_some()),
        Err(_) => header.is_none(),
    };
    if let Some(error) = header {
        looker.say_error(error);
    }
    let (footer_at, footer) = match footer {
        Ok((at, _, crc)) if !is_known(crc) => {
            looker.say(at, STRANGE);
            return Ok(looker.look);
        }
        Ok((at, footer, _)) => (at, Some(footer)),
        Err(error) => {
            if let Some(meta) = meta.filter(|meta| meta.len != bytes.len() as u64) {
                let what = format!("the file has {} bytes, and the manifest says {}", bytes.len(), meta.len);
                looker.say(bytes.len().min(index(meta.len)), what);
            }
            looker.say_error(error);
            (bytes.len(), None)
        }
    };
    if !is_ours {
        return Ok(looker.look);
    }
    let found = footer.and_then(|footer| looker.index_of(footer, footer_at));
    match found {
        Some(found) => looker.blocks_of(&found),
        None => looker.find_blocks(footer.map_or(bytes.len(), |footer| index(footer.filter_at))),
    }
    if let Some(footer) = footer.filter(|_| looker.look.problems.is_empty()) {
        looker.compare(footer, footer_at);
    }
    Ok(looker.look)
}

/// Shows the entries of a block that was found, by its place in the file `bytes`. `None` if they make no sense.
pub(crate) fn entries_of(
    bytes: &[u8],
    block: Range<usize>,
    show: impl FnMut(&[u8], Option<&[u8]>),
) -> Option<()> {
    let stored = bytes.get(block).filter(|stored| stored.len() > TRAILER && has_right_sum(stored))?;
    for_each_entry(&plain(stored)?, show)
}

struct Looker<'l> {
    path: &'l Path,
    bytes: &'l [u8],
    meta: Option<&'l TableMeta>,
    look: Look,
    /// The first key, and the last so far.
    first: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
    tombstones: u64,
}

impl Looker<'_> {
    fn say(&mut self, offset: usize, what: impl Into<String>) {
        self.look.problems.push(Problem::new(Severity::Damage, self.path, offset as u64, what));
    }

    fn say_error(&mut self, error: Error) {
        self.look.problems.push(Problem::of_error(Severity::Damage, self.path, error));
    }

    /// The index, if it is whole. The filter is looked at too.
    fn index_of(&mut self, footer: Footer, footer_at: usize) -> Option<Index> {
        let filter = index(footer.filter_at)..index(footer.index_at);
        if let Err(error) = section(self.path, self.bytes, filter, "filter") {
            self.say_error(error);
        }
        let found = footer.index(self.path, self.bytes, footer_at);
        found.map_err(|error| self.say_error(error)).ok()
    }

    fn blocks_of(&mut self, found: &Index) {
        for number in 0..found.len() {
            let block = index(found.offsets[number])..index(found.offsets[number + 1]);
            let stored = self.bytes.get(block.clone()).unwrap_or_default();
            if self.take(block.clone()) {
                continue;
            }
            let flaw = if stored.len() > TRAILER && has_right_sum(stored) {
                "the block makes no sense, though its checksum matches"
            } else {
                "the checksum of the block does not match"
            };
            let from = match (number, self.meta) {
                (0, Some(meta)) => &meta.smallest,
                _ => found.start(number),
            };
            let to = if number + 1 < found.len() {
                format!(", before {}", show(found.start(number + 1)))
            } else {
                self.meta.map(|meta| format!(" to {}", show(&meta.largest))).unwrap_or_default()
            };
            self.say(
                block.start,
                format!("{flaw}: what it says of keys from {}{to} cannot be read", show(from)),
            );
        }
    }

    /// Finds blocks by their checksums, up to `end`.
    fn find_blocks(&mut self, end: usize) {
        let mut start = HEADER_LEN;
        while let Some(next) = self.end_of_block(start, end.min(self.bytes.len())) {
            start = next;
        }
        if let Some(meta) = self.meta
            && self.look.entries < meta.entries
        {
            let (found, all) = (self.look.entries, meta.entries);
            self.say(
                start,
                format!("{found} of {all} entries are found before this, by the checksums of their blocks"),
            );
        }
    }

    /// Where the block ends that begins at `start`. It is taken.
    fn end_of_block(&mut self, start: usize, end: usize) -> Option<usize> {
        let mut hasher = crc32fast::Hasher::new();
        for at in start..end.checked_sub(4)? {
            hasher.update(&self.bytes[at..=at]);
            let may_end = matches!(self.bytes[at], PLAIN | COMPRESSED) && at > start;
            if may_end
                && hasher.clone().finalize().to_le_bytes() == self.bytes[at + 1..at + TRAILER]
                && self.take(start..at + TRAILER)
            {
                return Some(at + TRAILER);
            }
        }
        None
    }

    /// Takes a block, if it can be read and its keys follow those before.
    fn take(&mut self, block: Range<usize>) -> bool {
        let (mut first, mut last) = (None, self.last.clone());
        let (mut entries, mut tombstones, mut is_sorted) = (0, 0, true);
        let whole = entries_of(self.bytes, block.clone(), |key, value| {
            is_sorted &= last.as_deref().is_none_or(|last| last < key);
            first.get_or_insert_with(|| key.to_vec());
            last = Some(key.to_vec());
            entries += 1;
            tombstones += u64::from(value.is_none());
        });
        if whole.is_none() || !is_sorted {
            return false;
        }
        (self.first, self.last) = (self.first.take().or(first), last);
        self.look.entries += entries;
        self.tombstones += tombstones;
        self.look.blocks.push(block);
        true
    }

    /// What a table whose parts are all whole says of itself, and what the manifest does.
    fn compare(&mut self, footer: Footer, footer_at: usize) {
        let ends = self.look.blocks.iter().map(|block| block.end);
        let sections = [index(footer.index_at), footer_at];
        let mut contents = crc32fast::Hasher::new();
        for end in ends.chain(sections) {
            contents.update(&self.bytes[end - 4..end]);
        }
        if contents.finalize() != footer.contents {
            let what = "the checksum of the contents does not match: each part is whole, and not all are of one table";
            self.say(footer_at, what);
        } else if footer.entries != self.look.entries {
            let what = format!("it says {} entries, and {} are there", footer.entries, self.look.entries);
            self.say(footer_at, what);
        } else if let Some(meta) = self.meta {
            let is_same = self.first.as_ref() == Some(&meta.smallest)
                && self.last.as_ref() == Some(&meta.largest)
                && (self.look.entries, self.tombstones) == (meta.entries, meta.tombstones);
            if !is_same {
                self.say(footer_at, "its entries are not those that the manifest says it has");
            }
        }
    }
}
