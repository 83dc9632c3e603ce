//! Batches, and writes that depend on what is there.

use logladder_engine::limits::MAX_KEY_LEN;
use logladder_engine::{Batch, Error};

use crate::samples::{noise, odd_strings};
use crate::{Bench, Capability};

pub(crate) fn every_write_of_a_batch_is_done(bench: &Bench) {
    let store = bench.open();
    store.set("overwritten", "old");
    store.set("deleted", "old");
    store.set("alone", "old");
    store.write_all(|batch| {
        batch.set(b"created", b"new").set(b"overwritten", b"new").delete(b"deleted").set(b"empty", b"");
    });
    store.holds("created", "new");
    store.holds("overwritten", "new");
    store.lacks("deleted");
    store.holds("empty", "");
    store.holds("alone", "old");
    assert_eq!(store.stats().live_keys, 4);
}

pub(crate) fn the_order_within_a_batch_counts(bench: &Bench) {
    let store = bench.open();
    store.set("set and deleted", "old");
    store.set("deleted and set", "old");
    store.write_all(|batch| {
        batch.set(b"set twice", b"first").set(b"set twice", b"second");
        batch.set(b"set and deleted", b"first").delete(b"set and deleted");
        batch.delete(b"deleted and set").set(b"deleted and set", b"second");
        batch.set(b"new and deleted", b"first").delete(b"new and deleted");
    });
    let check = |store: &crate::Store| {
        store.holds("set twice", "second");
        store.lacks("set and deleted");
        store.holds("deleted and set", "second");
        store.lacks("new and deleted");
        assert_eq!(store.stats().live_keys, 2);
    };
    check(&store);
    if bench.subject().persists() {
        check(&bench.reopen(store));
    }
}

pub(crate) fn an_empty_batch_changes_nothing(bench: &Bench) {
    let store = bench.open();
    store.write(&Batch::new());
    assert_eq!(store.stats().live_keys, 0);
    store.set("key", "value");
    store.write(&Batch::new());
    store.holds("key", "value");
    if bench.subject().persists() {
        bench.reopen(store).holds("key", "value");
    }
}

pub(crate) fn batches_and_single_writes_count_in_their_order(bench: &Bench) {
    let store = bench.open();
    store.write_all(|batch| {
        batch.set(b"a", b"1").set(b"b", b"1").set(b"c", b"1");
    });
    store.set("a", "2");
    store.delete("b");
    store.write_all(|batch| {
        batch.set(b"b", b"3").delete(b"c").delete(b"absent");
    });
    store.set("c", "4");
    let check = |store: &crate::Store| {
        store.holds("a", "2");
        store.holds("b", "3");
        store.holds("c", "4");
        assert_eq!(store.stats().live_keys, 3);
    };
    check(&store);
    if bench.subject().persists() {
        check(&bench.reopen(store));
    }
}

pub(crate) fn a_batch_takes_every_key_and_value(bench: &Bench) {
    let store = bench.open();
    let strings = odd_strings();
    store.write_all(|batch| {
        for (number, string) in strings.iter().enumerate() {
            batch.set(string, &strings[strings.len() - 1 - number]);
        }
        batch.set(&noise(MAX_KEY_LEN, 1), &noise(100_000, 2));
    });
    let check = |store: &crate::Store| {
        for (number, string) in strings.iter().enumerate() {
            store.holds(string, &strings[strings.len() - 1 - number]);
        }
        store.holds(noise(MAX_KEY_LEN, 1), noise(100_000, 2));
    };
    check(&store);
    if bench.subject().persists() {
        check(&bench.reopen(store));
    }
}

pub(crate) fn a_batch_of_many_writes_is_done_whole(bench: &Bench) {
    let store = bench.open();
    let writes = bench.many(2_000, 500);
    let value = |number: usize| noise(number % 90, number as u64);
    store.write_all(|batch| {
        for number in 0..writes {
            batch.set(format!("key {number}").as_bytes(), &value(number));
        }
        for number in (0..writes).step_by(5) {
            batch.delete(format!("key {number}").as_bytes());
        }
    });
    let check = |store: &crate::Store| {
        for number in 0..writes {
            let value = (number % 5 != 0).then(|| value(number));
            store.shows(format!("key {number}").as_bytes(), value.as_deref());
        }
        assert_eq!(store.stats().live_keys, (writes - writes.div_ceil(5)) as u64);
    };
    check(&store);
    if bench.subject().persists() {
        check(&bench.reopen(store));
    }
}

pub(crate) fn a_batch_with_a_key_over_the_limit_changes_nothing(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let mut batch = Batch::new();
    batch.set(b"before", b"value").delete(b"key");
    batch.set(&vec![b'k'; MAX_KEY_LEN + 1], b"value").set(b"after", b"value");
    is_refused(bench, store, &batch, "a key of 65,536 bytes");
}

pub(crate) fn a_batch_over_the_limit_changes_nothing(bench: &Bench) {
    let Some(limit) = bench.subject().batch_limit() else { return };
    let store = bench.open();
    store.set("key", "value");
    let mut batch = Batch::new();
    batch.delete(b"key").set(b"before", b"value");
    for number in 0..=limit / 1_000 {
        batch.set(format!("key {number}").as_bytes(), &[b'v'; 1_000]);
    }
    is_refused(bench, store, &batch, "more bytes than it may have");
}

/// A store that holds `key` refuses the batch, which deletes that and sets `before` and perhaps `after`.
#[track_caller]
fn is_refused(bench: &Bench, store: crate::Store, batch: &Batch, what: &str) {
    match store.engine().as_atomic().map(|atomic| atomic.write(batch)) {
        Some(Err(Error::TooLarge { .. })) => {}
        Some(Err(error)) => panic!("it was refused with another error than TooLarge: {error}"),
        Some(Ok(())) | None => panic!("a batch with {what} was taken"),
    }
    let check = |store: &crate::Store| {
        store.holds("key", "value");
        store.lacks("before");
        store.lacks("after");
        assert_eq!(store.stats().live_keys, 1);
    };
    check(&store);
    // The caller's mistake is not the disk's: the store takes writes as before.
    store.set("key", "another");
    store.write_all(|batch| {
        batch.set(b"key", b"value");
    });
    check(&store);
    if bench.subject().persists() {
        check(&bench.reopen(store));
    }
}

pub(crate) fn a_batch_survives_reopening(bench: &Bench) {
    let mut store = bench.open();
    for round in 0..5 {
        store.write_all(|batch| {
            for number in 0..10 {
                batch.set(format!("key {number}").as_bytes(), format!("value {round}").as_bytes());
            }
            batch.delete(format!("key {round}").as_bytes());
        });
        store = bench.reopen(store);
        for number in 0..10 {
            let value = (number != round).then(|| format!("value {round}"));
            store.shows(format!("key {number}").as_bytes(), value.as_deref().map(str::as_bytes));
        }
    }
    assert_eq!(store.engine().repairs(), []);
}

pub(crate) fn a_batch_of_a_store_that_is_only_dropped_is_there(bench: &Bench) {
    let store = bench.open();
    store.set("gone", "value");
    store.write_all(|batch| {
        batch.set(b"a", b"1").set(b"b", b"2").delete(b"gone");
    });
    drop(store);
    let store = bench.open();
    store.holds("a", "1");
    store.holds("b", "2");
    store.lacks("gone");
}

pub(crate) fn a_batch_survives_compaction(bench: &Bench) {
    let mut store = bench.open();
    for number in 0..10 {
        store.set(format!("key {number}"), "old");
    }
    store = bench.reopen(store);
    store.write_all(|batch| {
        for number in 0..7 {
            batch.set(format!("key {number}").as_bytes(), b"of the batch");
        }
        batch.delete(b"key 7").delete(b"key 8");
    });
    for number in 0..4 {
        store.set(format!("key {number}"), "new");
    }
    let check = |store: &crate::Store| {
        for number in 0..10 {
            let value = match number {
                0..4 => Some("new"),
                4..7 => Some("of the batch"),
                7..9 => None,
                _ => Some("old"),
            };
            store.shows(format!("key {number}").as_bytes(), value.map(str::as_bytes));
        }
    };
    for _ in 0..3 {
        store.compact();
        check(&store);
        store = bench.reopen(store);
        check(&store);
    }
}

pub(crate) fn compare_and_set_creates_what_is_not_there(bench: &Bench) {
    let store = bench.open();
    assert!(store.compare_and_set("key", None, Some(b"first")), "nothing was there");
    store.holds("key", "first");
    assert!(!store.compare_and_set("key", None, Some(b"second")), "something is there");
    store.holds("key", "first");
    store.delete("key");
    assert!(store.compare_and_set("key", None, Some(b"third")), "it was deleted");
    store.holds("key", "third");
    assert_eq!(store.stats().live_keys, 1);
}

pub(crate) fn compare_and_set_replaces_what_is_as_expected(bench: &Bench) {
    let store = bench.open();
    store.set("key", "first");
    assert!(store.compare_and_set("key", Some(b"first"), Some(b"a rather long second")));
    store.holds("key", "a rather long second");
    assert!(!store.compare_and_set("key", Some(b"first"), Some(b"third")), "it is the second by now");
    store.holds("key", "a rather long second");
    assert!(store.compare_and_set("key", Some(b"a rather long second"), Some(b"a rather long second")));
    store.holds("key", "a rather long second");
}

pub(crate) fn compare_and_set_deletes_what_is_as_expected(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    assert!(!store.compare_and_set("key", Some(b"another"), None));
    store.holds("key", "value");
    assert!(store.compare_and_set("key", Some(b"value"), None));
    store.lacks("key");
    assert!(!store.compare_and_set("key", Some(b"value"), None), "it has been deleted");
    assert!(store.compare_and_set("key", None, None), "nothing is there, and nothing shall be");
    store.lacks("key");
    assert_eq!(store.stats().live_keys, 0);
}

pub(crate) fn compare_and_set_tells_an_empty_value_from_none(bench: &Bench) {
    let store = bench.open();
    assert!(!store.compare_and_set("key", Some(b""), Some(b"value")), "no value is not an empty one");
    store.lacks("key");
    store.set("key", "");
    assert!(!store.compare_and_set("key", None, Some(b"value")), "an empty value is one");
    store.holds("key", "");
    assert!(store.compare_and_set("key", Some(b""), Some(b"value")));
    assert!(store.compare_and_set("key", Some(b"value"), Some(b"")));
    store.holds("key", "");
    assert_eq!(store.stats().live_keys, 1);
}

pub(crate) fn compare_and_set_looks_at_one_key_alone(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    store.set("key 2", "another");
    assert!(!store.compare_and_set("key 2", Some(b"value"), Some(b"new")));
    assert!(!store.compare_and_set("ke", Some(b"value"), Some(b"new")));
    assert!(!store.compare_and_set("key", Some(b"valu"), Some(b"new")));
    assert!(!store.compare_and_set("key", Some(b"value "), Some(b"new")));
    store.holds("key", "value");
    store.holds("key 2", "another");
    store.lacks("ke");
}

pub(crate) fn compare_and_set_over_the_limit_changes_nothing(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let long = vec![b'k'; MAX_KEY_LEN + 1];
    for (expected, new) in [(None, Some(&b"new"[..])), (None, None), (Some(&b"value"[..]), None)] {
        let outcome = store.engine().as_atomic().map(|atomic| atomic.compare_and_set(&long, expected, new));
        assert!(
            matches!(outcome, Some(Err(Error::TooLarge { len: 65_536, .. }))),
            "a key of 65,536 bytes: {outcome:?}"
        );
    }
    store.holds("key", "value");
    assert!(store.compare_and_set("key", Some(b"value"), Some(b"new")));
    store.holds("key", "new");
}

pub(crate) fn compare_and_set_survives_reopening(bench: &Bench) {
    let store = bench.open();
    store.set("deleted", "value");
    store.set("refused", "value");
    assert!(store.compare_and_set("created", None, Some(b"value")));
    assert!(store.compare_and_set("created", Some(b"value"), Some(b"replaced")));
    assert!(store.compare_and_set("deleted", Some(b"value"), None));
    assert!(!store.compare_and_set("refused", Some(b"other"), Some(b"wrong")));
    assert!(!store.compare_and_set("refused", None, None));
    let store = bench.reopen(store);
    store.holds("created", "replaced");
    store.lacks("deleted");
    store.holds("refused", "value");
    assert!(store.compare_and_set("created", Some(b"replaced"), None));
    assert!(store.compare_and_set("deleted", None, Some(b"again")));
    if bench.subject().can(Capability::Compact) {
        store.compact();
    }
    let store = bench.reopen(store);
    store.lacks("created");
    store.holds("deleted", "again");
    store.holds("refused", "value");
}
