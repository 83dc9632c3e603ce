//! Each failure mode of engines like these, and the tests that show that this one does not fail so. A name stands for a
//! test of this crate, of the contract that `tests/contract.rs` holds this stage to, of the disk below it, or of the
//! facade that holds every stage. The test below looks for each.
//!
//! | # | what goes wrong elsewhere | what shows that it does not here |
//! |---|---|---|
//! | 1 | a tombstone is dropped in a partial compaction, and the old value returns at restart | `whatever_subset_of_segments_is_compacted_no_deleted_value_comes_back`, `without_the_tombstone_rule_a_deleted_value_comes_back`, `what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns` |
//! | 2 | compaction overwrites a newer concurrent write | `a_write_at_any_moment_of_a_compaction_is_the_newest`, `writers_and_compactions_at_once_lose_nothing`, `compactions_during_writes_lose_nothing` |
//! | 3 | installing a compaction is not repeatable | `a_crash_at_any_step_of_any_partial_compaction_changes_nothing`, `every_crash_image_opens_with_what_was_promised`, `after_a_fault_at_any_system_call_the_store_opens_with_all_that_was_acknowledged` |
//! | 4 | the source is removed before the copy is synced | `what_replaced_a_value_is_on_the_disk_before_the_value_is_gone`, `a_crash_at_any_step_of_any_partial_compaction_changes_nothing`, `each_rule_that_is_left_out_is_noticed` |
//! | 5 | a rotated segment is never synced | `where_no_space_can_be_reserved_the_store_works_all_the_same`, `every_crash_image_opens_with_what_was_promised`, `files_that_are_never_synced_are_noticed` |
//! | 6 | hint and data disagree | `a_hint_that_is_flipped_anywhere_cut_anywhere_or_missing_changes_nothing_and_is_made_anew`, `the_hint_of_another_segment_is_not_believed` |
//! | 7 | keys are loaded from records that fail their CRC | `opening_without_hints_refuses_a_flipped_bit_anywhere_in_a_sealed_segment`, `no_flipped_bit_makes_a_value_wrong_or_a_write_vanish_unreported` |
//! | 8 | damage in the middle of a log cuts off the valid records behind it | `a_flipped_bit_in_record_3_of_20_is_an_error_that_names_file_and_offset_and_changes_no_file`, `without_the_tail_rule_valid_records_are_lost` |
//! | 9 | resynchronising on a corrupt length | `a_flipped_bit_in_any_length_is_never_followed` |
//! | 10 | a torn tail refuses to open | `a_log_cut_at_any_byte_opens_with_the_records_before_and_reports_and_keeps_the_rest`, `what_a_killed_append_leaves_is_its_beginning` |
//! | 11 | a partial append, then good appends behind garbage | `after_a_full_disk_the_store_refuses_writes_reads_on_and_opens_with_what_was_acknowledged`, `after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken` |
//! | 12 | a write or sync error is swallowed, and a later sync says Ok | `after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken`, `after_a_fault_at_any_system_call_the_store_opens_with_all_that_was_acknowledged` |
//! | 13 | the directory is not synced after create, rename, remove | `folders_that_are_never_synced_are_noticed`, `every_crash_image_opens_with_what_was_promised` |
//! | 14 | an interrupted recovery bricks the store | `every_crash_image_opens_with_what_was_promised`, `what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns` |
//! | 15 | a stale lock file, or a recycled process id, keeps the owner out | `a_killed_owner_loses_nothing_it_acknowledged_and_its_lock_is_free`, `a_lock_that_is_dropped_is_free_though_a_process_being_started_has_a_copy_of_the_file` |
//! | 16 | the lock file is unlinked on release, so two owners | `of_three_processes_that_race_for_a_store_one_has_it_at_a_time`, `the_lock_file_is_never_removed` |
//! | 17 | an empty newest file breaks the choice of the next id | `an_empty_segment_with_the_highest_number_changes_nothing`, `a_crash_before_the_first_record_of_a_segment_leaves_no_trace_and_its_number_is_not_used_again` |
//! | 18 | lengths wrap: a 2 GiB value becomes a tombstone | `a_value_over_the_limit_is_refused_at_every_power_of_two_and_nothing_changes`, `the_longest_value_under_the_longest_key_comes_back_whole_and_takes_no_neighbour_with_it`, `the_longest_lengths_pass_the_encoder_and_one_byte_more_is_refused` |
//! | 19 | a magic value inside the data means "deleted" | `values_and_keys_that_look_like_the_format_are_only_values_and_keys` |
//! | 20 | the checksum leaves out the header | `a_flipped_bit_anywhere_in_a_record_is_noticed`, `a_changed_field_is_damage_even_with_a_right_checksum_if_it_contradicts_another` |
//! | 21 | the wall clock decides what is newest | `files_whose_times_run_backwards_or_lie_in_the_future_change_nothing`, `sequence_numbers_grow_through_reopening_and_through_a_compaction_that_leaves_nothing` |
//! | 22 | an iteration sees what compaction does | `a_visit_shows_each_key_once_with_the_value_of_the_moment_while_everything_is_compacted`, `a_visitor_may_compact` |
//! | 23 | a reader holds a file that compaction removed | `readers_keep_reading_while_compaction_removes_what_they_read` |
//! | 24 | memory explodes: the index, a queue of merges | `an_index_takes_at_most_sixteen_bytes_a_key_however_long_the_keys_are`, `overwriting_without_end_takes_no_more_memory` |
//! | 25 | an untrusted length is allocated | `any_files_in_a_folder_are_opened_or_refused_and_never_a_panic_or_a_large_allocation`, `a_record_that_claims_a_value_of_one_gibibyte_is_refused`, `an_absurd_number_under_a_right_checksum_is_refused_or_refuses_writes_and_never_a_panic` |
//! | 26 | an empty or corrupt snapshot blocks opening | `a_file_that_repeats_others_may_be_cut_at_every_byte_or_missing_and_blocks_nothing`, `a_file_that_repeats_another_store_or_an_earlier_one_is_not_believed` |
//! | 27 | one panic under a lock poisons everything | `after_a_panic_under_the_writers_lock_writes_are_refused_by_an_error_and_reads_are_right`, `after_a_panic_of_the_compaction_thread_writes_go_on_and_closing_tells` |

#[test]
fn each_failure_mode_has_a_test_that_exists() {
    let numbers = logladder_contract::failure_modes(env!("CARGO_MANIFEST_DIR"), include_str!("table.rs"));
    assert!(numbers.into_iter().eq(1..=27));
}
