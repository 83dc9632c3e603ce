//! The folder is moved away, and another stands in its place, in the middle of the engine's work. On a real disk, between
//! calls, `tests/moved_folder.rs` does the same.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use logladder_contract::{Deed, WatchedDisk};
use logladder_disk::{Disk, LOCK_FILE, Op, OpenOn, RecordingDisk};
use logladder_engine::{Compact, Engine};
use logladder_sorted_log::SortedLog;

use crate::bench::{DIR, path, tiny};

/// Every write, flush, merge and new manifest of this asks, before it makes, replaces or removes a file by its name, whether
/// the folder is still there. What stands behind the names of a folder that was put in its place is not the store's.
#[test]
fn from_the_moment_at_which_the_folder_is_moved_no_file_at_its_place_is_made_replaced_or_removed() {
    const ARMED: usize = 10_000;
    let mut moments = 0;
    loop {
        let disk = RecordingDisk::new();
        let (seen, moved_at) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(usize::MAX)));
        let watched = WatchedDisk::new(&disk, {
            let (disk, seen, moved_at) = (disk.clone(), Arc::clone(&seen), Arc::clone(&moved_at));
            move |deed: Deed, _: &str| {
                // A look changes nothing, and the sync of a folder that is not ours does no harm.
                let is_change = matches!(deed, Deed::Create | Deed::Reserve | Deed::Rename | Deed::Remove);
                if is_change && seen.fetch_add(1, Ordering::SeqCst) == moments + ARMED {
                    // The lock file at the place is another's: so is the folder, as far as anyone can tell.
                    disk.create(&path("theirs"))?;
                    disk.rename(&path("theirs"), &path(LOCK_FILE))?;
                    moved_at.store(disk.op_count(), Ordering::SeqCst);
                }
                Ok(())
            }
        });
        let store = SortedLog::open_on(watched, Path::new(DIR), tiny()).unwrap();
        seen.store(ARMED, Ordering::SeqCst);
        let mut outcome = Ok(());
        for number in 0..40_u8 {
            let set = store.set(&[number % 9], &[number; 30]);
            outcome = outcome.and(set);
            if number % 13 == 12 {
                outcome = outcome.and(store.compact().map(drop));
            }
        }
        outcome = outcome.and(store.sync());
        drop(store);
        let moved_at = moved_at.load(Ordering::SeqCst);
        if moved_at == usize::MAX {
            outcome.unwrap();
            break;
        }
        let changes: Vec<Op> = disk
            .ops_behind(moved_at)
            .into_iter()
            .filter(|op| matches!(op, Op::Create { .. } | Op::Rename { .. } | Op::Remove(_)))
            .collect();
        // The one that had asked already.
        assert!(changes.len() <= 1, "moment {moments}: {changes:?}");
        assert!(outcome.is_err(), "moment {moments}: nobody was told");
        moments += 1;
    }
    assert!(moments > 50, "{moments}");
}
