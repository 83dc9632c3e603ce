//! Opening: which files are the store, what numbers come next, and where records go.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use logladder_contract::{Deed, WatchedDisk};
use logladder_disk::crash::Recording;
use logladder_disk::{Fault, Filter, OpenOn, RecordingDisk};
use logladder_engine::{Backup, Compact, Engine, Error, SyncPolicy};
use logladder_sorted_log::{Compression, Options, SortedLog, Work};

use crate::bench::{
    Contents, DIR, bytes, close, contents, names, on_demand, open, open_with, pairs, path, refused, the,
    tiny, with_file, with_flipped_bit, without_file,
};

fn store_with(disk: &RecordingDisk, key: &str, value: &str) {
    let store = open(disk).unwrap();
    store.set(key.as_bytes(), value.as_bytes()).unwrap();
    close(store);
}

/// Failure mode 17.
#[test]
fn an_empty_log_or_table_with_the_highest_number_changes_nothing() {
    for ending in ["log", "table"] {
        for empty in [Vec::new(), vec![0; 512]] {
            let disk = RecordingDisk::new();
            store_with(&disk, "a", "1");
            let disk = with_file(&disk, &format!("9999999999.{ending}"), empty);
            store_with(&disk, "b", "2");
            let store = open(&disk).unwrap();
            assert_eq!((contents(&store), store.left_alone().len()), (pairs(&[("a", "1"), ("b", "2")]), 0));
            assert_eq!(names(&disk, ".log").len(), 1);
        }
    }
}

/// The same where it is the store's own: begun, and nothing written to it.
#[test]
fn a_crash_before_the_first_record_of_a_log_leaves_no_trace_and_the_store_goes_on() {
    // The header of the log fails, or the note of it in the manifest, or the first frame.
    for (after, torn_at) in [(0, 0), (0, 9), (1, 0), (1, 9), (2, 0), (2, 9)] {
        let disk = RecordingDisk::new();
        let store = open(&disk).unwrap();
        store.set(b"a", b"1").unwrap();
        store.flush().unwrap();
        disk.inject(Fault { on: Filter::Append, after, torn_at, kind: ErrorKind::Other });
        assert!(store.set(b"b", b"2").is_err());
        drop(store);
        assert_eq!(names(&disk, ".log").len(), 1);
        let store = open(&disk).unwrap();
        assert_eq!(contents(&store), pairs(&[("a", "1")]));
        // What the failed append had written was cut off at once.
        assert!(store.repairs().is_empty(), "{after} {torn_at}");
        store.set(b"b", b"2").unwrap();
        store.flush().unwrap();
        drop(store);
        assert_eq!(contents(&open(&disk).unwrap()), pairs(&[("a", "1"), ("b", "2")]));
    }
}

#[test]
fn a_table_or_a_manifest_that_is_needed_and_missing_is_named() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for key in [b"a", b"b"] {
        store.set(key, b"1").unwrap();
        store.flush().unwrap();
    }
    store.set(b"c", b"3").unwrap();
    close(store);
    assert_eq!(names(&disk, ".table").len(), 2);
    for table in names(&disk, ".table") {
        assert_eq!(refused(&without_file(&disk, &table)), (table, 0));
    }
    assert_eq!(refused(&without_file(&disk, "MANIFEST")), ("MANIFEST".into(), 0));
}

/// Where writes go on while a memtable waits, the manifest knows of the next log.
#[test]
fn a_log_that_the_manifest_knows_of_and_is_missing_is_named() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_memtable_bytes(100)).unwrap();
    for number in 0..6_u8 {
        store.set(&[number], &[number; 60]).unwrap();
    }
    close(store);
    let log = the(&disk, ".log");
    assert_eq!(refused(&without_file(&disk, &log)), (log, 0));
}

/// Before its first flush, after a compaction and in a copy, no edit about tables knows of the log that comes next.
#[test]
fn the_first_log_behind_the_tables_is_missed_when_it_is_gone_or_cut_to_nothing() {
    let store_is = |state: usize, disk: &RecordingDisk| {
        let store = open(disk).unwrap();
        if state > 0 {
            store.set(b"old", b"1").unwrap();
            store.compact().unwrap();
        }
        if state > 1 {
            let copy = RecordingDisk::from_tree(disk.tree());
            open(&copy).unwrap().backup(Path::new("/copy")).unwrap();
            let mut tree = RecordingDisk::new().tree();
            for (path, bytes) in copy.tree().files().filter(|(path, _)| path.starts_with("/copy")) {
                tree.put(&Path::new(DIR).join(path.file_name().unwrap()), bytes.to_vec());
            }
            return RecordingDisk::from_tree(tree);
        }
        drop(store);
        disk.clone()
    };
    for state in 0..3 {
        let disk = store_is(state, &RecordingDisk::new());
        // It was killed: nobody has noted how long the log is.
        let store = open_with(&disk, on_demand().with_memtable_bytes(2_000)).unwrap();
        store.set(b"new", b"2").unwrap();
        drop(store);
        let (log, whole) = (the(&disk, ".log"), bytes(&disk, &the(&disk, ".log")));
        assert_eq!(refused(&without_file(&disk, &log)), (log.clone(), 0), "{state}");
        for len in 0..32 {
            let mut zeroed = whole[..len].to_vec();
            assert_eq!(refused(&with_file(&disk, &log, zeroed.clone())), (log.clone(), 0), "{state}, {len}");
            zeroed.resize(whole.len(), 0);
            // A header ends with zeros.
            if zeroed[..32] != whole[..32] {
                assert_eq!(refused(&with_file(&disk, &log, zeroed)), (log.clone(), 0), "{state}, {len}");
            }
        }
        assert!(contents(&open(&disk).unwrap()).contains_key(&b"new"[..]));
    }
}

/// And not that its manifest begins in a strange way.
#[test]
fn a_copy_that_was_not_finished_is_refused_as_such() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"a", b"1").unwrap();
    disk.inject(Fault { on: Filter::Rename, after: 0, torn_at: 0, kind: ErrorKind::StorageFull });
    let copy = Path::new("/copy");
    store.backup(copy).unwrap_err();
    let error = SortedLog::open_on(Arc::new(disk.clone()), copy, on_demand()).unwrap_err().to_string();
    assert!(error.contains("was never finished: make another"), "{error}");
}

#[test]
fn a_flipped_bit_anywhere_in_the_first_edit_of_a_manifest_is_refused() {
    let disk = RecordingDisk::new();
    drop(open(&disk).unwrap());
    for bit in 0..bytes(&disk, "MANIFEST").len() * 8 {
        assert_eq!(refused(&with_flipped_bit(&disk, "MANIFEST", bit)).0, "MANIFEST", "bit {bit}");
    }
}

/// Failure mode 26: an edit that a crash left unfinished blocks nothing, at whichever byte.
#[test]
fn a_manifest_that_ends_in_the_middle_of_an_edit_opens_with_what_the_edits_before_it_say() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"a", b"1").unwrap();
    let (before, log) = (bytes(&disk, "MANIFEST").len(), the(&disk, ".log"));
    let log_bytes = bytes(&disk, &log);
    store.flush().unwrap();
    drop(store);
    let manifest = bytes(&disk, "MANIFEST");
    for len in before..manifest.len() {
        // The log is removed only when the edit is on the disk.
        let disk =
            with_file(&with_file(&disk, &log, log_bytes.clone()), "MANIFEST", manifest[..len].to_vec());
        let store = open(&disk).unwrap_or_else(|error| panic!("cut to {len}: {error}"));
        assert_eq!((contents(&store), store.left_alone().len()), (pairs(&[("a", "1")]), 0), "cut to {len}");
        assert_eq!(store.repairs().len(), usize::from(len > before), "what was cut is told");
        store.flush().unwrap();
        drop(store);
        assert_eq!(contents(&open(&disk).unwrap()), pairs(&[("a", "1")]), "cut to {len}");
    }
}

#[test]
fn a_thousand_short_sessions_leave_few_files() {
    let disk = RecordingDisk::new();
    for n in 0..1_000_u32 {
        let store = open_with(&disk, Options::default().with_memtable_bytes(1_000)).unwrap();
        store.set(b"key", &n.to_le_bytes()).unwrap();
        close(store);
    }
    assert!(names(&disk, "").len() < 40, "{:?}", names(&disk, ""));
    assert_eq!(open(&disk).unwrap().get(b"key").unwrap().unwrap(), 999_u32.to_le_bytes());
}

/// Failure mode 21: what is newest is a matter of sequence numbers, which survive even a compaction that leaves nothing.
#[test]
fn sequence_numbers_grow_through_reopening_and_through_a_compaction_that_leaves_nothing() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"a", b"1").unwrap();
    store.delete(b"a").unwrap();
    store.compact().unwrap();
    assert!(names(&disk, ".log").is_empty() && names(&disk, ".table").is_empty(), "nothing is left");
    close(store);
    let store = open(&disk).unwrap();
    assert_eq!(store.snapshot().sequence(), 2);
    store.set(b"a", b"3").unwrap();
    assert_eq!(store.snapshot().sequence(), 3);
}

/// Failure mode 5, and the reserve that cannot be had: then an append is a write, and everything else the same.
#[test]
fn where_no_space_can_be_reserved_the_store_works_all_the_same() {
    for sync in [SyncPolicy::Never, SyncPolicy::Always] {
        let disk = RecordingDisk::new();
        let watched = WatchedDisk::new(&disk, |deed, name| {
            if deed == Deed::Reserve {
                let full = std::io::Error::from(ErrorKind::StorageFull);
                return Err(Error::io("reserve space for", &path(name), full));
            }
            Ok(())
        });
        let options = tiny().with_sync(sync).with_memtable_bytes(200);
        let store = SortedLog::open_on(watched, Path::new(DIR), options).unwrap();
        for number in 0..30_u8 {
            store.set(&[number], &[number; 10]).unwrap();
            assert_eq!(store.get(&[number]).unwrap().unwrap(), [number; 10]);
        }
        assert_eq!(store.stats().unwrap().unreserved_files, 1);
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
    disk.inject(Fault { on: Filter::Append, after: 0, torn_at: 9, kind: ErrorKind::StorageFull });
    let error = store.set(b"b", b"2").unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
    assert!(matches!(store.set(b"c", b"3"), Err(Error::Poisoned { .. })));
    assert!(matches!(store.sync(), Err(Error::Poisoned { .. })));
    assert_eq!(contents(&store), pairs(&[("a", "1")]));
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(contents(&store), pairs(&[("a", "1")]));
    assert!(store.repairs().is_empty(), "the beginning of the failed record was cut off at once");
}

/// Whatever the options ask for, entries find their place; and what one opening wrote the next one reads with others.
#[test]
fn options_of_any_size_serve() {
    let most = u64::MAX;
    let all = Options::default().with_sync(SyncPolicy::Never).with_work(Work::Caller);
    let variants = [
        all.with_memtable_bytes(0).with_block_bytes(0).with_table_bytes(0).with_level0_tables(0),
        all.with_memtable_bytes(1).with_levels(0, 0).with_manifest_bytes(0).with_filter_bits(1),
        all.with_memtable_bytes(100).with_block_bytes(usize::MAX).with_table_bytes(most),
        all.with_memtable_bytes(100).with_level0_tables(usize::MAX).with_levels(most, most),
        all.with_memtable_bytes(most).with_manifest_bytes(most).with_filter_bits(u32::MAX),
        all.with_memtable_bytes(100).with_compression(Compression::Lz4).with_filter_bits(0),
        Options::default().with_memtable_bytes(1).with_level0_tables(usize::MAX),
        Options::default().with_sync(SyncPolicy::Every(std::time::Duration::MAX)),
    ];
    let disk = RecordingDisk::new();
    let mut expected = Contents::new();
    for (round, options) in (0_u8..).zip(variants.into_iter().chain(variants.into_iter().rev())) {
        let store = open_with(&disk, options).unwrap();
        for key in 0..20_u8 {
            let value = vec![round; usize::from(key) * 9];
            store.set(&[key], &value).unwrap();
            expected.insert(vec![key], value);
        }
        store.delete(&[round]).unwrap();
        expected.remove(&[round][..]);
        store.flush().unwrap();
        assert_eq!(contents(&store), expected, "{options:?}");
        if round % 3 == 2 {
            store.compact().unwrap();
        }
        if round % 2 == 0 {
            close(store);
        } else {
            drop(store);
        }
    }
    assert_eq!(contents(&open(&disk).unwrap()), expected);
}
