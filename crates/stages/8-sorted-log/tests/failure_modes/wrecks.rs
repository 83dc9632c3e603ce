//! Stores of which something is damaged: a check names all of it, and a salvage takes the rest and leaves the store as it is.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Compact, Engine, Error};
use logladder_sorted_log::{
    CheckReport, Compression, Options, Salvaged, Severity, SortedLog, check_with, describe, listing_on,
    salvage_with,
};

use crate::bench::{
    Contents, DIR, bytes, close, contents, files, is_table, names, on_demand, open, open_with, tiny,
    with_file, with_flipped_bit, without_file,
};

const NEW: &str = "/new";

pub(crate) fn check(disk: &RecordingDisk) -> CheckReport {
    let before = files(&disk.tree());
    let report = check_with(Arc::new(disk.clone()), Path::new(DIR), &mut |_| ()).unwrap();
    assert_eq!(files(&disk.tree()), before, "a check changes nothing");
    report
}

/// What can be salvaged, and what is said of it. The old store must stay as it is, and the new one be healthy.
pub(crate) fn salvage(disk: &RecordingDisk) -> (Contents, Salvaged) {
    let before = files(&disk.tree());
    let disk = RecordingDisk::from_tree(disk.tree());
    let shared = Arc::new(disk.clone());
    let salvaged =
        salvage_with(shared.clone(), Path::new(DIR), Path::new(NEW), on_demand(), &mut |_| ()).unwrap();
    let mut after = files(&disk.tree());
    after.retain(|(path, _)| path.starts_with(DIR));
    assert_eq!(after, before, "a salvage changes nothing");
    let report = check_with(shared.clone(), Path::new(NEW), &mut |_| ()).unwrap();
    assert_eq!((report.problems, report.keys), (vec![], salvaged.keys));
    let found = contents(&SortedLog::open_on(shared, Path::new(NEW), on_demand()).unwrap());
    assert_eq!(salvaged.keys, found.len() as u64);
    (found, salvaged)
}

/// A store with tables in several levels, overwritten keys, deletes and a log; and what it holds.
fn story(options: Options) -> (RecordingDisk, Contents) {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, options).unwrap();
    let mut expected = Contents::new();
    for number in 0..120_u8 {
        let (key, value) = (vec![b'k', number.wrapping_mul(7) % 50], vec![number; 12]);
        if number % 9 == 0 {
            store.delete(&key).unwrap();
            expected.remove(&key);
        } else {
            store.set(&key, &value).unwrap();
            expected.insert(key, value);
        }
    }
    close(store);
    (disk, expected)
}

/// Each file and offset that a report calls damaged.
fn places(report: &CheckReport) -> Vec<(String, u64)> {
    let damage = report.problems.iter().filter(|problem| problem.severity == Severity::Damage);
    damage
        .map(|problem| (problem.path.file_name().unwrap().to_str().unwrap().to_owned(), problem.offset))
        .collect()
}

#[test]
fn a_healthy_store_is_told_to_be_so_and_is_salvaged_whole() {
    for options in [tiny(), tiny().with_compression(Compression::Lz4).with_filter_bits(0), on_demand()] {
        let (disk, expected) = story(options);
        let report = check(&disk);
        assert_eq!(report.problems, []);
        assert_eq!((report.keys, report.files), (expected.len() as u64, names(&disk, "").len() as u64));
        let (found, salvaged) = salvage(&disk);
        assert_eq!((found, salvaged.problems), (expected, vec![]));
    }
}

/// Failure mode 7: every damaged block of every table is named, and no other.
#[test]
fn a_check_names_every_damaged_block_of_every_table() {
    let (disk, _) = story(tiny());
    let mut damaged = RecordingDisk::from_tree(disk.tree());
    let mut expected = Vec::new();
    for name in names(&disk, ".table") {
        let fields = describe(&name, &bytes(&disk, &name));
        let restarts = fields.iter().filter(|field| field.name == "restarts");
        let mut start = 32;
        for (number, restarts) in restarts.enumerate() {
            // Every other block. Behind its restarts stand a byte and the checksum.
            if number % 2 == 0 {
                damaged = with_flipped_bit(&damaged, &name, restarts.bytes.start * 8);
                expected.push((name.clone(), start as u64));
            }
            start = restarts.bytes.end + 5;
        }
    }
    assert!(expected.len() > names(&disk, ".table").len(), "a table has more than one damaged block");
    let report = check(&damaged);
    assert_eq!(places(&report), expected);
    assert!(
        report.problems.iter().all(|problem| problem.what.contains("keys from")),
        "{:?}",
        report.problems
    );
    assert!(report.keys > 0 && !report.is_healthy());
}

/// Whichever bit of a table is flipped: it is found, and all that the damage has not hit is salvaged.
#[test]
fn a_flipped_bit_anywhere_in_a_table_is_found_and_costs_one_block_at_most() {
    let (disk, expected) = story(tiny());
    // Every key stands in one table, so that what is lost of it is nowhere else.
    let store = open_with(&disk, tiny().with_table_bytes(600)).unwrap();
    store.compact().unwrap();
    close(store);
    let listing = listing_on(&disk, Path::new(DIR)).unwrap();
    let table = listing.tables.iter().max_by_key(|table| table.bytes).unwrap();
    let whole = bytes(&disk, &table.file_name);
    let fields = describe(&table.file_name, &whole);
    let ends: Vec<usize> =
        fields.iter().filter(|field| field.name == "restarts").map(|field| field.bytes.end + 5).collect();
    let in_a_block = |end: &usize| {
        let start = ends.iter().rfind(|other| *other < end).copied().unwrap_or(32);
        let kinds = fields.iter().filter(|field| field.name == "value length and kind");
        kinds.filter(|field| (start..*end).contains(&field.bytes.start)).count() as u64
    };
    let most_in_a_block = ends.iter().map(in_a_block).max().unwrap();
    assert!(most_in_a_block * 2 < table.entries, "it has blocks enough to lose one of");
    let blocks_end = *ends.last().unwrap();
    for bit in (0..whole.len() * 8).step_by(7) {
        let damaged = with_flipped_bit(&disk, &table.file_name, bit);
        let report = check(&damaged);
        assert!(places(&report).iter().all(|(name, _)| *name == table.file_name), "bit {bit}");
        assert_eq!(report.worst(), Some(Severity::Damage), "bit {bit}");
        let (found, salvaged) = salvage(&damaged);
        assert_eq!(salvaged.problems, report.problems, "bit {bit}");
        let is_in_a_block = (32..blocks_end).contains(&(bit / 8));
        let lost = expected.iter().filter(|(key, value)| found.get(*key) != Some(value)).count() as u64;
        assert!(lost <= if is_in_a_block { most_in_a_block } else { 0 }, "bit {bit}: {lost} are lost");
    }
}

/// What remains of a table whose end is gone, and with it the index.
#[test]
fn of_a_table_that_was_cut_the_blocks_before_the_cut_are_salvaged() {
    let (disk, expected) = story(on_demand());
    let store = open_with(&disk, on_demand().with_block_bytes(64)).unwrap();
    store.flush().unwrap();
    close(store);
    let name = names(&disk, ".table").pop().unwrap();
    let whole = bytes(&disk, &name);
    let mut before = usize::MAX;
    for len in (0..whole.len()).rev().step_by(11) {
        let cut = with_file(&disk, &name, whole[..len].to_vec());
        let (found, salvaged) = salvage(&cut);
        assert!(!salvaged.problems.is_empty(), "cut to {len}");
        assert!(found.iter().all(|(key, value)| expected.get(key) == Some(value)), "cut to {len}");
        assert!(found.len() <= before, "cut to {len}");
        before = found.len();
    }
    assert_eq!(before, 0);
    // The index and the footer alone cost nothing.
    let fields = describe(&name, &whole);
    let filter = fields.iter().find(|field| field.name == "filter").unwrap().bytes.start;
    assert_eq!(salvage(&with_file(&disk, &name, whole[..filter].to_vec())).0, expected);
}

/// Failure mode 8, looked at from behind: the records behind a damaged one are not thrown away.
#[test]
fn of_a_log_every_record_but_the_damaged_one_is_salvaged() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for number in 0..20_u8 {
        store.set(&[number], &[number; 10]).unwrap();
    }
    close(store);
    let name = names(&disk, ".log").pop().unwrap();
    let start = describe(&name, &bytes(&disk, &name))
        .iter()
        .filter(|field| field.name == "length")
        .nth(7)
        .unwrap()
        .bytes
        .start;
    let damaged = with_flipped_bit(&disk, &name, (start + 20) * 8);
    assert_eq!(places(&check(&damaged)), [(name, start as u64)]);
    let (found, _) = salvage(&damaged);
    assert!(found.into_keys().eq((0..20).filter(|number| *number != 7).map(|number| vec![number])));
}

/// A missing table takes what only it said; a missing manifest takes no value that stands in one place.
#[test]
fn without_a_table_or_without_the_manifest_the_rest_is_salvaged_and_what_is_guessed_is_told() {
    let (disk, expected) = story(tiny());
    for name in names(&disk, "") {
        if name == "LOGLADDER" {
            continue;
        }
        let (found, salvaged) = salvage(&without_file(&disk, &name));
        let told = salvaged.problems.iter().filter(|problem| problem.severity == Severity::Damage);
        let told: Vec<String> = told.map(ToString::to_string).collect();
        assert!(
            told.iter().any(|problem| problem.contains(&name) && problem.contains("is missing")),
            "{name}: {told:?}"
        );
        if is_table(&name) {
            assert!(found.len() <= expected.len() + 20, "{name}");
        }
    }
    // Every key stands in one table, so that nothing has to be guessed.
    let store = open(&disk).unwrap();
    store.compact().unwrap();
    close(store);
    let (found, salvaged) = salvage(&without_file(&disk, "MANIFEST"));
    assert_eq!(found, expected);
    assert!(
        salvaged.problems.iter().all(|problem| !problem.what.contains("was guessed")),
        "{:?}",
        salvaged.problems
    );
}

/// What the manifest does not know to be the store's, nobody asked for.
#[test]
fn a_table_of_another_store_is_never_salvaged() {
    let store_of = |value: &[u8]| {
        let disk = RecordingDisk::new();
        let store = open(&disk).unwrap();
        store.set(b"key", value).unwrap();
        store.flush().unwrap();
        store.set(b"other", b"1").unwrap();
        close(store);
        disk
    };
    let (ours, other) = (store_of(b"ours"), store_of(b"else"));
    let name = names(&ours, ".table").pop().unwrap();
    let swapped = with_file(&ours, &name, bytes(&other, &name));
    assert!(check(&swapped).problems[0].what.contains("another table"));
    assert_eq!(salvage(&swapped).0, crate::bench::pairs(&[("other", "1")]));
    // And what lies there under a name that is not listed is none of it.
    let beside = with_file(&ours, "0000000099.table", bytes(&other, &name));
    assert_eq!(salvage(&beside).0, crate::bench::pairs(&[("key", "ours"), ("other", "1")]));
}

/// A block that is whole, in the place of one of the same length: what each part says of itself is right, and only the checksum of
/// all of them tells.
#[test]
fn a_block_of_another_table_is_noticed_by_a_check() {
    let store_of = |value: &[u8]| {
        let disk = RecordingDisk::new();
        let store = open_with(&disk, on_demand().with_block_bytes(200)).unwrap();
        for number in 0..100_u8 {
            store.set(&[number], value).unwrap();
        }
        store.flush().unwrap();
        close(store);
        disk
    };
    let (ours, other) = (store_of(b"the red one"), store_of(b"the old one"));
    let name = names(&ours, ".table").pop().unwrap();
    let (mut mixed, strange) = (bytes(&ours, &name), bytes(&other, &name));
    let fields = describe(&name, &mixed);
    let at = |name| fields.iter().find(|field| field.name == name).unwrap().bytes.clone();
    // Behind its restarts stand a byte and the checksum.
    let block = 32..at("restarts").end + 5;
    mixed[block.clone()].copy_from_slice(&strange[block]);
    let mixed = with_file(&ours, &name, mixed);
    let report = check(&mixed);
    assert_eq!(places(&report), [(name, at("filter at").start as u64)]);
    assert!(report.problems[0].what.contains("contents"), "{:?}", report.problems);
    assert_eq!(check(&ours).problems, []);
}

#[test]
fn a_store_that_is_open_is_neither_checked_nor_salvaged() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"key", b"value").unwrap();
    let shared = Arc::new(disk.clone());
    let checked = check_with(shared.clone(), Path::new(DIR), &mut |_| ());
    assert!(matches!(checked, Err(Error::Locked { .. })), "{checked:?}");
    let salvaged = salvage_with(shared, Path::new(DIR), Path::new(NEW), on_demand(), &mut |_| ());
    assert!(matches!(salvaged, Err(Error::Locked { .. })), "{salvaged:?}");
}
