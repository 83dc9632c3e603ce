//! Stage 2 keeps the contract, with and without a sync on each write.

use logladder_contract::Subject;
use logladder_disk::sabotage::Rule;
use logladder_engine::SyncPolicy;
use logladder_json_file::{JsonFile, Options};

fn subject(sync: SyncPolicy) -> Subject {
    Subject::of::<JsonFile>(Options::default().with_sync(sync)).rules(&[Rule::ChecksumCheck])
}

mod with_a_sync_on_each_write {
    fn subject() -> logladder_contract::Subject {
        super::subject(super::SyncPolicy::Always)
    }
    logladder_contract::contract!(subject);
}

/// What is left of the contract when a power loss may make the only file unreadable: leaving out the syncs
/// makes that no worse, so the contract cannot ask for them to be missed.
mod without_syncs {
    use logladder_contract::{assert_kept, crash, faults, model};

    fn subject() -> logladder_contract::Subject {
        super::subject(super::SyncPolicy::Never)
    }

    mod cases {
        use super::subject;
        logladder_contract::__every_case! { [logladder_contract::__tests_of_cases] subject RecordingDisk }
    }

    #[test]
    fn random_programs_end_as_on_a_map() {
        assert_kept(model(&subject()));
    }

    #[test]
    fn after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken() {
        assert_kept(faults(&subject()));
    }

    #[test]
    fn every_crash_image_opens_with_what_was_promised() {
        assert_kept(crash::crash_images(&subject()));
    }
}
