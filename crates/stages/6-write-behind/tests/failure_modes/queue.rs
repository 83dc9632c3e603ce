//! The queue is bounded: memory does not grow with what the disk cannot keep up with, and a disk that fails is told to
//! who writes.

use logladder_disk::{Filter, RecordingDisk};
use logladder_engine::{Engine, Error};

use crate::bench::{break_next, on_demand, open_with, unwritten, value_on_disk};

/// Failure mode 24.
#[test]
fn no_more_keys_and_bytes_wait_than_the_options_allow() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_queue(10, 1_000)).unwrap();
    for number in 0..200_u32 {
        store.set(&number.to_le_bytes(), b"small").unwrap();
        assert!(unwritten(&store) <= 10, "{} wait", unwritten(&store));
    }
    store.sync().unwrap();
    for number in 0..20_u32 {
        // The second finds more than 1,000 bytes waiting.
        store.set(&number.to_le_bytes(), &[7; 2_000]).unwrap();
        assert_eq!(unwritten(&store), 1);
    }
    // One key that is set again and again takes the place of one.
    for round in 0..200_u32 {
        store.set(b"k", &round.to_le_bytes()).unwrap();
    }
    assert!(unwritten(&store) <= 10);
}

#[test]
fn a_limit_of_nothing_lets_one_key_wait() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_queue(0, 0)).unwrap();
    for key in [b"a", b"b", b"c"] {
        store.set(key, b"value").unwrap();
        store.delete(b"absent").unwrap();
    }
    assert!(unwritten(&store) <= 1);
    assert_eq!(value_on_disk(&disk, b"b").unwrap(), b"value");
}

#[test]
fn who_finds_the_queue_full_and_the_disk_broken_is_told_and_changes_nothing() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_queue(1, u64::MAX)).unwrap();
    store.set(b"a", b"old").unwrap();
    for _ in 0..3 {
        break_next(&disk, Filter::Append);
        let refusal = store.set(b"a", b"new").unwrap_err();
        assert!(matches!(refusal, Error::Io { .. }), "{refusal}");
        assert_eq!(store.get(b"a").unwrap().unwrap(), b"old");
    }
    assert_eq!(store.stats().unwrap().failed_writes, 3);
    store.set(b"a", b"new").unwrap();
    store.sync().unwrap();
    assert_eq!(value_on_disk(&disk, b"a").unwrap(), b"new");
}
