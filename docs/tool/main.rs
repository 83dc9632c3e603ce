//! `cargo run -p logladder-book -- build`: the book, built and checked.
//!
//! Exit codes: 0 all is well; 1 the book says something that is not so, or a command failed; 2 the command line
//! could not be understood.

#![allow(clippy::print_stdout, reason = "printing is what a command is for")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use logladder_book::{Book, check, generated, html, serve};

#[derive(Debug, Parser)]
#[command(name = "logladder-book", about = "Builds the book and checks what it says")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the pages, then build them as HTML
    Build {
        /// The folder to build into; docs/book of this repository if none is named
        #[arg(long)]
        dest: Option<PathBuf>,
    },
    /// Build the book, serve it on this machine alone, and build it anew whenever a page changes
    Serve {
        /// The port; 0 takes any that is free
        #[arg(long, default_value_t = 3000)]
        port: u16,
    },
    /// Say what in the pages is not so: links, includes, generated blocks, lessons, figures, dependencies, names of tests
    Check,
    /// Write the generated blocks of the pages anew, from the code
    Refresh,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let book = Book::of_this_repository()?;
    match arguments.command {
        Command::Build { dest } => {
            let outcome = report(&book)?;
            let first = html::build(&book, &dest.unwrap_or_else(|| book.root.join(html::DESTINATION)))?;
            println!("the book begins at {}", first.display());
            Ok(outcome)
        }
        Command::Serve { port } => {
            serve::serve(&book.root, port)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check => report(&book),
        Command::Refresh => {
            for page in generated::refresh(&book)? {
                println!("{}: written anew", page.path.display());
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn report(book: &Book) -> Result<ExitCode> {
    let faults = check(book)?;
    for fault in &faults {
        println!("{fault}");
    }
    println!("{} pages, {} faults", book.pages.len(), faults.len());
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
