//! The longest values, the longest keys, and segments of any size: served, or refused by a typed error that changes
//! nothing. That a key of 65,535 bytes is a key and one of 65,536 is refused, every stage shows in `tests/contract.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use logladder_engine::{Compact, Engine, Error, Open, limits};
use logladder_hash_log::{Compaction, HashLog, Options};

fn on_demand() -> Options {
    Options::default().with_compaction(Compaction::OnDemand)
}

/// Failure mode 18: past 30, 31 and 32 bits, where a length might wrap into a small one or into a tombstone.
#[test]
fn a_value_over_the_limit_is_refused_at_every_power_of_two_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = HashLog::open(folder.path(), on_demand()).unwrap();
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
    assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    drop(store);
    let store = HashLog::open(folder.path(), on_demand()).unwrap();
    assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(store.stats().unwrap().live_keys, 1);
}

/// 1 GiB less one byte, under the longest key, between two small neighbours.
#[test]
fn the_longest_value_under_the_longest_key_comes_back_whole_and_takes_no_neighbour_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = HashLog::open(folder.path(), on_demand()).unwrap();
    let longest_key = vec![b'k'; limits::MAX_KEY_LEN];
    let mut longest_value = vec![0; limits::MAX_VALUE_LEN];
    // Its ends and its middle can be told from zeros, and from each other.
    for (place, byte) in [(0, 1), (limits::MAX_VALUE_LEN / 2, 2), (limits::MAX_VALUE_LEN - 1, 3)] {
        longest_value[place] = byte;
    }
    store.set(b"before", b"1").unwrap();
    store.set(&longest_key, &longest_value).unwrap();
    store.set(b"after", b"2").unwrap();
    let holds_all = |store: &HashLog| {
        assert_eq!(store.get(b"before").unwrap().as_deref(), Some(&b"1"[..]));
        assert!(store.get(&longest_key).unwrap().is_some_and(|found| found == longest_value));
        assert_eq!(store.get(b"after").unwrap().as_deref(), Some(&b"2"[..]));
    };
    holds_all(&store);
    drop(store);
    let store = HashLog::open(folder.path(), on_demand()).unwrap();
    assert!(store.repairs().is_empty());
    holds_all(&store);
    store.delete(&longest_key).unwrap();
    assert_eq!(store.get(&longest_key).unwrap(), None);
    assert_eq!(store.get(b"after").unwrap().as_deref(), Some(&b"2"[..]));
}

/// Whatever size the options name, a record finds its place.
#[test]
fn segments_of_any_size_serve() {
    for segment_bytes in [0, 1, 43, 44, 76, 77, 4_096, 5 << 30, u64::MAX - 1, u64::MAX] {
        let folder = tempfile::tempdir().unwrap();
        let options = on_demand().with_segment_bytes(segment_bytes);
        for round in 0..3_u8 {
            let store = HashLog::open(folder.path(), options).unwrap();
            for key in 0..4_u8 {
                store.set(&[key], &[round; 50]).unwrap();
            }
            store.delete(&[3]).unwrap();
            if round == 2 {
                store.compact().unwrap();
            }
            drop(store);
        }
        let store = HashLog::open(folder.path(), options).unwrap();
        assert_eq!(store.stats().unwrap().live_keys, 3, "segments of {segment_bytes} bytes");
        assert_eq!(store.get(&[2]).unwrap().unwrap(), [2; 50]);
    }
}

/// The footer behind a large value stands further into its segment than a record with a key may.
#[test]
fn a_segment_with_a_value_of_more_than_256_mib_is_compacted_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = HashLog::open(folder.path(), on_demand()).unwrap();
    let large = vec![7; (256 << 20) + 1];
    store.set(b"large", &large).unwrap();
    store.set(b"replaced", &large).unwrap();
    store.set(b"replaced", b"small").unwrap();
    store.compact().unwrap();
    assert!(store.get(b"large").unwrap().is_some_and(|found| found == large));
    assert_eq!(store.get(b"replaced").unwrap().as_deref(), Some(&b"small"[..]));
    let used = store.stats().unwrap().disk_bytes;
    assert!(used < 2 * large.len() as u64, "{used} bytes are used after a compaction");
}
