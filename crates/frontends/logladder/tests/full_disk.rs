//! A disk that is really full, and a file that may really not grow: an error, no lie, nothing lost.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

mod child;

use logladder::{Durability, STAGES, Stage, SyncPolicy};
use logladder_contract::second_process::small_disk::SmallDisk;

fn persistent() -> impl Iterator<Item = &'static Stage> {
    STAGES.iter().filter(|stage| stage.durability(SyncPolicy::Never) > Durability::Never)
}

#[test]
fn a_full_disk_is_an_error_and_what_was_acknowledged_is_there() {
    child::run_if_child();
    for stage in persistent() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let Some(disk) = SmallDisk::mount(folder.path()) else {
            println!("SKIPPED: only root can mount the small file system that this test fills");
            return;
        };
        // A neighbour fills most of the disk, and the child the rest.
        let ballast = vec![0_u8; 40 * 1024];
        let dir = folder.path().join("store");
        #[allow(clippy::disallowed_methods, reason = "not a file of a store")]
        std::fs::write(folder.path().join("ballast"), ballast).expect("40 KiB fit");
        let test = "a_full_disk_is_an_error_and_what_was_acknowledged_is_there";
        let said = child::listen(child::spawn(test, stage, &dir, ""), Some(100_000));
        // A store whose keys repeat and which reclaims space may never fill the disk.
        if let Some(failed) = &said.failed {
            assert!(failed.contains("space"), "{}: {failed}", stage.name);
            assert!(said.refused || failed.contains("at open"), "{}: {said:?}", stage.name);
        }
        println!("{}: {} writes acknowledged, then {:?}", stage.name, said.done, said.failed);
        disk.enlarge();
        child::check(stage, &dir, &said);
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_what_was_acknowledged_is_there() {
    child::run_if_child();
    for stage in persistent() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("store");
        let test = "a_file_that_may_not_grow_is_an_error_and_what_was_acknowledged_is_there";
        // Files of at most one or two kilobytes (the unit differs between shells); the signal is ignored, so
        // that the write is short and then fails.
        let limit = "trap '' XFSZ; ulimit -f 2;";
        let said = child::listen(child::spawn(test, stage, &dir, limit), Some(2_000));
        println!("{}: {} writes acknowledged, then {:?}", stage.name, said.done, said.failed);
        if said.failed.as_deref().is_some_and(|failed| failed.contains("at open")) {
            continue;
        }
        child::check(stage, &dir, &said);
    }
}
