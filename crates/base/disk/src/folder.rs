//! [`StoreFolder`]: whose folder this is, and that nobody else has it open.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_engine::{Error, Result};

use crate::{Disk, Entry, Lock, TEMPORARY_SUFFIX, TORN_INFIX, parent};

/// The name of the file that is locked while a store is open. It says which stage the store is of, and it is
/// never removed: a lock file that is unlinked on release ends in two owners.
pub const LOCK_FILE: &str = "LOGLADDER";

/// The folder of one open store: locked, known to be of the right stage, rid of unfinished temporary files.
#[derive(Debug)]
pub struct StoreFolder {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    _lock: Lock,
}

impl StoreFolder {
    /// Takes the folder `dir` for a store of `stage` in format `version`, making it if it is not there.
    ///
    /// `owns` says which file names are the stage's own. A folder without a lock file may hold those (a file
    /// brought from elsewhere, which the stage will check) and nothing else.
    ///
    /// Nothing is changed before it is clear that the folder is the stage's.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignStore`], [`Error::UnsupportedVersion`], [`Error::Locked`], or the system refused.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        stage: &'static str,
        version: u32,
        owns: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        create_dir_and_parents(&*disk, dir)?;
        let claim = Claim { dir, stage, version };
        let lock_path = dir.join(LOCK_FILE);
        if disk.entry(&lock_path)?.is_none() {
            if let Some(stranger) = disk.list(dir)?.iter().find(|entry| !is_expected(entry, &owns)) {
                return Err(Error::ForeignStore {
                    dir: dir.to_path_buf(),
                    expected: stage,
                    found: format!("`{}`, which no {stage} store has", stranger.name),
                });
            }
        } else {
            // Before the lock, so that a store of another stage is named as that, in use or not.
            claim.check(&disk.read(&lock_path)?)?;
        }
        let lock = disk.lock(&lock_path)?;
        claim.assert(&*disk, &lock_path)?;
        let folder = Self { disk, dir: dir.to_path_buf(), _lock: lock };
        folder.remove_temporaries()?;
        Ok(folder)
    }

    /// The disk that the folder is on.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The folder itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What is in it, sorted by name.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn list(&self) -> Result<Vec<Entry>> {
        self.disk.list(&self.dir)
    }

    /// The sum of its files' lengths, in bytes.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn disk_bytes(&self) -> Result<u64> {
        Ok(self.list()?.iter().map(|entry| entry.len).sum())
    }

    /// Nothing in a temporary file was ever acknowledged. The removal needs no sync: if it is lost, it is
    /// done again.
    fn remove_temporaries(&self) -> Result<()> {
        for entry in self.list()? {
            if entry.name.ends_with(TEMPORARY_SUFFIX) && !entry.is_dir {
                self.disk.remove(&self.path(&entry.name))?;
            }
        }
        Ok(())
    }
}

fn is_expected(entry: &Entry, owns: &impl Fn(&str) -> bool) -> bool {
    let name = &entry.name;
    !entry.is_dir && (owns(name) || name.ends_with(TEMPORARY_SUFFIX) || name.contains(TORN_INFIX))
}

/// Makes `dir` and what is missing above it, each on the disk before the next.
fn create_dir_and_parents(disk: &dyn Disk, dir: &Path) -> Result<()> {
    if let Some(entry) = disk.entry(dir)? {
        return if entry.is_dir { Ok(()) } else { disk.create_dir(dir) };
    }
    let above = parent(dir);
    if above != dir {
        create_dir_and_parents(disk, &above)?;
    }
    disk.create_dir(dir)?;
    disk.sync_dir(&above)
}

/// What this program wants the folder to be.
struct Claim<'a> {
    dir: &'a Path,
    stage: &'static str,
    version: u32,
}

impl Claim<'_> {
    fn line(&self) -> String {
        format!("logladder {} {}\n", self.stage, self.version)
    }

    /// Whether the lock file says what we would write, or is the beginning of it that a crash left.
    fn check(&self, found: &[u8]) -> Result<()> {
        let line = self.line();
        if line.as_bytes() == found || is_unfinished(found, &line) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(found).trim_end().to_owned();
        let words: Vec<&str> = text.split(' ').collect();
        match *words.as_slice() {
            ["logladder", stage, version] if stage == self.stage => match version.parse() {
                Ok(found) => Err(Error::UnsupportedVersion {
                    path: self.dir.join(LOCK_FILE),
                    found,
                    supported: self.version,
                }),
                Err(_) => Err(Error::corrupt(&self.dir.join(LOCK_FILE), 0, "it names no format version")),
            },
            ["logladder", stage, _] => Err(Error::ForeignStore {
                dir: self.dir.to_path_buf(),
                expected: self.stage,
                found: format!("a store of stage {stage}"),
            }),
            _ => Err(Error::corrupt(
                &self.dir.join(LOCK_FILE),
                0,
                format!("it should say `{}`", line.trim_end()),
            )),
        }
    }

    /// Under the lock: checks again, since another process may have come first, and writes the line.
    fn assert(&self, disk: &dyn Disk, path: &Path) -> Result<()> {
        let found = disk.read(path)?;
        self.check(&found)?;
        let line = self.line();
        if line.as_bytes() != found {
            let file = disk.open(path)?;
            file.truncate(0)?;
            file.append(line.as_bytes())?;
            file.sync()?;
            disk.sync_dir(self.dir)?;
            // The folder may have been made by a process that died before it could do this.
            disk.sync_dir(&parent(self.dir))?;
        }
        Ok(())
    }
}

/// Whether a crash could have left `found` of `line`: a beginning of it, then perhaps zeros where the length
/// reached the disk and the bytes did not.
fn is_unfinished(found: &[u8], line: &str) -> bool {
    let written = found.iter().position(|&byte| byte == 0).unwrap_or(found.len());
    found.len() <= line.len()
        && line.as_bytes().starts_with(&found[..written])
        && found[written..].iter().all(|&byte| byte == 0)
}
