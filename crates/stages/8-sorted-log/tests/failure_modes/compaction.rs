//! Merges of some tables, at any moment, beside any write, with any crash.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use logladder_disk::crash::{Loss, Recording};
use logladder_disk::{Fault, Filter, RecordingDisk};
use logladder_engine::{Compact, Engine, Error, Iterate, Open, SyncPolicy};
use logladder_sorted_log::{SortedLog, Work};

use crate::bench::{
    Contents, close, contents, damage, files, names, on_demand, open, open_with, pairs, tiny,
    with_flipped_bit,
};

/// Five tables whose sets and deletes cover each other in every way, and what they hold.
fn layered_store(disk: &RecordingDisk) -> (SortedLog, Contents) {
    let store = open(disk).unwrap();
    let set = |key: &str, value: &str| store.set(key.as_bytes(), value.as_bytes()).unwrap();
    let delete = |key: &str| store.delete(key.as_bytes()).unwrap();
    let layers: [&dyn Fn(); 5] = [
        &|| (set("a", "1"), set("b", "1"), set("stays", "1"), set("e", "1")).3,
        &|| (delete("a"), set("c", "2"), delete("e")).2,
        &|| (set("a", "3"), delete("b"), set("d", "3")).2,
        &|| (delete("a"), set("b", "4"), set("d", "4")).2,
        &|| (delete("c"), set("e", "5"), delete("d")).2,
    ];
    for layer in layers {
        layer();
        store.flush().unwrap();
    }
    (store, pairs(&[("stays", "1"), ("b", "4"), ("e", "5")]))
}

/// Failure modes 1, 3, 4, 13 and 14, with merges of some levels into the next, whose tombstones must be kept: the contract's
/// scripts compact everything. After each operation, with each loss, the store opens with all that was acknowledged,
/// knows its files, and goes on.
#[test]
fn a_crash_at_any_step_of_any_merge_loses_nothing_and_leaves_no_stranger() {
    let (mut images, mut levels) = (0, BTreeSet::new());
    for (level0_tables, level1_bytes) in [(1, 200), (3, 400)] {
        let options = tiny()
            .with_sync(SyncPolicy::Always)
            .with_memtable_bytes(90)
            .with_level0_tables(level0_tables)
            .with_levels(level1_bytes, 2);
        let disk = RecordingDisk::new();
        let store = open_with(&disk, options).unwrap();
        // After how many operations what was acknowledged.
        let mut states = vec![(0, Contents::new())];
        for step in 0..32_u8 {
            let (key, mut now) = (vec![b'a' + step * 5 % 7], states[states.len() - 1].1.clone());
            if step % 3 == 2 {
                store.delete(&key).unwrap();
                now.remove(&key);
            } else {
                store.set(&key, &[step; 8]).unwrap();
                now.insert(key, vec![step; 8]);
            }
            states.push((disk.op_count(), now));
            levels.extend(
                (0..).zip(store.levels()).filter(|(_, (tables, _))| *tables > 0).map(|(level, _)| level),
            );
        }
        drop(store);
        let recording = Recording::of(&disk);
        for after in 0..=recording.ops.len() {
            // The step that was under way is done or not.
            let done = states.partition_point(|(ops, _)| *ops <= after);
            let may_be = &states[done - 1..(done + 1).min(states.len())];
            for image in recording.images_at(after) {
                // What is torn here is torn at every byte in the contract's scripts.
                if matches!(image.loss, Loss::Torn { bytes } if bytes % 40 != 1) {
                    continue;
                }
                let what = format!("{level0_tables} tables, after {after}, {:?}", image.loss);
                let crashed = RecordingDisk::from_tree(image.tree);
                let store = open_with(&crashed, options).unwrap_or_else(|error| panic!("{what}: {error}"));
                let found = contents(&store);
                assert!(may_be.iter().any(|(_, state)| *state == found), "{what}: {found:?}");
                assert!(store.left_alone().is_empty(), "{what}: {:?}", store.left_alone());
                store.compact().unwrap();
                assert_eq!(contents(&store), found, "{what}, compacted");
                images += 1;
            }
        }
    }
    assert!(images > 1_000 && levels.len() >= 3, "{images} images, levels {levels:?}");
}

/// Failure mode 2, by threads on the real disk: each of them knows what it wrote last.
#[test]
fn writers_and_compactions_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = tiny().with_work(Work::Background).with_memtable_bytes(2_000).with_levels(4_000, 2);
    let store = SortedLog::open(dir.path(), options).unwrap();
    let expected = Mutex::new(Contents::new());
    let working = AtomicUsize::new(2);
    thread::scope(|scope| {
        for writer in 0..2_u64 {
            let (store, expected, working) = (&store, &expected, &working);
            scope.spawn(move || {
                let mut mine = Contents::new();
                for round in 0..2_000_u64 {
                    let key = format!("{writer}-{}", round * 7 % 31).into_bytes();
                    let value = round.to_string().into_bytes();
                    if round % 5 == 0 {
                        store.delete(&key).unwrap();
                        mine.remove(&key);
                    } else {
                        store.set(&key, &value).unwrap();
                        mine.insert(key.clone(), value);
                    }
                    assert_eq!(store.get(&key).unwrap().as_ref(), mine.get(&key));
                }
                expected.lock().unwrap().extend(mine);
                working.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while working.load(Ordering::SeqCst) > 0 {
            store.compact().unwrap();
        }
    });
    let expected = expected.into_inner().unwrap();
    assert_eq!(contents(&store), expected);
    close(store);
    assert_eq!(contents(&SortedLog::open(dir.path(), on_demand()).unwrap()), expected);
}

/// Failure mode 22.
#[test]
fn a_visit_shows_each_key_once_with_the_value_of_the_moment_while_everything_is_merged() {
    let (store, expected) = layered_store(&RecordingDisk::new());
    let mut shown = BTreeSet::new();
    store
        .for_each(&mut |key, value| {
            assert!(shown.insert(key.to_vec()), "each key once");
            assert_eq!(expected.get(key).map(Vec::as_slice), Some(value));
            // Every entry moves to another table, and the one it was in goes.
            store.set(b"stays", b"later").unwrap();
            store.set(b"zzz, behind all", b"later").unwrap();
            store.compact().unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(shown.iter().eq(expected.keys()));
}

/// Failure mode 23: on the real disk, where a removed file is really gone.
#[test]
fn readers_keep_reading_while_compaction_removes_what_they_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = on_demand().with_sync(SyncPolicy::Never).with_table_bytes(4_000);
    let store = SortedLog::open(dir.path(), options).unwrap();
    let value_of = |number: u64| format!("value of {number}").repeat(20).into_bytes();
    for number in 0..100_u64 {
        store.set(&number.to_le_bytes(), &value_of(number)).unwrap();
    }
    let reading = AtomicUsize::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut value = Vec::new();
                for number in (0..100_u64).cycle().take(20_000) {
                    assert!(store.get_into(&number.to_le_bytes(), &mut value).unwrap());
                    assert_eq!(value, value_of(number));
                }
                reading.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while reading.load(Ordering::SeqCst) > 0 {
            // So that there is something to merge.
            store.set(b"other", b"value").unwrap();
            store.compact().unwrap();
        }
    });
}

/// A compaction that fails leaves what it would have merged, gives back the space that it took, and the store takes writes;
/// unless it is the manifest that could not be changed, or a memtable that could not be written: then nobody knows what
/// is on the disk.
#[test]
fn a_failed_compaction_changes_nothing_and_stops_no_write_unless_the_manifest_is_in_doubt() {
    let operations = {
        let disk = RecordingDisk::new();
        let (store, _) = layered_store(&disk);
        let before = disk.op_count();
        store.compact().unwrap();
        disk.op_count() - before
    };
    let (mut harmless, mut fatal) = (0, 0);
    for failing in 0..operations {
        let disk = RecordingDisk::new();
        let (store, expected) = layered_store(&disk);
        let tables = names(&disk, ".table");
        disk.inject(Fault { on: Filter::Any, after: failing, torn_at: 0, kind: std::io::ErrorKind::Other });
        let outcome = store.compact();
        let in_manifest = matches!(&outcome, Err(Error::Io { path, .. }) if path.ends_with("MANIFEST"));
        assert!(outcome.is_err(), "operation {failing} fails");
        assert_eq!(contents(&store), expected, "operation {failing} fails");
        match store.set(b"after", b"x") {
            Ok(()) => {
                let left = names(&disk, ".table");
                // What fails last is a removal.
                assert!(left == tables || left.len() > 1 && left.len() <= tables.len() + 1, "{left:?}");
                harmless += 1;
            }
            Err(error) => {
                assert!(matches!(error, Error::Poisoned { .. }) && in_manifest, "{failing}: {error}");
                fatal += 1;
            }
        }
        drop(store);
        let reopened = open(&disk).unwrap();
        assert!(reopened.left_alone().is_empty(), "{failing}: {:?}", reopened.left_alone());
        reopened.delete(b"after").unwrap();
        assert_eq!(contents(&reopened), expected, "operation {failing} fails, reopened");
    }
    assert!(harmless > 5 && fatal >= 2, "{harmless} harmless, {fatal} fatal");
}

/// A source that is damaged is not thrown away.
#[test]
fn a_compaction_that_meets_damage_fails_and_leaves_the_sources() {
    let disk = RecordingDisk::new();
    let (store, _) = layered_store(&disk);
    close(store);
    let oldest = names(&disk, ".table").remove(0);
    let damaged = with_flipped_bit(&disk, &oldest, 40 * 8);
    let store = open(&damaged).unwrap();
    let before = files(&damaged.tree());
    assert_eq!(damage(store.compact().unwrap_err()), (oldest, 32));
    assert_eq!(files(&damaged.tree()), before);
    store.set(b"more", b"is fine").unwrap();
}
