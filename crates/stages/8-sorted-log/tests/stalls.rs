//! Writers wait where too much waits to be written as tables, and go on when it is; and the store says so.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use logladder_contract::{Deed, WatchedDisk};
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Engine, Stalls, SyncPolicy};
use logladder_sorted_log::{Options, SortedLog};

/// How long the test waits for what comes ten times a second.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn writers_wait_while_memtables_cannot_be_written_and_nothing_is_lost() {
    const WRITES: u64 = 200;
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let disk = RecordingDisk::new();
    let watched = WatchedDisk::new(&disk, {
        let gate = Arc::clone(&gate);
        move |deed, name| {
            if deed == Deed::Create
                && Path::new(name).extension().is_some_and(|extension| extension == "table")
            {
                let (is_open, changed) = &*gate;
                drop(changed.wait_while(is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
            }
            Ok(())
        }
    });
    let options = Options::default().with_sync(SyncPolicy::Never).with_memtable_bytes(200);
    let store = SortedLog::open_on(watched, Path::new("/store"), options).unwrap();
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..WRITES {
                store.set(&number.to_be_bytes(), &[b'v'; 100]).unwrap();
                done.fetch_add(1, Ordering::Release);
            }
        });
        let stalls = || store.stalls().unwrap();
        while stalls().count == 0 && done.load(Ordering::Acquire) < WRITES {
            thread::yield_now();
        }
        // The writer cannot end its wait; how long that has gone on is counted from time to time.
        let begun = Instant::now();
        while stalls().time.is_zero() && begun.elapsed() < PATIENCE {
            thread::yield_now();
        }
        let (seen, said) = (stalls(), store.stats().map(|stats| stats.stalls));
        let (written, tables) = (done.load(Ordering::Acquire), store.levels()[0].0);
        // Before anything is asserted: the store's threads cannot end while they wait.
        let (is_open, changed) = &*gate;
        *is_open.lock().unwrap() = true;
        changed.notify_all();
        // Each memtable has room for one write: the active one, four that may wait, and the one that made it too many.
        assert!(written <= 6, "{written} writes did not wait");
        assert_eq!(tables, 0, "no table could be made");
        // One writer, and one wait, which goes on.
        let said = said.unwrap().unwrap();
        assert_eq!((seen.count, said.count), (1, 1));
        assert!(!seen.time.is_zero() && said.time >= seen.time, "{seen:?}, then {said:?}");
    });
    let stats = store.stats().unwrap();
    assert_eq!(stats.live_keys, WRITES);
    assert_eq!(stats.stalls, store.stalls());
    Box::new(store).close().unwrap();
    let reopened = SortedLog::open_on(Arc::new(disk), Path::new("/store"), options).unwrap();
    assert_eq!(reopened.stats().unwrap().stalls, Some(Stalls::default()), "it counts from its opening on");
}
