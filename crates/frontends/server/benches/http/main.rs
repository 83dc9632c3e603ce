//! What the server promises of its speed, over the loopback, with [wrk](https://github.com/wg/wrk) as the client, in one run:
//!
//! ```text
//! cargo bench -p logladder-server --bench http                       two minutes, one of which is a mixed load
//! cargo bench -p logladder-server --bench http -- --minutes 10       a mixed load of ten minutes
//! cargo bench -p logladder-server --bench http -- --json FILE        the same, and every figure
//! cargo bench -p logladder-server --bench http -- --test             all of it in seconds, to show that it works
//! ```
//!
//! Each server is a process of its own. The sides of a ratio take turns, so that both meet the same machine, and a figure is
//! the median of its rounds. Client and server share the cores, so a ratio says more than a figure.

#[path = "../asked/mod.rs"]
mod asked;
mod held;
mod load;
mod measure;
mod requests;
#[path = "../served/mod.rs"]
mod served;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use logladder_bench::tables::Look;
use logladder_bench::{Report, TargetRow, reports_folder, save};
use serde::Serialize;

use crate::asked::Asked;
use crate::measure::Scale;

/// The server over HTTP, by wrk.
#[derive(Debug, Parser)]
#[command(name = "http", version, about)]
struct Flags {
    /// How long the mixed load lasts, in minutes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    minutes: u32,
    #[command(flatten)]
    asked: Asked,
}

/// The figures themselves, beside their table.
#[derive(Debug, Serialize)]
struct Figures {
    rows: Vec<TargetRow>,
}

fn main() -> Result<ExitCode> {
    // Returns at once unless this process was started as a server.
    served::serve_if_asked()?;
    let Flags { minutes, asked } = Flags::parse();
    if !load::is_there() {
        writeln!(
            io::stderr(),
            "wrk is not installed. On Debian and its kin, as root: `apt-get install wrk`"
        )?;
        // Whoever only wants to see that benchmarks work needs no figures of this one.
        return Ok(if asked.test { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let scale = if asked.test { Scale::of_a_test() } else { Scale::of_minutes(minutes) };
    let Report { machine, date, .. } = Report::begin("http");
    let scratch = reports_folder();
    std::fs::create_dir_all(&scratch)?;
    let folder = tempfile::Builder::new().prefix("http-").tempdir_in(&scratch)?;
    let rows = measure::all(&scale, folder.path())?;
    let sheet = TargetRow::sheet("Over the loopback, client and server on the same cores", &rows);
    writeln!(io::stdout(), "{}\n{}", sheet.title, sheet.table(Look::of_stdout()))?;
    if let Some(path) = asked.json() {
        save(&path, &format!("{scale}. {machine}, {date}."), &[sheet], &Figures { rows })?;
    }
    Ok(ExitCode::SUCCESS)
}
