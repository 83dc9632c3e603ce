//! The contract's second page: what an engine must do that can do more than every engine.

/// Adds these cases to those of every engine, and hands all of them on.
#[doc(hidden)]
#[macro_export]
macro_rules! __and_every_case_of_a_capability {
    ([$($callback:tt)*] $($before:tt)*) => {
        $($callback)*! {
            $($before)*

            // Visitors.
            iterate::a_visitor_sees_nothing_in_an_empty_store [Iterate]
                "A visitor of a store without keys is not called.";
            iterate::a_visitor_sees_each_key_once [Iterate]
                "A visitor is shown every key once, with its value.";
            iterate::a_visitor_sees_the_newest_values_and_no_deleted_key [Iterate]
                "A visitor is shown the newest values, and no deleted key.";
            iterate::a_visitor_that_stops_is_called_no_more [Iterate]
                "A visitor that breaks is not called again, and that is no error.";
            iterate::a_visitor_may_read_the_store [Iterate]
                "A visitor may read the store it visits.";
            iterate::a_visitor_may_overwrite_what_it_is_shown [Iterate]
                "A visitor may overwrite the keys it is shown, and sees each once.";
            iterate::a_visitor_is_not_shown_what_it_adds [Iterate]
                "A key that is added during a visit is not shown by it.";
            iterate::a_visitor_is_not_shown_what_it_has_deleted [Iterate, ViewOfTheMoment]
                "A key that is deleted during a visit is shown no more.";
            iterate::a_visitor_is_shown_the_value_of_the_moment [Iterate, ViewOfTheMoment]
                "A visitor is shown the value that a key has at that moment.";
            iterate::a_visitor_may_start_another_visit [Iterate]
                "A visit inside a visit sees everything.";
            iterate::a_visitor_may_sync [Iterate]
                "A visitor may sync.";
            iterate::a_visitor_may_compact [Iterate, Compact]
                "A compaction during a visit takes nothing from it.";
            iterate::a_visitor_that_panics_leaves_the_store_usable [Iterate]
                "A panic in a visitor is not a panic under a lock: the store goes on.";

            // Scans.
            ordered::a_scan_shows_the_keys_of_its_range_in_order_both_ways [Ordered]
                "A scan shows the keys of its range, in the order of their bytes or against it.";
            ordered::a_scan_shows_the_newest_values_and_no_deleted_key [Ordered]
                "A scan shows the newest values, and no key that was deleted.";
            ordered::a_scan_that_stops_shows_no_more [Ordered]
                "A scan whose visitor stops shows no more, and those it has shown are the first.";
            ordered::a_scan_is_of_one_moment_whatever_its_visitor_writes [Ordered]
                "A scan shows the keys and values of one moment, whatever its visitor writes.";
            ordered::long_scans_miss_nothing_and_repeat_nothing [Ordered]
                "A scan of thousands of keys misses none and repeats none.";

            // Consistent visits.
            consistent::a_consistent_visit_shows_the_values_of_its_beginning [ConsistentView]
                "A consistent visit shows the values of its beginning, whatever is written meanwhile.";
            consistent::a_consistent_visit_shows_what_was_deleted_since [ConsistentView]
                "A consistent visit shows a key that is deleted meanwhile.";
            consistent::a_consistent_visit_keeps_what_compaction_would_take [ConsistentView, Compact]
                "A compaction during a consistent visit takes nothing from it.";
            consistent::a_consistent_visit_is_of_one_moment_of_single_writes [ConsistentView]
                "A consistent visit shows the store of one moment while another thread writes.";
            consistent::a_consistent_visit_shows_batches_whole [ConsistentView, Atomic]
                "A consistent visit shows every batch whole or not at all.";

            // Batches.
            atomic::every_write_of_a_batch_is_done [Atomic]
                "Every set and delete of a batch is done.";
            atomic::the_order_within_a_batch_counts [Atomic]
                "Of two writes of one key in a batch, the later one counts.";
            atomic::an_empty_batch_changes_nothing [Atomic]
                "An empty batch is fine, and changes nothing.";
            atomic::batches_and_single_writes_count_in_their_order [Atomic]
                "A batch counts as newer than what was written before it, and older than what comes after.";
            atomic::a_batch_takes_every_key_and_value [Atomic]
                "Keys and values in a batch are byte strings like any others.";
            atomic::a_batch_of_many_writes_is_done_whole [Atomic]
                "A batch of many writes is done whole.";
            atomic::a_batch_with_a_key_over_the_limit_changes_nothing [Atomic]
                "A batch with a key that is too large is refused whole, and the store goes on.";
            atomic::a_batch_over_the_limit_changes_nothing [Atomic, BatchLimit]
                "A batch that is too large is refused whole, and the store goes on.";
            atomic::a_batch_survives_reopening [Atomic, Persistence]
                "A batch is there whole when the store is opened again.";
            atomic::a_batch_of_a_store_that_is_only_dropped_is_there [Atomic, SurvivesProcess]
                "A batch of a store that was dropped without closing is there whole.";
            atomic::a_batch_survives_compaction [Atomic, Compact]
                "What a batch wrote is there after compactions, and what it deleted is not.";

            // Writes that depend on what is there.
            atomic::compare_and_set_creates_what_is_not_there [Atomic]
                "compare_and_set creates a key that has no value, and no other.";
            atomic::compare_and_set_replaces_what_is_as_expected [Atomic]
                "compare_and_set replaces the expected value, and no other.";
            atomic::compare_and_set_deletes_what_is_as_expected [Atomic]
                "compare_and_set deletes a key with the expected value, and no other.";
            atomic::compare_and_set_tells_an_empty_value_from_none [Atomic]
                "compare_and_set tells an empty value from none.";
            atomic::compare_and_set_looks_at_one_key_alone [Atomic]
                "compare_and_set compares whole keys and whole values.";
            atomic::compare_and_set_over_the_limit_changes_nothing [Atomic]
                "compare_and_set refuses a key that is too large, and the store goes on.";
            atomic::compare_and_set_survives_reopening [Atomic, Persistence]
                "What compare_and_set did, and what it did not, is there when the store is opened again.";

            // History.
            history::versions_count_from_one_and_the_newest_comes_first [History]
                "The versions of a key count from 1, and the newest is shown first.";
            history::a_delete_is_a_version [History]
                "A delete is a version without a value.";
            history::a_key_that_was_never_written_has_no_versions [History]
                "A key that was never written has no versions, however similar another is.";
            history::versions_of_keys_written_in_turn_are_kept_apart [History]
                "Each key has its own versions, whatever is written in between.";
            history::a_visitor_of_versions_that_stops_is_called_no_more [History]
                "A visitor of versions that breaks is not called again, and that is no error.";
            history::each_write_of_a_batch_is_a_version [History, Atomic]
                "Each write of a batch is a version.";
            history::a_refused_compare_and_set_is_no_version [History, Atomic]
                "A compare_and_set is a version if it was done, and not if it was refused.";
            history::the_end_of_a_value_is_no_version [History, Expire]
                "That a value has ended is no version, also when compaction removes it.";
            history::versions_survive_reopening [History, Persistence]
                "Versions and their numbers are the same when the store is opened again.";
            history::versions_survive_compaction [History, Compact]
                "The versions that are to be kept survive compactions, under the same numbers.";
            history::a_deleted_key_goes_on_counting_after_compaction [History, Compact]
                "A deleted key is shown as deleted after compactions, and its next version has the next number.";
            history::versions_past_those_kept_go_with_compaction [History, Compact, Retention]
                "After a compaction a key has as many versions as the store keeps, and no more.";
            history::every_write_of_many_threads_is_a_version [History]
                "Writes of many threads are each a version, with no number missing or given twice.";

            // Changes.
            changes::a_new_store_has_no_changes [Changes]
                "The place of a new store is before its first change.";
            changes::changes_come_in_order_and_without_gaps [Changes]
                "Every set and delete is shown as a change, in order, and nothing else.";
            changes::changes_go_on_from_every_place [Changes]
                "The changes behind any place are those that came after it.";
            changes::a_place_reads_back_from_its_text [Changes]
                "A place that was written down as text is the same place.";
            changes::a_visitor_of_changes_that_stops_can_go_on [Changes]
                "A visitor of changes that breaks is not called again, and goes on where it was.";
            changes::a_visitor_of_changes_may_use_the_store [Changes]
                "A visitor of changes may read the store, and write to it.";
            changes::each_write_of_a_batch_is_a_change [Changes, Atomic]
                "Each write of a batch is a change, and one may go on from between two of them.";
            changes::a_change_tells_when_its_value_ends [Changes, Expire]
                "A change tells when its value ends, past or not.";
            follow::all_changes_applied_to_a_map_give_the_store [Changes]
                "All changes applied to a map give what the store holds.";
            changes::changes_go_on_from_every_place_after_reopening [Changes, Persistence]
                "A place is the same after the store was closed and opened again.";
            changes::a_place_of_nowhere_is_refused [Changes]
                "A place that the store never had is refused.";
            changes::a_compaction_is_no_change [Changes, Compact]
                "A compaction is no change, and takes nothing from who is up to date.";
            changes::changes_that_are_gone_are_said_to_be [Changes, Compact]
                "Where compaction has removed changes, that is said, and never is one left out in silence.";
            changes::the_earliest_place_is_one_to_go_on_from [Changes, Compact]
                "Every change behind the earliest place is there, compacted or not.";
            follow::a_follower_of_a_store_that_compacts_ends_with_what_it_holds [Changes, Compact]
                "Who follows a store, and reads it anew when told to, ends with what it holds.";
            follow::following_during_writes_loses_nothing [Changes]
                "Who follows while others write sees every change once, in one order.";
            follow::a_place_taken_beside_writers_is_one_to_go_on_from [Changes]
                "A place that is taken while others write is one to go on from: no change is left out or shown twice.";

            // Values that end.
            expire::a_value_is_there_until_its_end [Expire]
                "A value whose end is to come is there, and its end is told to the millisecond.";
            expire::a_value_whose_end_is_past_is_absent [Expire]
                "A value whose end is past is absent, whichever way one reads.";
            expire::a_value_ends_by_itself [Expire]
                "A value is absent once the clock has passed its end.";
            expire::a_later_write_replaces_the_end_as_well [Expire]
                "A later set, set_until or delete replaces the end with the value.";
            expire::a_batch_and_compare_and_set_replace_the_end_as_well [Expire, Atomic]
                "A batch and a compare_and_set replace the end with the value; a refused one does not.";
            expire::compare_and_set_takes_what_has_ended_for_none [Expire, Atomic]
                "compare_and_set takes a value that has ended for none.";
            expire::expiry_tells_absent_never_and_when [Expire]
                "expiry tells absent keys, values without an end, and the end of each other.";
            expire::every_time_is_an_end [Expire]
                "Times before 1970 and at the end of the calendar are ends like others.";
            expire::set_until_refuses_a_key_over_the_limit [Expire]
                "set_until and expiry refuse a key that is too large, and the store goes on.";
            expire::a_visitor_is_not_shown_what_has_ended [Expire, Iterate]
                "A visitor is not shown a value that has ended, and get_many finds none.";
            expire::ends_survive_reopening_and_uncover_nothing [Expire, Persistence]
                "Ends are the same when the store is opened again, and what has ended uncovers no older value.";
            expire::ends_survive_compaction_and_uncover_nothing [Expire, Compact]
                "Ends are the same after compactions, and what has ended uncovers no older value.";
            expire::a_value_ends_while_the_store_is_closed [Expire, Persistence]
                "A value ends also while the store is closed.";
            expire::a_key_can_be_written_after_its_end_was_compacted [Expire, Compact]
                "A key whose value ended and was compacted can be set again.";

            // Compaction.
            compact::compaction_changes_no_value [Compact]
                "A compaction changes no value.";
            compact::compaction_brings_no_deleted_key_back [Compact]
                "A compaction brings no deleted key back, now or at the next opening.";
            compact::an_empty_store_can_be_compacted [Compact]
                "A store without keys can be compacted.";
            compact::compacting_twice_is_compacting_once [Compact]
                "A second compaction changes nothing and takes no space.";
            compact::a_store_of_deleted_keys_can_be_compacted [Compact]
                "A store whose keys are all deleted can be compacted.";
            compact::compaction_gives_space_back [Compact]
                "A compaction gives the space of overwritten values back, and claims no more than that.";
            compact::writes_after_a_compaction_are_kept [Compact]
                "What is written after a compaction counts after opening again.";
            compact::odd_keys_and_values_survive_compaction [Compact]
                "Keys and values that look like something else survive a compaction.";
            compact::a_write_at_any_step_of_a_compaction_is_the_newest [Compact, RecordingDisk]
                "A write that comes at any step of a compaction counts, and not what the compaction had copied before.";
            compact::compactions_between_writes_end_as_in_a_map [Compact]
                "Writes, compactions and openings in any order end as in a map.";

            // Collections.
            collections::put_gives_the_old_value [Collections]
                "put gives the value that a key had, or says that it had none.";
            collections::the_first_stroke_splits_a_key [Collections]
                "The first `/` of a key ends its collection, and a collection is compared whole.";
            collections::a_key_that_names_no_member_is_refused_by_put [Collections]
                "put refuses a key without a collection or a member, and says which of them is missing.";
            collections::what_names_no_collection_is_refused [Collections]
                "What cannot be the name of a collection is refused, and nothing is shown or deleted.";
            collections::delete_all_deletes_one_collection [Collections]
                "delete_all deletes the members of one collection, says how many, and leaves all others.";
            collections::collections_survive_reopening [Collections, Persistence]
                "Collections have the same members when the store is opened again.";
            collections::keys_of_every_kind_are_shown_where_they_belong [Collections]
                "A key of any bytes is shown in its collection, and nowhere else.";
            collections::a_visitor_of_a_collection_may_do_what_it_likes [Collections]
                "A visitor of a collection may read, write, delete, stop and panic.";
            collections::a_collection_is_shown_as_of_one_moment [Collections]
                "A collection is shown as it was at one moment, while another thread writes.";
            collections::puts_at_once_give_each_old_value_once [Collections]
                "Of many puts at once each gives the value that the one before it had put.";
            collections::delete_all_during_writes_takes_all_of_a_moment [Collections]
                "A delete_all during writes deletes what was there at one moment.";

            // Copies.
            backup::a_copy_holds_everything_that_was_acknowledged [Backup]
                "A copy opens as a store with everything that was acknowledged, while the original is open.";
            backup::a_copy_of_an_empty_store_is_an_empty_store [Backup]
                "A copy of an empty store is an empty store.";
            backup::a_copy_can_be_made_in_an_empty_folder [Backup]
                "A copy can be made in an empty folder.";
            backup::odd_keys_and_values_are_copied [Backup]
                "Keys and values that look like something else are copied as they are.";
            backup::the_original_goes_on_and_the_copy_stays_as_it_was [Backup]
                "Writes to the original change no file of the copy.";
            backup::writes_to_the_copy_leave_the_original_alone [Backup]
                "Writes to the copy change nothing in the original.";
            backup::compactions_of_both_leave_the_other_alone [Backup, Compact]
                "Compactions of the original and of the copy take nothing from the other.";
            backup::a_copy_outlives_its_original [Backup]
                "A copy is whole when every file of the original has been removed.";
            backup::a_copy_of_a_copy_holds_the_same [Backup]
                "A copy can be copied, and a store copied twice.";
            backup::a_folder_that_is_not_empty_takes_no_copy [Backup]
                "A folder that is not empty is refused, and left as it was.";
            backup::a_folder_in_that_of_the_store_takes_no_copy [Backup]
                "A folder inside the store's own is refused, and not made.";
            backup::a_file_takes_no_copy [Backup]
                "A path that is a file is refused by name, and the file is left as it was.";
            backup::ends_and_history_are_copied [Backup]
                "The ends of values and the history of keys are copied with them.";
            backup::a_copy_made_during_writes_is_of_one_moment [Backup]
                "A copy made while another thread writes is the store of one moment since it was asked for.";
            backup::a_copy_made_during_batches_has_each_whole_or_not [Backup, Atomic]
                "A copy made during batches has each of them whole or not at all.";
            backup::a_copy_made_during_compactions_is_whole [Backup, Compact]
                "A copy made during compactions is whole.";
            backup::copies_at_once_are_all_whole [Backup]
                "Copies made at the same time are all whole.";

            // Threads, and what they can do.
            threads::a_visit_during_writes_shows_whole_values_and_steady_keys [Iterate]
                "A visit during writes shows whole values, and every key that stayed.";
            threads::compactions_during_writes_lose_nothing [Compact]
                "Compactions during writes lose no write and bring none back.";
            threads::ten_threads_of_increments_end_at_the_number_of_them [Atomic]
                "Ten threads that increment by compare_and_set lose none of their increments.";
            threads::one_of_many_creators_wins [Atomic]
                "Of many threads that create one key by compare_and_set, one succeeds.";
            threads::batches_at_once_are_done_one_after_the_other [Atomic]
                "Two batches at once end as if one had come after the other.";
        }
    };
}
