//! Opening a store that was closed, and one that was not: the checkpoint, and the segments loaded side by side.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Compact, Engine, History, Iterate, Open};
use logladder_hash_log::{Compaction, HashLog, Hints, Options, check_with};

const DIR: &str = "/store";

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

fn options() -> Options {
    Options::default().with_segment_bytes(400).with_compaction(Compaction::OnDemand)
}

fn checkpoint() -> PathBuf {
    Path::new(DIR).join("CHECKPOINT")
}

fn open(disk: &RecordingDisk) -> HashLog {
    HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options()).unwrap()
}

fn contents(store: &HashLog) -> Contents {
    let mut contents = Contents::new();
    store
        .for_each(&mut |key, value| {
            contents.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    for (key, value) in &contents {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
    }
    assert_eq!(store.stats().unwrap().live_keys, contents.len() as u64);
    contents
}

/// A store of some segments, with dead records and tombstones, that was closed.
fn closed() -> (RecordingDisk, Contents) {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    for step in 0..60_u8 {
        store.set(&[step % 17], &[step; 9]).unwrap();
        if step % 7 == 0 {
            store.delete(&[step % 5]).unwrap();
        }
    }
    let expected = contents(&store);
    Box::new(store).close().unwrap();
    (disk, expected)
}

fn bytes_of(disk: &RecordingDisk, path: &Path) -> Option<Vec<u8>> {
    disk.tree().files().find(|(found, _)| *found == path).map(|(_, bytes)| bytes.to_vec())
}

#[test]
fn a_checkpoint_that_is_flipped_or_cut_anywhere_is_as_good_as_none() {
    let (disk, expected) = closed();
    let good = bytes_of(&disk, &checkpoint()).unwrap();
    let with = |bytes: Vec<u8>| {
        let mut tree = disk.tree();
        tree.put(&checkpoint(), bytes);
        RecordingDisk::from_tree(tree)
    };
    for place in 0..good.len() {
        let mut flipped = good.clone();
        flipped[place] ^= 1 << (place % 8);
        assert_eq!(contents(&open(&with(flipped))), expected, "byte {place}");
    }
    for len in (0..good.len()).step_by(97).chain([good.len() - 1]) {
        assert_eq!(contents(&open(&with(good[..len].to_vec()))), expected, "cut to {len}");
    }
    assert_eq!(contents(&open(&with([good, vec![0]].concat()))), expected);
}

/// The proof that it is read at all: with the key of a slot under another fingerprint, the key is not found.
#[test]
fn a_whole_checkpoint_is_what_opening_goes_by() {
    let (disk, expected) = closed();
    let mut forged = bytes_of(&disk, &checkpoint()).unwrap();
    let end = forged.len() - 4;
    // The last words are counts of shards and slots; a slot has bits above the 44th.
    let slot = (40..end - 8)
        .rev()
        .step_by(1)
        .find(|&at| {
            (at - 40) % 8 == 0 && u64::from_le_bytes(forged[at..at + 8].try_into().unwrap()) >> 44 > 0
        })
        .unwrap();
    forged[slot + 7] ^= 0x10;
    let crc = crc32fast::hash(&forged[..end]);
    forged[end..].copy_from_slice(&crc.to_le_bytes());
    let mut tree = disk.tree();
    tree.put(&checkpoint(), forged);
    let store = open(&RecordingDisk::from_tree(tree));
    let found = expected.keys().filter(|key| store.get(key).unwrap().is_some()).count();
    assert_eq!(found, expected.len() - 1);
}

#[test]
fn the_first_write_takes_the_checkpoint_away_and_closing_brings_one_back() {
    let (disk, mut expected) = closed();
    let store = open(&disk);
    assert!(bytes_of(&disk, &checkpoint()).is_some(), "reading leaves it");
    store.set(b"new", b"value").unwrap();
    expected.insert(b"new".to_vec(), b"value".to_vec());
    assert!(bytes_of(&disk, &checkpoint()).is_none());
    drop(store);
    let store = open(&disk);
    assert_eq!(contents(&store), expected);
    Box::new(store).close().unwrap();
    assert!(bytes_of(&disk, &checkpoint()).is_some());
    assert_eq!(contents(&open(&disk)), expected);
}

#[test]
fn closing_leaves_a_checkpoint_of_what_compaction_alone_has_changed() {
    let (disk, expected) = closed();
    let before = bytes_of(&disk, &checkpoint()).unwrap();
    let store = open(&disk);
    store.compact().unwrap();
    Box::new(store).close().unwrap();
    assert_ne!(bytes_of(&disk, &checkpoint()).unwrap(), before);
    let report = check_with(Arc::new(disk.clone()), Path::new(DIR), &mut |_| ()).unwrap();
    assert_eq!(report.problems, [], "it belongs to the segments that are there");
    assert_eq!(contents(&open(&disk)), expected);
}

#[test]
fn closing_replaces_a_damaged_checkpoint_even_if_nothing_was_written() {
    let (disk, expected) = closed();
    let good = bytes_of(&disk, &checkpoint()).unwrap();
    let mut tree = disk.tree();
    tree.put(&checkpoint(), good[..good.len() - 1].to_vec());
    let disk = RecordingDisk::from_tree(tree);
    Box::new(open(&disk)).close().unwrap();
    assert!(bytes_of(&disk, &checkpoint()).unwrap() == good);
    assert_eq!(contents(&open(&disk)), expected);
}

#[test]
fn a_checkpoint_of_fewer_versions_is_not_taken_for_one_of_more() {
    let disk = RecordingDisk::new();
    let open_with = |versions| {
        let options = options().with_versions(versions);
        HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options).unwrap()
    };
    let store = open_with(1);
    for value in [b"1", b"2", b"3"] {
        store.set(b"key", value).unwrap();
    }
    Box::new(store).close().unwrap();
    let store = open_with(3);
    let mut values = Vec::new();
    store
        .versions(b"key", &mut |version| {
            values.extend(version.value.map(<[u8]>::to_vec));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(values, [b"3", b"2", b"1"], "no compaction has removed them");
}

/// More than one thread is worth it, and some keys are in several of the segments that they take.
#[test]
fn segments_that_several_threads_load_make_the_same_index() {
    for hints in [Hints::WhereSmall, Hints::Always] {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::default()
            .with_segment_bytes(1 << 20)
            .with_compaction(Compaction::OnDemand)
            .with_hints(hints);
        let store = HashLog::open(dir.path(), options).unwrap();
        let mut expected = Contents::new();
        for step in 0..24_000_u32 {
            let key = (step.wrapping_mul(0x9E37_79B9) % 15_000).to_le_bytes();
            if step % 11 == 0 {
                store.delete(&key).unwrap();
                expected.remove(&key[..]);
            } else {
                let value = vec![step.to_le_bytes()[0]; 800];
                store.set(&key, &value).unwrap();
                expected.insert(key.to_vec(), value);
            }
        }
        let before = store.segments();
        drop(store);
        let store = HashLog::open(dir.path(), options).unwrap();
        assert!(contents(&store) == expected, "{hints:?}");
        let live = |segments: &[logladder_hash_log::SegmentUsage]| -> Vec<(u64, u64)> {
            segments.iter().map(|usage| (usage.live_bytes, usage.tombstone_bytes)).collect()
        };
        assert_eq!(live(&store.segments()), live(&before), "{hints:?}");
        Box::new(store).close().unwrap();
        let store = HashLog::open(dir.path(), options).unwrap();
        assert!(contents(&store) == expected, "{hints:?}, from the checkpoint");
        assert_eq!(live(&store.segments()), live(&before), "{hints:?}, from the checkpoint");
    }
}
