//! Stores that were written in format version 1, kept in `tests/fixtures/v1`: every later version of the engine opens
//! them and finds in them what is listed here.
//!
//! | folder | what it is |
//! |---|---|
//! | `closed` | a store that was closed: every segment sealed, and a checkpoint of its index |
//! | `killed` | the same, not closed: the process died when a segment had become full and the next had its first records, so the manifest lists two segments as the tail of the log, and neither has a footer |
//!
//! Both hold whatever the format knows: segments that sets wrote, and one that compaction wrote; a large value, and
//! with it a hint; records that were written before versions were kept, and records with versions; deletes of both
//! kinds; a batch; values with ends, one long past and one far away.
//!
//! `LOGLADDER_WRITE_FIXTURE=1 cargo test -p logladder-hash-log --test fixture` makes the fixture of a format version
//! that has none yet. It never touches one that is there: that one is what people have on their disks.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logladder_disk::crash::{Loss, Recording, Tree};
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Batch, Change, Engine, Error, Expiry, Iterate, Open, SyncPolicy, Version};
use logladder_hash_log::{Compaction, HashLog, Hints, Options, check};
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1");
const DIR: &str = "/store";

/// The first second of the year 2200.
const FAR: Duration = Duration::from_hours(24 * 84_006);

/// A folder of the fixture, and what is in it.
#[derive(Clone, Copy)]
struct Stored {
    name: &'static str,
    /// The CRC-32 of the names and the bytes of its files.
    checksum: u32,
    values: &'static str,
    versions: &'static str,
    changes: &'static str,
}

const STORES: [Stored; 2] = [
    Stored {
        name: "closed",
        checksum: 0x0159_BD88,
        values: r#""\x00\xff" is "not text"
"city" is "Paris"
"far" is "until 2200" until 7258118400
"large" is 900 times "x"
"name" is "dora"
"#,
        versions: r#""": 2 deleted, 1 "of the empty key"
"\x00\xff": 1 "not text"
"city": 2 "Paris", 1 deleted, 1 "Rome"
"far": 1 "until 2200"
"large": 1 900 times "x"
"name": 3 "dora", 2 "carl", 1 "bob"
"nothing": 2 deleted, 1 ""
"#,
        changes: r#"7: "name" "carl"
8: "nothing" ""
9: "far" "until 2200" until 7258118400
10: "past" "gone" until 1
11: "" deleted
12: "large" 900 times "x"
13: "name" "dora"
14: "city" "Paris"
15: "nothing" deleted
"#,
    },
    Stored {
        name: "killed",
        checksum: 0x3DDF_1F33,
        values: r#""\x00\xff" is "not text"
"1" is "a value that fills a segment, so that the next is begun"
"2" is "a value that fills a segment, so that the next is begun"
"3" is "a value that fills a segment, so that the next is begun"
"city" is "Paris"
"far" is "until 2200" until 7258118400
"large" is 900 times "x"
"name" is "dora"
"#,
        versions: r#""": 2 deleted, 1 "of the empty key"
"\x00\xff": 1 "not text"
"1": 1 "a value that fills a segment, so that the next is begun"
"2": 1 "a value that fills a segment, so that the next is begun"
"3": 1 "a value that fills a segment, so that the next is begun"
"city": 3 "Paris", 2 "Paris", 1 deleted
"far": 1 "until 2200"
"large": 1 900 times "x"
"name": 4 "dora", 3 "dora", 2 "carl"
"nothing": 3 deleted, 2 deleted, 1 ""
"#,
        changes: r#"7: "name" "carl"
8: "nothing" ""
9: "far" "until 2200" until 7258118400
10: "past" "gone" until 1
11: "" deleted
12: "large" 900 times "x"
13: "name" "dora"
14: "city" "Paris"
15: "nothing" deleted
16: "1" "a value that fills a segment, so that the next is begun"
17: "2" "a value that fills a segment, so that the next is begun"
18: "3" "a value that fills a segment, so that the next is begun"
19: "name" "dora"
20: "city" "Paris"
21: "nothing" deleted
"#,
    },
];

/// What is chosen does not matter to a reader: each of these opens both stores.
fn choices() -> [Options; 4] {
    let on_demand = Options::default().with_compaction(Compaction::OnDemand);
    [
        Options::default(),
        on_demand.with_versions(3),
        on_demand.with_sync(SyncPolicy::Always).with_segment_bytes(300),
        Options::default().with_hints(Hints::Always).with_versions(9),
    ]
}

/// How the fixture was written.
fn writing() -> Options {
    Options::default()
        .with_segment_bytes(400)
        .with_compaction(Compaction::OnDemand)
        .with_hash_key(*b"a fixture's key.")
}

fn open_on(disk: &RecordingDisk, options: Options) -> HashLog {
    HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options).unwrap()
}

fn close(store: HashLog) {
    Box::new(store).close().unwrap();
}

/// Both stores, as the engine of today writes them.
fn written() -> [(&'static str, Tree); 2] {
    let disk = RecordingDisk::new();
    let store = open_on(&disk, writing());
    store.set(b"name", b"anna").unwrap();
    store.set(b"name", b"bob").unwrap();
    store.set(b"city", b"Rome").unwrap();
    store.set(b"", b"of the empty key").unwrap();
    store.set(b"\0\xFF", b"not text").unwrap();
    store.delete(b"city").unwrap();
    close(store);

    let store = open_on(&disk, writing().with_versions(3));
    store.set(b"name", b"carl").unwrap();
    store.set(b"nothing", b"").unwrap();
    store.as_expire().unwrap().set_until(b"far", b"until 2200", UNIX_EPOCH + FAR).unwrap();
    store.as_expire().unwrap().set_until(b"past", b"gone", UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    store.delete(b"").unwrap();
    store.seal().unwrap();
    store.compact_segments(&[1]).unwrap();
    store.set(b"large", &[b'x'; 900]).unwrap();
    store.as_atomic().unwrap().write(&batch()).unwrap();
    close(store);
    let closed = disk.tree();

    let disk = RecordingDisk::from_tree(closed.clone());
    let store = open_on(&disk, writing().with_versions(3));
    let filling = b"a value that fills a segment, so that the next is begun";
    for key in [b"1", b"2", b"3"] {
        store.set(key, filling).unwrap();
    }
    store.as_atomic().unwrap().write(&batch()).unwrap();
    // Nothing was lost, and nothing came after the batch.
    let recording = Recording::of(&disk);
    let killed = (0..=disk.op_count())
        .flat_map(|after| recording.images_at(after))
        .filter(|image| image.loss == Loss::Nothing)
        .map(|image| image.tree)
        .find(has_records_in_second_of_tail)
        .unwrap();
    [("closed", closed), ("killed", killed)]
}

/// Three writes that are all there or none.
fn batch() -> Batch {
    let mut batch = Batch::new();
    batch.set(b"name", b"dora").set(b"city", b"Paris").delete(b"nothing");
    batch
}

/// Whether the manifest lists two segments as the tail, and the second has records.
fn has_records_in_second_of_tail(tree: &Tree) -> bool {
    let files: BTreeMap<&Path, &[u8]> = tree.files().collect();
    let Some(manifest) = files.get(Path::new(DIR).join("MANIFEST").as_path()) else { return false };
    let tail = u64::from_le_bytes(manifest[48..56].try_into().unwrap());
    let last = files.iter().rfind(|(path, _)| path.extension().is_some_and(|end| end == "log"));
    tail == 2
        && last.is_some_and(|(_, bytes)| bytes.get(32..).is_some_and(|rest| rest.iter().any(|&b| b != 0)))
}

/// Every key that has ever been written to one of the stores.
const KEYS: [&[u8]; 10] = [b"", b"\0\xFF", b"1", b"2", b"3", b"city", b"far", b"large", b"name", b"nothing"];

/// What a store holds, a line for each key.
fn values(store: &HashLog) -> String {
    let mut found = BTreeMap::new();
    store
        .for_each(&mut |key, value| {
            assert!(found.insert(key.to_vec(), value.to_vec()).is_none(), "each key once");
            ControlFlow::Continue(())
        })
        .unwrap();
    let mut all = String::new();
    for (key, value) in &found {
        assert!(KEYS.contains(&&**key), "{} was never written", show(key));
        assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
        let end = match store.as_expire().unwrap().expiry(key).unwrap() {
            Expiry::At(end) => format!(" until {}", seconds(end)),
            _ => String::new(),
        };
        writeln!(all, "{} is {}{end}", show(key), show(value)).unwrap();
    }
    for key in KEYS.iter().copied().filter(|key| !found.contains_key(*key)).chain([&b"past"[..]]) {
        assert_eq!(store.get(key).unwrap(), None, "{}", show(key));
    }
    all
}

/// The versions of each key, a line for each that has some, the newest first.
fn versions(store: &HashLog) -> String {
    let mut all = String::new();
    for key in KEYS {
        let mut of_key = Vec::new();
        let mut visit = |version: &Version<'_>| {
            of_key.push(format!("{} {}", version.number, version.value.map_or("deleted".into(), show)));
            ControlFlow::Continue(())
        };
        store.as_history().unwrap().versions(key, &mut visit).unwrap();
        if !of_key.is_empty() {
            writeln!(all, "{}: {}", show(key), of_key.join(", ")).unwrap();
        }
    }
    all
}

/// The changes that a store still has, a line for each.
fn changes(store: &HashLog) -> String {
    let mut all = String::new();
    let log = store.as_changes().unwrap();
    let mut visit = |change: &Change<'_>| {
        let end = change.expires.map_or(String::new(), |end| format!(" until {}", seconds(end)));
        let value = change.value.map_or("deleted".into(), show);
        writeln!(all, "{}: {} {value}{end}", change.next.sequence, show(change.key)).unwrap();
        ControlFlow::Continue(())
    };
    log.changes(log.earliest_position().unwrap(), &mut visit).unwrap();
    all
}

fn show(bytes: &[u8]) -> String {
    match bytes {
        [first, .., _] if bytes.len() > 60 => format!("{} times {}", bytes.len(), show(&[*first])),
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}

fn seconds(end: SystemTime) -> u64 {
    end.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The files of a folder of the fixture, by name.
fn files_of(name: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(Path::new(FIXTURES).join(name)).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// A store to work with that is a copy of this folder of the fixture.
#[allow(clippy::disallowed_methods, reason = "the files of a store that is not open, for this test alone")]
fn copy_of(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (file, bytes) in files_of(name) {
        fs::write(dir.path().join(file), bytes).unwrap();
    }
    dir
}

#[test]
fn a_store_of_format_version_1_opens_with_exactly_its_contents() {
    for stored in STORES {
        for options in choices() {
            let dir = copy_of(stored.name);
            let store = HashLog::open(dir.path(), options).unwrap();
            assert_eq!(store.repairs(), [], "a process that dies leaves nothing to cut off");
            assert_eq!(values(&store), stored.values, "{}, {options:?}", stored.name);
        }
    }
}

#[test]
fn a_store_of_format_version_1_is_sound_and_has_its_versions_and_its_changes() {
    for stored in STORES {
        let dir = copy_of(stored.name);
        assert_eq!(check(dir.path()).unwrap().problems, [], "{}", stored.name);
        let store = HashLog::open(dir.path(), writing().with_versions(3)).unwrap();
        assert_eq!(versions(&store), stored.versions, "{}", stored.name);
        assert_eq!(changes(&store), stored.changes, "{}", stored.name);
    }
}

#[test]
fn a_store_of_format_version_1_takes_writes_and_a_compaction_and_opens_again() {
    for stored in STORES {
        for options in choices() {
            let dir = copy_of(stored.name);
            let store = HashLog::open(dir.path(), options).unwrap();
            store.set(b"3", b"new").unwrap();
            store.delete(b"name").unwrap();
            store.as_atomic().unwrap().write(&batch()).unwrap();
            store.delete(b"name").unwrap();
            let expected = values(&store);
            assert!(expected.contains("\"3\" is \"new\"\n\"") && !expected.contains("name"), "{expected}");
            assert!(stored.values.lines().filter(|line| expected.contains(line)).count() >= 4, "{expected}");
            close(store);

            let store = HashLog::open(dir.path(), options).unwrap();
            assert_eq!(values(&store), expected, "{}, {options:?}", stored.name);
            store.as_compact().unwrap().compact().unwrap();
            assert_eq!(values(&store), expected, "{}, {options:?}", stored.name);
            close(store);
            let store = HashLog::open(dir.path(), options).unwrap();
            assert_eq!(values(&store), expected, "{}, {options:?}", stored.name);
        }
    }
}

/// A checkpoint is believed and not only passed over: with it, opening looks at no record.
#[test]
fn the_checkpoint_of_format_version_1_is_used() {
    let dir = copy_of("closed");
    let path = dir.path().join("segment-0000000002.log");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.get_mut(40).unwrap() ^= 1;
    #[allow(clippy::disallowed_methods, reason = "damage, on purpose")]
    fs::write(&path, bytes).unwrap();
    // It belongs to the number of versions with which the store was closed.
    let store = HashLog::open(dir.path(), writing().with_versions(3)).unwrap();
    assert_eq!(store.get(b"name").unwrap(), Some(b"dora".to_vec()));
    drop(store);
    fs::remove_file(dir.path().join("CHECKPOINT")).unwrap();
    let refused = HashLog::open(dir.path(), writing().with_versions(3)).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
}

/// Whoever makes the fixture anew takes away the only stores of this version that there are.
#[test]
fn the_fixture_of_format_version_1_is_the_one_that_was_first_written() {
    for stored in STORES {
        let mut hasher = crc32fast::Hasher::new();
        for (name, bytes) in files_of(stored.name) {
            hasher.update(name.as_bytes());
            hasher.update(&bytes);
        }
        assert_eq!(hasher.finalize(), stored.checksum, "{}", stored.name);
    }
}

#[test]
fn a_store_that_is_written_today_holds_what_the_fixture_holds() {
    for ((name, tree), stored) in written().into_iter().zip(STORES) {
        if std::env::var_os("LOGLADDER_WRITE_FIXTURE").is_some() {
            write_once(&Path::new(FIXTURES).join(name), &tree);
        }
        let store = open_on(&RecordingDisk::from_tree(tree), writing().with_versions(3));
        let found = (name, values(&store), versions(&store), changes(&store));
        let expected = (stored.values.into(), stored.versions.into(), stored.changes.into());
        assert_eq!(found, (stored.name, expected.0, expected.1, expected.2));
    }
}

/// Writes the files of `tree` into a folder that is not there yet.
#[allow(clippy::disallowed_methods, reason = "files of the repository, not of a store in use")]
fn write_once(folder: &Path, tree: &Tree) {
    if folder.exists() {
        return;
    }
    fs::create_dir_all(folder).unwrap();
    for (path, bytes) in tree.files() {
        fs::write(folder.join(path.file_name().unwrap()), bytes).unwrap();
    }
}
