//! Compaction: it changes nothing but the space that the store takes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use logladder_disk::Disk;

use crate::samples::{Numbers, noise, odd_strings};
use crate::{Bench, Store, WatchedDisk};

/// Ten keys, each overwritten three times, every third one deleted.
fn store_with_garbage(bench: &Bench) -> Store {
    let store = bench.open();
    for round in 0..4 {
        for number in 0..10 {
            store.set(format!("key {number}"), format!("value {number} of round {round}"));
        }
    }
    for number in (0..10).step_by(3) {
        store.delete(format!("key {number}"));
    }
    store
}

#[track_caller]
fn is_as_it_was(store: &Store) {
    for number in 0..10 {
        let value = (number % 3 != 0).then(|| format!("value {number} of round 3"));
        store.shows(format!("key {number}").as_bytes(), value.as_deref().map(str::as_bytes));
    }
    assert_eq!(store.stats().live_keys, 6);
}

pub(crate) fn compaction_changes_no_value(bench: &Bench) {
    let store = store_with_garbage(bench);
    store.compact();
    is_as_it_was(&store);
    let store = bench.reopen(store);
    is_as_it_was(&store);
}

pub(crate) fn compaction_brings_no_deleted_key_back(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    store.compact();
    store.delete("key");
    store.compact();
    store.lacks("key");
    store.compact();
    let store = bench.reopen(store);
    store.lacks("key");
    store.compact();
    let store = bench.reopen(store);
    store.lacks("key");
}

pub(crate) fn an_empty_store_can_be_compacted(bench: &Bench) {
    let store = bench.open();
    store.compact();
    assert_eq!(store.stats().live_keys, 0);
    store.set("key", "value");
    let store = bench.reopen(store);
    store.holds("key", "value");
}

pub(crate) fn compacting_twice_is_compacting_once(bench: &Bench) {
    let store = store_with_garbage(bench);
    store.compact();
    let once = store.stats();
    store.compact();
    is_as_it_was(&store);
    assert!(store.stats().disk_bytes <= once.disk_bytes, "the second time took more space");
    let store = bench.reopen(store);
    is_as_it_was(&store);
}

pub(crate) fn a_store_of_deleted_keys_can_be_compacted(bench: &Bench) {
    let store = bench.open();
    for number in 0..10 {
        store.set(number.to_string(), "value");
    }
    for number in 0..10 {
        store.delete(number.to_string());
    }
    store.compact();
    assert_eq!(store.stats().live_keys, 0);
    let store = bench.reopen(store);
    assert_eq!(store.stats().live_keys, 0);
    store.lacks("3");
}

pub(crate) fn compaction_gives_space_back(bench: &Bench) {
    let store = bench.open();
    for round in 0..50 {
        store.set("key", noise(2_000, round));
    }
    store.sync();
    // The newest file may be one that is not compacted: a new opening ends it.
    let store = bench.reopen(store);
    let before = store.stats().disk_bytes;
    let compacted = store.compact();
    let after = store.stats().disk_bytes;
    let kept = bench.subject().versions_kept().unwrap_or(1).min(50);
    assert!(
        after < 18_000 + kept * 2_000,
        "of 50 values of 2,000 bytes {kept} are kept, and of {before} bytes {after} are left"
    );
    // Less than the difference if the engine compacts by itself as well, and was at it.
    assert!(compacted.bytes_reclaimed <= before - after, "it says that it gained more than it did");
    store.holds("key", noise(2_000, 49));
}

pub(crate) fn writes_after_a_compaction_are_kept(bench: &Bench) {
    let store = store_with_garbage(bench);
    store.compact();
    store.set("key 1", "after");
    store.delete("key 2");
    store.set("new", "after");
    let store = bench.reopen(store);
    store.holds("key 1", "after");
    store.lacks("key 2");
    store.holds("new", "after");
    store.holds("key 4", "value 4 of round 3");
}

pub(crate) fn odd_keys_and_values_survive_compaction(bench: &Bench) {
    let store = bench.open();
    for string in odd_strings() {
        store.set(&string, "old");
        store.set(&string, &string);
    }
    store.compact();
    for string in odd_strings() {
        store.holds(&string, &string);
    }
    let store = bench.reopen(store);
    for string in odd_strings() {
        store.holds(&string, &string);
    }
}

pub(crate) fn compactions_between_writes_end_as_in_a_map(bench: &Bench) {
    let mut store = bench.open();
    let mut numbers = Numbers::new(9);
    let mut expected: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for round in 0..bench.many(600, 100) {
        let key = vec![b'a' + numbers.byte() % 16];
        match numbers.below(20) {
            0 => {
                store.compact();
            }
            1 => store = bench.reopen(store),
            2..6 => {
                store.delete(&key);
                expected.remove(&key);
            }
            _ => {
                let value = noise(numbers.below(40), round as u64);
                store.set(&key, &value);
                expected.insert(key, value);
            }
        }
    }
    for key in (b'a'..b'a' + 16).map(|byte| vec![byte]) {
        store.shows(&key, expected.get(&key).map(Vec::as_slice));
    }
    assert_eq!(store.stats().live_keys, expected.len() as u64);
}

thread_local! {
    /// Whether this thread is the one that writes while another compacts.
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// The keys that are there before the compaction.
const KEYS: usize = 20;

/// A write that has not come back by then waits for the end of the compaction, which is as good.
const LONG_FOR_A_WRITE: Duration = Duration::from_secs(1);

/// Asks a thread for a write, or, when it is dropped, to end.
struct Writer(Sender<bool>);

impl Drop for Writer {
    fn drop(&mut self) {
        // It has ended already if it panicked.
        let _ = self.0.send(false);
    }
}

/// A disk that at each step of another thread asks the writer for a write, and waits for it if the engine lets it write.
fn disk_that_asks(
    bench: &Bench,
    ask: Sender<bool>,
    said: Receiver<()>,
    asks: Arc<AtomicBool>,
) -> Arc<dyn Disk> {
    let said = Mutex::new(said);
    let watch = move || {
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if asks.load(Ordering::Acquire)
            && ask.send(true).is_ok()
            && said.recv_timeout(LONG_FOR_A_WRITE) == Err(RecvTimeoutError::Timeout)
        {
            // This engine keeps writers out while it compacts.
            asks.store(false, Ordering::Release);
        }
    };
    let watcher = move |_, _: &str| {
        if !WRITES.get() {
            watch();
        }
        Ok(())
    };
    bench.recording().map_or(bench.disk().clone(), |disk| WatchedDisk::new(disk, watcher))
}

/// At each of the first steps of a compaction another thread overwrites or deletes the next key. Whoever copies without a
/// lock must not put the copy in the place of what was written since.
pub(crate) fn a_write_at_any_step_of_a_compaction_is_the_newest(bench: &Bench) {
    let ((ask, asked), (say, said)) = (channel(), channel());
    let asks = Arc::new(AtomicBool::new(false));
    let disk = disk_that_asks(bench, ask.clone(), said, Arc::clone(&asks));
    let engine = bench.subject().open(disk, &bench.dir());
    let store = Store::new(engine.unwrap_or_else(|error| panic!("opening failed: {error}")));
    let mut expected = BTreeMap::new();
    for number in (0..2).flat_map(|_| 0..KEYS) {
        store.set(format!("key {number}"), "before");
        expected.insert(format!("key {number}"), Some("before".to_owned()));
    }
    store.delete("absent");
    thread::scope(|scope| {
        let (store, expected) = (&store, &mut expected);
        let _ends_with_this = Writer(ask);
        scope.spawn(move || {
            WRITES.set(true);
            for step in (0..).take_while(|_| asked.recv() == Ok(true)) {
                // Each key once: a second write would hide what became of the first.
                if step < KEYS {
                    let key = format!("key {step}");
                    let value = (step % 3 < 2).then(|| format!("written at step {step}"));
                    match &value {
                        Some(value) => store.set(&key, value),
                        None => store.delete(&key),
                    }
                    expected.insert(key, value);
                }
                // The compaction may be over.
                let _ = say.send(());
            }
        });
        asks.store(true, Ordering::Release);
        store.compact();
        asks.store(false, Ordering::Release);
    });
    let check = |store: &Store| {
        for (key, value) in &expected {
            store.shows(key.as_bytes(), value.as_deref().map(str::as_bytes));
        }
    };
    check(&store);
    check(&bench.reopen(store));
}
