//! Stage 5 keeps the contract: with each kind of persistence, with and without a sync on each write; and as it comes,
//! with its threads.

use std::time::Duration;

use logladder_contract::{Place, Subject, Verdict, run_cases_on};
use logladder_disk::sabotage::Rule;
use logladder_engine::SyncPolicy;
use logladder_replay_log::{Housekeeping, Options, Persistence, ReplayLog, SnapshotRule};

/// Without threads, so that a script can be repeated. The tail rule and its like have tests of their own.
fn on_demand(persistence: Persistence, sync: SyncPolicy) -> Options {
    let options = Options::default().with_housekeeping(Housekeeping::OnDemand);
    options.with_persistence(persistence).with_sync(sync)
}

mod both_synced_always {
    use super::*;

    fn subject() -> Subject {
        let options = on_demand(Persistence::Both, SyncPolicy::Always);
        Subject::of::<ReplayLog>(options).rules(&[Rule::ChecksumCheck, Rule::CopySyncedFirst])
    }

    logladder_contract::contract!(subject);
}

mod both_synced_on_request_with_history {
    use super::*;

    fn subject() -> Subject {
        let options = on_demand(Persistence::Both, SyncPolicy::Never).with_history(true);
        Subject::of::<ReplayLog>(options).rules(&[Rule::ChecksumCheck, Rule::CopySyncedFirst])
    }

    logladder_contract::contract!(subject);
}

mod lines_alone_synced_always {
    use super::*;

    fn subject() -> Subject {
        let options = on_demand(Persistence::AppendOnly, SyncPolicy::Always);
        Subject::of::<ReplayLog>(options).rules(&[Rule::ChecksumCheck, Rule::CopySyncedFirst])
    }

    logladder_contract::contract!(subject);
}

mod snapshots_alone {
    use super::*;

    fn subject() -> Subject {
        let options = on_demand(Persistence::Snapshots, SyncPolicy::Always);
        Subject::of::<ReplayLog>(options).rules(&[Rule::ChecksumCheck, Rule::CopySyncedFirst])
    }

    logladder_contract::contract!(subject);
}

/// What a crash leaves of a thread's work no script can repeat, so crashes are left to those above.
#[test]
fn every_case_is_kept_with_threads() {
    let as_it_comes = Options::default();
    // A follower of the changes is told when it came too late, and one case writes too little to have that in mind.
    let rewrites_often = as_it_comes.clone().with_rewrite(1, 64 << 10).with_sync(SyncPolicy::Never);
    let syncs_all_the_time = as_it_comes.clone().with_sync(SyncPolicy::Every(Duration::from_millis(1)));
    let snapshots_all_the_time = as_it_comes
        .clone()
        .with_persistence(Persistence::Snapshots)
        .with_snapshots(&[SnapshotRule::new(Duration::ZERO, 1)]);
    for options in [as_it_comes, rewrites_often, syncs_all_the_time, snapshots_all_the_time] {
        for place in [Place::RecordingDisk, Place::RealDisk] {
            for outcome in run_cases_on(&Subject::of::<ReplayLog>(options.clone()), place) {
                assert!(!matches!(outcome.verdict, Verdict::Failed(_)), "{options:?}: {outcome}");
            }
        }
    }
}
