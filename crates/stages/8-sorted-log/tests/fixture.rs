//! Stores that were written in format version 1, kept in `tests/fixtures/v1`: every later version of the engine opens them and
//! finds in them what is listed here.
//!
//! | folder | what it is |
//! |---|---|
//! | `closed` | tables in three levels, one of them with tombstones, and a log with a set, a delete and a batch |
//! | `compressed` | the same with LZ4, without filters, and dropped instead of closed: its log still has the space that was reserved for it |
//!
//! `LOGLADDER_WRITE_FIXTURE=1 cargo test -p logladder-sorted-log --test fixture` makes the fixture of a format version that has
//! none yet. It never touches one that is there: that one is what people have on their disks.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "the files of stores that are not open")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Batch, Compact, Engine, Iterate, Open, SyncPolicy};
use logladder_sorted_log::{Compression, Options, SortedLog, Work};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1");

/// Each folder, and the CRC-32 of the names and bytes of its files.
const FOLDERS: [(&str, u32); 2] = [("closed", 703_436_372), ("compressed", 2_371_980_846)];

fn writing(name: &str) -> Options {
    let options = Options::default()
        .with_sync(SyncPolicy::Never)
        .with_work(Work::Caller)
        .with_memtable_bytes(2_000)
        .with_block_bytes(200)
        .with_table_bytes(1_500)
        .with_level0_tables(2)
        .with_levels(2_000, 2);
    match name {
        "closed" => options,
        _ => options.with_compression(Compression::Lz4).with_filter_bits(0),
    }
}

/// What both hold.
fn expected() -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut expected = BTreeMap::new();
    for number in (0..200).filter(|number| number % 9 != 0 || *number == 198) {
        expected.insert(format!("key {number:03}").into_bytes(), value(number));
    }
    expected.insert(Vec::new(), b"of the empty key".to_vec());
    expected.insert(b"\0\xFF".to_vec(), Vec::new());
    expected.insert(b"name".to_vec(), b"bob".to_vec());
    expected
}

fn value(number: u32) -> Vec<u8> {
    format!("value {number} ").repeat(3).into_bytes()
}

/// The files of a store, as the engine of today writes them.
fn written(name: &str) -> BTreeMap<String, Vec<u8>> {
    let disk = RecordingDisk::new();
    let dir = Path::new("/store");
    let store = SortedLog::open_on(Arc::new(disk.clone()), dir, writing(name)).unwrap();
    for number in (0..200).map(|number| number * 7 % 200) {
        store.set(format!("key {number:03}").as_bytes(), &value(number)).unwrap();
    }
    for number in (0..200).step_by(9) {
        store.delete(format!("key {number:03}").as_bytes()).unwrap();
    }
    store.flush().unwrap();
    store.set(b"", b"of the empty key").unwrap();
    store.set(b"name", b"anna").unwrap();
    store.delete(b"name").unwrap();
    let mut batch = Batch::new();
    batch.set(b"name", b"bob").set(b"\0\xFF", b"").set(b"key 198", &value(198));
    store.write(&batch).unwrap();
    let levels = store.levels();
    assert!(levels.iter().filter(|(tables, _)| *tables > 0).count() >= 3, "{levels:?}");
    match name {
        "closed" => Box::new(store).close().unwrap(),
        _ => drop(store),
    }
    let file_name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    disk.tree().files().map(|(path, bytes)| (file_name(path), bytes.to_vec())).collect()
}

fn folder(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

/// The files of a folder of the fixture.
fn files_of(name: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder(name)).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn checksum(files: &BTreeMap<String, Vec<u8>>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for (name, bytes) in files {
        hasher.update(name.as_bytes());
        hasher.update(bytes);
    }
    hasher.finalize()
}

fn contents(store: &SortedLog) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut contents = BTreeMap::new();
    store
        .for_each(&mut |key, value| {
            contents.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    for (key, value) in &contents {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
    }
    contents
}

#[test]
fn the_fixture_is_the_one_that_version_1_wrote() {
    for (name, _) in FOLDERS {
        if std::env::var_os("LOGLADDER_WRITE_FIXTURE").is_some() && !folder(name).exists() {
            fs::create_dir_all(folder(name)).unwrap();
            for (file, bytes) in written(name) {
                fs::write(folder(name).join(file), bytes).unwrap();
            }
        }
    }
    for (name, sum) in FOLDERS {
        assert_eq!(checksum(&files_of(name)), sum, "{name}");
    }
}

#[test]
fn the_engine_of_today_writes_what_version_1_wrote() {
    for (name, _) in FOLDERS {
        let (today, then) = (written(name), files_of(name));
        assert!(today.keys().eq(then.keys()), "{name}: {:?}", today.keys());
        for (file, bytes) in &today {
            assert!(*bytes == then[file], "{name}/{file}: another format needs another version");
        }
    }
}

#[test]
fn a_store_of_format_version_1_opens_with_exactly_its_contents_and_takes_writes() {
    for (name, _) in FOLDERS {
        for options in [Options::default(), writing("closed"), writing("compressed")] {
            let dir = tempfile::tempdir().unwrap();
            for (file, bytes) in files_of(name) {
                fs::write(dir.path().join(file), bytes).unwrap();
            }
            let store = SortedLog::open(dir.path(), options).unwrap();
            assert_eq!(store.repairs(), [], "{name}");
            let mut expected = expected();
            assert!(contents(&store) == expected, "{name}");
            store.set(b"new", b"value").unwrap();
            expected.insert(b"new".to_vec(), b"value".to_vec());
            store.compact().unwrap();
            Box::new(store).close().unwrap();
            assert!(contents(&SortedLog::open(dir.path(), options).unwrap()) == expected, "{name}");
        }
    }
}
