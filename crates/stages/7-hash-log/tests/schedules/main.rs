//! Threads that use one store, in thousands of orders of events.
//!
//! [Shuttle] runs one thread at a time, and chooses at each lock, each atomic and each operation of the disk who goes
//! on: at random, and by priorities that change a few times (PCT; Burckhardt et al., "A Randomized Scheduler with
//! Probabilistic Guarantees of Finding Bugs", ASPLOS 2010). When a check fails, shuttle prints the schedule; given in the
//! environment variable `LOGLADDER_REPLAY`, it is the only one that is run. `LOGLADDER_SCHEDULES` says how many of each
//! kind a test goes through.
//!
//! ```text
//! cargo test -p logladder-hash-log --features shuttle --test schedules
//! LOGLADDER_SCHEDULES=20000 cargo test -p logladder-hash-log --features shuttle --test schedules
//! LOGLADDER_REPLAY=91011ceac79c… cargo test -p logladder-hash-log --features shuttle --test schedules NAME
//! ```
//!
//! [Shuttle]: https://docs.rs/shuttle

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod disk;
mod register;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use logladder_disk::crash::{Loss, Recording};
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Backup, Batch, Compact, Engine, Iterate, SyncPolicy};
use logladder_hash_log::{Compaction, HashLog, Options};
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler};
use shuttle::thread::{scope, yield_now};
use shuttle::{Config, Runner};

use disk::TurnTakingDisk;
use register::{Register, get, write};

const STORE: &str = "/store";

/// How often the priorities of the threads change in one schedule, at most.
const CHANGES: usize = 4;

/// Unless one says how many schedules there are to be, the search for another ends after this time.
const MOST_TIME: Duration = Duration::from_mins(1);

/// Runs `scenario` in so many random schedules, and in as many by priorities.
fn explore(schedules: usize, scenario: impl Fn() + Copy + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 1 << 19;
    // That shuttle makes atomics stronger than they are is known.
    config.silence_warnings = true;
    if let Ok(schedule) = std::env::var("LOGLADDER_REPLAY") {
        Runner::new(ReplayScheduler::new_from_encoded(&schedule), config).run(scenario);
        return;
    }
    let wanted = std::env::var("LOGLADDER_SCHEDULES").ok().map(|wanted| wanted.parse().unwrap());
    config.max_time = wanted.is_none().then_some(MOST_TIME);
    let schedules = wanted.unwrap_or(schedules);
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(scenario);
    Runner::new(PctScheduler::new(CHANGES, schedules), config).run(scenario);
}

/// Segments that are full after two or three records, and nobody who compacts unasked.
fn small_segments() -> Options {
    Options::default()
        .with_segment_bytes(150)
        .with_compaction(Compaction::OnDemand)
        .with_hash_key(*b"the same, always")
}

fn open(disk: &TurnTakingDisk, options: Options) -> HashLog {
    HashLog::open_on(Arc::new(disk.clone()), Path::new(STORE), options).unwrap()
}

/// The store that the next start finds on `disk`, where nobody takes turns.
fn open_again(disk: RecordingDisk, dir: &str) -> HashLog {
    HashLog::open_on(Arc::new(disk), Path::new(dir), small_segments()).unwrap()
}

/// That each register has its last value: now, after the death of the process, and after a clean close.
fn finish(store: HashLog, disk: &TurnTakingDisk, registers: &[&Register]) {
    let check = |store: &HashLog| {
        for register in registers {
            assert_eq!(get(store, register.key).as_deref(), register.last(), "{}", register.key);
        }
    };
    check(&store);
    check(&open_again(RecordingDisk::from_tree(disk.0.tree()), STORE));
    Box::new(store).close().unwrap();
    check(&open_again(disk.0.clone(), STORE));
}

/// Does `work` over and over until these registers have had all their writes, and once more.
fn while_written(registers: &[&Register], mut work: impl FnMut()) {
    loop {
        let is_last = registers.iter().all(|register| register.is_finished());
        work();
        if is_last {
            break;
        }
        // A thread that comes first by its priority would otherwise be alone for ever.
        yield_now();
    }
}

fn all(store: &HashLog) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let visit = &mut |key: &[u8], value: &[u8]| {
        assert_eq!(all.insert(text(key), text(value)), None, "a key was shown twice");
        ControlFlow::Continue(())
    };
    store.for_each(visit).unwrap();
    all
}

/// What both of two keys are, which were only ever written together.
fn pair(store: &HashLog) -> Option<String> {
    let all = all(store);
    assert_eq!(all.get("left"), all.get("right"), "half of a batch");
    all.get("left").cloned()
}

/// Writes both keys of a [`pair`], in one batch each time.
fn write_pairs(register: &Register, store: &HashLog) {
    register.write_by(|value| {
        let mut batch = Batch::new();
        for key in [b"left".as_slice(), b"right"] {
            match value {
                Some(value) => batch.set(key, value.as_bytes()),
                None => batch.delete(key),
            };
        }
        store.write(&batch).unwrap();
    });
}

#[test]
fn a_value_that_two_writers_have_replaced_never_comes_back() {
    explore(500, || {
        let disk = TurnTakingDisk::default();
        let store = open(&disk, small_segments());
        let writing = AtomicUsize::new(2);
        scope(|scope| {
            for writer in ["a", "b"] {
                let (store, writing) = (&store, &writing);
                scope.spawn(move || {
                    for round in 1..=4 {
                        store.set(b"key", format!("{writer}{round}").as_bytes()).unwrap();
                        let found = get(store, "key").unwrap();
                        assert!(found == format!("{writer}{round}") || !found.starts_with(writer), "{found}");
                    }
                    writing.fetch_sub(1, Ordering::SeqCst);
                });
            }
            scope.spawn(|| {
                let mut seen: Vec<String> = Vec::new();
                while writing.load(Ordering::SeqCst) > 0 {
                    yield_now();
                    let Some(found) = get(&store, "key") else {
                        assert_eq!(seen, [""; 0]);
                        continue;
                    };
                    if seen.last() != Some(&found) {
                        // The rounds of a writer are single figures, so that their order is that of the text.
                        let same_writer = |other: &&String| other[..1] == found[..1];
                        assert!(
                            seen.iter().filter(same_writer).all(|other| *other < found),
                            "{seen:?}, {found}"
                        );
                        seen.push(found);
                    }
                }
            });
        });
        let last = get(&store, "key").unwrap();
        assert!(["a4", "b4"].contains(&last.as_str()), "{last}");
        Box::new(store).close().unwrap();
        assert_eq!(get(&open_again(disk.0, STORE), "key"), Some(last));
    });
}

#[test]
fn a_read_beside_writes_and_compaction_sees_what_the_key_is_at_that_moment() {
    explore(500, || {
        let disk = TurnTakingDisk::default();
        let store = open(&disk, small_segments());
        let steady = Register::new("steady", &[Some("here")]);
        let changing =
            Register::new("changing", &[Some("1"), Some("2"), None, Some("3"), Some("4"), None, Some("5")]);
        steady.write_to(&store);
        scope(|scope| {
            scope.spawn(|| changing.write_to(&store));
            scope.spawn(|| {
                while_written(&[&changing], || {
                    store.compact().unwrap();
                });
            });
            scope.spawn(|| {
                let mut readers = [steady.reader(), changing.reader()];
                while_written(&[&changing], || readers.iter_mut().for_each(|reader| reader.get(&store)));
            });
        });
        finish(store, &disk, &[&steady, &changing]);
    });
}

/// Any subset of the sealed segments: a tombstone that goes before the value that it covers brings it back.
#[test]
fn a_deleted_value_stays_away_whatever_segments_are_compacted_meanwhile() {
    explore(500, || {
        let disk = TurnTakingDisk::default();
        let store = open(&disk, small_segments());
        let one = Register::new("one", &[Some("1"), Some("2"), None, Some("3"), None]);
        let other = Register::new("other", &[Some("1"), None, Some("2"), Some("3"), None]);
        scope(|scope| {
            scope.spawn(|| one.write_to(&store));
            scope.spawn(|| other.write_to(&store));
            for newest in [false, true] {
                let (store, one, other) = (&store, &one, &other);
                scope.spawn(move || {
                    while_written(&[one, other], || {
                        let sealed = store.segments().into_iter().filter(|usage| usage.is_sealed);
                        let mut ids: Vec<u64> = sealed.map(|usage| usage.id).collect();
                        if newest {
                            ids.reverse();
                        }
                        ids.truncate(2);
                        store.compact_segments(&ids).unwrap();
                    });
                });
            }
            scope.spawn(|| {
                let mut readers = [one.reader(), other.reader()];
                while_written(&[&one, &other], || readers.iter_mut().for_each(|reader| reader.get(&store)));
            });
        });
        finish(store, &disk, &[&one, &other]);
    });
}

#[test]
fn a_read_while_segments_are_begun_and_sealed_sees_what_the_key_is_at_that_moment() {
    explore(500, || {
        let disk = TurnTakingDisk::default();
        let store = open(&disk, small_segments());
        let one = Register::new("one", &[Some("1"), Some("2"), Some("3"), Some("4"), Some("5")]);
        let other = Register::new("other", &[Some("1"), None, Some("2"), None, Some("3")]);
        scope(|scope| {
            scope.spawn(|| one.write_to(&store));
            scope.spawn(|| other.write_to(&store));
            scope.spawn(|| {
                while_written(&[&one, &other], || store.seal().unwrap());
            });
            scope.spawn(|| {
                let mut readers = [one.reader(), other.reader()];
                while_written(&[&one, &other], || readers.iter_mut().for_each(|reader| reader.get(&store)));
            });
        });
        finish(store, &disk, &[&one, &other]);
    });
}

/// The store that a loss of power would leave at this moment, if the disk had written nothing that nobody synced.
fn after_a_loss_of_power(disk: &TurnTakingDisk) -> HashLog {
    let images = Recording::of(&disk.0).images_at(usize::MAX);
    let worst = images.iter().find(|image| image.loss == Loss::Unsynced).or_else(|| images.last());
    open_again(RecordingDisk::from_tree(worst.unwrap().tree.clone()), STORE)
}

#[test]
fn with_a_shared_sync_what_is_acknowledged_or_seen_is_on_the_disk() {
    explore(300, || {
        let disk = TurnTakingDisk::default();
        let store = open(&disk, small_segments().with_sync(SyncPolicy::Always));
        let registers = [
            Register::new("one", &[Some("1"), Some("2")]),
            Register::new("two", &[Some("1"), None]),
            Register::new("three", &[Some("1"), Some("2")]),
        ];
        scope(|scope| {
            for register in &registers {
                let (store, disk) = (&store, &disk);
                scope.spawn(move || {
                    let key = register.key;
                    register.write_by(|value| {
                        write(store, key, value);
                        assert_eq!(get(store, key).as_deref(), value, "{key}, acknowledged");
                        let left = after_a_loss_of_power(disk);
                        assert_eq!(get(&left, key).as_deref(), value, "{key}, after a loss of power");
                    });
                });
            }
            scope.spawn(|| {
                let mut reader = registers[0].reader();
                while_written(&[&registers[0]], || {
                    reader.get(&store);
                    // What is on the disk need not be seen yet, so this reader's next look may find less.
                    let mut after_the_loss = reader.clone();
                    after_the_loss.check(|| get(&after_a_loss_of_power(&disk), registers[0].key));
                });
            });
        });
        finish(store, &disk, &[&registers[0], &registers[1], &registers[2]]);
    });
}

#[test]
fn an_iteration_beside_writes_and_compaction_shows_the_store_of_one_moment() {
    explore(500, || {
        let disk = TurnTakingDisk::default();
        let store = open(&disk, small_segments());
        let pairs = Register::new("left", &[Some("1"), Some("2"), None, Some("3")]);
        scope(|scope| {
            scope.spawn(|| write_pairs(&pairs, &store));
            scope.spawn(|| {
                while_written(&[&pairs], || {
                    store.compact().unwrap();
                });
            });
            scope.spawn(|| {
                let mut reader = pairs.reader();
                while_written(&[&pairs], || reader.check(|| pair(&store)));
            });
        });
        finish(store, &disk, &[&pairs]);
    });
}

#[test]
fn a_backup_beside_writes_is_the_store_of_a_moment_while_it_ran() {
    explore(500, || {
        let disk = TurnTakingDisk::default();
        let store = open(&disk, small_segments());
        let pairs = Register::new("left", &[Some("1"), Some("2"), None, Some("3")]);
        scope(|scope| {
            scope.spawn(|| write_pairs(&pairs, &store));
            scope.spawn(|| {
                while_written(&[&pairs], || {
                    store.compact().unwrap();
                });
            });
            scope.spawn(|| {
                let (mut reader, mut backups) = (pairs.reader(), 0);
                while_written(&[&pairs], || {
                    backups += 1;
                    let dir = format!("/backup-{backups}");
                    reader.check(|| {
                        store.backup(Path::new(&dir)).unwrap();
                        pair(&open_again(disk.0.clone(), &dir))
                    });
                });
            });
        });
        finish(store, &disk, &[&pairs]);
    });
}

#[test]
fn a_close_in_the_middle_of_the_work_in_the_background_loses_nothing() {
    explore(500, || {
        let disk = TurnTakingDisk::default();
        let store = open(&disk, small_segments().with_compaction(Compaction::Background));
        let one = Register::new("one", &[Some("1"), Some("2"), None, Some("3")]);
        let other = Register::new("other", &[Some("1"), Some("2"), Some("3")]);
        scope(|scope| {
            scope.spawn(|| one.write_to(&store));
            scope.spawn(|| other.write_to(&store));
            scope.spawn(|| {
                let mut reader = one.reader();
                while_written(&[&one], || reader.get(&store));
            });
        });
        finish(store, &disk, &[&one, &other]);
    });
}
