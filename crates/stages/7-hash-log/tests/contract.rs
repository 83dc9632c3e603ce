//! Stage 7 keeps the contract: in the two forms in which crashes find most to break, with small segments that
//! rotate all the time and compaction where a script asks for it; and as it comes.

use logladder_contract::{Place, Subject, Verdict, run_cases_on};
use logladder_disk::sabotage::Rule;
use logladder_engine::SyncPolicy;
use logladder_hash_log::{Compaction, HashLog, Hints, Options};

/// The other two have tests of their own, in `tests/rules.rs`: a closed store has no tail, and the compaction
/// that a script can ask for takes every segment that a tombstone is needed for.
const RULES: [Rule; 3] = [Rule::ChecksumCheck, Rule::CopySyncedFirst, Rule::BatchWhole];

/// A segment has room for its header, its footer, and some six of the scripts' records.
fn small_segments(sync: SyncPolicy) -> Subject {
    let options = Options::default()
        .with_sync(sync)
        .with_segment_bytes(200)
        .with_compaction(Compaction::OnDemand)
        .with_hints(Hints::Always)
        .with_hash_key(*b"the same, always");
    Subject::of::<HashLog>(options).rules(&RULES)
}

/// What survives the death of the process.
mod synced_on_request {
    use super::*;

    fn subject() -> Subject {
        small_segments(SyncPolicy::Never)
    }

    logladder_contract::contract!(subject);
}

/// What survives a loss of power.
mod synced_always {
    use super::*;

    fn subject() -> Subject {
        small_segments(SyncPolicy::Always)
    }

    logladder_contract::contract!(subject);
}

/// With versions of each key that are kept.
#[test]
fn every_case_is_kept_with_versions() {
    let options =
        Options::default().with_segment_bytes(300).with_compaction(Compaction::OnDemand).with_versions(3);
    for outcome in run_cases_on(&Subject::of::<HashLog>(options).keeps_versions(3), Place::RecordingDisk) {
        assert!(!matches!(outcome.verdict, Verdict::Failed(_)), "{outcome}");
    }
}

/// With large segments and a thread that compacts. What a crash leaves of a thread's work no script can repeat,
/// so crashes are left to the two above.
#[test]
fn every_case_is_kept_as_it_comes() {
    for place in [Place::RecordingDisk, Place::RealDisk] {
        for outcome in run_cases_on(&Subject::of::<HashLog>(Options::default()), place) {
            assert!(!matches!(outcome.verdict, Verdict::Failed(_)), "{outcome}");
        }
    }
}
