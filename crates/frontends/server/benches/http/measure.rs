//! What is measured.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::held;
use crate::load::load;
use crate::row::{Row, Target};
use crate::served::{Kind, Served};

/// How much is measured.
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    /// How long each side has its turn.
    pub(crate) round: Duration,
    /// How long the mixed load lasts.
    pub(crate) mixed: Duration,
    pub(crate) is_quick: bool,
}

impl Scale {
    pub(crate) fn full() -> Self {
        let round = Duration::from_secs(5);
        Self { rounds: 3, round, mixed: Duration::from_mins(1), is_quick: false }
    }

    /// Enough to see that it works.
    pub(crate) fn quick() -> Self {
        let second = Duration::from_secs(1);
        Self { rounds: 1, round: second, mixed: second, is_quick: true }
    }
}

pub(crate) fn all(scale: &Scale) -> Vec<Row> {
    open_many_files();
    let mut rows = gets(scale);
    rows.push(beside_held_connections(scale));
    rows.extend(mixed(scale));
    rows
}

/// This process and the servers that it starts hold more than a thousand connections.
#[cfg(unix)]
fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    const ENOUGH: u64 = 4096;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|now| now < ENOUGH) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(ENOUGH), ..limit }).expect("`ulimit -n 4096`");
    }
}

/// Other systems have no such limit, or none that is reached.
#[cfg(not(unix))]
fn open_many_files() {}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The value, asked for as fast as it comes.
fn gets(scale: &Scale) -> Vec<Row> {
    let sides = [
        ("get from memory, ÷ a bare handler of axum", Kind::Stage("memory"), Some(Target::AtLeast(0.8))),
        ("get from hash-log, ÷ a bare handler of axum", Kind::Stage("hash-log"), Some(Target::AtLeast(0.8))),
        ("the same with a line in the log for each request", Kind::Logged("hash-log"), None),
    ];
    let kinds = std::iter::once(Kind::Bare).chain(sides.iter().map(|(_, kind, _)| *kind));
    let mut figures: Vec<(Kind, Vec<f64>)> = kinds.map(|kind| (kind, Vec::new())).collect();
    for _ in 0..scale.rounds {
        for (kind, figures) in &mut figures {
            let served = Served::start(*kind);
            load(&served.url(), Duration::from_secs(1), None);
            figures.push(load(&served.url(), scale.round, None).per_second);
        }
    }
    let mut medians = figures.into_iter().map(|(_, figures)| median(figures));
    let bare = medians.next().unwrap_or_default();
    let row = |((what, _, target), figure): ((&'static str, Kind, Option<Target>), f64)| Row {
        what,
        measured: format!("{figure:.0}/s"),
        against: format!("{bare:.0}/s"),
        ratio: figure / bare,
        target,
    };
    sides.into_iter().zip(medians).map(row).collect()
}

/// The slowest of a hundred gets, alone and beside connections that others hold.
fn beside_held_connections(scale: &Scale) -> Row {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let served = Served::start(Kind::Stage("hash-log"));
        load(&served.url(), Duration::from_secs(1), None);
        alone.push(load(&served.url(), scale.round, None).p99.as_secs_f64());
        beside.push(held::during(&served, || load(&served.url(), scale.round, None)).p99.as_secs_f64());
    }
    let (alone, beside) = (median(alone), median(beside));
    Row {
        what: "p99 of gets beside 1,000 idle connections and 200 slow ones",
        measured: format!("{:.0} µs", beside * 1e6),
        against: format!("{:.0} µs", alone * 1e6),
        ratio: beside / alone,
        target: Some(Target::AtMost(2.0)),
    }
}

/// Memory under a load of 80 gets, 15 sets and 5 deletes in a hundred, over ten thousand keys. None on a system that does not
/// say how much memory a process has.
fn mixed(scale: &Scale) -> Option<Row> {
    const SCRIPT: &str = r#"
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
    let served = Served::start(Kind::Stage("hash-log"));
    let script = tempfile::NamedTempFile::new().expect("a file for the script");
    std::fs::write(script.path(), SCRIPT).expect("the script can be written");
    let is_over = AtomicBool::new(false);
    let seen: Vec<u32> = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                seen.extend(served.resident_kib());
                std::thread::park_timeout(Duration::from_millis(100));
            }
            seen
        });
        load(&served.url(), scale.mixed, Some(script.path()));
        is_over.store(true, Ordering::Relaxed);
        looking.join().expect("looking does not fail")
    });
    let metrics = served.ask("GET", "/metrics", b"");
    assert!(metrics.starts_with("HTTP/1.1 200") && !metrics.contains("status=\"5"), "{metrics}");
    if seen.is_empty() {
        return None;
    }
    // The first quarter fills the store, and the buffers of the connections.
    let most = |quarter: usize| {
        let part = &seen[seen.len() * quarter / 4..seen.len() * (quarter + 1) / 4];
        part.iter().max().copied().unwrap_or_default()
    };
    let mib = |kib: u32| f64::from(kib) / 1024.0;
    let (second, last) = (mib(most(1)), mib(most(3)));
    Some(Row {
        what: "memory under a mixed load: last quarter ÷ second quarter",
        measured: format!("{last:.1} MiB"),
        against: format!("{second:.1} MiB"),
        ratio: last / second,
        target: Some(Target::AtMost(1.1)),
    })
}
