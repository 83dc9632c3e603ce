//! [`cut_torn_tail`]: the tail rule.

use std::path::PathBuf;

use logladder_engine::{Repair, Result, SyncPolicy};

use crate::{Disk, File, parent, replace};

/// What stands between the name of a log and the offset in the name of a kept tail: `store.json.torn-42`.
pub const TORN_INFIX: &str = ".torn-";

/// Cuts what a crash left unfinished off the end of `file`, from `offset` on.
///
/// The bytes are first kept in a file beside it, and that file is on the disk before anything is cut; so a
/// crash in between leads back here, and nothing that was written is ever thrown away. It is the caller who
/// knows that no valid record follows.
///
/// # Errors
///
/// The system refused. The file is then as it was, or cut with its tail kept.
pub fn cut_torn_tail(disk: &dyn Disk, file: &dyn File, offset: u64) -> Result<Repair> {
    let len = file.len() - offset;
    // The length is the file's own, so there is as much to read.
    let mut tail = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    file.read_at(offset, &mut tail)?;
    let kept = kept_path(disk, file, offset, &tail)?;
    replace(disk, &kept, &[&tail], SyncPolicy::Always)?;
    file.truncate(offset)?;
    file.sync()?;
    Ok(Repair::new(file.path().to_path_buf(), offset, len, kept))
}

/// A name that is free, or that already holds these very bytes, because a crash interrupted the same cut.
fn kept_path(disk: &dyn Disk, file: &dyn File, offset: u64, tail: &[u8]) -> Result<PathBuf> {
    let name = file.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dir = parent(file.path());
    let mut round = 0_u64;
    loop {
        let suffix = if round == 0 { String::new() } else { format!("-{round}") };
        let path = dir.join(format!("{name}{TORN_INFIX}{offset}{suffix}"));
        match disk.entry(&path)? {
            Some(entry) if entry.len == tail.len() as u64 && disk.read(&path)? == tail => return Ok(path),
            Some(_) => round += 1,
            None => return Ok(path),
        }
    }
}
