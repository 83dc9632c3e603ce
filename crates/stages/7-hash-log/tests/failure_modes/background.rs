//! The compaction thread: it does its work, says what went wrong, and ends when it is told to.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Compact, Engine, Error};
use logladder_hash_log::{HashLog, Options};

use crate::bench::{DIR, contents, names, open, pairs};
use logladder_contract::{Deed, WatchedDisk};

/// A signal that never comes fails the test instead of hanging it.
const FAR_TOO_LONG: Duration = Duration::from_mins(2);

fn is_segment(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "log")
}

fn options() -> Options {
    Options::default().with_segment_bytes(400)
}

fn overwrite(store: &HashLog) {
    for round in 0..40_u32 {
        for key in ["a", "b", "c"] {
            store.set(key.as_bytes(), round.to_string().as_bytes()).unwrap();
        }
    }
}

fn expected() -> crate::bench::Contents {
    pairs(&[("a", "39"), ("b", "39"), ("c", "39")])
}

/// A disk that tells when the first copy is about to be made, and goes on when it is told to.
fn paused_at_the_first_copy(
    disk: &RecordingDisk,
) -> (std::sync::Arc<WatchedDisk>, Receiver<()>, impl FnOnce()) {
    let (begins, begun) = channel();
    let (go, going) = channel::<()>();
    let going = Mutex::new(Some(going));
    let watched = WatchedDisk::new(disk, move |deed, name| {
        if deed == Deed::Create
            && name.ends_with(".log.tmp")
            && let Some(going) = going.lock().unwrap().take()
        {
            begins.send(()).unwrap();
            going.recv_timeout(FAR_TOO_LONG).unwrap();
        }
        Ok(())
    });
    (watched, begun, move || go.send(()).unwrap())
}

#[test]
fn a_paused_compaction_waits_until_it_is_resumed_and_sealing_does_not() {
    let disk = RecordingDisk::new();
    let (makes, made) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::Create && name.ends_with(".log.tmp") {
            let _ = makes.send(());
        }
        Ok(())
    });
    let store = HashLog::open_on(watched, Path::new(DIR), options()).unwrap();
    store.pause_compaction();
    overwrite(&store);
    store.seal().unwrap();
    assert!(made.try_recv().is_err(), "nothing is copied");
    assert_eq!(store.compaction_progress(), None);
    let all = names(&disk, ".log").len();
    store.resume_compaction();
    made.recv_timeout(FAR_TOO_LONG).unwrap();
    Box::new(store).close().unwrap();
    assert_eq!(contents(&open(&disk).unwrap()), expected());
    assert!(names(&disk, ".log").len() <= all);
}

#[test]
fn overwriting_is_compacted_without_being_asked_while_writes_go_on() {
    let disk = RecordingDisk::new();
    let (removed, removals) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::Remove && is_segment(name) {
            // Nobody listens any more once the test has seen enough.
            let _ = removed.send(name.to_owned());
        }
        Ok(())
    });
    let store = HashLog::open_on(watched, Path::new(DIR), options()).unwrap();
    overwrite(&store);
    for _ in 0..5 {
        removals.recv_timeout(FAR_TOO_LONG).unwrap();
    }
    assert_eq!(contents(&store), expected());
    Box::new(store).close().unwrap();
    assert_eq!(contents(&open(&disk).unwrap()), expected());
}

#[test]
fn reads_and_writes_go_on_while_a_compaction_is_stuck() {
    let disk = RecordingDisk::new();
    let (watched, begun, go) = paused_at_the_first_copy(&disk);
    let store = HashLog::open_on(watched, Path::new(DIR), options()).unwrap();
    store.set(b"live", b"and copied").unwrap();
    overwrite(&store);
    begun.recv_timeout(FAR_TOO_LONG).unwrap();
    overwrite(&store);
    store.set(b"live", b"again").unwrap();
    store.sync().unwrap();
    assert_eq!(store.get(b"live").unwrap().as_deref(), Some(&b"again"[..]));
    go();
    Box::new(store).close().unwrap();
    let mut expected = expected();
    expected.insert(b"live".to_vec(), b"again".to_vec());
    assert_eq!(contents(&open(&disk).unwrap()), expected);
}

/// Neither waits for a compaction to finish, nor deadlocks with one.
#[test]
fn dropping_or_closing_in_the_middle_of_a_compaction_leaves_it_off() {
    for close in [false, true] {
        let disk = RecordingDisk::new();
        let (watched, begun, go) = paused_at_the_first_copy(&disk);
        let store = HashLog::open_on(watched, Path::new(DIR), options()).unwrap();
        store.set(b"live", b"and copied").unwrap();
        overwrite(&store);
        begun.recv_timeout(FAR_TOO_LONG).unwrap();
        // The thread goes on only when the end has begun, or is about to.
        go();
        if close {
            Box::new(store).close().unwrap();
        } else {
            drop(store);
        }
        assert!(names(&disk, ".tmp").is_empty());
        let store = open(&disk).unwrap();
        assert_eq!(store.stats().unwrap().live_keys, 4);
        assert_eq!(store.get(b"live").unwrap().as_deref(), Some(&b"and copied"[..]));
    }
}

#[test]
fn why_a_compaction_failed_is_told_and_stops_no_write() {
    let disk = RecordingDisk::new();
    let (refused, refusals) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::Create && name.ends_with(".log.tmp") {
            // Nobody listens any more once the test has seen the first.
            let _ = refused.send(());
            let full = io::Error::from(io::ErrorKind::StorageFull);
            return Err(Error::io("create", Path::new("/store/copy"), full));
        }
        Ok(())
    });
    let store = HashLog::open_on(watched, Path::new(DIR), options()).unwrap();
    store.set(b"live", b"to be copied").unwrap();
    overwrite(&store);
    refusals.recv_timeout(FAR_TOO_LONG).unwrap();
    store.set(b"more", b"is fine").unwrap();
    assert_eq!(store.get(b"live").unwrap().as_deref(), Some(&b"to be copied"[..]));
    let told = Box::new(store).close().unwrap_err();
    assert!(told.to_string().starts_with("cannot create /store/copy"), "{told}");

    let store = open(&disk).unwrap();
    assert_eq!(
        store.get(b"more").unwrap().as_deref(),
        Some(&b"is fine"[..]),
        "closing sealed the log all the same"
    );
    store.compact().unwrap();
}

/// Each close leaves a small segment: many of them become one.
#[test]
fn many_small_segments_are_merged() {
    let disk = RecordingDisk::new();
    for number in 0..12_u8 {
        let store = open(&disk).unwrap();
        store.set(&[number], &[number; 30]).unwrap();
        Box::new(store).close().unwrap();
    }
    assert_eq!(names(&disk, ".log").len(), 12);
    let (removed, removals) = channel();
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        if deed == Deed::Remove && is_segment(name) {
            let _ = removed.send(());
        }
        Ok(())
    });
    let store =
        HashLog::open_on(watched, Path::new(DIR), Options::default().with_segment_bytes(2_000)).unwrap();
    // It looks when a segment is sealed.
    store.set(b"large", &[0; 1_900]).unwrap();
    store.set(b"large", &[1; 1_900]).unwrap();
    for _ in 0..12 {
        removals.recv_timeout(FAR_TOO_LONG).unwrap();
    }
    assert_eq!(store.stats().unwrap().live_keys, 13);
    drop(store);
    assert!(names(&disk, ".log").len() <= 4, "{:?}", names(&disk, ".log"));
}
