//! The scenarios and their verdicts.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use logladder_two_primaries::script::Delays;
use logladder_two_primaries::{
    Action, Protocol, Scenario, Step, To, Write, made_up, run, scenario, scenarios,
};

const MENDED: Protocol = Protocol { pushes_deletes: true, tells_the_deposed: true };

fn verdict(name: &str, protocol: Protocol) -> Vec<String> {
    run(&scenario(name).unwrap(), protocol).verdict().iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_scenario_gives_the_same_trace() {
    for scenario in scenarios().into_iter().chain((0..50).map(made_up)) {
        let [one, other] = [(), ()].map(|()| run(&scenario, Protocol::default()));
        assert_eq!(one, other, "{}", scenario.name);
    }
    assert_ne!(made_up(1).steps, made_up(2).steps);
}

#[test]
fn a_primary_that_is_killed_is_replaced_and_nothing_is_lost() {
    assert_eq!(verdict("killed", Protocol::default()), Vec::<String>::new());
}

#[test]
fn a_primary_that_was_paused_is_one_of_two_when_it_goes_on() {
    assert_eq!(
        verdict("two-primaries", Protocol::default()),
        [
            "two primaries from 6.000 s to 8.000 s: 5000 and 5001",
            "servers disagree: name is bob at 5001, 5002, and carl at 5000",
            "version 2 of name was given twice",
        ]
    );
}

#[test]
fn what_a_paused_primary_acknowledged_before_and_after_is_lost() {
    assert_eq!(
        verdict("lost-writes", Protocol::default()),
        [
            "two primaries from 6.000 s to 8.000 s: 5000 and 5001",
            "acknowledged write lost: city=Dhaka, acknowledged by 5000 at 7.010 s",
            "acknowledged write lost: name=anna, acknowledged by 5000 at 2.010 s",
        ]
    );
    // Who is told at once takes no writes any more; the one before the pause is lost all the same.
    assert_eq!(
        verdict("lost-writes", MENDED),
        [
            "two primaries from 6.000 s to 6.010 s: 5000 and 5001",
            "acknowledged write lost: name=anna, acknowledged by 5000 at 2.010 s",
        ]
    );
}

#[test]
fn a_delete_that_replicas_do_not_hear_of_is_undone_by_a_failover() {
    assert_eq!(
        verdict("deleted-key", Protocol::default()),
        [
            "two primaries from 6.000 s to 7.000 s: 5000 and 5001",
            "5000, 5001, 5002 still serve name, deleted at 1.510 s",
        ]
    );
    assert_eq!(verdict("deleted-key", MENDED), ["two primaries from 6.000 s to 6.010 s: 5000 and 5001"]);
}

#[test]
fn a_version_that_is_kept_with_the_value_begins_again_after_a_delete() {
    assert_eq!(
        verdict("versions", Protocol::default()),
        [
            "two primaries from 6.000 s to 7.000 s: 5000 and 5001",
            "version of name went from 3 to 1",
            "version of name went from 3 to 2",
        ]
    );
    assert_eq!(verdict("versions", MENDED), ["two primaries from 6.000 s to 6.010 s: 5000 and 5001"]);
}

#[test]
fn without_a_fault_the_mended_protocol_is_clean_whatever_clients_do() {
    let mut unmended = 0;
    for seed in 0..200 {
        let mut scenario = made_up(seed);
        scenario.steps.retain(|step| matches!(step.action, Action::Write { .. }));
        assert_eq!(run(&scenario, MENDED).verdict(), [], "seed {seed}");
        unmended += usize::from(!run(&scenario, Protocol::default()).verdict().is_empty());
    }
    assert!(unmended > 0, "deletes that are not pushed are found without any fault");
}

#[test]
fn a_pause_that_is_shorter_than_the_patience_of_failover_only_delays() {
    let write = |to, value: &str| Action::Write { to, key: "name".into(), value: Some(value.into()) };
    let steps = [
        (1500, Action::Pause),
        (1600, write(To::First, "anna")),
        (1610, write(To::First, "bob")),
        (1900, Action::GoOn),
        (2500, write(To::Current, "carl")),
    ];
    let scenario = Scenario {
        name: "short".into(),
        about: String::new(),
        steps: steps.into_iter().map(|(at, action)| Step { at, action }).collect(),
        end: 4000,
        delays: Delays::Fixed(5),
    };
    let trace = run(&scenario, Protocol::default());
    assert_eq!(trace.verdict(), []);
    let ends: Vec<_> = trace.history.writes.iter().map(Write::acknowledged_at).collect();
    assert_eq!(ends, [Some(1905), Some(1905), Some(2510)]);
    assert!(trace.history.found.iter().all(|found| found.value.as_deref() == Some("carl")));
}

#[test]
fn a_request_that_waited_in_a_paused_process_is_done_when_it_goes_on_and_accuses_nobody() {
    let mut scenario = scenario("two-primaries").unwrap();
    // The client gives up a second later; the process does it two seconds after that.
    let late = Action::Write { to: To::First, key: "food".into(), value: Some("rice".into()) };
    scenario.steps.insert(2, Step { at: 3000, action: late });
    let trace = run(&scenario, Protocol::default());
    assert!(trace.text().contains("has no answer to set food=rice, and gives up"), "{}", trace.text());
    let at_5000 = trace.history.found.iter().find(|found| found.server == 0 && found.key == "food").unwrap();
    assert_eq!(at_5000.value.as_deref(), Some("rice"));
    assert!(trace.verdict().iter().all(|finding| !finding.to_string().contains("food")));
}

#[test]
fn the_lines_of_a_trace_end_with_the_verdict_and_no_line_with_a_space() {
    for scenario in scenarios() {
        let trace = run(&scenario, Protocol::default());
        let text = trace.text();
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        let shown = text.lines().filter(|line| line.starts_with('✗')).count();
        assert_eq!(shown, trace.verdict().len(), "{text}");
    }
}
