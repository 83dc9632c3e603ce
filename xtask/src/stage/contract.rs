//! The contract of one stage, run here and now: cases, crash images, bit flips.

use std::fmt::Display;
use std::time::Instant;

use anyhow::bail;
use logladder::{Stage, SyncPolicy};
use logladder_contract::{Subject, Verdict, bit_flips, crash, cuts, faults, run_cases};

use super::waiting::while_shown;
use crate::style::{BAD, GOOD, QUIET};

/// A check of what the stage has on its disk, and what it says of its outcome.
type Check = fn(&Subject) -> Result<String, String>;

/// What is done to the files of a stage that has some, the crash images only where they are asked for.
fn checks(with_crashes: bool) -> Vec<(&'static str, Check)> {
    let mut checks: Vec<(&'static str, Check)> = vec![
        ("failing disks", |subject| said(faults(subject))),
        ("flipped bits", |subject| said(bit_flips(subject))),
        ("cut files", |subject| said(cuts(subject))),
    ];
    if with_crashes {
        checks.insert(0, ("crashes", |subject| said(crash::crash_images(subject))));
    }
    checks
}

fn said<S: Display, E: Display>(outcome: Result<S, E>) -> Result<String, String> {
    outcome.map(|summary| summary.to_string()).map_err(|violation| violation.to_string())
}

/// Runs it and prints what came of it. An error if anything is broken.
pub(super) fn run(stage: &'static Stage, with_crashes: bool) -> anyhow::Result<()> {
    let subject = Subject::new(stage.name, |disk, dir| stage.open_on(disk, dir, SyncPolicy::Always));
    let mut broken = 0;

    let outcomes = while_shown("cases", || run_cases(&subject));
    let (mut passed, mut not_applicable) = (0, 0);
    for outcome in &outcomes {
        match &outcome.verdict {
            Verdict::Passed => passed += 1,
            Verdict::NotApplicable(_) => not_applicable += 1,
            Verdict::Failed(_) => {
                broken += 1;
                anstream::println!("  {BAD}{outcome}{BAD:#}");
            }
        }
    }
    anstream::println!(
        "  {GOOD}{passed} cases kept{GOOD:#}, {not_applicable} that do not apply to it as it is opened here, {broken} broken"
    );
    for outcome in outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::NotApplicable(_))) {
        anstream::println!("    {QUIET}{outcome}{QUIET:#}");
    }
    if subject.persists() {
        if !with_crashes {
            anstream::println!("  {QUIET}crashes: left out (--no-crashes){QUIET:#}");
        }
        for (what, check) in checks(with_crashes) {
            broken += tell(what, &subject, check);
        }
    }
    if broken > 0 {
        bail!("{} breaks its contract", stage.name);
    }
    Ok(())
}

/// Prints what came of a check. Returns how many things are broken.
fn tell(what: &str, subject: &Subject, check: Check) -> usize {
    let start = Instant::now();
    match while_shown(what, || check(subject)) {
        Ok(summary) => {
            let seconds = start.elapsed().as_secs_f64();
            anstream::println!("  {GOOD}{what}{GOOD:#}: {summary} {QUIET}({seconds:.1} s){QUIET:#}");
            0
        }
        Err(violation) => {
            anstream::println!("  {BAD}{what}{BAD:#}: {violation}");
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_crashes_every_other_check_is_still_made() {
        let names = |with_crashes| checks(with_crashes).iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(true), ["crashes", "failing disks", "flipped bits", "cut files"]);
        assert_eq!(names(false), ["failing disks", "flipped bits", "cut files"]);
    }
}
