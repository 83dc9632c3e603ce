//! The exact bytes of the files, what opening says, and files that a Go program wrote.
//!
//! `UPDATE_FIXTURES=1 cargo test -p logladder-replay-log --test format` writes the store in `tests/fixtures/v1` anew;
//! it is what version 1 wrote, and is changed by no later version.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(
    clippy::disallowed_methods,
    reason = "a fixture is written by hand, and looked at before it is kept"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Batch, Engine, Error};
use logladder_replay_log::{Housekeeping, Options, Persistence, ReplayLog, describe};

const DIR: &str = "/store";
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1");
const AOF: &str = "appendonly-0000000001.aof";

fn options() -> Options {
    Options::default().with_housekeeping(Housekeeping::OnDemand).with_hash_key(*b"the same, always")
}

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn try_open(disk: &RecordingDisk, options: Options) -> Result<ReplayLog, Error> {
    ReplayLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options)
}

fn open(disk: &RecordingDisk) -> ReplayLog {
    try_open(disk, options()).unwrap()
}

fn value(store: &ReplayLog, key: &[u8]) -> Option<String> {
    store.get(key).unwrap().map(|value| String::from_utf8(value).unwrap())
}

/// A disk with a file that no store of ours has written, in a folder of no store.
fn disk_with(lines: &str) -> RecordingDisk {
    let mut tree = RecordingDisk::new().tree();
    tree.put(&path(AOF), lines.as_bytes().to_vec());
    RecordingDisk::from_tree(tree)
}

/// The names of the store's files with their bytes.
fn files(disk: &RecordingDisk) -> Vec<(String, Vec<u8>)> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    disk.tree().files().map(|(path, bytes)| (name(path), bytes.to_vec())).collect()
}

/// A store with a base, and lines behind it.
fn small_store() -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = Box::new(open(&disk));
    store.set(b"name", b"anna").unwrap();
    store.set(br#"["animal",1]"#, br#"{"name":"Hobgoblin"}"#).unwrap();
    store.set(b"\0\xFF", b"not text").unwrap();
    store.snapshot().unwrap();
    store.delete(b"name").unwrap();
    let mut batch = Batch::new();
    batch.set(b"a", b"1").set(b"\0\xFF", b"").delete(b"b");
    store.write(&batch).unwrap();
    store.close().unwrap();
    disk
}

#[test]
fn the_lines_on_the_disk_are_those_of_the_seed() {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    store.set(b"name", b"John").unwrap();
    store.delete(b"name").unwrap();
    store.delete(b"name").unwrap();
    assert_eq!(
        String::from_utf8(disk.read(&path(AOF)).unwrap()).unwrap(),
        "{\"operation\":\"SET\",\"key\":\"name\",\"value\":\"John\"}\n{\"operation\":\"DEL\",\"key\":\"name\"}\n",
        "and a key that is absent is not deleted again"
    );
}

#[test]
fn a_store_is_written_as_version_1_wrote_it() {
    let written = files(&small_store());
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        for (name, bytes) in &written {
            fs::write(Path::new(FIXTURE).join(name), bytes).unwrap();
        }
    }
    let mut kept: Vec<(String, Vec<u8>)> = fs::read_dir(FIXTURE)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    kept.sort();
    assert_eq!(
        written.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        kept.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    for ((name, written), (_, kept)) in written.iter().zip(&kept) {
        assert_eq!(String::from_utf8_lossy(written), String::from_utf8_lossy(kept), "{name}");
        assert_eq!(written, kept, "{name}");
    }
}

#[test]
fn every_byte_of_every_file_has_a_name() {
    for (name, bytes) in files(&small_store()).into_iter().filter(|(name, _)| name != "LOGLADDER") {
        let fields = describe(&name, &bytes);
        let mut end = 0;
        for field in &fields {
            assert_eq!(field.bytes.start, end, "{name}: a gap before {field:?}");
            assert!(!field.name.contains("damaged"), "{name}: {field:?}");
            end = field.bytes.end;
        }
        assert_eq!(end, bytes.len(), "{name}");
    }
    assert_eq!(describe("store.json", b"x"), []);
}

#[test]
fn opening_says_what_it_read() {
    let disk = RecordingDisk::new();
    let said = |disk: &RecordingDisk| open(disk).replay().to_string();
    assert_eq!(said(&disk), "AOF file is empty, starting with empty database");
    open(&disk).set(b"name", b"John").unwrap();
    assert_eq!(said(&disk), "Loaded 1 operations from AOF file");
    let store = open(&disk);
    let mut batch = Batch::new();
    batch.set(b"a", b"1").set(b"b", b"2");
    store.write(&batch).unwrap();
    store.delete(b"name").unwrap();
    drop(store);
    assert_eq!(said(&disk), "Loaded 4 operations from AOF file");
    open(&disk).snapshot().unwrap();
    let snapshot = "Loaded 2 keys from snapshot base-0000000003.snapshot";
    assert_eq!(said(&disk), snapshot);
    open(&disk).set(b"c", b"3").unwrap();
    assert_eq!(said(&disk), format!("{snapshot}\nLoaded 1 operations from AOF file"));
}

/// Go's `encoding/json` escapes `<`, `>` and `&` and the two line ends of Unicode, and leaves an empty value out where
/// the program says `omitempty`.
const BY_GO: &str = concat!(
    r#"{"operation":"SET","key":"name","value":"John"}"#,
    "\n",
    r#"{"operation":"SET","key":"page","value":"\u003ca href=\"/?a=1\u0026b=2\"\u003eüber\u003c/a\u003e\u2028"}"#,
    "\n",
    r#"{"operation":"SET","key":"empty"}"#,
    "\n",
    r#"{"operation":"SET","key":"gone","value":"\t"}"#,
    "\n",
    r#"{"operation":"DEL","key":"gone"}"#,
    "\n",
);

#[test]
fn a_file_that_a_go_program_wrote_becomes_a_store() {
    let disk = disk_with(BY_GO);
    for _ in 0..2 {
        let store = open(&disk);
        assert_eq!(store.replay().operations, 5);
        assert_eq!(value(&store, b"name").as_deref(), Some("John"));
        assert_eq!(value(&store, b"page").as_deref(), Some("<a href=\"/?a=1&b=2\">über</a>\u{2028}"));
        assert_eq!(value(&store, b"empty").as_deref(), Some(""));
        assert_eq!(value(&store, b"gone"), None);
        assert_eq!(store.repairs(), []);
    }
    assert_eq!(disk.read(&path(AOF)).unwrap(), BY_GO.as_bytes(), "reading it changes nothing in it");
    let store = open(&disk);
    store.set(b"name", b"Jane").unwrap();
    let lines = String::from_utf8(disk.read(&path(AOF)).unwrap()).unwrap();
    let behind = lines.strip_prefix(BY_GO).unwrap();
    assert_eq!(behind, "{\"operation\":\"SET\",\"key\":\"name\",\"value\":\"Jane\"}\n");
}

#[test]
fn a_whole_last_line_without_its_line_feed_counts_and_gets_one() {
    let disk = disk_with(BY_GO.trim_end());
    let store = open(&disk);
    assert_eq!(value(&store, b"gone"), None);
    assert_eq!(store.repairs(), []);
    store.set(b"more", b"1").unwrap();
    drop(store);
    assert_eq!(open(&disk).replay().operations, 6);
}

#[test]
fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    for text in ["*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", "[\"test-1\",\"value-1\",false]\n", "shopping"] {
        let disk = disk_with(text);
        let error = try_open(&disk, options()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{text:?}: {error}");
        assert!(error.to_string().contains("line 1"), "{error}");
        assert_eq!(disk.read(&path(AOF)).unwrap(), text.as_bytes());
    }
}

#[test]
fn a_store_is_opened_with_other_persistence_and_keeps_what_it_holds() {
    let all = [Persistence::AppendOnly, Persistence::Both, Persistence::Snapshots];
    for first in all {
        for second in all {
            let disk = RecordingDisk::new();
            for (number, persistence) in [first, second, first, second].into_iter().enumerate() {
                let store = Box::new(try_open(&disk, options().with_persistence(persistence)).unwrap());
                for earlier in 0..number {
                    let found = value(&store, earlier.to_string().as_bytes());
                    assert_eq!(found.as_deref(), Some("value"), "{first:?}, {second:?}, opening {number}");
                }
                store.set(number.to_string().as_bytes(), b"value").unwrap();
                if number % 2 == 1 {
                    store.snapshot().unwrap();
                }
                store.close().unwrap();
            }
        }
    }
}
