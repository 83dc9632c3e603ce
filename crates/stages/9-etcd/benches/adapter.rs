//! What stage 9 costs beside the client of etcd that it stands on, in one run over one cluster of three on this machine:
//!
//! ```text
//! cargo bench -p logladder-etcd --bench adapter                     two minutes
//! cargo bench -p logladder-etcd --bench adapter -- --json FILE      the same, and every figure
//! cargo bench -p logladder-etcd --bench adapter -- --test           all of it in seconds, to show that it works
//! ```
//!
//! The bare side is a loop over `etcd-client` that puts a value under a key, or gets one, with as many tasks at once as the other
//! side has threads. It counts no versions and no changes. The sides take turns, and a figure is the median of its rounds.
//!
//! Stage 9 puts two keys for a set, the value and a counter, in one transaction. What that costs by itself is in the last
//! rows: the client alone does transactions there, without stage 9.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]

#[path = "../../../frontends/server/benches/asked/mod.rs"]
mod asked;
#[path = "../tests/servers/mod.rs"]
mod servers;

use std::io::{self, Write};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use etcd_client::{Client, Txn, TxnOp};
use logladder_bench::figures::per_second;
use logladder_bench::statistics::median;
use logladder_bench::tables::Look;
use logladder_bench::{Report, Target, TargetRow, save};
use logladder_engine::Engine;
use logladder_etcd::{Etcd, Options};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::asked::Asked;
use crate::servers::Server;

const KEYS: u32 = 10_000;
const VALUE: [u8; 100] = [b'v'; 100];

/// Stage 9 beside the client of etcd.
#[derive(Debug, Parser)]
#[command(name = "adapter", version, about)]
struct Flags {
    #[command(flatten)]
    asked: Asked,
}

/// The figures themselves, beside their table.
#[derive(Debug, Serialize)]
struct Figures {
    rows: Vec<TargetRow>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Put,
    Get,
    /// A put, and with it another one of nothing, in a transaction.
    PutAndCount,
    /// One put as a transaction.
    PutAsTransaction,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Stage(What),
    Bare(What),
}

/// One row: two sides, asked in turn.
struct Race {
    title: &'static str,
    ours: Side,
    theirs: Side,
    at_once: u32,
    target: Target,
}

const RACES: [Race; 8] = {
    use Side::{Bare, Stage};
    use What::{Get, Put, PutAndCount, PutAsTransaction};
    const fn race(title: &'static str, ours: Side, theirs: Side, at_once: u32, target: Target) -> Race {
        Race { title, ours, theirs, at_once, target }
    }
    let goal = Target::AtLeast(0.9);
    let both = Target::None;
    [
        race("puts, one at a time ÷ a loop over etcd-client", Stage(Put), Bare(Put), 1, goal),
        race("puts, 32 at once", Stage(Put), Bare(Put), 32, goal),
        race("gets, one at a time", Stage(Get), Bare(Get), 1, goal),
        race("gets, 32 at once", Stage(Get), Bare(Get), 32, goal),
        race(
            "the client: one put as a transaction ÷ a put, one at a time",
            Bare(PutAsTransaction),
            Bare(Put),
            1,
            both,
        ),
        race(
            "the client: a transaction of two puts ÷ a put, one at a time",
            Bare(PutAndCount),
            Bare(Put),
            1,
            both,
        ),
        race("the same, 32 at once", Bare(PutAndCount), Bare(Put), 32, both),
        race(
            "puts of stage 9 ÷ such transactions of the client, one at a time",
            Stage(Put),
            Bare(PutAndCount),
            1,
            both,
        ),
    ]
};

fn main() -> Result<ExitCode> {
    let Flags { asked } = Flags::parse();
    if !Command::new("etcd").arg("--version").output().is_ok_and(|output| output.status.success()) {
        writeln!(
            io::stderr(),
            "etcd is not installed. On Debian and its kin, as root: `apt-get install etcd-server`"
        )?;
        // Whoever only wants to see that benchmarks work needs no figures of this one.
        return Ok(if asked.test { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let (rounds, round) =
        if asked.test { (1, Duration::from_millis(100)) } else { (5, Duration::from_secs(1)) };
    let Report { machine, date, .. } = Report::begin("adapter");
    let members = Server::unhurried_cluster(3);
    let endpoints: Vec<&str> = members.iter().map(Server::endpoint).collect();
    let store = Etcd::connect(Options::default().with_endpoints(endpoints.iter().copied()))?;
    let runtime = Runtime::new()?;
    let client = runtime.block_on(Client::connect(&endpoints, None))?;
    let mut rows = Vec::new();
    let ask = |side: Side, at_once: u32| match side {
        Side::Bare(what) => bare(&runtime, &client, what, at_once, round),
        Side::Stage(what) => stage(&store, what, at_once, round),
    };
    for race in RACES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            theirs.push(ask(race.theirs, race.at_once)?);
            ours.push(ask(race.ours, race.at_once)?);
        }
        let (ours, theirs) = (median(&ours), median(&theirs));
        rows.push(TargetRow {
            what: race.title,
            measured: format!("{}/s", per_second(ours)),
            against: format!("{}/s", per_second(theirs)),
            figure: ours / theirs,
            target: race.target,
        });
    }
    let sheet =
        TargetRow::sheet("Stage 9 beside the client that it stands on, three members on this machine", &rows);
    writeln!(io::stdout(), "{}\n{}", sheet.title, sheet.table(Look::of_stdout()))?;
    if let Some(path) = asked.json() {
        let run = format!("Rounds: {rounds} of {} s. {machine}, {date}.", round.as_secs());
        save(&path, &run, &[sheet], &Figures { rows })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A key of the draw with this number, the same on both sides.
fn key(number: u32) -> String {
    // A multiplicative hash, as in Knuth: neighbours in time are not neighbours among the keys.
    format!("key-{:06}", number.wrapping_mul(2_654_435_761) % KEYS)
}

/// Requests a second by `at_once` tasks over the client.
fn bare(runtime: &Runtime, client: &Client, what: What, at_once: u32, round: Duration) -> Result<f64> {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..at_once)
        .map(|task| {
            let mut client = client.clone();
            runtime.spawn(async move {
                let mut done = 0_u32;
                while begun.elapsed() < round {
                    let key = format!("bare/{}", key(task * 1_000_003 + done));
                    match what {
                        What::Put => drop(client.put(key, VALUE, None).await?),
                        What::Get => drop(client.get(key, None).await?),
                        What::PutAndCount => {
                            let both = [TxnOp::put(key, VALUE, None), TxnOp::put("bare:ca", "", None)];
                            drop(client.txn(Txn::new().and_then(both)).await?);
                        }
                        What::PutAsTransaction => {
                            let put = [TxnOp::put(key, VALUE, None)];
                            drop(client.txn(Txn::new().and_then(put)).await?);
                        }
                    }
                    done += 1;
                }
                Ok::<_, etcd_client::Error>(done)
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += runtime.block_on(task)??;
    }
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}

/// The same by `at_once` threads over stage 9.
fn stage(store: &Etcd, what: What, at_once: u32, round: Duration) -> Result<f64> {
    let (begun, done) = (Instant::now(), AtomicU32::new(0));
    thread::scope(|scope| {
        let work = |thread: u32| {
            let mut own = 0;
            while begun.elapsed() < round {
                let key = key(thread * 1_000_003 + own);
                match what {
                    What::Put | What::PutAsTransaction | What::PutAndCount => {
                        store.set(key.as_bytes(), &VALUE)?;
                    }
                    What::Get => {
                        let found = store.get(key.as_bytes())?;
                        ensure!(found.is_none_or(|value| value == VALUE), "a value is wrong");
                    }
                }
                own += 1;
            }
            done.fetch_add(own, Ordering::Relaxed);
            Ok(())
        };
        let threads: Vec<_> = (0..at_once).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().ok().context("a thread has panicked")?)
    })?;
    Ok(f64::from(done.into_inner()) / begun.elapsed().as_secs_f64())
}
