//! What the tests stand on: a store on a recording disk, and its files to look at and to damage.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::crash::Tree;
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Engine, Error, Iterate, Result};
use logladder_hash_log::{Compaction, HashLog, Hints, Options};

pub(crate) const DIR: &str = "/store";

pub(crate) type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

/// Compaction where the test asks for it, and a hint for each segment, however small its values.
pub(crate) fn on_demand() -> Options {
    Options::default().with_compaction(Compaction::OnDemand).with_hints(Hints::Always)
}

pub(crate) fn open(disk: &RecordingDisk) -> Result<HashLog> {
    open_with(disk, on_demand())
}

pub(crate) fn open_with(disk: &RecordingDisk, options: Options) -> Result<HashLog> {
    HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options)
}

pub(crate) fn close(store: HashLog) {
    Box::new(store).close().unwrap();
}

/// Everything that the store shows to a visitor, which must be what it says when asked key by key.
pub(crate) fn contents(store: &HashLog) -> Contents {
    let mut contents = Contents::new();
    store
        .for_each(&mut |key, value| {
            assert!(contents.insert(key.to_vec(), value.to_vec()).is_none(), "each key once");
            ControlFlow::Continue(())
        })
        .unwrap();
    for (key, value) in &contents {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
    }
    assert_eq!(store.stats().unwrap().live_keys, contents.len() as u64);
    contents
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Contents {
    pairs.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// The bytes of a file of the store.
pub(crate) fn bytes(disk: &RecordingDisk, name: &str) -> Vec<u8> {
    let tree = disk.tree();
    let found = tree.files().find(|(found, _)| *found == path(name)).unwrap_or_else(|| panic!("no {name}"));
    found.1.to_vec()
}

/// The names of the store's files that end so.
pub(crate) fn names(disk: &RecordingDisk, ending: &str) -> Vec<String> {
    let tree = disk.tree();
    let names = tree.files().map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| name.ends_with(ending)).collect()
}

/// What the disk holds but the checkpoint: opening looks at every segment.
fn without_checkpoint(disk: &RecordingDisk) -> Tree {
    let mut tree = disk.tree();
    tree.take(&path("CHECKPOINT"));
    tree
}

/// The same disk after a restart, without the checkpoint and with other bytes in one of the files.
pub(crate) fn with_file(disk: &RecordingDisk, name: &str, bytes: Vec<u8>) -> RecordingDisk {
    let mut tree = without_checkpoint(disk);
    tree.put(&path(name), bytes);
    RecordingDisk::from_tree(tree)
}

/// The same disk after a restart, with one bit flipped.
pub(crate) fn with_flipped_bit(disk: &RecordingDisk, name: &str, bit: usize) -> RecordingDisk {
    let mut bytes = bytes(disk, name);
    bytes[bit / 8] ^= 1 << (bit % 8);
    with_file(disk, name, bytes)
}

/// The same disk after a restart, without the hints: opening reads every record.
pub(crate) fn without_hints(disk: &RecordingDisk) -> RecordingDisk {
    let mut tree = without_checkpoint(disk);
    for name in names(disk, ".hint") {
        assert!(tree.take(&path(&name)));
    }
    RecordingDisk::from_tree(tree)
}

/// The file and the offset that an error calls damaged.
#[track_caller]
pub(crate) fn damage(error: Error) -> (String, u64) {
    match error {
        Error::Corrupt { path, offset, .. } => {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), offset)
        }
        other => panic!("not damage: {other}"),
    }
}

/// Refuses to open, and leaves every file as it was. Returns the file and the offset that it names.
#[track_caller]
pub(crate) fn refused(disk: &RecordingDisk) -> (String, u64) {
    let before = files(&disk.tree());
    let found = damage(open(disk).unwrap_err());
    assert_eq!(files(&disk.tree()), before, "a store that is refused is left as it was");
    found
}

pub(crate) fn files(tree: &Tree) -> Vec<(PathBuf, Vec<u8>)> {
    tree.files().map(|(path, bytes)| (path.to_path_buf(), bytes.to_vec())).collect()
}
