//! Values that hold records, of this store and of others, behind damage: where the next record is found by its checksum
//! alone, such a value is where it could be found wrongly.

use logladder_disk::RecordingDisk;
use logladder_engine::Engine;

use crate::bench::{
    Contents, bytes, close, contents, one_in, open, open_at, options, places, salvage, segments,
    with_flipped_bit,
};

/// A segment of another store, with many records whose numbers are those of the first.
fn other_segment() -> Vec<u8> {
    let disk = RecordingDisk::new();
    let store = open_at(&disk, crate::bench::DIR, options().with_segment_bytes(4_000).with_hash_key([8; 16]));
    for number in 0..12_u8 {
        store.set(&[b'x', number], &[number; 3]).unwrap();
    }
    close(store);
    bytes(&disk, "segment-0000000001.log")
}

fn store_of_looks(is_compacted: bool) -> (RecordingDisk, Contents) {
    let other = other_segment();
    let disk = RecordingDisk::new();
    let store = open_at(&disk, crate::bench::DIR, options().with_segment_bytes(4_000));
    // Whole records at the end of a value, in its middle, and all of the segment.
    let looks = [
        &other[32..],
        &other[..120],
        &[&b"before"[..], &other[32..120], b"behind"].concat(),
        &other,
        b"plain",
    ]
    .map(<[u8]>::to_vec);
    for (number, look) in (0..).zip(looks.iter().chain(&looks)) {
        store.set(&[b'k', number], look).unwrap();
    }
    store.seal().unwrap();
    if is_compacted {
        store.delete(b"k\x01").unwrap();
        store.compact_segments(&[1]).unwrap();
    }
    let expected = contents(&store);
    close(store);
    drop(open(&disk));
    (disk, expected)
}

#[test]
fn a_record_within_a_value_is_never_salvaged_whatever_bit_before_it_is_flipped() {
    for is_compacted in [false, true] {
        let (disk, expected) = store_of_looks(is_compacted);
        for name in segments(&disk) {
            for place in places(&bytes(&disk, &name)).iter().filter(|place| !place.is_mark) {
                let end = place.bytes.end.min(place.bytes.start + 24);
                for bit in (place.bytes.start * 8..end * 8).step_by(one_in(5)) {
                    let (salvaged, _) = salvage(&with_flipped_bit(&disk, &name, bit));
                    for (key, value) in &salvaged {
                        let is_known = expected.get(key) == Some(value) || key == b"k\x01";
                        assert!(is_known, "bit {bit} of {name}: {key:?} was never so");
                    }
                    for (key, value) in expected.iter().filter(|(key, _)| **key != place.key) {
                        assert_eq!(salvaged.get(key), Some(value), "bit {bit} of {name}: {key:?}");
                    }
                }
            }
        }
    }
}
