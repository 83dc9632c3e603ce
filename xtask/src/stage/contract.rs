//! The contract of one stage, run here and now: cases, crash images, bit flips.

use std::time::Instant;

use anyhow::{Result, bail};
use logladder::{Stage, SyncPolicy};
use logladder_contract::{Subject, Verdict, bit_flips, crash, cuts, faults, run_cases};

use crate::style::{BAD, GOOD, QUIET};

/// Runs it and prints what came of it. An error if anything is broken.
pub(super) fn run(stage: &'static Stage) -> Result<()> {
    let subject = Subject::new(stage.name, |disk, dir| stage.open_on(disk, dir, SyncPolicy::Always));
    let mut broken = 0;

    let outcomes = run_cases(&subject);
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
        "  {GOOD}{passed} cases kept{GOOD:#}, {not_applicable} that make no sense for it, {broken} broken"
    );
    for outcome in outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::NotApplicable(_))) {
        anstream::println!("    {QUIET}{outcome}{QUIET:#}");
    }
    if subject.persists() {
        broken += tell("crashes", || crash::crash_images(&subject));
        broken += tell("failing disks", || faults(&subject));
        broken += tell("flipped bits", || bit_flips(&subject));
        broken += tell("cut files", || cuts(&subject));
    }
    if broken > 0 {
        bail!("{} breaks its contract", stage.name);
    }
    Ok(())
}

/// Prints what came of a check. Returns how many things are broken.
fn tell<S: std::fmt::Display, E: std::fmt::Display>(
    what: &str,
    check: impl FnOnce() -> Result<S, E>,
) -> usize {
    let start = Instant::now();
    match check() {
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
