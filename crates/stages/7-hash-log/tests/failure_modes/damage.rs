//! Damage that no crash explains: it is an error, or it has no effect.

use logladder_disk::RecordingDisk;
use logladder_engine::{Engine, limits};
use logladder_hash_log::describe;

use crate::bench::{
    Contents, bytes, close, contents, on_demand, open, open_with, refused, with_file, without_hints,
};

const SEGMENT: &str = "segment-0000000001.log";

/// Failure mode 19: whatever a value or a key looks like, it is nothing but that.
#[test]
fn values_and_keys_that_look_like_the_format_are_only_values_and_keys() {
    let sample = RecordingDisk::new();
    let store = open(&sample).unwrap();
    store.set(b"name", b"anna").unwrap();
    store.delete(b"name").unwrap();
    close(store);
    let segment = bytes(&sample, SEGMENT);
    let mut looks: Vec<Vec<u8>> = [&b"LLHS"[..], b"LLHH", b"LLHM", b"", &[0; 16], &[0; 4_096], &[0xFF; 16]]
        .into_iter()
        .map(<[u8]>::to_vec)
        .collect();
    looks.extend(describe(SEGMENT, &segment).into_iter().map(|field| segment[field.bytes].to_vec()));
    // The records of that store, its footer, the whole of it, and its manifest and hint.
    looks.extend([&segment[32..56], &segment[56..76], &segment[76..], &segment].map(<[u8]>::to_vec));
    looks.extend([bytes(&sample, "MANIFEST"), bytes(&sample, "segment-0000000001.hint")]);
    for sealed in [false, true] {
        let disk = RecordingDisk::new();
        let store = open_with(&disk, on_demand().with_segment_bytes(1_000)).unwrap();
        let mut expected = Contents::new();
        for (key, value) in looks.iter().zip(looks.iter().rev()) {
            store.set(key, value).unwrap();
            expected.insert(key.clone(), value.clone());
        }
        assert_eq!(contents(&store), expected);
        if sealed {
            close(store);
        } else {
            drop(store);
        }
        assert_eq!(contents(&open(&without_hints(&disk)).unwrap()), expected);
        let store = open(&disk).unwrap();
        store.compact_segments(&[1, 2, 3]).unwrap();
        assert_eq!((contents(&store), store.repairs()), (expected, &[][..]));
    }
}

/// Puts a right checksum over a record that was changed.
fn forge(segment: &mut [u8], start: usize, end: usize) {
    let crc = crc32fast::hash(&segment[start + 4..end]);
    segment[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Failure mode 25: a length in a file is not a reason to allocate. The test would need 1 GiB if it were.
#[test]
fn a_record_that_claims_a_value_of_one_gibibyte_is_refused() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"name", b"anna").unwrap();
    store.set(b"city", b"Rome").unwrap();
    close(store);
    let mut segment = bytes(&disk, SEGMENT);
    let claim = 1 << 30 | u32::try_from(limits::MAX_VALUE_LEN).unwrap();
    segment[36..40].copy_from_slice(&claim.to_le_bytes());
    forge(&mut segment, 32, 56);
    assert_eq!(refused(&without_hints(&with_file(&disk, SEGMENT, segment))), (SEGMENT.into(), 32));
}

/// A record that is missing leaves a gap in the numbers, even if every checksum is right.
#[test]
fn a_record_that_is_missing_from_the_middle_is_noticed() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for key in [b"a", b"b", b"c"] {
        store.set(key, b"value").unwrap();
    }
    drop(store);
    let mut segment = bytes(&disk, SEGMENT);
    segment.drain(54..76);
    assert_eq!(refused(&with_file(&disk, SEGMENT, segment)), (SEGMENT.into(), 54));
}

/// Failure mode 20: each field of each header, in a store without hints.
#[test]
fn a_changed_field_is_damage_even_with_a_right_checksum_if_it_contradicts_another() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"name", b"anna").unwrap();
    close(store);
    let disk = without_hints(&disk);
    let segment = bytes(&disk, SEGMENT);
    let (record, footer) = (32..56, 56..100);
    // The sequence number of the record; and in the footer the records, the data's length, the lowest sequence
    // number, the data's checksum, and the footer's own number.
    for (field, covered, named) in [
        (42, &record, 32),
        (72, &footer, 56),
        (80, &footer, 56),
        (88, &footer, 56),
        (96, &footer, 56),
        (66, &footer, 56),
    ] {
        let mut changed = segment.clone();
        changed[field] ^= 2;
        forge(&mut changed, covered.start, covered.end);
        assert_eq!(refused(&with_file(&disk, SEGMENT, changed)), (SEGMENT.into(), named), "byte {field}");
    }
}

/// A sealed segment is never cut.
#[test]
fn a_sealed_segment_that_was_cut_anywhere_is_damage() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"name", b"anna").unwrap();
    close(store);
    let segment = bytes(&disk, SEGMENT);
    for len in 0..segment.len() {
        assert_eq!(refused(&with_file(&disk, SEGMENT, segment[..len].to_vec())).0, SEGMENT, "cut to {len}");
    }
    let longer = [segment, vec![0]].concat();
    assert_eq!(refused(&with_file(&disk, SEGMENT, longer)).0, SEGMENT);
}
