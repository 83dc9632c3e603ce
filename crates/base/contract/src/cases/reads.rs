//! Reading: what get, its relatives and stats say, and that asking changes nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use logladder_engine::Error;
use logladder_engine::limits::MAX_KEY_LEN;

use crate::Bench;
use crate::samples::{noise, odd_strings};

pub(crate) fn an_absent_key_has_no_value(bench: &Bench) {
    let store = bench.open();
    store.lacks("key");
    store.set("key", "value");
    store.lacks("ke");
    store.lacks("key ");
    store.lacks("Key");
    store.lacks("value");
}

pub(crate) fn get_into_clears_the_buffer(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let mut buffer = b"something long that was there before".to_vec();
    assert!(store.engine().get_into(b"key", &mut buffer).is_ok_and(|found| found));
    assert_eq!(buffer, b"value");
}

pub(crate) fn get_into_leaves_an_empty_buffer_for_an_absent_key(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let mut buffer = b"something that was there before".to_vec();
    assert!(store.engine().get_into(b"absent", &mut buffer).is_ok_and(|found| !found));
    assert_eq!(buffer, b"", "the buffer is cleared first");
}

pub(crate) fn one_buffer_serves_many_reads(bench: &Bench) {
    let store = bench.open();
    let lengths = [100, 0, 5_000, 3, 70_000, 1];
    for len in lengths {
        store.set(len.to_string(), noise(len, 5));
    }
    let mut buffer = Vec::new();
    for len in lengths.into_iter().chain(lengths.into_iter().rev()) {
        let found = store.engine().get_into(len.to_string().as_bytes(), &mut buffer);
        assert!(found.is_ok_and(|found| found), "the value of {len} bytes is found");
        assert!(buffer == noise(len, 5), "the value of {len} bytes is the one that was set");
    }
}

pub(crate) fn a_buffer_serves_again_after_a_failed_read(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let mut buffer = b"before".to_vec();
    assert!(store.engine().get_into(&vec![0; MAX_KEY_LEN + 1], &mut buffer).is_err());
    assert!(store.engine().get_into(b"key", &mut buffer).is_ok_and(|found| found));
    assert_eq!(buffer, b"value");
}

pub(crate) fn reading_changes_nothing(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    // So that no thread of the engine has anything left to write.
    store.sync();
    let before = bench.recording().map(logladder_disk::RecordingDisk::op_count);
    for _ in 0..3 {
        store.holds("key", "value");
        store.lacks("absent");
        let _ = store.stats();
        if store.engine().as_iterate().is_some() {
            assert_eq!(store.contents().len(), 1);
        }
    }
    let after = bench.recording().map(logladder_disk::RecordingDisk::op_count);
    assert_eq!(before, after, "reading wrote to the disk");
}

pub(crate) fn an_empty_store_counts_nothing(bench: &Bench) {
    let stats = bench.open().stats();
    assert_eq!((stats.live_keys, stats.live_bytes), (0, 0));
}

pub(crate) fn stats_count_live_keys_and_their_bytes(bench: &Bench) {
    let store = bench.open();
    let expect = |keys: u64, bytes: usize| {
        let stats = store.stats();
        assert_eq!((stats.live_keys, stats.live_bytes), (keys, bytes as u64), "live keys and bytes");
    };
    store.set("name", "anna");
    expect(1, "name".len() + "anna".len());
    store.set("", "");
    expect(2, "name".len() + "anna".len());
    store.set("name", b"\xFF\0\n");
    expect(2, "name".len() + 3);
    store.set("city", "Dhaka");
    expect(3, "name".len() + 3 + "city".len() + "Dhaka".len());
    store.delete("name");
    store.delete("name");
    expect(2, "city".len() + "Dhaka".len());
    store.delete("city");
    store.delete("");
    expect(0, 0);
}

pub(crate) fn disk_bytes_are_those_of_the_files(bench: &Bench) {
    let store = bench.open();
    store.set("key", noise(1_000, 6));
    store.sync();
    let files: usize = bench.files().values().map(Vec::len).sum();
    assert_eq!(store.stats().disk_bytes, files as u64, "disk_bytes is the sum of the files' lengths");
    assert!(files >= 1_000, "a value of 1,000 bytes takes as many on the disk");
}

pub(crate) fn a_store_without_files_has_no_disk_bytes(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    assert_eq!(store.stats().disk_bytes, 0);
    assert!(matches!(bench.disk().entry(&bench.dir()), Ok(None)), "it made a folder all the same");
}

pub(crate) fn the_name_is_a_short_word(bench: &Bench) {
    let store = bench.open();
    let name = store.engine().name();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(!name.is_empty() && name.len() <= 20 && name.chars().all(allowed), "the name is `{name}`");
    assert_eq!(
        store.engine().durability(),
        bench.subject().durability(),
        "the durability is always the same"
    );
}

pub(crate) fn get_with_shows_what_get_gives(bench: &Bench) {
    let store = bench.open();
    assert_eq!(store.get_with("key"), None);
    for string in odd_strings() {
        store.set(&string, &string);
        assert_eq!(store.get_with(&string).as_ref(), Some(&string));
    }
    let long = noise(300_000, 9);
    store.set("key", &long);
    assert!(store.get_with("key").is_some_and(|value| value == long), "a long value is shown whole");
    store.set("key", "");
    assert_eq!(store.get_with("key"), Some(Vec::new()));
    store.delete("key");
    assert_eq!(store.get_with("key"), None);
}

pub(crate) fn get_many_shows_what_get_gives(bench: &Bench) {
    let store = bench.open();
    let none: [&[u8]; 0] = [];
    assert_eq!(store.get_many(&none), []);
    assert_eq!(store.get_many(&["absent", "absent"]), [None, None]);
    let mut keys = Vec::new();
    for number in 0..bench.many(400, 60) {
        let key = format!("key {number}");
        if number % 3 != 0 {
            store.set(&key, noise(number, number as u64));
        }
        keys.push(key);
    }
    // Some are there twice, or more often, and not beside each other.
    keys.extend(keys.iter().step_by(7).cloned().collect::<Vec<String>>());
    keys.extend(keys.iter().rev().step_by(5).cloned().collect::<Vec<String>>());
    let found = store.get_many(&keys);
    for (key, value) in keys.iter().zip(&found) {
        assert!(*value == store.get(key), "get_many and get do not agree on {key}");
    }
    store.delete("key 1");
    store.set("key 2", "");
    assert_eq!(store.get_many(&["key 1", "key 2", "key 1"]), [None, Some(Vec::new()), None]);
}

pub(crate) fn get_with_and_get_many_refuse_a_key_over_the_limit(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let long = vec![b'k'; MAX_KEY_LEN + 1];
    let mut shown = 0;
    let outcome = store.engine().get_with(&long, &mut |_| shown += 1);
    assert!(matches!(outcome, Err(Error::TooLarge { len: 65_536, .. })), "{outcome:?}");
    assert_eq!(shown, 0, "its reader is not called");
    let outcome = store.engine().get_many(&[b"key", &long], &mut |_, _| {});
    assert!(matches!(outcome, Err(Error::TooLarge { len: 65_536, .. })), "{outcome:?}");
    assert_eq!(store.get_many(&["key"]), [Some(b"value".to_vec())]);
}

pub(crate) fn a_reader_that_panics_leaves_the_store_usable(bench: &Bench) {
    let store = bench.open();
    store.set("key", "value");
    let engine = store.engine();
    let read = || engine.get_with(b"key", &mut |_| panic!("on purpose, in a reader"));
    assert!(catch_unwind(AssertUnwindSafe(read)).is_err());
    let read = || engine.get_many(&[b"key"], &mut |_, _| panic!("on purpose, in a reader"));
    assert!(catch_unwind(AssertUnwindSafe(read)).is_err());
    store.holds("key", "value");
    store.set("key", "another");
    assert_eq!(store.get_with("key").as_deref(), Some(&b"another"[..]));
}
