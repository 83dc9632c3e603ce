//! A learner's own engine: where it begins, what it has to keep next, and what it broke.
//!
//! ```text
//!   starters/scan_log.rs ──► Starter ──┬─► unfinished ──► lab/mine/src/lib.rs     (cargo xtask new mine)
//!   (a finished engine)                └─► the engine itself, compiled and tested here: the solution
//!
//!   lab/mine ──► program! ──► run ──► check: the plan's checks in their order, until one fails
//!                                      ├─ a todo!() was reached ──► the next step
//!                                      └─ a promise is broken ────► replay, shrink, dump ──► tell
//! ```
//!
//! A [`Starter`] is one source for both, the unfinished engine and the finished one, so the two cannot drift apart. Its
//! [`Step`]s have one order. The plan gives each check of the contract a place in it: behind the last step that it needs,
//! which is known from the calls that it makes. So there is always exactly one next thing to do.
//!
//! # Examples
//!
//! ```
//! use logladder_lab::{Starter, unfinished};
//!
//! let Some(starter) = Starter::of("scan-log") else { panic!("stage 4 has a starter") };
//! assert_eq!(starter.steps()[0].name, "open");
//! assert!(unfinished(starter, "mine", 0).contains("todo!(\"open\")"));
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this crate is the inside of a command")]

mod attended;
mod build;
mod call;
mod check;
pub mod crashes;
mod deed;
mod dump;
mod extras;
mod generate;
mod headline;
mod journal;
mod learner;
mod panics;
mod plan;
mod replay;
mod revisit;
mod rot;
mod shortest;
mod shrink;
mod starter;
pub mod starters;
mod tell;
mod traced;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use logladder_disk::OpenOn;
use logladder_engine::SyncPolicy;

pub use attended::attended;
pub use build::{Purpose, build};
pub use call::Call;
pub use check::{Broken, End, Progress, Report, check};
pub use generate::{NameError, NewError, check_name, new_crate, package_name, unfinished};
pub use learner::Learner;
#[doc(hidden)]
pub use plan::calls_of_cases;
pub use starter::{Describe, HINTS, OpenEngine, Starter, Step};

/// The environment variable that names a file: the check under way is written into it, so that it is known when the engine
/// ends the whole process.
pub const NOW: &str = "LOGLADDER_LAB_NOW";

/// The `main` of a learner's crate: the program that `cargo xtask check` runs, and that the benchmark measures.
///
/// `$stage` is the stage that it was begun from.
#[macro_export]
macro_rules! program {
    ($name:literal, $stage:literal, $engine:ty, $describe:path) => {
        #[cfg(feature = "bench")]
        logladder_bench::counted_heap!(HEAP);

        fn main() -> ::std::process::ExitCode {
            // The benchmark measures each engine in a process of its own: this program, called with a word that only the
            // benchmark says.
            #[cfg(feature = "bench")]
            logladder_bench::worker_entry(
                |name| {
                    let contestant = || logladder_bench::Contestant::on_disk::<$engine>($name, |sync| sync);
                    (name == $name).then(contestant)
                },
                Some(&HEAP),
            );
            $crate::run::<$engine>($name, $stage, $describe, env!("CARGO_MANIFEST_DIR"))
        }
    };
}

/// Goes back to the beginning of a terminal's line, and clears it.
const CLEARED: &str = "\r\x1b[2K";

/// Checks the engine `E` as the command line asks, and says what was found. What [`program!`] calls.
///
/// The command line is that of `cargo xtask check`, less the name: `--hint`, thrice at most, and `--json`. The exit code is 0
/// if everything is kept, 1 if something is not, 2 if the command line makes no sense.
pub fn run<E: OpenOn<Options = SyncPolicy>>(
    name: &str,
    stage: &str,
    describe: Describe,
    crate_dir: &str,
) -> ExitCode {
    let bad_line = |what: String| {
        anstream::eprintln!("error: {what}; see `cargo xtask check --help`");
        ExitCode::from(2)
    };
    let Some(starter) = Starter::of(stage) else {
        return bad_line(format!("there is no starter for stage `{stage}`"));
    };
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let crashed = crashes::Crashed::of_this_program(name, starters::boxed::<E>);
    if let Some(outcome) = crashed.if_asked(&words) {
        return match outcome {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                anstream::eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let (mut hints, mut json) = (0, false);
    for argument in words.into_iter().map(OsString::into_string) {
        match argument.as_deref() {
            Ok("--hint") => hints = HINTS.min(hints + 1),
            Ok("--json") => json = true,
            other => return bad_line(format!("`{}` is not understood", other.unwrap_or("what was said"))),
        }
    }
    let learner = Learner {
        name: name.to_owned(),
        starter,
        open: starters::boxed::<E>,
        describe,
        crate_dir: Some(Path::new(crate_dir).to_path_buf()),
    };
    let now = std::env::var_os(NOW);
    // A check may take its time, and one that never ends is waited for.
    let shows = !json && std::io::stderr().is_terminal();
    let report = check(&learner, &mut |check| {
        if shows {
            anstream::eprint!("{CLEARED}checking {check}");
        }
        if let Some(now) = &now {
            // If it cannot be written, a crash says less; that is all.
            let _ = generate::overwrite(Path::new(now), check);
        }
    });
    if shows {
        anstream::eprint!("{CLEARED}");
    }
    let telling = tell::Telling { learner: &learner, report: &report, hints };
    if json {
        match telling.to_json() {
            Ok(text) => println!("{text}"),
            Err(error) => anstream::eprintln!("error: {error}"),
        }
    } else {
        telling.print();
    }
    ExitCode::from(u8::from(!matches!(report.end, End::AllKept)))
}
