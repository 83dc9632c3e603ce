//! [`Bench`]: the place where a case runs, and [`Store`]: an engine whose failures fail the case.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, LOCK_FILE, RealDisk, RecordingDisk};
use logladder_engine::{Compacted, Engine, Result};

use crate::Subject;
use crate::show::show;

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
                let bytes = self.disk.read(&path).unwrap_or_else(|error| panic!("{error}"));
                files.insert(entry.name, bytes);
            }
        }
        files
    }
}

/// An open engine, each of whose failures fails the case.
pub struct Store {
    engine: Box<dyn Engine>,
}

impl Store {
    pub(crate) fn new(engine: Box<dyn Engine>) -> Self {
        Self { engine }
    }

    /// The engine itself, for what is expected to fail.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// The engine itself, to be shared.
    #[must_use]
    pub fn into_engine(self) -> Box<dyn Engine> {
        self.engine
    }

    /// Sets `key` to `value`.
    #[track_caller]
    pub fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (key, value) = (key.as_ref(), value.as_ref());
        if let Err(error) = self.engine.set(key, value) {
            panic!("set {} = {} failed: {error}", show(key), show(value));
        }
    }

    /// Deletes `key`.
    #[track_caller]
    pub fn delete(&self, key: impl AsRef<[u8]>) {
        let key = key.as_ref();
        if let Err(error) = self.engine.delete(key) {
            panic!("delete {} failed: {error}", show(key));
        }
    }

    /// The value of `key`.
    #[track_caller]
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let key = key.as_ref();
        self.engine.get(key).unwrap_or_else(|error| panic!("get {} failed: {error}", show(key)))
    }

    /// Asserts that `key` has this value, by `get` and by `get_into`.
    #[track_caller]
    pub fn holds(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.shows(key.as_ref(), Some(value.as_ref()));
    }

    /// Asserts that `key` has no value, by `get` and by `get_into`.
    #[track_caller]
    pub fn lacks(&self, key: impl AsRef<[u8]>) {
        self.shows(key.as_ref(), None);
    }

    /// Asserts what `key` has, by `get` and by `get_into`.
    #[track_caller]
    pub fn shows(&self, key: &[u8], expected: Option<&[u8]>) {
        let say = |value: Option<&[u8]>| value.map_or("no value".to_owned(), show);
        let got = self.get(key);
        assert!(
            got.as_deref() == expected,
            "get {} gave {}, and should give {}",
            show(key),
            say(got.as_deref()),
            say(expected)
        );
        let mut buffer = b"what was in the buffer before".to_vec();
        let found = match self.engine.get_into(key, &mut buffer) {
            Ok(found) => found.then_some(buffer),
            Err(error) => panic!("get_into {} failed: {error}", show(key)),
        };
        assert!(
            found.as_deref() == expected,
            "get_into {} gave {}, and should give {}",
            show(key),
            say(found.as_deref()),
            say(expected)
        );
    }

    /// Syncs.
    #[track_caller]
    pub fn sync(&self) {
        if let Err(error) = self.engine.sync() {
            panic!("sync failed: {error}");
        }
    }

    /// Closes.
    #[track_caller]
    pub fn close(self) {
        if let Err(error) = self.engine.close() {
            panic!("close failed: {error}");
        }
    }

    /// Sizes and counts.
    #[track_caller]
    #[must_use]
    pub fn stats(&self) -> logladder_engine::Stats {
        self.engine.stats().unwrap_or_else(|error| panic!("stats failed: {error}"))
    }

    /// Compacts.
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn compact(&self) -> Compacted {
        let Some(compact) = self.engine.as_compact() else { panic!("the engine no longer compacts") };
        compact.compact().unwrap_or_else(|error| panic!("compaction failed: {error}"))
    }

    /// Shows every key to `visit`.
    #[track_caller]
    pub fn for_each(&self, visit: &mut logladder_engine::Visit<'_>) {
        let Some(iterate) = self.engine.as_iterate() else { panic!("the engine no longer iterates") };
        if let Err(error) = iterate.for_each(visit) {
            panic!("for_each failed: {error}");
        }
    }

    /// Everything, by `for_each`. A key that is shown twice fails the case.
    #[track_caller]
    #[must_use]
    pub fn contents(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut contents = BTreeMap::new();
        self.for_each(&mut |key, value| {
            let before = contents.insert(key.to_vec(), value.to_vec());
            assert!(before.is_none(), "for_each showed {} twice", show(key));
            ControlFlow::Continue(())
        });
        contents
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.engine.name()).finish()
    }
}
