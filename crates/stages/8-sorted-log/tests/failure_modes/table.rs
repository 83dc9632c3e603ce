//! Each failure mode of engines like these, and the tests that show that this one does not fail so. A name stands for a
//! test of this crate, of the contract that `tests/contract.rs` holds this stage to, of the disk below it, or of the
//! facade that holds every stage. The test below looks for each.
//!
//! | # | what goes wrong elsewhere | what shows that it does not here |
//! |---|---|---|
//! | 1 | a tombstone is dropped in a merge of some levels, and the old value returns | `random_programs_show_what_a_map_shows_both_ways_while_tables_go_down_several_levels`, `without_the_tombstone_rule_a_deleted_value_comes_back`, `a_crash_at_any_step_of_any_merge_loses_nothing_and_leaves_no_stranger`, `what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns` |
//! | 2 | compaction overwrites a newer concurrent write | `a_write_at_any_step_of_a_compaction_is_the_newest`, `writers_and_compactions_at_once_lose_nothing`, `what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns` |
//! | 3 | installing a flush or a merge is not repeatable | `a_crash_at_any_step_of_any_merge_loses_nothing_and_leaves_no_stranger`, `every_crash_image_opens_with_what_was_promised`, `after_a_fault_at_any_system_call_the_store_opens_with_all_that_was_acknowledged` |
//! | 4 | a log or a table is removed before what replaces it is on the disk | `a_crash_at_any_step_of_any_merge_loses_nothing_and_leaves_no_stranger`, `each_rule_that_is_left_out_is_noticed`, `a_manifest_that_ends_in_the_middle_of_an_edit_opens_with_what_the_edits_before_it_say` |
//! | 5 | a log that is full is never synced | `where_no_space_can_be_reserved_the_store_works_all_the_same`, `every_crash_image_opens_with_what_was_promised`, `files_that_are_never_synced_are_noticed` |
//! | 6 | the manifest and the tables disagree | `a_manifest_that_lost_its_last_edit_is_refused_and_no_table_is_removed`, `a_manifest_older_than_a_table_or_a_log_is_refused_and_nothing_is_removed`, `a_table_or_a_manifest_that_is_needed_and_missing_is_named`, `a_whole_file_in_the_place_of_another_is_noticed`, `a_table_of_the_same_shape_from_another_store_is_refused_and_left_as_it_is`, `what_has_the_number_of_something_replaced_and_is_another_stores_is_left_alone_and_told`, `what_a_damaged_edit_of_the_manifest_named_is_salvaged`, `with_an_older_manifest_the_newer_tables_are_salvaged_and_it_is_called_damage`, `what_a_crash_leaves_beside_the_manifest_brings_no_old_value_back` |
//! | 7 | entries are read from blocks or records that fail their CRC | `damage_within_a_block_is_an_error_that_names_the_place_and_other_blocks_are_read`, `no_flipped_bit_makes_a_value_wrong_or_a_write_vanish_unreported`, `a_compaction_that_meets_damage_fails_and_leaves_the_sources`, `a_check_names_every_damaged_block_of_every_table` |
//! | 8 | damage in the middle of a log cuts off the valid records behind it | `a_flipped_bit_in_record_3_of_20_is_an_error_that_names_file_and_offset_and_changes_no_file`, `without_the_tail_rule_valid_records_are_lost`, `a_log_that_another_follows_is_never_cut`, `of_a_log_every_record_but_the_damaged_one_is_salvaged` |
//! | 9 | resynchronising on a corrupt length | `a_flipped_bit_in_any_length_is_never_followed` |
//! | 10 | a torn tail refuses to open | `a_log_cut_at_any_byte_opens_with_the_records_before_and_reports_and_keeps_the_rest`, `a_manifest_that_ends_in_the_middle_of_an_edit_opens_with_what_the_edits_before_it_say` |
//! | 11 | a partial append, then good appends behind garbage | `after_a_full_disk_the_store_refuses_writes_reads_on_and_opens_with_what_was_acknowledged`, `after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken`, `whatever_fails_once_or_for_ever_nothing_acknowledged_is_lost_and_the_error_names_the_file` |
//! | 12 | a write or sync error is swallowed, and a later sync says Ok | `whatever_fails_once_or_for_ever_nothing_acknowledged_is_lost_and_the_error_names_the_file`, `what_a_thread_failed_to_do_the_next_write_tells_and_opening_again_heals`, `after_a_fault_at_any_system_call_the_store_opens_with_all_that_was_acknowledged` |
//! | 13 | the directory is not synced after create, rename, remove | `folders_that_are_never_synced_are_noticed`, `every_crash_image_opens_with_what_was_promised`, `a_crash_at_any_step_of_any_merge_loses_nothing_and_leaves_no_stranger` |
//! | 14 | an interrupted recovery bricks the store | `every_crash_image_opens_with_what_was_promised`, `what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns` |
//! | 15 | a stale lock file, or a recycled process id, keeps the owner out | `a_killed_owner_loses_nothing_it_acknowledged_and_its_lock_is_free`, `a_lock_that_is_dropped_is_free_though_a_process_being_started_has_a_copy_of_the_file` |
//! | 16 | the lock file is unlinked on release, so two owners | `of_three_processes_that_race_for_a_store_one_has_it_at_a_time`, `the_lock_file_is_never_removed` |
//! | 17 | an empty newest file breaks the choice of the next number | `an_empty_log_or_table_with_the_highest_number_changes_nothing`, `a_crash_before_the_first_record_of_a_log_leaves_no_trace_and_the_store_goes_on`, `a_file_whose_number_no_store_comes_to_is_refused_by_name` |
//! | 18 | lengths wrap: a 2 GiB value becomes a tombstone | `a_value_over_the_limit_is_refused_at_every_power_of_two_and_nothing_changes`, `the_longest_value_under_the_longest_key_comes_back_whole_and_takes_no_neighbour_with_it` |
//! | 19 | a magic value inside the data means "deleted" | `values_and_keys_that_look_like_the_format_are_only_values_and_keys` |
//! | 20 | the checksum leaves out the header | `a_flipped_bit_anywhere_in_a_header_is_noticed`, `a_flipped_bit_anywhere_in_a_frame_is_noticed`, `a_whole_file_in_the_place_of_another_is_noticed` |
//! | 21 | the wall clock decides what is newest | `files_whose_times_run_backwards_or_lie_in_the_future_change_nothing`, `sequence_numbers_grow_through_reopening_and_through_a_compaction_that_leaves_nothing` |
//! | 22 | an iteration sees what compaction does | `a_visit_shows_each_key_once_with_the_value_of_the_moment_while_everything_is_merged`, `a_scan_shows_a_batch_whole_or_not_at_all_while_threads_write_and_merge`, `a_snapshot_stays_as_it_was_through_writes_flushes_and_compactions` |
//! | 23 | a reader holds a file that compaction removed | `readers_keep_reading_while_compaction_removes_what_they_read` |
//! | 24 | memory explodes: memtables, a queue of merges, what snapshots hold | `a_store_takes_a_few_bytes_of_memory_a_key_however_long_the_keys_are`, `overwriting_without_end_takes_no_more_memory`, `a_snapshot_and_a_scan_take_no_more_memory_however_much_is_written_beside_them`, `writers_wait_while_memtables_cannot_be_written_and_nothing_is_lost` |
//! | 25 | an untrusted length is allocated | `any_files_in_a_folder_are_opened_or_refused_and_never_a_panic_or_a_large_allocation`, `a_block_that_claims_to_decompress_to_three_gibibytes_is_refused`, `a_record_that_claims_a_value_of_one_gibibyte_is_refused`, `an_absurd_number_that_nobody_checks_is_refused_or_refuses_writes_and_never_a_panic` |
//! | 26 | an empty or corrupt snapshot blocks opening: here the manifest's last edit, and what a crash left of a table | `a_manifest_that_ends_in_the_middle_of_an_edit_opens_with_what_the_edits_before_it_say`, `what_a_crash_left_unfinished_is_removed`, `a_replaced_table_that_came_back_is_removed_whatever_the_length_of_the_manifest` |
//! | 27 | one panic under a lock poisons everything | `after_a_panic_under_any_lock_no_read_is_wrong_and_the_store_opens_again`, `after_a_panic_of_a_thread_of_the_engine_writes_are_refused_and_closing_tells` |
//!
//! Row 28, a janitor that takes a dirty entry for clean, is about stage 6. A failed flush leaves its memtable, and its log:
//! `what_a_thread_failed_to_do_the_next_write_tells_and_opening_again_heals`.

#[test]
fn each_failure_mode_has_a_test_that_exists() {
    let numbers = logladder_contract::failure_modes(env!("CARGO_MANIFEST_DIR"), include_str!("table.rs"));
    assert!(numbers.into_iter().eq(1..=27));
}
