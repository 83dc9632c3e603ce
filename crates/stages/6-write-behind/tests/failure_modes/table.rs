//! Each failure mode of engines like these that a store of this kind can have, and the tests that show that this one
//! does not fail so. A name stands for a test of this crate, of the contract that `tests/contract.rs` holds this stage
//! to, of the disk below it, or of the facade that holds every stage. The test below looks for each. The numbers that are
//! missing are of logs and their compaction.
//!
//! | # | what goes wrong elsewhere | what shows that it does not here |
//! |---|---|---|
//! | 4 | the source is removed before the copy is synced | `files_that_are_never_synced_are_noticed`, `files_that_are_synced_together_are_as_safe_as_one_by_one` |
//! | 7 | keys are loaded from files that fail their check | `a_file_that_fails_its_check_or_is_newer_is_refused_by_name_and_nothing_is_changed`, `no_flipped_bit_makes_a_value_wrong_or_a_write_vanish_unreported` |
//! | 10 | what a crash has torn refuses to open | `with_a_sync_of_each_file_no_crash_leaves_a_store_that_does_not_open`, `every_crash_image_opens_with_what_was_promised` |
//! | 11 | a partial write, then good ones behind garbage | `after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken`, `the_janitor_tries_again_by_itself_until_it_succeeds` |
//! | 12 | a sync error is swallowed, and a later sync says Ok | `a_sync_that_succeeds_after_one_that_failed_is_to_be_believed`, `after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken` |
//! | 13 | the directory is not synced after create, rename, remove | `folders_that_are_never_synced_are_noticed`, `a_delete_that_fails_is_tried_again_and_the_value_stays_on_the_disk_until_then` |
//! | 14 | an interrupted recovery bricks the store | `every_crash_image_opens_with_what_was_promised`, `what_a_killed_process_had_synced_is_there` |
//! | 15 | a stale lock file, or a recycled process id, keeps the owner out | `what_a_killed_process_had_synced_is_there`, `a_lock_ends_with_the_process_that_held_it` |
//! | 16 | the lock file is unlinked on release, so two owners | `the_lock_file_is_never_removed`, `an_open_store_is_not_opened_twice` |
//! | 18 | lengths wrap | `absurd_fields_are_an_error_and_no_panic_even_under_a_right_checksum`, `a_value_over_the_limit_is_refused_and_nothing_changes` |
//! | 19 | a magic value inside the data means "deleted" | `values_that_look_like_tombstones_are_values`, `a_file_reads_back_whatever_its_names_and_value` |
//! | 20 | the checksum leaves out the header | `a_flip_of_any_bit_and_a_cut_at_any_byte_is_an_error` |
//! | 24 | memory explodes: the queue of what is to be written | `no_more_keys_and_bytes_wait_than_the_options_allow`, `a_key_that_is_set_again_before_it_is_written_is_written_once` |
//! | 25 | an untrusted length is allocated | `absurd_fields_are_an_error_and_no_panic_even_under_a_right_checksum`, `a_file_of_absurd_length_is_not_read_into_memory` |
//! | 27 | one panic under a lock poisons everything | `a_janitor_that_panics_loses_nothing_and_close_tells`, `a_panic_in_a_turn_ends_it` |
//! | 28 | the janitor clears "dirty" before its write succeeded | `a_mark_goes_only_when_its_write_has_succeeded`, `a_value_that_changes_while_it_is_written_stays_marked_and_is_written_again`, `a_failed_write_is_reported_by_close_and_keeps_no_other_key_from_the_disk` |

#[test]
fn each_failure_mode_has_a_test_that_exists() {
    let numbers = logladder_contract::failure_modes(env!("CARGO_MANIFEST_DIR"), include_str!("table.rs"));
    assert_eq!(numbers, [4, 7, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 24, 25, 27, 28]);
}
