//! Engines that break the contract fail it: each of these has one line wrong, and the check that is there for
//! it says so.

use logladder_contract::crash::crash_images;
use logladder_contract::{
    CaseOutcome, Verdict, assert_killed_owner_loses_nothing, bit_flips, faults, model, run_cases,
};
use logladder_museum::Bug;

/// The names of the cases that fail.
fn failing_cases(bug: Bug) -> Vec<&'static str> {
    let outcomes = run_cases(&bug.subject());
    let failed = |outcome: &&CaseOutcome| matches!(outcome.verdict, Verdict::Failed(_));
    outcomes.iter().filter(failed).map(|outcome| outcome.name).collect()
}

#[track_caller]
fn fails_case(bug: Bug, name: &str) {
    let failing = failing_cases(bug);
    assert!(failing.contains(&name), "{bug:?} fails {failing:?}");
}

#[test]
fn an_engine_without_a_fault_fails_nothing() {
    assert_eq!(failing_cases(Bug::None), Vec::<&str>::new());
    assert!(crash_images(&Bug::None.subject()).is_ok());
    assert!(faults(&Bug::None.subject()).is_ok());
    assert!(bit_flips(&Bug::None.subject()).is_ok());
    assert!(model(&Bug::None.subject()).is_ok());
}

#[test]
fn a_lost_delete_is_noticed() {
    fails_case(Bug::LosesDeletes, "a_deleted_key_stays_deleted");
    assert!(crash_images(&Bug::LosesDeletes.subject()).is_err());
    assert!(model(&Bug::LosesDeletes.subject()).is_err());
}

#[test]
fn a_missing_sync_is_noticed() {
    // Nothing but a loss of power shows it.
    assert_eq!(failing_cases(Bug::ForgetsToSync), Vec::<&str>::new());
    assert!(crash_images(&Bug::ForgetsToSync.subject()).is_err());
}

#[test]
#[should_panic(expected = "get \"key 0\" gave no value")]
fn a_write_that_dies_with_the_process_is_noticed() {
    let subject = Bug::PromisesTooMuch.subject();
    assert_killed_owner_loses_nothing(
        &subject,
        module_path!(),
        "a_write_that_dies_with_the_process_is_noticed",
    );
}

#[test]
fn a_buffer_that_is_not_cleared_is_noticed() {
    fails_case(Bug::KeepsTheBuffer, "get_into_leaves_an_empty_buffer_for_an_absent_key");
}

#[test]
fn an_old_value_is_noticed() {
    fails_case(Bug::KeepsOldValues, "a_shorter_value_replaces_a_longer_one");
    assert!(model(&Bug::KeepsOldValues.subject()).is_err());
}

#[test]
fn a_record_lost_at_opening_is_noticed() {
    fails_case(Bug::DropsTheLastRecord, "a_closed_store_has_everything_when_it_is_opened_again");
    assert!(model(&Bug::DropsTheLastRecord.subject()).is_err());
}

#[test]
fn a_panic_on_a_torn_tail_is_noticed_and_told_as_a_panic() {
    let violation = crash_images(&Bug::PanicsOnATornTail.subject()).unwrap_err();
    assert_eq!(violation.found, "a panic: the length of a record is out of range");
    assert!(!violation.files.is_empty() && !violation.script.is_empty(), "{violation}");
}

#[test]
fn a_write_after_a_failed_one_is_noticed() {
    assert!(faults(&Bug::WritesBehindGarbage.subject()).is_err());
}

#[test]
fn a_swallowed_sync_error_is_noticed() {
    assert!(faults(&Bug::SwallowsSyncErrors.subject()).is_err());
}

#[test]
fn a_cut_in_front_of_valid_records_is_noticed() {
    let violation = bit_flips(&Bug::CutsInTheMiddle.subject()).unwrap_err();
    assert!(violation.expected.contains("a repair"), "{violation}");
}

#[test]
fn what_a_dead_process_had_not_synced_is_noticed() {
    let violation = crash_images(&Bug::TrustsWhatItFinds.subject()).unwrap_err();
    assert!(violation.moment.contains("the process dies"), "{violation}");
}

#[test]
fn a_tail_that_is_thrown_away_is_noticed() {
    assert!(crash_images(&Bug::ThrowsTailsAway.subject()).is_err());
}

#[test]
fn an_unsynced_compaction_is_noticed() {
    assert!(crash_images(&Bug::RemovesBeforeSync.subject()).is_err());
}

#[test]
fn a_key_lost_in_a_compaction_is_noticed() {
    fails_case(Bug::CompactsOneRecordAway, "compaction_changes_no_value");
    assert!(crash_images(&Bug::CompactsOneRecordAway.subject()).is_err());
}

#[test]
fn keys_folded_to_one_case_are_noticed() {
    fails_case(Bug::FoldsCase, "keys_that_differ_in_case_are_two_keys");
}

#[test]
fn a_value_with_a_meaning_is_noticed() {
    fails_case(Bug::MagicValue, "values_that_look_like_tombstones_are_values");
}

#[test]
fn a_second_owner_is_noticed() {
    fails_case(Bug::OpensTwice, "an_open_store_is_not_opened_twice");
}

/// It may go on after a failure. What it says then is believed, and so is held to it.
#[test]
fn a_failed_write_that_is_forgotten_is_noticed_where_writing_again_is_allowed() {
    assert!(faults(&Bug::None.subject()).is_ok());
    assert!(crash_images(&Bug::CleanTooEarly.subject()).is_ok(), "on a good disk nothing shows it");
    let violation = faults(&Bug::CleanTooEarly.subject()).unwrap_err();
    assert!(violation.expected.contains("holds"), "{violation}");
}

/// Until a sync, a crash may leave what was synced last, or what was set since; nothing else, and nothing torn.
#[test]
fn what_an_eventual_store_may_not_show_is_noticed() {
    for bug in [Bug::WritesInPlace, Bug::NeverSyncs, Bug::InventsAValue] {
        assert!(crash_images(&bug.subject()).is_err(), "{bug:?}");
    }
}
