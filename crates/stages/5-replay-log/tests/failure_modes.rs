//! Each failure mode of engines like these that can be one of this engine's, and the tests that show that it is not. A
//! name stands for a test of this crate, of the contract that `tests/contract.rs` holds this stage to, of the disk below
//! it, or of the facade that holds every stage. The test below looks for each.
//!
//! | # | what goes wrong elsewhere | what shows that it does not here |
//! |---|---|---|
//! | 2 | compaction overwrites a newer concurrent write | `a_write_at_any_step_of_a_rewrite_is_kept`, `compactions_during_writes_lose_nothing` |
//! | 3 | installing a compaction is not repeatable | `every_crash_image_opens_with_what_was_promised`, `lines_and_a_snapshot_survive_a_fault_at_any_system_call` |
//! | 4 | the source is removed before the copy is synced | `each_rule_that_is_left_out_is_noticed`, `every_crash_image_opens_with_what_was_promised` |
//! | 5 | a rotated segment is never synced | `files_that_are_never_synced_are_noticed`, `every_crash_image_opens_with_what_was_promised` |
//! | 8 | damage in the middle of a log cuts off the valid records behind it | `a_bad_line_is_an_error_that_names_it_and_nothing_is_changed` |
//! | 10 | a torn tail refuses to open | `a_torn_last_line_is_cut_kept_and_reported`, `zeros_at_the_end_are_cut_off_and_zeros_before_a_line_are_not` |
//! | 11 | a partial append, then good appends behind garbage | `a_write_whose_line_or_sync_failed_changes_nothing_in_memory_and_is_the_last` |
//! | 12 | a write or sync error is swallowed, and a later sync says Ok | `after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken`, `a_rewrite_in_the_background_that_failed_is_told_by_close_and_loses_nothing` |
//! | 13 | the directory is not synced after create, rename, remove | `folders_that_are_never_synced_are_noticed` |
//! | 14 | an interrupted recovery bricks the store | `every_crash_image_opens_with_what_was_promised`, `what_an_interrupted_rewrite_left_is_removed` |
//! | 15 | a stale lock file, or a recycled process id, keeps the owner out | `a_killed_owner_loses_nothing_it_acknowledged_and_its_lock_is_free` |
//! | 16 | the lock file is unlinked on release, so two owners | `an_open_store_is_not_opened_twice` |
//! | 18 | lengths wrap | `a_value_over_the_limit_is_refused_and_nothing_changes` |
//! | 19 | a magic value inside the data means "deleted" | `what_looks_like_a_line_is_a_value` |
//! | 20 | the checksum leaves out the header | `a_snapshot_that_is_cut_or_flipped_anywhere_is_refused_by_name` |
//! | 22 | an iteration sees what compaction does | `a_consistent_visit_keeps_what_compaction_would_take` |
//! | 23 | a reader holds a file that compaction removed | `who_follows_the_lines_goes_on_when_a_rewrite_removes_them` |
//! | 24 | memory explodes: the index, a queue of merges | `overwriting_without_end_takes_no_more_files` |
//! | 25 | an untrusted length is allocated | `absurd_numbers_under_right_checksums_are_refused`, `files_of_absurd_length_are_not_read_into_memory` |
//! | 26 | an empty or corrupt snapshot blocks opening | `what_an_interrupted_rewrite_left_is_removed`, `a_snapshot_that_is_cut_or_flipped_anywhere_is_refused_by_name` |
//! | 27 | one panic under a lock poisons everything | `after_a_panic_in_a_rewrite_reads_and_writes_go_on` |

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use logladder_contract::{Deed, WatchedDisk};
use logladder_disk::{Disk, OpenOn, RealDisk, RecordingDisk};
use logladder_engine::{Changes, Engine, Error, SyncPolicy};
use logladder_replay_log::{Housekeeping, Options, Persistence, ReplayLog};

const DIR: &str = "/store";

fn options() -> Options {
    Options::default().with_housekeeping(Housekeeping::OnDemand).with_sync(SyncPolicy::Never)
}

fn open(disk: Arc<dyn Disk>, options: Options) -> ReplayLog {
    ReplayLog::open_on(disk, Path::new(DIR), options).unwrap()
}

#[test]
fn each_failure_mode_has_a_test_that_exists() {
    let numbers =
        logladder_contract::failure_modes(env!("CARGO_MANIFEST_DIR"), include_str!("failure_modes.rs"));
    assert_eq!(numbers, [2, 3, 4, 5, 8, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 22, 23, 24, 25, 26, 27]);
}

/// Failure mode 2: at each name that a rewrite touches, a key that it has to write, one that is new, and one that goes.
#[test]
fn a_write_at_any_step_of_a_rewrite_is_kept() {
    for persistence in [Persistence::Both, Persistence::AppendOnly] {
        let (mut moment, mut last) = (0, 1);
        while moment < last {
            let disk = RecordingDisk::new();
            let place: Arc<OnceLock<Weak<ReplayLog>>> = Arc::default();
            let deeds = Arc::new(AtomicUsize::new(0));
            let watched = WatchedDisk::new(&disk, {
                let (place, deeds) = (Arc::clone(&place), Arc::clone(&deeds));
                move |_: Deed, _: &str| {
                    let Some(store) = place.get().and_then(Weak::upgrade) else { return Ok(()) };
                    if deeds.fetch_add(1, Ordering::SeqCst) == moment {
                        store.set(b"overwritten", b"new")?;
                        store.set(b"added", b"new")?;
                        store.delete(b"deleted")?;
                    }
                    Ok(())
                }
            });
            let store = Arc::new(open(watched, options().with_persistence(persistence)));
            for key in [&b"overwritten"[..], b"deleted", b"kept"] {
                store.set(key, b"old").unwrap();
            }
            place.set(Arc::downgrade(&store)).unwrap();
            store.snapshot().unwrap();
            last = deeds.swap(usize::MAX / 2, Ordering::SeqCst);
            drop(store);
            let store = open(Arc::new(disk), options().with_persistence(persistence));
            let value = |key: &[u8]| store.get(key).unwrap();
            let when = format!("{persistence:?}, at step {moment} of {last}");
            assert_eq!(value(b"overwritten").as_deref(), Some(&b"new"[..]), "{when}");
            assert_eq!(value(b"added").as_deref(), Some(&b"new"[..]), "{when}");
            assert_eq!(value(b"kept").as_deref(), Some(&b"old"[..]), "{when}");
            assert_eq!(value(b"deleted"), None, "{when}");
            moment += 1;
        }
        assert!(last > 8, "a rewrite has more steps than {last}");
    }
}

#[test]
fn what_looks_like_a_line_is_a_value() {
    let disk = RecordingDisk::new();
    let odd: [&[u8]; 5] = [
        br#"{"operation":"DEL","key":"key"}"#,
        b"\"}\n{\"operation\":\"DEL\",\"key\":\"key\"}\n",
        br#"{"$base64":"AAEC"}"#,
        b"\xFF\0",
        b"LLRE",
    ];
    for text in odd {
        let store = open(Arc::new(disk.clone()), options());
        store.set(text, text).unwrap();
        store.set(b"key", text).unwrap();
        drop(store);
        let store = open(Arc::new(disk.clone()), options());
        assert_eq!(store.get(text).unwrap().as_deref(), Some(text));
        assert_eq!(store.get(b"key").unwrap().as_deref(), Some(text));
        store.snapshot().unwrap();
    }
}

/// Failure mode 23.
#[test]
fn who_follows_the_lines_goes_on_when_a_rewrite_removes_them() {
    let store = open(Arc::new(RecordingDisk::new()), options());
    let start = store.position().unwrap();
    (0..100_u8).for_each(|number| store.set(&[number], b"value").unwrap());
    let mut shown = Vec::new();
    let mut visit = |change: &logladder_engine::Change<'_>| {
        if shown.len() == 10 {
            store.snapshot().unwrap();
        }
        shown.push(change.key[0]);
        ControlFlow::Continue(())
    };
    store.changes(start, &mut visit).unwrap();
    assert!(shown.into_iter().eq(0..100));
    assert!(matches!(store.changes(start, &mut |_| ControlFlow::Continue(())), Err(Error::Compacted { .. })));
}

/// Failure mode 24, on the disk: each rewrite leaves two files and the manifest.
#[test]
fn overwriting_without_end_takes_no_more_files() {
    let disk = RecordingDisk::new();
    let store = open(Arc::new(disk.clone()), options());
    for round in 0..50_u32 {
        store.set(b"key", &round.to_le_bytes()).unwrap();
        store.snapshot().unwrap();
    }
    let names: Vec<String> = disk.list(Path::new(DIR)).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

/// Failure mode 25: numbers that someone has forged, with the checksums that belong to them.
#[test]
fn absurd_numbers_under_right_checksums_are_refused() {
    let disk = RecordingDisk::new();
    let store = open(Arc::new(disk.clone()), options());
    store.set(b"key", b"value").unwrap();
    store.snapshot().unwrap();
    drop(store);
    let tree = disk.tree();
    let name = "/store/base-0000000003.snapshot";
    let whole = tree.files().find(|(path, _)| *path == Path::new(name)).unwrap().1.to_vec();
    let footer = whole.len() - 28;
    // Lengths and counts of the block, of its record, and of the footer.
    for at in [20, 24, 28, 36, 38, footer + 4, footer + 8, footer + 16] {
        let mut forged = whole.clone();
        forged[at..at + 2].fill(0xFF);
        let block = crc32fast::hash(&[&forged[20..32], &forged[36..footer]].concat());
        forged[32..36].copy_from_slice(&block.to_le_bytes());
        let ends = crc32fast::hash(&[&forged[..20], &forged[footer..footer + 24]].concat());
        forged[footer + 24..].copy_from_slice(&ends.to_le_bytes());
        let mut tree = tree.clone();
        tree.put(Path::new(name), forged);
        // And the manifest's, which repeats that of the ends.
        let manifest = tree.files().find(|(path, _)| path.ends_with("MANIFEST")).unwrap().1.to_vec();
        let text = String::from_utf8(manifest).unwrap();
        let old = crc32fast::hash(&[&whole[..20], &whole[footer..footer + 24]].concat());
        let text = text.replace(&format!("{old:08x}"), &format!("{ends:08x}"));
        let (lines, _) = text.rsplit_once("crc32").unwrap();
        let text = format!("{lines}crc32 {:08x}\n", crc32fast::hash(lines.as_bytes()));
        tree.put(Path::new("/store/MANIFEST"), text.into_bytes());
        let disk = Arc::new(RecordingDisk::from_tree(tree));
        let refused = ReplayLog::open_on(disk, Path::new(DIR), options()).unwrap_err();
        assert!(
            matches!(&refused, Error::Corrupt { path, .. } if path == Path::new(name)),
            "{at}: {refused}"
        );
    }
}

/// Failure mode 25: files with a tebibyte of nothing behind what they held, which takes no space on the disk.
#[test]
#[allow(clippy::disallowed_methods, reason = "the test plays the stranger")]
fn files_of_absurd_length_are_not_read_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let lengthen = |name: &str| {
        let file = std::fs::OpenOptions::new().append(true).open(folder.path().join(name)).unwrap();
        file.set_len(1 << 40).unwrap();
    };
    let open = || ReplayLog::open_on(RealDisk::shared(), folder.path(), options());
    let store = open().unwrap();
    store.set(b"key", b"value").unwrap();
    store.sync().unwrap();
    drop(store);
    // What is no sum is cut off, as a torn one is.
    lengthen("appendonly-0000000001.sums");
    assert_eq!(open().unwrap().get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    lengthen("MANIFEST");
    let refused = open().unwrap_err();
    assert!(matches!(&refused, Error::Corrupt { path, .. } if path.ends_with("MANIFEST")), "{refused}");
}

/// Failure mode 27: at each name that a rewrite touches. Nobody else waits for what the rewrite held.
#[test]
fn after_a_panic_in_a_rewrite_reads_and_writes_go_on() {
    let mut moment = 0;
    loop {
        let disk = RecordingDisk::new();
        let deeds = Arc::new(AtomicUsize::new(usize::MAX / 2));
        let watched = WatchedDisk::new(&disk, {
            let deeds = Arc::clone(&deeds);
            move |_: Deed, name: &str| {
                assert!(
                    deeds.fetch_add(1, Ordering::SeqCst) != moment,
                    "the panic that the test wants, at {name}"
                );
                Ok(())
            }
        });
        let store = open(watched, options());
        store.set(b"key", b"old").unwrap();
        deeds.store(0, Ordering::SeqCst);
        let outcome = catch_unwind(AssertUnwindSafe(|| store.snapshot()));
        deeds.store(usize::MAX / 2, Ordering::SeqCst);
        if outcome.is_ok() {
            break;
        }
        store.set(b"key", b"new").unwrap();
        assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"new"[..]), "panic {moment}");
        assert!(
            matches!(store.snapshot(), Err(Error::Poisoned { .. })),
            "panic {moment}: what it left is unknown"
        );
        store.sync().unwrap();
        drop(store);
        let store = open(Arc::new(disk), options());
        assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"new"[..]), "panic {moment}");
        store.snapshot().unwrap();
        moment += 1;
    }
    assert!(moment > 8, "a rewrite has more steps than {moment}");
}
