//! Files that only repeat what others say: hints, and what a close leaves so that the next opening is quick. They may be
//! missing, cut, empty, or another's, and the store opens as if they were not there.

use logladder_disk::RecordingDisk;
use logladder_engine::Engine;

use crate::bench::{Contents, bytes, close, contents, names, on_demand, open, open_with, path, with_file};

/// A closed store of some segments, and what it holds.
fn closed_store() -> (RecordingDisk, Contents) {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_segment_bytes(200)).unwrap();
    for number in 0..9_u8 {
        store.set(&[number % 5], &[number; 20]).unwrap();
    }
    store.delete(&[1]).unwrap();
    let expected = contents(&store);
    close(store);
    (disk, expected)
}

fn derived(disk: &RecordingDisk) -> Vec<String> {
    let needed = [vec!["LOGLADDER".into(), "MANIFEST".into()], names(disk, ".log")].concat();
    names(disk, "").into_iter().filter(|name| !needed.contains(name)).collect()
}

/// Failure mode 26.
#[test]
fn a_file_that_repeats_others_may_be_cut_at_every_byte_or_missing_and_blocks_nothing() {
    let (disk, expected) = closed_store();
    let derived = derived(&disk);
    assert!(derived.len() >= 3, "{derived:?}");
    for name in &derived {
        let whole = bytes(&disk, name);
        for len in 0..whole.len() {
            let store = open(&with_file(&disk, name, whole[..len].to_vec())).unwrap();
            assert_eq!(
                (contents(&store), store.repairs()),
                (expected.clone(), &[][..]),
                "{name} cut to {len}"
            );
        }
        let mut tree = disk.tree();
        assert!(tree.take(&path(name)));
        assert_eq!(contents(&open(&RecordingDisk::from_tree(tree)).unwrap()), expected, "without {name}");
    }
}

/// Each of them in place of each other one; and all of them at once replaced by what they were one write earlier.
#[test]
fn a_file_that_repeats_another_store_or_an_earlier_one_is_not_believed() {
    let (disk, expected) = closed_store();
    for name in derived(&disk) {
        for other in derived(&disk) {
            let disk = with_file(&disk, &name, bytes(&disk, &other));
            assert_eq!(contents(&open(&disk).unwrap()), expected, "{other} in place of {name}");
        }
    }
    let earlier = RecordingDisk::from_tree(disk.tree());
    let store = open(&disk).unwrap();
    store.delete(&[0]).unwrap();
    store.set(&[2], b"later").unwrap();
    let later = contents(&store);
    close(store);
    let mut stale = disk;
    for name in derived(&earlier) {
        stale = with_file(&stale, &name, bytes(&earlier, &name));
    }
    assert_eq!(contents(&open(&stale).unwrap()), later);
}
