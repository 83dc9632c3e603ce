//! Stage 6 keeps the contract: without its thread, in the three forms in which crashes and faults find most to break,
//! because each run does the same to the disk; and as it comes.

use std::time::Duration;

use logladder_contract::{Place, Subject, Verdict, run_cases_on};
use logladder_disk::sabotage::Rule;
use logladder_engine::SyncPolicy;
use logladder_write_behind::{Janitor, Options, WriteBehind};

fn on_demand(sync: SyncPolicy) -> Options {
    Options::default().with_sync(sync).with_janitor(Janitor::OnDemand)
}

fn subject(options: Options) -> Subject {
    Subject::of::<WriteBehind>(options).rules(&[Rule::ChecksumCheck])
}

/// Each file is synced before it is renamed.
mod synced_always {
    fn subject() -> logladder_contract::Subject {
        super::subject(super::on_demand(super::SyncPolicy::Always))
    }
    logladder_contract::contract!(subject);
}

/// Files are synced by `sync` alone.
mod synced_on_request {
    fn subject() -> logladder_contract::Subject {
        super::subject(super::on_demand(super::SyncPolicy::Never))
    }
    logladder_contract::contract!(subject);
}

/// The queue has room for two keys: most writes find it full, and write.
mod with_a_short_queue {
    fn subject() -> logladder_contract::Subject {
        super::subject(super::on_demand(super::SyncPolicy::Always).with_queue(2, u64::MAX))
    }
    logladder_contract::contract!(subject);
}

/// With its thread. What a crash leaves of a thread's work no script can repeat, so crashes are left to those above.
fn every_case_is_kept(sync: SyncPolicy, place: Place) {
    for outcome in run_cases_on(&subject(Options::default().with_sync(sync)), place) {
        assert!(!matches!(outcome.verdict, Verdict::Failed(_)), "{outcome}");
    }
}

#[test]
fn every_case_is_kept_as_it_comes() {
    every_case_is_kept(SyncPolicy::Always, Place::RecordingDisk);
    every_case_is_kept(SyncPolicy::Always, Place::RealDisk);
}

#[test]
fn every_case_is_kept_where_the_janitor_does_not_sync() {
    every_case_is_kept(SyncPolicy::Never, Place::RecordingDisk);
}

#[test]
fn every_case_is_kept_where_the_janitor_syncs_from_time_to_time() {
    every_case_is_kept(SyncPolicy::Every(Duration::from_millis(1)), Place::RecordingDisk);
}
