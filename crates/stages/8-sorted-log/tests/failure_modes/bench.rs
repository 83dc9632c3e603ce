//! What the tests stand on: a store on a recording disk, and its files to look at and to damage.

use std::collections::BTreeMap;
use std::ops::Bound::Unbounded;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::crash::Tree;
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Direction, Engine, Error, Ordered, Result, SyncPolicy};
use logladder_sorted_log::{Options, SortedLog, Work};

pub(crate) const DIR: &str = "/store";

pub(crate) type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

/// Memtables are written, and tables merged, where the test asks for it.
pub(crate) fn on_demand() -> Options {
    Options::default().with_work(Work::Caller).with_level0_tables(1_000)
}

/// Everything is so small that a dozen writes fill several levels.
pub(crate) fn tiny() -> Options {
    Options::default()
        .with_sync(SyncPolicy::Never)
        .with_work(Work::Caller)
        .with_memtable_bytes(150)
        .with_block_bytes(48)
        .with_table_bytes(200)
        .with_level0_tables(2)
        .with_levels(400, 2)
        .with_manifest_bytes(500)
}

pub(crate) fn open(disk: &RecordingDisk) -> Result<SortedLog> {
    open_with(disk, on_demand())
}

pub(crate) fn open_with(disk: &RecordingDisk, options: Options) -> Result<SortedLog> {
    SortedLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options)
}

pub(crate) fn close(store: SortedLog) {
    Box::new(store).close().unwrap();
}

/// Everything that a scan shows, which must be the same backward, and what the store says when asked key by key.
pub(crate) fn contents(store: &SortedLog) -> Contents {
    let scanned = |direction| {
        let mut shown = Vec::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            shown.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        };
        store.scan((Unbounded, Unbounded), direction, &mut visit).unwrap();
        shown
    };
    let (forward, mut backward) = (scanned(Direction::Forward), scanned(Direction::Backward));
    backward.reverse();
    assert_eq!(forward, backward);
    let contents: Contents = forward.iter().cloned().collect();
    assert!(contents.iter().eq(forward.iter().map(|(key, value)| (key, value))), "in order, each key once");
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

pub(crate) fn is_table(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "table")
}

/// The name of the only file that ends so.
#[track_caller]
pub(crate) fn the(disk: &RecordingDisk, ending: &str) -> String {
    let names = names(disk, ending);
    assert_eq!(names.len(), 1, "{names:?}");
    names[0].clone()
}

/// The same disk after a restart, with other bytes in one of the files.
pub(crate) fn with_file(disk: &RecordingDisk, name: &str, bytes: Vec<u8>) -> RecordingDisk {
    let mut tree = disk.tree();
    tree.put(&path(name), bytes);
    RecordingDisk::from_tree(tree)
}

/// The same disk after a restart, without one of the files.
#[track_caller]
pub(crate) fn without_file(disk: &RecordingDisk, name: &str) -> RecordingDisk {
    let mut tree = disk.tree();
    assert!(tree.take(&path(name)), "no {name}");
    RecordingDisk::from_tree(tree)
}

/// The same disk after a restart, with one bit flipped.
pub(crate) fn with_flipped_bit(disk: &RecordingDisk, name: &str, bit: usize) -> RecordingDisk {
    let mut bytes = bytes(disk, name);
    bytes[bit / 8] ^= 1 << (bit % 8);
    with_file(disk, name, bytes)
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

/// Overwrites seven keys until that fails. What was acknowledged before, and the same with the write that failed.
pub(crate) fn write_until_it_fails(store: &SortedLog) -> (Error, [Contents; 2]) {
    let mut acknowledged = Contents::new();
    for number in 0_u64.. {
        let (key, value) = (vec![number.to_le_bytes()[0] % 7], number.to_be_bytes().to_vec());
        match store.set(&key, &value) {
            Ok(()) => drop(acknowledged.insert(key, value)),
            Err(error) => {
                let mut with_it = acknowledged.clone();
                with_it.insert(key, value);
                return (error, [acknowledged, with_it]);
            }
        }
    }
    unreachable!("it goes on until it fails")
}
