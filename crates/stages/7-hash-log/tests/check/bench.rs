//! What the tests stand on: stores on a recording disk, their files and records, and what is salvaged from them.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use logladder_disk::crash::Tree;
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Batch, Engine, Expire, Iterate};
use logladder_hash_log::{
    CheckReport, Compaction, HashLog, Hints, Options, Problem, Salvaged, Severity, check_with, salvage_with,
};

pub(crate) const DIR: &str = "/store";
pub(crate) const NEW: &str = "/new";

pub(crate) type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

/// One of so many is tried, or each of them with `LOGLADDER_BITS=all`.
pub(crate) fn one_in(many: usize) -> usize {
    if std::env::var("LOGLADDER_BITS").as_deref() == Ok("all") { 1 } else { many }
}

pub(crate) fn options() -> Options {
    Options::default()
        .with_segment_bytes(260)
        .with_compaction(Compaction::OnDemand)
        .with_hints(Hints::Always)
        .with_hash_key([7; 16])
}

pub(crate) fn open_at(disk: &RecordingDisk, dir: &str, options: Options) -> HashLog {
    HashLog::open_on(Arc::new(disk.clone()), Path::new(dir), options).unwrap()
}

pub(crate) fn open(disk: &RecordingDisk) -> HashLog {
    open_at(disk, DIR, options())
}

pub(crate) fn close(store: HashLog) {
    Box::new(store).close().unwrap();
}

/// A store with segments that sets and that compaction wrote, with batches, deletes, ends, and a tail.
pub(crate) fn write_story(store: &HashLog) {
    for (key, value) in [("a", "1"), ("b", "22"), ("c", "333"), ("a", "4444")] {
        store.set(key.as_bytes(), value.as_bytes()).unwrap();
    }
    let mut batch = Batch::new();
    batch.set(b"batched".as_slice(), b"5".as_slice());
    batch.delete(b"b".as_slice());
    store.write(&batch).unwrap();
    store.seal().unwrap();
    store.set(b"b", b"back").unwrap();
    store.delete(b"c").unwrap();
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 36);
    store.set_until(b"ends", b"later", end).unwrap();
    store.seal().unwrap();
    store.compact_segments(&[1]).unwrap();
    for number in 0..6_u8 {
        store.set(&[b'k', number % 4], &[number; 24]).unwrap();
    }
    store.delete(&[b'k', 3]).unwrap();
}

pub(crate) fn contents(store: &HashLog) -> Contents {
    let mut contents = Contents::new();
    store
        .for_each(&mut |key, value| {
            contents.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    contents
}

pub(crate) fn check(disk: &RecordingDisk) -> CheckReport {
    let before = old_files(disk);
    let report = check_with(Arc::new(disk.clone()), Path::new(DIR), &mut |_| ()).unwrap();
    assert!(old_files(disk) == before, "a check changes nothing");
    report
}

/// What can be salvaged, and what the report says of it. The old store must stay as it is, and the new one be healthy.
pub(crate) fn salvage(disk: &RecordingDisk) -> (Contents, Salvaged) {
    let before = old_files(disk);
    let shared = Arc::new(disk.clone());
    let salvaged =
        salvage_with(shared.clone(), Path::new(DIR), Path::new(NEW), options(), &mut |_| ()).unwrap();
    assert!(old_files(disk) == before, "the old store is never touched");
    let report = check_with(shared, Path::new(NEW), &mut |_| ()).unwrap();
    assert_eq!(report.problems, []);
    let contents = contents(&open_at(disk, NEW, options()));
    assert_eq!(salvaged.keys, contents.len() as u64);
    (contents, salvaged)
}

/// The files of the old store.
pub(crate) fn old_files(disk: &RecordingDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let tree = disk.tree();
    let old = tree.files().filter(|(path, _)| path.starts_with(DIR));
    old.map(|(path, bytes)| (path.to_path_buf(), bytes.to_vec())).collect()
}

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

pub(crate) fn bytes(disk: &RecordingDisk, name: &str) -> Vec<u8> {
    old_files(disk).remove(&path(name)).unwrap_or_else(|| panic!("no {name}"))
}

pub(crate) fn names(disk: &RecordingDisk) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    old_files(disk).keys().map(name).collect()
}

pub(crate) fn segments(disk: &RecordingDisk) -> Vec<String> {
    names(disk).into_iter().filter(|name| name.ends_with(".log")).collect()
}

/// The disk after a restart, with other bytes in one of the files, or without it.
pub(crate) fn with(disk: &RecordingDisk, name: &str, bytes: Option<Vec<u8>>) -> RecordingDisk {
    let mut tree: Tree = disk.tree();
    match bytes {
        Some(bytes) => tree.put(&path(name), bytes),
        None => assert!(tree.take(&path(name))),
    }
    RecordingDisk::from_tree(tree)
}

pub(crate) fn with_flipped_bit(disk: &RecordingDisk, name: &str, bit: usize) -> RecordingDisk {
    let mut bytes = bytes(disk, name);
    bytes[bit / 8] ^= 1 << (bit % 8);
    with(disk, name, Some(bytes))
}

/// The problems that are more than remarks, as file, offset and severity.
pub(crate) fn problems(problems: &[Problem]) -> Vec<(String, u64, Severity)> {
    let name = |problem: &Problem| problem.path.file_name().unwrap().to_str().unwrap().to_owned();
    let real = problems.iter().filter(|problem| problem.severity > Severity::Remark);
    real.map(|problem| (name(problem), problem.offset, problem.severity)).collect()
}

/// A record in a segment, as the format's description has it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) bytes: Range<usize>,
    pub(crate) key: Vec<u8>,
    pub(crate) sequence: u64,
    pub(crate) is_mark: bool,
}

/// The records of a whole segment.
pub(crate) fn places(segment: &[u8]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut start = 32;
    while segment[start..].iter().any(|&byte| byte != 0) {
        let packed = u32::from_le_bytes(segment[start + 4..start + 8].try_into().unwrap());
        let key_len = usize::from(u16::from_le_bytes(segment[start + 8..start + 10].try_into().unwrap()));
        let mut sequence = [0; 8];
        sequence[..6].copy_from_slice(&segment[start + 10..start + 16]);
        let value_len = usize::try_from(packed & ((1 << 30) - 1)).unwrap();
        let end = start + 16 + key_len + value_len;
        places.push(Place {
            bytes: start..end,
            key: segment[start + 16..start + 16 + key_len].to_vec(),
            sequence: u64::from_le_bytes(sequence),
            is_mark: packed >> 30 == 3,
        });
        start = end;
    }
    places
}
