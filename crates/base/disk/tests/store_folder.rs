//! A folder is taken only by the stage it belongs to, by one at a time, and is otherwise left as it is.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and plays the stranger"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::crash::{Recording, Tree};
use logladder_disk::{Disk, LOCK_FILE, RealDisk, RecordingDisk, StoreFolder, Untouched, cut_torn_tail};
use logladder_engine::{Error, Result, Severity};

const DIR: &str = "/a/store";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn disk_with(files: &[(&str, &[u8])]) -> RecordingDisk {
    let mut tree = Tree::default();
    for (name, bytes) in files {
        tree.put(&path(name), bytes.to_vec());
    }
    RecordingDisk::from_tree(tree)
}

fn open(disk: &RecordingDisk) -> Result<StoreFolder> {
    StoreFolder::open(Arc::new(disk.clone()), Path::new(DIR), "scan-log", 2, |name| name == "store.json")
}

fn assert_untouched(disk: &RecordingDisk) {
    assert_eq!(disk.ops(), [], "nothing may be changed");
}

#[test]
fn a_new_folder_is_made_with_what_is_missing_above_it() {
    let disk = RecordingDisk::new();
    let folder = open(&disk).unwrap();
    assert_eq!(disk.read(&folder.path(LOCK_FILE)).unwrap(), b"logladder scan-log 2\n");
}

#[test]
fn a_file_brought_from_elsewhere_is_accepted_and_a_stranger_is_not() {
    open(&disk_with(&[("store.json", b"[]\n")])).unwrap();
    let disk = disk_with(&[("store.json", b"[]\n"), ("thesis.txt", b"years of work")]);
    let error = open(&disk).unwrap_err();
    assert!(
        matches!(error, Error::ForeignStore { .. }) && error.to_string().contains("thesis.txt"),
        "{error}"
    );
    assert_untouched(&disk);
}

#[test]
fn a_store_of_another_stage_is_refused_by_name() {
    let disk = disk_with(&[(LOCK_FILE, b"logladder json-file 1\n")]);
    let error = open(&disk).unwrap_err();
    assert!(matches!(error, Error::ForeignStore { .. }), "{error}");
    assert!(error.to_string().contains("a store of stage json-file"), "{error}");
    assert_untouched(&disk);
}

#[test]
fn a_newer_version_is_refused_by_number() {
    let disk = disk_with(&[(LOCK_FILE, b"logladder scan-log 3\n")]);
    let error = open(&disk).unwrap_err();
    assert!(matches!(error, Error::UnsupportedVersion { found: 3, supported: 2, .. }), "{error}");
    assert_untouched(&disk);
}

#[test]
fn a_lock_file_that_says_something_else_is_left_alone() {
    let disk = disk_with(&[(LOCK_FILE, b"hello")]);
    assert!(matches!(open(&disk), Err(Error::Corrupt { .. })));
    assert_untouched(&disk);
}

#[test]
fn a_path_that_is_a_file_is_refused() {
    let mut tree = Tree::default();
    tree.put(Path::new(DIR), b"a file".to_vec());
    let disk = RecordingDisk::from_tree(tree);
    assert!(matches!(open(&disk), Err(Error::Io { .. })));
    assert_untouched(&disk);
}

#[test]
fn a_second_owner_is_refused_until_the_first_is_gone() {
    let disk = RecordingDisk::new();
    let first = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(Error::Locked { .. })));
    drop(first);
    open(&disk).unwrap();
}

#[test]
fn unfinished_temporary_files_are_removed_and_kept_tails_are_not() {
    let disk = disk_with(&[("store.json.tmp", b"half"), ("store.json.torn-7", b"tail")]);
    let folder = open(&disk).unwrap();
    let names: Vec<String> = folder.list().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, [LOCK_FILE, "store.json.torn-7"]);
}

fn names(folder: &StoreFolder) -> Vec<String> {
    folder.list().unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_strangers_temporary_file_is_never_removed() {
    for stranger in ["thesis.tmp", "thesis.torn-1", "store.json2.tmp", "LOGLADDER.tmp"] {
        let disk = disk_with(&[(stranger, b"years of work")]);
        assert!(matches!(open(&disk), Err(Error::ForeignStore { .. })), "{stranger}");
        assert_untouched(&disk);
        let disk = RecordingDisk::new();
        drop(open(&disk).unwrap());
        disk.create(&path(stranger)).unwrap();
        assert_eq!(names(&open(&disk).unwrap()), [LOCK_FILE, stranger]);
    }
}

#[test]
fn an_unfinished_claim_lets_nobody_take_a_strangers_folder() {
    for claim in [&b""[..], b"\0\0\0", b"logladder scan-log 2", b"logladder sc\0\0"] {
        let disk = disk_with(&[(LOCK_FILE, claim), ("database.json", b"{}")]);
        assert!(matches!(open(&disk), Err(Error::ForeignStore { .. })), "{claim:?}");
        assert_untouched(&disk);
        open(&disk_with(&[(LOCK_FILE, claim), ("store.json", b"")])).unwrap();
    }
}

/// What a check says of the folder as it would be opened.
fn look(disk: &RecordingDisk) -> Result<Untouched> {
    let shared = Arc::new(disk.clone());
    Untouched::open(shared, Path::new(DIR), "scan-log", 2, |name| name == "store.json")
}

const RIGHT: &[u8] = b"logladder scan-log 2\n";

/// What the lock file says, from nothing at all to another store's.
const CLAIMS: [&[u8]; 8] = [
    b"",
    b"\0\0\0",
    b"logladder sc\0\0",
    b"logladder scan-log 2",
    RIGHT,
    b"logladder scan-log 2\n\0",
    b"logladder json-file 1\n",
    b"nonsense",
];

#[test]
fn a_check_calls_a_stranger_or_a_folder_damage_just_where_it_keeps_the_store_from_opening() {
    for claim in [None, Some(&b""[..]), Some(b"logladder sc\0\0"), Some(RIGHT)] {
        for (name, is_folder) in ["thesis", "store.json.tmp", "store.json.torn-7", "store.json.torn-\u{fffd}"]
            .into_iter()
            .flat_map(|name| [(name, false), (name, true)])
        {
            let disk = disk_with(&[("store.json", b"")]);
            if let Some(claim) = claim {
                disk.create(&path(LOCK_FILE)).unwrap().append(claim).unwrap();
            }
            let judge = if is_folder {
                disk.create_dir(&path(name)).unwrap();
                Untouched::judge_folder
            } else {
                disk.create(&path(name)).unwrap();
                Untouched::judge_other_file
            };
            let is_damage = judge(&look(&disk).unwrap(), name).severity == Severity::Damage;
            assert_eq!(is_damage, open(&disk).is_err(), "{claim:?}, {name}, a folder: {is_folder}");
        }
    }
}

#[test]
fn a_check_calls_a_lock_file_damage_just_where_it_keeps_the_store_from_opening() {
    for claim in CLAIMS {
        let disk = disk_with(&[(LOCK_FILE, claim), ("store.json", b"")]);
        let problem = look(&disk).unwrap().judge_lock_file(claim);
        let is_damage = problem.as_ref().is_some_and(|problem| problem.severity == Severity::Damage);
        assert_eq!(is_damage, open(&disk).is_err(), "{claim:?}");
        assert_eq!(problem.is_none(), claim == RIGHT, "{claim:?}");
    }
}

/// A copy or a repair may have ended there.
#[test]
fn a_folder_that_nothing_has_claimed_yet_is_no_store_to_a_check() {
    for claim in CLAIMS {
        let looked = look(&disk_with(&[(LOCK_FILE, claim)]));
        let is_store = !matches!(looked, Err(Error::ForeignStore { .. }));
        assert_eq!(is_store, claim == RIGHT, "{claim:?}: {looked:?}");
    }
}

#[test]
fn a_folder_under_the_name_of_a_file_of_the_store_is_refused_and_nothing_is_changed() {
    for name in ["store.json", "store.json.tmp", "store.json.torn-7", "store.json.torn-7.tmp"] {
        let disk = disk_with(&[(LOCK_FILE, b"logladder scan-log 2\n"), ("store.json.torn-8.tmp", b"")]);
        disk.create_dir(&path(name)).unwrap();
        let before = disk.op_count();
        let error = open(&disk).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: a folder stands where the store wants a file")), "{error}");
        assert_eq!(disk.op_count(), before);
    }
}

#[test]
fn before_the_claim_no_file_is_changed_and_the_lock_is_held() {
    let disk = disk_with(&[("store.json.tmp", b"half")]);
    let owns = |name: &str| name == "store.json";
    let unclaimed =
        StoreFolder::open_unclaimed(Arc::new(disk.clone()), Path::new(DIR), "scan-log", 2, owns).unwrap();
    assert_eq!(names(&unclaimed), [LOCK_FILE, "store.json.tmp"]);
    assert_eq!(disk.read(&path(LOCK_FILE)).unwrap(), b"");
    assert!(matches!(open(&disk), Err(Error::Locked { .. })));
    unclaimed.claim().unwrap();
    assert_eq!(names(&unclaimed), [LOCK_FILE]);
    assert_eq!(disk.read(&path(LOCK_FILE)).unwrap(), b"logladder scan-log 2\n");
}

/// Such a name is listed with a substitute for what is not UTF-8.
#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_name_is_not_utf_8_is_left_alone_and_another_is_not_taken_for_it() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let open = || StoreFolder::open(RealDisk::shared(), dir.path(), "scan-log", 2, |_| true);
    drop(open().unwrap());
    let stranger = dir.path().join(std::ffi::OsStr::from_bytes(b"\xff.tmp"));
    std::fs::write(&stranger, "a stranger's").unwrap();
    std::fs::write(dir.path().join("\u{fffd}.tmp"), "another's").unwrap();
    drop(open().unwrap());
    assert_eq!(std::fs::read(&stranger).unwrap(), b"a stranger's");
    assert!(dir.path().join("\u{fffd}.tmp").exists());
}

#[test]
fn a_crash_anywhere_in_making_a_folder_leaves_one_that_opens() {
    let disk = RecordingDisk::new();
    drop(open(&disk).unwrap());
    let recording = Recording::of(&disk);
    for after in 0..=recording.ops.len() {
        for image in recording.images_at(after) {
            let again = RecordingDisk::from_tree(image.tree);
            open(&again).unwrap_or_else(|error| panic!("{:?} after {after}: {error}", image.loss));
        }
    }
}

#[test]
fn a_torn_tail_is_kept_before_it_is_cut_whatever_crash_comes_between() {
    let start = disk_with(&[("log", b"good records|torn")]).tree();
    let cut = |disk: &RecordingDisk| {
        let file = disk.open(&path("log")).unwrap();
        if file.len() > 12 { cut_torn_tail(disk, &*file, 12).map(Some) } else { Ok(None) }
    };
    let disk = RecordingDisk::from_tree(start);
    let repair = cut(&disk).unwrap().unwrap();
    assert_eq!((repair.offset, repair.len, &repair.kept), (12, 5, &path("log.torn-12")));
    let recording = Recording::of(&disk);
    for after in 0..=recording.ops.len() {
        for image in recording.images_at(after) {
            let again = RecordingDisk::from_tree(image.tree);
            cut(&again).unwrap();
            assert_eq!(again.read(&path("log")).unwrap(), b"good records");
            assert_eq!(again.read(&path("log.torn-12")).unwrap(), b"|torn", "{:?}", image.loss);
        }
    }
}

#[test]
fn two_tails_cut_at_the_same_place_are_both_kept() {
    let disk = disk_with(&[("log", b"good|")]);
    for torn in [&b"first"[..], b"second"] {
        let file = disk.open(&path("log")).unwrap();
        file.append(torn).unwrap();
        cut_torn_tail(&disk, &*file, 5).unwrap();
    }
    assert_eq!(disk.read(&path("log.torn-5")).unwrap(), b"first");
    assert_eq!(disk.read(&path("log.torn-5-1")).unwrap(), b"second");
}

#[test]
fn a_tail_is_kept_with_no_more_than_a_block_of_the_zeros_at_its_end_and_reported_whole() {
    let zeros = |len| vec![0; len];
    for (tail, kept_len) in [
        (b"torn\0\0\0".to_vec(), 7),
        (zeros(4), 4),
        (zeros(300_000), 262_144),
        ([&b"torn"[..], &zeros(300_000)].concat(), 4 + 262_144),
        ([&b"torn"[..], &zeros(300_000), b"more"].concat(), 300_008),
    ] {
        let disk = disk_with(&[("log", &[b"good|", &tail[..]].concat())]);
        let repair = cut_torn_tail(&disk, &*disk.open(&path("log")).unwrap(), 5).unwrap();
        assert_eq!((repair.offset, repair.len), (5, tail.len() as u64));
        assert!(disk.read(&repair.kept).unwrap() == tail[..kept_len]);
        assert_eq!(disk.read(&path("log")).unwrap(), b"good|");
    }
}

#[test]
fn a_tail_longer_than_a_block_is_kept_byte_for_byte() {
    let tail: Vec<u8> = (0..700_000_u32).map(|number| (number % 251) as u8 + 1).collect();
    let disk = disk_with(&[("log", &[b"good|", &tail[..]].concat())]);
    for _ in 0..2 {
        let repair = cut_torn_tail(&disk, &*disk.open(&path("log")).unwrap(), 5).unwrap();
        // The same bytes at the same place, as after a crash in between, are kept once.
        assert_eq!(repair.kept, path("log.torn-5"));
        assert!(disk.read(&repair.kept).unwrap() == tail);
        disk.open(&path("log")).unwrap().append(&tail).unwrap();
    }
}

#[test]
fn a_long_tail_of_zeros_is_cut_and_reported_and_takes_little_space() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    std::fs::write(&log, b"good|").unwrap();
    std::fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(1 << 28).unwrap();
    let repair = cut_torn_tail(&RealDisk, &*RealDisk.open(&log).unwrap(), 5).unwrap();
    assert_eq!(repair.len, (1 << 28) - 5);
    assert_eq!(std::fs::metadata(&repair.kept).unwrap().len(), 256 * 1024);
    assert_eq!(std::fs::read(&log).unwrap(), b"good|");
}

/// Where a copy would lie is looked at, and not how that place is called.
#[test]
fn a_copy_is_refused_in_the_folder_of_its_store_however_that_is_called() {
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("store");
    let folder =
        StoreFolder::open(RealDisk::shared(), &dir, "scan-log", 2, |name| name == "store.json").unwrap();
    for name in ["other", "store/sub"] {
        std::fs::create_dir(above.path().join(name)).unwrap();
    }
    std::os::unix::fs::symlink(dir.join("sub"), above.path().join("into the store")).unwrap();
    std::os::unix::fs::symlink(above.path().join("other"), dir.join("out of the store")).unwrap();
    for inside in [
        "store/new",
        "store/sub",
        "other/../store/new",
        "into the store",
        "into the store/new/er",
        "store/../store/new",
    ] {
        let error = folder.check_copy_target(&above.path().join(inside)).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{inside}: {error}");
        assert!(!above.path().join("store/new").exists() && !dir.join("sub/new").exists(), "{inside}");
    }
    for outside in ["new", "store of another name", "store/../new", "store/out of the store/new", "other"] {
        folder.check_copy_target(&above.path().join(outside)).unwrap();
    }
    // One that is named from the working directory on, and lies elsewhere.
    folder.check_copy_target(Path::new("new")).unwrap();
}
