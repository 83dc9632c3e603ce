//! The measurements of stage 5.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use logladder::memory::Memory;
use logladder::replay_log::{Housekeeping, Options, Persistence, ReplayLog};
use logladder_bench::{Target, TargetRow, figures};
use logladder_engine::{Engine, Open, SyncPolicy};

use crate::bare::{BareFile, GroupCommit};

const ROUNDS: usize = 5;

/// What is quick is measured in so many pieces.
const TURNS: u64 = 40;

/// The sets are of so many keys. More of them measure the memory of the machine.
const HOT_KEYS: u64 = 1_000;
const VALUE: [u8; 100] = [b'v'; 100];

/// How slow a write is beside others is measured at 50,000 a second, a hundred every 2 ms. At full speed the lines alone
/// are more than the disk takes, and the system makes the writer wait for it, whatever else is done.
const PACE: Duration = Duration::from_millis(2);

/// 16 bytes.
fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key 000000000000";
    let digits = format!("{number:012}");
    key[4..].copy_from_slice(digits.as_bytes());
    key
}

fn line(number: u64) -> Vec<u8> {
    let key = key(number);
    [br#"{"operation":"SET","key":""#, &key[..], br#"","value":""#, &VALUE, b"\"}\n"].concat()
}

/// A number that looks random, the same each time: SplitMix64.
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[allow(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
fn a_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// How many times a second `work` is done, of `count` times.
fn rate(count: u64, mut work: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    (0..count).for_each(&mut work);
    a_second(count, start.elapsed())
}

fn show(rate: f64) -> String {
    format!("{}/s", figures::per_second(rate))
}

fn open(dir: &Path, options: Options) -> ReplayLog {
    ReplayLog::open(dir, options).expect("a store")
}

fn on_demand(sync: SyncPolicy) -> Options {
    Options::default().with_housekeeping(Housekeeping::OnDemand).with_sync(sync)
}

/// A folder on a disk, not in memory.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder beside the build")
}

pub(crate) fn all(scale: u64) -> Vec<TargetRow> {
    let mut rows = vec![
        set("set, never, against write(2)", SyncPolicy::Never, 2_000_000 / scale),
        set(
            "set, every second, against write(2)",
            SyncPolicy::Every(Duration::from_secs(1)),
            2_000_000 / scale,
        ),
        get(200_000 / scale),
        always(Duration::from_millis(1_500 / scale)),
    ];
    rows.extend(loads(1_000_000 / scale));
    for (what, persistence, pace) in [
        ("set p99.9 while a snapshot is made, against idle", Persistence::Both, PACE),
        ("set p99.9 while lines are rewritten, against idle", Persistence::AppendOnly, PACE),
        ("the same at full speed: a snapshot", Persistence::Both, Duration::ZERO),
        ("the same at full speed: a rewrite", Persistence::AppendOnly, Duration::ZERO),
    ] {
        let time = Duration::from_millis(3_000 / scale);
        rows.push(beside_rewrites(what, persistence, pace, 1_000_000 / scale, time));
    }
    rows.push(bare_beside_a_file(1_000_000 / scale, Duration::from_millis(3_000 / scale)));
    rows
}

/// The keys of a few seconds' work, made before it is measured.
fn keys(count: u64) -> Vec<[u8; 16]> {
    (0..count).map(|number| key(scramble(number) % count)).collect()
}

fn at<T>(list: &[T], number: u64) -> &T {
    &list[usize::try_from(number).expect("an index") % list.len()]
}

fn set(what: &'static str, sync: SyncPolicy, count: u64) -> TargetRow {
    let folder = folder();
    let store = open(&folder.path().join("store"), Options::default().with_sync(sync).with_rewrite(0, 0));
    let mut file = BareFile::create(&folder.path().join("bare"));
    let keys = keys(HOT_KEYS);
    let lines: Vec<Vec<u8>> = (0..HOT_KEYS).map(line).collect();
    // The keys are made before it counts.
    rate(HOT_KEYS, |number| store.set(&at(&keys, number)[..], &VALUE).expect("a set"));
    let bare = |count| rate(count, |number| file.append(&at(&lines, number)[..]));
    let ours = |count| rate(count, |number| store.set(&at(&keys, number)[..], &VALUE).expect("a set"));
    let (bare, ours, figure) = in_turn(count, bare, ours);
    TargetRow { what, measured: show(ours), against: show(bare), figure, target: Target::AtLeast(0.8) }
}

/// Lets the two sides take turns, in pieces that are short beside what else the machine has to do. Gives the median of
/// each, and of their ratios.
fn in_turn(
    count: u64,
    mut theirs: impl FnMut(u64) -> f64,
    mut ours: impl FnMut(u64) -> f64,
) -> (f64, f64, f64) {
    let pairs: Vec<(f64, f64)> = (0..TURNS).map(|_| (theirs(count / TURNS), ours(count / TURNS))).collect();
    let of = |figure: fn(&(f64, f64)) -> f64| median(pairs.iter().map(figure).collect());
    (of(|pair| pair.0), of(|pair| pair.1), of(|pair| pair.1 / pair.0))
}

fn get(keys: u64) -> TargetRow {
    let folder = folder();
    let store = open(folder.path(), on_demand(SyncPolicy::Never));
    let memory = Memory::default();
    for number in 0..keys {
        store.set(&key(number), &VALUE).expect("a set");
        memory.set(&key(number), &VALUE).expect("a set");
    }
    let asked = self::keys(keys);
    let read = |engine: &dyn Engine, number: u64| {
        let value = engine.get(&at(&asked, number)[..]).expect("a get");
        assert_eq!(value.as_deref(), Some(&VALUE[..]));
    };
    let (theirs, ours, figure) = in_turn(
        keys * 16,
        |count| rate(count, |number| read(&memory, number)),
        |count| rate(count, |number| read(&store, number)),
    );
    TargetRow {
        what: "get, against stage 1's get",
        measured: show(ours),
        against: show(theirs),
        figure,
        target: Target::AtLeast(0.9),
    }
}

/// How many writes a second eight threads make.
fn of_threads(time: Duration, write: impl Fn(u64) + Sync) -> f64 {
    let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..8 {
            let (count, stop, write) = (&count, &stop, &write);
            scope.spawn(move || {
                let mut number = thread << 32;
                while !stop.load(Ordering::Relaxed) {
                    write(number);
                    number += 1;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    a_second(count.load(Ordering::Relaxed), start.elapsed())
}

fn always(time: Duration) -> TargetRow {
    let folder = folder();
    let store = open(&folder.path().join("store"), Options::default().with_rewrite(0, 0));
    let commits = GroupCommit::create(&folder.path().join("bare"));
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(of_threads(time, |number| commits.append(&line(number % 100_000))));
        ours.push(of_threads(time, |number| store.set(&key(number % 100_000), &VALUE).expect("a set")));
    }
    let (bare, ours) = (median(bare), median(ours));
    TargetRow {
        what: "set, always, 8 threads, against group commit",
        measured: show(ours),
        against: show(bare),
        figure: ours / bare,
        target: Target::AtLeast(0.8),
    }
}

fn loads(keys: u64) -> Vec<TargetRow> {
    let folder = folder();
    let options = || on_demand(SyncPolicy::Never);
    let store = open(folder.path(), options());
    for number in 0..keys {
        store.set(&key(scramble(number) % (keys * 8)), &VALUE).expect("a set");
    }
    drop(store);
    let reopened = |_| {
        let store = open(folder.path(), options());
        let replay = store.replay().clone();
        (a_second(replay.operations, replay.duration), a_second(replay.keys, replay.duration))
    };
    let replayed = median((0..3).map(reopened).map(|(operations, _)| operations).collect());
    let store = open(folder.path(), options());
    store.snapshot().expect("a snapshot");
    drop(store);
    let loaded = median((0..3).map(reopened).map(|(_, keys)| keys).collect());
    let row = |what, figure: f64, least: f64| TargetRow {
        what,
        measured: show(figure),
        against: show(least),
        figure: figure / least,
        target: Target::AtLeast(1.0),
    };
    vec![
        row("replay, operations a second", replayed, 1_500_000.0),
        row("loading a snapshot, keys a second", loaded, 5_000_000.0),
    ]
}

/// How long the slowest of a thousand sets takes, in microseconds. A hundred of them begin every `pace`.
fn slowest_of_a_thousand(pace: Duration, mut set: impl FnMut(u64), mut goes_on: impl FnMut() -> bool) -> f64 {
    let mut times = Vec::new();
    let mut number = 0;
    let mut next = Instant::now();
    while goes_on() {
        for _ in 0..100 {
            number += 1;
            let start = Instant::now();
            set(number);
            times.push(start.elapsed());
        }
        next += pace;
        while Instant::now() < next {
            std::hint::spin_loop();
        }
    }
    times.sort_unstable();
    times[times.len() * 999 / 1000].as_secs_f64() * 1e6
}

/// The slowest of a thousand while something else is done, and before it.
fn idle_and_beside(
    pace: Duration,
    time: Duration,
    mut set: impl FnMut(u64),
    work: impl Fn() + Sync,
) -> (f64, f64) {
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        idle.push(slowest_of_a_thousand(pace, &mut set, || start.elapsed() < time));
        let ended = AtomicBool::new(false);
        busy.push(thread::scope(|scope| {
            scope.spawn(|| {
                work();
                ended.store(true, Ordering::Release);
            });
            slowest_of_a_thousand(pace, &mut set, || !ended.load(Ordering::Acquire))
        }));
    }
    (median(idle), median(busy))
}

fn beside(what: &'static str, target: Target, (idle, busy): (f64, f64)) -> TargetRow {
    let measured = format!("{busy:.1} µs");
    TargetRow { what, measured, against: format!("{idle:.1} µs"), figure: busy / idle, target }
}

fn beside_rewrites(
    what: &'static str,
    persistence: Persistence,
    pace: Duration,
    keys: u64,
    time: Duration,
) -> TargetRow {
    let folder = folder();
    let store = open(folder.path(), on_demand(SyncPolicy::Never).with_persistence(persistence));
    for number in 0..keys {
        store.set(&key(number), &VALUE).expect("a set");
    }
    let set = |number| store.set(&key(scramble(number) % keys), &VALUE).expect("a set");
    let rewrite = || store.snapshot().expect("a snapshot or a rewrite");
    let target = if pace.is_zero() { Target::None } else { Target::AtMost(3.0) };
    beside(what, target, idle_and_beside(pace, time, set, rewrite))
}

/// What the system makes of it alone: one write(2) for each line, while another thread writes and syncs a file as large
/// as the rewritten one.
fn bare_beside_a_file(keys: u64, time: Duration) -> TargetRow {
    let folder = folder();
    let mut lines = BareFile::create(&folder.path().join("lines"));
    let line = line(0);
    let len = keys * line.len() as u64;
    let write = || BareFile::create(&folder.path().join("base")).fill(len);
    let times = idle_and_beside(PACE, time, |_| lines.append(&line), write);
    beside("write(2) p99.9 while a file is written, against idle", Target::None, times)
}
