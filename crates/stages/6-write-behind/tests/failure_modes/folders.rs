//! The two layers on the disk, and what others may have done to them.

#![allow(clippy::disallowed_methods, reason = "the test plays the stranger")]

use std::fs;
use std::path::Path;

use logladder_disk::names::file_name;
use logladder_disk::{Disk, RecordingDisk};
use logladder_engine::{Collections, Engine, Error, Open, Result};
use logladder_write_behind::{VERSION, WriteBehind};

use crate::bench::{on_demand, open, path};

fn open_real(dir: &Path) -> Result<WriteBehind> {
    WriteBehind::open(dir, on_demand())
}

/// The paths of a folder's files, from there.
fn files(disk: &RecordingDisk) -> Vec<String> {
    let tree = disk.tree();
    let name = |path: &Path| path.strip_prefix(crate::bench::DIR).unwrap().to_str().unwrap().to_owned();
    tree.files().map(|(path, _)| name(path)).filter(|name| name != "LOGLADDER").collect()
}

#[test]
fn a_collection_is_a_folder_and_a_member_a_file() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.put(b"artist/air", b"calm").unwrap();
    store.put(b"artist/a/b", b"a stroke").unwrap();
    store.set(b"alone", b"in no collection").unwrap();
    store.set(b"", b"the empty key").unwrap();
    store.set(b"/x", b"in the nameless collection").unwrap();
    store.set(b"x/", b"the nameless member").unwrap();
    store.sync().unwrap();
    let expected = [
        "k-/k-78",
        "k-617274697374/k-612f62",
        "k-617274697374/k-616972",
        "k-78/k-",
        "loose/k-",
        "loose/k-616c6f6e65",
    ];
    assert_eq!(files(&disk), expected);
}

/// Names that a file system would take for something else.
#[test]
fn whatever_the_key_nothing_lies_outside_its_collections_folder() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("store");
    let store = open_real(&dir).unwrap();
    let long = "n".repeat(300);
    let names = ["..", ".", "CON", "a\0b", "..\\..", "loose", "LOGLADDER", "k-61", "x.tmp", &long];
    for collection in names {
        for member in names {
            store.put(format!("{collection}/{member}").as_bytes(), b"value").unwrap();
            store.put(format!("{collection}/../{member}").as_bytes(), b"value").unwrap();
        }
    }
    Box::new(store).close().unwrap();
    let outside: Vec<_> =
        fs::read_dir(outer.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["store"]);
    for entry in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap()) {
        let is_folder = entry.file_type().unwrap().is_dir();
        assert_eq!(is_folder, entry.file_name() != "LOGLADDER");
        if is_folder {
            assert_eq!(fs::read_dir(entry.path()).unwrap().count(), 2 * names.len());
        }
    }
    let store = open_real(&dir).unwrap();
    assert_eq!(store.collections().unwrap().len(), names.len());
    assert_eq!(store.stats().unwrap().live_keys, 2 * 100);
}

#[test]
fn the_folder_of_a_deleted_collection_stays_and_is_used_again() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.put(b"artist/air", b"calm").unwrap();
    store.sync().unwrap();
    assert_eq!(store.delete_all(b"artist").unwrap(), 1);
    Box::new(store).close().unwrap();
    assert_eq!(files(&disk), Vec::<String>::new());
    assert!(disk.entry(&path(&file_name(b"artist"))).unwrap().is_some(), "its folder is there");
    let store = open(&disk).unwrap();
    assert_eq!(store.collections().unwrap(), Vec::<Vec<u8>>::new());
    store.put(b"artist/air", b"back").unwrap();
    Box::new(store).close().unwrap();
    assert_eq!(open(&disk).unwrap().get(b"artist/air").unwrap().unwrap(), b"back");
}

/// A store with one member, closed, and that member's file.
fn store_of_one(dir: &Path) -> std::path::PathBuf {
    let store = open_real(dir).unwrap();
    store.put(b"artist/air", b"calm").unwrap();
    Box::new(store).close().unwrap();
    dir.join(file_name(b"artist")).join(file_name(b"air"))
}

/// Failure modes 7 and 20, and a version that is newer.
#[test]
fn a_file_that_fails_its_check_or_is_newer_is_refused_by_name_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let file = store_of_one(dir.path());
    let good = fs::read(&file).unwrap();
    let left_over = file.with_file_name("k-616972.tmp");
    fs::write(&left_over, b"half of").unwrap();

    let mut damaged = good.clone();
    damaged[25] ^= 1;
    fs::write(&file, &damaged).unwrap();
    let error = open_real(dir.path()).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { path, offset: 8, .. } if *path == file), "{error}");

    let mut newer = good.clone();
    newer[4] = VERSION + 1;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&newer[..8]);
    hasher.update(&newer[12..]);
    newer[8..12].copy_from_slice(&hasher.finalize().to_le_bytes());
    fs::write(&file, &newer).unwrap();
    let error = open_real(dir.path()).unwrap_err();
    assert!(matches!(&error, Error::UnsupportedVersion { path, found: 2, .. } if *path == file), "{error}");

    // A file of another key, whole in itself.
    fs::write(&file, &good).unwrap();
    let elsewhere = file.with_file_name(file_name(b"daft_punk"));
    fs::rename(&file, &elsewhere).unwrap();
    let error = open_real(dir.path()).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { path, .. } if *path == elsewhere), "{error}");
    assert!(left_over.exists(), "a store that is refused is left as it was");

    fs::rename(&elsewhere, &file).unwrap();
    assert_eq!(open_real(dir.path()).unwrap().get(b"artist/air").unwrap().unwrap(), b"calm");
    assert!(!left_over.exists());
}

/// The same with the folder: a whole collection under another's name.
#[test]
fn a_folder_under_the_name_of_another_collection_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = store_of_one(dir.path());
    fs::rename(file.parent().unwrap(), dir.path().join(file_name(b"song"))).unwrap();
    assert!(matches!(open_real(dir.path()), Err(Error::Corrupt { .. })));
    fs::rename(dir.path().join(file_name(b"song")), dir.path().join("loose")).unwrap();
    assert!(matches!(open_real(dir.path()), Err(Error::Corrupt { .. })));
}

#[test]
fn strangers_files_and_folders_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = store_of_one(dir.path());
    let inside = file.parent().unwrap();
    for name in ["thesis.tmp", "k-6", "notes"] {
        fs::write(inside.join(name), "a stranger's").unwrap();
        fs::write(dir.path().join(name), "a stranger's").unwrap();
    }
    fs::create_dir(dir.path().join("pictures")).unwrap();
    let store = open_real(dir.path()).unwrap();
    assert_eq!(store.stats().unwrap().live_keys, 1);
    assert_eq!(store.delete_all(b"artist").unwrap(), 1);
    Box::new(store).close().unwrap();
    for name in ["thesis.tmp", "k-6", "notes"] {
        assert!(inside.join(name).exists() && dir.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_file_in_place_of_a_folder_and_a_folder_in_place_of_a_file_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = store_of_one(dir.path());
    let folder = dir.path().join(file_name(b"song"));
    fs::write(&folder, "a stranger's").unwrap();
    let error = open_real(dir.path()).unwrap_err().to_string();
    assert!(error.contains("k-736f6e67: a file stands where"), "{error}");
    assert!(error.ends_with("move it away"), "one remedy is enough: {error}");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(file.with_file_name(file_name(b"moon"))).unwrap();
    let error = open_real(dir.path()).unwrap_err().to_string();
    assert!(error.contains("a folder stands where"), "{error}");
}

/// So many files that several threads read them.
#[test]
fn many_files_are_read_by_several_threads_and_none_is_missed() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for number in 0..600_u32 {
        store.put(format!("{}/{number}", number % 7).as_bytes(), &number.to_le_bytes()).unwrap();
    }
    Box::new(store).close().unwrap();
    let store = open(&disk).unwrap();
    for number in 0..600_u32 {
        let value = store.get(format!("{}/{number}", number % 7).as_bytes()).unwrap().unwrap();
        assert_eq!(value, number.to_le_bytes());
    }
    assert_eq!(store.stats().unwrap().live_keys, 600);
    drop(store);
    // One of them damaged: it is found, whichever thread reads it.
    let name = format!("{}/{}", file_name(b"3"), file_name(b"500"));
    let mut tree = disk.tree();
    tree.put(&path(&name), b"LLWB and not much else".to_vec());
    let error = open(&RecordingDisk::from_tree(tree)).unwrap_err().to_string();
    assert!(error.contains(&name), "{error}");
}

/// Failure mode 25: a file with a tebibyte of nothing behind what it held, which takes no space on the disk.
#[test]
fn a_file_of_absurd_length_is_not_read_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_real(folder.path()).unwrap();
    store.set(b"a/b", b"value").unwrap();
    Box::new(store).close().unwrap();
    let path = folder.path().join(file_name(b"a")).join(file_name(b"b"));
    fs::OpenOptions::new().append(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let refused = open_real(folder.path()).unwrap_err();
    assert!(matches!(&refused, Error::Corrupt { path: named, .. } if *named == path), "{refused}");
}

/// By somebody who tidies up. Everything is in memory, so nothing is lost.
#[test]
fn a_collections_folder_that_was_removed_under_an_open_store_is_made_again_with_all_that_was_in_it() {
    for writes in [1, 20] {
        let dir = tempfile::tempdir().unwrap();
        let store = open_real(dir.path()).unwrap();
        let folder = dir.path().join(file_name(b"artist"));
        let key = |number: usize| format!("artist/{number}").into_bytes();
        (0..30).for_each(|number| store.set(&key(number), b"old").unwrap());
        store.sync().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        store.stats().unwrap();
        (0..writes).for_each(|number| store.set(&key(number), b"new").unwrap());
        store.sync().unwrap();
        // And once more, where there is nothing but a delete to be done.
        fs::remove_dir_all(&folder).unwrap();
        store.delete(&key(29)).unwrap();
        store.sync().unwrap();
        std::mem::forget(store);
        let copy = tempfile::tempdir().unwrap();
        let there = copy.path().join(file_name(b"artist"));
        fs::copy(dir.path().join("LOGLADDER"), copy.path().join("LOGLADDER")).unwrap();
        fs::create_dir(&there).unwrap();
        for file in fs::read_dir(&folder).unwrap().map(|file| file.unwrap()) {
            fs::copy(file.path(), there.join(file.file_name())).unwrap();
        }
        let found = open_real(copy.path()).unwrap();
        for number in 0..29 {
            let value = if number < writes { b"new" } else { b"old" };
            assert_eq!(found.get(&key(number)).unwrap().unwrap(), value, "{number} of {writes}");
        }
        assert_eq!(found.get(&key(29)).unwrap(), None);
    }
}
