//! `logladder`: any stage of the ladder from a terminal or a script.
//!
//! ```text
//!   arguments ──► store (which stage, which folder or cluster) ──► a command: keys, watch, transfer, care, inspect, repl, serve, bench
//!                                                           │
//!                         outcome (exit code) ◄─────────────┘        bytes: how keys and values are typed and shown
//! ```
//!
//! Results go to standard output as they are, without colours; remarks and errors go to standard error. The exit
//! codes are listed in the help, and [`outcome`] gives them.

mod arguments;
mod bench;
mod bytes;
mod capability;
mod care;
mod cluster;
mod inspect;
mod keys;
mod outcome;
mod owner;
mod repl;
mod serve;
mod shell;
mod signals;
mod store;
mod transfer;
mod watch;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::outcome::{Answer, code_of, is_broken_pipe};

const BAD: Style = AnsiColor::Red.on_default().bold();

fn main() -> ExitCode {
    // `bench` measures each engine in a process of its own: this very program, called with a word that only the
    // benchmark says.
    bench::work_if_asked();
    signals::survive_the_limit_of_files();
    let arguments = Arguments::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = run(&arguments, &mut out).and_then(|answer| {
        out.flush()?;
        Ok(answer)
    });
    match outcome {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => {
            // What is left would fail again when the writer is dropped.
            let _ = out.into_parts();
            ExitCode::SUCCESS
        }
        Err(error) => {
            // What was printed before the error comes before it.
            let _ = out.flush();
            // Whatever else fails in reading or writing says at what, as an error that it wraps or is wrapped in.
            let is_of_system = |error: &io::Error| error.get_ref().is_none();
            let is_of_output = error.chain().len() == 1 && error.downcast_ref().is_some_and(is_of_system);
            let what = if is_of_output { "cannot write to standard output: " } else { "" };
            remark(&format!("{BAD}error:{BAD:#} {what}{error:#}"));
            ExitCode::from(code_of(&error))
        }
    }
}

/// Prints a line to standard error. If nobody can read it, there is nobody to tell.
fn remark(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Answer> {
    let store = &arguments.store;
    match &arguments.command {
        Command::Repl(command) => command.run(store, out),
        Command::Serve(command) => command.run(store, out),
        Command::Get(command) => command.run(store, out),
        Command::Set(command) => command.run(store),
        Command::Del(command) => command.run(store),
        Command::Scan(command) => command.run(store, out),
        Command::Stats(command) => command.run(store, out),
        Command::History(command) => command.run(store, out),
        Command::Watch(command) => command.run(store, out),
        Command::Import(command) => command.run(store),
        Command::Export(command) => command.run(store, out),
        Command::Compact(command) => command.run(store, out),
        Command::Check(command) => command.run(store, out),
        Command::Backup(command) => command.run(store),
        Command::Restore(command) => command.run(store),
        Command::Inspect(command) => command.run(store, out),
        Command::Bench(command) => command.run(store, out),
        Command::Stages(command) => command.run(store, out),
        Command::Completions(command) => command.run(out),
        Command::Man(command) => command.run(out),
    }
}
