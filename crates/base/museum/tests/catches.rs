//! The whole contract, as every stage is held to it, notices every bug; and nothing in the engine that is right.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use logladder_museum::{Bug, Check, Exhibit, Sandbox, ShownBy, against_every_bug, exhibits};

/// Every check is tried until one notices, beginning with the one that the museum shows.
#[test]
fn the_contract_notices_every_bug() {
    for Exhibit { name, bug, shown_by, .. } in exhibits() {
        let first = match shown_by {
            ShownBy::Crashes(_) => Check::Crashes,
            ShownBy::Flips(_) => Check::Flips,
            ShownBy::Faults(_) => Check::Faults,
            ShownBy::Case(_) | ShownBy::WriteDuringCompaction(_) => Check::Cases,
        };
        // Not the random programs: what they find depends on chance.
        let rest = [Check::Cases, Check::Crashes, Check::Faults, Check::Flips, Check::Cuts];
        let noticed = [first].into_iter().chain(rest).find_map(|check| check.finds(*bug));
        assert!(noticed.is_some(), "no check of the contract notices {name}");
    }
}

#[test]
fn the_contract_finds_nothing_in_the_engine_that_is_right() {
    for check in Check::ALL {
        assert_eq!(check.finds(Bug::None), None, "{}", check.name());
    }
}

fn a_value_survives_a_loss_of_power(sandbox: &mut Sandbox) {
    let store = sandbox.open();
    store.set(b"name", b"anna").unwrap();
    drop(store);
    sandbox.lose_power();
    assert_eq!(sandbox.open().get(b"name").unwrap().as_deref(), Some(&b"anna"[..]));
}

logladder_museum::against_every_bug!(a_value_survives_a_loss_of_power, notices "forgets-to-sync" "promises-too-much");

#[test]
fn a_test_that_fails_with_the_right_engine_is_told_that_it_proves_nothing() {
    let report = against_every_bug(|sandbox| {
        assert_eq!(sandbox.open().get(b"name").unwrap(), Some(Vec::new()), "an absent key is empty");
    });
    assert!(report.refused_the_right_one.is_some());
    assert!(report.to_string().contains("proves nothing"), "{report}");
}

#[test]
fn a_test_of_nothing_notices_nothing_and_is_told_each_bug_that_it_passed() {
    let report = against_every_bug(|_| ());
    assert!(report.noticed.is_empty());
    assert!(report.to_string().contains("passed    drops-tombstones"), "{report}");
}

#[test]
fn each_bug_is_told_on_one_line_with_what_the_test_found() {
    let report = against_every_bug(a_value_survives_a_loss_of_power).to_string();
    assert_eq!(report.lines().count(), 1 + exhibits().count(), "{report}");
    let line = report.lines().find(|line| line.contains("forgets-to-sync")).unwrap();
    assert!(line.contains("left: None right: Some("), "{line}");
}

#[test]
#[should_panic(expected = "passes engines with these bugs: [\"drops-tombstones\"]")]
fn a_bug_that_a_test_is_said_to_notice_and_does_not_fails_it() {
    let report = against_every_bug(a_value_survives_a_loss_of_power);
    logladder_museum::assert_noticed(&report, &["forgets-to-sync", "drops-tombstones"]);
}
