//! A panic in the middle of the engine's work: whatever it holds then, later calls say so by an error, and no read is
//! wrong.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Engine, Error, Iterate};
use logladder_hash_log::{HashLog, Options};

use crate::bench::{Contents, DIR, close, contents, on_demand, open};
use logladder_contract::WatchedDisk;

/// Writes that rotate segments a few times, until one panics: then it is `Err`, with what was acknowledged before, and
/// the same with the write that panicked. That may have been done when something behind it panicked.
fn write_until_it_panics(store: &HashLog) -> Result<(), [Contents; 2]> {
    let mut acknowledged = Contents::new();
    for number in 0..12_u8 {
        let (key, value) = (vec![number % 7], vec![number; 20]);
        let outcome = catch_unwind(AssertUnwindSafe(|| store.set(&key, &value)));
        let Ok(set) = outcome else {
            let mut with_it = acknowledged.clone();
            with_it.insert(key, value);
            return Err([acknowledged, with_it]);
        };
        set.unwrap();
        acknowledged.insert(key, value);
    }
    Ok(())
}

/// Failure mode 27: at each operation that names a file, under the writer's lock.
#[test]
fn after_a_panic_under_the_writers_lock_writes_are_refused_by_an_error_and_reads_are_right() {
    let mut panics = 0;
    loop {
        let disk = RecordingDisk::new();
        let deeds = Arc::new(AtomicUsize::new(0));
        let watched = WatchedDisk::new(&disk, {
            let deeds = Arc::clone(&deeds);
            // Of opening nothing is held afterwards; it is left alone.
            move |_, name| {
                assert!(
                    deeds.fetch_add(1, Ordering::SeqCst) != panics + 1_000,
                    "the panic that the test wants, at {name}"
                );
                Ok(())
            }
        });
        let store = HashLog::open_on(watched, Path::new(DIR), on_demand().with_segment_bytes(150)).unwrap();
        deeds.store(1_000, Ordering::SeqCst);
        let Err(either) = write_until_it_panics(&store) else { break };
        deeds.store(0, Ordering::SeqCst);
        let refusals = [store.set(b"later", b"x"), store.delete(&[0]), store.sync(), store.seal()];
        for refusal in refusals {
            assert!(matches!(refusal, Err(Error::Poisoned { .. })), "panic {panics}: {refusal:?}");
        }
        let held: Contents =
            (0..7_u8).filter_map(|key| store.get(&[key]).unwrap().map(|value| (vec![key], value))).collect();
        assert!(either.contains(&held), "panic {panics}: {held:?}");
        // A view of one moment may need the very lock.
        let visited = store.for_each(&mut |key, value| {
            assert_eq!(held.get(key).map(Vec::as_slice), Some(value), "panic {panics}");
            ControlFlow::Continue(())
        });
        assert!(matches!(visited, Ok(()) | Err(Error::Poisoned { .. })), "panic {panics}: {visited:?}");
        let closed = catch_unwind(AssertUnwindSafe(|| Box::new(store).close()));
        assert!(closed.is_ok_and(|closed| closed.is_err()), "closing is an error, too, and no panic");

        let store = open(&disk).unwrap();
        let found = contents(&store);
        assert!(either.contains(&found), "panic {panics}, opened again: {found:?}");
        store.set(b"later", b"x").unwrap();
        panics += 1;
    }
    assert!(panics > 10, "{panics}");
}

/// The same in the thread that compacts, which holds no lock that a write needs.
#[test]
fn after_a_panic_of_the_compaction_thread_writes_go_on_and_closing_tells() {
    let disk = RecordingDisk::new();
    let (panics, panicked) = channel();
    let watched = WatchedDisk::new(&disk, move |_, name| {
        if name.ends_with(".log.tmp") {
            let _ = panics.send(());
            panic!("the panic that the test wants, at {name}");
        }
        Ok(())
    });
    let store =
        HashLog::open_on(watched, Path::new(DIR), Options::default().with_segment_bytes(400)).unwrap();
    store.set(b"live", b"to be copied").unwrap();
    let mut expected = Contents::from([(b"live".to_vec(), b"to be copied".to_vec())]);
    for number in 0..200_u8 {
        store.set(&[number % 3], &[number; 20]).unwrap();
        expected.insert(vec![number % 3], vec![number; 20]);
    }
    panicked.recv_timeout(Duration::from_mins(2)).unwrap();
    for number in 0..200_u8 {
        store.set(&[number % 3], &[number; 20]).unwrap();
    }
    assert_eq!(contents(&store), expected);
    let told = Box::new(store).close().unwrap_err();
    assert!(matches!(told, Error::Poisoned { .. }), "{told}");
    let store = open(&disk).unwrap();
    assert_eq!(contents(&store), expected);
    close(store);
}
