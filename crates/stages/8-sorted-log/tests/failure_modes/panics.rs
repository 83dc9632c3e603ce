//! A panic in the middle of the engine's work: whatever it holds then, later calls say so by an error, and no read is
//! wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use logladder_contract::{Deed, WatchedDisk};
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Compact, Engine, Error, SyncPolicy};
use logladder_sorted_log::{Options, SortedLog, Work};

use crate::bench::{Contents, DIR, close, contents, open, tiny, write_until_it_fails};

/// Writes that fill and merge tables a few times, until one panics: then it is `Err`, with what was acknowledged before,
/// and the same with the write that panicked. That may have been done when something behind it panicked.
fn write_until_it_panics(store: &SortedLog) -> Result<(), [Contents; 2]> {
    let mut acknowledged = Contents::new();
    for number in 0..20_u8 {
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

/// Failure mode 27: at each operation that names a file, under whichever lock.
#[test]
fn after_a_panic_under_any_lock_no_read_is_wrong_and_the_store_opens_again() {
    const ARMED: usize = 1_000;
    let mut panics = 0;
    loop {
        let disk = RecordingDisk::new();
        let deeds = Arc::new(AtomicUsize::new(0));
        let watched = WatchedDisk::new(&disk, {
            let deeds = Arc::clone(&deeds);
            // Of opening nothing is held afterwards; it is left alone.
            move |_, name| {
                let deed = deeds.fetch_add(1, Ordering::SeqCst);
                assert!(deed != panics + ARMED, "the panic that the test wants, at {name}");
                Ok(())
            }
        });
        let store = SortedLog::open_on(watched, Path::new(DIR), tiny()).unwrap();
        deeds.store(ARMED, Ordering::SeqCst);
        let Err(either) = write_until_it_panics(&store) else { break };
        deeds.store(0, Ordering::SeqCst);
        assert!(either.contains(&contents(&store)), "panic {panics}: {:?}", contents(&store));
        // Who panicked in a merge held no lock that a write needs. Whatever else needs that lock says so.
        let later = [store.flush(), store.compact().map(drop)];
        assert!(later.iter().any(|outcome| matches!(outcome, Err(Error::Poisoned { .. }))), "{later:?}");
        assert!(either.contains(&contents(&store)), "panic {panics}: {:?}", contents(&store));
        // Closing is an error or not, and no panic.
        assert!(catch_unwind(AssertUnwindSafe(|| Box::new(store).close())).is_ok());

        let store = open(&disk).unwrap();
        let found = contents(&store);
        assert!(either.contains(&found), "panic {panics}, opened again: {found:?}");
        assert!(store.left_alone().is_empty(), "{:?}", store.left_alone());
        store.set(b"later", b"x").unwrap();
        panics += 1;
    }
    assert!(panics > 40, "{panics}");
}

/// The same in a thread of the engine. Nobody does its work any more, so writes are refused before they fill the memory.
#[test]
fn after_a_panic_of_a_thread_of_the_engine_writes_are_refused_and_closing_tells() {
    for (deed, ending) in [(Deed::Create, ".table"), (Deed::Remove, ".log"), (Deed::Remove, ".table")] {
        let disk = RecordingDisk::new();
        let watched = WatchedDisk::new(&disk, move |what, name| {
            assert!(what != deed || !name.ends_with(ending), "the panic that the test wants, at {name}");
            Ok(())
        });
        let options: Options = tiny().with_work(Work::Background).with_sync(SyncPolicy::Always);
        let store = SortedLog::open_on(watched, Path::new(DIR), options).unwrap();
        let (refusal, either) = write_until_it_fails(&store);
        assert!(matches!(refusal, Error::Poisoned { .. }), "{deed:?} {ending}: {refusal:?}");
        assert!(matches!(store.sync(), Err(Error::Poisoned { .. })));
        assert_eq!(contents(&store), either[0], "{deed:?} {ending}");
        let told = Box::new(store).close().unwrap_err();
        assert!(matches!(told, Error::Poisoned { .. }), "{told}");
        let store = open(&disk).unwrap();
        assert!(either.contains(&contents(&store)), "{deed:?} {ending}, opened again");
        close(store);
    }
}
