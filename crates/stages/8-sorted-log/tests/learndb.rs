//! Three mistakes that a published store of this kind made on its way from a buffer to sorted tables, each as a test: deletes
//! that come back after a flush, keys sorted as JSON text and compared as keys, and file 10000 before file 9999.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, OpenOn, RecordingDisk};
use logladder_engine::{Compact, Direction, Engine, Ordered};
use logladder_sorted_log::{Options, SortedLog, Work};

const DIR: &str = "/store";

fn open(disk: &RecordingDisk) -> SortedLog {
    let options = Options::default().with_work(Work::Caller).with_block_bytes(64).with_level0_tables(100);
    SortedLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options).unwrap()
}

fn keys(store: &SortedLog, direction: Direction) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    store
        .scan((Bound::Unbounded, Bound::Unbounded), direction, &mut |key, _| {
            keys.push(key.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    keys
}

#[test]
fn a_deleted_key_does_not_come_back_when_the_buffer_is_written_as_a_table() {
    let disk = RecordingDisk::new();
    let mut store = open(&disk);
    store.set(b"kept", b"1").unwrap();
    store.set(b"deleted", b"1").unwrap();
    // It is in a table now, and the delete will only be in the buffer.
    store.flush().unwrap();
    store.delete(b"deleted").unwrap();
    let is_gone = |store: &SortedLog| {
        assert_eq!(store.get(b"deleted").unwrap(), None);
        assert_eq!(keys(store, Direction::Forward), [b"kept"]);
        assert_eq!(keys(store, Direction::Backward), [b"kept"]);
    };
    is_gone(&store);
    store.flush().unwrap();
    is_gone(&store);
    Box::new(store).close().unwrap();
    store = open(&disk);
    is_gone(&store);
    store.compact().unwrap();
    is_gone(&store);
    drop(store);
    is_gone(&open(&disk));
}

#[test]
fn keys_are_sorted_and_found_by_their_bytes_and_not_by_their_json_text() {
    // As JSON text, a quote and a line end become a backslash and more, and numbers lose their quotes.
    let mut expected: Vec<&[u8]> = vec![
        b"\"",
        b"#",
        b"\n",
        b"\x01",
        b"\\",
        b"]",
        b"a",
        b"a\n",
        b"a\"",
        b"a#",
        b"a]",
        b"aa",
        b"10",
        b"9",
        b"-1",
        b"{\"b\":1}",
        b"[2]",
        b"[10]",
        "\u{e9}".as_bytes(),
        b"\xFF",
        b"",
    ];
    let store = open(&RecordingDisk::new());
    for (number, key) in expected.iter().enumerate() {
        store.set(key, number.to_string().as_bytes()).unwrap();
    }
    store.flush().unwrap();
    for (number, key) in expected.iter().enumerate() {
        let found = store.get(key).unwrap();
        assert_eq!(found, Some(number.to_string().into_bytes()), "{}", key.escape_ascii());
    }
    expected.sort_unstable();
    assert_eq!(keys(&store, Direction::Forward), expected);
    expected.reverse();
    assert_eq!(keys(&store, Direction::Backward), expected);
}

#[test]
fn a_table_whose_number_has_a_digit_more_is_the_newer_one() {
    let disk = RecordingDisk::new();
    drop(open(&disk));
    // A table that no manifest names: it is removed, and its number is not used again. So the next ones cross from ten
    // digits to eleven, as those of a store with fewer digits would from 9999 to 10000.
    drop(disk.create(&Path::new(DIR).join("9999999996.table")).unwrap());
    let store = open(&disk);
    for number in 0..8_u8 {
        store.set(b"key", &[number]).unwrap();
        store.flush().unwrap();
        assert_eq!(store.get(b"key").unwrap(), Some(vec![number]));
    }
    drop(store);
    let names: Vec<String> = disk.list(Path::new(DIR)).unwrap().into_iter().map(|entry| entry.name).collect();
    let number_lens: Vec<usize> =
        names.iter().filter_map(|name| name.strip_suffix(".table")).map(str::len).collect();
    assert!(number_lens.contains(&10) && number_lens.contains(&11), "{names:?}");
    let store = open(&disk);
    assert_eq!(store.get(b"key").unwrap(), Some(vec![7]));
    store.compact().unwrap();
    assert_eq!(store.get(b"key").unwrap(), Some(vec![7]));
    drop(store);
    assert_eq!(open(&disk).get(b"key").unwrap(), Some(vec![7]));
}
