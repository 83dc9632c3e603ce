//! The commands of the workspace: `cargo xtask climb`, `cargo xtask stage 4`, `cargo xtask test` and the rest.
//!
//! Exit codes: 0 all is well; 1 something that was checked is wrong, or a command failed; 2 the command line
//! could not be understood.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a command is for")]

mod checks;
mod climb;
#[cfg(unix)]
mod cluster;
mod latency;
mod report;
mod schemathesis;
mod stage;
mod style;
mod two_primaries;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The commands of the Logladder workspace")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load real data into every stage, check every value, and compare: the main job
    Climb(climb::Climb),
    /// Let ten threads at once write and read large values in every stage, and show each percentile
    Latency(latency::Latency),
    /// Show one stage: its operations, the bytes that reach the disk, its contract, its figures
    Stage(stage::Stage),
    /// Run three servers over three nodes of etcd on this machine, until interrupted; or see what happens when one dies
    #[cfg(unix)]
    Cluster(cluster::Cluster),
    /// Write the figures and the chart of the last climb into README.md and the book
    Report(report::Report),
    /// Build the book into docs/book
    Book,
    /// Run every test of the workspace
    Test,
    /// Run what the continuous integration runs: format, lints, documentation, book, tests, benches
    Ci,
    /// Send servers what a program makes up from their OpenAPI document; installs Schemathesis into target/
    Schemathesis(schemathesis::Schemathesis),
    /// Simulate what a primary that was paused does to its replicas, step by step, and judge it: the pain of stage 9
    TwoPrimaries(two_primaries::TwoPrimaries),
    /// Say what this machine has of what the commands need
    Doctor,
}

fn main() -> ExitCode {
    // The benchmark measures each engine in a process of its own: this very program, called with a word that
    // only the benchmark says.
    climb::work_if_asked();
    let outcome = match Arguments::parse().command {
        Command::Climb(climb) => climb.run(),
        Command::Latency(latency) => latency.run(),
        Command::Stage(stage) => stage.run(),
        #[cfg(unix)]
        Command::Cluster(cluster) => cluster.run(),
        Command::Report(report) => report.run(),
        Command::Book => checks::book(),
        Command::Test => checks::test(),
        Command::Ci => checks::ci(),
        Command::Schemathesis(schemathesis) => schemathesis.run(),
        Command::TwoPrimaries(two_primaries) => two_primaries.run(),
        Command::Doctor => checks::doctor(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{}error:{:#} {error:#}", style::BAD, style::BAD);
            ExitCode::FAILURE
        }
    }
}
