//! The judge: what it finds, and whom it does not accuse.

use logladder_two_primaries::{Claim, Finding, Found, History, Millis, Outcome, Write, check};

/// A write of the key `k`, acknowledged by server 0 from `asked` to `at`.
fn done(value: Option<&str>, asked: Millis, at: Millis, version: Option<u64>) -> Write {
    Write { outcome: Outcome::Acknowledged { at, version }, ..unknown(value, asked) }
}

fn unknown(value: Option<&str>, asked: Millis) -> Write {
    let value = value.map(str::to_owned);
    Write { key: "k".into(), value, server: 0, asked, outcome: Outcome::Unknown }
}

/// What is found where the servers answer this in the end.
fn found(writes: &[Write], answers: &[Option<&str>]) -> Vec<Finding> {
    let answer = |(server, value): (usize, Option<&str>)| Found {
        server,
        key: "k".into(),
        value: value.map(str::to_owned),
    };
    let found = answers.iter().copied().enumerate().map(answer).collect();
    check(&History { writes: writes.to_vec(), claims: Vec::new(), found })
}

#[test]
fn a_value_that_was_replaced_is_not_asked_for() {
    let writes = [done(Some("a"), 0, 1, Some(1)), done(Some("b"), 1, 2, Some(2))];
    assert_eq!(found(&writes, &[Some("b"), Some("b")]), []);
}

#[test]
fn a_value_that_no_server_has_is_lost_and_one_that_some_have_is_disagreed_on() {
    let writes = [done(Some("a"), 0, 1, None), done(Some("b"), 1, 2, None)];
    let lost = found(&writes, &[Some("a"), None]);
    assert!(matches!(&lost[..], [Finding::Lost { value, acknowledged: 2, .. }] if value == "b"), "{lost:?}");
    let split = found(&writes, &[Some("a"), Some("b")]);
    assert!(matches!(&split[..], [Finding::Disagree { .. }]), "{split:?}");
}

#[test]
fn of_two_writes_at_the_same_time_either_may_be_the_last() {
    let writes = [done(Some("a"), 0, 5, Some(2)), done(Some("b"), 4, 6, Some(1))];
    assert_eq!(found(&writes, &[Some("a"), Some("a")]), []);
    assert_eq!(found(&writes, &[Some("b"), Some("b")]), []);
    assert!(matches!(&found(&writes, &[None, None])[..], [Finding::Lost { .. }]));
}

#[test]
fn a_write_without_an_answer_may_be_done_or_not_at_any_time() {
    let writes = [unknown(Some("u"), 0), done(Some("a"), 3, 4, None)];
    assert_eq!(found(&writes, &[Some("a")]), []);
    assert_eq!(found(&writes, &[Some("u")]), []);
    assert!(matches!(&found(&writes, &[None])[..], [Finding::Lost { .. }]));
    assert_eq!(found(&[unknown(Some("u"), 0)], &[None, Some("u")]), [], "nothing was promised");
}

#[test]
fn a_refused_write_must_not_be_there() {
    let refused = Write { outcome: Outcome::Refused, ..unknown(Some("r"), 5) };
    let writes = [done(Some("a"), 0, 1, None), refused];
    assert!(matches!(&found(&writes, &[Some("r")])[..], [Finding::Lost { .. }]));
}

#[test]
fn a_deleted_key_is_served_by_nobody_unless_it_was_set_again() {
    let deleted = [done(Some("a"), 0, 1, None), done(None, 2, 3, None)];
    assert_eq!(found(&deleted, &[None, None]), []);
    let served = found(&deleted, &[None, Some("a")]);
    assert_eq!(served, [Finding::StillServed { key: "k".into(), deleted: 3, servers: vec![1] }]);
    let again = [deleted.as_slice(), &[done(Some("b"), 4, 5, None)]].concat();
    assert_eq!(found(&again, &[Some("b"), Some("b")]), []);
}

#[test]
fn versions_go_up_with_writes_that_follow_each_other() {
    let of = |versions: &[u64]| {
        let writes: Vec<Write> = versions
            .iter()
            .zip(0..)
            .map(|(version, at)| done(Some("a"), at, at + 1, Some(*version)))
            .collect();
        found(&writes, &[Some("a")])
    };
    assert_eq!(of(&[1, 2, 5]), []);
    assert_eq!(of(&[3, 1]), [Finding::VersionWentBack { key: "k".into(), earlier: 3, later: 1 }]);
    assert_eq!(of(&[2, 2])[0].to_string(), "version 2 of k was given twice");
}

#[test]
fn two_claims_at_one_time_are_two_primaries_unless_an_election_lies_between() {
    let claim = |server, election, from, until| Claim { server, election, from, until };
    let of = |claims: [Claim; 2]| check(&History { claims: claims.to_vec(), ..History::default() });
    assert_eq!(of([claim(0, 0, 0, 5), claim(1, 0, 5, 9)]), []);
    assert_eq!(of([claim(0, 1, 0, 9), claim(1, 2, 5, 9)]), []);
    assert_eq!(of([claim(0, 1, 0, 3), claim(0, 1, 2, 9)]), [], "one server is one primary");
    assert_eq!(
        of([claim(1, 3, 0, 7), claim(0, 3, 5, 9)]),
        [Finding::TwoPrimaries { from: 5, until: 7, servers: [0, 1] }]
    );
}
