//! The contract on two pages: every case, what it takes for granted, and the invariant it proves. Here is what every
//! engine must do; [`capabilities`] is what some can do as well.
//!
//! This is the only list. The library makes [`CASES`](crate::CASES) of it, and [`contract!`](crate::contract)
//! a test for each.

mod capabilities;

/// Hands the list to a macro, after whatever else that one is to get.
#[doc(hidden)]
#[macro_export]
macro_rules! __every_case {
    ([$($callback:tt)*] $($given:tt)*) => {
        $crate::__and_every_case_of_a_capability! {
            [$($callback)*]
            $($given)*

            // Keys.
            keys::the_empty_key_is_a_key []
                "The empty key is a key like any other.";
            keys::every_single_byte_is_a_key []
                "Each of the 256 byte values alone is a key of its own.";
            keys::a_key_may_hold_every_byte []
                "A key may contain every byte value, and their order counts.";
            keys::keys_that_look_like_paths_are_only_keys []
                "A key such as `../x` is not a path: nothing leaves the store's folder.";
            keys::keys_that_look_like_the_format_are_only_keys []
                "A key that looks like JSON, a tombstone or a wrapper is only a key.";
            keys::keys_need_not_be_text []
                "A key need not be UTF-8, and magic numbers mean nothing in it.";
            keys::keys_that_differ_in_case_are_two_keys []
                "`key` and `Key` are two keys, whatever the file system thinks.";
            keys::keys_that_differ_in_unicode_normalisation_are_two_keys []
                "Two spellings of one letter in Unicode are two keys.";
            keys::a_key_that_begins_another_is_its_own_key []
                "A key that is the beginning of another is a key of its own.";
            keys::the_border_between_key_and_value_is_kept []
                "(`ab`, `c`) and (`a`, `bc`) are not mixed up.";
            keys::keys_with_newlines_are_kept []
                "A newline in a key ends no record.";
            keys::json_keys_are_told_apart_by_their_bytes []
                "An engine compares keys by their bytes, not by what they mean.";
            keys::keys_longer_than_a_file_name_are_told_apart []
                "Keys longer than a file name may be are told apart by their last byte.";
            keys::the_longest_key_is_a_key []
                "A key of 65,535 bytes is a key.";
            keys::a_key_over_the_limit_is_refused_and_nothing_changes []
                "A key of 65,536 bytes is refused as too large, and the store goes on.";

            // Values.
            values::the_empty_value_is_a_value []
                "An empty value is a value, not an absent one.";
            values::a_value_may_hold_every_byte []
                "A value may contain every byte value.";
            values::a_value_of_one_mebibyte_is_kept []
                "A value of 1 MiB comes back whole.";
            values::values_that_look_like_tombstones_are_values []
                "No value means `deleted`.";
            values::values_that_look_like_the_format_are_values []
                "A value that looks like a record or a wrapper comes back as it was.";
            values::values_need_not_be_text []
                "A value need not be UTF-8.";
            values::a_value_may_be_its_own_key []
                "A value may be equal to its key, whatever the key is.";
            values::values_with_newlines_are_kept []
                "A newline in a value ends no record, and forges none.";
            values::json_values_keep_their_spelling []
                "A JSON value comes back with its spaces, its order and its numbers as they were written.";
            values::values_of_every_length_are_kept []
                "A value comes back whole at every length up to 300 bytes.";
            values::lengths_around_powers_of_two_are_kept []
                "A value comes back whole just below, at and above each power of two.";
            values::a_small_value_after_a_large_one_is_kept []
                "Nothing of a large value is left in the small one that replaces it.";
            values::a_value_over_the_limit_is_refused_and_nothing_changes []
                "A value of 1 GiB is refused as too large, and the store goes on.";

            // Writes.
            writes::a_set_is_seen_by_the_next_get []
                "A read that starts after a write was acknowledged sees it.";
            writes::a_shorter_value_replaces_a_longer_one []
                "A shorter value replaces a longer one whole.";
            writes::a_longer_value_replaces_a_shorter_one []
                "A longer value replaces a shorter one whole.";
            writes::setting_the_same_value_again_changes_nothing []
                "Setting the same value again is no second key.";
            writes::an_old_value_set_again_is_the_newest []
                "A value that was overwritten and is set again counts as the newest.";
            writes::an_overwrite_leaves_other_keys_alone []
                "An overwrite touches one key.";
            writes::a_deleted_key_has_no_value []
                "A deleted key has no value.";
            writes::deleting_an_absent_key_is_fine []
                "Deleting a key that is not there succeeds and changes nothing.";
            writes::deleting_twice_is_deleting_once []
                "A second delete of the same key changes nothing.";
            writes::a_deleted_key_can_be_set_again []
                "A deleted key can be set again.";
            writes::a_delete_removes_every_older_value []
                "A delete uncovers no older value.";
            writes::a_delete_leaves_other_keys_alone []
                "A delete touches one key.";
            writes::one_key_can_be_overwritten_many_times []
                "The last of many values of one key is its value.";
            writes::many_keys_are_all_kept []
                "None of many keys is lost.";
            writes::a_long_mixture_of_writes_ends_as_in_a_map []
                "Sets and deletes in any order end as they do in a map.";

            // Reads.
            reads::an_absent_key_has_no_value []
                "A key that was never set has no value, however similar another is.";
            reads::get_into_clears_the_buffer []
                "get_into replaces what was in the buffer.";
            reads::get_into_leaves_an_empty_buffer_for_an_absent_key []
                "get_into empties the buffer also when there is no value.";
            reads::one_buffer_serves_many_reads []
                "One buffer serves reads of values of any length.";
            reads::a_buffer_serves_again_after_a_failed_read []
                "A buffer can be used again after a read that failed.";
            reads::get_with_shows_what_get_gives []
                "get_with shows its reader what get gives, and calls it for nothing else.";
            reads::get_many_shows_what_get_gives []
                "get_many shows each place of its list once, with what get gives, absent and repeated keys as well.";
            reads::get_with_and_get_many_refuse_a_key_over_the_limit []
                "get_with and get_many refuse a key that is too large, and their reader is not called with it.";
            reads::a_reader_that_panics_leaves_the_store_usable []
                "A panic in a reader is not a panic under a lock: the store goes on.";
            reads::reading_changes_nothing []
                "Reading writes nothing to the disk.";
            reads::an_empty_store_counts_nothing []
                "A new store has no live keys.";
            reads::stats_count_live_keys_and_their_bytes []
                "Stats count the live keys and the bytes of those keys and their values.";
            reads::disk_bytes_are_those_of_the_files [Files]
                "Stats give the sum of the lengths of the store's files.";
            reads::a_store_without_files_has_no_disk_bytes [NoPersistence]
                "A store without files says so, and makes no folder.";
            reads::the_name_is_a_short_word []
                "The engine has a short name, and its durability does not change.";

            // Opening again.
            reopen::a_closed_store_has_everything_when_it_is_opened_again [Persistence]
                "A store that was closed has everything when it is opened again.";
            reopen::a_store_that_is_only_dropped_has_everything [SurvivesProcess]
                "A store that was dropped without closing has everything.";
            reopen::a_synced_store_that_is_only_dropped_has_everything [Persistence]
                "A store that was synced and dropped has everything.";
            reopen::a_deleted_key_stays_deleted [Persistence]
                "A deleted key stays deleted, however often the store is opened.";
            reopen::a_key_that_is_deleted_after_reopening_stays_deleted [Persistence]
                "A delete covers what earlier openings wrote.";
            reopen::an_overwritten_value_stays_overwritten [Persistence]
                "An overwrite covers what earlier openings wrote.";
            reopen::every_opening_adds_to_the_one_before [Persistence]
                "What ten openings wrote one after the other is all there.";
            reopen::an_empty_store_opens_again [Persistence]
                "A store in which nothing was written opens again.";
            reopen::a_store_of_deletes_alone_opens_again [Persistence]
                "A store of deletes alone opens again, empty.";
            reopen::odd_keys_and_values_come_back [Persistence]
                "Keys and values that look like something else come back as they were.";
            reopen::long_keys_and_values_come_back [Persistence]
                "The longest key and a value of 1 MiB come back whole.";
            reopen::counts_are_the_same_after_reopening [Persistence]
                "Live keys and bytes are counted the same after opening again.";
            reopen::a_clean_store_needs_no_repair [Persistence]
                "A store that was closed reports no repair.";
            reopen::syncing_twice_is_syncing_once [Persistence]
                "A second sync, or one of an empty store, is fine.";
            reopen::a_store_without_durability_comes_back_empty [NoPersistence]
                "A store that claims no durability comes back empty.";
            reopen::two_openings_of_a_store_without_files_share_nothing [NoPersistence]
                "Two stores without files share nothing.";

            // The folder.
            folder::missing_folders_are_made [Files]
                "The store's folder and what is missing above it are made.";
            folder::an_empty_folder_becomes_a_store [Files]
                "An empty folder becomes a store.";
            folder::a_file_in_place_of_the_folder_is_refused_and_left_alone [Files]
                "A path that is a file is refused by name, and the file is left as it was.";
            folder::a_file_above_the_folder_is_refused_and_left_alone [Files]
                "A path through a file is refused by name, and the file is left as it was.";
            folder::an_open_store_is_not_opened_twice [Files]
                "A store that is open is refused as locked, and its owner goes on.";
            folder::closing_gives_the_store_back [Persistence]
                "Closing releases the lock.";
            folder::dropping_gives_the_store_back [Files]
                "Dropping releases the lock.";
            folder::a_refused_opening_gives_the_store_back [Files]
                "An opening that failed leaves no lock behind.";
            folder::the_lock_file_is_never_removed [Files]
                "The lock file is never removed, so that there are never two of them.";
            folder::a_folder_of_another_stage_is_refused_and_left_alone [Files]
                "A store of another stage is refused by its name, and left as it was.";
            folder::a_newer_format_is_refused_by_its_version_and_left_alone [Files]
                "A store of a newer format is refused by its version, and left as it was.";
            folder::a_damaged_marker_is_refused_and_left_alone [Files]
                "A folder whose marker makes no sense is refused, and left as it was.";
            folder::a_folder_of_strangers_files_is_refused_and_left_alone [Files]
                "A folder of other files is refused, and nothing is added to it.";
            folder::temporary_files_of_an_interrupted_write_are_ignored [Files]
                "Temporary files of an interrupted write are never taken for finished ones, and are removed.";
            folder::kept_tails_are_left_alone [Files]
                "What an earlier opening cut off and kept is left where it is.";
            folder::two_stores_share_nothing [Persistence]
                "Two stores in two folders share nothing.";
            folder::a_new_store_on_a_read_only_disk_is_refused [Files, RecordingDisk]
                "A new store on a read-only disk is refused with the reason.";
            folder::a_disk_that_turns_read_only_fails_writes_and_not_reads [Files, SurvivesProcess, RecordingDisk]
                "On a disk that became read-only writes fail, reads go on, and no file changes.";

            // Threads.
            threads::writers_of_their_own_keys_lose_nothing []
                "Writers of different keys lose none of their writes to each other.";
            threads::a_reader_never_sees_a_value_older_than_one_it_has_seen []
                "A reader never sees time run backwards.";
            threads::a_reader_never_sees_half_a_value []
                "A reader sees the old value or the new one, whole.";
            threads::a_set_and_a_delete_at_once_end_in_one_of_them []
                "A set and a delete at the same time end in one of them, also after opening again.";
            threads::writers_of_one_key_end_in_the_last_value_of_one []
                "Writers of one key end in the last value of one of them.";
            threads::an_engine_can_be_owned_by_several_threads []
                "An engine can be owned by several threads behind an Arc.";
            threads::syncs_and_writes_go_on_at_once []
                "Syncing in one thread and writing in another do not wait for each other for ever.";
        }
    };
}
