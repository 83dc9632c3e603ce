//! Compaction of any subset of segments, at any moment, beside any write, with any crash.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use logladder_disk::crash::{Loss, Recording};
use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Fault, Filter, OpenOn, RecordingDisk};
use logladder_engine::{Compact, Engine, Error, Iterate, Open};
use logladder_hash_log::HashLog;

use crate::bench::{
    Contents, DIR, close, contents, damage, files, names, on_demand, open, pairs, with_flipped_bit,
    without_hints,
};
use logladder_contract::WatchedDisk;

/// Five sealed segments whose sets and deletes cover each other in every way, and what they hold.
fn layered_store() -> (RecordingDisk, HashLog, Contents) {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
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
        store.seal().unwrap();
    }
    (disk, store, pairs(&[("stays", "1"), ("b", "4"), ("e", "5")]))
}

fn subsets_of(ids: &[u64]) -> Vec<Vec<u64>> {
    let chosen = |bits: usize| ids.iter().enumerate().filter(move |(place, _)| bits >> place & 1 == 1);
    (0..1 << ids.len()).map(|bits| chosen(bits).map(|(_, &id)| id).collect()).collect()
}

fn sealed_ids(store: &HashLog) -> Vec<u64> {
    store.segments().iter().filter(|usage| usage.is_sealed).map(|usage| usage.id).collect()
}

/// Compacts every subset of the segments, and then every subset of what that leaves. Says which step was wrong.
fn compact_every_subset_twice() -> Result<usize, String> {
    let mut compactions = 0;
    for first in subsets_of(&[1, 2, 3, 4, 5]) {
        let (disk, store, expected) = layered_store();
        store.compact_segments(&first).unwrap();
        let check = |store: &HashLog, what: &str| {
            let found = contents(store);
            if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}")) }
        };
        check(&store, &format!("compacted {first:?}"))?;
        drop(store);
        for second in subsets_of(&sealed_ids(&open(&disk).unwrap())) {
            let disk = RecordingDisk::from_tree(disk.tree());
            let store = open(&disk).unwrap();
            check(&store, &format!("compacted {first:?}, reopened"))?;
            store.compact_segments(&second).unwrap();
            let what = format!("compacted {first:?}, reopened, compacted {second:?}");
            check(&store, &what)?;
            drop(store);
            check(&open(&disk).unwrap(), &format!("{what}, reopened"))?;
            check(&open(&without_hints(&disk)).unwrap(), &format!("{what}, reopened without hints"))?;
            compactions += 1;
        }
    }
    Ok(compactions)
}

/// Failure mode 1.
#[test]
fn whatever_subset_of_segments_is_compacted_no_deleted_value_comes_back() {
    let compactions = compact_every_subset_twice().unwrap();
    assert!(compactions > 300, "{compactions}");
}

/// And the test above can tell.
#[test]
fn without_the_tombstone_rule_a_deleted_value_comes_back() {
    let _broken = sabotage::break_rule(Rule::TombstoneKept);
    let noticed = compact_every_subset_twice().unwrap_err();
    assert!(noticed.contains("reopened"), "{noticed}");
}

#[test]
fn compacting_everything_leaves_what_is_live_and_nothing_else() {
    let (disk, store, expected) = layered_store();
    let compacted = store.compact().unwrap();
    assert_eq!((compacted.files_removed, compacted.files_written), (5, 1));
    let usage = store.segments();
    assert_eq!((usage[0].dead_bytes(), usage[0].tombstone_bytes), (0, 0), "{usage:?}");
    assert_eq!(contents(&store), expected);
    assert_eq!(store.compact().unwrap().files_removed, 0, "there is nothing left to give up");
    assert_eq!(names(&disk, ".log").len(), 1);
}

/// Failure modes 3, 4, 13 and 14, with tombstones that must be kept: the contract's scripts compact everything.
#[test]
fn a_crash_at_any_step_of_any_partial_compaction_changes_nothing() {
    for subset in subsets_of(&[1, 2, 3, 4, 5]) {
        let (_, store, expected) = layered_store();
        close(store);
        let (disk, ..) = layered_store();
        let disk = RecordingDisk::from_tree(disk.tree());
        open(&disk).unwrap().compact_segments(&subset).unwrap();
        let recording = Recording::of(&disk);
        for after in 0..=recording.ops.len() {
            for image in recording.images_at(after) {
                // What is torn here is torn at every byte in the contract's scripts.
                if matches!(image.loss, Loss::Torn { bytes } if bytes % 40 != 1) {
                    continue;
                }
                let what = format!("{subset:?}, after {after}, {:?}", image.loss);
                let crashed = RecordingDisk::from_tree(image.tree);
                let store = open(&crashed).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(contents(&store), expected, "{what}");
                store.compact().unwrap();
                assert_eq!(contents(&store), expected, "{what}, compacted again");
            }
        }
    }
}

/// Failure mode 4, in a form of its own: what a compaction leaves behind because it has been overwritten is
/// gone; so what overwrote it must not be lost after that.
#[test]
fn what_replaced_a_value_is_on_the_disk_before_the_value_is_gone() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for key in [b"set", b"del"] {
        store.set(key, b"old").unwrap();
    }
    store.seal().unwrap();
    store.set(b"set", b"new").unwrap();
    store.delete(b"del").unwrap();
    store.set(b"del", b"new").unwrap();
    store.compact_segments(&[1]).unwrap();
    let recording = Recording::of(&disk);
    let start = recording.ops.len();
    for image in recording.images_at(start) {
        let store = open(&RecordingDisk::from_tree(image.tree)).unwrap();
        for key in [b"set", b"del"] {
            assert_eq!(store.get(key).unwrap().as_deref(), Some(&b"new"[..]), "{:?}", image.loss);
        }
    }
}

/// What is done at some moment of a compaction, and what the key then holds.
type Interruption = (&'static str, fn(&HashLog), Option<&'static str>);

/// Failure mode 2: at each file operation of a compaction, on the same thread, a write comes between.
#[test]
fn a_write_at_any_moment_of_a_compaction_is_the_newest() {
    let interruptions: [Interruption; 4] = [
        ("set", |store| store.set(b"key", b"newer").unwrap(), Some("newer")),
        ("delete", |store| store.delete(b"key").unwrap(), None),
        ("set, delete", |store| (store.set(b"key", b"x").unwrap(), store.delete(b"key").unwrap()).1, None),
        (
            "delete, set",
            |store| (store.delete(b"key").unwrap(), store.set(b"key", b"again").unwrap()).1,
            Some("again"),
        ),
    ];
    for (what, interrupt, expected) in interruptions {
        let mut moments = 0;
        loop {
            let disk = RecordingDisk::new();
            let came = compact_interrupted(&disk, moments, interrupt);
            let expected = expected.map(|value| value.as_bytes().to_vec());
            for disk in [disk.clone(), without_hints(&disk)] {
                let store = open(&RecordingDisk::from_tree(disk.tree())).unwrap();
                if came {
                    assert_eq!(store.get(b"key").unwrap(), expected, "{what} at moment {moments}, reopened");
                }
                assert_eq!(store.get(b"other").unwrap().as_deref(), Some(&b"value"[..]));
            }
            if !came {
                break;
            }
            moments += 1;
        }
        assert!(moments >= 12, "{what}: only {moments} moments");
    }
}

/// Compacts four segments, two of them live, and calls `interrupt` before the file operation number `moment` of that compaction
/// which is done without the writer's lock. Says whether it came to that.
fn compact_interrupted(disk: &RecordingDisk, moment: usize, interrupt: fn(&HashLog)) -> bool {
    let store: Arc<OnceLock<HashLog>> = Arc::default();
    let (compacting, seen) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let watched = WatchedDisk::new(disk, {
        let (store, compacting) = (Arc::downgrade(&store), Arc::clone(&compacting));
        move |_, name: &str| {
            // The manifest is replaced under the lock that the write would need.
            let is_free = !name.starts_with("MANIFEST") && name != "store";
            if is_free && compacting.load(Ordering::SeqCst) && seen.fetch_add(1, Ordering::SeqCst) == moment {
                // What the write itself does to the disk is no moment of the compaction.
                compacting.store(false, Ordering::SeqCst);
                interrupt(store.upgrade().unwrap().get().unwrap());
            }
            Ok(())
        }
    });
    store
        .set(HashLog::open_on(watched, Path::new(DIR), on_demand().with_segment_bytes(100)).unwrap())
        .unwrap();
    let store = store.get().unwrap();
    for (key, value) in [("key", "old"), ("other", "old"), ("key", "value"), ("other", "value")] {
        store.set(key.as_bytes(), value.as_bytes()).unwrap();
        store.seal().unwrap();
    }
    compacting.store(true, Ordering::SeqCst);
    store.compact_segments(&[1, 2, 3, 4]).unwrap();
    let came = !compacting.swap(false, Ordering::SeqCst);
    let live = contents(store);
    assert_eq!(live, contents(&open(&RecordingDisk::from_tree(disk.tree())).unwrap()), "as after reopening");
    came
}

/// Failure mode 2, by threads on the real disk: each of them knows what it wrote last.
#[test]
fn writers_and_compactions_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = HashLog::open(dir.path(), on_demand().with_segment_bytes(2_000)).unwrap();
    let expected = Mutex::new(Contents::new());
    let working = AtomicUsize::new(2);
    thread::scope(|scope| {
        for writer in 0..2_u64 {
            let (store, expected, working) = (&store, &expected, &working);
            scope.spawn(move || {
                let mut mine = Contents::new();
                for round in 0..3_000_u64 {
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
    assert_eq!(contents(&HashLog::open(dir.path(), on_demand()).unwrap()), expected);
}

/// Failure mode 22.
#[test]
fn a_visit_shows_each_key_once_with_the_value_of_the_moment_while_everything_is_compacted() {
    let (_, store, expected) = layered_store();
    let mut shown = BTreeSet::new();
    store
        .for_each(&mut |key, value| {
            assert!(shown.insert(key.to_vec()), "each key once");
            assert_eq!(expected.get(key).map(Vec::as_slice), Some(value));
            // Every record moves to another segment, and the one it was in goes.
            store.seal().unwrap();
            store.compact_segments(&sealed_ids(&store)).unwrap();
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert!(shown.iter().eq(expected.keys()));
}

/// Failure mode 23: on the real disk, where a removed file is really gone.
#[test]
fn readers_keep_reading_while_compaction_removes_what_they_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = HashLog::open(dir.path(), on_demand().with_segment_bytes(4_000)).unwrap();
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
            store.seal().unwrap();
            store.compact_segments(&sealed_ids(&store)).unwrap();
        }
    });
}

/// A compaction that fails leaves the sources, and the store takes writes; unless it is the manifest that could
/// not be replaced: then nobody knows which segments are the store.
#[test]
fn a_failed_compaction_changes_nothing_and_stops_no_write_unless_the_manifest_is_in_doubt() {
    let operations = {
        let (disk, store, _) = layered_store();
        let before = disk.op_count();
        store.compact().unwrap();
        disk.op_count() - before
    };
    let (mut harmless, mut fatal) = (0, 0);
    for failing in 0..operations {
        let (disk, store, expected) = layered_store();
        disk.inject(Fault { on: Filter::Any, after: failing, torn_at: 0, kind: std::io::ErrorKind::Other });
        let outcome = store.compact();
        let in_manifest = matches!(&outcome, Err(Error::Io { path, .. })
            if path.to_string_lossy().contains("MANIFEST") || path == Path::new(DIR));
        assert_eq!(contents(&store), expected, "operation {failing} fails");
        match store.set(b"after", b"x") {
            Ok(()) => harmless += 1,
            Err(error) => {
                assert!(matches!(error, Error::Poisoned { .. }) && in_manifest, "{failing}: {error}");
                fatal += 1;
            }
        }
        drop(store);
        let reopened = open(&disk).unwrap();
        reopened.delete(b"after").unwrap();
        assert_eq!(contents(&reopened), expected, "operation {failing} fails, reopened");
        assert!(names(&disk, ".tmp").is_empty());
    }
    assert!(harmless > 5 && fatal > 2, "{harmless} harmless, {fatal} fatal");
}

/// A source that is damaged is not thrown away.
#[test]
fn a_compaction_that_meets_damage_fails_and_leaves_the_sources() {
    let (disk, store, _) = layered_store();
    close(store);
    let damaged = with_flipped_bit(&disk, "segment-0000000001.log", 50 * 8);
    let store = open(&damaged).unwrap();
    let before = files(&damaged.tree());
    let (name, offset) = damage(store.compact_segments(&[1, 2]).unwrap_err());
    assert_eq!((name.as_str(), offset), ("segment-0000000001.log", 50));
    assert_eq!(files(&damaged.tree()), before);
    store.set(b"more", b"is fine").unwrap();
}

#[test]
fn segments_that_are_not_there_or_not_sealed_are_passed_over() {
    let store = open(&RecordingDisk::new()).unwrap();
    store.set(b"k", b"v").unwrap();
    assert_eq!(store.compact_segments(&[0, 1, 2, u64::MAX]).unwrap().files_removed, 0);
    assert_eq!(contents(&store), pairs(&[("k", "v")]));
}
