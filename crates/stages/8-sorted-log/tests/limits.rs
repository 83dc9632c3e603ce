//! The longest values, the longest keys, and the largest batches: served, or refused by a typed error that changes nothing.
//! That a key of 65,535 bytes is a key and one of 65,536 is refused, and what a batch over the limit does, every stage shows
//! in `tests/contract.rs`; options of any size are in `tests/failure_modes/opening.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::ops::Bound::Unbounded;
use std::ops::ControlFlow;
use std::path::Path;

use logladder_contract::second_process::cheap_folder;
use logladder_engine::{Atomic, Batch, Direction, Engine, Error, Open, Ordered, SyncPolicy, limits};
use logladder_sorted_log::{Options, SortedLog, Work};

fn on_demand() -> Options {
    Options::default().with_work(Work::Caller).with_sync(SyncPolicy::Never)
}

fn open(dir: &Path) -> SortedLog {
    SortedLog::open(dir, on_demand()).unwrap()
}

/// Failure mode 18: past 30, 31 and 32 bits, where a length might wrap into a small one or into a tombstone.
#[test]
fn a_value_over_the_limit_is_refused_at_every_power_of_two_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.set(b"key", b"value").unwrap();
    // Zeroed memory that nobody touches costs nothing.
    let zeros = vec![0; (1 << 32) + 2];
    for bits in [30, 31, 32] {
        for len in [1_usize << bits, (1 << bits) + 1, (1 << bits) + 2] {
            let error = store.set(b"key", &zeros[..len]).unwrap_err();
            assert!(
                matches!(error, Error::TooLarge { what: "the value", len: told, .. } if told == len as u64),
                "{error}"
            );
        }
    }
    let error = store.set(&zeros[..1 << 32], b"value").unwrap_err();
    assert!(matches!(error, Error::TooLarge { what: "the key", .. }), "{error}");
    assert!(matches!(store.delete(&zeros), Err(Error::TooLarge { .. })));
    assert!(matches!(store.get(&zeros), Err(Error::TooLarge { .. })));
    assert!(matches!(store.snapshot().get(&zeros), Err(Error::TooLarge { .. })));
    // A range may begin and end where no key can be.
    let range = (std::ops::Bound::Included(&b"k"[..]), std::ops::Bound::Excluded(&zeros[..100_000]));
    store.scan(range, Direction::Forward, &mut |_, _| panic!("nothing lies between them")).unwrap();
    assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(store.stats().unwrap().live_keys, 1);
}

/// Whether these are so many zeros, but for three bytes that can be told from each other.
fn is_longest(value: &[u8]) -> bool {
    let marks = marks();
    value.len() == limits::MAX_VALUE_LEN
        && marks.iter().all(|&(place, byte)| value[place] == byte)
        && value.iter().filter(|&&byte| byte != 0).count() == marks.len()
}

/// At its ends and in its middle.
fn marks() -> [(usize, u8); 3] {
    [(0, 1), (limits::MAX_VALUE_LEN / 2, 2), (limits::MAX_VALUE_LEN - 1, 3)]
}

/// 1 GiB less one byte, under the longest key, between two small neighbours: from memory, from the log, from a table.
#[test]
fn the_longest_value_under_the_longest_key_comes_back_whole_and_takes_no_neighbour_with_it() {
    let folder = cheap_folder();
    let longest_key = vec![b'k'; limits::MAX_KEY_LEN];
    let holds_all = |store: &SortedLog, place: &str| {
        assert_eq!(store.get(b"before").unwrap().as_deref(), Some(&b"1"[..]), "{place}");
        let mut is_whole = false;
        assert!(store.get_with(&longest_key, &mut |value| is_whole = is_longest(value)).unwrap(), "{place}");
        assert!(is_whole, "{place}");
        assert_eq!(store.get(b"zzz, after").unwrap().as_deref(), Some(&b"2"[..]), "{place}");
    };
    let store = open(folder.path());
    store.set(b"before", b"1").unwrap();
    {
        let mut value = vec![0; limits::MAX_VALUE_LEN];
        for (place, byte) in marks() {
            value[place] = byte;
        }
        // The largest batch there can be has room for it, and for a neighbour.
        store.set(&longest_key, &value).unwrap();
    }
    store.set(b"zzz, after", b"2").unwrap();
    holds_all(&store, "in memory");
    drop(store);
    let store = open(folder.path());
    assert!(store.repairs().is_empty());
    store.flush().unwrap();
    holds_all(&store, "in a table");
    store.delete(&longest_key).unwrap();
    assert_eq!(store.get(&longest_key).unwrap(), None);
    let mut keys = Vec::new();
    let mut visit = |key: &[u8], _: &[u8]| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    };
    store.scan((Unbounded, Unbounded), Direction::Backward, &mut visit).unwrap();
    assert_eq!(keys, [&b"zzz, after"[..], b"before"]);
}

/// One frame holds a batch, however many writes it has; and its own order counts.
#[test]
fn a_batch_of_many_more_writes_than_a_memtable_holds_is_whole_in_memory_in_the_log_and_in_tables() {
    const KEYS: u32 = 50_000;
    let folder = cheap_folder();
    let options = on_demand().with_memtable_bytes(4_000).with_table_bytes(100_000);
    let store = SortedLog::open(folder.path(), options).unwrap();
    let mut batch = Batch::new();
    for number in 0..KEYS {
        batch.set(&number.to_be_bytes(), b"first").set(&number.to_be_bytes(), &number.to_le_bytes());
        if number % 5 == 0 {
            batch.delete(&number.to_be_bytes());
        }
    }
    store.write(&batch).unwrap();
    let is_whole = |store: &SortedLog| {
        let mut expected = (0..KEYS).filter(|number| number % 5 != 0);
        let mut visit = |key: &[u8], value: &[u8]| {
            let number = expected.next().unwrap();
            assert!(key == number.to_be_bytes() && value == number.to_le_bytes(), "{number}");
            ControlFlow::Continue(())
        };
        store.scan((Unbounded, Unbounded), Direction::Forward, &mut visit).unwrap();
        assert_eq!(expected.next(), None);
    };
    is_whole(&store);
    drop(store);
    let store = SortedLog::open(folder.path(), options).unwrap();
    is_whole(&store);
    // Which sets aside the memtable that is too large.
    store.delete(&0_u32.to_be_bytes()).unwrap();
    assert!(store.levels().iter().any(|(tables, _)| *tables > 0), "{:?}", store.levels());
    is_whole(&store);
}
