//! What opening does with files that a crash or damage has left.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::crash::Tree;
use logladder_disk::{Disk, OpenOn, RecordingDisk};
use logladder_engine::{Engine, Error, SyncPolicy};
use logladder_replay_log::{Housekeeping, Options, Persistence, ReplayLog};

const DIR: &str = "/store";
const AOF: &str = "appendonly-0000000001.aof";
const SUMS: &str = "appendonly-0000000001.sums";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn options() -> Options {
    Options::default().with_housekeeping(Housekeeping::OnDemand).with_hash_key(*b"the same, always")
}

fn try_open(disk: &RecordingDisk) -> Result<ReplayLog, Error> {
    ReplayLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options())
}

fn key(number: usize) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

/// Twenty keys in one file of lines, not closed: nothing is summed.
fn twenty_lines() -> Tree {
    let disk = RecordingDisk::new();
    let store = try_open(&disk).unwrap();
    (0..20).for_each(|number| store.set(&key(number), format!("value {number}").as_bytes()).unwrap());
    drop(store);
    disk.tree()
}

fn bytes(tree: &Tree, name: &str) -> Vec<u8> {
    let wanted = path(name);
    tree.files().find(|(path, _)| *path == wanted).unwrap().1.to_vec()
}

fn with(tree: &Tree, name: &str, bytes: Vec<u8>) -> RecordingDisk {
    let mut tree = tree.clone();
    tree.put(&path(name), bytes);
    RecordingDisk::from_tree(tree)
}

/// How many of the twenty are there: the first ones, and no others.
fn first_ones(store: &ReplayLog) -> usize {
    let is_there = |number| store.get(&key(number)).unwrap().is_some();
    let count = (0..20).take_while(|&number| is_there(number)).count();
    assert!(!(count..20).any(is_there), "one is missing before another");
    count
}

#[test]
fn a_torn_last_line_is_cut_kept_and_reported() {
    let tree = twenty_lines();
    let whole = bytes(&tree, AOF);
    for len in 0..whole.len() {
        let disk = with(&tree, AOF, whole[..len].to_vec());
        let lines = whole[..len].split(|&byte| byte == b'\n').count() - 1;
        let start = whole[..len].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let store = try_open(&disk).unwrap();
        if whole[len] == b'\n' {
            // All of it is there but its line feed, which it gets.
            assert_eq!((first_ones(&store), store.repairs().len()), (lines + 1, 0), "cut to {len}");
        } else if len == start {
            assert_eq!((first_ones(&store), store.repairs().len()), (lines, 0), "cut to {len}");
        } else {
            assert_eq!(first_ones(&store), lines, "cut to {len}");
            let [repair] = store.repairs() else { panic!("cut to {len}: one repair") };
            assert_eq!((repair.offset, repair.len), (start as u64, (len - start) as u64), "cut to {len}");
            assert_eq!(disk.read(&repair.kept).unwrap(), whole[start..len], "cut to {len}");
        }
        store.set(b"more", b"written").unwrap();
        drop(store);
        let store = try_open(&disk).unwrap();
        assert_eq!(store.repairs(), [], "cut to {len}: the second time nothing is left to repair");
        assert_eq!(store.get(b"more").unwrap().as_deref(), Some(&b"written"[..]));
    }
}

#[test]
fn zeros_at_the_end_are_cut_off_and_zeros_before_a_line_are_not() {
    let tree = twenty_lines();
    let whole = bytes(&tree, AOF);
    let disk = with(&tree, AOF, [&whole[..], &[0; 5_000]].concat());
    let store = try_open(&disk).unwrap();
    assert_eq!((first_ones(&store), store.repairs()[0].len), (20, 5_000));
    let third = whole.split_inclusive(|&byte| byte == b'\n').take(2).map(<[u8]>::len).sum::<usize>();
    let mut zeroed = whole.clone();
    zeroed[third..third + 30].fill(0);
    is_refused(&with(&tree, AOF, zeroed), AOF, third, "line 3");
}

#[track_caller]
fn is_refused(disk: &RecordingDisk, name: &str, offset: usize, what: &str) {
    let before = disk.tree().fingerprint();
    let error = try_open(disk).unwrap_err();
    let Error::Corrupt { path: file, offset: at, .. } = &error else { panic!("{error}") };
    assert_eq!((file, *at), (&path(name), offset as u64), "{error}");
    assert!(error.to_string().contains(what), "{error} does not say {what}");
    assert_eq!(disk.tree().fingerprint(), before, "no file is changed");
}

#[test]
fn a_bad_line_is_an_error_that_names_it_and_nothing_is_changed() {
    let tree = twenty_lines();
    let whole = bytes(&tree, AOF);
    let mut start = 0;
    for (number, line) in whole.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let mut damaged = whole.clone();
        damaged[start] = b'#';
        is_refused(&with(&tree, AOF, damaged), AOF, start, &format!("line {}:", number + 1));
        start += line.len();
    }
}

/// A closed store says what was synced, so that a line which reads well and is wrong is found too.
#[test]
fn a_line_that_reads_well_and_is_not_what_was_synced_is_refused() {
    let disk = RecordingDisk::new();
    let store = Box::new(try_open(&disk).unwrap());
    (0..20).for_each(|number| store.set(&key(number), b"anna").unwrap());
    store.close().unwrap();
    let tree = disk.tree();
    let text = String::from_utf8(bytes(&tree, AOF)).unwrap();
    is_refused(&with(&tree, AOF, text.replacen("anna", "bnna", 1).into_bytes()), AOF, 0, "checksum");
    // Without its sums a line is taken as it is.
    let disk = with(&tree, AOF, text.replacen("anna", "bnna", 1).into_bytes());
    disk.remove(&path(SUMS)).unwrap();
    assert_eq!(try_open(&disk).unwrap().get(&key(0)).unwrap().as_deref(), Some(&b"bnna"[..]));
}

/// No crash takes what was synced: it is no torn tail.
#[test]
fn lines_that_were_synced_and_are_gone_are_damage_wherever_they_were_cut_off() {
    let disk = RecordingDisk::new();
    let store = Box::new(try_open(&disk).unwrap());
    (0..20).for_each(|number| store.set(&key(number), b"value").unwrap());
    store.close().unwrap();
    let tree = disk.tree();
    let whole = bytes(&tree, AOF);
    for len in 0..whole.len() {
        // What is left of a line that lacks its line feed alone still reads.
        let lines = whole[..=len].split(|&byte| byte == b'\n').count() - 1;
        let end = if whole[len] == b'\n' {
            len
        } else {
            whole[..len].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
        };
        let disk = with(&tree, AOF, whole[..len].to_vec());
        is_refused(&disk, AOF, end, &format!("{} synced bytes are missing", whole.len() - len));
        // Who can do without them says so.
        disk.remove(&path(SUMS)).unwrap();
        assert_eq!(first_ones(&try_open(&disk).unwrap()), lines, "cut to {len}");
    }
}

/// A store with a snapshot, and a line behind it.
fn with_snapshot() -> (Tree, String) {
    let disk = RecordingDisk::new();
    let store = Box::new(try_open(&disk).unwrap());
    (0..20).for_each(|number| store.set(&key(number), b"value").unwrap());
    store.snapshot().unwrap();
    store.set(&key(0), b"newer").unwrap();
    store.close().unwrap();
    let tree = disk.tree();
    let names = tree.files().map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned());
    let snapshot = names.filter(|name| name.ends_with(".snapshot")).last().unwrap();
    (tree, snapshot)
}

#[test]
fn a_snapshot_that_is_cut_or_flipped_anywhere_is_refused_by_name() {
    let (tree, name) = with_snapshot();
    let whole = bytes(&tree, &name);
    let refused = |bytes: Vec<u8>, how: &str| {
        let disk = with(&tree, &name, bytes);
        let before = disk.tree().fingerprint();
        let error = try_open(&disk).unwrap_err();
        let Error::Corrupt { path: file, .. } = &error else { panic!("{how}: {error}") };
        assert_eq!((file, disk.tree().fingerprint()), (&path(&name), before), "{how}: {error}");
    };
    for len in 0..whole.len() {
        refused(whole[..len].to_vec(), &format!("cut to {len}"));
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(flipped, &format!("bit {bit}"));
    }
    refused([&whole[..], b"x"].concat(), "a byte more");
}

#[test]
fn a_listed_file_that_is_missing_is_named() {
    let (tree, snapshot) = with_snapshot();
    for name in [snapshot.as_str(), "appendonly-0000000002.aof", "MANIFEST"] {
        let disk = RecordingDisk::from_tree(tree.clone());
        disk.remove(&path(name)).unwrap();
        let before = disk.tree().fingerprint();
        let error = try_open(&disk).unwrap_err();
        assert!(
            matches!(error, Error::Corrupt { .. }) && error.to_string().contains(name),
            "{name}: {error}"
        );
        assert_eq!(disk.tree().fingerprint(), before, "{name}");
    }
}

#[test]
fn what_an_interrupted_rewrite_left_is_removed() {
    let (tree, _) = with_snapshot();
    let strays =
        ["appendonly-0000000009.aof", "base-0000000009.snapshot", "base-0000000008.aof", "MANIFEST.tmp"];
    let mut with_strays = tree.clone();
    for stray in strays {
        with_strays.put(&path(stray), b"left over".to_vec());
    }
    let disk = RecordingDisk::from_tree(with_strays);
    let store = try_open(&disk).unwrap();
    assert_eq!(store.get(&key(0)).unwrap().as_deref(), Some(&b"newer"[..]));
    assert_eq!(store.repairs(), []);
    for stray in strays {
        assert!(disk.entry(&path(stray)).unwrap().is_none(), "{stray}");
    }
}

/// The loss window of snapshots alone: what has changed since the last one, and nothing else.
#[test]
fn without_lines_a_crash_takes_what_has_changed_since_the_last_snapshot() {
    let disk = RecordingDisk::new();
    let options = options().with_persistence(Persistence::Snapshots).with_sync(SyncPolicy::Always);
    let open = || ReplayLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options.clone()).unwrap();
    let store = open();
    store.set(b"before", b"1").unwrap();
    store.snapshot().unwrap();
    let ops = disk.op_count();
    store.set(b"before", b"2").unwrap();
    store.set(b"after", b"1").unwrap();
    assert_eq!(disk.op_count(), ops, "a set touches no file");
    drop(store);
    let store = open();
    assert_eq!(store.get(b"before").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(store.get(b"after").unwrap(), None);
    store.set(b"after", b"2").unwrap();
    store.sync().unwrap();
    drop(store);
    assert_eq!(open().get(b"after").unwrap().as_deref(), Some(&b"2"[..]));
}
