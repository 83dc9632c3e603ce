//! The bytes of a small store, field by field, as they stand on the disk. The file `tests/golden/store.txt` is
//! the format's lesson, and its guard: whoever changes a byte of the format sees it there.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p logladder-hash-log --test golden` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Engine, Open};
use logladder_hash_log::{Compaction, HashLog, Hints, Options, describe};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/store.txt");
const DIR: &str = "/store";

fn options() -> Options {
    Options::default()
        .with_segment_bytes(160)
        .with_compaction(Compaction::OnDemand)
        .with_hints(Hints::Always)
        .with_hash_key(*b"0123456789abcdef")
}

/// A store with a segment that sets wrote, one that compaction wrote, and an active one.
fn small_store(disk: &RecordingDisk) -> HashLog {
    let store = HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options()).unwrap();
    store.set(b"name", b"anna").unwrap();
    store.set(b"city", b"Rome").unwrap();
    store.seal().unwrap();
    store.set(b"name", b"bob").unwrap();
    store.delete(b"city").unwrap();
    store.seal().unwrap();
    store.compact_segments(&[2]).unwrap();
    store.set(b"", b"\0\xFF").unwrap();
    store
}

/// Every file of the store but the marker, which `disk` writes.
fn files(disk: &RecordingDisk) -> Vec<(String, Vec<u8>)> {
    let tree = disk.tree();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    tree.files()
        .map(|(path, bytes)| (name(path), bytes.to_vec()))
        .filter(|(name, _)| name != "LOGLADDER")
        .collect()
}

/// Offset, bytes, name and meaning of each field; long ones go on in the next line.
fn dump(name: &str, bytes: &[u8]) -> String {
    let mut text = format!("{name}, {} bytes\n", bytes.len());
    for field in describe(name, bytes) {
        let (mut offset, mut label, mut meaning) = (field.bytes.start, field.name, &*field.meaning);
        let shown = if field.name == "reserve" { &bytes[field.bytes][..8] } else { &bytes[field.bytes] };
        for line in shown.chunks(8) {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            let row = format!("{offset:6}  {:23}  {label:18}  {meaning}", hex.join(" "));
            writeln!(text, "{}", row.trim_end()).unwrap();
            (offset, label, meaning) = (offset + line.len(), "", "");
        }
    }
    text
}

#[test]
fn the_bytes_of_a_small_store_are_those_of_the_format() {
    let disk = RecordingDisk::new();
    let _store = small_store(&disk);
    let dumps: Vec<String> = files(&disk).iter().map(|(name, bytes)| dump(name, bytes)).collect();
    let found = dumps.join("\n");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        #[allow(clippy::disallowed_methods, reason = "a file of the repository, not of a store")]
        fs::write(GOLDEN, &found).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap();
    for (number, (golden, found)) in golden.lines().zip(found.lines()).enumerate() {
        assert_eq!(found, golden, "line {} of {GOLDEN}", number + 1);
    }
    assert_eq!(found.lines().count(), golden.lines().count());
}

#[test]
fn every_byte_of_every_file_belongs_to_exactly_one_field() {
    let disk = RecordingDisk::new();
    let _store = small_store(&disk);
    for (name, bytes) in files(&disk) {
        let mut end = 0;
        for field in describe(&name, &bytes) {
            assert_eq!(field.bytes.start, end, "{name}: {field:?}");
            assert!(field.bytes.end > end || field.bytes.is_empty());
            end = field.bytes.end;
        }
        assert_eq!(end, bytes.len(), "{name}");
    }
}

#[test]
fn a_damaged_file_is_described_as_far_as_it_goes() {
    let disk = RecordingDisk::new();
    let _store = small_store(&disk);
    for (name, bytes) in files(&disk) {
        for len in 0..bytes.len() {
            let named: usize = describe(&name, &bytes[..len]).iter().map(|field| field.bytes.len()).sum();
            assert!(named == len || len < 4, "{name} cut to {len}: {named} bytes are named");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(describe(&name, &damaged).len() < 100, "{name}, bit {bit}");
        }
    }
}

/// The same bytes on the real disk.
#[test]
fn the_format_is_the_same_on_the_real_disk() {
    let recording = RecordingDisk::new();
    let _store = small_store(&recording);
    let dir = tempfile::tempdir().unwrap();
    let store = HashLog::open(dir.path(), options()).unwrap();
    store.set(b"name", b"anna").unwrap();
    store.set(b"city", b"Rome").unwrap();
    store.seal().unwrap();
    for name in ["segment-0000000001.log", "segment-0000000001.hint"] {
        let real = fs::read(dir.path().join(name)).unwrap();
        assert_eq!(files(&recording).into_iter().find(|(other, _)| other == name).unwrap().1, real);
    }
}
