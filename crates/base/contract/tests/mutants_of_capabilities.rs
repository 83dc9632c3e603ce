//! Engines that break what a capability promises fail the contract: each of these has one line wrong, and the case
//! that is there for it says so.

#[allow(dead_code, reason = "other tests use the rest")]
mod engines;

use engines::ledger::{Flaw, Ledger, Options};
use logladder_contract::crash::crash_images;
use logladder_contract::{CASES, CaseOutcome, Place, Subject, Verdict, faults, model, run_cases};

fn subject(flaw: Flaw) -> Subject {
    let options = Options { flaw, versions: 3, ..Options::default() };
    Subject::of::<Ledger>(options).keeps_versions(3).refuses_batches_over(options.batch_limit)
}

#[track_caller]
fn fails_case(flaw: Flaw, name: &str) {
    let Some(case) = CASES.iter().find(|case| case.name == name) else { panic!("there is no case {name}") };
    let CaseOutcome { verdict, .. } = case.run(&subject(flaw), Place::RecordingDisk);
    assert!(matches!(verdict, Verdict::Failed(_)), "{flaw:?}: {verdict:?}");
}

#[test]
fn an_engine_without_a_fault_fails_nothing() {
    let failed = |outcome: &CaseOutcome| matches!(outcome.verdict, Verdict::Failed(_));
    let failing: Vec<CaseOutcome> = run_cases(&subject(Flaw::None)).into_iter().filter(failed).collect();
    assert!(failing.is_empty(), "{failing:?}");
}

#[test]
fn wrong_reads_in_place_and_of_many_keys_are_noticed() {
    fails_case(Flaw::ShowsAbsentKeys, "get_with_shows_what_get_gives");
    fails_case(Flaw::SkipsRepeatedKeys, "get_many_shows_what_get_gives");
}

#[test]
fn a_view_that_is_not_of_one_moment_is_noticed() {
    fails_case(Flaw::ClaimsAConsistentView, "a_consistent_visit_shows_the_values_of_its_beginning");
    fails_case(Flaw::ClaimsAConsistentView, "a_consistent_visit_shows_what_was_deleted_since");
    fails_case(Flaw::LetsOthersIntoABatch, "a_consistent_visit_shows_batches_whole");
}

#[test]
fn a_batch_that_is_not_one_is_noticed() {
    fails_case(Flaw::StopsInTheMiddleOfABatch, "a_batch_with_a_key_over_the_limit_changes_nothing");
    fails_case(Flaw::TakesEveryBatch, "a_batch_over_the_limit_changes_nothing");
    fails_case(Flaw::AppliesBatchesBackwards, "the_order_within_a_batch_counts");
    fails_case(Flaw::KeepsBatchesInMemory, "a_batch_survives_reopening");
    fails_case(Flaw::LetsOthersIntoABatch, "batches_at_once_are_done_one_after_the_other");
}

/// Of a crash in its middle, or of a loss of power, a part is left.
#[test]
fn a_batch_that_the_log_does_not_hold_together_is_noticed() {
    let violation = crash_images(&subject(Flaw::WritesBatchesAsSingles)).unwrap_err();
    assert!(violation.expected.contains("a batch is there whole or not at all"), "{violation}");
    assert!(faults(&subject(Flaw::WritesBatchesAsSingles)).is_err());
    assert!(crash_images(&subject(Flaw::KeepsBatchesInMemory)).is_err());
}

#[test]
fn a_look_before_the_lock_is_noticed() {
    fails_case(Flaw::LooksBeforeTheLock, "ten_threads_of_increments_end_at_the_number_of_them");
    fails_case(Flaw::LooksBeforeTheLock, "one_of_many_creators_wins");
    fails_case(Flaw::TakesEmptyForNone, "compare_and_set_tells_an_empty_value_from_none");
}

#[test]
fn a_wrong_history_is_noticed() {
    fails_case(Flaw::ForgetsDeletes, "a_delete_is_a_version");
    fails_case(Flaw::CountsAnewWhenOpened, "versions_survive_compaction");
    fails_case(Flaw::CompactsHistoryAway, "versions_survive_compaction");
    fails_case(Flaw::KeepsEveryVersion, "versions_past_those_kept_go_with_compaction");
}

#[test]
fn a_gap_in_the_changes_is_noticed() {
    fails_case(Flaw::HidesTheGap, "changes_that_are_gone_are_said_to_be");
    fails_case(Flaw::HidesTheGap, "a_follower_of_a_store_that_compacts_ends_with_what_it_holds");
    fails_case(Flaw::TakesEveryPlace, "a_place_of_nowhere_is_refused");
    fails_case(Flaw::LosesWhoIsUpToDate, "a_compaction_is_no_change");
    fails_case(Flaw::ShowsOneChangeOfABatch, "each_write_of_a_batch_is_a_change");
}

#[test]
fn a_wrong_end_is_noticed() {
    fails_case(Flaw::DecidesEndsWhenWritten, "a_value_ends_by_itself");
    fails_case(Flaw::ForgetsEnds, "ends_survive_reopening_and_uncover_nothing");
    fails_case(Flaw::KeepsTheEnd, "a_later_write_replaces_the_end_as_well");
    fails_case(Flaw::UncoversOlderValues, "ends_survive_compaction_and_uncover_nothing");
    fails_case(Flaw::ShowsWhatHasEnded, "a_visitor_is_not_shown_what_has_ended");
}

#[test]
fn a_wrong_collection_is_noticed() {
    fails_case(Flaw::SplitsAtTheLastStroke, "the_first_stroke_splits_a_key");
    fails_case(Flaw::SplitsAtTheLastStroke, "keys_of_every_kind_are_shown_where_they_belong");
    fails_case(Flaw::PutsAnywhere, "a_key_that_names_no_member_is_refused_by_put");
    fails_case(Flaw::PutsOutsideTheLock, "puts_at_once_give_each_old_value_once");
    fails_case(Flaw::DeletesWhatBeginsLikeIt, "delete_all_deletes_one_collection");
    fails_case(Flaw::ShowsMembersOneByOne, "a_collection_is_shown_as_of_one_moment");
    fails_case(Flaw::LetsOthersIntoADeleteOfAll, "delete_all_during_writes_takes_all_of_a_moment");
}

#[test]
fn a_bad_copy_is_noticed() {
    fails_case(Flaw::CopiesIntoFullFolders, "a_folder_that_is_not_empty_takes_no_copy");
    fails_case(Flaw::CopiesIntoItself, "a_folder_in_that_of_the_store_takes_no_copy");
    fails_case(Flaw::CopiesWithoutTheNewest, "a_copy_holds_everything_that_was_acknowledged");
    fails_case(Flaw::CopiesKeyByKey, "a_copy_made_during_writes_is_of_one_moment");
}

#[test]
fn a_copy_that_a_crash_leaves_a_part_of_is_noticed() {
    for flaw in [Flaw::CopiesWithoutSync, Flaw::ShowsUnfinishedCopies, Flaw::CopiesWithoutTheNewest] {
        let violation = crash_images(&subject(flaw)).unwrap_err();
        assert!(violation.moment.contains("copy"), "{flaw:?}: {violation}");
    }
}

#[test]
fn an_older_value_that_a_crash_uncovers_is_noticed() {
    assert!(crash_images(&subject(Flaw::UncoversOlderValues)).is_err());
    assert!(crash_images(&subject(Flaw::ForgetsEnds)).is_err());
}

#[test]
fn random_programs_notice_most_of_it() {
    for flaw in [
        Flaw::SkipsRepeatedKeys,
        Flaw::AppliesBatchesBackwards,
        Flaw::KeepsBatchesInMemory,
        Flaw::ForgetsDeletes,
        Flaw::CountsAnewWhenOpened,
        Flaw::CompactsHistoryAway,
        Flaw::HidesTheGap,
        Flaw::ForgetsEnds,
        Flaw::KeepsTheEnd,
        Flaw::UncoversOlderValues,
        Flaw::ShowsWhatHasEnded,
        Flaw::CopiesWithoutTheNewest,
        Flaw::SplitsAtTheLastStroke,
        Flaw::DeletesWhatBeginsLikeIt,
    ] {
        // Programs are random: some sixty of them miss the rarest flaw one time in twenty.
        let is_noticed = (0..5).any(|_| model(&subject(flaw)).is_err());
        assert!(is_noticed, "{flaw:?}");
    }
    assert!(model(&subject(Flaw::None)).is_ok());
}
