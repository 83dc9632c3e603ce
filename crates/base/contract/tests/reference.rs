//! Engines that keep the contract pass it, of every durability and with or without each capability.

#[allow(dead_code, reason = "other tests use the rest")]
mod engines;

use engines::{MapEngine, ledger};
use logladder_contract::{Subject, Verdict, bit_flips, crash, cuts, faults, run_cases};
use logladder_disk::sabotage::Rule;
use logladder_engine::SyncPolicy;

mod without_files {
    use super::*;

    fn subject() -> Subject {
        Subject::new("map", |_, _| Ok(Box::new(MapEngine::default())))
    }

    logladder_contract::contract!(subject);
}

mod with_every_capability {
    use super::*;

    fn subject() -> Subject {
        let options = ledger::Options { versions: 3, ..ledger::Options::default() };
        Subject::of::<ledger::Ledger>(options)
            .rules(&[Rule::ChecksumCheck, Rule::TailRule, Rule::CopySyncedFirst, Rule::BatchWhole])
            .keeps_versions(3)
            .refuses_batches_over(options.batch_limit)
    }

    logladder_contract::contract!(subject);
}

mod with_every_capability_and_without_syncs {
    use super::*;

    fn subject() -> Subject {
        let options =
            ledger::Options { sync: SyncPolicy::Never, skips_deletes: true, ..ledger::Options::default() };
        Subject::of::<ledger::Ledger>(options).rules(&[Rule::ChecksumCheck, Rule::TailRule]).keeps_versions(1)
    }

    logladder_contract::contract!(subject);
}

/// What is asked of any store that keeps its data is asked of one that keeps it elsewhere, and nothing about files is.
#[test]
fn a_store_that_is_elsewhere_is_asked_everything_but_what_is_about_files() {
    let at_home = Subject::of::<ledger::Ledger>(ledger::Options::default());
    let elsewhere = at_home.clone().elsewhere();
    assert!(at_home.has_files() && elsewhere.persists() && !elsewhere.has_files());
    for (one, other) in run_cases(&at_home).iter().zip(run_cases(&elsewhere)) {
        let is_about_files = matches!(other.verdict, Verdict::NotApplicable("it has no files"));
        assert!(is_about_files || one.verdict == other.verdict, "{other}");
        assert!(!is_about_files || ["folder", "reads"].contains(&other.theme), "{other}");
    }
    assert_eq!(crash::crash_images(&elsewhere).unwrap().images, 0);
    assert_eq!(faults(&elsewhere).unwrap().faults, 0);
    assert_eq!(bit_flips(&elsewhere).unwrap().tried + cuts(&elsewhere).unwrap().tried, 0);
}
