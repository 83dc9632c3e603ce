//! `cargo xtask stage N`: one stage, from the operation to the bytes, the contract and the figures.
//!
//! Without a question it shows everything. Asked for one thing, it shows that alone, and more of it: questions to think
//! about first ([`predict`]), the bytes ([`bytes`]), what crashes leave ([`crash`]), the figures ([`figures`]), or what
//! changed since another stage ([`difference`]).

mod bytes;
mod changes;
mod code;
mod contract;
mod cost;
mod crash;
mod difference;
mod figures;
mod lesson;
mod paint;
mod predict;
mod trace;
mod waiting;
mod watched_reads;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::error::ErrorKind;
use clap::{Args, Command};
use logladder::{STAGES, SyncPolicy};

use crate::climb::find;
use crate::lab::Learner;
use crate::style::{HEADING, QUIET};

/// What `cargo xtask stage` takes.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group(clap::ArgGroup::new("one thing").multiple(false)))]
pub(crate) struct Stage {
    /// The stage, by number or by name: 4, or scan-log
    #[arg(value_name = "STAGE")]
    which: String,
    /// Leave out the contract and the figures, which take from seconds to many minutes
    #[arg(long)]
    quick: bool,
    /// Leave out the crash images of the contract, which take many minutes in the upper stages
    #[arg(long)]
    no_crashes: bool,
    /// Ask a few questions on the stage before it is shown; in a pipe, print them and then the answers
    #[arg(long, group = "one thing")]
    predict: bool,
    /// Only the bytes: what each operation changes of the files, and every byte by its name
    #[arg(long, group = "one thing")]
    bytes: bool,
    /// Only crashes: the last write cut at each byte, unsynced writes dropped, a real process killed
    #[arg(long, group = "one thing")]
    crash: bool,
    /// With --crash: beside the stage, an engine of your own, made by `cargo xtask new`; may be given more than once
    #[arg(long = "with", value_name = "NAME", requires = "crash")]
    #[arg(conflicts_with_all = ["predict", "bytes", "bench", "diff"])]
    with: Vec<String>,
    /// Only the figures, beside the stage below
    #[arg(long, group = "one thing")]
    bench: bool,
    /// Only what changed since this stage, or, if it is a later one, until it: code, capabilities, what an operation
    /// costs, figures
    #[arg(long, value_name = "STAGE", group = "one thing")]
    diff: Option<String>,
    /// Print what --bytes, --crash, --bench or --diff found as JSON
    #[arg(long, conflicts_with = "predict")]
    json: bool,
    /// Write to a store in this folder until this process is killed: what `--crash` starts
    #[arg(long, hide = true, value_name = "FOLDER", requires = "policy")]
    write_until_killed: Option<PathBuf>,
    /// How often that one syncs
    #[arg(long, hide = true)]
    policy: Option<String>,
}

impl Stage {
    /// Shows the stage.
    pub(crate) fn run(&self) -> Result<()> {
        if self.json && !(self.bytes || self.crash || self.bench || self.diff.is_some()) {
            // Not left to clap, which would name `--predict` as well.
            let mut command = Self::augment_args(Command::new("stage").bin_name("cargo xtask stage"));
            let why = format!(
                "--json prints what one question found: add --bytes, --crash, --bench or --diff STAGE, as in `cargo xtask \
                 stage {} --bytes --json`",
                self.which
            );
            command.error(ErrorKind::MissingRequiredArgument, why).exit();
        }
        let stage = find(&self.which)?;
        if let (Some(folder), Some(policy)) = (&self.write_until_killed, &self.policy) {
            return crash::write_until_killed(stage, folder, policy);
        }
        // Before anything is printed: a stage that is not there is refused, and so is an engine that was not made or does not
        // compile, and nothing else is said.
        let pair = self.diff.as_deref().map(|other| lower_and_upper(stage, other)).transpose()?;
        let learners = self.with.iter().map(|name| Learner::to_check(name)).collect::<Result<Vec<_>>>()?;
        if self.json {
            return self.print_json(stage, pair, &learners);
        }
        print_head(stage);
        if self.predict {
            predict::run(stage)?;
            println!("\nNext: cargo xtask stage {}", stage.number);
        } else if self.bytes {
            bytes::print_lesson(stage, &lesson::perform(stage)?);
        } else if self.crash {
            crash::print(&crash::run(stage, &learners)?)?;
        } else if self.bench {
            figures::print(&figures::with_the_one_below(stage))?;
        } else if let Some([lower, upper]) = pair {
            difference::between(lower, upper, self.quick)?.print()?;
        } else {
            self.print_all(stage)?;
        }
        Ok(())
    }

    fn print_json(
        &self,
        stage: &'static logladder::Stage,
        pair: Option<[&'static logladder::Stage; 2]>,
        learners: &[Learner],
    ) -> Result<()> {
        if self.bytes {
            println!("{}", bytes::json(stage, &lesson::perform(stage)?)?);
        } else if self.crash {
            let all = crash::run(stage, learners)?;
            let json = match &all[..] {
                [of_the_stage] => serde_json::to_string_pretty(of_the_stage)?,
                all => serde_json::to_string_pretty(all)?,
            };
            println!("{json}");
            crash::verdict(&all)?;
        } else if self.bench {
            let report = figures::measured(&figures::with_the_one_below(stage))?;
            println!("{}", report.to_json()?);
            figures::verdict(&report)?;
        } else if let Some([lower, upper]) = pair {
            let difference = difference::between(lower, upper, self.quick)?;
            println!("{}", serde_json::to_string_pretty(&difference)?);
        }
        Ok(())
    }

    fn print_all(&self, stage: &'static logladder::Stage) -> Result<()> {
        anstream::println!(
            "{HEADING}Operations{HEADING:#}, and what each does to the disk {QUIET}(every write synced){QUIET:#}"
        );
        let performed = lesson::perform(stage)?;
        trace::print(&performed);

        anstream::println!("\n{HEADING}The bytes on the disk{HEADING:#} after them");
        if let Some(last) = performed.last() {
            bytes::print(stage, &last.after, &mut paint::Paint::default());
        }

        if !self.quick {
            anstream::println!("\n{HEADING}The contract{HEADING:#}");
            let kept = contract::run(stage, !self.no_crashes);
            anstream::println!("\n{HEADING}The figures{HEADING:#}, beside the stage below");
            figures::print(&figures::with_the_one_below(stage))?;
            kept?;
        }
        let place = format!("{}-{}", stage.number, stage.name);
        println!("\nThe code: crates/stages/{place}   The lesson: docs/src/stages/{place}.md");
        println!("More of it: --predict, --bytes, --crash, --bench, --diff STAGE");
        match STAGES.iter().find(|next| next.number > stage.number) {
            Some(next) => println!("Next: cargo xtask stage {}", next.number),
            None => println!("Next: cargo xtask climb"),
        }
        Ok(())
    }
}

/// The two stages that `--diff` compares, the lower one first, whichever of them was named first.
fn lower_and_upper(stage: &'static logladder::Stage, other: &str) -> Result<[&'static logladder::Stage; 2]> {
    let other = find(other)?;
    if other.number == stage.number {
        bail!("--diff {} compares {} with itself: name another stage", other.number, stage.name);
    }
    Ok(if other.number < stage.number { [other, stage] } else { [stage, other] })
}

fn print_head(stage: &logladder::Stage) {
    anstream::println!("{HEADING}Stage {}: {}{HEADING:#} — {}", stage.number, stage.name, stage.summary);
    println!("  fixes:  {}", stage.fixes);
    println!("  hurts:  {}", stage.hurts);
    println!("  an acknowledged set survives: {}\n", survives(stage));
}

fn survives(stage: &logladder::Stage) -> String {
    let synced = stage.durability(SyncPolicy::Always);
    let unsynced = stage.durability(SyncPolicy::Never);
    if synced == unsynced {
        synced.to_string()
    } else {
        format!("{synced} if every write is synced, {unsynced} if not")
    }
}
