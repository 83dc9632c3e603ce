//! A script that shows a bug when the disk fails it, without the steps that the bug does not need.

use std::time::{Duration, Instant};

use logladder_contract::Violation;
use logladder_contract::crash::Script;

/// So long it may take.
const PATIENCE: Duration = Duration::from_secs(8);

type Outcome = Result<(), Box<Violation>>;

/// Leaves steps out for as long as `check` still finds the same promise broken. The last `kept` of them stay.
pub(crate) fn smaller_script(
    mut script: Script,
    kept: usize,
    mut violation: Violation,
    check: impl Fn(&Script) -> Outcome,
) -> Violation {
    let start = Instant::now();
    let free = |script: &Script| script.steps.len().saturating_sub(kept);
    let mut chunk = free(&script).div_ceil(2);
    while chunk >= 1 {
        let mut from = 0;
        while from < free(&script) {
            if start.elapsed() > PATIENCE {
                return violation;
            }
            let mut smaller = script.clone();
            smaller.steps.drain(from..(from + chunk).min(free(&script)));
            match check(&smaller) {
                Err(other) if same_kind(&other, &violation) => (script, violation) = (smaller, *other),
                _ => from += chunk,
            }
        }
        if chunk == 1 {
            break;
        }
        chunk = chunk.div_ceil(2);
    }
    violation
}

/// Whether two violations say the same but for what stands in quotation marks.
fn same_kind(one: &Violation, other: &Violation) -> bool {
    let words = |text: &str| text.split('"').step_by(2).map(str::to_owned).collect::<Vec<_>>();
    words(&one.expected) == words(&other.expected)
}

#[cfg(test)]
mod tests {
    use logladder_contract::crash::Step;

    use super::*;

    fn set(number: usize) -> Step {
        Step::Set(format!("key {number}").into_bytes(), b"value".to_vec())
    }

    /// What is found if the third key is set, under the name of another each time.
    fn finds(script: &Script) -> Outcome {
        let Some(place) = script.steps.iter().position(|step| *step == set(3)) else { return Ok(()) };
        Err(Box::new(Violation {
            script: script.to_string(),
            moment: String::new(),
            expected: format!("key \"{place}\" has a value"),
            found: "none".to_owned(),
            files: Vec::new(),
        }))
    }

    #[test]
    fn the_one_step_is_left_that_shows_the_bug_and_those_that_must_stay() {
        let steps: Vec<Step> = (0..20).map(set).chain([Step::Close]).collect();
        for kept in [0, 1] {
            let script = Script { name: "many keys", steps: steps.clone() };
            let violation = finds(&script).unwrap_err();
            let smaller = smaller_script(script, kept, *violation, finds);
            // The first line is the script's name.
            assert_eq!(smaller.script.lines().count(), 2 + kept, "{}", smaller.script);
            assert!(smaller.script.contains("set \"key 3\" = \"value\""), "{}", smaller.script);
            assert_eq!(smaller.script.contains("close"), kept == 1);
        }
    }
}
