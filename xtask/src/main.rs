//! The commands of the workspace: `cargo xtask climb`, `cargo xtask stage 4`, `cargo xtask test` and the rest.
//!
//! Exit codes: 0 all is well; 1 something that was checked is wrong, or a command failed; 2 the command line
//! could not be understood.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a command is for")]

mod bugs;
mod checks;
mod climb;
#[cfg(unix)]
mod cluster;
mod lab;
mod latency;
mod report;
mod schemathesis;
mod stage;
mod style;
mod two_primaries;
mod view;

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
    /// Begin an engine of your own, in lab/
    New(lab::New),
    /// Hold your own engine to the contract, and say what to do next
    Check(lab::Check),
    /// Run three servers over three nodes of etcd on this machine, until interrupted; or see what happens when one dies
    #[cfg(unix)]
    Cluster(cluster::Cluster),
    /// The bug museum: what has been wrong in engines like these, each with its code, a failing run and the bytes
    Bugs(bugs::Bugs),
    /// Write the last climb into README.md and the book, and every kept figure into one page for a browser
    Report(report::Report),
    /// Build the book into docs/book; or serve it on this machine while it is being written
    Book(checks::Book),
    /// Run every test of the workspace
    Test,
    /// Run what the continuous integration runs: format, lints, documentation, book, tests, benches
    Ci,
    /// Send servers what a program makes up from their OpenAPI document; installs Schemathesis into target/
    Schemathesis(schemathesis::Schemathesis),
    /// Simulate what a primary that was paused does to its replicas, step by step, and judge it: the pain of stage 9
    TwoPrimaries(two_primaries::TwoPrimaries),
    /// Show the files of a temporary store in a browser, with buttons to write, compact and crash it, until interrupted
    View(view::View),
    /// Say what this machine has of what the commands need
    Doctor,
}

/// A reader that has read enough, such as `head`, ends this program as it would end others: quietly.
fn end_quietly_without_a_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|message| message.starts_with("failed printing to stdout")) {
            std::process::exit(141); // What a shell says of a program that SIGPIPE ended.
        }
        usual(panic);
    }));
}

fn main() -> ExitCode {
    end_quietly_without_a_reader();
    // The benchmark measures each engine in a process of its own: this very program, called with a word that
    // only the benchmark says.
    climb::work_if_asked();
    let outcome = match Arguments::parse().command {
        Command::Climb(climb) => climb.run(),
        Command::Latency(latency) => latency.run(),
        Command::Stage(stage) => stage.run(),
        Command::New(new) => new.run(),
        Command::Check(check) => match check.run() {
            Ok(code) => return ExitCode::from(code),
            Err(error) => Err(error),
        },
        #[cfg(unix)]
        Command::Cluster(cluster) => cluster.run(),
        Command::Bugs(bugs) => bugs.run(),
        Command::Report(report) => report.run(),
        Command::Book(book) => book.run(),
        Command::Test => checks::test(),
        Command::Ci => checks::ci(),
        Command::Schemathesis(schemathesis) => schemathesis.run(),
        Command::TwoPrimaries(two_primaries) => two_primaries.run(),
        Command::View(view) => view.run(),
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
