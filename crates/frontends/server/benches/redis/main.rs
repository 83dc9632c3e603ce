//! The port that speaks the protocol of Redis beside `redis-server`, as `redis-benchmark` sees both, in one run.
//!
//! ```text
//! cargo bench -p logladder-server --bench redis                      all of it: two to three minutes
//! cargo bench -p logladder-server --bench redis -- --json FILE       the same, and every figure
//! cargo bench -p logladder-server --bench redis -- --stage memory    one stage
//! cargo bench -p logladder-server --bench redis -- --test            all of it in seconds, to show that it works
//! ```
//!
//! Stages stand beside a `redis-server` of the same durability. Each server is a process with a folder of its own, and they
//! take turns of less than a second, so that a busy machine disturbs both. Half of a pair is of no use: only ratios of
//! one run compare, and the client takes as much of the machine as a server does.

#[path = "../asked/mod.rs"]
mod asked;
mod client;
mod report;
#[path = "../served/mod.rs"]
mod served;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use logladder::SyncPolicy;
use logladder_bench::redis::RedisServer;
use logladder_bench::tables::Look;
use logladder_bench::{reports_folder, save};

use crate::asked::Asked;
use crate::client::{Client, Command};
use crate::report::{Figures, Report, Row};
use crate::served::{Order, Served, new_folder};

/// Stages, and a `redis-server` that keeps what it acknowledged as well as they do.
#[derive(Debug)]
struct Match {
    survives: &'static str,
    stages: &'static [&'static str],
    /// What they are opened with.
    sync: SyncPolicy,
    /// What `redis-server` is started with.
    redis: &'static [&'static str],
}

const MATCHES: [Match; 4] = [
    Match {
        survives: "nothing",
        stages: &["memory"],
        sync: SyncPolicy::Never,
        redis: &["--appendonly", "no"],
    },
    Match {
        survives: "the death of the process",
        stages: &["replay-log", "hash-log"],
        sync: SyncPolicy::Never,
        redis: &["--appendonly", "yes", "--appendfsync", "no"],
    },
    Match {
        survives: "a loss of power, but for a second",
        stages: &["replay-log", "hash-log"],
        sync: SyncPolicy::Every(Duration::from_secs(1)),
        redis: &["--appendonly", "yes", "--appendfsync", "everysec"],
    },
    Match {
        survives: "a loss of power",
        stages: &["replay-log", "hash-log"],
        sync: SyncPolicy::Always,
        redis: &["--appendonly", "yes", "--appendfsync", "always"],
    },
];

/// The stages beside `redis-server`, by redis-benchmark.
#[derive(Debug, Parser)]
#[command(name = "redis", version, about)]
struct Flags {
    /// Only these stages, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    stage: Vec<String>,
    /// How often each pair is measured; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// About how long a turn takes, in milliseconds
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    turn: u32,
    #[command(flatten)]
    asked: Asked,
}

fn main() -> Result<ExitCode> {
    // Returns at once unless this process was started as a server.
    served::serve_if_asked()?;
    let flags = Flags::parse();
    let (rounds, turn) = if flags.asked.test { (1, 10) } else { (flags.rounds, flags.turn) };
    let scratch = reports_folder();
    std::fs::create_dir_all(&scratch)?;
    let folder = tempfile::Builder::new().prefix("redis-").tempdir_in(&scratch)?;
    let mut report = Report::begin(rounds);
    for one in &MATCHES {
        let is_asked = |stage: &&str| flags.stage.is_empty() || flags.stage.iter().any(|name| name == stage);
        let stages: Vec<&str> = one.stages.iter().copied().filter(is_asked).collect();
        if !stages.is_empty() {
            let turn = Duration::from_millis(turn.into());
            report.rows.extend(measure(one, &stages, folder.path(), rounds, turn)?);
        }
    }
    report.end();

    // They are kept in any case.
    let path = flags.asked.json().unwrap_or_else(|| scratch.join("redis.json"));
    let sheet = report.sheet();
    writeln!(io::stdout(), "{}\n\n{}\n{}", report.run(), sheet.table(Look::of_stdout()), path.display())?;
    save(&path, &report.run(), &[sheet], &report)?;
    Ok(ExitCode::SUCCESS)
}

/// Lets the servers take turns, command by command.
fn measure(one: &Match, stages: &[&str], folder: &Path, rounds: u32, turn: Duration) -> Result<Vec<Row>> {
    let mut servers = Vec::new();
    for stage in stages {
        servers.push(Served::start(&Order::stage(stage, one.sync), folder)?);
    }
    let redis = RedisServer::start(one.redis, &new_folder(folder, "redis-server")?)?;
    let addresses = servers.iter().filter_map(|server| server.redis).chain([redis.address()]);
    let mut clients = addresses.map(Client::begin).collect::<Result<Vec<Client>>>()?;
    let mut rows = Vec::new();
    for (command, pipeline) in [(Command::Set, 1), (Command::Get, 1), (Command::Set, 16), (Command::Get, 16)]
    {
        let _ = writeln!(io::stderr(), "{} · {command} · pipelines of {pipeline}", one.survives);
        let mut rates = vec![Vec::new(); clients.len()];
        for _ in 0..rounds {
            for (client, rates) in clients.iter_mut().zip(&mut rates) {
                rates.push(client.turn(command, pipeline, turn)?);
            }
        }
        let mut figures = rates.into_iter().map(Figures::of);
        let theirs = figures.next_back().context("every match has a redis-server")?;
        rows.extend(stages.iter().zip(figures).map(|(stage, ours)| Row {
            survives: one.survives.to_owned(),
            stage: (*stage).to_owned(),
            redis: one.redis.join(" "),
            command: command.to_string(),
            pipeline,
            ratio: ours.median / theirs.median,
            ours,
            theirs: theirs.clone(),
        }));
    }
    // Figures of a server that answers wrongly are none.
    let mut expected = None;
    for client in &clients {
        let value = client.read_back()?;
        anyhow::ensure!(*expected.get_or_insert_with(|| value.clone()) == value, "the servers differ");
    }
    Ok(rows)
}
