//! Readers of one collection never wait for writers of another, and nobody waits for the disk.

use std::path::Path;
use std::thread;

use logladder_contract::Deed;
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Collections, Engine};
use logladder_write_behind::{Options, WriteBehind};

use crate::bench::{DIR, FAR_TOO_LONG, paused_at};

/// The janitor stands still in the middle of a write of the very collection that is used.
#[test]
fn reads_and_writes_go_on_while_the_disk_stands_still() {
    let disk = RecordingDisk::new();
    let (watched, begun, go) = paused_at(&disk, Deed::Rename, "k-");
    let store = WriteBehind::open_on(watched, Path::new(DIR), Options::default()).unwrap();
    store.put(b"c/first", b"value").unwrap();
    begun.recv_timeout(FAR_TOO_LONG).unwrap();
    for number in 0..1_000_u32 {
        let key = format!("c/{number}");
        assert_eq!(store.put(key.as_bytes(), b"value").unwrap(), None);
        assert_eq!(store.get(key.as_bytes()).unwrap().unwrap(), b"value");
    }
    assert_eq!(store.delete_all(b"c").unwrap(), 1_001);
    store.put(b"another/m", b"value").unwrap();
    go();
    store.sync().unwrap();
    assert_eq!(store.stats().unwrap().live_keys, 1);
}

/// Whoever reads a value in place holds nothing: it may be replaced meanwhile, by the same thread.
#[test]
fn a_value_that_is_read_in_place_may_be_replaced_and_deleted_meanwhile() {
    let store =
        WriteBehind::open_on(std::sync::Arc::new(RecordingDisk::new()), Path::new(DIR), Options::default())
            .unwrap();
    store.put(b"c/m", b"old").unwrap();
    let found = store.get_with(b"c/m", &mut |value| {
        store.put(b"c/m", b"new").unwrap();
        store.delete(b"c/m").unwrap();
        thread::scope(|scope| {
            let other = scope.spawn(|| store.get(b"c/m").unwrap());
            assert_eq!(other.join().unwrap(), None);
        });
        assert_eq!(value, b"old");
    });
    assert!(found.unwrap());
}
