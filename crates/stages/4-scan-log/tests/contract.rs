//! Stage 4 keeps the contract, with and without a sync on each write.

use logladder_contract::Subject;
use logladder_disk::sabotage::Rule;
use logladder_engine::SyncPolicy;
use logladder_scan_log::{Options, ScanLog};

fn subject(sync: SyncPolicy) -> Subject {
    Subject::of::<ScanLog>(Options::default().with_sync(sync)).rules(&[Rule::ChecksumCheck, Rule::TailRule])
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
