//! The queue is bounded: memory does not grow with what the disk cannot keep up with, and a disk that fails is told to
//! who writes.

use std::path::Path;

use logladder_contract::Deed;
use logladder_disk::{Filter, OpenOn, RecordingDisk};
use logladder_engine::{Engine, Error};
use logladder_write_behind::WriteBehind;

use crate::bench::{
    DIR, FAR_TOO_LONG, break_next, on_demand, open_with, paused_at, unwritten, value_on_disk,
};

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
        let refusal = store.set(b"a", b"newer").unwrap_err();
        assert!(matches!(refusal, Error::Io { .. }), "{refusal}");
        assert_eq!(store.get(b"a").unwrap().unwrap(), b"old");
    }
    assert_eq!(store.stats().unwrap().failed_writes, 3);
    store.set(b"a", b"newer").unwrap();
    store.sync().unwrap();
    assert_eq!(value_on_disk(&disk, b"a").unwrap(), b"newer");
}

/// On a full disk, deletes are what makes space; and what takes no more room than it has is no burden.
#[test]
fn on_a_full_disk_and_with_a_full_queue_deletes_and_smaller_values_are_accepted_and_free_space() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_queue(2, u64::MAX)).unwrap();
    for key in [b"old a", b"old b", b"old c"] {
        store.set(key, b"value").unwrap();
    }
    store.sync().unwrap();
    store.set(b"new a", b"value").unwrap();
    store.set(b"new b", b"value").unwrap();
    // No new file can be made: what is written fails, and what is removed does not.
    for _ in 0..100 {
        break_next(&disk, Filter::Create);
    }
    store.set(b"new c", b"value").unwrap_err();
    store.set(b"new a", b"shorter than that").unwrap_err();
    store.set(b"new a", b"less").unwrap();
    store.delete(b"new b").unwrap();
    for key in [b"old a", b"old b"] {
        store.delete(key).unwrap();
    }
    store.sync().unwrap_err();
    assert_eq!(value_on_disk(&disk, b"old a"), None, "its file is gone");
    assert_eq!(unwritten(&store), 1, "only the value is still to be written");
    disk.clear_faults();
    store.sync().unwrap();
    assert_eq!(value_on_disk(&disk, b"new a").unwrap(), b"less");
    assert_eq!(value_on_disk(&disk, b"old c").unwrap(), b"value");
}

#[test]
fn deletes_that_wait_are_bounded_too() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_queue(1, u64::MAX)).unwrap();
    let key = |number: u32| number.to_le_bytes();
    (0..3_000).for_each(|number| store.set(&key(number), b"value").unwrap());
    store.sync().unwrap();
    for number in 0..3_000 {
        store.delete(&key(number)).unwrap();
        assert!(unwritten(&store) <= 1_025, "{} wait", unwritten(&store));
    }
    store.sync().unwrap();
    assert_eq!(value_on_disk(&disk, &key(0)), None);
}

/// The batch that made room is on the disk, and the one that the janitor would write next is not.
#[test]
fn who_finds_the_queue_full_waits_for_room_and_not_for_all_of_it_to_be_written() {
    let disk = RecordingDisk::new();
    let (watched, begun, go_on) = paused_at(&disk, Deed::Rename, "k-6c617374");
    let options = on_demand().with_queue(600, u64::MAX);
    let store = WriteBehind::open_on(watched, Path::new(DIR), options).unwrap();
    for number in 0..599_u32 {
        store.set(&number.to_le_bytes(), b"value").unwrap();
    }
    // The six-hundredth is in the third batch, in the middle of which the disk stands still.
    store.set(b"last", b"value").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| store.sync().unwrap());
        let (done, is_done) = std::sync::mpsc::channel();
        let store = &store;
        scope.spawn(move || {
            store.set(b"more", b"value").unwrap();
            done.send(()).unwrap();
        });
        begun.recv_timeout(FAR_TOO_LONG).unwrap();
        let outcome = is_done.recv_timeout(FAR_TOO_LONG);
        go_on();
        outcome.unwrap();
    });
}
