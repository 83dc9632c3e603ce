//! Stage 8 keeps the contract: in the two forms in which crashes find most to break, with memtables, blocks, tables and
//! levels so small that a script writes and merges tables all the time; with a memtable that holds everything, so that
//! the log is what is damaged; and as it comes.

use logladder_contract::{Place, Sabotage, Subject, Verdict, crash, faults, run_cases_on};
use logladder_disk::sabotage::Rule;
use logladder_engine::SyncPolicy;
use logladder_sorted_log::{Compression, Options, SortedLog, Work};

/// A batch is one record, whole by its checksum; and a tombstone is dropped too early only by merges that no script asks for:
/// those rules have tests of their own, in `tests/tables.rs`.
const RULES: [Rule; 2] = [Rule::ChecksumCheck, Rule::CopySyncedFirst];

/// A memtable has room for some four of the scripts' writes, a block for two, level 1 for two tables.
fn tiny(sync: SyncPolicy) -> Options {
    Options::default()
        .with_sync(sync)
        .with_work(Work::Caller)
        .with_memtable_bytes(160)
        .with_block_bytes(48)
        .with_table_bytes(400)
        .with_level0_tables(2)
        .with_levels(500, 10)
        .with_manifest_bytes(600)
}

/// What survives the death of the process. Its cases are those of the others, and need no second run on a real disk.
mod synced_on_request {
    use super::*;

    fn subject() -> Subject {
        Subject::of::<SortedLog>(tiny(SyncPolicy::Never)).rules(&RULES)
    }

    #[test]
    fn every_case_is_kept() {
        keeps_every_case(&subject(), Place::RecordingDisk);
    }

    #[test]
    fn every_crash_image_opens_with_what_was_promised() {
        crash::crash_images(&subject()).unwrap_or_else(|violation| panic!("{violation}"));
    }

    #[test]
    fn after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken() {
        faults(&subject()).unwrap_or_else(|violation| panic!("{violation}"));
    }

    #[test]
    fn each_precaution_that_is_left_out_is_noticed() {
        for sabotage in Sabotage::all_of(&subject()) {
            assert!(sabotage.noticed(&subject()).is_some(), "{sabotage} passes every check");
        }
    }
}

/// What survives a loss of power.
mod synced_always {
    use super::*;

    fn subject() -> Subject {
        Subject::of::<SortedLog>(tiny(SyncPolicy::Always)).rules(&RULES)
    }

    logladder_contract::contract!(subject);
}

/// The same promises where everything is in one log.
mod in_one_log {
    use super::*;

    fn subject() -> Subject {
        let options = Options::default().with_work(Work::Caller).with_memtable_bytes(16 << 10);
        Subject::of::<SortedLog>(options).rules(&[Rule::ChecksumCheck, Rule::TailRule])
    }

    logladder_contract::contract!(subject);
}

/// With compressed blocks and no filter.
#[test]
fn every_case_is_kept_with_compression_and_without_a_filter() {
    let options = tiny(SyncPolicy::Never).with_compression(Compression::Lz4).with_filter_bits(0);
    keeps_every_case(&Subject::of::<SortedLog>(options), Place::RecordingDisk);
}

/// With threads that write and merge tables all the time. What a crash leaves of a thread's work no script can repeat, so
/// crashes are left to the others.
#[test]
fn every_case_is_kept_with_busy_threads() {
    let busy = tiny(SyncPolicy::Never).with_work(Work::Background);
    keeps_every_case(&Subject::of::<SortedLog>(busy), Place::RecordingDisk);
}

#[test]
fn every_case_is_kept_as_it_comes() {
    keeps_every_case(&Subject::of::<SortedLog>(Options::default()), Place::RecordingDisk);
}

fn keeps_every_case(subject: &Subject, place: Place) {
    for outcome in run_cases_on(subject, place) {
        assert!(!matches!(outcome.verdict, Verdict::Failed(_)), "{outcome}");
    }
}
