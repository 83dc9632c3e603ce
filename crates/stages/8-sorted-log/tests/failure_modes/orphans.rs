//! Files that no list names: what a crash left is removed, what someone put there is not, and a manifest that is older than its
//! tables is noticed before anything is removed.

use logladder_disk::RecordingDisk;
use logladder_engine::{Compact, Engine};
use logladder_sorted_log::describe;

use crate::bench::{
    bytes, close, contents, damage, is_table, names, on_demand, open, open_with, pairs, path, refused, the,
    with_file, with_flipped_bit,
};

/// A table of one key and nothing else: no log, no other table.
fn flushed(key: &str, value: &str) -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(key.as_bytes(), value.as_bytes()).unwrap();
    store.flush().unwrap();
    close(store);
    disk
}

/// What a file with this name would begin with: the header of `of`, with the number of `name`, and its checksum.
pub(crate) fn renumbered(disk: &RecordingDisk, of: &str, name: &str) -> Vec<u8> {
    let number: u64 = name.split('.').next().unwrap().parse().unwrap();
    let mut bytes = bytes(disk, of);
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    let crc = {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..12]);
        hasher.update(&bytes[16..32]);
        hasher.finalize()
    };
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    if is_table(name) {
        let end = bytes.len();
        bytes[end - 20..end - 12].copy_from_slice(&number.to_le_bytes());
        let crc = crc32fast::hash(&bytes[end - 44..end - 8]);
        bytes[end - 8..end - 4].copy_from_slice(&crc.to_le_bytes());
    }
    assert!(describe(name, &bytes).iter().all(|field| field.meaning != "does not match"));
    bytes
}

#[test]
fn what_a_crash_left_unfinished_is_removed() {
    let disk = flushed("a", "1");
    let table = bytes(&disk, &the(&disk, ".table"));
    let whole = renumbered(&disk, &the(&disk, ".table"), "0000000100.table");
    let lost_page = [vec![0; 4096], vec![7; 300]].concat();
    let remains = [
        ("0000000100.table", Vec::new()),
        ("0000000100.table", vec![0; 300]),
        ("0000000100.table", table[..7].to_vec()),
        ("0000000100.table", whole[..32].to_vec()),
        ("0000000100.table", whole[..whole.len() - 1].to_vec()),
        // An outcome that was not installed: it says what the store says.
        ("0000000100.table", whole),
        ("0000000100.table", lost_page),
        ("0000000100.log", Vec::new()),
        ("0000000100.log", b"LLSLLOG\n\x01\0".to_vec()),
        ("0000000001.log", vec![0; 5_000]),
    ];
    for (name, remains) in remains {
        let what = format!("{name} of {} bytes", remains.len());
        let disk = with_file(&disk, name, remains);
        let store = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(store.left_alone().is_empty() && store.repairs().is_empty(), "{what}");
        assert_eq!(contents(&store), pairs(&[("a", "1")]), "{what}");
        assert!(!names(&disk, "").contains(&name.to_owned()), "{what}");
        store.set(b"b", b"2").unwrap();
        store.flush().unwrap();
        close(store);
        assert_eq!(contents(&open(&disk).unwrap()), pairs(&[("a", "1"), ("b", "2")]), "{what}");
    }
}

/// Whatever has the name of a table or of an earlier log, and is none of the store's.
#[test]
fn what_someone_put_there_is_left_alone_and_told_and_the_store_goes_on_beside_it() {
    let disk = flushed("a", "1");
    let store = open(&disk).unwrap();
    store.set(b"b", b"2").unwrap();
    close(store);
    let others = flushed("not", "ours");
    let others_table = the(&others, ".table");
    let others_log = {
        let store = open(&others).unwrap();
        // Its log begins with a later write than this store has come to.
        (0..9).for_each(|_| store.set(b"x", b"y").unwrap());
        store.flush().unwrap();
        store.set(b"not", b"ours").unwrap();
        close(store);
        the(&others, ".log")
    };
    let strangers = [
        ("0000000100.table", b"mine, and precious".to_vec()),
        ("0000000100.table", b"LLSLTAX\n".to_vec()),
        ("0000000100.table", vec![b'x'; 10_000]),
        ("0000000001.log", b"2026-01-01 a line of another program's log\n".to_vec()),
        ("0000000001.log", bytes(&disk, "LOGLADDER")),
        // Whole files of another store, each with a number that this one does not use.
        ("0000000100.table", renumbered(&others, &others_table, "0000000100.table")),
        ("0000000001.table", renumbered(&others, &others_table, "0000000001.table")),
        ("0000000001.log", renumbered(&others, &others_log, "0000000001.log")),
    ];
    for (name, stranger) in strangers {
        let what = format!("{name} of {} bytes", stranger.len());
        let disk = with_file(&disk, name, stranger.clone());
        for opening in ["first", "second"] {
            let store = open(&disk).unwrap_or_else(|error| panic!("{what}, {opening}: {error}"));
            assert_eq!(store.left_alone(), [path(name)], "{what}, {opening}");
            for number in 0..5_u8 {
                store.set(b"more", &[number]).unwrap();
                store.flush().unwrap();
            }
            store.compact().unwrap();
            assert_eq!(contents(&store), {
                let mut expected = pairs(&[("a", "1"), ("b", "2")]);
                expected.insert(b"more".to_vec(), vec![4]);
                expected
            });
            // A log goes on behind what is in tables.
            store.set(b"b", b"2").unwrap();
            close(store);
            assert_eq!(bytes(&disk, name), stranger, "{what}, {opening}");
        }
    }
}

/// It is the one place of that key, whoever has put it there: an older copy of the whole store over a newer one leaves it so.
#[test]
fn a_table_that_says_more_only_at_its_end_is_left_alone_and_told() {
    let filled = |more: &[(&str, &str)]| {
        let disk = RecordingDisk::new();
        let store = open(&disk).unwrap();
        for number in 0..3_000 {
            store.set(format!("key {number:04}").as_bytes(), b"value").unwrap();
        }
        for (key, value) in more {
            store.set(key.as_bytes(), value.as_bytes()).unwrap();
        }
        store.compact().unwrap();
        // So that a log goes on, and no write is missing.
        store.set(b"key 0000", b"value").unwrap();
        close(store);
        disk
    };
    let [disk, newer] = [filled(&[]), filled(&[("last", "precious")])];
    let name = "0000000100.table";
    let table = renumbered(&newer, &the(&newer, ".table"), name);
    let disk = with_file(&disk, name, table.clone());
    let store = open(&disk).unwrap();
    assert_eq!(store.left_alone(), [path(name)]);
    close(store);
    assert_eq!(bytes(&disk, name), table);
}

/// Failure mode 6: a manifest that says less than the tables. One flipped bit in its last edit, and that edit is cut off as one
/// that a crash left unfinished; what the table has, nothing else has.
#[test]
fn a_manifest_that_lost_its_last_edit_is_refused_and_no_table_is_removed() {
    let disk = flushed("a", "1");
    let manifest = bytes(&disk, "MANIFEST");
    let fields = describe("MANIFEST", &manifest);
    let last_edit = fields.iter().rfind(|field| field.name == "length").unwrap().bytes.start;
    assert!(last_edit > 32, "there are two edits");
    // The edit before it says that there was a log, which the table has replaced.
    let log = ("0000000002.log".to_owned(), 0);
    let before_log = fields.iter().find(|field| field.name == "on the disk").unwrap().bytes.start - 2 - 16;
    for (edit, expected) in [(last_edit, log), (before_log, ("MANIFEST".to_owned(), before_log as u64))] {
        let found = refused(&with_file(&disk, "MANIFEST", manifest[..edit].to_vec()));
        assert_eq!(found, expected, "cut between its edits");
        for len in edit..edit + 16 {
            let found = refused(&with_file(&disk, "MANIFEST", manifest[..len].to_vec()));
            assert_eq!(found, expected, "{len}");
        }
    }
    for bit in last_edit * 8..manifest.len() * 8 {
        assert_eq!(refused(&with_flipped_bit(&disk, "MANIFEST", bit)).0, "0000000002.log", "bit {bit}");
    }
}

/// The same with a copy of the manifest that someone has put back.
#[test]
fn a_manifest_older_than_a_table_or_a_log_is_refused_and_nothing_is_removed() {
    let disk = flushed("a", "1");
    let older = bytes(&disk, "MANIFEST");
    let store = open(&disk).unwrap();
    store.set(b"b", b"2").unwrap();
    store.flush().unwrap();
    close(store);
    assert_eq!(refused(&with_file(&disk, "MANIFEST", older.clone())).0, "MANIFEST");
    // With a log that goes on from what it does not know.
    let store = open(&disk).unwrap();
    store.set(b"c", b"3").unwrap();
    close(store);
    let log = the(&disk, ".log");
    assert_eq!(refused(&with_file(&disk, "MANIFEST", older.clone())), (log, 0));
    // Or when the tables that it knows are gone.
    let store = open(&disk).unwrap();
    store.compact().unwrap();
    close(store);
    let error = open(&with_file(&disk, "MANIFEST", older)).unwrap_err();
    assert!(is_table(&damage(error).0));
}

/// What is replaced is known from the manifest, also when that has just been written anew.
#[test]
fn a_replaced_table_that_came_back_is_removed_whatever_the_length_of_the_manifest() {
    for manifest_bytes in [0, 300, 256 << 10] {
        let options = on_demand().with_manifest_bytes(manifest_bytes);
        let disk = RecordingDisk::new();
        let store = open_with(&disk, options).unwrap();
        for number in 0..12_u8 {
            store.set(b"key", &[number]).unwrap();
            store.delete(b"gone").unwrap();
            store.flush().unwrap();
        }
        let replaced: Vec<(String, Vec<u8>)> =
            names(&disk, ".table").into_iter().map(|name| (name.clone(), bytes(&disk, &name))).collect();
        store.delete(b"key").unwrap();
        store.compact().unwrap();
        close(store);
        assert_eq!(names(&disk, ".table"), [""; 0], "everything is deleted");
        for (name, bytes) in replaced {
            let disk = with_file(&disk, &name, bytes);
            let store = open_with(&disk, options).unwrap();
            assert!(store.left_alone().is_empty(), "{manifest_bytes}: {name}");
            assert!(contents(&store).is_empty(), "{manifest_bytes}: {name}");
            assert_eq!(names(&disk, ".table"), [""; 0]);
        }
    }
}

/// Every store counts from 1: a file of another store often has the number of one that this store has replaced.
#[test]
fn what_has_the_number_of_something_replaced_and_is_another_stores_is_left_alone_and_told() {
    let compacted = |key: &str, rounds: u8| {
        let disk = RecordingDisk::new();
        for _ in 0..rounds {
            let store = open(&disk).unwrap();
            store.set(key.as_bytes(), b"1").unwrap();
            store.compact().unwrap();
            close(store);
        }
        disk
    };
    let in_the_log = |key: &str, value: &str| {
        let disk = RecordingDisk::new();
        let store = open(&disk).unwrap();
        store.set(key.as_bytes(), value.as_bytes()).unwrap();
        close(store);
        disk
    };
    let (once, twice, flushed_once) = (compacted("x", 1), compacted("x", 2), flushed("x", "1"));
    let (table, log) = (the(&once, ".table"), the(&in_the_log("x", "1"), ".log"));
    assert!(!names(&twice, "").contains(&table) && !names(&flushed_once, "").contains(&log));
    let strangers = [
        (&twice, &table, bytes(&compacted("precious", 1), &table)),
        // It begins with the same write, and ends with it.
        (&twice, &log, bytes(&in_the_log("precious", "1"), &log)),
        (&flushed_once, &log, bytes(&in_the_log("x", "precious"), &log)),
    ];
    for (disk, name, stranger) in strangers {
        let disk = with_file(disk, name, stranger.clone());
        let store = open(&disk).unwrap();
        assert_eq!(store.left_alone(), [path(name)]);
        assert_eq!(contents(&store), pairs(&[("x", "1")]));
        close(store);
        assert_eq!(bytes(&disk, name), stranger);
    }
    // The very file that was replaced, which a crash may leave.
    let ours = [
        (&twice, &table, bytes(&once, &table)),
        (&twice, &log, bytes(&in_the_log("x", "1"), &log)),
        (&flushed_once, &log, bytes(&in_the_log("x", "1"), &log)),
    ];
    for (disk, name, replaced) in ours {
        let disk = with_file(disk, name, replaced);
        let store = open(&disk).unwrap();
        assert!(store.left_alone().is_empty(), "{name}");
        assert_eq!(contents(&store), pairs(&[("x", "1")]));
        assert!(!names(&disk, "").contains(name));
    }
}

/// A number that would leave none for the files to come is refused, and not counted on from.
#[test]
fn a_file_whose_number_no_store_comes_to_is_refused_by_name() {
    let disk = flushed("a", "1");
    for number in [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 62, (1 << 40) + 100] {
        for ending in ["table", "log"] {
            let name = format!("{number:010}.{ending}");
            assert_eq!(refused(&with_file(&disk, &name, Vec::new())), (name, 0));
        }
    }
    // One that is only far is passed.
    let mut disk = with_file(&disk, "1099511627776.table", Vec::new());
    let mut expected = pairs(&[("a", "1")]);
    for number in 0..3_u8 {
        let store = open(&disk).unwrap();
        assert_eq!(contents(&store), expected);
        store.set(b"flushed", &[number]).unwrap();
        store.flush().unwrap();
        store.set(b"in the log", &[number]).unwrap();
        drop(store);
        expected.extend([(b"flushed".to_vec(), vec![number]), (b"in the log".to_vec(), vec![number])]);
        disk = RecordingDisk::from_tree(disk.tree());
    }
    assert_eq!(contents(&open(&disk).unwrap()), expected);
}
