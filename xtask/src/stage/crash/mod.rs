//! `--crash`: what is left of a store after each kind of crash, and whether that is what the stage promised.
//!
//! Two halves. On a disk in memory, the last write is cut at each byte, and whatever no sync covers is dropped
//! ([`images`]). On the real disk, a real process is killed while it writes ([`killed`]). Every store that a crash left
//! is opened again by the stage itself; nothing in the table is foretold.

mod images;
pub(super) mod killed;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail};
use logladder::{Durability, Stage, SyncPolicy};
use logladder_bench::Sheet;
use logladder_bench::tables::{self, Look};
use logladder_contract::Subject;
use logladder_contract::crash::{Script, Step, crash_images_of};
use serde::Serialize;

use crate::style::{BAD, GOOD, HEADING, QUIET};

/// How often writes are synced, and what that is called.
pub(super) const POLICIES: [(&str, SyncPolicy); 3] = [
    ("always", SyncPolicy::Always),
    ("every-second", SyncPolicy::Every(Duration::from_secs(1))),
    ("never", SyncPolicy::Never),
];

/// What came of one kind of crash.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// The crash, in words.
    crash: &'static str,
    /// How many there were.
    crashes: usize,
    /// How many took no acknowledged write.
    survived: usize,
    /// How many took some.
    lost: usize,
    /// The most acknowledged writes that one of them took, and how many there were then.
    most_lost: (usize, usize),
    /// After how many opening found an unfinished write, cut it off, and kept it in a file of its own.
    torn: usize,
    /// How many left the write under way there whole, though nobody had been told.
    under_way_kept: usize,
    /// How many stores opened with an error.
    refused: usize,
    /// What the first refused store said.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    verdict: Verdict,
}

impl Row {
    fn new(crash: &'static str) -> Self {
        Self {
            crash,
            crashes: 0,
            survived: 0,
            lost: 0,
            most_lost: (0, 0),
            torn: 0,
            under_way_kept: 0,
            refused: 0,
            refusal: None,
            verdict: Verdict::Kept,
        }
    }

    /// Counts a crash after which `lost` of `acknowledged` writes were missing.
    fn count(&mut self, lost: usize, acknowledged: usize) {
        self.crashes += 1;
        if lost == 0 {
            self.survived += 1;
        } else {
            self.lost += 1;
        }
        if lost > self.most_lost.0 {
            self.most_lost = (lost, acknowledged);
        }
    }

    /// Judges it: what was lost without having been promised is expected.
    fn judge(&mut self, durability: Durability) {
        if self.verdict == Verdict::Kept && (self.lost > 0 || self.refused > 0) {
            let only = if durability == Durability::ProcessCrash { ", no loss of power" } else { "" };
            self.verdict = Verdict::Expected(format!("it survives {}{only}", tables::survives(durability)));
        }
    }
}

/// Whether a stage did what it promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "is", content = "why")]
pub(super) enum Verdict {
    /// Nothing was lost.
    Kept,
    /// Something was lost which this stage never promised to keep.
    Expected(String),
    /// A promise is broken.
    Broken(String),
}

impl Verdict {
    fn words(&self) -> String {
        match self {
            Self::Kept => "kept".to_owned(),
            Self::Expected(why) => format!("expected: {why}"),
            Self::Broken(why) => format!("BROKEN: {why}"),
        }
    }
}

/// The table of one sync policy.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    policy: &'static str,
    durability: String,
    rows: Vec<Row>,
}

/// Everything that `--crash` found.
#[derive(Debug, Serialize)]
pub(super) struct Crashes {
    stage: &'static str,
    tables: Vec<Table>,
    /// What the contract says of the same script, its recovery and what is written afterwards included.
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<Result<String, String>>,
}

/// Crashes the stage's store in every way, under each sync policy.
pub(super) fn run(stage: &'static Stage) -> Result<Crashes> {
    let subject = Subject::new(stage.name, |disk, dir| stage.open_on(disk, dir, SyncPolicy::Always));
    let has_files = subject.has_files();
    let mut tables = Vec::new();
    // Without files, no policy makes a difference.
    for &(policy, sync) in if has_files { &POLICIES[..] } else { &POLICIES[..1] } {
        let durability = stage.durability(sync);
        let mut rows = if has_files { images::rows(stage, sync)? } else { Vec::new() };
        rows.push(killed::row(stage, policy, durability)?);
        for row in &mut rows {
            row.judge(durability);
        }
        tables.push(Table { policy, durability: durability.to_string(), rows });
    }
    let judged = || crash_images_of(&subject, &[script()], None);
    let contract =
        has_files.then(|| judged().map(|summary| summary.to_string()).map_err(|broken| broken.to_string()));
    Ok(Crashes { stage: stage.name, tables, contract })
}

/// The same writes, as a script of the contract.
fn script() -> Script {
    let set = |number: usize| Step::Set(images::key(number), images::value(number));
    let mut steps: Vec<Step> = (1..=images::WRITES).map(set).collect();
    steps.insert(images::SYNCED, Step::Sync);
    Script { name: "the writes of this table", steps }
}

impl Crashes {
    /// Prints the tables. An error if a promise is broken.
    pub(super) fn print(&self) -> Result<()> {
        anstream::println!(
            "{HEADING}Crashes{HEADING:#}: {} writes, a sync after the first {}; the last one is under way when the crash \
             comes",
            images::WRITES,
            images::SYNCED
        );
        // Many crashes are refused in the same words, which are said once.
        let mut refusals = BTreeSet::new();
        for table in &self.tables {
            anstream::println!(
                "\n{HEADING}SyncPolicy {}{HEADING:#}  {QUIET}an acknowledged write survives: {}{QUIET:#}\n",
                table.policy,
                table.durability
            );
            println!("{}", table.sheet().table(Look::of_stdout()));
            for row in &table.rows {
                if let Some(refusal) = row.refusal.as_deref().filter(|refusal| refusals.insert(*refusal)) {
                    anstream::println!("  {QUIET}refused, for example: {refusal}{QUIET:#}");
                }
            }
        }
        match &self.contract {
            Some(Ok(summary)) => {
                anstream::println!(
                    "\n{GOOD}The contract, on the same writes, synced always{GOOD:#}: {summary}"
                );
            }
            Some(Err(violation)) => anstream::println!("\n{BAD}The contract is broken{BAD:#}: {violation}"),
            None => println!("\nThere is no file to cut: that everything is lost is expected of this stage."),
        }
        self.verdict()
    }

    /// An error if a promise is broken.
    pub(super) fn verdict(&self) -> Result<()> {
        let mut rows = self.tables.iter().flat_map(|table| &table.rows);
        let is_broken = rows.any(|row| matches!(row.verdict, Verdict::Broken(_)));
        if is_broken || matches!(self.contract, Some(Err(_))) {
            bail!("{} breaks its promise", self.stage);
        }
        Ok(())
    }
}

impl Table {
    fn sheet(&self) -> Sheet {
        let headings = [
            "crash",
            ">times",
            ">survived",
            ">lost",
            ">at most",
            ">torn tail kept",
            ">refused",
            "as promised?",
        ];
        let mut sheet = Sheet::new("crashes", self.policy, headings);
        for row in &self.rows {
            let (lost, of) = row.most_lost;
            let most = if lost == 0 { "–".to_owned() } else { format!("{lost} of {of}") };
            let numbers = [row.crashes, row.survived, row.lost].map(|number| number.to_string());
            let mut cells = vec![row.crash.to_owned()];
            cells.extend(numbers);
            cells.extend([most, row.torn.to_string(), row.refused.to_string(), row.verdict.words()]);
            sheet.rows.push(cells);
        }
        sheet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_without_a_promise_is_expected_and_a_broken_promise_stays_broken() {
        let mut row = Row::new("a crash");
        row.count(0, 5);
        row.judge(Durability::PowerLoss);
        assert_eq!(row.verdict, Verdict::Kept);
        row.count(2, 5);
        row.judge(Durability::Eventual);
        assert!(matches!(&row.verdict, Verdict::Expected(why) if why.contains("written soon after")));
        row.verdict = Verdict::Broken("key-1 is gone".to_owned());
        row.judge(Durability::Eventual);
        assert!(row.verdict.words().starts_with("BROKEN"));
        assert_eq!((row.survived, row.lost, row.most_lost), (1, 1, (2, 5)));
    }
}
