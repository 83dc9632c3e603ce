//! How much memory a store takes, as an allocator counts it that counts everything this process holds.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::alloc::System;
use std::ops::Bound::Unbounded;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cap::Cap;
use logladder_contract::second_process::cheap_folder;
use logladder_engine::{Compact, Direction, Engine, Open, Ordered, SyncPolicy};
use logladder_sorted_log::{Options, SortedLog, Work};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// The tests count the same heap, so one runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// So many keys that what does not grow with them hardly counts.
const KEYS: u32 = 200_000;

/// What a store may hold besides what is counted: buffers, small memtables, lists of tables.
const BESIDES: usize = 1 << 20;

const SMALL_MEMTABLE: u64 = 64 << 10;

fn key(number: u32, len: usize) -> Vec<u8> {
    let mut key = vec![b'k'; len];
    key[len - 4..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Nothing works in the background while the heap is looked at.
fn open(dir: &Path, memtable_bytes: u64) -> SortedLog {
    let options = Options::default().with_sync(SyncPolicy::Never).with_work(Work::Caller);
    SortedLog::open(dir, options.with_memtable_bytes(memtable_bytes)).unwrap()
}

/// Failure mode 24: of a table, memory has where its blocks start, and nothing else; keys, values and filters lie in the page
/// cache of the system. That is so when tables were just written, after they were merged, and when they are opened.
#[test]
fn a_store_takes_a_few_bytes_of_memory_a_key_however_long_the_keys_are() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for key_len in [16, 200] {
        let folder = cheap_folder();
        let before = HEAP.allocated();
        let ceiling = KEYS as usize * 4 + BESIDES;
        let held = |when: &str| {
            let held = HEAP.allocated() - before;
            let tenths = held * 10 / KEYS as usize;
            println!("keys of {key_len} bytes, {when}: {}.{} bytes a key", tenths / 10, tenths % 10);
            assert!(held <= ceiling, "keys of {key_len} bytes, {when}: {held} bytes for {KEYS} keys");
        };
        let store = open(folder.path(), 2 << 20);
        for value in [&b"value"[..], b"other"] {
            for number in 0..KEYS {
                store.set(&key(number, key_len), value).unwrap();
            }
        }
        store.flush().unwrap();
        held("filled and overwritten");
        store.compact().unwrap();
        held("compacted");
        assert_eq!(store.stats().unwrap().live_keys, u64::from(KEYS));
        held("counted");
        Box::new(store).close().unwrap();
        let store = open(folder.path(), 2 << 20);
        held("opened again");
        let told = store.stats().unwrap().index_bytes;
        assert!(told <= ceiling as u64, "stats say {told}");
    }
}

/// Failure mode 24: what a writer overwrites faster than anyone can merge waits on the disk, or makes the writer wait.
#[test]
fn overwriting_without_end_takes_no_more_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = cheap_folder();
    let options = Options::default().with_sync(SyncPolicy::Never).with_memtable_bytes(SMALL_MEMTABLE);
    let store = SortedLog::open(folder.path(), options).unwrap();
    let overwrite = |rounds: u32| {
        for number in 0..rounds {
            store.set(&key(number % 100, 16), &[0; 400]).unwrap();
        }
    };
    overwrite(5_000);
    let before = HEAP.allocated();
    overwrite(50_000);
    let more = HEAP.allocated().saturating_sub(before);
    assert!(more < BESIDES, "{more} bytes more after ten times as many writes");
}

/// Overwrites a hundred keys, in a hundred memtables or so, with merges of what comes of them.
fn overwrite_much(store: &SortedLog) {
    for number in 0..15_000_u32 {
        store.set(&key(number % 100, 16), &[1; 400]).unwrap();
    }
}

/// Failure mode 24: who looks at the store as it was keeps what it was made of, and nothing of what comes later; and when the
/// look is over, that is given back, in memory and on the disk.
#[test]
fn a_snapshot_and_a_scan_take_no_more_memory_however_much_is_written_beside_them() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = cheap_folder();
    let store = open(folder.path(), SMALL_MEMTABLE);
    overwrite_much(&store);
    for number in 0..100 {
        store.set(&key(number, 16), &[0; 400]).unwrap();
    }
    let before = HEAP.allocated();
    let holds_no_more = |when: &str| {
        let more = HEAP.allocated().saturating_sub(before);
        assert!(more < BESIDES, "{when}: {more} bytes more");
    };
    let snapshot = store.snapshot();
    for round in 0..3 {
        overwrite_much(&store);
        holds_no_more(&format!("a snapshot, round {round}"));
    }
    let all = (Unbounded, Unbounded);
    for direction in [Direction::Forward, Direction::Backward] {
        let mut shown = 0;
        let mut visit = |_: &[u8], value: &[u8]| {
            assert_eq!(value, [0; 400]);
            shown += 1;
            if shown % 50 == 1 {
                overwrite_much(&store);
                holds_no_more("a scan of the snapshot");
            }
            ControlFlow::Continue(())
        };
        snapshot.scan(all, direction, &mut visit).unwrap();
        assert_eq!(shown, 100);
    }
    let mut shown = 0;
    store
        .scan(all, Direction::Forward, &mut |_, value| {
            assert_eq!(value, [1; 400]);
            shown += 1;
            if shown == 50 {
                (0..100).for_each(|number| store.set(&key(number, 16), &[2; 400]).unwrap());
                overwrite_much(&store);
                holds_no_more("a scan");
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(shown, 100);
    drop(snapshot);
    store.compact().unwrap();
    // A hundred values, and a manifest of many edits.
    let disk_bytes = store.stats().unwrap().disk_bytes;
    assert!(disk_bytes < 100 * 450 + (256 << 10), "{disk_bytes}");
    let held = HEAP.allocated().saturating_sub(before);
    assert!(held < BESIDES / 4, "{held} bytes are still held");
}
