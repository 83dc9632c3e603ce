//! What someone may put into a store's folder: functions that turn any bytes into such a folder, open it, and use what
//! opens. `tests/hostile_files.rs` calls them with random bytes, and `fuzz/` at the root of the repository with those that a
//! fuzzer finds.
//!
//! They panic if the engine does, if it allocates far more than the files are long, if it changes a file of a store that it
//! refuses, if it shows a value that nobody has ever written, or if what it acknowledges is not there afterwards. A check
//! and a salvage are made of each folder too: neither may change a file, a salvaged value must be one that was written, and a
//! store that a check has nothing against must open, and all of it be read.

mod forged;
mod stores;

use std::alloc::System;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap::Cap;
use logladder_disk::crash::Tree;
use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{LOCK_FILE, OpenOn, RecordingDisk};
use logladder_engine::{Compact, Direction, Engine, Error, Ordered};
use logladder_sorted_log::{Options, Severity, SortedLog, Work, check_with, describe, salvage_with};

#[allow(unused_imports, reason = "each target uses a part of it")]
pub(crate) use forged::{encode_edits, read_any_block, read_any_manifest, read_any_table};
#[allow(unused_imports, reason = "for the fuzzer's seeds")]
pub(crate) use stores::{NAMES, STORES};
use stores::{WRITTEN, Written};

/// It counts what is allocated.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const DIR: &str = "/store";

/// Files, by their names.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A folder of files with any content: for each file a byte that chooses its name, three for its length, and its bytes.
/// The first byte of all says whether checksums are believed, as if someone had forged them.
pub(crate) fn open_any_folder(data: &[u8]) {
    let Some((&mode, mut rest)) = data.split_first() else { return };
    let mut files = Files::new();
    while let Some((&[name, low, middle, high], behind)) = rest.split_first_chunk() {
        let len = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let (content, behind) = behind.split_at(len.min(behind.len()));
        files.insert(NAMES[usize::from(name) % NAMES.len()].clone(), content.to_vec());
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
    let name = &NAMES[usize::from(name) % NAMES.len()];
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

/// Everything is done by the thread that asks for it: what it leaves out, nobody else does.
fn options() -> Options {
    Options::default()
        .with_work(Work::Caller)
        .with_memtable_bytes(300)
        .with_block_bytes(100)
        .with_table_bytes(400)
        .with_level0_tables(2)
        .with_levels(600, 2)
        .with_manifest_bytes(700)
}

fn open(disk: &RecordingDisk) -> Result<SortedLog, Error> {
    SortedLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options())
}

fn files_of(disk: &RecordingDisk) -> Files {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    disk.tree().files().map(|(path, bytes)| (name(path), bytes.to_vec())).collect()
}

/// Opens the folder, and uses what opens.
fn open_and_use(files: &Files, forged: bool, written: Option<&Written>) {
    let _unchecked = forged.then(|| sabotage::break_rule(Rule::ChecksumCheck));
    let mut tree = Tree::default();
    for (name, content) in files {
        tree.put(&PathBuf::from(DIR).join(name), content.clone());
    }
    let is_sound = look_over(&tree, files, forged, written);
    let disk = RecordingDisk::from_tree(tree);
    let len: usize = files.values().map(Vec::len).sum();
    let before = HEAP.total_allocated();
    let opened = open(&disk);
    let allocated = HEAP.total_allocated() - before;
    // A delete of the empty key is one byte of a log, and an entry in memory.
    assert!(allocated <= 200 * len + (1 << 20), "opening {len} bytes allocated {allocated}");
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            // Among a stranger's files, and without its lock file, nobody can say that it is a store.
            let is_strange = matches!(error, Error::ForeignStore { .. });
            assert!(
                forged || !is_sound || is_strange,
                "a check has nothing against what is refused: {error}"
            );
            assert!(!error.to_string().is_empty());
            let mut after = files_of(&disk);
            if !files.contains_key(LOCK_FILE) && after.get(LOCK_FILE).is_some_and(Vec::is_empty) {
                after.remove(LOCK_FILE);
            }
            assert!(after == *files, "a store that is refused ({error}) is left as it was");
            return;
        }
    };
    for strange in store.left_alone() {
        let name = strange.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(files_of(&disk).get(&name) == files.get(&name), "{name} was to be left alone");
    }
    if is_sound && !forged {
        let whole =
            store.scan((Unbounded, Unbounded), Direction::Forward, &mut |_, _| ControlFlow::Continue(()));
        assert!(whole.is_ok(), "a check has nothing against what cannot be read: {whole:?}");
    }
    let seen = read_everything(&store);
    if let (Some(written), false) = (written, forged) {
        for (key, value) in &seen {
            let is_known = written.get(key).is_some_and(|values| values.contains(value));
            assert!(is_known, "{:?} shows {:?}", key.escape_ascii(), value.escape_ascii());
        }
    }
    let acknowledged = write_something(&store, &seen);
    // With forged checksums damage may be found at any time later.
    let holds_everything = |store: &SortedLog| {
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
    match open(&disk) {
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

/// Checks and salvages the store. Says whether there is nothing against it.
fn look_over(tree: &Tree, files: &Files, forged: bool, written: Option<&Written>) -> bool {
    const NEW: &str = "/new";
    let disk = RecordingDisk::from_tree(tree.clone());
    let report = check_with(Arc::new(disk.clone()), Path::new(DIR), &mut |_| ());
    assert!(files_of(&disk) == *files, "a check changes nothing");
    let salvaged =
        salvage_with(Arc::new(disk.clone()), Path::new(DIR), Path::new(NEW), options(), &mut |_| ());
    let tree = disk.tree();
    let old = tree.files().filter(|(path, _)| path.starts_with(DIR));
    let old: Vec<&[u8]> = old.map(|(_, bytes)| bytes).collect();
    assert!(files.values().eq(old), "a salvage changes nothing");
    if let (Ok(salvaged), false) = (&salvaged, forged) {
        let store = SortedLog::open_on(Arc::new(disk.clone()), Path::new(NEW), options());
        let Ok(store) = store else { panic!("what was salvaged does not open: {store:?}") };
        let seen = read_everything(&store);
        assert_eq!(salvaged.keys, seen.len() as u64);
        for (key, value) in seen.iter().filter(|_| written.is_some()) {
            let is_known =
                written.and_then(|written| written.get(key)).is_some_and(|all| all.contains(value));
            assert!(is_known, "{:?} is salvaged as {:?}", key.escape_ascii(), value.escape_ascii());
        }
    }
    report.is_ok_and(|report| report.worst() < Some(Severity::Damage))
}

/// Every pair that the store shows. Damage may show itself only now.
fn read_everything(store: &SortedLog) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut seen = BTreeMap::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        seen.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    };
    for direction in [Direction::Forward, Direction::Backward] {
        let _ = store.scan((Unbounded, Unbounded), direction, &mut visit);
        let _ = store.scan((Included(b"c"), Excluded(b"n")), direction, &mut visit);
        let _ = store.snapshot().scan((Excluded(b"city"), Unbounded), direction, &mut visit);
    }
    for key in stores::keys() {
        if let Ok(Some(value)) = store.get(key) {
            seen.insert(key.to_vec(), value);
        }
    }
    let _ = (store.stats(), store.levels(), store.repairs().len(), store.get(b"never written"));
    seen
}

/// Overwrites, deletes and adds, with a flush in between. Returns what was acknowledged.
fn write_something(
    store: &SortedLog,
    seen: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
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
        if place == 5 {
            let _ = store.flush();
        }
    }
    acknowledged
}
