//! Reading an append-only file from its beginning: what it says, where its sound lines end, and whether what follows
//! may be cut off.

use std::path::Path;

use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Error, Result};
use memchr::{memchr, memchr_iter};

use crate::line::BEGINNING;
use crate::parse::{Change, parse};
use crate::sums::Sum;

/// What an append-only file holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Where its sound lines end.
    pub(crate) end: usize,
    /// Whether the last of them has no line feed yet.
    pub(crate) lacks_line_feed: bool,
    pub(crate) lines: u64,
    pub(crate) changes: u64,
    /// CRC-32 of the lines that the sums cover.
    pub(crate) crc: crc32fast::Hasher,
    /// How many of the sums cover lines that are there.
    pub(crate) sums: usize,
}

/// A file to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'b> {
    pub(crate) path: &'b Path,
    pub(crate) bytes: &'b [u8],
    /// What it must hold.
    pub(crate) sums: &'b [Sum],
    /// Whether a crash can have left its last line unfinished.
    pub(crate) may_be_torn: bool,
}

/// What the next line says, where it ends, and whether it has its line feed.
struct Line<'b> {
    text: &'b [u8],
    end: usize,
    has_end: bool,
}

impl<'b> Line<'b> {
    fn at(bytes: &'b [u8], start: usize) -> Self {
        let rest = &bytes[start..];
        match memchr(b'\n', rest) {
            Some(len) => Self { text: &rest[..len], end: start + len + 1, has_end: true },
            None => Self { text: rest, end: bytes.len(), has_end: false },
        }
    }

    /// Whether a crash can leave it so: without its end, or with zeros in place of bytes.
    fn is_cut_short(&self) -> bool {
        !self.has_end || self.text.contains(&0)
    }
}

/// Shows each change of the file, with the offset behind its line and how many changes were shown before.
///
/// # Errors
///
/// A line says nothing and is not the unfinished last one, or the lines are not those that were synced.
pub(crate) fn read(
    source: Source<'_>,
    mut show: impl FnMut(&Change<'_>) -> Result<()>,
    mut line_ended: impl FnMut(u64, u64),
) -> Result<Found> {
    let mut found = Found::default();
    while found.end < source.bytes.len() {
        let line = Line::at(source.bytes, found.end);
        let operation = match parse(line.text) {
            Ok(operation) => operation,
            Err(why) => {
                found.judge(source, &line, &why)?;
                break;
            }
        };
        operation.changes().iter().try_for_each(&mut show)?;
        found.changes += operation.changes().len() as u64;
        found.lines += 1;
        found.end = line.end;
        found.lacks_line_feed = !line.has_end;
        line_ended(line.end as u64, found.changes);
    }
    if found.lacks_line_feed && !source.may_be_torn {
        return Err(found.error(source, "it has no end, and more was written behind it"));
    }
    found.compare(source)?;
    Ok(found)
}

impl Found {
    /// Damage at the line behind the sound ones.
    fn error(&self, source: Source<'_>, why: &str) -> Error {
        Error::corrupt(source.path, self.end as u64, format!("line {}: {why}", self.lines + 1))
    }

    /// Whether `line`, which says nothing, may be cut off with all that follows: it is what a crash left of the last
    /// writes.
    fn judge(&self, source: Source<'_>, line: &Line<'_>, why: &str) -> Result<()> {
        if !line.is_cut_short() || !source.may_be_torn {
            return Err(self.error(source, why));
        }
        let len = source.bytes.len();
        let was_synced = |sum: &Sum| sum.covers > self.end as u64 && sum.covers <= len as u64;
        if source.sums.iter().any(was_synced) && !sabotage::skips(Rule::ChecksumCheck) {
            return Err(self.error(source, &format!("{why}; and it was whole when it was synced")));
        }
        // Of a file that is none of ours, nothing is cut off.
        let written = line.text.split(|&byte| byte == 0).next().unwrap_or_default();
        if self.lines == 0 && !written.starts_with(BEGINNING) && !BEGINNING.starts_with(written) {
            return Err(self.error(source, why));
        }
        let mut next = line.end;
        while next < len && !sabotage::skips(Rule::TailRule) {
            let line = Line::at(source.bytes, next);
            // A whole line follows: it was not the last write.
            if !line.is_cut_short() {
                return Err(self.error(source, why));
            }
            next = line.end;
        }
        Ok(())
    }

    /// Compares the sound lines with the sums, which must not cover more than those.
    fn compare(&mut self, source: Source<'_>) -> Result<()> {
        let mut start = 0;
        for sum in source.sums {
            let Some(end) = usize::try_from(sum.covers).ok().filter(|&end| end <= self.end) else { break };
            self.crc.update(&source.bytes[start..end]);
            let crc = self.crc.clone().finalize();
            if crc != sum.crc && !sabotage::skips(Rule::ChecksumCheck) {
                let lines = memchr_iter(b'\n', &source.bytes[..start]).count();
                let what = format!(
                    "between line {} there and offset {end} it is not what was synced: its checksum differs",
                    lines + 1
                );
                return Err(Error::corrupt(source.path, start as u64, what));
            }
            start = end;
            self.sums += 1;
        }
        match source.sums.last() {
            // They were promised, and no crash takes them: a sum is written after a sync of what it covers.
            Some(last) if self.sums < source.sums.len() && !sabotage::skips(Rule::ChecksumCheck) => {
                let missing = last.covers.saturating_sub(source.bytes.len() as u64);
                let sums = source.path.with_extension("sums");
                let sums = sums.file_name().unwrap_or_default().to_string_lossy();
                let what = format!(
                    "{missing} synced bytes are missing: {sums} proves that there were {}; what is left opens \
                     once {sums} is moved away",
                    last.covers
                );
                Err(Error::corrupt(source.path, self.end as u64, what))
            }
            _ => Ok(()),
        }
    }
}
