//! The tail rule: only the end of the active segment is cut, and only where no valid record follows.

use logladder_disk::RecordingDisk;
use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Engine, SyncPolicy};
use logladder_hash_log::describe;

use crate::bench::{
    Contents, bytes, contents, on_demand, open, open_with, path, refused, with_file, with_flipped_bit,
};

const SEGMENT: &str = "segment-0000000001.log";

/// Each record of [`twenty_records`] has so many bytes: a header, `key 00`, and `value 00`.
const RECORD_LEN: usize = 16 + 6 + 8;

fn key(number: usize) -> Vec<u8> {
    format!("key {number:02}").into_bytes()
}

fn value(number: usize) -> Vec<u8> {
    format!("value {number:02}").into_bytes()
}

fn first(count: usize) -> Contents {
    (0..count).map(|number| (key(number), value(number))).collect()
}

/// A store of twenty records that was killed: its only segment is active. Where each record begins is known.
fn twenty_records(sync: SyncPolicy) -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_sync(sync).with_segment_bytes(2_000)).unwrap();
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
        let found = refused(&with_flipped_bit(&disk, SEGMENT, bit));
        assert_eq!(found, (SEGMENT.into(), start_of(3) as u64), "bit {bit}");
    }
    let error = open(&with_flipped_bit(&disk, SEGMENT, start_of(3) * 8)).unwrap_err().to_string();
    let follower = start_of(4);
    assert!(error.contains(&format!("a valid one follows at offset {follower}")), "{error}");
}

/// And without the rule, seventeen valid records would be cut off.
#[test]
fn without_the_tail_rule_valid_records_are_lost() {
    let disk = with_flipped_bit(&twenty_records(SyncPolicy::Never), SEGMENT, start_of(3) * 8);
    let _broken = sabotage::break_rule(Rule::TailRule);
    assert_eq!(contents(&open(&disk).unwrap()), first(3));
}

/// Failure mode 9: a length that is wrong points the reader anywhere; what it finds there must not be believed.
#[test]
fn a_flipped_bit_in_any_length_is_never_followed() {
    let disk = twenty_records(SyncPolicy::Never);
    let segment = bytes(&disk, SEGMENT);
    let lengths: Vec<_> = describe(SEGMENT, &segment)
        .into_iter()
        .filter(|field| field.name.ends_with("length"))
        .map(|field| field.bytes)
        .collect();
    assert_eq!(lengths.len(), 40);
    for bit in lengths.into_iter().flat_map(|range| range.start * 8..range.end * 8) {
        let damaged = with_flipped_bit(&disk, SEGMENT, bit);
        let record = (bit / 8 - 32) / RECORD_LEN;
        if record < 19 {
            assert_eq!(refused(&damaged), (SEGMENT.into(), start_of(record) as u64), "bit {bit}");
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
    let whole = bytes(&disk, SEGMENT);
    for len in 32..=end {
        let mut zeroed = whole[..len].to_vec();
        zeroed.resize(whole.len(), 0);
        for cut in [whole[..len].to_vec(), zeroed] {
            let disk = with_file(&disk, SEGMENT, cut);
            let store = open(&disk).unwrap();
            let records = (len - 32) / RECORD_LEN;
            assert_eq!(contents(&store), first(records), "cut to {len}");
            let torn = &whole[start_of(records)..len];
            if torn.iter().all(|&byte| byte == 0) {
                assert!(store.repairs().is_empty(), "cut to {len}: {:?}", store.repairs());
            } else {
                let repair = &store.repairs()[0];
                assert_eq!((&repair.path, repair.offset), (&path(SEGMENT), start_of(records) as u64));
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

#[test]
fn an_unused_reserve_is_no_damage_and_is_given_back() {
    let disk = twenty_records(SyncPolicy::Never);
    assert_eq!(bytes(&disk, SEGMENT).len(), 2_000, "the reserve is there");
    let store = open(&disk).unwrap();
    assert_eq!((contents(&store), store.repairs()), (first(20), &[][..]));
    assert_eq!(bytes(&disk, SEGMENT).len(), start_of(20) + 44, "the records and the footer");
}

/// What a loss of power may leave: a hole, and valid records behind it. If each write is synced, threads that write at
/// once share a sync, and what they had not been promised yet may have holes as well.
#[test]
fn a_hole_of_zeros_ends_the_log_and_what_follows_is_kept() {
    for sync in [SyncPolicy::Never, SyncPolicy::Always] {
        let disk = twenty_records(sync);
        let mut holed = bytes(&disk, SEGMENT);
        holed[start_of(3)..start_of(5)].fill(0);
        let disk = with_file(&disk, SEGMENT, holed.clone());
        let store = open(&disk).unwrap();
        assert_eq!(contents(&store), first(3));
        let repair = &store.repairs()[0];
        assert_eq!((repair.offset, repair.len), (start_of(3) as u64, (start_of(20) - start_of(3)) as u64));
        let kept = bytes(&disk, repair.kept.file_name().unwrap().to_str().unwrap());
        assert_eq!(kept, holed[start_of(3)..start_of(20)]);
    }
}

/// A page may be lost in the middle of a record, whose header lies on the page before.
#[test]
fn a_lost_page_in_the_middle_of_a_record_is_a_hole() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_segment_bytes(20_000)).unwrap();
    for number in 0..6 {
        store.set(&key(number), &[b'x'; 2_500]).unwrap();
    }
    drop(store);
    let mut holed = bytes(&disk, SEGMENT);
    holed[4_096..8_192].fill(0);
    let store = open(&with_file(&disk, SEGMENT, holed)).unwrap();
    assert_eq!(store.stats().unwrap().live_keys, 1, "the second record reaches into the lost page");
    assert_eq!(store.repairs()[0].offset, 32 + 16 + 6 + 2_500);
}

/// A record that lies inside a value is not one that follows.
#[test]
fn a_torn_write_whose_value_holds_records_of_this_very_log_is_cut() {
    let disk = twenty_records(SyncPolicy::Never);
    let copy = bytes(&disk, SEGMENT)[..start_of(20)].to_vec();
    let store = open_with(&disk, on_demand().with_segment_bytes(2_000)).unwrap();
    store.set(b"copy", &copy).unwrap();
    drop(store);
    let whole = bytes(&disk, "segment-0000000002.log");
    for len in (33..32 + 16 + 4 + copy.len()).step_by(7) {
        let torn = with_file(&disk, "segment-0000000002.log", whole[..len].to_vec());
        let store = open(&torn).unwrap();
        assert_eq!(contents(&store), first(20), "torn at {len}");
    }
}
