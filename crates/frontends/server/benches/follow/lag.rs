//! How far a copy is behind, beside paced writes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use logladder::SyncPolicy;
use logladder_bench::figures::per_second;
use logladder_bench::{Target, TargetRow};
use logladder_engine::Follow;
use logladder_follower::{Follower, Leader, Options};

use crate::Scale;
use crate::reads::key;
use crate::served::{Order, Served};

/// Writes each millisecond: 5,000 a second.
const A_MILLISECOND: u32 = 5;

/// What the paced writes go to.
const KEYS: u32 = 10_000;

pub(crate) fn synced_each_second() -> Order {
    Order::stage("hash-log", SyncPolicy::Every(Duration::from_secs(1)))
}

/// Writes over one connection, in the protocol of Redis: the cheapest way to keep a pace.
pub(crate) struct Writer {
    stream: TcpStream,
    request: Vec<u8>,
    owed: usize,
}

impl Writer {
    pub(crate) fn connect(served: &Served) -> Result<Self> {
        let stream = TcpStream::connect(served.redis.context("it was asked for")?)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), owed: 0 })
    }

    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.request.extend_from_slice(b"*3\r\n");
        for part in [b"SET".as_slice(), key, value] {
            self.request.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            self.request.extend_from_slice(part);
            self.request.extend_from_slice(b"\r\n");
        }
        self.owed += 1;
    }

    /// Sends what was added, and returns when all of it is acknowledged.
    pub(crate) fn send(&mut self) -> Result<()> {
        const OK: &[u8] = b"+OK\r\n";
        self.stream.write_all(&self.request)?;
        self.request.clear();
        let mut answers = vec![0; std::mem::take(&mut self.owed) * OK.len()];
        self.stream.read_exact(&mut answers)?;
        ensure!(answers.chunks(OK.len()).all(|answer| answer == OK), "a write was refused");
        Ok(())
    }
}

/// How many changes of the leader the copy has.
fn has(copy: &Follower) -> u64 {
    copy.lag().position.map_or(0, |position| position.sequence)
}

pub(crate) fn wait_for(copy: &Follower, changes: u64) {
    while has(copy) < changes {
        thread::park_timeout(Duration::from_millis(1));
    }
}

pub(crate) fn rows(scale: Scale, folder: &Path) -> Result<Vec<TargetRow>> {
    let served = Served::start(&synced_each_second(), folder)?;
    let leader = Leader::new(&format!("http://{}", served.http), None)?;
    let copy = Follower::open(&folder.join("behind"), Options::new(leader))?;
    let mut writer = Writer::connect(&served)?;
    let is_over = AtomicBool::new(false);
    // When so many changes were acknowledged, and when the copy had them.
    let (acknowledged, seen) = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen: Vec<(u64, Instant)> = Vec::new();
            loop {
                let ends = is_over.load(Ordering::Acquire);
                let (now, when) = (has(&copy), Instant::now());
                if seen.last().is_none_or(|(before, _)| now > *before) {
                    seen.push((now, when));
                }
                if ends {
                    return seen;
                }
                thread::park_timeout(Duration::from_micros(200));
            }
        });
        let written = write(&mut writer, scale.paced);
        if let Ok(written) = &written {
            wait_for(&copy, written.last().map_or(0, |(changes, _)| *changes));
        }
        is_over.store(true, Ordering::Release);
        let seen = looking.join().map_err(|_| anyhow!("looking at the copy failed"))?;
        anyhow::Ok((written?, seen))
    })?;
    let mut lags: Vec<f64> = Vec::new();
    let mut seen = seen.into_iter().peekable();
    for (changes, when) in &acknowledged {
        while seen.next_if(|(has, _)| has < changes).is_some() {}
        let (_, there) = seen.peek().context("the copy has everything in the end")?;
        lags.push(there.saturating_duration_since(*when).as_secs_f64());
    }
    lags.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let place = (lags.len() * percent / 100).min(lags.len().saturating_sub(1));
        lags.get(place).copied().unwrap_or_default() * 1e3
    };
    let last = acknowledged.last().context("something was written")?;
    let took = last.1.duration_since(acknowledged[0].1).as_secs_f64().max(1e-9);
    let pace = f64::from(u32::try_from(last.0)?) / took;
    let row = |what, percent, target| TargetRow {
        what,
        measured: format!("{:.2} ms", at(percent)),
        against: format!("{}/s", per_second(pace)),
        figure: at(percent),
        target,
    };
    Ok(vec![
        row("how far the copy is behind, in ms: median", 50, Target::None),
        row("how far the copy is behind, in ms: p99", 99, Target::AtMost(50.0)),
    ])
}

/// Keeps the pace for so long. How many changes were acknowledged, and when.
fn write(writer: &mut Writer, paced: Duration) -> Result<Vec<(u64, Instant)>> {
    let mut acknowledged = Vec::new();
    let (begun, mut number) = (Instant::now(), 0_u32);
    let mut due = Duration::ZERO;
    while due < paced {
        for _ in 0..A_MILLISECOND {
            writer.add(&key(number % KEYS), &number.to_le_bytes());
            number += 1;
        }
        writer.send()?;
        acknowledged.push((u64::from(number), Instant::now()));
        due += Duration::from_millis(1);
        // Whoever is late does not wait, and keeps the pace.
        while let Some(rest) = due.checked_sub(begun.elapsed()) {
            thread::park_timeout(rest);
        }
    }
    Ok(acknowledged)
}
