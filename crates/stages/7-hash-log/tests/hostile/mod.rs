//! What someone may put into a store's folder: three functions that turn any bytes into such a folder, open it, and use
//! what opens. `tests/hostile_files.rs` calls them with random bytes, and `fuzz/` at the root of the repository with those
//! that a fuzzer finds.
//!
//! They panic if the engine does, if it allocates more than the files are long, if it changes a file of a store that it
//! refuses, if it shows a value that nobody has ever written, or if what it acknowledges is not there afterwards.

use std::alloc::System;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use cap::Cap;
use logladder_disk::crash::Tree;
use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{LOCK_FILE, OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Batch, Changes, Compact, Engine, Error, Expire, Iterate};
use logladder_hash_log::{Compaction, HashLog, Hints, Options, describe};

/// It counts what is allocated.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const DIR: &str = "/store";

/// The names that files may have: the store's own, what its work leaves beside them, and a stranger's.
const NAMES: [&str; 18] = [
    LOCK_FILE,
    "MANIFEST",
    "segment-0000000001.log",
    "segment-0000000001.hint",
    "segment-0000000002.log",
    "segment-0000000002.hint",
    "segment-0000000003.log",
    "segment-0000000003.hint",
    "segment-0000000004.log",
    "segment-0000000005.log",
    "segment-0000000005.hint",
    "CHECKPOINT",
    "segment-4294967295.log",
    "segment-9999999999.log",
    "MANIFEST.tmp",
    "segment-0000000002.log.tmp",
    "segment-0000000001.log.torn-32",
    "notes.txt",
];

/// The names that files may have, in the order of the bytes that choose them.
#[allow(dead_code, reason = "for the fuzzer's seeds")]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

/// Files, by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// A folder of files with any content: for each file a byte that chooses its name, three for its length, and its bytes.
/// The first byte of all says whether checksums are believed, as if someone had forged them.
pub(crate) fn open_any_folder(data: &[u8]) {
    let Some((&mode, mut rest)) = data.split_first() else { return };
    let mut files = Files::new();
    while let Some((&[name, low, middle, high], behind)) = rest.split_first_chunk() {
        let len = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let (content, behind) = behind.split_at(len.min(behind.len()));
        let name = NAMES[usize::from(name) % NAMES.len()];
        files.insert(name.to_owned(), content.to_vec());
        rest = behind;
    }
    open_and_use(&files, mode & 1 == 1, None);
}

/// The bytes from which [`open_any_folder`] makes these files: those whose names it knows.
#[must_use]
pub(crate) fn encode_folder(files: &Files, forged: bool) -> Vec<u8> {
    let mut data = vec![u8::from(forged)];
    for (name, content) in files {
        let Some(place) = NAMES.iter().position(|known| known == name) else { continue };
        data.push(u8::try_from(place).unwrap_or(0));
        data.extend_from_slice(&u32::try_from(content.len()).unwrap_or(0).to_le_bytes()[..3]);
        data.extend_from_slice(content);
    }
    data
}

/// A store in order, of which one file is replaced, cut, or changed in some places.
///
/// Bytes: which store, which of its files, how, and what for. Where checksums count, every value that is shown
/// must be one that was once written under its key.
pub(crate) fn open_with_one_file_replaced(data: &[u8]) {
    let Some((&[store, file, mode], rest)) = data.split_first_chunk() else { return };
    let stores = &*STORES;
    let mut files = stores[usize::from(store) % stores.len()].clone();
    let place = usize::from(file) % files.len();
    let Some(content) = files.values_mut().nth(place) else { return };
    match mode >> 1 & 3 {
        0 => *content = rest.to_vec(),
        // Some bytes are changed: a place, and by what.
        1 => {
            for change in rest.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= change[2];
                }
            }
        }
        // It is cut, and goes on in another way.
        2 => {
            let Some((&at, behind)) = rest.split_first_chunk() else { return };
            content.truncate(usize::from(u16::from_le_bytes(at)));
            content.extend_from_slice(behind);
        }
        // Some of its bytes are another file's, perhaps of another store.
        _ => {
            let Some((&[store, file, from, to], behind)) = rest.split_first_chunk() else { return };
            let others = &stores[usize::from(store) % stores.len()];
            let Some(other) = others.values().nth(usize::from(file) % others.len()) else { return };
            let taken = other.get(usize::from(from)..).unwrap_or_default();
            content.truncate(usize::from(to));
            content.extend_from_slice(taken);
            content.extend_from_slice(behind);
        }
    }
    open_and_use(&files, mode & 1 == 1, Some(&WRITTEN));
}

/// Any bytes under any name: every byte belongs to one field at most, and none is named that is not there.
pub(crate) fn describe_any_bytes(data: &[u8]) {
    let Some((&name, bytes)) = data.split_first() else { return };
    let name = NAMES[usize::from(name) % NAMES.len()];
    let before = HEAP.total_allocated();
    let fields = describe(name, bytes);
    let mut end = 0;
    for field in &fields {
        assert_eq!(field.bytes.start, end, "{name}: the fields follow each other");
        assert!(field.bytes.end > end, "{name}: an empty field");
        end = field.bytes.end;
    }
    assert!(end <= bytes.len(), "{name}: a field behind the end");
    // Names and meanings are longer than what they name, but not without bounds.
    let allocated = HEAP.total_allocated() - before;
    assert!(allocated <= 1_000 * bytes.len() + 10_000, "{name}: {allocated} bytes for {}", bytes.len());
}

/// What was once written under each key of [`STORES`].
type Written = BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>;

/// What the stores are made of: a key, and its value unless it is deleted.
const WRITES: [(&[u8], Option<&[u8]>); 12] = [
    (b"name", Some(b"anna")),
    (b"city", Some(b"Rome")),
    (b"", Some(b"the empty key")),
    (b"name", Some(b"bob")),
    (b"city", None),
    (b"empty", Some(b"")),
    (b"zeros", Some(&[0; 40])),
    (b"name", None),
    (b"name", Some(b"carl")),
    (b"gone", Some(b"soon")),
    (b"gone", None),
    (b"last", Some(b"LLHS")),
];

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let mut written = Written::new();
    for (key, value) in WRITES {
        let values = written.entry(key.to_vec()).or_default();
        values.extend(value.map(<[u8]>::to_vec));
    }
    for (key, value) in [(&b"name"[..], &b"dora"[..]), (b"city", b"Oslo"), (b"empty", b"until")] {
        written.entry(key.to_vec()).or_default().insert(value.to_vec());
    }
    written
});

/// A store that was closed; one that was not, and has several segments; one that was compacted and then not closed; and
/// one that keeps versions, and was closed.
pub(crate) static STORES: LazyLock<Vec<Files>> = LazyLock::new(|| {
    [0, 1, 2, 3]
        .map(|kind| {
            let disk = RecordingDisk::new();
            let options = options(if kind == 0 { 4_096 } else { 200 })
                .with_hints(Hints::Always)
                .with_versions(if kind == 3 { 3 } else { 1 })
                // So that a finding can be repeated.
                .with_hash_key([7; 16]);
            let store = HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options);
            let Ok(store) = store else { panic!("a new store does not open: {store:?}") };
            for (number, (key, value)) in WRITES.into_iter().enumerate() {
                let done = match value {
                    Some(value) => store.set(key, value),
                    None => store.delete(key),
                };
                let compacted = if kind == 2 && number == 7 { store.compact().map(|_| ()) } else { Ok(()) };
                assert!(done.is_ok() && compacted.is_ok(), "{done:?}, {compacted:?}");
            }
            let mut batch = Batch::new();
            batch.set(b"name", b"dora").delete(b"zeros").set(b"city", b"Oslo");
            let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33);
            let written = store.write(&batch).and_then(|()| store.set_until(b"empty", b"until", end));
            assert!(written.is_ok(), "{written:?}");
            if kind % 3 == 0 {
                assert!(Box::new(store).close().is_ok());
            } else {
                drop(store);
            }
            files_of(&disk)
        })
        .into()
});

fn options(segment_bytes: u64) -> Options {
    Options::default().with_compaction(Compaction::OnDemand).with_segment_bytes(segment_bytes)
}

fn open(disk: &RecordingDisk, versions: usize) -> Result<HashLog, Error> {
    let options = options(4_096).with_versions(versions);
    HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options)
}

fn files_of(disk: &RecordingDisk) -> Files {
    let tree = disk.tree();
    tree.files()
        .map(|(path, bytes)| {
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes.to_vec())
        })
        .collect()
}

/// Opens the folder, and uses what opens.
fn open_and_use(files: &Files, forged: bool, written: Option<&Written>) {
    let _unchecked = forged.then(|| sabotage::break_rule(Rule::ChecksumCheck));
    let mut tree = Tree::default();
    for (name, content) in files {
        tree.put(&PathBuf::from(DIR).join(name), content.clone());
    }
    let disk = RecordingDisk::from_tree(tree);
    let len: usize = files.values().map(Vec::len).sum();
    // Some with history, some without.
    let versions = 1 + len % 2;
    let before = HEAP.total_allocated();
    let opened = open(&disk, versions);
    let allocated = HEAP.total_allocated() - before;
    // The disk in memory copies what is read and written; of the rest most is the empty index's.
    assert!(allocated <= 40 * len + (1 << 20), "opening {len} bytes allocated {allocated}");
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let mut after = files_of(&disk);
            if !files.contains_key(LOCK_FILE) && after.get(LOCK_FILE).is_some_and(Vec::is_empty) {
                after.remove(LOCK_FILE);
            }
            assert!(after == *files, "a store that is refused ({error}) is left as it was");
            return;
        }
    };
    let seen = read_everything(&store);
    if let (Some(written), false) = (written, forged) {
        for (key, value) in &seen {
            let is_known = written.get(key).is_some_and(|values| values.contains(value));
            assert!(is_known, "{:?} shows {:?}", key.escape_ascii(), value.escape_ascii());
        }
    }
    let acknowledged = write_something(&store, &seen);
    // With forged checksums damage may be found at any time later.
    let holds_everything = |store: &HashLog| {
        for (key, value) in acknowledged.iter().filter(|_| !forged) {
            let found = store.get(key);
            assert!(found.as_ref().is_ok_and(|found| found == value), "{found:?}, and not {value:?}");
        }
    };
    holds_everything(&store);
    let _ = store.compact();
    holds_everything(&store);
    read_everything(&store);
    drop(store);
    match open(&disk, versions) {
        Ok(store) => {
            holds_everything(&store);
            read_everything(&store);
            let _ = Box::new(store).close();
        }
        // The first opening need not have read all of a damaged file. But none of the engine's own is damaged.
        Err(error) => {
            let is_old_damage = matches!(&error, Error::Corrupt { path, .. }
                if path.file_name().is_some_and(|name| files.contains_key(&*name.to_string_lossy())));
            assert!(forged || is_old_damage, "it opens once, and then no more: {error}");
        }
    }
}

/// Every pair that the store shows. Damage may show itself only now.
fn read_everything(store: &HashLog) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut seen = BTreeMap::new();
    let _ = store.for_each(&mut |key, value| {
        seen.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    });
    for (key, _) in WRITES {
        if let Ok(Some(value)) = store.get(key) {
            seen.insert(key.to_vec(), value);
        }
    }
    let _ = (store.stats(), store.segments(), store.repairs().len(), store.get(b"never written"));
    for key in seen.keys() {
        let _ = store.expiry(key);
        if let Some(history) = store.as_history() {
            let _ = history.versions(key, &mut |_| ControlFlow::Continue(()));
        }
    }
    let mut next = Vec::new();
    let _ = store.earliest_position().and_then(|earliest| {
        store.changes(earliest, &mut |change| {
            next.push(change.next);
            ControlFlow::Continue(())
        })
    });
    // Each place that was told, and one that was not.
    for mut position in next.into_iter().take(20) {
        let _ = store.changes(position, &mut |_| ControlFlow::Break(()));
        position.offset ^= 1;
        let _ = store.changes(position, &mut |_| ControlFlow::Break(()));
    }
    seen
}

/// Overwrites, deletes and adds. Returns what was acknowledged.
fn write_something(store: &HashLog, seen: &BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let mut acknowledged = BTreeMap::new();
    for (place, key) in seen.keys().take(20).chain([&b"added".to_vec()]).enumerate() {
        let value = (place % 2 == 0).then(|| b"new".to_vec());
        let done = match &value {
            Some(value) => store.set(key, value),
            None => store.delete(key),
        };
        if done.is_ok() {
            acknowledged.insert(key.clone(), value);
        }
    }
    acknowledged
}
