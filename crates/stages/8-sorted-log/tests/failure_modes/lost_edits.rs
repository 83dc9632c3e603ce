//! Stores whose manifest has lost what it said last, by damage or because an older one was put back: what it named is there still,
//! and is salvaged; and what a crash leaves beside a manifest that has lost nothing brings no old value back.

use logladder_disk::RecordingDisk;
use logladder_engine::{Compact, Engine};
use logladder_sorted_log::{Salvaged, Severity};

use crate::bench::{Contents, bytes, close, contents, names, open, pairs, the, with_file, with_flipped_bit};
use crate::orphans::renumbered;
use crate::wrecks::{check, salvage};

/// What is salvaged of a damaged store. A check must have said all that is said of it, but for guesses.
fn salvage_damaged(disk: &RecordingDisk, what: &str) -> (Contents, Salvaged) {
    let report = check(disk);
    assert_eq!(report.worst(), Some(Severity::Damage), "{what}");
    let (found, salvaged) = salvage(disk);
    assert_eq!(salvaged.problems[..report.problems.len()], report.problems, "{what}");
    (found, salvaged)
}

/// All keys stand in the table that the last edit names, and the tables before it are gone.
#[test]
fn what_a_damaged_edit_of_the_manifest_named_is_salvaged() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for number in 0..50_u8 {
        store.set(&[b'k', number], &[number; 3]).unwrap();
    }
    store.compact().unwrap();
    store.set(b"a", b"1").unwrap();
    store.compact().unwrap();
    let expected = contents(&store);
    close(store);
    assert_eq!(names(&disk, ".table").len(), 1);
    let manifest = bytes(&disk, "MANIFEST");
    for len in 0..manifest.len() {
        let what = format!("cut to {len}");
        let cut = with_file(&disk, "MANIFEST", manifest[..len].to_vec());
        assert_eq!(salvage_damaged(&cut, &what).0, expected, "{what}");
    }
    for bit in (0..manifest.len() * 8).step_by(3) {
        let what = format!("bit {bit}");
        let flipped = with_flipped_bit(&disk, "MANIFEST", bit);
        assert_eq!(salvage_damaged(&flipped, &what).0, expected, "{what}");
    }
}

/// With the table that the older manifest names in its place again, nothing is missing, and the store is not what it was.
#[test]
fn with_an_older_manifest_the_newer_tables_are_salvaged_and_it_is_called_damage() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for key in ["k1", "k2", "k3"] {
        store.set(key.as_bytes(), b"old").unwrap();
    }
    store.compact().unwrap();
    close(store);
    let table = the(&disk, ".table");
    let (older, older_table) = (bytes(&disk, "MANIFEST"), bytes(&disk, &table));
    let store = open(&disk).unwrap();
    store.set(b"k1", b"new").unwrap();
    store.delete(b"k2").unwrap();
    store.set(b"k5", b"new").unwrap();
    store.compact().unwrap();
    close(store);
    let newer_table = the(&disk, ".table");
    let disk = with_file(&with_file(&disk, "MANIFEST", older), &table, older_table);
    let (found, salvaged) = salvage_damaged(&disk, "older");
    // The delete has no tombstone any more.
    assert_eq!(found, pairs(&[("k1", "new"), ("k2", "old"), ("k3", "old"), ("k5", "new")]));
    let told = |what: &str| salvaged.problems.iter().any(|problem| problem.what.contains(what));
    assert!(told(&newer_table) && told("1 keys stand in several"), "{:?}", salvaged.problems);
}

/// A manifest of another store, copied over this one's: neither the table nor the log is one that it names.
#[test]
fn with_the_manifest_of_another_store_the_tables_and_logs_that_are_there_are_salvaged() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"in a table", b"1").unwrap();
    store.compact().unwrap();
    store.set(b"in the log", b"2").unwrap();
    close(store);
    let other = RecordingDisk::new();
    for _ in 0..4 {
        let store = open(&other).unwrap();
        store.set(b"x", b"y").unwrap();
        store.compact().unwrap();
        close(store);
    }
    let expected = pairs(&[("in a table", "1"), ("in the log", "2")]);
    let mixed = with_file(&disk, "MANIFEST", bytes(&other, "MANIFEST"));
    assert_eq!(salvage_damaged(&mixed, "a manifest").0, expected);
    // With all that it names, it is the other store, and what is left of this one is named.
    let other_table = the(&other, ".table");
    let mixed = with_file(&mixed, &other_table, bytes(&other, &other_table));
    let (found, salvaged) = salvage(&mixed);
    assert_eq!(found, pairs(&[("x", "y")]));
    for name in [the(&disk, ".table"), the(&disk, ".log")] {
        assert!(salvaged.problems.iter().any(|problem| problem.path.ends_with(&name)), "{name}");
    }
}

/// A crash leaves what was replaced, or what was not installed, with an edit that was not finished or without.
#[test]
fn what_a_crash_leaves_beside_the_manifest_brings_no_old_value_back() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for value in [b"1", b"2"] {
        store.set(b"key", value).unwrap();
        store.set(b"gone", value).unwrap();
        store.flush().unwrap();
    }
    close(store);
    let merged = {
        let disk = RecordingDisk::from_tree(disk.tree());
        let store = open(&disk).unwrap();
        store.compact().unwrap();
        close(store);
        renumbered(&disk, &the(&disk, ".table"), "0000000050.table")
    };
    let replaced: Vec<(String, Vec<u8>)> =
        names(&disk, ".table").into_iter().map(|name| (name.clone(), bytes(&disk, &name))).collect();
    let store = open(&disk).unwrap();
    store.set(b"key", b"3").unwrap();
    store.delete(b"gone").unwrap();
    store.flush().unwrap();
    close(store);
    let expected = pairs(&[("key", "3")]);
    let unfinished = |disk: &RecordingDisk| {
        let manifest = bytes(disk, "MANIFEST");
        with_file(disk, "MANIFEST", [&manifest[..], &[60, 0, 0, 0, 1, 2, 3]].concat())
    };
    let not_installed = with_file(&disk, "0000000050.table", merged);
    for disk in [not_installed.clone(), unfinished(&not_installed)] {
        let (found, salvaged) = salvage(&disk);
        assert_eq!(found, expected);
        assert!(salvaged.problems.iter().all(|problem| problem.severity < Severity::Damage));
    }
    let store = open(&disk).unwrap();
    store.compact().unwrap();
    close(store);
    for (name, bytes) in replaced {
        let disk = with_file(&disk, &name, bytes);
        for disk in [disk.clone(), unfinished(&disk)] {
            let (found, salvaged) = salvage(&disk);
            assert_eq!(found, expected, "{name}");
            assert!(salvaged.problems.iter().all(|problem| problem.severity < Severity::Damage));
        }
    }
}
