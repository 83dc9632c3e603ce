//! The exact bytes of the files, and logs that were written elsewhere.

#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test may panic, and need not be fast")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, OpenOn, RecordingDisk};
use logladder_engine::{Engine, Field, Iterate, Open};
use logladder_json::Documents;
use logladder_scan_log::{CHECKSUM_FILE, LOG_FILE, Options, ScanLog, describe};
use serde::{Deserialize, Serialize};

const DIR: &str = "/store";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn open(disk: &RecordingDisk) -> ScanLog {
    ScanLog::open_on(Arc::new(disk.clone()), Path::new(DIR), Options::default()).unwrap()
}

fn text(disk: &RecordingDisk, name: &str) -> String {
    String::from_utf8(disk.read(&path(name)).unwrap()).unwrap()
}

/// A disk with a log that no store of ours has written.
fn disk_with_log(lines: &str) -> RecordingDisk {
    let mut tree = RecordingDisk::new().tree();
    tree.put(&path(LOG_FILE), lines.as_bytes().to_vec());
    RecordingDisk::from_tree(tree)
}

fn value(store: &ScanLog, key: &str) -> Option<String> {
    store.get(key.as_bytes()).unwrap().map(|value| String::from_utf8(value).unwrap())
}

fn contents(store: &ScanLog) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut contents = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        contents.push((text(key), text(value)));
        std::ops::ControlFlow::Continue(())
    };
    store.for_each(&mut visit).unwrap();
    contents
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Animal {
    name: String,
    description: String,
}

#[test]
fn the_bytes_on_the_disk_after_each_operation() {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    let documents = Documents::new(&store);
    let mut golden = String::new();
    let mut show = |operation: &str| {
        golden.push_str(&format!("> {operation}\n"));
        for entry in disk.list(Path::new(DIR)).unwrap() {
            golden.push_str(&format!("{}\n", entry.name));
            for line in text(&disk, &entry.name).lines() {
                golden.push_str(&format!("    {line}\n"));
            }
        }
    };
    show("open");
    store.set(b"test-1", b"value-1").unwrap();
    show("set test-1 value-1");
    store.delete(b"test-3").unwrap();
    show("delete test-3");
    let hobgoblin = Animal { name: "Hobgoblin".into(), description: "An unsightly little elf".into() };
    documents.set(&("animal", 1), &hobgoblin).unwrap();
    show("document animal, 1");
    documents.set(&serde_json::json!({"b": 2, "a": 1}), &[true]).unwrap();
    show("document with the key b = 2, a = 1");
    store.set(b"\xff\x00", b"").unwrap();
    show("set two bytes that are no text to the empty value");
    assert!(golden == include_str!("format.golden"), "the files are now:\n{golden}");
}

#[test]
fn the_lines_in_a_real_folder_are_those_of_the_log_chapter() {
    let folder = tempfile::tempdir().unwrap();
    let store = ScanLog::open(folder.path(), Options::default()).unwrap();
    for number in 1..=3 {
        store.set(format!("test-{number}").as_bytes(), format!("value-{number}").as_bytes()).unwrap();
    }
    store.delete(b"test-3").unwrap();
    let expected = "[\"test-1\",\"value-1\",false]\n[\"test-2\",\"value-2\",false]\n\
                    [\"test-3\",\"value-3\",false]\n[\"test-3\",null,true]\n";
    assert_eq!(std::fs::read_to_string(folder.path().join(LOG_FILE)).unwrap(), expected);
    drop(store);
    let store = ScanLog::open(folder.path(), Options::default()).unwrap();
    assert_eq!(value(&store, "test-2").as_deref(), Some("value-2"));
    assert_eq!(value(&store, "test-3"), None);
    assert!(store.repairs().is_empty());
}

#[test]
fn keys_that_are_equal_as_documents_are_one_key_and_one_line_each_time() {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    let documents = Documents::new(&store);
    documents.set(&serde_json::json!({"a": 1, "b": 2}), "first").unwrap();
    documents.set(&serde_json::json!({"b": 2, "a": 1}), "second").unwrap();
    assert_eq!(
        text(&disk, LOG_FILE),
        "[{\"a\":1,\"b\":2},\"first\",false]\n[{\"a\":1,\"b\":2},\"second\",false]\n"
    );
    assert_eq!(documents.get::<String>(&serde_json::json!({"a": 1, "b": 2})).unwrap().unwrap(), "second");
}

#[test]
fn a_log_of_the_chapter_opens_and_gets_its_checksums() {
    let log = "[\"test-1\",\"value-1\",false]\n[{\"a\":1},[1,2],false]\n[\"test-1\",\"value-2\",false]\n";
    let disk = disk_with_log(log);
    let store = open(&disk);
    assert_eq!(value(&store, "test-1").as_deref(), Some("value-2"));
    assert_eq!(value(&store, "{\"a\":1}").as_deref(), Some("[1,2]"));
    assert_eq!(text(&disk, LOG_FILE), log);
    assert_eq!(text(&disk, CHECKSUM_FILE).lines().count(), 3);
    assert!(store.repairs().is_empty());
}

#[test]
fn keys_that_are_spelled_otherwise_in_a_foreign_log_are_found_and_overwritten() {
    let disk = disk_with_log(
        "[\"plain\",\"old\",false]\n[\"pl\\u0061in\",\"spelled\",false]\n[ \"spaces\" , \"1\" , false ]\r\n\
         [5,true,false]\n[{\"b\": 1},1.50,false]\n[\"gone\",\"1\",false]\n[\"g\\u006fne\",null,true]\n\
         [\"twice\",\"new\",false]\n",
    );
    let expected = [
        ("plain", Some("spelled")),
        ("spaces", Some("1")),
        ("5", Some("true")),
        ("{\"b\":1}", Some("1.50")),
        ("gone", None),
        ("twice", Some("new")),
        ("pl\\u0061in", None),
        ("absent", None),
    ];
    for _ in 0..2 {
        let store = open(&disk);
        for (key, expected) in expected {
            assert_eq!(value(&store, key).as_deref(), expected, "{key}");
        }
        let live: Vec<_> = expected.iter().filter_map(|&(key, value)| Some((key, value?))).collect();
        assert_eq!(contents(&store).len(), live.len());
        assert_eq!(store.stats().unwrap().live_keys, live.len() as u64);
    }
    let store = open(&disk);
    store.set(b"plain", b"mine").unwrap();
    store.delete(b"5").unwrap();
    store.set(b"gone", b"back").unwrap();
    for store in [store, open(&RecordingDisk::from_tree(disk.tree()))] {
        assert_eq!(value(&store, "plain").as_deref(), Some("mine"));
        assert_eq!(value(&store, "5"), None);
        assert_eq!(value(&store, "gone").as_deref(), Some("back"));
        assert_eq!(value(&store, "spaces").as_deref(), Some("1"));
    }
}

#[test]
fn a_key_that_begins_like_another_is_not_taken_for_it() {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    let keys = [
        "",
        "a",
        "aa",
        "a\",",
        "a\",\"b",
        "[\"a\"]",
        "[\"a\",1]",
        "[\"a\",11]",
        "{}",
        "{\"a\":1}",
        "[[]]",
        "[]",
    ];
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(value(&store, key), None, "{key}");
        store.set(key.as_bytes(), number.to_string().as_bytes()).unwrap();
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(value(&store, key), Some(number.to_string()), "{key}");
    }
}

#[test]
fn a_log_longer_than_a_block_is_searched_to_its_beginning() {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    store.set(b"first", b"1").unwrap();
    store.set(b"long", &vec![b'x'; 300_000]).unwrap();
    for number in 0..3_000 {
        store.set(format!("key-{number}").as_bytes(), &[b'v'; 50]).unwrap();
    }
    assert_eq!(value(&store, "first").as_deref(), Some("1"));
    assert_eq!(value(&store, "long").map(|value| value.len()), Some(300_000));
    assert_eq!(value(&store, "key-0").map(|value| value.len()), Some(50));
    assert_eq!(value(&store, "key-3000"), None);
    assert_eq!(contents(&store).len(), 3_002);
}

#[test]
fn the_fields_of_the_files_are_named() {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    store.set(b"a", b"b").unwrap();
    store.delete(b"a").unwrap();
    let named = |name: &str, bytes: &[u8]| {
        let named = |field: &Field| format!("{} = {}", field.name, bytes[field.bytes.clone()].escape_ascii());
        describe(name, bytes).iter().map(named).collect::<Vec<_>>().join("; ")
    };
    let mut log = disk.read(&path(LOG_FILE)).unwrap();
    log.extend_from_slice(b"[\"to");
    assert_eq!(
        named(LOG_FILE, &log),
        "key = \\\"a\\\"; value = \\\"b\\\"; deleted = false; end = \\n; \
         key = \\\"a\\\"; value = null; deleted = true; end = \\n; unfinished or damaged = [\\\"to"
    );
    let checksums = describe(CHECKSUM_FILE, &disk.read(&path(CHECKSUM_FILE)).unwrap());
    assert_eq!(checksums[2], Field::new(9..17, "checksum", "CRC-32 of line 2 of store.json"));
    assert!(describe("LOGLADDER", b"logladder scan-log 1\n").is_empty());
}
