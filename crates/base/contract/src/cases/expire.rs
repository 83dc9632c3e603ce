//! Values that end by themselves. What has ended is gone, and uncovers nothing older.

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logladder_engine::limits::MAX_KEY_LEN;
use logladder_engine::{Error, Expiry};

use crate::samples::odd_strings;
use crate::{Bench, Store};

/// A time to the millisecond, which is what an engine keeps of it.
fn to_the_millisecond(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000)
}

/// A time at which no test runs any more.
pub(super) fn in_an_hour() -> SystemTime {
    to_the_millisecond(SystemTime::now() + Duration::from_hours(1))
}

fn an_hour_ago() -> SystemTime {
    to_the_millisecond(SystemTime::now() - Duration::from_hours(1))
}

/// Some milliseconds from now: what was set until then ends while the case runs.
fn soon() -> SystemTime {
    to_the_millisecond(SystemTime::now() + Duration::from_millis(20))
}

/// Returns when the clock says that `end` is past.
fn let_pass(end: SystemTime) {
    while SystemTime::now() <= end + Duration::from_millis(1) {
        std::thread::yield_now();
    }
}

/// Asserts that no way of reading finds a value.
#[track_caller]
fn is_gone(store: &Store, key: &str) {
    store.lacks(key);
    assert_eq!(store.get_with(key), None);
    assert_eq!(store.get_many(&[key]), [None]);
    assert_eq!(store.expiry(key), Expiry::Absent);
    if store.engine().as_iterate().is_some() {
        assert!(!store.contents().contains_key(key.as_bytes()), "a visitor is shown what has ended");
    }
}

pub(crate) fn a_value_is_there_until_its_end(bench: &Bench) {
    let store = bench.open();
    let end = in_an_hour();
    store.set_until("key", "value", end);
    store.set_until("empty", "", end);
    store.holds("key", "value");
    store.holds("empty", "");
    assert_eq!(store.get_with("key").as_deref(), Some(&b"value"[..]));
    assert_eq!(store.get_many(&["key", "empty"]), [Some(b"value".to_vec()), Some(Vec::new())]);
    assert_eq!(store.expiry("key"), Expiry::At(end));
    assert_eq!(store.stats().live_keys, 2);
    if store.engine().as_iterate().is_some() {
        assert_eq!(store.contents().get(&b"key"[..]).map(Vec::as_slice), Some(&b"value"[..]));
    }
}

pub(crate) fn a_value_whose_end_is_past_is_absent(bench: &Bench) {
    let store = bench.open();
    store.set_until("new", "value", an_hour_ago());
    is_gone(&store, "new");
    store.set("overwritten", "value");
    store.set_until("overwritten", "value", an_hour_ago());
    is_gone(&store, "overwritten");
    store.set_until("twice", "value", in_an_hour());
    store.set_until("twice", "value", an_hour_ago());
    is_gone(&store, "twice");
}

pub(crate) fn a_value_ends_by_itself(bench: &Bench) {
    let store = bench.open();
    store.set("key", "older");
    let end = soon();
    store.set_until("key", "value", end);
    store.set("other", "stays");
    let_pass(end);
    is_gone(&store, "key");
    store.holds("other", "stays");
}

pub(crate) fn a_later_write_replaces_the_end_as_well(bench: &Bench) {
    let store = bench.open();
    let end = in_an_hour();
    store.set_until("set", "ended", an_hour_ago());
    store.set("set", "stays");
    store.set_until("set until", "ended", an_hour_ago());
    store.set_until("set until", "ends", end);
    store.set_until("deleted", "ends", end);
    store.delete("deleted");
    let soon = soon();
    store.set_until("kept", "ends", soon);
    store.set("kept", "stays");
    let_pass(soon);
    let check = |store: &Store| {
        store.holds("set", "stays");
        assert_eq!(store.expiry("set"), Expiry::Never);
        store.holds("set until", "ends");
        assert_eq!(store.expiry("set until"), Expiry::At(end));
        is_gone(store, "deleted");
        store.holds("kept", "stays");
        assert_eq!(store.expiry("kept"), Expiry::Never);
    };
    check(&store);
    if bench.subject().persists() {
        check(&bench.reopen(store));
    }
}

pub(crate) fn a_batch_and_compare_and_set_replace_the_end_as_well(bench: &Bench) {
    let store = bench.open();
    let end = soon();
    for key in ["batch", "compared", "refused"] {
        store.set_until(key, "ends", end);
    }
    store.write_all(|batch| {
        batch.set(b"batch", b"stays");
    });
    let was_there = store.compare_and_set("compared", Some(b"ends"), Some(b"stays"));
    assert!(!store.compare_and_set("refused", Some(b"another"), Some(b"wrong")));
    let_pass(end);
    store.holds("batch", "stays");
    if was_there {
        store.holds("compared", "stays");
        assert_eq!(store.expiry("compared"), Expiry::Never);
    }
    is_gone(&store, "refused");
}

pub(crate) fn compare_and_set_takes_what_has_ended_for_none(bench: &Bench) {
    let store = bench.open();
    store.set_until("key", "ended", an_hour_ago());
    assert!(!store.compare_and_set("key", Some(b"ended"), Some(b"wrong")), "it has ended");
    is_gone(&store, "key");
    assert!(store.compare_and_set("key", None, Some(b"new")), "nothing is there");
    store.holds("key", "new");
    assert_eq!(store.expiry("key"), Expiry::Never);
}

pub(crate) fn expiry_tells_absent_never_and_when(bench: &Bench) {
    let store = bench.open();
    store.set("", "value");
    for (number, key) in odd_strings().iter().filter(|key| !key.is_empty()).enumerate() {
        assert_eq!(store.expiry(key), Expiry::Absent);
        // Each another, to the millisecond.
        let end = in_an_hour() + Duration::from_millis(number as u64);
        store.set_until(key, "value", end);
        assert_eq!(store.expiry(key), Expiry::At(end));
    }
    assert_eq!(store.expiry(""), Expiry::Never);
    store.delete("");
    assert_eq!(store.expiry(""), Expiry::Absent);
}

pub(crate) fn every_time_is_an_end(bench: &Bench) {
    let store = bench.open();
    let before_1970 = UNIX_EPOCH - Duration::from_hours(1);
    for (key, end) in [("before 1970", before_1970), ("1970", UNIX_EPOCH)] {
        store.set_until(key, "ended", end);
    }
    // The year 31,000, and the last that a clock can show.
    let far = [10_u64.pow(12), i64::MAX.unsigned_abs() / 2, i64::MAX.unsigned_abs()];
    let ends: Vec<SystemTime> =
        far.into_iter().filter_map(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds))).collect();
    for (number, &end) in ends.iter().enumerate() {
        store.set_until(number.to_string(), "value", end);
    }
    let check = |store: &Store| {
        is_gone(store, "before 1970");
        is_gone(store, "1970");
        for number in 0..ends.len() {
            store.holds(number.to_string(), "value");
            match store.expiry(number.to_string()) {
                Expiry::At(end) => assert!(end > UNIX_EPOCH + Duration::from_hours(24 * 365_000)),
                other => assert_eq!(other, Expiry::Never),
            }
        }
    };
    check(&store);
    if bench.subject().persists() {
        check(&bench.reopen(store));
    }
}

pub(crate) fn set_until_refuses_a_key_over_the_limit(bench: &Bench) {
    let store = bench.open();
    let long = vec![b'k'; MAX_KEY_LEN + 1];
    let Some(expire) = store.engine().as_expire() else { panic!("it no longer has Expire") };
    let outcome = expire.set_until(&long, b"value", in_an_hour());
    assert!(matches!(outcome, Err(Error::TooLarge { len: 65_536, .. })), "{outcome:?}");
    let outcome = expire.expiry(&long);
    assert!(matches!(outcome, Err(Error::TooLarge { len: 65_536, .. })), "{outcome:?}");
    store.set_until("key", "value", in_an_hour());
    store.holds("key", "value");
}

pub(crate) fn a_visitor_is_not_shown_what_has_ended(bench: &Bench) {
    let store = bench.open();
    for number in 0..12 {
        let key = format!("key {number}");
        match number % 3 {
            0 => store.set(key, "stays"),
            1 => store.set_until(key, "ends", in_an_hour()),
            _ => store.set_until(key, "ended", an_hour_ago()),
        }
    }
    let mut shown = 0;
    store.for_each(&mut |_, value| {
        assert_ne!(value, b"ended");
        shown += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(shown, 8);
    let keys: Vec<String> = (0..12).map(|number| format!("key {number}")).collect();
    let found: Vec<bool> = store.get_many(&keys).into_iter().map(|value| value.is_some()).collect();
    assert_eq!(found, (0..12).map(|number| number % 3 != 2).collect::<Vec<bool>>());
}

/// Writes an end in every state, with older values below.
fn store_of_ends(bench: &Bench, end: SystemTime) -> Store {
    let store = bench.open();
    for key in ["ended", "ended twice", "ended and set", "ends", "deleted and ended"] {
        store.set(key, "oldest");
    }
    let store = bench.reopen(store);
    store.set("ended", "older");
    store.set_until("ended twice", "older", an_hour_ago());
    store.set_until("ended and set", "older", an_hour_ago());
    store.delete("deleted and ended");
    let store = bench.reopen(store);
    store.set_until("ended", "ended", an_hour_ago());
    store.set_until("ended twice", "ended", an_hour_ago());
    store.set("ended and set", "stays");
    store.set_until("ends", "ends", end);
    store.set_until("deleted and ended", "ended", an_hour_ago());
    store.set_until("new and ended", "ended", an_hour_ago());
    store
}

#[track_caller]
fn ends_are_as_written(store: &Store, end: SystemTime) {
    for key in ["ended", "ended twice", "deleted and ended", "new and ended"] {
        is_gone(store, key);
    }
    store.holds("ended and set", "stays");
    assert_eq!(store.expiry("ended and set"), Expiry::Never);
    store.holds("ends", "ends");
    assert_eq!(store.expiry("ends"), Expiry::At(end));
}

pub(crate) fn ends_survive_reopening_and_uncover_nothing(bench: &Bench) {
    let end = in_an_hour();
    let mut store = store_of_ends(bench, end);
    for _ in 0..3 {
        ends_are_as_written(&store, end);
        store = bench.reopen(store);
    }
    ends_are_as_written(&store, end);
}

pub(crate) fn ends_survive_compaction_and_uncover_nothing(bench: &Bench) {
    let end = in_an_hour();
    let mut store = store_of_ends(bench, end);
    for _ in 0..3 {
        store.compact();
        ends_are_as_written(&store, end);
        store = bench.reopen(store);
        ends_are_as_written(&store, end);
    }
    // One more, of which only the end is in a file that no compaction has touched.
    store.set("ended and set", "older");
    store.compact();
    store.set_until("ended and set", "ended", an_hour_ago());
    for _ in 0..2 {
        is_gone(&store, "ended and set");
        store = bench.reopen(store);
        store.compact();
    }
    is_gone(&store, "ended and set");
    store.set("ended and set", "again");
    let store = bench.reopen(store);
    store.holds("ended and set", "again");
}

pub(crate) fn a_value_ends_while_the_store_is_closed(bench: &Bench) {
    let store = bench.open();
    store.set("key", "older");
    store.set("other", "stays");
    let store = bench.reopen(store);
    let end = soon();
    store.set_until("key", "value", end);
    store.close();
    let_pass(end);
    let store = bench.open();
    is_gone(&store, "key");
    store.holds("other", "stays");
    let store = bench.reopen(store);
    is_gone(&store, "key");
    store.set("key", "again");
    bench.reopen(store).holds("key", "again");
}

pub(crate) fn a_key_can_be_written_after_its_end_was_compacted(bench: &Bench) {
    let mut store = bench.open();
    for round in 0..3 {
        store.set("key", format!("older {round}"));
        store = bench.reopen(store);
        store.set_until("key", "ended", an_hour_ago());
        store = bench.reopen(store);
        store.compact();
        is_gone(&store, "key");
        store.set("key", format!("new {round}"));
        store = bench.reopen(store);
        store.holds("key", format!("new {round}"));
        store.compact();
        store.holds("key", format!("new {round}"));
    }
}
