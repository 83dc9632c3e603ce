//! The tail rule: only the end of the newest log is cut, and only where no valid record follows.

use std::io::ErrorKind;

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Fault, Filter, RecordingDisk};
use logladder_engine::{Engine, SyncPolicy};
use logladder_sorted_log::describe;

use crate::bench::{
    Contents, bytes, close, contents, on_demand, open, open_with, pairs, path, refused, the, with_file,
    with_flipped_bit,
};

/// The log of a new store.
const LOG: &str = "0000000002.log";

/// Each record of [`twenty_records`] has so many bytes: a head, two lengths, `key 00`, and `value 00`.
const RECORD_LEN: usize = 16 + 2 + 6 + 8;

fn key(number: usize) -> Vec<u8> {
    format!("key {number:02}").into_bytes()
}

fn value(number: usize) -> Vec<u8> {
    format!("value {number:02}").into_bytes()
}

fn first(count: usize) -> Contents {
    (0..count).map(|number| (key(number), value(number))).collect()
}

/// A store of twenty records that was killed. Where each record begins is known.
fn twenty_records(sync: SyncPolicy) -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_sync(sync).with_memtable_bytes(2_000)).unwrap();
    for number in 0..20 {
        store.set(&key(number), &value(number)).unwrap();
    }
    drop(store);
    disk
}

fn start_of(record: usize) -> usize {
    32 + record * RECORD_LEN
}

/// Failure mode 8.
#[test]
fn a_flipped_bit_in_record_3_of_20_is_an_error_that_names_file_and_offset_and_changes_no_file() {
    let disk = twenty_records(SyncPolicy::Never);
    for bit in start_of(3) * 8..start_of(4) * 8 {
        let found = refused(&with_flipped_bit(&disk, LOG, bit));
        assert_eq!(found, (LOG.into(), start_of(3) as u64), "bit {bit}");
    }
    let error = open(&with_flipped_bit(&disk, LOG, start_of(3) * 8)).unwrap_err().to_string();
    let follower = start_of(4);
    assert!(error.contains(&format!("a valid record follows at offset {follower}")), "{error}");
}

/// And without the rule, seventeen valid records would be cut off.
#[test]
fn without_the_tail_rule_valid_records_are_lost() {
    let disk = with_flipped_bit(&twenty_records(SyncPolicy::Never), LOG, start_of(3) * 8);
    let _broken = sabotage::break_rule(Rule::TailRule);
    assert_eq!(contents(&open(&disk).unwrap()), first(3));
}

/// Failure mode 9: a length that is wrong points the reader anywhere; what it finds there must not be believed.
#[test]
fn a_flipped_bit_in_any_length_is_never_followed() {
    let disk = twenty_records(SyncPolicy::Never);
    let lengths: Vec<_> = describe(LOG, &bytes(&disk, LOG))
        .into_iter()
        .filter(|field| field.name.contains("length"))
        .map(|field| field.bytes)
        .collect();
    assert_eq!(lengths.len(), 60);
    for bit in lengths.into_iter().flat_map(|range| range.start * 8..range.end * 8) {
        let damaged = with_flipped_bit(&disk, LOG, bit);
        let record = (bit / 8 - 32) / RECORD_LEN;
        if record < 19 {
            assert_eq!(refused(&damaged), (LOG.into(), start_of(record) as u64), "bit {bit}");
        } else {
            // Nothing follows the last record, so nobody can tell damage from a torn write. It is kept.
            let store = open(&damaged).unwrap();
            assert_eq!(contents(&store), first(19), "bit {bit}");
            assert_eq!(store.repairs()[0].offset, start_of(19) as u64);
        }
    }
}

/// Failure mode 10: at every byte, with the unused reserve behind it and without.
#[test]
fn a_log_cut_at_any_byte_opens_with_the_records_before_and_reports_and_keeps_the_rest() {
    let disk = twenty_records(SyncPolicy::Never);
    let end = start_of(20);
    let whole = bytes(&disk, LOG);
    for len in 32..=end {
        let mut zeroed = whole[..len].to_vec();
        zeroed.resize(whole.len(), 0);
        for cut in [whole[..len].to_vec(), zeroed] {
            let disk = with_file(&disk, LOG, cut);
            let store = open(&disk).unwrap();
            let records = (len - 32) / RECORD_LEN;
            assert_eq!(contents(&store), first(records), "cut to {len}");
            let torn = &whole[start_of(records)..len];
            if torn.iter().all(|&byte| byte == 0) {
                assert!(store.repairs().is_empty(), "cut to {len}: {:?}", store.repairs());
            } else {
                let repair = &store.repairs()[0];
                assert_eq!((&repair.path, repair.offset), (&path(LOG), start_of(records) as u64));
                let kept = bytes(&disk, repair.kept.file_name().unwrap().to_str().unwrap());
                assert!(torn.starts_with(&kept), "cut to {len}");
                assert!(torn[kept.len()..].iter().all(|&byte| byte == 0), "zeros are not worth keeping");
            }
            store.set(b"more", b"is fine").unwrap();
            drop(store);
            let again = open(&disk).unwrap();
            assert!(again.repairs().is_empty() && again.stats().unwrap().live_keys == records as u64 + 1);
        }
    }
}

/// Whoever closes a store leaves no unfinished end: what is not right there afterwards is damage, the last record too.
#[test]
fn what_was_in_the_log_when_the_store_was_closed_is_never_cut() {
    let disk = twenty_records(SyncPolicy::Never);
    close(open(&disk).unwrap());
    let (whole, end) = (bytes(&disk, LOG), start_of(20));
    assert_eq!(whole.len(), end);
    for bit in start_of(0) * 8..end * 8 {
        let found = refused(&with_flipped_bit(&disk, LOG, bit));
        assert_eq!(found, (LOG.into(), start_of((bit / 8 - 32) / RECORD_LEN) as u64), "bit {bit}");
    }
    for len in 32..end {
        let mut zeroed = whole[..len].to_vec();
        zeroed.resize(end, 0);
        let mut cuts = vec![whole[..len].to_vec()];
        // A hole of zeros, too.
        cuts.extend((zeroed != whole).then_some(zeroed));
        for cut in cuts {
            let found = refused(&with_file(&disk, LOG, cut));
            assert_eq!(found, (LOG.into(), start_of((len - 32) / RECORD_LEN) as u64), "cut to {len}");
        }
    }
    // What a process that was killed wrote behind that may be unfinished.
    let store = open(&disk).unwrap();
    store.set(b"more", b"is fine").unwrap();
    drop(store);
    let longer = bytes(&disk, LOG);
    for len in end..longer.len() {
        let store = open(&with_file(&disk, LOG, longer[..len].to_vec())).unwrap();
        assert_eq!((contents(&store), store.repairs().len()), (first(20), usize::from(len > end)), "{len}");
    }
    assert_eq!(
        refused(&with_file(&disk, LOG, longer[..end - 1].to_vec())),
        (LOG.into(), start_of(19) as u64)
    );
}

/// Nor can a page of zeros in a value be taken for one that a loss of power took.
#[test]
fn a_flipped_bit_beside_a_page_of_zeros_is_damage_once_the_store_was_closed() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for number in 0..3 {
        store.set(&key(number), &[0; 3 * 4_096]).unwrap();
    }
    close(store);
    // In the key of the first.
    let found = refused(&with_flipped_bit(&disk, LOG, (32 + 16 + 4) * 8));
    assert_eq!(found, (LOG.into(), 32));
}

/// A full disk writes the beginning of a record, and says no. If that stayed, the next opening would need space for a copy of it.
#[test]
fn what_a_failed_append_wrote_is_cut_off_at_once() {
    // To a log with a reserve and to one without.
    for reopened in [false, true] {
        let disk = RecordingDisk::new();
        let mut store = open(&disk).unwrap();
        store.set(b"a", b"1").unwrap();
        if reopened {
            close(store);
            store = open(&disk).unwrap();
        }
        disk.inject(Fault { on: Filter::Append, after: 0, torn_at: 20, kind: ErrorKind::StorageFull });
        store.set(b"b", &[b'b'; 500]).unwrap_err();
        drop(store);
        let store = open(&disk).unwrap();
        assert_eq!((contents(&store), store.repairs()), (pairs(&[("a", "1")]), &[][..]), "{reopened}");
    }
}

/// A disk may be full when a store is closed in which nothing was written.
#[test]
fn a_store_that_was_killed_can_be_read_and_closed_on_a_full_disk() {
    let disk = twenty_records(SyncPolicy::Always);
    for torn_at in [0, 5] {
        let store = open(&disk).unwrap();
        disk.inject(Fault { on: Filter::Append, after: 0, torn_at, kind: ErrorKind::StorageFull });
        close(store);
        let store = open(&disk).unwrap();
        assert_eq!((contents(&store), store.repairs()), (first(20), &[][..]), "{torn_at}");
    }
}

#[test]
fn an_unused_reserve_is_no_damage_and_is_given_back() {
    let disk = twenty_records(SyncPolicy::Never);
    assert_eq!(bytes(&disk, LOG).len(), 2_000, "the reserve is there");
    let store = open(&disk).unwrap();
    assert_eq!((contents(&store), store.repairs()), (first(20), &[][..]));
    assert_eq!(bytes(&disk, LOG).len(), start_of(20), "the records and nothing else");
}

/// What a loss of power may leave: a hole, and valid records behind it. If each write is synced, threads that write at
/// once share a sync, and what they had not been promised yet may have holes as well.
#[test]
fn a_hole_of_zeros_ends_the_log_and_what_follows_is_kept() {
    for sync in [SyncPolicy::Never, SyncPolicy::Always] {
        let disk = twenty_records(sync);
        let mut holed = bytes(&disk, LOG);
        holed[start_of(3)..start_of(5)].fill(0);
        let disk = with_file(&disk, LOG, holed.clone());
        let store = open(&disk).unwrap();
        assert_eq!(contents(&store), first(3));
        let repair = &store.repairs()[0];
        assert_eq!((repair.offset, repair.len), (start_of(3) as u64, (start_of(20) - start_of(3)) as u64));
        let kept = bytes(&disk, repair.kept.file_name().unwrap().to_str().unwrap());
        assert_eq!(kept, holed[start_of(3)..start_of(20)]);
    }
}

/// A page may be lost in the middle of a record, whose head lies on the page before.
#[test]
fn a_lost_page_in_the_middle_of_a_record_is_a_hole() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_memtable_bytes(20_000)).unwrap();
    for number in 0..6 {
        store.set(&key(number), &[b'x'; 2_500]).unwrap();
    }
    drop(store);
    let mut holed = bytes(&disk, LOG);
    holed[4_096..8_192].fill(0);
    let store = open(&with_file(&disk, LOG, holed)).unwrap();
    assert_eq!(store.stats().unwrap().live_keys, 1, "the second record reaches into the lost page");
    // A head, the length of the key, two bytes for that of the value, the key, and the value.
    assert_eq!(store.repairs()[0].offset, 32 + 16 + 1 + 2 + 6 + 2_500);
}

/// A record that lies inside a value is not one that follows.
#[test]
fn a_torn_write_whose_value_holds_records_of_this_very_log_is_cut() {
    let disk = twenty_records(SyncPolicy::Never);
    let copy = bytes(&disk, LOG)[..start_of(20)].to_vec();
    let store = open_with(&disk, on_demand()).unwrap();
    store.set(b"copy", &copy).unwrap();
    drop(store);
    let whole = bytes(&disk, LOG);
    for len in (start_of(20) + 1..whole.len()).step_by(7) {
        let store = open(&with_file(&disk, LOG, whole[..len].to_vec())).unwrap();
        assert_eq!(contents(&store), first(20), "torn at {len}");
    }
}

/// A log that another follows was whole when that one was begun. What is missing at its end is damage, and no torn write.
#[test]
fn a_log_that_another_follows_is_never_cut() {
    let disk = RecordingDisk::new();
    let options = on_demand().with_memtable_bytes(200);
    let store = open_with(&disk, options).unwrap();
    store.set(&key(0), &value(0)).unwrap();
    store.set(&key(1), &value(1)).unwrap();
    drop(store);
    let (older, whole) = (the(&disk, ".log"), bytes(&disk, LOG));
    assert_eq!(older, LOG);
    // The next log, as a crash before the flush of the first leaves them.
    let store = open_with(&disk, on_demand()).unwrap();
    store.flush().unwrap();
    store.set(&key(2), &value(2)).unwrap();
    drop(store);
    let (newer, manifest) = (the(&disk, ".log"), bytes(&disk, "MANIFEST"));
    assert_ne!(newer, LOG);
    let new = RecordingDisk::new();
    drop(open(&new).unwrap());
    let first_edit = bytes(&new, "MANIFEST");
    assert!(manifest.starts_with(&first_edit));
    let both = with_file(&with_file(&disk, "MANIFEST", first_edit), LOG, whole[..start_of(2)].to_vec());
    assert_eq!(contents(&open(&RecordingDisk::from_tree(both.tree())).unwrap()), first(3));
    for len in 0..start_of(2) {
        let (name, offset) = refused(&with_file(&both, LOG, whole[..len].to_vec()));
        // Cut between two records, it is the next log that has another number than it should.
        assert!(name == LOG || name == newer && offset == 0, "cut to {len}: {name} at {offset}");
    }
}
