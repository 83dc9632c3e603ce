//! Real processes, really killed: what was acknowledged is there.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

mod child;

use logladder::{Durability, STAGES, SyncPolicy};

/// Kills for each stage. The number of writes before each is spread over a few rotations and rewrites.
const KILLS: u64 = 12;

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    child::run_if_child();
    for stage in STAGES.iter().filter(|stage| stage.durability(SyncPolicy::Never) >= Durability::ProcessCrash)
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for round in 0..KILLS {
            // Each round begins its writes anew over what the last one left, so it starts from an empty store.
            let dir = folder.path().join(round.to_string());
            let test = "what_a_killed_process_acknowledged_is_there";
            let process = child::spawn(test, stage, &dir, "");
            let said = child::listen(process, Some(1 + round * 23));
            assert!(said.done > round * 23, "{}: the child ended early: {said:?}", stage.name);
            child::check(stage, &dir, &said);
        }
        println!("{}: {KILLS} kills, nothing lost", stage.name);
    }
}

#[test]
fn a_second_process_is_refused_while_the_first_has_the_store() {
    child::run_if_child();
    for stage in STAGES.iter().filter(|stage| stage.durability(SyncPolicy::Never) > Durability::Never) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _first = stage.open(folder.path(), SyncPolicy::Never).expect("a store");
        let test = "a_second_process_is_refused_while_the_first_has_the_store";
        let said = child::listen(child::spawn(test, stage, folder.path(), ""), None);
        let failed = said.failed.unwrap_or_default();
        assert!(failed.contains("open already"), "{}: {failed:?}", stage.name);
    }
}
