//! Stage 3 keeps the contract, with and without a sync on each write.

use logladder_contract::Subject;
use logladder_disk::sabotage::Rule;
use logladder_engine::SyncPolicy;
use logladder_file_per_key::{FilePerKey, Options};

fn subject(sync: SyncPolicy) -> Subject {
    Subject::of::<FilePerKey>(Options::default().with_sync(sync)).rules(&[Rule::ChecksumCheck])
}

mod with_a_sync_on_each_write {
    fn subject() -> logladder_contract::Subject {
        super::subject(super::SyncPolicy::Always)
    }
    logladder_contract::contract!(subject);
}

mod without_syncs {
    fn subject() -> logladder_contract::Subject {
        super::subject(super::SyncPolicy::Never)
    }
    logladder_contract::contract!(subject);
}
