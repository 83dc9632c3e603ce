//! Stage 5 beside the store that it learned from: Redis, with the same policy, in one run.
//!
//! ```text
//! cargo bench -p logladder-bench --bench redis
//! cargo bench -p logladder-bench --bench redis -- --json docs/results/redis.json
//! cargo bench -p logladder-bench --bench redis -- --test        shows that it works, measures nothing
//! ```
//!
//! It starts a `redis-server` of its own, on a port of the loopback that is free, in a folder beside the build, and asks
//! its own `redis-benchmark` for the figures. So Redis is called over a socket by another process, and stage 5 in this
//! one through its trait. What the way there costs, the benchmark of Redis says itself: a PING is answered without any
//! work. It stands in the table, to be subtracted.
//!
//! Both have the same keys of 16 bytes and values of 100. Where Redis gets several commands at once, in a pipeline, stage
//! 5 gets a batch of sets, or many keys in one call; where Redis has many connections, stage 5 has as many threads.

#![allow(clippy::expect_used, reason = "a measurement that cannot be made has failed")]

mod ours;
mod server;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use logladder::SyncPolicy;
use logladder_bench::figures::{count, per_second};
use logladder_bench::redis::{MISSING, version};
use logladder_bench::tables::Look;
use logladder_bench::{Asked, Report, Sheet, save};
use serde::Serialize;

use ours::Ours;
use server::{Rates, Server};

/// Few keys, so that all of them are there after a moment's sets, and none of the figures is that of a miss.
const KEYS: u32 = 1_000;
const VALUE_LEN: usize = 100;

/// The figures are medians of so many rounds, in which the two take turns.
const ROUNDS: usize = 3;

/// What Redis is told of its append-only file, and what stage 5 is told that does the same.
const POLICIES: [(&str, &str, Option<SyncPolicy>); 4] = [
    ("appendonly no", "snapshots alone, none made", None),
    ("appendfsync no", "lines, never synced", Some(SyncPolicy::Never)),
    ("appendfsync everysec", "lines, synced every second", Some(SyncPolicy::Every(Duration::from_secs(1)))),
    ("appendfsync always", "lines, each write synced", Some(SyncPolicy::Always)),
];

/// Connections or threads, and commands at once.
const SHAPES: [(u32, u32); 4] = [(1, 1), (1, 16), (50, 1), (50, 16)];

/// One policy, and one way to call: everything in operations a second.
#[derive(Debug, Clone, Serialize)]
struct Row {
    redis: &'static str,
    ours: &'static str,
    /// Connections of `redis-benchmark`, and threads.
    clients: u32,
    /// Commands in a pipeline, and writes in a batch.
    at_once: u32,
    ping: f64,
    set: f64,
    get: f64,
    our_set: f64,
    our_get: f64,
}

/// The figures themselves, beside their table.
#[derive(Serialize)]
struct Figures {
    redis: String,
    rows: Vec<Row>,
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]
fn main() -> Result<ExitCode> {
    let asked = Asked::of_command_line();
    let Some(redis) = version() else {
        eprintln!("NOTHING WAS MEASURED: {MISSING}");
        // Who asked for a file gets none; a run of all benchmarks goes on.
        return Ok(if asked.json.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    };
    let Report { machine, date, .. } = Report::begin("redis");
    let (rounds, time) = if asked.test { (1, 0.01) } else { (ROUNDS, 1.0) };
    let rows = measure(rounds, Duration::from_secs_f64(time))?;
    let sheet = sheet(&rows);
    println!("{redis}\n{}\n{}", sheet.title, sheet.table(Look::of_stdout()));
    if asked.test {
        println!("a test: its figures mean nothing");
    }
    if let Some(path) = asked.json {
        let keys = count(KEYS.into());
        let run = format!(
            "{redis}; {keys} keys of 16 bytes, values of {VALUE_LEN}; medians of {rounds} rounds. {machine}, {date}."
        );
        save(&path, &run, &[sheet], &Figures { redis, rows })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(rounds: usize, time: Duration) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (redis, ours, sync) in POLICIES {
        let server = Server::start(redis)?;
        let store = Ours::open(sync);
        for (clients, at_once) in SHAPES {
            let mut found: Vec<(Rates, f64, f64)> = Vec::new();
            for _ in 0..rounds {
                let theirs = server.rates(clients, at_once, time)?;
                found.push((theirs, store.sets(clients, at_once, time), store.gets(clients, at_once, time)));
            }
            let of = |figure: fn(&(Rates, f64, f64)) -> f64| median(found.iter().map(figure).collect());
            rows.push(Row {
                redis,
                ours,
                clients,
                at_once,
                ping: of(|round| round.0.ping),
                set: of(|round| round.0.set),
                get: of(|round| round.0.get),
                our_set: of(|round| round.1),
                our_get: of(|round| round.2),
            });
        }
    }
    Ok(rows)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn sheet(rows: &[Row]) -> Sheet {
    let headings = [
        "Redis",
        "stage 5",
        ">clients",
        ">at once",
        ">PING/s",
        ">SET/s",
        ">GET/s",
        ">a PING",
        ">a SET without it",
        ">a GET without it",
        ">our set/s",
        ">our get/s",
        ">our set",
        ">our get",
    ];
    let mut sheet = Sheet::new("redis", "Redis over a socket, and stage 5 in the process", headings);
    for row in rows {
        let ping = 1e6 / row.ping;
        let without = |rate: f64| micros((1e6 / rate - ping).max(0.0));
        let rates = [row.ping, row.set, row.get].map(per_second);
        let theirs = [micros(ping), without(row.set), without(row.get)];
        let ours = [per_second(row.our_set), per_second(row.our_get)];
        let our_times = [micros(1e6 / row.our_set), micros(1e6 / row.our_get)];
        let names = [row.redis.into(), row.ours.into(), row.clients.to_string(), row.at_once.to_string()];
        sheet.rows.push(
            names
                .into_iter()
                .chain(rates)
                .chain(theirs)
                .chain(ours)
                .chain(our_times)
                .collect::<Vec<String>>(),
        );
    }
    sheet
}

/// Time for each operation, of all clients together.
fn micros(time: f64) -> String {
    format!("{time:.2} µs")
}
