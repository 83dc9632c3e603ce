//! What opening does with files that are not as they should be: what a crash leaves is set right, kept and
//! reported; anything else is refused by its place, and left untouched.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::crash::Tree;
use logladder_disk::{Disk, Fault, Filter, LOCK_FILE, OpenOn, RecordingDisk};
use logladder_engine::{Engine, Error, Open, Result, SyncPolicy};
use logladder_scan_log::{CHECKSUM_FILE, LOG_FILE, Options, ScanLog};

const DIR: &str = "/store";

const LINES: [&str; 4] =
    ["[\"a\",\"1\",false]\n", "[\"b\",\"2\",false]\n", "[\"a\",null,true]\n", "[\"c\",{\"d\":3},false]\n"];

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn open(disk: &RecordingDisk) -> Result<ScanLog> {
    ScanLog::open_on(Arc::new(disk.clone()), Path::new(DIR), Options::default())
}

/// The files after the four writes that make [`LINES`].
fn sound() -> Tree {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"a", b"1").unwrap();
    store.set(b"b", b"2").unwrap();
    store.delete(b"a").unwrap();
    store.set(b"c", b"{\"d\":3}").unwrap();
    disk.tree()
}

fn bytes(tree: &Tree, name: &str) -> Vec<u8> {
    RecordingDisk::from_tree(tree.clone()).read(&path(name)).unwrap()
}

/// The sound files with another log.
fn with_log(log: impl Into<Vec<u8>>) -> Tree {
    let mut tree = sound();
    tree.put(&path(LOG_FILE), log.into());
    tree
}

/// The sound files with other checksums.
fn with_checksums(checksums: impl Into<Vec<u8>>) -> Tree {
    let mut tree = sound();
    tree.put(&path(CHECKSUM_FILE), checksums.into());
    tree
}

/// Opens the store: the log is `lines`, its checksums fit, and the repairs are those of `reported`: which
/// file was cut where, and what was kept of it. Opens it again: there is nothing to repair. Writes: that is
/// there too.
#[track_caller]
fn opens_as(tree: &Tree, lines: &[&str], reported: &[(&str, usize, &[u8])]) {
    let disk = RecordingDisk::from_tree(tree.clone());
    for reported in [reported, &[]] {
        let store = open(&disk).unwrap();
        assert_eq!(store.repairs().len(), reported.len(), "{:?}", store.repairs());
        for (repair, (name, offset, kept)) in store.repairs().iter().zip(reported) {
            assert_eq!(repair.path, path(name));
            assert_eq!((repair.offset, repair.len), (*offset as u64, kept.len() as u64));
            assert_eq!(&disk.read(&repair.kept).unwrap(), kept);
        }
        assert_eq!(disk.read(&path(LOG_FILE)).unwrap(), lines.concat().into_bytes());
        let mut checksums = Vec::new();
        for line in lines {
            checksums.extend_from_slice(format!("{:08x}\n", crc32fast::hash(line.as_bytes())).as_bytes());
        }
        assert_eq!(disk.read(&path(CHECKSUM_FILE)).unwrap(), checksums);
        assert_eq!(store.get(b"c").unwrap().is_some(), lines.len() == 4);
    }
    open(&disk).unwrap().set(b"after", b"the recovery").unwrap();
    assert_eq!(open(&disk).unwrap().get(b"after").unwrap().unwrap(), b"the recovery");
}

/// Opening is refused with this file, offset and part of the message; and nothing is changed.
#[track_caller]
fn is_refused(tree: &Tree, name: &str, offset: usize, message: &str) {
    let disk = RecordingDisk::from_tree(tree.clone());
    let error = open(&disk).unwrap_err();
    match &error {
        Error::Corrupt { path: found, offset: at, .. } => {
            assert_eq!((found, *at), (&path(name), offset as u64), "{error}");
        }
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains(message), "{error}");
    assert_eq!(disk.tree().fingerprint(), tree.fingerprint());
}

#[test]
fn a_sound_store_is_opened_as_it_is() {
    opens_as(&sound(), &LINES, &[]);
}

#[test]
fn a_torn_last_line_is_cut_kept_and_reported_wherever_it_was_torn() {
    let (whole, start) = (LINES.concat(), LINES[..3].concat().len());
    for end in start + 1..whole.len() - 1 {
        // The crash came before the line's checksum was written.
        let mut tree = with_log(&whole[..end]);
        tree.put(&path(CHECKSUM_FILE), bytes(&sound(), CHECKSUM_FILE)[..27].to_vec());
        opens_as(&tree, &LINES[..3], &[(LOG_FILE, start, &whole.as_bytes()[start..end])]);
    }
}

#[test]
fn a_last_line_with_zeros_in_place_of_bytes_is_cut_kept_and_reported() {
    let (whole, start) = (LINES.concat(), LINES[..3].concat().len());
    for zeros in [start..whole.len(), start + 5..whole.len(), start..start + 5, start + 3..start + 4] {
        let mut log = whole.clone().into_bytes();
        log[zeros].fill(0);
        let mut tree = with_log(log.clone());
        tree.put(&path(CHECKSUM_FILE), bytes(&sound(), CHECKSUM_FILE)[..27].to_vec());
        opens_as(&tree, &LINES[..3], &[(LOG_FILE, start, &log[start..])]);
    }
}

#[test]
fn a_line_whose_checksum_was_lost_is_kept_and_gets_it() {
    let good = bytes(&sound(), CHECKSUM_FILE);
    for len in 0..good.len() {
        opens_as(&with_checksums(&good[..len]), &LINES, &[]);
        let mut zeroed = good.clone();
        zeroed[len..].fill(0);
        opens_as(&with_checksums(zeroed), &LINES, &[]);
    }
    let mut tree = sound();
    tree.take(&path(CHECKSUM_FILE));
    opens_as(&tree, &LINES, &[]);
}

#[test]
fn checksums_of_lines_that_are_gone_are_cut_kept_and_reported() {
    let good = bytes(&sound(), CHECKSUM_FILE);
    for lines in 0..3 {
        let tree = with_log(LINES[..lines].concat());
        opens_as(&tree, &LINES[..lines], &[(CHECKSUM_FILE, lines * 9, &good[lines * 9..])]);
    }
}

#[test]
fn a_line_in_the_middle_that_cannot_be_read_is_refused_by_offset_and_number() {
    let mut log = LINES.concat().into_bytes();
    log[LINES[0].len() + 2] = b'"';
    is_refused(&with_log(log.clone()), LOG_FILE, LINES[0].len(), "line 2: it is no entry");
    // Zeros as well: what follows them can be read, so they are not the end.
    log[LINES[0].len() + 1..][..6].fill(0);
    is_refused(&with_log(log), LOG_FILE, LINES[0].len(), "line 2: it is no entry");
}

#[test]
fn a_line_that_is_another_than_its_checksum_says_is_refused_also_if_it_is_the_last() {
    let mut start = 0;
    for (number, line) in LINES.iter().enumerate() {
        let mut log = LINES.concat().into_bytes();
        log[start + 2] = b'z';
        let message = format!("line {}: its checksum is not the one", number + 1);
        is_refused(&with_log(log), LOG_FILE, start, &message);
        start += line.len();
    }
}

#[test]
fn a_last_line_that_was_whole_once_is_damaged_and_not_unfinished() {
    let start = LINES[..3].concat().len();
    let mut log = LINES.concat().into_bytes();
    log[start] = b'{';
    is_refused(&with_log(log.clone()), LOG_FILE, start, "line 4: it is no entry");
    // Without a checksum as well: an unfinished write has no line feed, or zeros.
    let mut tree = with_log(log.clone());
    tree.take(&path(CHECKSUM_FILE));
    is_refused(&tree, LOG_FILE, start, "line 4: it is no entry");
    log.pop();
    tree.put(&path(LOG_FILE), log.clone());
    opens_as(&tree, &LINES[..3], &[(LOG_FILE, start, &log[start..])]);
}

#[test]
fn a_line_feed_that_became_another_byte_is_damage_where_the_checksum_shows_it() {
    let start = LINES[..3].concat().len();
    let mut log = LINES.concat().into_bytes();
    *log.last_mut().unwrap() ^= 1;
    is_refused(
        &with_log(log.clone()),
        LOG_FILE,
        start,
        "line 4: by its checksum its last byte was a line feed",
    );
    // A zero there, or less of the line, is what a loss of power leaves of a write that was not synced.
    *log.last_mut().unwrap() = 0;
    let mut repaired = with_log(log.clone());
    repaired.take(&path(CHECKSUM_FILE));
    opens_as(&repaired, &LINES, &[(LOG_FILE, log.len() - 1, b"\0")]);
}

#[test]
fn a_checksum_that_is_none_is_refused_by_its_own_file() {
    let mut checksums = bytes(&sound(), CHECKSUM_FILE);
    checksums[10] = b'x';
    is_refused(&with_checksums(checksums), CHECKSUM_FILE, 9, "line 2 should be eight hexadecimal digits");
}

#[test]
fn a_missing_log_is_refused_where_its_checksums_prove_that_it_was_there() {
    let mut tree = sound();
    tree.take(&path(LOG_FILE));
    is_refused(&tree, LOG_FILE, 0, "it is missing");
    tree.take(&path(CHECKSUM_FILE));
    opens_as(&tree, &[], &[]);
    // A crash that took the name of the new log, and not that of the other file.
    tree.put(&path(CHECKSUM_FILE), Vec::new());
    opens_as(&tree, &[], &[]);
}

#[test]
fn a_write_that_failed_is_not_read_and_the_next_ones_are_refused_until_the_store_is_opened_again() {
    for (on, after, torn_at) in [
        (Filter::Append, 0, 0),
        (Filter::Append, 0, 7),
        (Filter::Append, 0, LINES[0].len()),
        (Filter::Sync, 0, 0),
        (Filter::Append, 1, 0),
        (Filter::Append, 1, 4),
        (Filter::Sync, 1, 0),
    ] {
        let disk = RecordingDisk::from_tree(sound());
        let store = open(&disk).unwrap();
        disk.inject(Fault { on, after, torn_at, kind: std::io::ErrorKind::StorageFull });
        assert!(matches!(store.set(b"b", b"9"), Err(Error::Io { .. })));
        assert!(matches!(store.set(b"b", b"10"), Err(Error::Poisoned { .. })));
        assert!(matches!(store.delete(b"b"), Err(Error::Poisoned { .. })));
        assert!(matches!(store.sync(), Err(Error::Poisoned { .. })));
        assert_eq!(store.get(b"b").unwrap().unwrap(), b"2", "{on:?} {after} {torn_at}");
        drop(store);
        for _ in 0..2 {
            let store = open(&disk).unwrap();
            let value = store.get(b"b").unwrap().unwrap();
            assert!(value == b"2" || value == b"9");
            store.set(b"b", &value).unwrap();
        }
    }
}

#[test]
fn a_line_whose_sync_failed_is_written_again_so_that_the_next_sync_covers_it() {
    let disk = RecordingDisk::from_tree(sound());
    let store = open(&disk).unwrap();
    disk.inject(Fault { on: Filter::Sync, after: 0, torn_at: 0, kind: std::io::ErrorKind::Other });
    assert!(store.set(b"b", b"9").is_err());
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(store.get(b"b").unwrap().unwrap(), b"9");
    // The power fails: of the store that showed the value, everything is on the disk.
    let recording = logladder_disk::crash::Recording::of(&disk);
    for image in recording.images_at(recording.ops.len()) {
        let reopened = open(&RecordingDisk::from_tree(image.tree)).unwrap();
        assert_eq!(reopened.get(b"b").unwrap().unwrap(), b"9", "{:?}", image.loss);
    }
}

#[test]
fn a_torn_line_in_a_real_folder_is_cut_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = ScanLog::open(folder.path(), Options::default()).unwrap();
    store.set(b"a", b"1").unwrap();
    drop(store);
    let mut log = std::fs::OpenOptions::new().append(true).open(folder.path().join(LOG_FILE)).unwrap();
    std::io::Write::write_all(&mut log, b"[\"b\",\"2").unwrap();
    drop(log);
    let store = ScanLog::open(folder.path(), Options::default()).unwrap();
    assert_eq!(store.get(b"a").unwrap().unwrap(), b"1");
    let [repair] = store.repairs() else { panic!("{:?}", store.repairs()) };
    assert_eq!(std::fs::read(&repair.kept).unwrap(), b"[\"b\",\"2");
    assert_eq!(std::fs::read_to_string(folder.path().join(LOG_FILE)).unwrap(), LINES[0]);
}

#[test]
fn a_last_line_that_lacks_its_line_feed_alone_is_kept_and_gets_it() {
    let whole = LINES.concat();
    let good = bytes(&sound(), CHECKSUM_FILE);
    // Brought from elsewhere, or torn at this very place, before its checksum was written or after.
    for checksums in [None, Some(&good[..27]), Some(&good[..]), Some(&good[..9]), Some(&[])] {
        let mut tree = with_log(&whole[..whole.len() - 1]);
        tree.take(&path(CHECKSUM_FILE));
        if let Some(checksums) = checksums {
            tree.put(&path(CHECKSUM_FILE), checksums.to_vec());
        }
        opens_as(&tree, &LINES, &[]);
    }
}

#[test]
fn a_log_from_elsewhere_without_its_last_line_feed_loses_nothing_in_a_crash() {
    for policy in [SyncPolicy::Always, SyncPolicy::Never] {
        let mut start = RecordingDisk::new().tree();
        start.put(&path(LOG_FILE), b"[\"a\",\"1\",false]\n[\"b\", \"2\", false]".to_vec());
        let disk = RecordingDisk::from_tree(start);
        let options = Options::default().with_sync(policy);
        let store = ScanLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options).unwrap();
        store.set(b"c", b"3").unwrap();
        let recording = logladder_disk::crash::Recording::of(&disk);
        for after in 0..=recording.ops.len() {
            for image in recording.images_at(after) {
                let reopened = open(&RecordingDisk::from_tree(image.tree)).unwrap();
                assert_eq!(reopened.get(b"a").unwrap().unwrap(), b"1", "{:?} after {after}", image.loss);
                assert_eq!(reopened.get(b"b").unwrap().unwrap(), b"2", "{:?} after {after}", image.loss);
            }
        }
    }
}

#[test]
fn a_strangers_file_is_refused_and_nothing_is_changed() {
    let utf_16: Vec<u8> = "[\"a\",\"1\",false]\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long_key = format!("[\"{}\",\"1\",false]\n", "k".repeat(65_536));
    let files = [
        &b"{\"theme\":\"dark\"}\n"[..],
        b"{\"theme\":\"dark\"}",
        b"{\n  \"theme\": \"dark\"\n}\n",
        b"{\n  \"theme\": \"dark\"\n}",
        b"[\"a\",1]\n[\"b\",2]\n",
        b"\xef\xbb\xbf[\"a\",\"1\",false]\n",
        &utf_16,
        &utf_16[..utf_16.len() - 2],
        b"[\"a\",\"1\",false]\r[\"b\",\"2\",false]\r",
        b"[\"a\",\"\\ud800\",false]\n",
        b"[\"a\",{\"$base64\":\"?\"},false]\n",
        long_key.as_bytes(),
        b"[\"a\",\"1\",true]\n",
        b"\n",
        b"\0\0",
    ];
    for file in files {
        let mut tree = RecordingDisk::new().tree();
        tree.put(&path(LOG_FILE), file.to_vec());
        let disk = RecordingDisk::from_tree(tree);
        let error = open(&disk).unwrap_err();
        let shown = file[..file.len().min(40)].escape_ascii().to_string();
        assert!(
            matches!(&error, Error::Corrupt { path: at, offset: 0, .. } if *at == path(LOG_FILE)),
            "{shown}: {error}"
        );
        assert!(error.to_string().contains("line 1: "), "{shown}: {error}");
        assert_eq!(disk.read(&path(LOG_FILE)).unwrap(), file, "{shown}");
        // Not claimed: an empty lock file is all there is beside it.
        assert_eq!(disk.read(&path(LOCK_FILE)).unwrap(), b"");
        assert_eq!(disk.list(Path::new(DIR)).unwrap().len(), 2);
    }
}

#[test]
fn a_whole_line_that_is_no_entry_is_refused_also_behind_good_ones() {
    let start = LINES.concat().len();
    for line in ["[\"a\",\"1\",false,4]\n", "{\"theme\":\"dark\"}\n", "[\"a\",\"1\",true]\n", "\n"] {
        let mut tree = with_log(LINES.concat() + line);
        is_refused(&tree, LOG_FILE, start, "line 5: ");
        tree.take(&path(CHECKSUM_FILE));
        is_refused(&tree, LOG_FILE, start, "line 5: ");
    }
}

#[test]
fn a_torn_line_behind_lines_that_another_program_wrote_is_refused() {
    let mut tree = with_log("[\"a\", \"1\", false]\n[ \"b\",\"2\",false]\n[\"c\",");
    tree.take(&path(CHECKSUM_FILE));
    is_refused(&tree, LOG_FILE, 35, "line 3: ");
}

#[test]
fn a_long_tail_of_zeros_is_cut_and_reported_and_hardly_copied() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join(LOG_FILE);
    ScanLog::open(folder.path(), Options::default()).unwrap().set(b"a", b"1").unwrap();
    std::fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(1 << 28).unwrap();
    let store = ScanLog::open(folder.path(), Options::default()).unwrap();
    assert_eq!(store.get(b"a").unwrap().unwrap(), b"1");
    let [repair] = store.repairs() else { panic!("{:?}", store.repairs()) };
    assert_eq!((repair.offset, repair.len), (LINES[0].len() as u64, (1 << 28) - LINES[0].len() as u64));
    assert_eq!(std::fs::metadata(&repair.kept).unwrap().len(), 256 * 1024);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), LINES[0]);
}

#[test]
fn what_is_left_of_lost_checksums_is_kept_and_reported_wherever_it_begins() {
    let good = bytes(&sound(), CHECKSUM_FILE);
    for start in [1, 5, 8, 30, 35] {
        let mut tree = with_log("");
        tree.put(&path(CHECKSUM_FILE), good[start..].to_vec());
        opens_as(&tree, &[], &[(CHECKSUM_FILE, 0, &good[start..])]);
    }
}
