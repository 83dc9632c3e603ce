//! Crash images beyond those of the contract: batches so large that they are synced together, collections, and what
//! opening does with images of a store that syncs each file.

use logladder_contract::Subject;
use logladder_contract::crash::{Script, Step, crash_images, crash_images_of};
use logladder_engine::SyncPolicy;
use logladder_write_behind::WriteBehind;

use crate::bench::on_demand;

fn subject(sync: SyncPolicy) -> Subject {
    Subject::of::<WriteBehind>(on_demand().with_sync(sync))
}

fn set(key: &str, value: &str) -> Step {
    Step::Set(key.as_bytes().to_vec(), value.as_bytes().to_vec())
}

/// Nine members of one collection, and one of each of nine others: one more than are synced one by one.
fn many_keys() -> Script {
    let mut steps: Vec<Step> = (0..9).map(|number| set(&format!("c/{number}"), "old")).collect();
    steps.push(Step::Sync);
    steps.extend((0..9).map(|number| match number % 3 {
        0 => Step::Delete(format!("c/{number}").into_bytes()),
        _ => set(&format!("c/{number}"), "new"),
    }));
    steps.push(Step::Close);
    steps.extend((0..9).map(|number| set(&format!("{number}/m"), "first")));
    steps.push(Step::Sync);
    steps.extend((0..9).map(|number| set(&format!("{number}/m"), "second")));
    steps.push(Step::Drop);
    Script { name: "many keys at once", steps }
}

#[test]
fn files_that_are_synced_together_are_as_safe_as_one_by_one() {
    for sync in [SyncPolicy::Always, SyncPolicy::Never] {
        let summary = crash_images_of(&subject(sync), &[many_keys()], None);
        let summary = summary.unwrap_or_else(|violation| panic!("{sync:?}: {violation}"));
        assert!(summary.images > 1_000, "{summary}");
    }
}

/// Failure mode 10.
#[test]
fn with_a_sync_of_each_file_no_crash_leaves_a_store_that_does_not_open() {
    let scripts = [many_keys()];
    for summary in [
        crash_images(&subject(SyncPolicy::Always)).unwrap(),
        crash_images_of(&subject(SyncPolicy::Always), &scripts, None).unwrap(),
    ] {
        assert_eq!(summary.refused, 0, "{summary}");
    }
}
