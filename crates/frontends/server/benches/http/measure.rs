//! What is measured.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use logladder::SyncPolicy;
use logladder_bench::figures::per_second;
use logladder_bench::{Target, TargetRow};

use crate::held;
use crate::load::load;
use crate::requests::ask;
use crate::served::{Order, PATH, Served, VALUE};

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Scale {
    rounds: usize,
    /// How long each side has its turn.
    round: Duration,
    /// How long the mixed load lasts.
    mixed: Duration,
}

impl Scale {
    /// Enough to see that it works.
    pub(crate) fn of_a_test() -> Self {
        let second = Duration::from_secs(1);
        Self { rounds: 1, round: second, mixed: second }
    }

    pub(crate) fn of_minutes(minutes: u32) -> Self {
        let mixed = Duration::from_secs(u64::from(minutes) * 60);
        Self { rounds: 3, round: Duration::from_secs(5), mixed }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, round, mixed } = self;
        write!(f, "Rounds: {rounds} of {} s; mixed load: {} s", round.as_secs(), mixed.as_secs())
    }
}

pub(crate) fn all(scale: &Scale, folder: &Path) -> Result<Vec<TargetRow>> {
    open_many_files()?;
    let mut rows = gets(scale, folder)?;
    rows.push(beside_held_connections(scale, folder)?);
    rows.extend(mixed(scale, folder)?);
    Ok(rows)
}

/// This process and the servers that it starts hold more than a thousand connections.
#[cfg(unix)]
fn open_many_files() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    const ENOUGH: u64 = 4096;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|now| now < ENOUGH) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(ENOUGH), ..limit })?;
    }
    Ok(())
}

/// Other systems have no such limit, or none that is reached.
#[cfg(not(unix))]
fn open_many_files() -> Result<()> {
    Ok(())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn url(server: SocketAddr) -> String {
    format!("http://{server}{PATH}")
}

fn synced_each_second(stage: &str) -> Order {
    Order::stage(stage, SyncPolicy::Every(Duration::from_secs(1)))
}

/// A server that has the value, and has answered for a second.
fn warm(order: &Order, folder: &Path) -> Result<Served> {
    let served = Served::start(order, folder)?;
    if served.redis.is_some() {
        let answer = ask(served.http, "PUT", PATH, &VALUE)?;
        ensure!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
    load(&url(served.http), Duration::from_secs(1), None)?;
    Ok(served)
}

/// The value, asked for as fast as it comes.
fn gets(scale: &Scale, folder: &Path) -> Result<Vec<TargetRow>> {
    let sides = [
        ("gets of memory ÷ a bare handler of axum", synced_each_second("memory"), Target::AtLeast(0.8)),
        ("gets of hash-log ÷ a bare handler of axum", synced_each_second("hash-log"), Target::AtLeast(0.8)),
        ("the same, each with a line in the log", synced_each_second("hash-log").with_a_log(), Target::None),
    ];
    let bare = Order::bare();
    let mut figures = [const { Vec::new() }; 4];
    for _ in 0..scale.rounds {
        let orders = [&bare].into_iter().chain(sides.iter().map(|(_, order, _)| order));
        for (order, figures) in orders.zip(&mut figures) {
            let served = warm(order, folder)?;
            figures.push(load(&url(served.http), scale.round, None)?.per_second);
        }
    }
    let [bare, figures @ ..] = figures.map(median);
    let row = |((what, _, target), figure): ((&'static str, Order, Target), f64)| TargetRow {
        what,
        measured: format!("{}/s", per_second(figure)),
        against: format!("{}/s", per_second(bare)),
        figure: figure / bare,
        target,
    };
    Ok(sides.into_iter().zip(figures).map(row).collect())
}

/// The slowest of a hundred gets, alone and beside connections that others hold.
fn beside_held_connections(scale: &Scale, folder: &Path) -> Result<TargetRow> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let served = warm(&synced_each_second("hash-log"), folder)?;
        let p99 = || Ok(load(&url(served.http), scale.round, None)?.p99.as_secs_f64());
        alone.push(p99()?);
        beside.push(held::during(served.http, p99)?);
    }
    let (alone, beside) = (median(alone), median(beside));
    Ok(TargetRow {
        what: "p99 of gets beside 1,000 idle connections and 200 slow ones ÷ alone",
        measured: format!("{:.0} µs", beside * 1e6),
        against: format!("{:.0} µs", alone * 1e6),
        figure: beside / alone,
        target: Target::AtMost(2.0),
    })
}

/// 80 gets, 15 sets and 5 deletes in a hundred, over ten thousand keys.
const MIXED: &str = r#"
math.randomseed(1)
local value = string.rep("v", 100)
request = function()
  local path = "/v1/keys/" .. math.random(10000)
  local draw = math.random(100)
  if draw <= 80 then return wrk.format("GET", path) end
  if draw <= 95 then return wrk.format("PUT", path, nil, value) end
  return wrk.format("DELETE", path)
end
"#;

/// Memory under a mixed load of two servers at once, one of which has a single arena: what differs between them, the C library
/// keeps for threads. Nothing on a system that does not say how much a process has.
fn mixed(scale: &Scale, folder: &Path) -> Result<Vec<TargetRow>> {
    let order = synced_each_second("hash-log");
    let one_arena = order.clone().with_one_arena();
    let (seen, with_one_arena) = thread::scope(|scope| {
        let other = scope.spawn(|| memory_under_load(&one_arena, scale, folder));
        let seen = memory_under_load(&order, scale, folder)?;
        anyhow::Ok((seen, other.join().map_err(|_| anyhow!("looking at the memory failed"))??))
    })?;
    if seen.is_empty() || with_one_arena.is_empty() {
        return Ok(Vec::new());
    }
    let row = |seen: &[[u32; 3]], kind: usize, what: &'static str, target: Target| {
        // The first quarter fills the store, and the buffers of the connections.
        let most = |quarter: usize| {
            let part = &seen[seen.len() * quarter / 4..seen.len() * (quarter + 1) / 4];
            f64::from(part.iter().map(|kib| kib[kind]).max().unwrap_or_default()) / 1024.0
        };
        let (second, last) = (most(1), most(3));
        let [measured, against] = [last, second].map(|mib| format!("{mib:.1} MiB"));
        TargetRow { what, measured, against, figure: last / second, target }
    };
    let most = Target::AtMost(1.1);
    Ok(vec![
        row(&seen, 2, "resident memory (RSS): last quarter of the mixed load ÷ second quarter", most),
        row(&seen, 1, "of it pages of its files, likewise", Target::None),
        row(&seen, 0, "of it its own memory, likewise", most),
        row(&with_one_arena, 0, "its own memory with MALLOC_ARENA_MAX=1, likewise", most),
    ])
}

#[allow(clippy::disallowed_methods, reason = "a script is no part of a store")]
fn memory_under_load(order: &Order, scale: &Scale, folder: &Path) -> Result<Vec<[u32; 3]>> {
    let served = Served::start(order, folder)?;
    let script = folder.join("mixed.lua");
    std::fs::write(&script, MIXED)?;
    let is_over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                seen.extend(resident(&served));
                thread::park_timeout(Duration::from_millis(100));
            }
            seen
        });
        let loaded = load(&url(served.http), scale.mixed, Some(&script));
        is_over.store(true, Ordering::Relaxed);
        let seen = looking.join().map_err(|_| anyhow!("looking at the memory failed"))?;
        loaded.map(|_| seen)
    })?;
    let metrics = ask(served.http, "GET", "/metrics", b"")?;
    ensure!(metrics.starts_with("HTTP/1.1 200") && !metrics.contains("status=\"5"), "{metrics}");
    Ok(seen)
}

/// Memory that the process has to itself, pages of files, and all that is resident, in KiB.
fn resident(served: &Served) -> Option<[u32; 3]> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.process_id())).ok()?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some([kib("RssAnon:")?, kib("RssFile:")?, kib("VmRSS:")?])
}
