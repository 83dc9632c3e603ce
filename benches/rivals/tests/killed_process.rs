//! What a killed process had acknowledged: our stages keep all of it; the rivals' share is reported.
//!
//! The processes are this very program, so it has no test harness.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use logladder_bench::Runner;
use logladder_bench::tables::Look;
use logladder_rivals::{Launcher, Schedule, Side, show, worker_entry};

/// Enough for several segments and journals; the slowest stages set as many as the time allows.
const SETS: u32 = 5000;

fn main() -> Result<ExitCode> {
    worker_entry(None);
    let schedule = Schedule::of_kills(SETS, Duration::from_secs(1));
    let results = schedule.run(&Launcher::new()?, &Runner::new()?, &mut |_, _| {});
    writeln!(stdout(), "{}", show::all(&results, Look::default()))?;

    let ours: Vec<_> = results.kills.iter().filter(|kill| kill.of.side == Side::Ours).collect();
    ensure!(!ours.is_empty(), "no stage was killed");
    for kill in ours {
        ensure!(kill.acknowledged > 0, "{}: nothing was acknowledged", kill.of.engine);
        ensure!(
            kill.kept == kill.acknowledged && kill.wrong == 0,
            "{} ({}) acknowledged {} sets and kept {}, {} of another value",
            kill.of.engine,
            kill.of.opened_with,
            kill.acknowledged,
            kill.kept,
            kill.wrong
        );
    }
    // A rival may lose what it did not promise to keep, but its adapter must work.
    ensure!(results.failures.is_empty(), "there were failures, listed above");
    Ok(ExitCode::SUCCESS)
}
