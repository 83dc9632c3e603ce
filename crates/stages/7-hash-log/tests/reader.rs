//! Reading a store that someone else has open: what a [`Reader`] shows, and what it leaves alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use logladder_contract::{Deed, WatchedDisk};
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Batch, Compact, Engine, Error, Open};
use logladder_hash_log::{Compaction, HashLog, Options, Reader, segments};

const DIR: &str = "/store";

fn options() -> Options {
    Options::default().with_segment_bytes(300).with_compaction(Compaction::OnDemand)
}

fn shown(reader: &Reader) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut shown = BTreeMap::new();
    reader
        .for_each(&mut |key, value| {
            assert!(shown.insert(key.to_vec(), value.to_vec()).is_none(), "each key once");
            ControlFlow::Continue(())
        })
        .unwrap();
    for (key, value) in &shown {
        assert_eq!(reader.get(key).unwrap().as_ref(), Some(value));
    }
    assert_eq!(reader.live_keys(), shown.len() as u64);
    shown
}

#[test]
fn it_shows_what_was_acknowledged_before_it_was_opened_or_refreshed_and_changes_nothing() {
    let disk = RecordingDisk::new();
    let store = HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options()).unwrap();
    store.set(b"first", b"one").unwrap();
    let follower = Reader::open_on(Arc::new(disk.clone()), Path::new(DIR), options()).unwrap();
    let mut map = BTreeMap::from([(b"first".to_vec(), b"one".to_vec())]);
    for step in 0..120_u8 {
        let key = vec![step % 11];
        match step % 10 {
            3 => {
                store.delete(&key).unwrap();
                map.remove(&key);
            }
            5 => {
                let mut batch = Batch::new();
                batch.set(&key, b"of a batch").set(b"also", &[step]).delete(&[step % 3]);
                store.write(&batch).unwrap();
                map.insert(key, b"of a batch".to_vec());
                map.insert(b"also".to_vec(), vec![step]);
                map.remove(&vec![step % 3]);
            }
            7 if step % 30 == 7 => drop(store.compact().unwrap()),
            8 => store.seal().unwrap(),
            _ => {
                store.set(&key, &[step; 30]).unwrap();
                map.insert(key, vec![step; 30]);
            }
        }
        let ops = disk.op_count();
        let fresh = Reader::open_on(Arc::new(disk.clone()), Path::new(DIR), options()).unwrap();
        assert_eq!(shown(&fresh), map, "step {step}, opened");
        if step % 4 != 0 {
            follower.refresh().unwrap();
            assert_eq!(shown(&follower), map, "step {step}, refreshed");
        }
        assert_eq!(disk.op_count(), ops, "a reader changes nothing");
    }
}

#[test]
fn what_it_shows_stays_as_it_was_until_it_is_refreshed() {
    let dir = tempfile::tempdir().unwrap();
    let store = HashLog::open(dir.path(), options()).unwrap();
    for key in 0..40_u8 {
        store.set(&[key], &[key; 20]).unwrap();
    }
    let reader = Reader::open(dir.path(), options()).unwrap();
    let before = shown(&reader);
    for key in 0..40_u8 {
        store.set(&[key], b"new").unwrap();
    }
    store.compact().unwrap();
    assert_eq!(shown(&reader), before, "the segments it reads are gone from the folder, and it has them");
    reader.refresh().unwrap();
    assert!(shown(&reader).values().all(|value| value == b"new"));
}

#[test]
fn beside_a_writer_that_rotates_and_compacts_it_never_fails_and_never_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = HashLog::open(dir.path(), options().with_segment_bytes(2_000)).unwrap();
    store.set(b"count", &0_u64.to_be_bytes()).unwrap();
    let acknowledged = AtomicU64::new(0);
    let is_over = || acknowledged.load(Ordering::SeqCst) == 4_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for count in 1..=4_000_u64 {
                store.set(b"count", &count.to_be_bytes()).unwrap();
                acknowledged.store(count, Ordering::SeqCst);
                store.set(&count.to_le_bytes()[..1], b"something else").unwrap();
                if count % 200 == 0 {
                    store.compact().unwrap();
                }
            }
        });
        let reader = Reader::open(dir.path(), options()).unwrap();
        let mut seen = 0;
        while !is_over() || seen < 4_000 {
            let floor = acknowledged.load(Ordering::SeqCst);
            reader.refresh().unwrap();
            let value = reader.get(b"count").unwrap().unwrap();
            let count = u64::from_be_bytes(value.try_into().unwrap());
            assert!(count >= floor && count >= seen, "{count}, after {floor} and {seen}");
            seen = count;
        }
    });
}

/// The writer seals and removes the last segment between a reader's look at the manifest and its look at the segment.
#[test]
fn a_segment_that_goes_while_it_is_refreshed_is_looked_for_in_the_new_manifest() {
    let disk = RecordingDisk::new();
    let dir = Path::new("/store");
    let store = HashLog::open_on(Arc::new(disk.clone()), dir, options()).unwrap();
    store.set(b"key", b"old").unwrap();
    let (store, is_armed) = (Arc::new(store), Arc::new(AtomicBool::new(false)));
    let last = {
        let (store, is_armed) = (Arc::clone(&store), Arc::clone(&is_armed));
        WatchedDisk::new(&disk, move |deed, name| {
            if deed == Deed::Open && name.starts_with("segment") && is_armed.swap(false, Ordering::SeqCst) {
                store.set(b"key", b"new")?;
                store.compact()?;
            }
            Ok(())
        })
    };
    let reader = Reader::open_on(last, dir, options()).unwrap();
    is_armed.store(true, Ordering::SeqCst);
    reader.refresh().unwrap();
    assert!(!is_armed.load(Ordering::SeqCst), "the segment was not looked at");
    assert_eq!(reader.get(b"key").unwrap().as_deref(), Some(&b"new"[..]));
}

#[test]
fn a_folder_without_a_store_is_refused_and_gets_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Reader::open(dir.path(), Options::default());
    assert!(matches!(refused, Err(Error::ForeignStore { .. })), "{refused:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(Reader::open(&dir.path().join("absent"), Options::default()).is_err());
}

#[test]
fn the_segments_are_told_from_outside_as_their_writer_tells_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = HashLog::open(dir.path(), options()).unwrap();
    for round in 0..3_u8 {
        for key in 0..7_u8 {
            store.set(&[key], &[round; 40]).unwrap();
        }
    }
    store.delete(&[3]).unwrap();
    let told = store.segments();
    assert!(told.iter().any(|segment| segment.is_sealed) && told.iter().any(|segment| !segment.is_sealed));
    assert_eq!(segments(dir.path()).unwrap(), told);
    Box::new(store).close().unwrap();
    let closed = segments(dir.path()).unwrap();
    assert!(closed.iter().all(|segment| segment.is_sealed));
    assert_eq!(closed.len(), told.len());
}

#[test]
fn it_says_where_the_record_of_a_key_lies_and_to_which_records_the_index_points() {
    let disk = RecordingDisk::new();
    let store = HashLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options()).unwrap();
    store.set(b"name", b"anna").unwrap();
    let reader = Reader::open_on(Arc::new(disk.clone()), Path::new(DIR), options()).unwrap();
    assert_eq!(reader.place_of(b"name").unwrap(), Some((1, 32)), "behind the segment's header");
    store.set(b"name", b"bob").unwrap();
    store.set(b"other", b"carl").unwrap();
    store.delete(b"other").unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.place_of(b"name").unwrap(), Some((1, 32 + 24)));
    assert!(reader.points_to(b"name", 1, 56) && !reader.points_to(b"name", 1, 32));
    assert!(!reader.points_to(b"name", 2, 56) && !reader.points_to(b"name", 1, u64::MAX));
    assert_eq!(reader.place_of(b"other").unwrap(), None);
    assert_eq!(reader.segments().unwrap(), store.segments());
    store.compact().unwrap();
    reader.refresh().unwrap();
    let (segment, offset) = reader.place_of(b"name").unwrap().unwrap();
    assert!(segment > 1 && reader.points_to(b"name", segment, offset), "the copy of a compaction");
}
