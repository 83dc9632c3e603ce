//! A write that fails: still dirty, still in memory, the old value still on the disk, and tried again.

use logladder_disk::crash::Recording;
use logladder_disk::{Filter, RecordingDisk};
use logladder_engine::{Collections, Engine, Error, SyncPolicy};

use crate::bench::{break_next, on_demand, open, open_with, unwritten, value_on_disk};

/// A key with an old value on the disk and a new one in memory.
fn half_written(disk: &RecordingDisk, sync: SyncPolicy) -> logladder_write_behind::WriteBehind {
    let store = open_with(disk, on_demand().with_sync(sync)).unwrap();
    store.set(b"artist/air", b"old").unwrap();
    store.sync().unwrap();
    store.set(b"artist/air", b"new").unwrap();
    store
}

/// Failure mode 28, at each step of writing.
#[test]
fn a_mark_goes_only_when_its_write_has_succeeded() {
    let steps = [Filter::Create, Filter::Append, Filter::Sync, Filter::Rename, Filter::SyncDir];
    for (number, step) in steps.into_iter().enumerate() {
        let disk = RecordingDisk::new();
        let store = half_written(&disk, SyncPolicy::Always);
        break_next(&disk, step);
        let failure = store.sync().unwrap_err();
        assert!(matches!(failure, Error::Io { .. }), "{step:?}: {failure}");

        // In memory the new value, marked; on the disk the old one, unless only the sync of its name failed.
        assert_eq!(store.get(b"artist/air").unwrap().unwrap(), b"new", "{step:?}");
        let stats = store.stats().unwrap();
        assert_eq!((stats.unwritten_keys, stats.failed_writes), (1, 1), "{step:?}");
        assert_eq!(store.last_failure(), Some(failure.to_string()));
        assert_eq!(store.trouble(), store.last_failure());
        let on_disk = if number < 4 { b"old" } else { b"new" };
        assert_eq!(value_on_disk(&disk, b"artist/air").unwrap(), on_disk, "{step:?}");

        // The disk is well again.
        store.sync().unwrap();
        let stats = store.stats().unwrap();
        assert_eq!((stats.unwritten_keys, stats.failed_writes), (0, 0), "{step:?}");
        assert_eq!((store.last_failure(), store.trouble()), (None, None));
        assert_eq!(value_on_disk(&disk, b"artist/air").unwrap(), b"new", "{step:?}");
        Box::new(store).close().unwrap();
    }
}

/// The kernel marks the pages of a failed sync as clean. What the next sync says must hold all the same, in every
/// image of a loss of power.
#[test]
fn a_sync_that_succeeds_after_one_that_failed_is_to_be_believed() {
    for sync in [SyncPolicy::Always, SyncPolicy::Never] {
        let disk = RecordingDisk::new();
        let store = half_written(&disk, sync);
        store.set(b"artist/daft_punk", b"epic").unwrap();
        break_next(&disk, Filter::Sync);
        assert!(store.sync().is_err());
        store.sync().unwrap();
        let recording = Recording::of(&disk);
        for image in recording.images_at(recording.ops.len()) {
            let after = open(&RecordingDisk::from_tree(image.tree)).unwrap();
            assert_eq!(after.get(b"artist/air").unwrap().unwrap(), b"new", "{sync:?}, {:?}", image.loss);
            assert_eq!(after.get(b"artist/daft_punk").unwrap().unwrap(), b"epic", "{:?}", image.loss);
        }
    }
}

#[test]
fn a_delete_that_fails_is_tried_again_and_the_value_stays_on_the_disk_until_then() {
    for step in [Filter::Remove, Filter::SyncDir] {
        let disk = RecordingDisk::new();
        let store = half_written(&disk, SyncPolicy::Always);
        store.delete(b"artist/air").unwrap();
        break_next(&disk, step);
        assert!(store.sync().is_err(), "{step:?}");
        assert_eq!(store.get(b"artist/air").unwrap(), None);
        assert_eq!(unwritten(&store), 1);
        let on_disk = value_on_disk(&disk, b"artist/air");
        assert_eq!(on_disk.is_some(), step == Filter::Remove, "{step:?}");
        store.sync().unwrap();
        assert_eq!((unwritten(&store), value_on_disk(&disk, b"artist/air")), (0, None));
        let recording = Recording::of(&disk);
        for image in recording.images_at(recording.ops.len()) {
            let after = open(&RecordingDisk::from_tree(image.tree)).unwrap();
            assert_eq!(after.get(b"artist/air").unwrap(), None, "{:?}", image.loss);
        }
    }
}

#[test]
fn a_failed_write_is_reported_by_close_and_keeps_no_other_key_from_the_disk() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for collection in ["a", "b", "c"] {
        store.put(format!("{collection}/m").as_bytes(), b"value").unwrap();
    }
    store.sync().unwrap();
    for collection in ["a", "b", "c"] {
        store.put(format!("{collection}/m").as_bytes(), b"newer").unwrap();
    }
    break_next(&disk, Filter::Rename);
    let failure = store.sync().unwrap_err().to_string();
    assert!(failure.contains("k-61/k-6d"), "it names the file: {failure}");
    assert_eq!(unwritten(&store), 1, "the others were written");
    let written = ["a", "b", "c"].map(|name| value_on_disk(&disk, format!("{name}/m").as_bytes()).unwrap());
    assert_eq!(written, [b"value".to_vec(), b"newer".to_vec(), b"newer".to_vec()]);
    break_next(&disk, Filter::Append);
    assert!(Box::new(store).close().is_err(), "close reports it");
}

#[test]
fn a_key_that_is_set_again_before_it_is_written_is_written_once() {
    let disk = RecordingDisk::new();
    let store = half_written(&disk, SyncPolicy::Always);
    // Set again and again: it is in the queue once, and the last one counts.
    for round in 0..100_u8 {
        store.set(b"artist/air", &[round]).unwrap();
    }
    assert_eq!(unwritten(&store), 1);
    let before = disk.op_count();
    store.sync().unwrap();
    let renames = disk.ops().split_off(before);
    let renames = renames.iter().filter(|op| matches!(op, logladder_disk::Op::Rename { .. }));
    assert_eq!(renames.count(), 1, "a hundred values cost one file");
    assert_eq!(value_on_disk(&disk, b"artist/air").unwrap(), [99]);
}
