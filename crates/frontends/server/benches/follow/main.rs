//! What a copy that follows a server promises, in one run:
//!
//! ```text
//! cargo bench -p logladder-server --bench follow                     half a minute
//! cargo bench -p logladder-server --bench follow -- --json FILE      the same, and every figure
//! cargo bench -p logladder-server --bench follow -- --test           all of it in seconds, to show that it works
//! ```
//!
//! The leader is a process of its own, and the copy is in this one, where its reads are compared with those of a hash-log
//! that nobody follows: both have the same keys, and take turns. How far the copy is behind is measured beside paced writes: from the moment when the leader
//! acknowledges a write to the moment when the copy has it.

#[path = "../asked/mod.rs"]
mod asked;
mod lag;
mod reads;
#[path = "../served/mod.rs"]
mod served;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use logladder_bench::tables::Look;
use logladder_bench::{Report, TargetRow, reports_folder, save};
use serde::Serialize;

use crate::asked::Asked;

/// A copy that follows a server.
#[derive(Debug, Parser)]
#[command(name = "follow", version, about)]
struct Flags {
    #[command(flatten)]
    asked: Asked,
}

/// The figures themselves, beside their table.
#[derive(Debug, Serialize)]
struct Figures {
    rows: Vec<TargetRow>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    keys: u32,
    /// How long each side has its turn, and how often.
    round: Duration,
    rounds: u32,
    /// How long the paced writes last.
    paced: Duration,
}

fn main() -> Result<ExitCode> {
    // Returns at once unless this process was started as a server.
    served::serve_if_asked()?;
    let Flags { asked } = Flags::parse();
    let scale = if asked.test {
        Scale { keys: 1000, round: Duration::from_millis(50), rounds: 1, paced: Duration::from_millis(500) }
    } else {
        Scale { keys: 100_000, round: Duration::from_secs(1), rounds: 5, paced: Duration::from_secs(10) }
    };
    let Report { machine, date, .. } = Report::begin("follow");
    let scratch = reports_folder();
    std::fs::create_dir_all(&scratch)?;
    let folder = tempfile::Builder::new().prefix("follow-").tempdir_in(&scratch)?;
    let mut rows = reads::rows(scale, folder.path())?;
    rows.extend(lag::rows(scale, folder.path())?);
    let sheet = TargetRow::sheet("A copy beside its leader, on the same cores", &rows);
    writeln!(io::stdout(), "{}\n{}", sheet.title, sheet.table(Look::of_stdout()))?;
    if let Some(path) = asked.json() {
        let Scale { keys, rounds, round, paced } = scale;
        let run = format!(
            "{keys} keys; rounds: {rounds} of {} s; paced writes: {} s. {machine}, {date}.",
            round.as_secs(),
            paced.as_secs()
        );
        save(&path, &run, &[sheet], &Figures { rows })?;
    }
    Ok(ExitCode::SUCCESS)
}
