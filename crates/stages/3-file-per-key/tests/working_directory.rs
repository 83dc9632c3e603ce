//! A store stays where it was opened. Alone in its file: the working directory belongs to the whole process.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use logladder_engine::{Engine, Open};
use logladder_file_per_key::{FilePerKey, Options};

#[test]
fn a_store_opened_by_a_relative_path_stays_the_same_when_the_working_directory_changes() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::env::set_current_dir(first.path()).unwrap();
    let store = FilePerKey::open(Path::new("store"), Options::default()).unwrap();
    store.set(b"a", b"value").unwrap();
    std::env::set_current_dir(second.path()).unwrap();
    assert_eq!(store.get(b"a").unwrap().unwrap(), b"value");
    store.set(b"b", b"value").unwrap();
    assert!(first.path().join("store/k-62").exists());
}
