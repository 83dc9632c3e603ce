//! Numbers that no engine would write, under a right checksum: someone forged them, or a program wrote them that was out
//! of its mind. They are refused, or do nothing worse than to refuse a write.

use std::ops::{ControlFlow, Range};

use logladder_disk::RecordingDisk;
use logladder_engine::{Changes, Compact, Engine, Error, Field, Iterate, Position};
use logladder_hash_log::{HashLog, describe};

use crate::bench::{bytes, close, damage, files, names, on_demand, open, open_with, with_file};

const ABSURD: [u64; 10] =
    [0, 1, 1 << 16, (1 << 32) - 1, 1 << 32, (1 << 48) - 1, 1 << 48, 1 << 63, u64::MAX - 1, u64::MAX];

/// A store from which everything was deleted.
fn emptied_store() -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"key", b"value").unwrap();
    store.delete(b"key").unwrap();
    store.compact().unwrap();
    close(store);
    disk
}

/// A store that was closed, with something to compact in it.
fn closed_store() -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_segment_bytes(150)).unwrap();
    for number in 0..9_u8 {
        store.set(&[number % 4], &[number; 10]).unwrap();
    }
    store.delete(&[0]).unwrap();
    close(store);
    disk
}

/// Each file with one of its numbers changed, and the checksum over it made right.
fn forgeries(disk: &RecordingDisk) -> Vec<(String, RecordingDisk)> {
    let mut forgeries = Vec::new();
    for name in names(disk, "") {
        let whole = bytes(disk, &name);
        let fields = describe(&name, &whole);
        for field in fields.iter().filter(|field| field.bytes.len() <= 8 && field.name != "checksum") {
            let Some((checksum, covered)) = checksum_over(&fields, field.bytes.start) else { continue };
            for number in ABSURD {
                let mut forged = whole.clone();
                let len = field.bytes.len();
                forged[field.bytes.clone()].copy_from_slice(&number.to_le_bytes()[..len]);
                let crc = crc32fast::hash(&forged[covered.clone()]);
                forged[checksum.clone()].copy_from_slice(&crc.to_le_bytes());
                let what = format!("{name} at {}: {} is {number}", field.bytes.start, field.name);
                forgeries.push((what, with_file(disk, &name, forged)));
            }
        }
    }
    forgeries
}

/// Where the checksum over the byte at `place` is, and what it covers.
fn checksum_over(fields: &[Field], place: usize) -> Option<(Range<usize>, Range<usize>)> {
    let ends_with = |field: &&Field, what: &str| field.name == "checksum" && field.meaning.ends_with(what);
    let end = fields.last()?.bytes.end;
    let behind = fields.iter().filter(|field| field.bytes.start > place);
    let before = fields.iter().rev().filter(|field| field.bytes.start < place);
    if let Some(checksum) = behind.clone().find(|field| ends_with(field, "everything before")) {
        return Some((checksum.bytes.clone(), 0..checksum.bytes.start));
    }
    if let Some(checksum) = behind.clone().find(|field| ends_with(field, "the header")) {
        return Some((checksum.bytes.clone(), 0..checksum.bytes.start));
    }
    let checksum = before.clone().find(|field| ends_with(field, "the rest of the record"))?.bytes.clone();
    let next = behind.clone().find(|field| ends_with(field, "the rest of the record"));
    let covered = checksum.end..next.map_or(end, |next| next.bytes.start);
    Some((checksum, covered))
}

/// Asks for changes from places that are there, and from absurd ones.
fn follow(store: &HashLog) {
    let real: Vec<Position> = store.earliest_position().into_iter().chain(store.position()).collect();
    let mut places = real.clone();
    for place in real {
        for absurd in ABSURD {
            places.extend([
                Position { sequence: absurd, ..place },
                Position { segment: absurd, ..place },
                Position { offset: absurd, ..place },
            ]);
        }
    }
    for place in places {
        // An error of its own kind, or changes.
        if let Err(error) = store.changes(place, &mut |_| ControlFlow::Continue(())) {
            let is_expected = matches!(
                error,
                Error::Compacted { .. }
                    | Error::InvalidPosition { .. }
                    | Error::Corrupt { .. }
                    | Error::Io { .. }
                    | Error::Poisoned { .. }
            );
            assert!(is_expected, "{place}: {error}");
        }
    }
}

#[test]
fn a_place_in_the_log_that_never_was_is_refused_whatever_its_numbers() {
    for versions in [1, 2] {
        let disk = RecordingDisk::new();
        let store = open_with(&disk, on_demand().with_segment_bytes(150).with_versions(versions)).unwrap();
        follow(&store);
        for number in 0..9_u8 {
            store.set(&[number % 4], &[number; 10]).unwrap();
        }
        follow(&store);
        store.compact().unwrap();
        follow(&store);
        drop(store);
        follow(&open(&disk).unwrap());
    }
}

#[test]
fn an_absurd_number_under_a_right_checksum_is_refused_or_refuses_writes_and_never_a_panic() {
    let forgeries = [forgeries(&closed_store()), forgeries(&emptied_store())].concat();
    assert!(forgeries.len() > 1_000, "{}", forgeries.len());
    for (what, disk) in forgeries {
        let before = files(&disk.tree());
        let store = match open(&disk) {
            Ok(store) => store,
            Err(Error::UnsupportedVersion { .. }) => continue,
            Err(error) => {
                damage(error);
                assert_eq!(files(&disk.tree()), before, "{what}: a store that is refused is left as it was");
                continue;
            }
        };
        let mut acknowledged = Vec::new();
        for number in 0..9_u8 {
            if store.set(&[number % 4], b"new").is_ok() {
                acknowledged.push(number % 4);
            }
        }
        let _ = store.for_each(&mut |_, _| ControlFlow::Continue(()));
        let _ = store.compact();
        let _ = (store.stats(), store.segments());
        follow(&store);
        for &key in &acknowledged {
            assert_eq!(store.get(&[key]).unwrap().as_deref(), Some(&b"new"[..]), "{what}");
        }
        let _ = Box::new(store).close();
        if let Ok(store) = open(&disk) {
            for key in acknowledged {
                assert_eq!(store.get(&[key]).unwrap().as_deref(), Some(&b"new"[..]), "{what}, opened again");
            }
        }
    }
}
