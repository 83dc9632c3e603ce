//! What a check and a salvage say of a store after a crash, which is no damage; and of several damages at once.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use logladder_contract::SEED;
use logladder_disk::crash::Recording;
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Batch, Engine, Error};
use logladder_hash_log::{HashLog, Severity, check_with};

use crate::bench::{
    DIR, Place, bytes, check, close, contents, one_in, open, open_at, options, places, problems, salvage,
    segments, with, write_story,
};

fn recorded_story() -> Recording {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    write_story(&store);
    store.sync().unwrap();
    store.set(b"last", b"words").unwrap();
    close(store);
    Recording::of(&disk)
}

/// One in some of all crash images, from another first one each time; all with `LOGLADDER_BITS=all`.
#[test]
fn after_a_crash_a_check_finds_no_damage_and_says_whether_opening_will_repair() {
    let recording = recorded_story();
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let step = one_in(31);
    let first = usize::try_from(seed % step as u64).unwrap();
    let images = (0..=recording.ops.len()).flat_map(|after| recording.images_at(after));
    let (mut repaired, mut tried) = (0, 0);
    for image in images.skip(first).step_by(step) {
        let told = format!("{SEED}={seed}: after {}, {:?}", image.after, image.loss);
        let disk = RecordingDisk::from_tree(image.tree.clone());
        let report = match check_with(Arc::new(disk.clone()), Path::new(DIR), &mut |_| ()) {
            Ok(report) => report,
            // There is nothing yet.
            Err(Error::Io { .. } | Error::ForeignStore { .. }) => continue,
            Err(error) => panic!("{told}: {error}"),
        };
        let salvaged = (!image.loss.needs_power_loss()).then(|| salvage(&disk).0);
        let store = HashLog::open_on(Arc::new(disk), Path::new(DIR), options()).unwrap();
        let is_repaired = !store.repairs().is_empty();
        assert_eq!(
            report.worst() >= Some(Severity::Unfinished),
            is_repaired,
            "{told}: {:?}",
            report.problems
        );
        assert!(report.worst() < Some(Severity::Damage), "{told}: {:?}", report.problems);
        let contents = contents(&store);
        assert_eq!(report.keys, contents.len() as u64, "{told}");
        // A loss of power may leave records that opening gives up, and a salvage does not.
        assert!(salvaged.is_none_or(|salvaged| salvaged == contents), "{told}");
        (repaired, tried) = (repaired + usize::from(is_repaired), tried + 1);
    }
    assert!(repaired > 5 && tried > 30, "{SEED}={seed}: {repaired} of {tried}");
}

#[test]
fn a_batch_that_was_not_finished_is_reported_at_its_head_and_not_salvaged() {
    let disk = RecordingDisk::new();
    let store = open_at(&disk, DIR, options().with_segment_bytes(4_000));
    store.set(b"a", b"1").unwrap();
    let before = contents(&store);
    let mut batch = Batch::new();
    for key in [b"a", b"b", b"c"] {
        batch.set(key.as_slice(), b"22".as_slice());
    }
    store.write(&batch).unwrap();
    drop(store);
    let name = segments(&disk).remove(0);
    let whole = bytes(&disk, &name);
    let places = places(&whole);
    let head = &places[1].bytes;
    for len in head.end..places[4].bytes.end {
        let mut cut = whole.clone();
        cut[len..].fill(0);
        if cut == whole {
            continue;
        }
        let disk = with(&disk, &name, Some(cut));
        let found = problems(&check(&disk).problems);
        assert_eq!(found, [(name.clone(), head.start as u64, Severity::Unfinished)], "cut to {len}");
        assert_eq!(salvage(&disk).0, before, "cut to {len}");
    }
}

/// Failure mode 10: the page was lost, and what came behind it was not promised to anyone, but it is there.
#[test]
fn behind_a_lost_page_opening_cuts_and_a_salvage_goes_on() {
    let disk = RecordingDisk::new();
    let store = open_at(&disk, DIR, options().with_segment_bytes(40_000));
    for number in 0..200_u8 {
        store.set(&[number], &[number; 100]).unwrap();
    }
    let expected = contents(&store);
    drop(store);
    let name = segments(&disk).remove(0);
    let mut segment = bytes(&disk, &name);
    let lost = |place: &Place| place.bytes.start < 12_288 && place.bytes.end > 8_192;
    let lost: Vec<Place> = places(&segment).into_iter().filter(lost).collect();
    segment[8_192..12_288].fill(0);
    let disk = with(&disk, &name, Some(segment));
    let found = problems(&check(&disk).problems);
    assert_eq!(found, [(name, lost[0].bytes.start as u64, Severity::Unfinished)]);
    let mut rest = expected;
    rest.retain(|key, _| lost.iter().all(|lost| lost.key != *key));
    assert_eq!(salvage(&disk).0, rest);
}

/// In segments that sets wrote and in those of copies.
#[test]
fn several_damaged_records_are_each_reported_and_take_nothing_else_with_them() {
    for is_compacted in [false, true] {
        let disk = RecordingDisk::new();
        let store = open_at(&disk, DIR, options().with_segment_bytes(40_000));
        for number in 0..100_u8 {
            store.set(&[number], &[number; 21]).unwrap();
        }
        store.seal().unwrap();
        if is_compacted {
            store.delete(&[0]).unwrap();
            store.compact_segments(&[1]).unwrap();
        }
        let expected = contents(&store);
        close(store);
        let name = segments(&disk).pop().unwrap();
        let whole = bytes(&disk, &name);
        let places = places(&whole);
        // Each byte of a record in turn, lengths and all, and several records at once.
        for byte in 0..places[1].bytes.len() {
            for bit in (byte % one_in(4)..8).step_by(one_in(4)) {
                let hit: Vec<&Place> = [3, 4, 50, 97].map(|number| &places[number]).to_vec();
                let mut damaged = whole.clone();
                for place in &hit {
                    damaged[place.bytes.start + byte] ^= 1 << bit;
                }
                let disk = with(&disk, &name, Some(damaged));
                let found = problems(&check(&disk).problems);
                for place in &hit {
                    let start = place.bytes.start as u64;
                    let is_named = found.contains(&(name.clone(), start, Severity::Damage));
                    // Of two that stand side by side, the second may not be told apart.
                    assert!(is_named || std::ptr::eq(*place, hit[1]), "byte {byte}, bit {bit}: {found:?}");
                }
                let mut rest = expected.clone();
                rest.retain(|key, _| hit.iter().all(|hit| hit.key != *key));
                assert_eq!(salvage(&disk).0, rest, "byte {byte}, bit {bit}");
            }
        }
    }
}

/// Failure mode 25: nothing that stands in a folder is a reason to panic.
#[test]
fn any_file_in_place_of_any_other_cut_anywhere_is_checked_and_salvaged() {
    let disk = RecordingDisk::new();
    let store = open(&disk);
    write_story(&store);
    close(store);
    let names = crate::bench::names(&disk);
    for name in &names {
        for other in &names {
            let bytes = bytes(&disk, other);
            for len in [0, 1, 5, 16, 31, 32, 33, 60, 100, bytes.len() / 2, bytes.len()] {
                let replaced = with(&disk, name, Some(bytes[..len.min(bytes.len())].to_vec()));
                check(&replaced);
                salvage(&replaced);
            }
        }
    }
}
