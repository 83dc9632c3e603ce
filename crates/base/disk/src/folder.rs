//! [`StoreFolder`]: whose folder this is, and that nobody else has it open.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_engine::{Error, Result};

use crate::repaired::{is_of_repair, refuse_unfinished, unfinished_claim};
use crate::{Disk, Entry, Lock, TEMPORARY_SUFFIX, TORN_INFIX, parent};

/// The name of the file that is locked while a store is open. It says which stage the store is of, and it is
/// never removed: a lock file that is unlinked on release ends in two owners.
pub const LOCK_FILE: &str = "LOGLADDER";

/// The folder of one open store: locked, known to be of the right stage, rid of unfinished temporary files.
#[derive(Debug)]
pub struct StoreFolder {
    disk: Arc<dyn Disk>,
    /// Absolute, so that it stays the same folder when the process changes its working directory.
    dir: PathBuf,
    /// What the lock file says once the folder is claimed.
    line: String,
    /// What an interrupted write left, as found at opening.
    temporaries: Vec<PathBuf>,
    lock: Lock,
}

impl StoreFolder {
    /// Takes the folder `dir` for a store of `stage` in format `version`, making it if it is not there:
    /// [`open_unclaimed`](Self::open_unclaimed), then [`claim`](Self::claim).
    ///
    /// # Errors
    ///
    /// As those two.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        stage: &'static str,
        version: u32,
        owns: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let folder = Self::open_unclaimed(disk, dir, stage, version, owns)?;
        folder.claim()?;
        Ok(folder)
    }

    /// Locks the folder `dir`, making it if it is not there, and changes no file in it: at most an empty lock
    /// file is added, which claims nothing. So a stage can look at its files first, and refuse them.
    ///
    /// `owns` says which file names are the stage's own; what [`replace`](crate::replace()) and
    /// [`cut_torn_tail`](crate::cut_torn_tail) put beside those is too. A folder that no lock file claims may
    /// hold such files (brought from elsewhere, which the stage will check) and nothing else. In a claimed one,
    /// strangers' files are left alone.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignStore`], [`Error::UnsupportedVersion`], [`Error::Locked`], or the system refused, or a
    /// folder stands where the store wants a file.
    pub fn open_unclaimed(
        disk: Arc<dyn Disk>,
        dir: &Path,
        stage: &'static str,
        version: u32,
        owns: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let dir = disk.absolute(dir)?;
        create_dir_and_parents(&*disk, &dir)?;
        let claim = Claim { dir: &dir, stage, version };
        let lock_path = dir.join(LOCK_FILE);
        // Before the lock, so that a store of another stage is named as that, in use or not, and a folder of
        // someone else gets no lock file.
        let is_there = disk.entry(&lock_path)?.is_some();
        if !is_there || !claim.check(&disk.read(&lock_path)?)? {
            claim.check_files(&disk.list(&dir)?, false, &owns)?;
        }
        let lock = disk.lock(&lock_path)?;
        // Again: another process may have come first.
        let found = disk.read(&lock_path)?;
        refuse_unfinished(&dir, stage, version, &found)?;
        let is_claimed = claim.check(&found)?;
        let entries = disk.list(&dir)?;
        claim.check_files(&entries, is_claimed, &owns)?;
        let temporaries = (entries.iter().filter(|entry| is_temporary(entry, &owns)))
            .map(|entry| dir.join(&entry.name))
            .collect();
        let line = claim.line();
        Ok(Self { disk, dir, line, temporaries, lock })
    }

    /// As [`open_unclaimed`](Self::open_unclaimed), for a store that is made of what is whole of a damaged one. What claims the
    /// folder says that it is unfinished, and has every other opening refused, until [`finish_repair`](crate::finish_repair)
    /// puts the right claim in its place.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_for_repair(
        disk: Arc<dyn Disk>,
        dir: &Path,
        stage: &'static str,
        version: u32,
        owns: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let folder = Self::open_unclaimed(disk, dir, stage, version, owns)?;
        let folder = Self { line: unfinished_claim(stage, version), ..folder };
        // Before anything else is done there: until then, what is left looks like a store that was begun.
        folder.write_claim()?;
        Ok(folder)
    }

    /// As [`open_unclaimed`](Self::open_unclaimed), for a copy of the store in this folder: of one that is not there or holds
    /// nothing.
    ///
    /// # Errors
    ///
    /// As [`check_copy_target`](Self::check_copy_target), and else as there.
    pub fn open_for_copy(
        &self,
        dir: &Path,
        stage: &'static str,
        version: u32,
        owns: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        self.check_copy_target(dir)?;
        Self::open_unclaimed(Arc::clone(&self.disk), dir, stage, version, owns)
    }

    /// That a copy of the store in this folder can be made in the folder `dir`. [`open_for_copy`](Self::open_for_copy) asks
    /// this; a stage that has something to write before that asks it first.
    ///
    /// # Errors
    ///
    /// [`Error::NotEmpty`] if something is in it; [`Error::Unsupported`] if it lies in this one; or the system refused.
    pub fn check_copy_target(&self, dir: &Path) -> Result<()> {
        check_target(&*self.disk, &self.dir, dir, "the copy would lie in the folder of the store itself")
    }

    /// Makes the folder the stage's, unless it is already, and removes what interrupted writes left. To be
    /// called once, when the stage has found its files readable, before it changes any of them.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn claim(&self) -> Result<()> {
        self.write_claim()?;
        self.remove_temporaries()
    }

    /// The same, and the claim is on the disk also if it was there already: a process may have written it and died before
    /// it could sync it. For a stage whose files would be taken for a stranger's without it, such as one that keeps
    /// them in folders.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn claim_durably(&self) -> Result<()> {
        if !self.write_claim()? {
            self.sync_claim()?;
        }
        self.remove_temporaries()
    }

    /// Says whether it had to be written.
    fn write_claim(&self) -> Result<bool> {
        let path = self.path(LOCK_FILE);
        if self.line.as_bytes() == self.disk.read(&path)? {
            return Ok(false);
        }
        let file = self.disk.open(&path)?;
        file.truncate(0)?;
        file.append(self.line.as_bytes())?;
        self.sync_claim()?;
        Ok(true)
    }

    fn sync_claim(&self) -> Result<()> {
        self.disk.open(&self.path(LOCK_FILE))?.sync()?;
        self.disk.sync_dir(&self.dir)?;
        // The folder may have been made by a process that died before it could do this.
        self.disk.sync_dir(parent(&self.dir))
    }

    /// Nothing in a temporary file was ever acknowledged. The removal needs no sync: if it is lost, it is done again.
    fn remove_temporaries(&self) -> Result<()> {
        self.temporaries.iter().try_for_each(|path| self.disk.remove(path))
    }

    /// That the folder at the store's path still is the one that was opened: the lock file there is the very file that is
    /// locked. The lock goes with the folder when that is moved away, and does not keep another store from being
    /// made or restored at the path. So who is about to make, replace, remove or link a file by its path asks this
    /// first, and so does who finds a file of the store missing, before saying that it never was there.
    ///
    /// It costs two looks at the file system, so a write that needs no new file does not ask. Between the answer and
    /// what is done then, the folder may still be moved: there is no call that does both at once.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] of the kind [`NotFound`](io::ErrorKind::NotFound), with the folder: it was moved or removed,
    /// whatever stands at its path now. Or the system refused to look.
    pub fn check_in_place(&self) -> Result<()> {
        if self.lock.is_at(&self.path(LOCK_FILE))? {
            return Ok(());
        }
        let why = "the folder that was opened is no longer there, it was moved or removed; what stands there now is \
                   left as it is: put the folder back, or close the store and open it where it is";
        Err(Error::io(
            "go on with the open store in",
            &self.dir,
            io::Error::new(io::ErrorKind::NotFound, why),
        ))
    }

    /// What [`check_in_place`](Self::check_in_place) has to say against the folder, in words: for
    /// [`Engine::trouble`](logladder_engine::Engine::trouble).
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.check_in_place().err().map(|error| error.to_string())
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
        // A file that takes no space may have any length.
        Ok(self.list()?.iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.len)))
    }
}

/// Whether the name is the stage's, or that of a file which the stage's work on such a one leaves beside it.
pub(crate) fn is_own(name: &str, owns: &impl Fn(&str) -> bool) -> bool {
    let whole = name.strip_suffix(TEMPORARY_SUFFIX).unwrap_or(name);
    let base = whole.split_once(TORN_INFIX).map_or(whole, |(base, _)| base);
    // A name that is not UTF-8 is listed with a substitute: it leads to no file, or to another.
    base != LOCK_FILE && owns(base) && !name.contains(char::REPLACEMENT_CHARACTER)
}

fn is_temporary(entry: &Entry, owns: &impl Fn(&str) -> bool) -> bool {
    entry.name.ends_with(TEMPORARY_SUFFIX) && is_own(&entry.name, owns)
}

/// That `into` has room for a new store which is made of the one in the folder `store`: nothing is in it, and it does not lie
/// in that one, however it is called. There, the two would be moved, removed and copied as one.
///
/// # Errors
///
/// [`Error::NotEmpty`]; [`Error::Unsupported`], with `within` for the reason; or the system refused.
pub(crate) fn check_target(disk: &dyn Disk, store: &Path, into: &Path, within: &str) -> Result<()> {
    if disk.entry(into)?.is_some_and(|entry| entry.is_dir)
        && let Some(there) = disk.list(into)?.first()
    {
        return Err(Error::NotEmpty { dir: into.to_path_buf(), found: there.name.clone() });
    }
    if disk.resolved(into)?.starts_with(disk.resolved(store)?) {
        return Err(Error::Unsupported { what: format!("{within}: name another folder") });
    }
    Ok(())
}

/// The refusal of a folder that has the name of a file of the store.
#[must_use]
pub fn folder_in_place_of_file(path: &Path) -> Error {
    let why = "a folder stands where the store wants a file: move it away";
    Error::io("use", path, io::Error::new(io::ErrorKind::IsADirectory, why))
}

/// Makes `dir` and what is missing above it, each on the disk before the next.
fn create_dir_and_parents(disk: &dyn Disk, dir: &Path) -> Result<()> {
    if let Some(entry) = disk.entry(dir)? {
        return if entry.is_dir { Ok(()) } else { disk.create_dir(dir) };
    }
    let above = parent(dir);
    if above != dir {
        create_dir_and_parents(disk, above)?;
    }
    disk.create_dir(dir)?;
    disk.sync_dir(above)
}

/// What this program wants the folder to be.
struct Claim<'a> {
    dir: &'a Path,
    stage: &'static str,
    version: u32,
}

/// What the lock file of a store of `stage` in format `version` says.
#[must_use]
pub fn claim(stage: &str, version: u32) -> String {
    format!("logladder {stage} {version}\n")
}

impl Claim<'_> {
    fn line(&self) -> String {
        claim(self.stage, self.version)
    }

    /// Whether the lock file says what we would write. If it is only the beginning of that, as a crash may
    /// leave it, the folder is claimed by nobody.
    fn check(&self, found: &[u8]) -> Result<bool> {
        let line = self.line();
        // A repair that has not ended is refused by whoever has the lock.
        if line.as_bytes() == found || is_of_repair(self.stage, self.version, found) {
            return Ok(true);
        }
        if is_unfinished(found, &line) {
            return Ok(false);
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

    /// Whether the store can live with what is in the folder: no folder under the name of a file of its own,
    /// and, unless the folder `is_claimed`, nothing of anyone else's.
    fn check_files(&self, entries: &[Entry], is_claimed: bool, owns: &impl Fn(&str) -> bool) -> Result<()> {
        for entry in entries {
            if is_own(&entry.name, owns) {
                if entry.is_dir {
                    return Err(folder_in_place_of_file(&self.dir.join(&entry.name)));
                }
            } else if !is_claimed && entry.name != LOCK_FILE {
                return Err(Error::ForeignStore {
                    dir: self.dir.to_path_buf(),
                    expected: self.stage,
                    found: format!("`{}`, which no {} store has", entry.name, self.stage),
                });
            }
        }
        Ok(())
    }
}

/// Whether a crash could have left `found` of `line`: a beginning of it, then perhaps zeros where the length
/// reached the disk and the bytes did not.
pub(crate) fn is_unfinished(found: &[u8], line: &str) -> bool {
    let written = found.iter().position(|&byte| byte == 0).unwrap_or(found.len());
    found.len() <= line.len()
        && line.as_bytes().starts_with(&found[..written])
        && found[written..].iter().all(|&byte| byte == 0)
}
