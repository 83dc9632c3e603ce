//! The exact bytes of the files, and what opening does with files that are not as they should be.

#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test may panic, and need not be fast")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{Disk, Fault, Filter, OpenOn, RecordingDisk, StoreFolder};
use logladder_engine::{Engine, Error, Open};
use logladder_json_file::{CHECKSUM_FILE, DATA_FILE, JsonFile, Options};

const DIR: &str = "/store";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn open(disk: &RecordingDisk) -> logladder_engine::Result<JsonFile> {
    JsonFile::open_on(Arc::new(disk.clone()), Path::new(DIR), Options::default())
}

fn text(disk: &RecordingDisk, name: &str) -> String {
    String::from_utf8(disk.read(&path(name)).unwrap()).unwrap()
}

/// A disk with these files in the store's folder.
fn disk_with(files: &[(&str, &[u8])]) -> RecordingDisk {
    let mut tree = RecordingDisk::new().tree();
    for (name, bytes) in files {
        tree.put(&path(name), bytes.to_vec());
    }
    RecordingDisk::from_tree(tree)
}

/// What opening says is damaged: the file, the offset, and the whole message.
fn refusal(disk: &RecordingDisk) -> (String, u64, String) {
    let error = open(disk).unwrap_err();
    let message = error.to_string();
    match error {
        Error::Corrupt { path, offset, .. } => {
            (path.file_name().unwrap().to_string_lossy().into_owned(), offset, message)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_bytes_on_the_disk_after_each_operation() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    let mut golden = String::new();
    let mut show = |operation: &str| {
        golden.push_str(&format!("> {operation}\n"));
        for entry in disk.list(Path::new(DIR)).unwrap() {
            let lines = text(&disk, &entry.name).trim_end().replace('\n', "\n    ");
            golden.push_str(&format!("{}\n    {lines}\n", entry.name));
        }
    };
    show("open");
    for (key, value) in [
        ("2", r#"{"name":"bob"}"#.as_bytes()),
        ("1", br#"{"name":"anna"}"#),
        ("word", b"some words"),
        (r#"["animal",1]"#, b"\xff\x00"),
    ] {
        store.set(key.as_bytes(), value).unwrap();
        show(&format!("set {key} {}", String::from_utf8_lossy(value)));
    }
    store.set(b"\xff", b"").unwrap();
    show("set \u{fffd} (the empty value)");
    store.delete(b"word").unwrap();
    show("delete word");
    store.delete(b"absent").unwrap();
    show("delete absent");
    assert!(golden == include_str!("format.golden"), "the files are now:\n{golden}");
}

#[test]
fn every_set_leaves_one_json_object_in_a_real_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = JsonFile::open(folder.path(), Options::default()).unwrap();
    store.set(b"1", br#"{"name":"anna"}"#).unwrap();
    store.set(b"2", br#"{"name":"bob"}"#).unwrap();
    let file = folder.path().join(DATA_FILE);
    assert_eq!(std::fs::read(&file).unwrap(), br#"{"1":{"name":"anna"},"2":{"name":"bob"}}"#);
    drop(store);
    let store = JsonFile::open(folder.path(), Options::default()).unwrap();
    assert_eq!(store.get(b"1").unwrap().unwrap(), br#"{"name":"anna"}"#);
    // Once loaded, reads are served from memory.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(store.get(b"2").unwrap().unwrap(), br#"{"name":"bob"}"#);
}

#[test]
fn a_file_from_elsewhere_is_accepted_and_gets_its_checksums_with_the_first_set() {
    let disk = disk_with(&[(DATA_FILE, b"{\n  \"1\": {\"name\": \"anna\"},\n  \"n\": 5\n}\n")]);
    let store = open(&disk).unwrap();
    assert_eq!(store.get(b"1").unwrap().unwrap(), br#"{"name":"anna"}"#);
    assert_eq!(store.get(b"n").unwrap().unwrap(), b"5");
    assert!(disk.read(&path(CHECKSUM_FILE)).is_err());
    store.set(b"2", b"bob").unwrap();
    assert_eq!(text(&disk, DATA_FILE), r#"{"1":{"name":"anna"},"2":"bob","n":"5"}"#);
    drop(store);
    assert_eq!(open(&disk).unwrap().get(b"n").unwrap().unwrap(), b"5");
}

#[test]
fn a_file_that_is_no_json_object_is_refused_with_its_place_and_left_untouched() {
    for (bytes, offset, place) in [
        (&b""[..], 0, "line 1, column 0"),
        (b"[1,2]", 0, "line 1, column 0"),
        (b"{\n  \"1\": x\n}", 9, "line 2, column 8"),
        (b"{\"1\":1,\"1\":2}", 12, "line 1, column 13: the key \"1\": it is there twice"),
    ] {
        let disk = disk_with(&[(DATA_FILE, bytes)]);
        let (file, found_offset, message) = refusal(&disk);
        assert_eq!((file.as_str(), found_offset), (DATA_FILE, offset), "{message}");
        assert!(message.contains(place), "{message}");
        assert_eq!(disk.read(&path(DATA_FILE)).unwrap(), bytes);
        assert!(disk.read(&path(CHECKSUM_FILE)).is_err());
    }
}

#[test]
fn an_edited_file_is_refused_until_its_checksums_are_removed() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"1", b"anna").unwrap();
    store.set(b"1", b"bob").unwrap();
    drop(store);
    let mut tree = disk.tree();
    tree.put(&path(DATA_FILE), br#"{"1":"rob"}"#.to_vec());
    let (file, _, message) = refusal(&RecordingDisk::from_tree(tree.clone()));
    assert_eq!(file, DATA_FILE);
    assert!(message.contains("remove that file to accept it"), "{message}");
    tree.take(&path(CHECKSUM_FILE));
    let store = open(&RecordingDisk::from_tree(tree)).unwrap();
    assert_eq!(store.get(b"1").unwrap().unwrap(), b"rob");
}

#[test]
fn the_file_of_before_a_crash_between_the_two_replacements_is_accepted() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"1", b"anna").unwrap();
    // Each replacement has one rename: the second one, of the data, fails.
    disk.inject(Fault { on: Filter::Rename, after: 1, torn_at: 0, kind: std::io::ErrorKind::Other });
    assert!(matches!(store.set(b"1", b"bob"), Err(Error::Io { .. })));
    assert_eq!(store.get(b"1").unwrap().unwrap(), b"anna");
    assert!(matches!(store.set(b"1", b"bob"), Err(Error::Poisoned { .. })));
    assert!(matches!(store.delete(b"absent"), Err(Error::Poisoned { .. })));
    assert!(matches!(store.sync(), Err(Error::Poisoned { .. })));
    drop(store);
    for _ in 0..2 {
        let store = open(&disk).unwrap();
        assert_eq!(store.get(b"1").unwrap().unwrap(), b"anna");
        store.set(b"2", b"carl").unwrap();
    }
}

#[test]
fn a_missing_data_file_is_refused_where_its_checksums_prove_that_it_was_there() {
    let disk = RecordingDisk::new();
    open(&disk).unwrap().set(b"1", b"anna").unwrap();
    let mut tree = disk.tree();
    tree.take(&path(DATA_FILE));
    let (file, _, message) = refusal(&RecordingDisk::from_tree(tree.clone()));
    assert_eq!(file, DATA_FILE);
    assert!(message.contains("it is missing"), "{message}");
    tree.take(&path(CHECKSUM_FILE));
    let disk = RecordingDisk::from_tree(tree);
    assert_eq!(open(&disk).unwrap().get(b"1").unwrap(), None);
    assert_eq!(text(&disk, DATA_FILE), "{}");
}

#[test]
fn a_checksum_file_that_makes_no_sense_is_refused_by_its_name() {
    for garbage in [&b""[..], b"\0\0\0\0", b"cbf43926 9\n", b"hello\n", b"cbf43926 9\ncbf43926 9\n\n"] {
        let disk = disk_with(&[(DATA_FILE, b"{}"), (CHECKSUM_FILE, garbage)]);
        let (file, _, message) = refusal(&disk);
        assert_eq!(file, CHECKSUM_FILE, "{message}");
        assert_eq!(disk.read(&path(CHECKSUM_FILE)).unwrap(), garbage);
    }
}

#[test]
fn every_flipped_bit_of_the_data_is_refused_and_none_of_the_checksums_changes_a_value() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"1", br#"{"name":"anna"}"#).unwrap();
    store.set(b"2", b"bob").unwrap();
    drop(store);
    for name in [DATA_FILE, CHECKSUM_FILE] {
        let good = disk.read(&path(name)).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let mut tree = disk.tree();
            tree.put(&path(name), bad);
            match open(&RecordingDisk::from_tree(tree)) {
                Ok(store) => {
                    // The second line is about a file that is no longer there.
                    assert!(name == CHECKSUM_FILE && bit / 8 > 10, "bit {bit} of {name}");
                    assert_eq!(store.get(b"1").unwrap().unwrap(), br#"{"name":"anna"}"#);
                    assert_eq!(store.get(b"2").unwrap().unwrap(), b"bob");
                }
                Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn the_fields_of_the_files_are_named() {
    let disk = RecordingDisk::new();
    open(&disk).unwrap().set(b"a", b"b:c").unwrap();
    let named = |name: &str| {
        let bytes = disk.read(&path(name)).unwrap();
        let named = |field: &logladder_engine::Field| {
            format!("{} = {}", field.name, bytes[field.bytes.clone()].escape_ascii())
        };
        logladder_json_file::describe(name, &bytes).iter().map(named).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(named(DATA_FILE), r#"begin = {; key = \"a\"; value = \"b:c\"; end = }"#);
    assert_eq!(named(CHECKSUM_FILE).matches("length = ").count(), 2);
    assert!(logladder_json_file::describe(DATA_FILE, b"{").is_empty());
    assert!(logladder_json_file::describe("other", b"{}").is_empty());
}

#[test]
fn a_refused_file_brought_from_elsewhere_leaves_the_folder_unclaimed() {
    let disk = disk_with(&[(DATA_FILE, b"[1,2]"), ("database.json.tmp", b"half")]);
    refusal(&disk);
    assert_eq!(text(&disk, DATA_FILE), "[1,2]");
    assert_eq!(text(&disk, "database.json.tmp"), "half");
    assert_eq!(text(&disk, "LOGLADDER"), "", "an empty lock file claims nothing");
    disk.remove(&path(DATA_FILE)).unwrap();
    disk.remove(&path("database.json.tmp")).unwrap();
    let owns = |name: &str| name == "store.json";
    StoreFolder::open(Arc::new(disk.clone()), Path::new(DIR), "scan-log", 1, owns).unwrap();
}
