//! Who has a store open, as far as the system says it.

use std::path::Path;

/// The process that holds the lock of this file, as in `process 4711 (logladder)`; none if that cannot be known.
#[cfg(target_os = "linux")]
pub(crate) fn owner_of(lock: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let inode = std::fs::metadata(lock).ok()?.ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 31311 fe:00:10920025 0 EOF`; a process that waits has `->` as its second word.
    let holder = locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, _, process, place, ..] = words.as_slice() else { return None };
        (place.rsplit(':').next()?.parse() == Ok(inode)).then_some(*process)
    });
    // Other devices have files of the same number, so the process must have this very file open, if we may look.
    let process = holder.filter(|process| has_open(process, lock).unwrap_or(true))?;
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(format!("process {process} ({})", name.trim_end()))
}

#[cfg(target_os = "linux")]
fn has_open(process: &str, file: &Path) -> Option<bool> {
    let file = file.canonicalize().ok()?;
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    Some(open.flatten().any(|one| std::fs::read_link(one.path()).is_ok_and(|path| path == file)))
}

/// Other systems do not say.
#[cfg(not(target_os = "linux"))]
pub(crate) fn owner_of(_: &Path) -> Option<String> {
    None
}
