//! The folder of an open store is moved away, and another store is made at its path. The open one, whose lock went with
//! its folder, must not touch what is not its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use logladder_engine::{Backup, Compact, Engine, Error, Result};

use crate::second_process::must;

type Files = BTreeMap<String, Vec<u8>>;

/// What an open store is asked to do that concerns its files.
const DEEDS: [&str; 6] = ["sync", "rotate", "seal", "compact", "back up", "close"];

/// How a stage whose files are sealed and compacted is used on the real disk, whose folders can be moved.
#[derive(Debug)]
pub struct Moved<E> {
    /// Opens the store: with files of 400 bytes, which nothing but a call replaces.
    pub open: fn(&Path) -> Result<E>,
    /// Brings what was written last into files that no longer change.
    pub seal: fn(&E) -> Result<()>,
}

impl<E: Engine + Compact + Backup> Moved<E> {
    /// Whatever the store is asked to do, it says what happened and leaves the other as it is; and where its folder is now,
    /// everything is there.
    ///
    /// # Panics
    ///
    /// It is not so.
    pub fn assert_another_store_at_its_path_is_left_alone(&self) {
        // With everything sealed, and with a file that still grows.
        for (deed, is_sealed) in DEEDS.into_iter().flat_map(|deed| [(deed, false), (deed, true)]) {
            if (deed, is_sealed) == ("seal", true) {
                continue;
            }
            let folder = folder();
            let [dir, away, backup] = ["data", "data.old", "backup"].map(|name| folder.path().join(name));
            let store = self.open(&dir);
            fill(&store, b"first");
            if is_sealed {
                must("it is sealed", (self.seal)(&store));
            }
            rename(&dir, &away);
            let other = self.open(&dir);
            fill(&other, b"other");
            must("the other is closed", Box::new(other).close());
            let before = files_in(&dir);

            assert_says_what_happened(self.perform(deed, store, &backup), deed, &dir);
            let after = files_in(&dir);
            let names = before.keys().chain(after.keys());
            let changed: Vec<&String> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
            assert!(changed.is_empty(), "{deed}, sealed {is_sealed}: {changed:?}");
            assert!(!backup.exists(), "{deed}: a backup of another store was begun");

            // What was acknowledged is where the folder is.
            let moved = self.open(&away);
            for key in 0..10 {
                assert_holds(&moved, key, b"first");
            }
        }
    }

    /// It says so while the folder is away, goes on reading, and goes on with everything once the folder is back.
    ///
    /// # Panics
    ///
    /// It does not.
    pub fn assert_a_folder_that_is_put_back_is_gone_on_with(&self) {
        let folder = folder();
        let [dir, away] = ["data", "data.old"].map(|name| folder.path().join(name));
        let store = self.open(&dir);
        fill(&store, b"first");
        must("it is sealed", (self.seal)(&store));
        rename(&dir, &away);
        assert_says_what_happened(store.compact().map(drop), "compact", &dir);
        assert_holds(&store, 3, b"first");
        rename(&away, &dir);
        must("it is compacted", store.compact());
        fill(&store, b"again");
        must("it is closed", Box::new(store).close());
        assert_holds(&self.open(&dir), 3, b"again");
    }

    /// A sync of a store whose folder was removed says so.
    ///
    /// # Panics
    ///
    /// It does not.
    pub fn assert_a_removed_folder_is_told_by_a_sync(&self) {
        let folder = folder();
        let dir = folder.path().join("data");
        let store = self.open(&dir);
        fill(&store, b"first");
        must("it is synced", store.sync());
        must("it is removed", fs::remove_dir_all(&dir));
        assert_says_what_happened(store.sync(), "sync", &dir);
    }

    fn open(&self, dir: &Path) -> E {
        must("it opens", (self.open)(dir))
    }

    fn perform(&self, deed: &str, store: E, backup: &Path) -> Result<()> {
        match deed {
            "sync" => store.sync(),
            "rotate" => (0..10).try_for_each(|_| store.set(b"more", &[1; 100])),
            "seal" => (self.seal)(&store),
            "compact" => store.compact().map(drop),
            "back up" => store.backup(backup),
            _ => Box::new(store).close(),
        }
    }
}

/// That an operation `deed` has failed because the folder `dir` is no longer the store's, and says so.
///
/// # Panics
///
/// It has not, or does not.
pub fn assert_says_what_happened(outcome: Result<()>, deed: &str, dir: &Path) {
    let Err(error) = outcome else { panic!("{deed}: done, in a folder that is another's") };
    let is_typed = matches!(&error, Error::Io { path, source, .. } if path == dir && source.kind() == ErrorKind::NotFound);
    assert!(is_typed, "{deed}: {error:?}");
    assert!(error.to_string().contains("moved"), "{deed}: {error}");
}

/// Every file in the folder and in those in it, by its path in it.
///
/// # Panics
///
/// One cannot be read.
#[must_use]
pub fn files_in(dir: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in must("it can be listed", fs::read_dir(dir.join(&folder))) {
            let name = folder.join(must("an entry", entry).file_name());
            let path = dir.join(&name);
            if path.is_dir() {
                folders.push(name);
            } else {
                files.insert(name.display().to_string(), must("it can be read", fs::read(&path)));
            }
        }
    }
    files
}

fn folder() -> tempfile::TempDir {
    must("a temporary folder", tempfile::tempdir())
}

#[allow(clippy::disallowed_methods, reason = "it plays the user who moves folders")]
fn rename(from: &Path, to: &Path) {
    must("it is moved", fs::rename(from, to));
}

/// Sets some keys twice, in several files, of which the last is not full.
fn fill(store: &dyn Engine, value: &[u8]) {
    for (round, key) in (0..2).flat_map(|round| (0..10).map(move |key| (round, key))) {
        must("it is set", store.set(&[key], &[value, &[round; 40]].concat()));
    }
}

fn assert_holds(store: &dyn Engine, key: u8, value: &[u8]) {
    let found = must("it can be read", store.get(&[key]));
    assert_eq!(found, Some([value, &[1; 40][..]].concat()), "key {key}");
}
