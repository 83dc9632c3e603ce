//! A repair that ends before its time leaves a folder that is not taken for a store.

use std::path::Path;

use logladder_contract::Repair;
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::Engine;
use logladder_sorted_log::{SortedLog, check_with, salvage_with};

use crate::bench::{DIR, close, contents, open_with, tiny};

/// That of a store that has lost its manifest.
fn repair() -> Repair {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, tiny()).unwrap();
    for number in 0..12_u8 {
        store.set(&[b'k', number], &[number; 40]).unwrap();
    }
    let whole = contents(&store);
    close(store);
    let mut damaged = disk.tree();
    assert!(damaged.take(&Path::new(DIR).join("MANIFEST")));
    Repair {
        damaged,
        whole,
        salvage: |disk, into| salvage_with(disk, Path::new(DIR), into, tiny(), &mut |_| ()),
        check: |disk, dir| check_with(disk, dir, &mut |_| ()),
        read: |disk, dir| SortedLog::open_on(disk, dir, tiny()).map(|store| contents(&store)),
    }
}

#[test]
fn a_repair_that_was_interrupted_anywhere_leaves_nothing_that_passes_for_a_store() {
    repair().assert_no_crash_leaves_part_of_a_store();
}

#[test]
fn a_repair_without_room_says_to_repair_again_and_not_to_open_what_it_left() {
    repair().assert_no_full_disk_leaves_part_of_a_store();
}
