//! A script whose crash images show a bug, without the steps that the bug does not need.

use std::time::{Duration, Instant};

use logladder_contract::crash::{Script, crash_images_of};
use logladder_contract::{Subject, Violation};

/// So long it may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Leaves steps out for as long as a crash still breaks the same promise.
pub(crate) fn smaller_script(subject: &Subject, mut script: Script, mut violation: Violation) -> Violation {
    let start = Instant::now();
    let mut chunk = script.steps.len().div_ceil(2);
    while chunk >= 1 {
        let mut from = 0;
        while from < script.steps.len() {
            if start.elapsed() > PATIENCE {
                return violation;
            }
            let mut smaller = script.clone();
            smaller.steps.drain(from..(from + chunk).min(script.steps.len()));
            match crash_images_of(subject, std::slice::from_ref(&smaller), None) {
                Err(other) if same_kind(&other, &violation) => {
                    (script, violation) = (smaller, *other);
                }
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
