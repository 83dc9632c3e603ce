//! What the store says of a folder that others have been at.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and plays the stranger"
)]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use logladder_engine::{Engine, Error, Open, Result};
use logladder_file_per_key::{FilePerKey, Options};

fn open(dir: &Path) -> Result<FilePerKey> {
    FilePerKey::open(dir, Options::default())
}

fn keys(store: &FilePerKey) -> Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    store.as_iterate().unwrap().for_each(&mut |key, _| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(keys)
}

#[test]
fn a_file_with_a_name_that_no_key_has_is_passed_over_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().set(b"a", b"value").unwrap();
    let strangers = ["k-6", "h-61", "k-6.tmp", "thesis.tmp"];
    for name in strangers {
        fs::write(dir.path().join(name), "a stranger's").unwrap();
    }
    let store = open(dir.path()).unwrap();
    assert_eq!(keys(&store).unwrap(), [b"a"]);
    assert_eq!(store.stats().unwrap().live_keys, 1);
    for name in strangers {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"a stranger's", "{name}");
    }
}

#[test]
fn a_folder_under_the_name_of_a_key_is_an_error_and_no_absent_key() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    fs::create_dir(dir.path().join("k-61")).unwrap();
    assert!(store.get(b"a").is_err());
    for error in [keys(&store).unwrap_err(), store.stats().unwrap_err()] {
        assert!(error.to_string().contains("k-61: a folder stands where"), "{error}");
    }
    drop(store);
    let error = open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("k-61: a folder stands where"), "{error}");
}

#[test]
fn in_a_folder_that_was_moved_away_no_key_is_absent() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("store");
    let store = open(&dir).unwrap();
    store.set(b"a", b"value").unwrap();
    assert_eq!(store.get(b"b").unwrap(), None);
    fs::rename(&dir, outer.path().join("elsewhere")).unwrap();
    for key in [b"a", b"b"] {
        assert!(matches!(store.get(key), Err(Error::Io { .. })));
    }
    assert!(keys(&store).is_err());
    assert!(matches!(store.delete(b"a"), Err(Error::Io { .. })));
}
