//! Engines that break the contract fail it: each of these has one line wrong, and the check that is there for
//! it says so.

#[allow(dead_code, reason = "the reference test uses the rest")]
mod engines;

use engines::late::{Haste, Late};
use engines::{LogEngine, Mutation, Options};
use logladder_contract::crash::crash_images;
use logladder_contract::{
    Allowed, Subject, Verdict, assert_killed_owner_loses_nothing, bit_flips, faults, model, run_cases,
};

fn subject(mutation: Mutation) -> Subject {
    Subject::of::<LogEngine>(Options { mutation, ..Options::default() })
        .allows(Allowed::SilentCuts, "its format cannot say how many records there are")
}

/// The names of the cases that fail.
fn failing_cases(mutation: Mutation) -> Vec<&'static str> {
    let outcomes = run_cases(&subject(mutation));
    let failed = |outcome: &&logladder_contract::CaseOutcome| matches!(outcome.verdict, Verdict::Failed(_));
    outcomes.iter().filter(failed).map(|outcome| outcome.name).collect()
}

#[track_caller]
fn fails_case(mutation: Mutation, name: &str) {
    let failing = failing_cases(mutation);
    assert!(failing.contains(&name), "{mutation:?} fails {failing:?}");
}

#[test]
fn an_engine_without_a_fault_fails_nothing() {
    assert_eq!(failing_cases(Mutation::Nothing), Vec::<&str>::new());
    assert!(crash_images(&subject(Mutation::Nothing)).is_ok());
    assert!(faults(&subject(Mutation::Nothing)).is_ok());
    assert!(bit_flips(&subject(Mutation::Nothing)).is_ok());
    assert!(model(&subject(Mutation::Nothing)).is_ok());
}

#[test]
fn a_lost_delete_is_noticed() {
    fails_case(Mutation::LosesDeletes, "a_deleted_key_stays_deleted");
    assert!(crash_images(&subject(Mutation::LosesDeletes)).is_err());
    assert!(model(&subject(Mutation::LosesDeletes)).is_err());
}

#[test]
fn a_missing_sync_is_noticed() {
    // Nothing but a loss of power shows it.
    assert_eq!(failing_cases(Mutation::ForgetsToSync), Vec::<&str>::new());
    assert!(crash_images(&subject(Mutation::ForgetsToSync)).is_err());
}

#[test]
#[should_panic(expected = "get \"key 0\" gave no value")]
fn a_write_that_dies_with_the_process_is_noticed() {
    let subject = subject(Mutation::KeepsWritesToItself);
    assert_killed_owner_loses_nothing(
        &subject,
        module_path!(),
        "a_write_that_dies_with_the_process_is_noticed",
    );
}

#[test]
fn a_buffer_that_is_not_cleared_is_noticed() {
    fails_case(Mutation::KeepsTheBuffer, "get_into_leaves_an_empty_buffer_for_an_absent_key");
}

#[test]
fn an_old_value_is_noticed() {
    fails_case(Mutation::ReadsOldValues, "an_old_value_set_again_is_the_newest");
    assert!(model(&subject(Mutation::ReadsOldValues)).is_err());
}

#[test]
fn a_record_lost_at_opening_is_noticed() {
    fails_case(Mutation::DropsTheLastRecord, "a_closed_store_has_everything_when_it_is_opened_again");
    assert!(model(&subject(Mutation::DropsTheLastRecord)).is_err());
}

#[test]
fn a_panic_on_a_torn_tail_is_noticed_and_told_as_a_panic() {
    let violation = crash_images(&subject(Mutation::PanicsOnATornTail)).unwrap_err();
    assert_eq!(violation.found, "a panic: a torn tail");
    assert!(!violation.files.is_empty() && !violation.script.is_empty(), "{violation}");
}

#[test]
fn a_write_after_a_failed_one_is_noticed() {
    assert!(faults(&subject(Mutation::GoesOnAfterAFailure)).is_err());
}

#[test]
fn a_swallowed_sync_error_is_noticed() {
    assert!(faults(&subject(Mutation::SwallowsFailedSyncs)).is_err());
}

#[test]
fn a_cut_in_front_of_valid_records_is_noticed() {
    let violation = bit_flips(&subject(Mutation::CutsAtTheFirstBadRecord)).unwrap_err();
    assert!(violation.expected.contains("a repair"), "{violation}");
}

#[test]
fn what_a_dead_process_had_not_synced_is_noticed() {
    let violation = crash_images(&subject(Mutation::TrustsWhatItFinds)).unwrap_err();
    assert!(violation.moment.contains("the process dies"), "{violation}");
}

#[test]
fn a_tail_that_is_thrown_away_is_noticed() {
    assert!(crash_images(&subject(Mutation::ThrowsTailsAway)).is_err());
}

#[test]
fn an_unsynced_compaction_is_noticed() {
    assert!(crash_images(&subject(Mutation::CompactsWithoutSync)).is_err());
}

#[test]
fn a_key_lost_in_a_compaction_is_noticed() {
    fails_case(Mutation::CompactsOneKeyAway, "compaction_changes_no_value");
    assert!(crash_images(&subject(Mutation::CompactsOneKeyAway)).is_err());
}

#[test]
fn keys_folded_to_one_case_are_noticed() {
    fails_case(Mutation::IgnoresCase, "keys_that_differ_in_case_are_two_keys");
}

#[test]
fn a_value_with_a_meaning_is_noticed() {
    fails_case(Mutation::TakesNullForDeleted, "values_that_look_like_tombstones_are_values");
}

#[test]
fn a_second_owner_is_noticed() {
    fails_case(Mutation::OpensTwice, "an_open_store_is_not_opened_twice");
}

fn late(haste: Haste) -> Subject {
    Subject::of::<Late>(haste)
}

/// It may go on after a failure. What it says then is believed, and so is held to it.
#[test]
fn a_failed_write_that_is_forgotten_is_noticed_where_writing_again_is_allowed() {
    assert!(faults(&late(Haste::None)).is_ok());
    assert!(crash_images(&late(Haste::ForgetsBeforeItWrites)).is_ok(), "on a good disk nothing shows it");
    let violation = faults(&late(Haste::ForgetsBeforeItWrites)).unwrap_err();
    assert!(violation.expected.contains("holds"), "{violation}");
}

/// Until a sync, a crash may leave what was synced last, or what was set since; nothing else, and nothing torn.
#[test]
fn what_an_eventual_store_may_not_show_is_noticed() {
    for haste in [Haste::WritesInPlace, Haste::NeverSyncs, Haste::InventsAValue] {
        assert!(crash_images(&late(haste)).is_err(), "{haste:?}");
    }
}
