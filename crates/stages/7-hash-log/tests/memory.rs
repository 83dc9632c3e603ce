//! How much memory a store takes, as an allocator counts it that counts everything this process holds.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::alloc::System;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cap::Cap;
use logladder_engine::{Compact, Engine, Open};
use logladder_hash_log::{Compaction, HashLog, Options};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// The tests count the same heap, so one runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// So many keys that what does not grow with them hardly counts.
const KEYS: u32 = 200_000;

/// What a store may hold besides its index: segments, buffers, tables.
const BESIDES: usize = 1 << 20;

fn key(number: u32, len: usize) -> Vec<u8> {
    let mut key = vec![b'k'; len];
    key[len - 4..].copy_from_slice(&number.to_le_bytes());
    key
}

/// Nothing works in the background while the heap is looked at.
fn open(dir: &Path) -> HashLog {
    let options = Options::default().with_compaction(Compaction::OnDemand).with_segment_bytes(4 << 20);
    HashLog::open(dir, options).unwrap()
}

fn fill(dir: &Path, key_len: usize) -> HashLog {
    let store = open(dir);
    for number in 0..KEYS {
        store.set(&key(number, key_len), b"value").unwrap();
    }
    store
}

/// Failure mode 24: keys are not in memory, however long they are; also after they were all overwritten, the log was
/// compacted, and the store was opened again.
#[test]
fn an_index_takes_at_most_sixteen_bytes_a_key_however_long_the_keys_are() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for key_len in [16, 200] {
        let folder = tempfile::tempdir().unwrap();
        let before = HEAP.allocated();
        let ceiling = KEYS as usize * 16 + BESIDES;
        let held = |when: &str| {
            let held = HEAP.allocated() - before;
            let tenths = held * 10 / KEYS as usize;
            println!("keys of {key_len} bytes, {when}: {}.{} bytes a key", tenths / 10, tenths % 10);
            assert!(held <= ceiling, "keys of {key_len} bytes, {when}: {held} bytes for {KEYS} keys");
        };
        let store = fill(folder.path(), key_len);
        held("filled");
        for number in 0..KEYS {
            store.set(&key(number, key_len), b"other").unwrap();
        }
        held("overwritten");
        store.compact().unwrap();
        held("compacted");
        Box::new(store).close().unwrap();
        let store = open(folder.path());
        held("opened again");
        let told = store.stats().unwrap().index_bytes;
        assert!(told <= ceiling as u64, "stats say {told}");
        drop(store);
    }
}

/// Failure mode 24: what a writer leaves behind faster than anyone can compact waits on the disk, not in memory.
#[test]
fn overwriting_without_end_takes_no_more_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let store = HashLog::open(folder.path(), Options::default().with_segment_bytes(64 << 10)).unwrap();
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
