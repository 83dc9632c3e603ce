//! Criterion's look at every stage: set, get of a key that is there, get of one that is not, delete; with
//! keys of 16 and values of 100 bytes, without syncs.
//!
//! Criterion compares a stage with itself, before a change and after it. To compare stages with each other
//! there is the benchmark `workload`, which gives each a process of its own. A stage has as many keys as it
//! can bear: scanning a log and rewriting a file take time that grows with them.
//!
//! ```text
//! cargo bench -p logladder-bench --bench stages                 some minutes
//! cargo bench -p logladder-bench --bench stages -- get-hit      one group
//! cargo bench -p logladder-bench --bench stages -- hash-log     one stage
//! ```

use std::fmt::Display;
use std::fs;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use logladder::{Engine, STAGES, Stage, SyncPolicy};
use logladder_bench::reports_folder;
use tempfile::TempDir;

const VALUE: [u8; 100] = [b'v'; 100];

/// How many keys a stage holds while it is measured.
fn bearable_keys(stage: &Stage) -> u64 {
    match stage.name {
        "json-file" => 500,
        "scan-log" => 1_000,
        "file-per-key" | "write-behind" => 2_000,
        _ => 20_000,
    }
}

/// A store with its keys, in a folder that goes with it.
struct Store {
    engine: Box<dyn Engine>,
    keys: u64,
    next: u64,
    // After the engine, which must be closed before its folder goes.
    _folder: TempDir,
}

impl Store {
    fn loaded(stage: &Stage) -> Self {
        must(fs::create_dir_all(reports_folder()));
        let folder = must(tempfile::Builder::new().prefix("criterion-").tempdir_in(reports_folder()));
        let engine = must(stage.open(folder.path(), SyncPolicy::Never));
        let keys = bearable_keys(stage);
        for number in 0..keys {
            must(engine.set(&key(number), &VALUE));
        }
        Self { engine, keys, next: 0, _folder: folder }
    }

    /// A key that is there. They are visited in steps, so that neighbours in time are none in the store.
    fn next_key(&mut self) -> [u8; 16] {
        // 7,919 is prime and divides no number of keys: every key has its turn.
        self.next = (self.next + 7_919) % self.keys;
        key(self.next)
    }

    fn next_absent_key(&mut self) -> [u8; 16] {
        self.next_key();
        key(self.next + self.keys)
    }
}

fn key(number: u64) -> [u8; 16] {
    let mut key = [b'0'; 16];
    let mut rest = number;
    for digit in key.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A benchmark has nobody to return an error to.
fn must<T, E: Display>(outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

fn set(criterion: &mut Criterion) {
    each_stage(criterion, "set", |bencher, store| {
        bencher.iter(|| {
            let key = store.next_key();
            must(store.engine.set(&key, &VALUE));
        });
    });
}

fn get_hit(criterion: &mut Criterion) {
    let mut value = Vec::new();
    each_stage(criterion, "get-hit", |bencher, store| {
        bencher.iter(|| {
            let key = store.next_key();
            let found = must(store.engine.get_into(&key, &mut value));
            assert!(found && value == VALUE, "a wrong value");
        });
    });
}

fn get_miss(criterion: &mut Criterion) {
    let mut value = Vec::new();
    each_stage(criterion, "get-miss", |bencher, store| {
        bencher.iter(|| {
            let key = store.next_absent_key();
            let found = must(store.engine.get_into(&key, &mut value));
            assert!(!found, "a value of an absent key");
        });
    });
}

fn delete(criterion: &mut Criterion) {
    each_stage(criterion, "delete", |bencher, store| {
        let engine = &*store.engine;
        let mut number = 0;
        // Each key is set, untimed, before it is deleted; so many at a time that all are different.
        let put_back = || {
            number = (number + 1) % store.keys;
            must(engine.set(&key(number), &VALUE));
            key(number)
        };
        let size = BatchSize::NumIterations(store.keys.min(500));
        bencher.iter_batched(put_back, |key| must(engine.delete(&key)), size);
    });
}

fn each_stage(
    criterion: &mut Criterion,
    name: &str,
    mut measure: impl FnMut(&mut criterion::Bencher<'_>, &mut Store),
) {
    let mut group = criterion.benchmark_group(name);
    for stage in STAGES {
        let id = BenchmarkId::from_parameter(format!("{} {} keys", stage.name, bearable_keys(stage)));
        // Made by the first call that measures it, so that a stage that is filtered out costs nothing.
        let mut store = None;
        group.bench_function(id, |bencher| {
            measure(bencher, store.get_or_insert_with(|| Store::loaded(stage)));
        });
    }
    group.finish();
}

criterion_group! {
    name = stages;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30);
    targets = set, get_hit, get_miss, delete
}
criterion_main!(stages);
