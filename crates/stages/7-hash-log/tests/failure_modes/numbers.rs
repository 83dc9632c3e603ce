//! Numbers that no engine would write, under a right checksum: someone forged them, or a program wrote them that was out
//! of its mind. They are refused, or do nothing worse than to refuse a write.

use std::ops::ControlFlow;

use logladder_disk::RecordingDisk;
use logladder_engine::{Compact, Engine, Error, Iterate};
use logladder_hash_log::describe;

use crate::bench::{bytes, close, damage, files, names, on_demand, open, open_with, with_file};

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

/// Each file that ends in a checksum of everything before it, with one of its numbers changed and the checksum made right.
fn forgeries(disk: &RecordingDisk) -> Vec<(String, RecordingDisk)> {
    let mut forgeries = Vec::new();
    for name in names(disk, "") {
        let whole = bytes(disk, &name);
        let fields = describe(&name, &whole);
        if !fields.last().is_some_and(|field| field.meaning.ends_with("of everything before")) {
            continue;
        }
        for field in fields.iter().filter(|field| field.bytes.len() <= 8 && field.name != "checksum") {
            for number in
                [0, 1, 1 << 16, u64::from(u32::MAX), 1 << 32, (1 << 48) - 1, 1 << 63, u64::MAX - 1, u64::MAX]
            {
                let mut forged = whole.clone();
                let len = field.bytes.len();
                forged[field.bytes.clone()].copy_from_slice(&number.to_le_bytes()[..len]);
                let end = forged.len() - 4;
                let crc = crc32fast::hash(&forged[..end]);
                forged[end..].copy_from_slice(&crc.to_le_bytes());
                let what = format!("{name}: {} is {number}", field.name);
                forgeries.push((what, with_file(disk, &name, forged)));
            }
        }
    }
    forgeries
}

#[test]
fn an_absurd_number_under_a_right_checksum_is_refused_or_refuses_writes_and_never_a_panic() {
    let forgeries = forgeries(&closed_store());
    assert!(forgeries.len() > 100, "{}", forgeries.len());
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
