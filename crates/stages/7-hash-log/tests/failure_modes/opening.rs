//! Opening: which files are the store, what numbers come next, and where records go.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::crash::Recording;
use logladder_disk::{Fault, Filter, RecordingDisk};
use logladder_engine::{Engine, Error, SyncPolicy};
use logladder_hash_log::{Options, Problem, Severity, check_with};

use crate::bench::{
    DIR, bytes, close, contents, files, names, on_demand, open, open_with, pairs, path, refused, with_file,
};

const SEGMENT: &str = "segment-0000000001.log";

fn store_with(disk: &RecordingDisk, key: &str, value: &str) {
    let store = open(disk).unwrap();
    store.set(key.as_bytes(), value.as_bytes()).unwrap();
    close(store);
}

/// Failure mode 17.
#[test]
fn an_empty_segment_with_the_highest_number_changes_nothing() {
    let disk = RecordingDisk::new();
    store_with(&disk, "a", "1");
    for (empty, orphan) in [(Vec::new(), "segment-0000000002.log"), (vec![0; 512], "segment-9999999999.log")]
    {
        let disk = with_file(&disk, orphan, empty);
        store_with(&disk, "b", "2");
        assert_eq!(contents(&open(&disk).unwrap()), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(names(&disk, ".log"), [SEGMENT, "segment-0000000002.log"]);
    }
}

/// The same where it is the store's own: begun, listed, and nothing written to it.
#[test]
fn a_crash_before_the_first_record_of_a_segment_leaves_no_trace_and_its_number_is_not_used_again() {
    let disk = RecordingDisk::new();
    store_with(&disk, "a", "1");
    disk.inject(Fault { on: Filter::Append, after: 2, torn_at: 0, kind: std::io::ErrorKind::Other });
    let store = open(&disk).unwrap();
    // The first append is the header, the second the manifest's, the third the record's.
    assert!(store.set(b"b", b"2").is_err());
    drop(store);
    assert_eq!(names(&disk, ".log").len(), 2);
    let store = open(&disk).unwrap();
    assert_eq!((contents(&store), store.repairs()), (pairs(&[("a", "1")]), &[][..]));
    assert_eq!(names(&disk, ".log"), [SEGMENT]);
    store.set(b"b", b"2").unwrap();
    assert_eq!(names(&disk, ".log"), [SEGMENT, "segment-0000000003.log"]);
}

#[test]
fn a_listed_segment_that_is_missing_is_named() {
    let disk = RecordingDisk::new();
    store_with(&disk, "a", "1");
    let mut tree = disk.tree();
    tree.take(&path(SEGMENT));
    let disk = RecordingDisk::from_tree(tree);
    assert_eq!(refused(&disk), (SEGMENT.into(), 0));
}

#[test]
fn segments_without_a_manifest_are_refused_if_they_hold_anything() {
    let disk = RecordingDisk::new();
    store_with(&disk, "a", "1");
    let mut tree = disk.tree();
    tree.take(&path("MANIFEST"));
    assert_eq!(refused(&RecordingDisk::from_tree(tree.clone())), ("MANIFEST".into(), 0));

    // A crash while the first segment was made: its header, perhaps, and a reserve.
    let header = [bytes(&disk, SEGMENT)[..32].to_vec(), vec![0; 100]].concat();
    for remains in [Vec::new(), vec![0; 300], header[..20].to_vec(), header] {
        let disk = with_file(&RecordingDisk::from_tree(tree.clone()), SEGMENT, remains);
        assert!(contents(&open(&disk).unwrap()).is_empty());
        store_with(&disk, "b", "2");
        assert_eq!(contents(&open(&disk).unwrap()), pairs(&[("b", "2")]));
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_manifest_is_refused() {
    let disk = RecordingDisk::new();
    store_with(&disk, "a", "1");
    for bit in 0..bytes(&disk, "MANIFEST").len() * 8 {
        assert_eq!(
            refused(&crate::bench::with_flipped_bit(&disk, "MANIFEST", bit)).0,
            "MANIFEST",
            "bit {bit}"
        );
    }
}

#[test]
fn a_segment_that_is_marked_as_another_stores_is_refused_where_it_is_listed_and_else_left_alone() {
    let (disk, other) = (RecordingDisk::new(), RecordingDisk::new());
    store_with(&disk, "a", "1");
    store_with(&other, "b", "2");
    let foreign = bytes(&other, SEGMENT);
    assert_eq!(refused(&with_file(&disk, SEGMENT, foreign.clone())), (SEGMENT.into(), 24));

    let store = open(&disk).unwrap();
    store.compact_segments(&[1]).unwrap();
    close(store);
    assert_eq!(names(&disk, ".log"), ["segment-0000000002.log"]);
    let disk = with_file(&disk, SEGMENT, foreign.clone());
    store_with(&disk, "c", "3");
    assert_eq!(contents(&open(&disk).unwrap()), pairs(&[("a", "1"), ("c", "3")]));
    assert_eq!(bytes(&disk, SEGMENT), foreign);
}

#[test]
fn a_file_that_is_not_listed_is_removed_and_a_stranger_is_left_alone() {
    let disk = RecordingDisk::new();
    store_with(&disk, "a", "1");
    let disk = with_file(&disk, "segment-0000000007.log", vec![0; 500]);
    let disk = with_file(&disk, "segment-0000000008.hint", b"?".to_vec());
    let disk = with_file(&disk, "notes.txt", b"mine".to_vec());
    let disk = with_file(&disk, "segment-0000000001.log.torn-99", b"kept".to_vec());
    assert_eq!(contents(&open(&disk).unwrap()), pairs(&[("a", "1")]));
    assert_eq!(names(&disk, ".log"), [SEGMENT]);
    assert_eq!(names(&disk, ".hint"), ["segment-0000000001.hint"]);
    assert_eq!((names(&disk, ".txt").len(), names(&disk, "-99").len()), (1, 1));
}

#[test]
fn a_manifest_older_than_a_segment_with_sets_is_refused_and_nothing_is_removed() {
    let disk = RecordingDisk::new();
    store_with(&disk, "a", "1");
    let older = bytes(&disk, "MANIFEST");
    store_with(&disk, "b", "2");
    let disk = with_file(&disk, "MANIFEST", older);
    let before = names(&disk, "");
    let error = open(&disk).unwrap_err();
    assert!(error.to_string().contains("segment-0000000002.log"), "{error}");
    assert_eq!(names(&disk, ""), before);
}

/// The newer segment is one of copies, as an interrupted compaction leaves it, and holds what is nowhere else.
#[test]
fn an_older_copy_put_over_a_store_that_was_compacted_since_is_refused_and_nothing_is_removed() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for key in [b"k1", b"k2", b"k3"] {
        store.set(key, b"old").unwrap();
    }
    store.seal().unwrap();
    store.compact_segments(&[1]).unwrap();
    let old = contents(&store);
    close(store);
    let held = files(&disk.tree());
    let store = open(&disk).unwrap();
    store.set(b"k1", b"new").unwrap();
    store.delete(b"k2").unwrap();
    store.set(b"k5", b"new").unwrap();
    store.seal().unwrap();
    store.compact_segments(&[2, 3]).unwrap();
    close(store);
    let mut tree = disk.tree();
    for (path, bytes) in held {
        tree.put(&path, bytes);
    }
    let disk = RecordingDisk::from_tree(tree.clone());
    assert_eq!(refused(&disk), ("MANIFEST".into(), 0));
    let newer = "segment-0000000004.log";
    let said = open(&disk).unwrap_err().to_string();
    assert!(said.contains(newer) && said.contains("move that file away"), "{said}");
    let report = check_with(Arc::new(disk), Path::new(DIR), &mut |_| ()).unwrap();
    let told = |problem: &Problem| problem.severity == Severity::Damage && problem.what.contains(newer);
    assert!(report.problems.iter().any(told), "{:?}", report.problems);
    assert!(tree.take(&path(newer)));
    assert_eq!(contents(&open(&RecordingDisk::from_tree(tree)).unwrap()), old, "as it says");
}

#[test]
fn a_thousand_short_sessions_leave_few_files() {
    let disk = RecordingDisk::new();
    for n in 0..1_000_u32 {
        let store = open_with(&disk, Options::default()).unwrap();
        store.set(b"key", &n.to_le_bytes()).unwrap();
        close(store);
    }
    assert!(names(&disk, "").len() < 40, "{:?}", names(&disk, ""));
    assert_eq!(open(&disk).unwrap().get(b"key").unwrap().unwrap(), 999_u32.to_le_bytes());
}

/// Failure mode 21: what is newest is a matter of sequence numbers, which survive even a compaction that removes
/// every record.
#[test]
fn sequence_numbers_grow_through_reopening_and_through_a_compaction_that_leaves_nothing() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"a", b"1").unwrap();
    store.delete(b"a").unwrap();
    logladder_engine::Compact::compact(&store).unwrap();
    assert!(names(&disk, ".log").is_empty(), "nothing is left");
    close(store);
    let store = open(&disk).unwrap();
    store.set(b"a", b"3").unwrap();
    assert_eq!(store.segments()[0].min_sequence, 3);
}

#[test]
fn a_store_that_has_used_every_sequence_number_refuses_writes_and_goes_on_reading() {
    let disk = RecordingDisk::new();
    store_with(&disk, "a", "1");
    let mut manifest = bytes(&disk, "MANIFEST");
    let end = manifest.len() - 4;
    manifest[32..40].copy_from_slice(&((1_u64 << 48) - 2).to_le_bytes());
    let crc = crc32fast::hash(&manifest[..end]);
    manifest[end..].copy_from_slice(&crc.to_le_bytes());
    let disk = with_file(&disk, "MANIFEST", manifest);
    for round in ["the last number is used", "and after reopening"] {
        let store = open(&disk).unwrap();
        if round.starts_with("the last") {
            store.set(b"last", b"one").unwrap();
        }
        let error = store.set(b"b", b"2").unwrap_err().to_string();
        assert!(error.contains("all 2^48 sequence numbers are used"), "{round}: {error}");
        assert!(store.delete(b"a").is_err(), "{round}");
        assert_eq!(contents(&store), pairs(&[("a", "1"), ("last", "one")]), "{round}");
        close(store);
    }
}

#[test]
fn a_value_larger_than_a_segment_gets_a_segment_of_its_own() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_segment_bytes(300)).unwrap();
    for (key, len) in [(b"a", 10), (b"b", 100_000), (b"c", 10), (b"d", 150)] {
        store.set(key, &vec![key[0]; len]).unwrap();
    }
    let lengths: Vec<u64> = store.segments().iter().map(|usage| usage.bytes).collect();
    assert_eq!(lengths, [27, 100_017, 27 + 167]);
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(store.get(b"b").unwrap().unwrap(), vec![b'b'; 100_000]);
    assert_eq!(store.stats().unwrap().live_keys, 4);
}

/// Failure mode 5, and the reserve that cannot be had: then an append is a write, and everything else the same.
#[test]
fn where_no_space_can_be_reserved_the_store_works_all_the_same() {
    for sync in [SyncPolicy::Never, SyncPolicy::Always] {
        let disk = RecordingDisk::new();
        let store = open_with(&disk, on_demand().with_sync(sync).with_segment_bytes(200)).unwrap();
        for number in 0..30_u8 {
            if number % 4 == 0 {
                // The next reserve fails: it is the next thing that sets a file's length.
                disk.inject(Fault {
                    on: Filter::Truncate,
                    after: 0,
                    torn_at: 0,
                    kind: std::io::ErrorKind::StorageFull,
                });
            }
            store.set(&[number], &[number; 10]).unwrap();
            assert_eq!(store.get(&[number]).unwrap().unwrap(), [number; 10]);
        }
        disk.clear_faults();
        drop(store);
        let recording = Recording::of(&disk);
        for image in recording.images_at(recording.ops.len()) {
            let store = open(&RecordingDisk::from_tree(image.tree)).unwrap();
            let live = store.stats().unwrap().live_keys;
            assert!(live == 30 || sync == SyncPolicy::Never && live > 20, "{:?}: {live}", image.loss);
        }
    }
}

#[test]
fn after_a_full_disk_the_store_refuses_writes_reads_on_and_opens_with_what_was_acknowledged() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"a", b"1").unwrap();
    disk.inject(Fault { on: Filter::Append, after: 0, torn_at: 9, kind: std::io::ErrorKind::StorageFull });
    let error = store.set(b"b", b"2").unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
    assert!(matches!(store.set(b"c", b"3"), Err(Error::Poisoned { .. })));
    assert!(matches!(store.sync(), Err(Error::Poisoned { .. })));
    assert_eq!(contents(&store), pairs(&[("a", "1")]));
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(contents(&store), pairs(&[("a", "1")]));
}

/// Nobody was told of it, and on a full disk there is no room to keep a copy of it: then the store could not even be read.
#[test]
fn what_a_failed_append_left_is_cut_off_at_once_and_the_next_opening_has_nothing_to_keep() {
    for (is_reserved, sync) in
        [(true, SyncPolicy::Never), (false, SyncPolicy::Never), (false, SyncPolicy::Always)]
    {
        for can_cut in [true, false] {
            let told = format!("reserved: {is_reserved}, {sync:?}, can cut: {can_cut}");
            let fault = |on, torn_at| Fault { on, after: 0, torn_at, kind: std::io::ErrorKind::StorageFull };
            let disk = RecordingDisk::new();
            let store = open_with(&disk, on_demand().with_sync(sync)).unwrap();
            if !is_reserved {
                disk.inject(fault(Filter::Truncate, 0));
            }
            store.set(b"a", b"1").unwrap();
            disk.inject(fault(Filter::Append, 9));
            if !can_cut {
                disk.inject(fault(Filter::Truncate, 0));
            }
            assert!(store.set(b"b", b"2").is_err(), "{told}");
            assert_eq!(contents(&store), pairs(&[("a", "1")]), "{told}");
            drop(store);
            disk.clear_faults();
            assert_eq!(bytes(&disk, SEGMENT).len() == 32 + 16 + 2, can_cut, "{told}");
            let store = open(&disk).unwrap();
            assert_eq!(contents(&store), pairs(&[("a", "1")]), "{told}");
            let kept: Vec<u64> = store.repairs().iter().map(|repair| repair.len).collect();
            assert_eq!(kept, if can_cut { vec![] } else { vec![9] }, "{told}");
        }
    }
}
