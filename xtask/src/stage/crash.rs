//! `--crash`: what [`Crashed`] found of a stage, and of engines of one's own beside it, as tables.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use logladder::Stage;
use logladder_bench::Sheet;
use logladder_bench::tables::Look;
use logladder_lab::crashes::{CRASH, Crashed, Crashes, SYNCED, Table, WRITES};

use super::waiting::while_shown;
use crate::lab::Learner;
use crate::style::{BAD, GOOD, HEADING, QUIET};

/// The stage, whose stores this very program writes to.
fn crashed(stage: &'static Stage) -> Crashed {
    Crashed::new(
        stage.name,
        |disk, dir, sync| stage.open_on(disk, dir, sync),
        |folder, policy| {
            let mut command = Command::new(std::env::current_exe()?);
            command
                .args(["stage", stage.name, "--write-until-killed"])
                .arg(folder)
                .args(["--policy", policy]);
            Ok(command)
        },
    )
}

/// Crashes the stage's store in every way, and then those of engines that this program does not know.
pub(super) fn run(stage: &'static Stage, learners: &[Learner]) -> Result<Vec<Crashes>> {
    let mut all = vec![while_shown(stage.name, || crashed(stage).run())?];
    for learner in learners {
        all.push(while_shown(&learner.name, || of_learner(learner))?);
    }
    Ok(all)
}

/// What a learner's own program says of its engine.
fn of_learner(Learner { name, program }: &Learner) -> Result<Crashes> {
    let mut command = Command::new(program);
    // What it says on standard error is for whoever wrote it.
    let output = command.arg(CRASH).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("{name} cannot be crashed before it is finished; next: cargo xtask check {name}");
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{name} did not say what crashes leave of it"))
}

/// Writes to a store of the stage until this process is killed: what [`run`] starts.
pub(super) fn write_until_killed(stage: &'static Stage, folder: &Path, policy: &str) -> Result<()> {
    crashed(stage).write_until_killed(folder, policy)
}

/// Prints the tables. An error if a promise is broken.
pub(super) fn print(all: &[Crashes]) -> Result<()> {
    anstream::println!(
        "{HEADING}Crashes{HEADING:#}: {WRITES} writes, a sync after the first {SYNCED}; the last one is under way when the crash \
         comes"
    );
    for crashes in all {
        if all.len() > 1 {
            anstream::println!("\n{HEADING}{}{HEADING:#}", crashes.stage);
        }
        print_one(crashes);
    }
    verdict(all)
}

fn print_one(crashes: &Crashes) {
    // Many crashes are refused in the same words, which are said once.
    let mut refusals = BTreeSet::new();
    for table in &crashes.tables {
        anstream::println!(
            "\n{HEADING}SyncPolicy {}{HEADING:#}  {QUIET}an acknowledged write survives: {}{QUIET:#}\n",
            table.policy,
            table.durability
        );
        println!("{}", sheet(table).table(Look::of_stdout()));
        for row in &table.rows {
            if let Some(refusal) = row.refusal.as_deref().filter(|refusal| refusals.insert(*refusal)) {
                anstream::println!("  {QUIET}refused, for example: {refusal}{QUIET:#}");
            }
        }
    }
    match &crashes.contract {
        Some(Ok(summary)) => {
            anstream::println!("\n{GOOD}The contract, on the same writes, synced always{GOOD:#}: {summary}");
        }
        Some(Err(violation)) => anstream::println!("\n{BAD}The contract is broken{BAD:#}: {violation}"),
        None => println!("\nThere is no file to cut: that everything is lost is expected of it."),
    }
}

/// An error if a promise is broken.
pub(super) fn verdict(all: &[Crashes]) -> Result<()> {
    match all.iter().find(|crashes| !crashes.keeps_its_promise()) {
        Some(crashes) => bail!("{} breaks its promise", crashes.stage),
        None => Ok(()),
    }
}

fn sheet(table: &Table) -> Sheet {
    let headings =
        ["crash", ">times", ">survived", ">lost", ">at most", ">torn tail kept", ">refused", "as promised?"];
    let mut sheet = Sheet::new("crashes", &table.policy, headings);
    for row in &table.rows {
        let (lost, of) = row.most_lost;
        let most = if lost == 0 { "–".to_owned() } else { format!("{lost} of {of}") };
        let numbers = [row.crashes, row.survived, row.lost].map(|number| number.to_string());
        let mut cells = vec![row.crash.to_string()];
        cells.extend(numbers);
        cells.extend([most, row.torn.to_string(), row.refused.to_string(), row.verdict.words()]);
        sheet.rows.push(cells);
    }
    sheet
}
