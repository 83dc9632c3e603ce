//! `--diff`: what changed between two stages, in code, in what an operation costs, in what they can do, and in speed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use logladder::Stage;
use logladder_bench::figures::count;
use logladder_bench::tables::Look;
use logladder_bench::{Report, Sheet};
use logladder_contract::Capability;
use serde::Serialize;

use super::code::{self, Lines};
use super::cost::{self, Cost};
use super::figures;
use crate::style::{BAD, GOOD, HEADING, QUIET};

/// Two stages side by side.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    stages: [Side; 2],
    gained: Vec<String>,
    given_up: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    figures: Option<Report>,
    #[serde(skip)]
    pair: [&'static Stage; 2],
}

/// One of them.
#[derive(Debug, Serialize)]
struct Side {
    name: &'static str,
    code: BTreeMap<String, Lines>,
    costs: Vec<Operation>,
    capabilities: Vec<&'static str>,
}

/// What an operation costs one of them.
#[derive(Debug, Serialize)]
struct Operation {
    operation: &'static str,
    #[serde(flatten)]
    cost: Cost,
}

impl Side {
    fn of(stage: &'static Stage) -> Result<Self> {
        let costs = cost::costs(stage)?;
        Ok(Self {
            name: stage.name,
            code: code::parts(&folder_of(stage)?)?,
            costs: costs.into_iter().map(|(operation, cost)| Operation { operation, cost }).collect(),
            capabilities: capabilities(stage)?,
        })
    }

    fn all_lines(&self) -> Lines {
        self.code.values().fold(Lines::default(), |sum, lines| sum.plus(*lines))
    }
}

/// The folder of a stage's crate.
fn folder_of(stage: &Stage) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace has a folder")?;
    Ok(root.join(format!("crates/stages/{}-{}", stage.number, stage.name)))
}

fn capabilities(stage: &Stage) -> Result<Vec<&'static str>> {
    let engine = stage.open_to_ask()?;
    let has = |capability: &Capability| capability.is_of(&*engine);
    let names = Capability::ALL.into_iter().filter(has).map(words).collect();
    engine.close()?;
    Ok(names)
}

/// What a capability is good for.
fn words(capability: Capability) -> &'static str {
    match capability {
        Capability::Iterate => "show every key",
        Capability::ConsistentView => "show them as they were at one moment",
        Capability::Ordered => "scan keys in order",
        Capability::Atomic => "batches, and compare and set",
        Capability::History => "older versions of a key",
        Capability::Changes => "follow changes",
        Capability::Expire => "values that end",
        Capability::Collections => "collections of keys",
        Capability::Compact => "compact",
        Capability::Backup => "copies of itself while it is in use",
        _ => "something more",
    }
}

/// Looks at both stages; measures them too, unless `quick`.
pub(super) fn between(from: &'static Stage, to: &'static Stage, quick: bool) -> Result<Difference> {
    let stages = [Side::of(from)?, Side::of(to)?];
    let set = |side: &Side| side.capabilities.iter().copied().collect::<BTreeSet<&str>>();
    let (before, after) = (set(&stages[0]), set(&stages[1]));
    let only = |one: &BTreeSet<&str>, other: &BTreeSet<&str>| {
        one.difference(other).map(ToString::to_string).collect()
    };
    Ok(Difference {
        gained: only(&after, &before),
        given_up: only(&before, &after),
        figures: if quick { None } else { Some(figures::measured(&[from, to])?) },
        stages,
        pair: [from, to],
    })
}

impl Difference {
    /// Prints it. An error if a stage answered wrongly while it was measured.
    pub(super) fn print(&self) -> Result<()> {
        let [from, to] = self.pair;
        anstream::println!("{HEADING}From stage {} to stage {}{HEADING:#}", from.number, to.number);
        for stage in self.pair {
            anstream::println!("  {} {}: {}", stage.number, stage.name, stage.summary);
        }
        println!("  hurt in {}:  {}", from.name, from.hurts);
        println!("  fixed by {}: {}", to.name, to.fixes);

        anstream::println!("\n{HEADING}What it can do{HEADING:#}");
        for gained in &self.gained {
            anstream::println!("  {GOOD}+ {gained}{GOOD:#}");
        }
        for given_up in &self.given_up {
            anstream::println!("  {BAD}− {given_up}{BAD:#}");
        }
        if self.gained.is_empty() && self.given_up.is_empty() {
            anstream::println!("  {QUIET}the same{QUIET:#}");
        }

        anstream::println!("\n{HEADING}The code{HEADING:#}, in lines\n");
        println!("{}", self.code().table(Look::of_stdout()));

        anstream::println!(
            "\n{HEADING}What an operation costs on the disk{HEADING:#}: {} keys, values of {} bytes, every write synced\n",
            cost::KEYS,
            cost::VALUE
        );
        println!("{}", self.costs().table(Look::of_stdout()));
        anstream::println!("  {QUIET}What is read in place, from a mapped file, is no read here.{QUIET:#}");

        if let Some(figures) = &self.figures {
            anstream::println!("\n{HEADING}The figures{HEADING:#}");
            figures::show(figures)?;
        }
        Ok(())
    }

    /// Part by part, those that both have side by side.
    fn code(&self) -> Sheet {
        let [from, to] = &self.stages;
        let heading = |side: &Side, what: &str| format!(">{}: {what}", side.name);
        let mut headings = vec!["part".to_owned()];
        for side in [from, to] {
            headings.extend(["code", "comments", "tests"].map(|what| heading(side, what)));
        }
        let mut sheet = Sheet::new("code", "lines", headings);
        let parts: BTreeSet<&String> = from.code.keys().chain(to.code.keys()).collect();
        let row = |name: &str, both: [Option<Lines>; 2]| {
            let cells = both.into_iter().flat_map(|lines| match lines {
                Some(Lines { code, comments, tests }) => {
                    [code, comments, tests].map(|lines| lines.to_string())
                }
                None => ["–", "–", "–"].map(str::to_owned),
            });
            std::iter::once(name.to_owned()).chain(cells).collect()
        };
        for part in parts {
            sheet.rows.push(row(part, [from, to].map(|side| side.code.get(part).copied())));
        }
        sheet.rows.push(row("all", [from, to].map(|side| Some(side.all_lines()))));
        sheet
    }

    /// Operation by operation, one stage below the other.
    fn costs(&self) -> Sheet {
        let headings =
            ["operation", "stage", ">writes", ">bytes written", ">syncs", ">names", ">reads", ">bytes read"];
        let mut sheet = Sheet::new("costs", "the disk", headings);
        let [from, to] = &self.stages;
        for (before, after) in from.costs.iter().zip(&to.costs) {
            for (side, operation, name) in [(from, before, before.operation), (to, after, "")] {
                let Cost { writes, bytes_written, syncs, names, reads, bytes_read } = operation.cost;
                let numbers = [writes, bytes_written, syncs, names, reads, bytes_read].map(count);
                let words = [name.to_owned(), side.name.to_owned()];
                sheet.rows.push(words.into_iter().chain(numbers).collect());
            }
        }
        sheet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_upper_stage_can_do_is_gained_and_the_other_way_round_given_up() {
        let [low, high] = ["memory", "hash-log"].map(|name| logladder::stage(name).unwrap());
        let up = between(low, high, true).unwrap();
        assert!(up.gained.iter().any(|gained| gained == "compact"), "{:?}", up.gained);
        let down = between(high, low, true).unwrap();
        assert_eq!((up.gained, up.given_up), (down.given_up, down.gained));
    }

    #[test]
    fn what_a_stage_keeps_only_if_it_is_asked_is_given_up_where_none_can() {
        let [low, high] = ["hash-log", "sorted-log"].map(|name| logladder::stage(name).unwrap());
        let given_up = between(low, high, true).unwrap().given_up;
        assert!(given_up.contains(&words(Capability::History).to_owned()), "{given_up:?}");
    }

    #[test]
    fn every_capability_is_said_in_words_of_its_own() {
        let said: BTreeSet<&str> = Capability::ALL.into_iter().map(words).collect();
        assert_eq!(said.len(), Capability::ALL.len());
        assert!(!said.contains("something more"));
    }

    #[test]
    fn the_tables_have_every_part_and_every_operation_of_both() {
        let [low, high] = ["scan-log", "hash-log"].map(|name| logladder::stage(name).unwrap());
        let difference = between(low, high, true).unwrap();
        let code = difference.code();
        assert!(code.rows.iter().any(|row| row[0] == "search" && row[4] == "–"));
        assert_eq!(code.rows.last().unwrap()[0], "all");
        assert_eq!(difference.costs().rows.len(), 2 * difference.stages[0].costs.len());
    }
}
