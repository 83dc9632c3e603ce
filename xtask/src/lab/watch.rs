//! Waits until a file of a learner's crate changes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// How often is looked. A crate has a handful of files.
const PAUSE: Duration = Duration::from_millis(300);

/// The files of a crate, with their lengths and the times of their last change.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Snapshot {
    /// What is there now. Folders that are hidden, and what is built, are left out.
    pub(super) fn of(folder: &Path) -> Self {
        let mut snapshot = Self::default();
        snapshot.add(folder);
        snapshot
    }

    fn add(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // The lock file is cargo's: a build may write it.
            if name.starts_with('.') || name == "target" || name == "Cargo.lock" {
                continue;
            }
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => self.add(&entry.path()),
                Ok(metadata) => {
                    self.0.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
                }
                Err(_) => {}
            }
        }
    }
}

/// Returns when the files are no longer as they were, and have not changed for a moment since.
pub(super) fn wait_for_another(folder: &Path, before: &Snapshot) {
    let mut last = before.clone();
    loop {
        thread::sleep(PAUSE);
        let now = Snapshot::of(folder);
        // An editor may write several files one after the other.
        if now == last && now != *before {
            return;
        }
        last = now;
    }
}

/// Clears the screen, if there is one.
pub(super) fn clear() {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        // If it cannot be cleared, it is read as it is.
        let _ = write!(out, "\x1b[2J\x1b[3J\x1b[H").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_changed_file_is_another_snapshot_and_what_is_built_is_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("src")).unwrap();
        fs::create_dir_all(folder.path().join("target")).unwrap();
        let file = |name: &str| {
            fs::File::options().append(true).create(true).open(folder.path().join(name)).unwrap()
        };
        file("src/lib.rs").write_all(b"one").unwrap();
        let before = Snapshot::of(folder.path());
        file("target/out").write_all(b"built").unwrap();
        file("Cargo.lock").write_all(b"locked").unwrap();
        assert_eq!(Snapshot::of(folder.path()), before);
        file("src/lib.rs").write_all(b"two").unwrap();
        assert_ne!(Snapshot::of(folder.path()), before);
        // It returns: the files are another snapshot already.
        wait_for_another(folder.path(), &before);
    }
}
