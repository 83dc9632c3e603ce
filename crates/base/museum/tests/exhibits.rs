//! Every exhibit is what it says: the contract notices it, by the steps that are shown, and those are as few as can be.

use std::collections::BTreeSet;

use logladder_museum::{
    Bug, Exhibit, NOT_SHOWN, ShownBy, Trace, avoided, exhibit, exhibit_lines, exhibits, patch, trace,
    trace_of,
};

#[test]
fn what_is_shown_notices_the_bug_and_not_the_engine_that_is_right() {
    for Exhibit { name, bug, shown_by, .. } in exhibits() {
        assert!(trace_of(*bug, *shown_by).is_some(), "the contract no longer notices {name}");
        assert_eq!(trace_of(Bug::None, *shown_by), None, "what shows {name} fails the right engine as well");
    }
}

/// How much there is to a moment beside the steps: what the contract wrote of its own accord, and one crash after another.
fn effort(trace: &Trace) -> (bool, usize) {
    let is_of_its_own = format!("{} {}", trace.moment, trace.expected).contains("after the recovery");
    (is_of_its_own, trace.moment.split("; ").count())
}

#[test]
fn no_step_of_what_is_shown_can_be_left_out() {
    let mut too_many = Vec::new();
    for Exhibit { name, bug, shown_by, .. } in exhibits() {
        let (make, steps): (fn(&'static str) -> ShownBy, &str) = match *shown_by {
            ShownBy::Crashes(steps) => (ShownBy::Crashes, steps),
            ShownBy::Flips(steps) => (ShownBy::Flips, steps),
            ShownBy::Faults(steps) => (ShownBy::Faults, steps),
            ShownBy::WriteDuringCompaction(steps) => (ShownBy::WriteDuringCompaction, steps),
            ShownBy::Case(_) => continue,
        };
        let steps: Vec<&str> = steps.split(',').collect();
        // Whose bits are flipped is a closed store.
        let needed = usize::from(matches!(shown_by, ShownBy::Flips(_)));
        for left_out in 0..steps.len() - needed {
            let mut fewer = steps.clone();
            fewer.remove(left_out);
            if fewer.len() == needed {
                continue;
            }
            let fewer: &'static str = fewer.join(",").leak();
            let by_fewer = trace_of(*bug, make(fewer)).map(|trace| effort(&trace));
            if by_fewer.is_some_and(|by_fewer| {
                Some(by_fewer) <= trace_of(*bug, *shown_by).map(|trace| effort(&trace))
            }) {
                too_many.push(format!("{name} is shown by {fewer}"));
            }
        }
    }
    assert!(too_many.is_empty(), "{too_many:#?}");
}

#[test]
fn each_bug_is_a_change_of_a_few_lines_in_one_place() {
    for Exhibit { name, bug, .. } in exhibits() {
        let Some(patch) = patch(*bug, name) else { panic!("{name} has no anchors of its name") };
        assert_ne!(patch.right, patch.wrong, "{name}");
        assert!(patch.right.len() + patch.wrong.len() <= 12, "{name} is more than a few lines: {patch:?}");
        let asks = |line: &String| line.contains("Bug::");
        assert!(!patch.right.iter().chain(&patch.wrong).any(asks), "{name}: {patch:?}");
    }
}

#[test]
fn every_number_of_the_list_has_an_exhibit_or_a_reason_and_no_two_share_a_name() {
    let shown = exhibits().filter_map(|exhibit| exhibit.number);
    let numbers: Vec<u32> = shown.chain(NOT_SHOWN.map(|(number, ..)| number)).collect();
    assert_eq!(numbers.iter().copied().collect::<BTreeSet<u32>>(), (1..=28).collect());
    assert_eq!(numbers.len(), 28);
    let names: BTreeSet<&str> = exhibits().map(|exhibit| exhibit.name).collect();
    assert_eq!(names.len(), exhibits().count());
    for number in 1..=28 {
        assert!(!avoided(number).is_empty(), "no stage names a test for {number}");
    }
}

#[test]
fn an_exhibit_is_found_by_its_number_and_by_its_name() {
    let by = |which| exhibit(which).map(|exhibit| exhibit.bug);
    assert_eq!(by("13"), Some(Bug::UnsyncedFolder));
    assert_eq!(by("unsynced-folder"), Some(Bug::UnsyncedFolder));
    assert_eq!(by("24"), None);
    assert_eq!(by("no-such-bug"), None);
}

#[test]
fn a_page_tells_the_story_the_code_the_run_the_bytes_and_what_avoids_it() {
    for exhibit in exhibits() {
        let Some(lines) = exhibit_lines(exhibit) else { panic!("{} is not noticed", exhibit.name) };
        let text: String = lines.iter().flat_map(|(_, line)| [line.as_str(), "\n"]).collect();
        for part in [exhibit.wrong, "The code", "What shows it", "expected: ", "found: ", "What avoids it"] {
            assert!(text.contains(part), "{} does not say {part}:\n{text}", exhibit.name);
        }
        assert!(lines.len() < 140, "{} has {} lines", exhibit.name, lines.len());
        let again = trace(exhibit);
        assert_eq!(again, trace(exhibit), "{} is not the same each time", exhibit.name);
    }
}
