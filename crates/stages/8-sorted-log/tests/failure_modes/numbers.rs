//! Numbers that no engine would write, under a right checksum: someone forged them, or a program wrote them that was out
//! of its mind. They are refused, or do nothing worse than to refuse a write.

use std::ops::ControlFlow;

use logladder_disk::RecordingDisk;
use logladder_disk::sabotage::{self, Rule};
use logladder_engine::{Compact, Engine, Error, Iterate};
use logladder_sorted_log::{Compression, Options, describe};

use crate::bench::{bytes, damage, files, names, open_with, tiny, with_file};

const ABSURD: [u64; 10] =
    [0, 1, 1 << 16, (1 << 32) - 1, 1 << 32, (1 << 62) - 1, 1 << 62, 1 << 63, u64::MAX - 1, u64::MAX];

/// A store with tables in several levels, a manifest of several edits, and something in its log.
fn store(options: Options) -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, options).unwrap();
    for number in 0..20_u8 {
        store.set(&[number % 9], &[number; 20]).unwrap();
    }
    store.delete(&[0]).unwrap();
    Box::new(store).close().unwrap();
    disk
}

/// A number in as many bytes as a field has: as it is, or as a varint, of which it is as much as fits.
fn in_place_of(field: &str, len: usize, number: u64) -> Vec<u8> {
    let is_fixed = matches!((field, len), ("restart" | "restarts" | "version", 4) | (_, 8))
        || matches!(field, "length" | "block length") && len == 4;
    if is_fixed {
        return number.to_le_bytes()[..len].to_vec();
    }
    let more = |place: usize| if place + 1 < len { 0x80 } else { 0 };
    let seven = |place: usize| {
        u8::try_from(number.checked_shr(7 * u32::try_from(place).unwrap()).unwrap_or(0) & 0x7F)
    };
    (0..len).map(|place| seven(place).unwrap() | more(place)).collect()
}

/// Each file with one of its numbers changed.
fn forgeries(disk: &RecordingDisk) -> Vec<(String, RecordingDisk)> {
    let is_number =
        |name: &str| !name.contains("key tail") && !["value", "key", "magic", "checksum"].contains(&name);
    let mut forgeries = Vec::new();
    for name in names(disk, "") {
        let whole = bytes(disk, &name);
        let fields = describe(&name, &whole);
        for field in fields.iter().filter(|field| field.bytes.len() <= 8 && is_number(field.name)) {
            for number in ABSURD {
                let mut forged = whole.clone();
                let bytes = in_place_of(field.name, field.bytes.len(), number);
                if forged[field.bytes.clone()] == bytes {
                    continue;
                }
                forged[field.bytes.clone()].copy_from_slice(&bytes);
                let what = format!("{name} at {}: {} is {number}", field.bytes.start, field.name);
                forgeries.push((what, with_file(disk, &name, forged)));
            }
        }
    }
    forgeries
}

#[test]
fn an_absurd_number_that_nobody_checks_is_refused_or_refuses_writes_and_never_a_panic() {
    // As if whoever forged the number had forged the checksum, too.
    let _unchecked = sabotage::break_rule(Rule::ChecksumCheck);
    let compressed = tiny().with_compression(Compression::Lz4).with_filter_bits(0);
    let forgeries = [forgeries(&store(tiny())), forgeries(&store(compressed))].concat();
    assert!(forgeries.len() > 1_000, "{}", forgeries.len());
    for (what, disk) in forgeries {
        let before = files(&disk.tree());
        let store = match open_with(&disk, tiny()) {
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
        let _ = (store.stats(), store.levels());
        for &key in &acknowledged {
            if let Ok(found) = store.get(&[key]) {
                assert_eq!(found.as_deref(), Some(&b"new"[..]), "{what}");
            }
        }
        let _ = Box::new(store).close();
        if let Ok(store) = open_with(&disk, tiny()) {
            let _ = store.for_each(&mut |_, _| ControlFlow::Continue(()));
        }
    }
}
