//! `cargo xtask two-primaries`: the simulation of a primary, its replicas and a failover process, step by step.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use anyhow::{Context, Result};
use clap::Args;
use logladder_two_primaries::trace::Line;
use logladder_two_primaries::{Kind, Protocol, Scenario, Trace, made_up, run, scenario, scenarios, survey};

use crate::style::{BAD, DEED, GOOD, HEADING, QUIET};

/// What `cargo xtask two-primaries` takes.
#[derive(Debug, Args)]
pub(crate) struct TwoPrimaries {
    /// The scenarios to show; all that have names if none is named
    #[arg(value_name = "SCENARIO", conflicts_with_all = ["seed", "survey"])]
    scenarios: Vec<String>,
    /// Show a scenario that is made up from this seed
    #[arg(long, value_name = "NUMBER", conflicts_with = "survey")]
    seed: Option<u64>,
    /// Make up so many scenarios, run each with and without the two mendings, and count what is found
    #[arg(long, value_name = "COUNT")]
    survey: Option<u64>,
    /// Let replicas hear of deletes, and deleted keys count on
    #[arg(long, conflicts_with = "survey")]
    push_deletes: bool,
    /// Let a primary that was deposed be told when it answers again
    #[arg(long, conflicts_with = "survey")]
    tell_the_deposed: bool,
    /// Print JSON: for each scenario its steps, what clients saw, and the verdict
    #[arg(long)]
    json: bool,
}

impl TwoPrimaries {
    /// Shows them. That an invariant does not hold is what they are for, and no failure of the command.
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(seeds) = self.survey {
            let fared = survey::survey(seeds);
            return show(&if self.json { json(&fared)? } else { survey::text(seeds, &fared) });
        }
        let protocol =
            Protocol { pushes_deletes: self.push_deletes, tells_the_deposed: self.tell_the_deposed };
        let traces: Vec<Trace> = self.chosen()?.iter().map(|scenario| run(scenario, protocol)).collect();
        if self.json {
            let judged = |trace: &Trace| serde_json::json!({ "trace": trace, "verdict": trace.verdict() });
            return show(&json(&traces.iter().map(judged).collect::<Vec<_>>())?);
        }
        let texts: Vec<String> = traces.iter().map(coloured).collect();
        show(&texts.join("\n"))
    }

    fn chosen(&self) -> Result<Vec<Scenario>> {
        if let Some(seed) = self.seed {
            return Ok(vec![made_up(seed)]);
        }
        if self.scenarios.is_empty() {
            return Ok(scenarios());
        }
        let find = |name: &String| {
            scenario(name).with_context(|| {
                let names: Vec<String> = scenarios().into_iter().map(|scenario| scenario.name).collect();
                format!("there is no scenario `{name}`; there are {}", names.join(", "))
            })
        };
        self.scenarios.iter().map(find).collect()
    }
}

fn json(what: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(what)? + "\n")
}

/// Prints it. Who reads no further than the first lines has seen enough.
fn show(text: &str) -> Result<()> {
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn coloured(trace: &Trace) -> String {
    let mut text = format!("{HEADING}{}{HEADING:#}: {}\n", trace.scenario, trace.about);
    for (line, words) in trace.lines() {
        let style = match line {
            Line::Heading | Line::Step(Kind::Server) => QUIET,
            Line::Step(Kind::Client) => DEED,
            Line::Step(Kind::Failover | Kind::Fault) => HEADING,
            Line::Clean => GOOD,
            Line::Wrong => BAD,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{style}{words}{style:#}");
    }
    text
}
