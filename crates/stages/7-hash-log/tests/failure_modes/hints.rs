//! Hints: opening by them reads no values, and says what opening without them says.

use logladder_disk::RecordingDisk;
use logladder_engine::Engine;
use logladder_hash_log::SegmentUsage;

use crate::bench::{
    Contents, bytes, close, contents, damage, open, path, refused, with_file, with_flipped_bit, without_hints,
};

const SEGMENT: &str = "segment-0000000001.log";
const HINT: &str = "segment-0000000001.hint";

/// A closed store: one sealed segment with sets, an overwritten one, and tombstones of keys that are in it and
/// of one that is not.
fn closed_store() -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for (key, value) in [("a", "first"), ("b", "value"), ("a", "second"), ("c", "value")] {
        store.set(key.as_bytes(), value.as_bytes()).unwrap();
    }
    store.delete(b"b").unwrap();
    close(store);
    disk
}

fn opened(disk: &RecordingDisk) -> (Contents, Vec<SegmentUsage>) {
    let store = open(disk).unwrap();
    (contents(&store), store.segments())
}

/// Failure mode 6.
#[test]
fn a_hint_that_is_flipped_anywhere_cut_anywhere_or_missing_changes_nothing_and_is_made_anew() {
    let disk = closed_store();
    let (good, expected) = (bytes(&disk, HINT), opened(&disk));
    let mut spoilt = vec![without_hints(&disk)];
    spoilt.extend((0..good.len() * 8).map(|bit| with_flipped_bit(&disk, HINT, bit)));
    spoilt.extend((0..good.len()).map(|len| with_file(&disk, HINT, good[..len].to_vec())));
    spoilt.push(with_file(&disk, HINT, [good.clone(), vec![0]].concat()));
    spoilt.push(with_file(&disk, HINT, vec![0; 4_096]));
    for (number, disk) in spoilt.iter().enumerate() {
        assert_eq!(opened(disk), expected, "{number}");
        assert_eq!(bytes(disk, HINT), good, "{number}: it is made anew");
    }
}

/// A hint says nothing of a segment that it was not made for, however whole it is.
#[test]
fn the_hint_of_another_segment_is_not_believed() {
    let disk = closed_store();
    let store = open(&disk).unwrap();
    store.set(b"a", b"third").unwrap();
    close(store);
    let expected = opened(&disk);
    let other = bytes(&disk, "segment-0000000002.hint");
    assert_eq!(opened(&with_file(&disk, HINT, other)), expected);
}

/// The proof: a value that is damaged is not noticed by opening, but by the first who reads it.
#[test]
fn opening_by_hints_reads_no_value_and_reading_a_damaged_one_names_file_and_offset() {
    let disk = closed_store();
    let at = bytes(&disk, SEGMENT).windows(6).position(|window| window == b"second").unwrap();
    let damaged = with_flipped_bit(&disk, SEGMENT, at * 8);
    let store = open(&damaged).unwrap();
    assert_eq!(damage(store.get(b"a").unwrap_err()), (SEGMENT.into(), at as u64 - 17));
    assert_eq!(store.get(b"c").unwrap().as_deref(), Some(&b"value"[..]), "the others are fine");
    store.set(b"a", b"third").unwrap();
    assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b"third"[..]), "and it can be written again");
}

/// Failure mode 7: without a hint every record is checked before its key is believed.
#[test]
fn opening_without_hints_refuses_a_flipped_bit_anywhere_in_a_sealed_segment() {
    let disk = without_hints(&closed_store());
    for bit in 0..bytes(&disk, SEGMENT).len() * 8 {
        let (name, offset) = refused(&with_flipped_bit(&disk, SEGMENT, bit));
        assert_eq!(name, SEGMENT);
        assert!(offset <= bit as u64 / 8, "bit {bit}: it names {offset}");
    }
}

/// The last process may have been killed between sealing a segment and writing its hint.
#[test]
fn after_a_crash_the_active_segment_has_a_hint_too() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"k", b"v").unwrap();
    drop(store);
    assert!(disk.tree().files().all(|(found, _)| found != path(HINT)));
    let expected = opened(&disk);
    assert!(!bytes(&disk, HINT).is_empty());
    assert_eq!(opened(&disk), expected);
}
