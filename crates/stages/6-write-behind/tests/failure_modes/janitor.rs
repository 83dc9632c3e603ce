//! The janitor's thread: it writes by itself, tries again by itself, and takes nothing for written that has changed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use logladder_contract::{Deed, WatchedDisk};
use logladder_disk::{Filter, OpenOn, RecordingDisk};
use logladder_engine::{Engine, Error, SyncPolicy};
use logladder_write_behind::{Options, WriteBehind};

use crate::bench::{DIR, FAR_TOO_LONG, break_next, paused_at, value_on_disk};

fn opened(disk: Arc<WatchedDisk>) -> WriteBehind {
    WriteBehind::open_on(disk, Path::new(DIR), Options::default()).unwrap()
}

#[test]
fn the_janitor_writes_without_being_asked() {
    let disk = RecordingDisk::new();
    let (syncs, synced) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::SyncDir && name == "loose" {
            // The test may have ended.
            let _ = syncs.send(());
        }
        Ok(())
    });
    let store = opened(watched);
    store.set(b"k", b"value").unwrap();
    synced.recv_timeout(FAR_TOO_LONG).unwrap();
    assert_eq!(value_on_disk(&disk, b"k").unwrap(), b"value");
}

#[test]
fn a_value_that_changes_while_it_is_written_stays_marked_and_is_written_again() {
    for deed in [Deed::Create, Deed::Rename] {
        let disk = RecordingDisk::new();
        let (watched, begun, go) = paused_at(&disk, deed, "k-6b");
        let store = opened(watched);
        store.set(b"k", b"first").unwrap();
        begun.recv_timeout(FAR_TOO_LONG).unwrap();
        // The janitor has taken "first", and stands in the middle of writing it. Reads and writes do not wait.
        store.set(b"k", b"second").unwrap();
        assert_eq!(store.get(b"k").unwrap().unwrap(), b"second");
        assert_eq!(store.stats().unwrap().unwritten_keys, 1);
        go();
        store.sync().unwrap();
        assert_eq!(store.stats().unwrap().unwritten_keys, 0);
        assert_eq!(value_on_disk(&disk, b"k").unwrap(), b"second", "{deed:?}");
    }
}

#[test]
fn a_key_that_is_deleted_while_it_is_written_is_gone_from_the_disk_as_well() {
    let disk = RecordingDisk::new();
    let (watched, begun, go) = paused_at(&disk, Deed::Rename, "k-6b");
    let store = opened(watched);
    store.set(b"k", b"value").unwrap();
    begun.recv_timeout(FAR_TOO_LONG).unwrap();
    store.delete(b"k").unwrap();
    go();
    store.sync().unwrap();
    assert_eq!(value_on_disk(&disk, b"k"), None);
}

#[test]
fn a_key_that_is_set_while_its_file_is_removed_is_on_the_disk_again() {
    let disk = RecordingDisk::new();
    let (watched, begun, go) = paused_at(&disk, Deed::Remove, "k-6b");
    let store = opened(watched);
    store.set(b"k", b"value").unwrap();
    store.sync().unwrap();
    store.delete(b"k").unwrap();
    begun.recv_timeout(FAR_TOO_LONG).unwrap();
    store.set(b"k", b"again").unwrap();
    go();
    store.sync().unwrap();
    assert_eq!(value_on_disk(&disk, b"k").unwrap(), b"again");
}

#[test]
fn the_janitor_tries_again_by_itself_until_it_succeeds() {
    let disk = RecordingDisk::new();
    let (attempts, tried) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::Create && name.starts_with("k-6b") {
            let _ = attempts.send(());
        }
        Ok(())
    });
    let store = opened(watched);
    for _ in 0..3 {
        break_next(&disk, Filter::Append);
    }
    store.set(b"k", b"value").unwrap();
    for _ in 0..4 {
        tried.recv_timeout(FAR_TOO_LONG).unwrap();
    }
    // What the fourth attempt does is waited for.
    store.sync().unwrap();
    assert_eq!(value_on_disk(&disk, b"k").unwrap(), b"value");
    assert_eq!((store.stats().unwrap().failed_writes, store.last_failure()), (0, None));
}

#[test]
fn with_every_the_janitor_syncs_what_it_has_written() {
    let disk = RecordingDisk::new();
    let (syncs, synced) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::SyncDir && name == "loose" {
            let _ = syncs.send(());
        }
        Ok(())
    });
    let options = Options::default().with_sync(SyncPolicy::Every(Duration::from_millis(1)));
    let store = WriteBehind::open_on(watched, Path::new(DIR), options).unwrap();
    store.set(b"k", b"value").unwrap();
    synced.recv_timeout(FAR_TOO_LONG).unwrap();
}

/// Failure mode 27.
#[test]
fn a_janitor_that_panics_loses_nothing_and_close_tells() {
    let disk = RecordingDisk::new();
    let panics = AtomicUsize::new(1);
    let (panicking, has_panicked) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::Rename && name == "k-6b" && panics.swap(0, Ordering::SeqCst) == 1 {
            panicking.send(()).unwrap();
            panic!("the panic that the test wants");
        }
        Ok(())
    });
    let store = opened(watched);
    store.set(b"k", b"value").unwrap();
    has_panicked.recv_timeout(FAR_TOO_LONG).unwrap();
    // Who asks for it writes it.
    store.set(b"other", b"value").unwrap();
    store.sync().unwrap();
    assert_eq!(store.stats().unwrap().unwritten_keys, 0);
    assert_eq!(value_on_disk(&disk, b"k").unwrap(), b"value");
    store.set(b"k", b"newer").unwrap();
    let told = Box::new(store).close().unwrap_err();
    assert!(matches!(told, Error::Poisoned { .. }), "{told}");
    assert_eq!(value_on_disk(&disk, b"k").unwrap(), b"newer", "close has written what was left");
}
