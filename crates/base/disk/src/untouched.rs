//! [`Untouched`]: the folder of a store that is looked at and not changed, whatever is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_engine::{Error, Problem, Result, Severity};

use crate::folder::{check_target, claim, is_own, is_unfinished};
use crate::repaired::{is_of_repair, refuse_unfinished};
use crate::{Disk, Entry, LOCK_FILE, Lock, TEMPORARY_SUFFIX};

/// What a folder is in which nothing is but a lock file that claims nothing.
const UNCLAIMED: &str = "an unfinished LOGLADDER and nothing else, which the beginning of a store, a copy or a repair may have left: \
                         do that again";

/// A folder that nobody has open. No file in it is changed, and none is added.
#[derive(Debug)]
pub struct Untouched {
    /// The disk that the folder is on.
    pub disk: Arc<dyn Disk>,
    /// Where it is, from the root on.
    pub dir: PathBuf,
    /// What is in it, by name.
    pub entries: Vec<Entry>,
    /// Whether a file of this name is the store's.
    owns: fn(&str) -> bool,
    /// What the lock file should say.
    line: String,
    /// Whether it does. Only then may a stranger's files be in the folder.
    is_claimed: bool,
    _lock: Option<Lock>,
}

impl Untouched {
    /// Looks into `dir`, where a store of `stage` in format `version` should be, of which `owns` says what its files are
    /// called. If it has a lock file, that is locked.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`]; [`Error::ForeignStore`] if no file of this stage is there, or a repair into the folder was not
    /// finished; [`Error::UnsupportedVersion`]; or the system refused.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        stage: &'static str,
        version: u32,
        owns: fn(&str) -> bool,
    ) -> Result<Self> {
        let dir = disk.absolute(dir)?;
        let entries = disk.list(&dir)?;
        let has_lock_file = entries.iter().any(|entry| entry.name == LOCK_FILE && !entry.is_dir);
        let has_own = entries.iter().any(|entry| owns(&entry.name));
        let lock_path = dir.join(LOCK_FILE);
        let line = claim(stage, version);
        let foreign = |found: String| Err(Error::ForeignStore { dir: dir.clone(), expected: stage, found });
        if !has_lock_file && !has_own {
            return foreign("no file of such a store".into());
        }
        if has_lock_file && !has_own {
            let found = disk.read(&lock_path)?;
            // In a store with files, a line that differs is looked at as damage.
            if found != line.as_bytes() && !is_of_repair(stage, version, &found) {
                return foreign(if is_unfinished(&found, &line) {
                    UNCLAIMED.into()
                } else {
                    format!("`{}`", String::from_utf8_lossy(&found).trim_end())
                });
            }
        }
        let lock = if has_lock_file { lock(&*disk, &lock_path)? } else { None };
        // A lock file that cannot be read is damage, as others are.
        let found = disk.read(&lock_path).unwrap_or_default();
        refuse_unfinished(&dir, stage, version, &found)?;
        let is_claimed = found == line.as_bytes();
        Ok(Self { disk, dir, entries, owns, line, is_claimed, _lock: lock })
    }

    /// The path of a file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// All bytes of a file. A file that the disk cannot give is an error, which a map of it would not be.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        self.disk.read(&self.path(name))
    }

    /// What a check says of a folder among the files.
    #[must_use]
    pub fn judge_folder(&self, name: &str) -> Problem {
        if is_own(name, &self.owns) || name == LOCK_FILE {
            let what = "a folder stands where a file of the store belongs: move it away";
            return Problem::new(Severity::Damage, &self.path(name), 0, what);
        }
        self.judge_stranger(name, "it is a folder, and none of the store's")
    }

    /// What a check says of a file that has no name of the store's: it stands beside one that has, or is a stranger's.
    #[must_use]
    pub fn judge_other_file(&self, name: &str) -> Problem {
        if !is_own(name, &self.owns) {
            return self.judge_stranger(name, "it is no file of the store");
        }
        let what = if name.ends_with(TEMPORARY_SUFFIX) {
            "an interrupted write left it, and the next open removes it"
        } else {
            "an earlier open cut this off an unfinished write, and kept it"
        };
        Problem::new(Severity::Remark, &self.path(name), 0, what)
    }

    /// What a check says of the lock file, which says `found`, unless it is right.
    #[must_use]
    pub fn judge_lock_file(&self, found: &[u8]) -> Option<Problem> {
        if found == self.line.as_bytes() {
            return None;
        }
        let path = self.path(LOCK_FILE);
        if is_unfinished(found, &self.line) {
            let what = "it is not finished, and the next open writes it";
            return Some(Problem::new(Severity::Harmless, &path, 0, what));
        }
        let same = self.line.bytes().zip(found).take_while(|(right, found)| right == *found).count();
        let what = format!("it should say `{}`", self.line.trim_end());
        Some(Problem::new(Severity::Damage, &path, same as u64, what))
    }

    /// A store lives beside it, but is not opened there as long as nothing says that the folder is the store's.
    fn judge_stranger(&self, name: &str, what: &str) -> Problem {
        let path = self.path(name);
        if self.is_claimed {
            return Problem::new(Severity::Remark, &path, 0, what);
        }
        let what = format!(
            "{what}, which is refused beside it while {LOCK_FILE} does not claim the folder: move it away"
        );
        Problem::new(Severity::Damage, &path, 0, what)
    }

    /// That a new store can be made in the folder `into` from what is salvaged of this one, which is not touched by that.
    ///
    /// # Errors
    ///
    /// [`Error::NotEmpty`] if something is in it; [`Error::Unsupported`] if it lies in this one; or the system refused.
    pub fn check_target(&self, into: &Path) -> Result<()> {
        let within = "what is salvaged would lie in the folder of the old store";
        check_target(&*self.disk, &self.dir, into, within)
    }
}

/// The lock, or none where nobody can write and so nobody can lock.
fn lock(disk: &dyn Disk, path: &Path) -> Result<Option<Lock>> {
    match disk.lock(path) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => Ok(None),
        outcome => outcome.map(Some),
    }
}
