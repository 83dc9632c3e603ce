//! [`cut_torn_tail`]: the tail rule.

use std::ops::Range;
use std::path::{Path, PathBuf};

use logladder_engine::{Repair, Result, SyncPolicy};

use crate::replace::replace_with;
use crate::{Disk, File, parent};

/// What stands between the name of a log and the offset in the name of a kept tail: `store.json.torn-42`.
pub const TORN_INFIX: &str = ".torn-";

/// How much of a tail is in memory at once, in bytes: a tail may be longer than the memory.
const BLOCK_LEN: u64 = 256 * 1024;

/// Cuts what a crash left unfinished off the end of `file`, from `offset` on.
///
/// The bytes are first kept in a file beside it, and that file is on the disk before anything is cut; so a
/// crash in between leads back here, and nothing that was written is ever thrown away. It is the caller who
/// knows that no valid record follows.
///
/// Of the zeros at the very end, no more than 256 KiB are copied: a file may have gigabytes of them that take no
/// space on the disk. [`Repair::len`] counts them all, which is all there is to know about them.
///
/// # Errors
///
/// The system refused. The file is then as it was, or cut with its tail kept.
pub fn cut_torn_tail(disk: &dyn Disk, file: &dyn File, offset: u64) -> Result<Repair> {
    let len = file.len().saturating_sub(offset);
    let zeros_start = end_without_zeros(file, offset)?;
    let tail = offset..zeros_start.saturating_add(BLOCK_LEN).min(file.len()).max(offset);
    let kept = kept_path(disk, file, &tail)?;
    replace_with(disk, &kept, SyncPolicy::Always, |copy| {
        for_each_block(file, &tail, |_, bytes| copy.append(bytes).map(|_| true)).map(drop)
    })?;
    file.truncate(offset)?;
    file.sync()?;
    Ok(Repair::new(file.path().to_path_buf(), offset, len, kept))
}

/// Where the zeros at the end of `file` begin, but not before `from`: the file's length if there are none.
///
/// # Errors
///
/// The system refused to read.
pub fn end_without_zeros(file: &dyn File, from: u64) -> Result<u64> {
    let mut block = Vec::new();
    let mut end = file.len().max(from);
    // Most files end with something else, and a small read shows it.
    let mut block_len = 512;
    while end > from {
        let start = end.saturating_sub(block_len).max(from);
        // At most BLOCK_LEN.
        block.resize(usize::try_from(end - start).unwrap_or(0), 0);
        file.read_at(start, &mut block)?;
        // The whole block at once first: a processor does that many times faster than it looks for a byte.
        if block.iter().fold(0, |all, byte| all | byte) != 0
            && let Some(last) = block.iter().rposition(|&byte| byte != 0)
        {
            return Ok(start + last as u64 + 1);
        }
        end = start;
        block_len = BLOCK_LEN;
    }
    Ok(from)
}

/// Shows a part of `file` block by block, each with its distance from the beginning of the part, for as long
/// as `show` answers with true. Says whether it always did.
fn for_each_block(
    file: &dyn File,
    part: &Range<u64>,
    mut show: impl FnMut(u64, &[u8]) -> Result<bool>,
) -> Result<bool> {
    let mut block = Vec::new();
    let mut start = part.start;
    while start < part.end {
        let len = BLOCK_LEN.min(part.end - start);
        // At most BLOCK_LEN.
        block.resize(usize::try_from(len).unwrap_or(0), 0);
        file.read_at(start, &mut block)?;
        if !show(start - part.start, &block)? {
            return Ok(false);
        }
        start += len;
    }
    Ok(true)
}

/// A name that is free, or that already holds these very bytes, because a crash interrupted the same cut.
fn kept_path(disk: &dyn Disk, file: &dyn File, tail: &Range<u64>) -> Result<PathBuf> {
    let name = file.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dir = parent(file.path());
    let mut round = 0_u64;
    loop {
        let suffix = if round == 0 { String::new() } else { format!("-{round}") };
        let path = dir.join(format!("{name}{TORN_INFIX}{}{suffix}", tail.start));
        match disk.entry(&path)? {
            Some(entry) if entry.len == tail.end - tail.start && holds(disk, &path, file, tail)? => {
                return Ok(path);
            }
            Some(_) => round += 1,
            None => return Ok(path),
        }
    }
}

/// Whether the file at `path`, which is as long as the tail, holds the same bytes.
fn holds(disk: &dyn Disk, path: &Path, file: &dyn File, tail: &Range<u64>) -> Result<bool> {
    let kept = disk.open(path)?;
    let mut block = Vec::new();
    for_each_block(file, tail, |distance, bytes| {
        block.resize(bytes.len(), 0);
        kept.read_at(distance, &mut block)?;
        Ok(block == bytes)
    })
}
