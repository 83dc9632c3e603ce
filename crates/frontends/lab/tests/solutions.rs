//! Every solution keeps what its starter asks for, and the order in which that is asked is the right one.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};

use logladder_lab::starters::STARTERS;
use logladder_lab::{Call, End, Learner, check};

#[test]
fn every_solution_keeps_every_check_of_its_starter() {
    for starter in STARTERS {
        let report = check(&Learner::solution(starter), &mut |_| {});
        let (kept, total) = report.kept();
        assert!(matches!(report.end, End::AllKept), "{}: {:?}", starter.name, report.end);
        assert_eq!(kept, total);
        assert!(total >= 70, "{} has only {total} checks", starter.name);
        println!("{} {}: {kept} checks kept", starter.stage, starter.name);
    }
}

/// The file that the plan reads. To write it anew after a case was added to the contract, run this test with
/// `LOGLADDER_WRITE=1`.
#[test]
fn the_plan_knows_what_each_case_asks_of_an_engine() {
    let mut calls: BTreeMap<&str, BTreeSet<Call>> = BTreeMap::new();
    for starter in STARTERS {
        for (case, asked) in logladder_lab::calls_of_cases(&Learner::solution(starter)) {
            calls.entry(case).or_default().extend(asked);
        }
    }
    let line = |(case, asked): (&&str, &BTreeSet<Call>)| {
        let words: Vec<String> = asked.iter().map(ToString::to_string).collect();
        format!("{case}: {}\n", words.join(" "))
    };
    let right: String = calls.iter().map(line).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/calls_of_cases.txt");
    if std::env::var_os("LOGLADDER_WRITE").is_some() {
        use std::io::Write as _;
        let mut file = std::fs::File::options().write(true).create(true).truncate(true).open(path).unwrap();
        file.write_all(right.as_bytes()).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(known == right, "{path} is not as it should be: run this test with LOGLADDER_WRITE=1");
}
