//! [`Bench`]: the place where a case runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, LOCK_FILE, RealDisk, RecordingDisk};
use logladder_engine::{Engine, Result};

use crate::{Store, Subject};

/// Which disk a case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The one in memory: fast, and it can be made read-only.
    RecordingDisk,
    /// A folder of its own for temporary files.
    RealDisk,
}

/// A subject, a disk, and a folder on it that is not there yet.
#[derive(Debug)]
pub struct Bench {
    subject: Subject,
    disk: Arc<dyn Disk>,
    recording: Option<RecordingDisk>,
    root: PathBuf,
    _removed_at_the_end: Option<tempfile::TempDir>,
}

impl Bench {
    /// A bench for `subject` on a fresh disk, or in a fresh folder of the real one.
    ///
    /// # Panics
    ///
    /// There is no place for temporary files.
    #[must_use]
    pub fn new(subject: &Subject, place: Place) -> Self {
        let subject = subject.clone();
        match place {
            Place::RecordingDisk => {
                let disk = RecordingDisk::new();
                let shared = Arc::new(disk.clone());
                let root = PathBuf::from("/");
                Self { subject, disk: shared, recording: Some(disk), root, _removed_at_the_end: None }
            }
            Place::RealDisk => {
                let folder =
                    tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
                let root = folder.path().to_path_buf();
                let disk = RealDisk::shared();
                Self { subject, disk, recording: None, root, _removed_at_the_end: Some(folder) }
            }
        }
    }

    /// The engine under test.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The disk it runs on.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The same, if it is the recording one.
    #[must_use]
    pub fn recording(&self) -> Option<&RecordingDisk> {
        self.recording.as_ref()
    }

    /// The folder of the store.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.root.join("store")
    }

    /// A path beside the store's folder.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The path of a file in the store's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// The file that says whose folder it is.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        self.path(LOCK_FILE)
    }

    /// The larger number where operations cost next to nothing, the smaller one where each may be a sync.
    #[must_use]
    pub fn many(&self, on_the_recording_disk: usize, on_the_real_disk: usize) -> usize {
        if self.recording.is_some() { on_the_recording_disk } else { on_the_real_disk }
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn try_open(&self) -> Result<Box<dyn Engine>> {
        self.try_open_at(&self.dir())
    }

    /// Opens a store in another folder.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn try_open_at(&self, dir: &Path) -> Result<Box<dyn Engine>> {
        self.subject.open(self.disk.clone(), dir)
    }

    /// Opens the store, which must succeed.
    #[track_caller]
    #[must_use]
    pub fn open(&self) -> Store {
        self.open_at(&self.dir())
    }

    /// Opens a store in another folder, which must succeed.
    #[track_caller]
    #[must_use]
    pub fn open_at(&self, dir: &Path) -> Store {
        match self.try_open_at(dir) {
            Ok(engine) => Store::new(engine),
            Err(error) => panic!("opening failed: {error}"),
        }
    }

    /// Opens the store, which must fail, and gives the error.
    #[track_caller]
    #[must_use]
    pub fn refusal(&self) -> logladder_engine::Error {
        match self.try_open() {
            Ok(_) => panic!("opening succeeded"),
            Err(error) => error,
        }
    }

    /// Closes the store and opens it again.
    #[track_caller]
    #[must_use]
    pub fn reopen(&self, store: Store) -> Store {
        store.close();
        self.open()
    }

    /// Puts a file where an engine would not expect it, or a damaged one in place of its own.
    #[track_caller]
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let write = || {
            let dir = path.parent().unwrap_or(Path::new("/"));
            if self.disk.entry(dir)?.is_none() {
                self.disk.create_dir(dir)?;
            }
            if self.disk.entry(path)?.is_some() {
                self.disk.remove(path)?;
            }
            self.disk.create(path)?.append(bytes)
        };
        if let Err(error) = write() {
            panic!("preparing {} failed: {error}", path.display());
        }
    }

    /// Every file of the store's folder with its bytes.
    #[track_caller]
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.files_of(&self.dir())
    }

    /// Every file of the folder `dir`, and of those in it, with its bytes.
    #[track_caller]
    #[must_use]
    pub fn files_of(&self, dir: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let entries = self.disk.list(dir).unwrap_or_else(|error| panic!("{error}"));
        for entry in entries {
            let path = dir.join(&entry.name);
            if entry.is_dir {
                for (name, bytes) in self.files_of(&path) {
                    files.insert(format!("{}/{name}", entry.name), bytes);
                }
            } else {
                match self.disk.read(&path) {
                    Ok(bytes) => drop(files.insert(entry.name, bytes)),
                    // A thread of the store has removed it since it was listed.
                    Err(_) if self.disk.entry(&path).is_ok_and(|entry| entry.is_none()) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        files
    }
}
