//! Every bit of every file of small stores, flipped. One in three is tried, and all with `LOGLADDER_BITS=all`.

use std::collections::BTreeMap;

use logladder_disk::RecordingDisk;
use logladder_hash_log::Severity;

use crate::bench::{
    Contents, bytes, check, close, contents, names, one_in, open, places, problems, salvage, segments,
    with_flipped_bit, write_story,
};

/// A store that was closed, and one that was killed, with what they hold.
fn stores() -> [(RecordingDisk, Contents); 2] {
    [true, false].map(|is_closed| {
        let disk = RecordingDisk::new();
        let store = open(&disk);
        write_story(&store);
        let expected = contents(&store);
        if is_closed {
            close(store);
        } else {
            drop(store);
        }
        (disk, expected)
    })
}

#[test]
fn a_healthy_store_has_no_problem_and_is_counted() {
    for (disk, expected) in stores() {
        let report = check(&disk);
        assert_eq!(report.problems, []);
        let records = segments(&disk).iter().flat_map(|name| places(&bytes(&disk, name))).collect::<Vec<_>>();
        let written = records.iter().filter(|place| !place.is_mark).count() as u64;
        let files: Vec<Vec<u8>> = names(&disk).iter().map(|name| bytes(&disk, name)).collect();
        let sum = files.iter().map(Vec::len).sum::<usize>() as u64;
        assert_eq!(
            (report.records, report.keys, report.files, report.bytes),
            (written, expected.len() as u64, files.len() as u64, sum)
        );
        let (salvaged, report) = salvage(&disk);
        assert_eq!((salvaged, report.records), (expected, written));
    }
}

/// Which bits of a file are tried: one in some, which are others in each byte; fewer of the end of a long checkpoint.
fn bits(len: usize) -> impl Iterator<Item = usize> {
    let (step, long_step) = (one_in(3), one_in(997));
    (0..len * 8).filter(move |bit| if *bit < 8_000 { bit % step == 0 } else { bit % long_step == 0 })
}

#[test]
fn each_flipped_bit_is_reported_with_its_file_and_an_offset_at_or_before_it() {
    for (disk, _) in stores() {
        for name in names(&disk) {
            let is_cache = name == "CHECKPOINT" || name.ends_with(".hint");
            for bit in bits(bytes(&disk, &name).len()) {
                let report = check(&with_flipped_bit(&disk, &name, bit));
                let found = problems(&report.problems);
                let names_it = |(file, offset, severity): &(String, u64, Severity)| {
                    *file == name
                        && *offset <= (bit / 8) as u64
                        && (*severity == Severity::Harmless) == is_cache
                };
                assert!(found.iter().any(names_it), "bit {bit} of {name}: {found:?}");
            }
        }
    }
}

/// The highest number of a record of each key.
fn newest(disk: &RecordingDisk) -> BTreeMap<Vec<u8>, u64> {
    let mut newest = BTreeMap::new();
    for place in segments(disk).iter().flat_map(|name| places(&bytes(disk, name))) {
        if !place.is_mark {
            let number = newest.entry(place.key).or_insert(0);
            *number = place.sequence.max(*number);
        }
    }
    newest
}

/// Everything that each key ever was.
fn ever() -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
    let of = |values: &[&[u8]]| values.iter().map(|value| value.to_vec()).collect::<Vec<_>>();
    let mut ever = BTreeMap::from([
        (b"a".to_vec(), of(&[b"1", b"4444"])),
        (b"b".to_vec(), of(&[b"22", b"back"])),
        (b"c".to_vec(), of(&[b"333"])),
        (b"batched".to_vec(), of(&[b"5"])),
        (b"ends".to_vec(), of(&[b"later"])),
    ]);
    for number in 0..6_u8 {
        ever.entry(vec![b'k', number % 4]).or_default().push(vec![number; 24]);
    }
    ever
}

#[test]
fn of_a_store_with_a_flipped_bit_every_key_whose_newest_record_is_whole_is_salvaged() {
    let ever = ever();
    for (disk, expected) in stores() {
        let newest = newest(&disk);
        for name in names(&disk) {
            let whole = bytes(&disk, &name);
            let places = if name.ends_with(".log") { places(&whole) } else { Vec::new() };
            // Fewer of the other files, which hold no data.
            let step = if name.ends_with(".log") { 1 } else { one_in(37) };
            for bit in bits(whole.len()).filter(|bit| bit % step == 0) {
                let (salvaged, _) = salvage(&with_flipped_bit(&disk, &name, bit));
                let hit = places.iter().find(|place| place.bytes.contains(&(bit / 8)) && !place.is_mark);
                let lost = hit.filter(|hit| newest[&hit.key] == hit.sequence).map(|hit| &hit.key);
                for (key, value) in &salvaged {
                    let was = ever.get(key).is_some_and(|values| values.contains(value));
                    assert!(was, "bit {bit} of {name}: {key:?} was never {value:?}");
                }
                for key in newest.keys().filter(|key| Some(*key) != lost) {
                    assert_eq!(salvaged.get(key), expected.get(key), "bit {bit} of {name}: {key:?}");
                }
            }
        }
    }
}
