//! What is this stage's own: several levels, tombstones on their way down, snapshots, scans of a store in motion, damage within a
//! table.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "files are damaged, not written")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use logladder_disk::sabotage::{Rule, break_rule};
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{
    Atomic, Batch, Compact, Direction, Engine, Error, KeyRange, Open, Ordered, SyncPolicy,
};
use logladder_sorted_log::{Compression, Options, SortedLog, Work};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Everything is so small that some hundred writes reach the third level.
fn small() -> Options {
    Options::default()
        .with_sync(SyncPolicy::Never)
        .with_work(Work::Caller)
        .with_memtable_bytes(400)
        .with_block_bytes(100)
        .with_table_bytes(500)
        .with_level0_tables(2)
        .with_levels(1_000, 3)
        .with_manifest_bytes(1_000)
}

fn open(disk: &RecordingDisk, options: Options) -> SortedLog {
    SortedLog::open_on(Arc::new(disk.clone()), Path::new("/store"), options).unwrap()
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn key(&mut self) -> Vec<u8> {
        format!("key {:02}", self.below(60)).into_bytes()
    }
}

fn scanned(store: &SortedLog, range: KeyRange<'_>, direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut shown = Vec::new();
    store
        .scan(range, direction, &mut |key, value| {
            shown.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    shown
}

/// Whether the store shows what the map does: by key, by range, both ways.
fn is_same(store: &SortedLog, map: &Map, numbers: &mut Numbers) -> bool {
    let gets = (0..60).map(|number| format!("key {number:02}").into_bytes());
    let found = gets.into_iter().all(|key| store.get(&key).unwrap().as_ref() == map.get(&key));
    let (one, other) = (numbers.key(), numbers.key());
    let (start, end) = if one < other { (one, other) } else { (other, one) };
    let range = (Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice()));
    let mut expected: Vec<_> =
        map.range::<[u8], _>(range).map(|(key, value)| (key.clone(), value.clone())).collect();
    let forward = scanned(store, range, Direction::Forward) == expected;
    expected.reverse();
    found && forward && scanned(store, range, Direction::Backward) == expected
}

/// Writes at random, opens the store again now and then, and says whether it was always as the map.
fn keeps_up_with_a_map(seed: u64, options: Options) -> bool {
    let disk = RecordingDisk::new();
    let mut numbers = Numbers(seed);
    let (mut store, mut map) = (open(&disk, options), Map::new());
    for step in 0..600_u64 {
        let key = numbers.key();
        match numbers.below(20) {
            0..10 => {
                let value = vec![b'v'; usize::try_from(numbers.below(60)).unwrap()];
                let value = [step.to_string().into_bytes(), value].concat();
                store.set(&key, &value).unwrap();
                map.insert(key, value);
            }
            10..18 => {
                store.delete(&key).unwrap();
                map.remove(&key);
            }
            18 => {
                let mut batch = Batch::new();
                for _ in 0..numbers.below(5) {
                    let key = numbers.key();
                    batch.set(&key, b"of a batch");
                    map.insert(key, b"of a batch".to_vec());
                }
                store.write(&batch).unwrap();
            }
            _ if step % 4 == 0 => {
                drop(store);
                store = open(&disk, options);
            }
            _ => store.flush().unwrap(),
        }
        if !is_same(&store, &map, &mut numbers) {
            return false;
        }
    }
    true
}

#[test]
fn random_programs_show_what_a_map_shows_both_ways_while_tables_go_down_several_levels() {
    for seed in 0..4 {
        for options in [small(), small().with_compression(Compression::Lz4).with_filter_bits(0)] {
            assert!(keeps_up_with_a_map(seed, options), "seed {seed}, {options:?}");
        }
    }
}

#[test]
fn without_the_tombstone_rule_a_deleted_value_comes_back() {
    let _broken = break_rule(Rule::TombstoneKept);
    assert!((0..4).any(|seed| !keeps_up_with_a_map(seed, small())));
}

#[test]
fn some_hundred_writes_fill_three_levels_and_a_compaction_leaves_one() {
    let store = open(&RecordingDisk::new(), small());
    for number in 0..400 {
        store.set(format!("key {:03}", number * 7 % 400).as_bytes(), b"a value of some bytes").unwrap();
    }
    let filled = |store: &SortedLog| store.levels().iter().filter(|(tables, _)| *tables > 0).count();
    assert!(filled(&store) >= 3, "{:?}", store.levels());
    let compacted = store.compact().unwrap();
    assert_eq!(filled(&store), 1, "{:?}", store.levels());
    assert!(compacted.files_removed > 3 && compacted.files_written > 1, "{compacted:?}");
    assert_eq!(store.stats().unwrap().live_keys, 400);
    assert_eq!(store.compact().unwrap().files_written, 0, "nothing is left to gain");
}

#[test]
fn a_snapshot_stays_as_it_was_through_writes_flushes_and_compactions() {
    let store = open(&RecordingDisk::new(), small());
    let mut taken = Vec::new();
    let mut map = Map::new();
    let mut numbers = Numbers(7);
    for step in 0..300_u32 {
        let (key, value) = (numbers.key(), step.to_be_bytes().to_vec());
        if step % 3 == 0 {
            store.delete(&key).unwrap();
            map.remove(&key);
        } else {
            store.set(&key, &value).unwrap();
            map.insert(key, value);
        }
        if step % 50 == 0 {
            taken.push((store.snapshot(), map.clone()));
        }
    }
    store.compact().unwrap();
    for (snapshot, map) in &taken {
        let mut shown = Map::new();
        snapshot
            .scan((Bound::Unbounded, Bound::Unbounded), Direction::Backward, &mut |key, value| {
                shown.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(&shown, map, "after write {}", snapshot.sequence());
        assert!(map.iter().all(|(key, value)| snapshot.get(key).unwrap().as_ref() == Some(value)));
    }
    assert!(taken.windows(2).all(|pair| pair[0].0.sequence() < pair[1].0.sequence()));
}

#[test]
fn a_scan_shows_a_batch_whole_or_not_at_all_while_threads_write_and_merge() {
    const KEYS: u32 = 20;
    let dir = tempfile::tempdir().unwrap();
    let store = SortedLog::open(dir.path(), small().with_work(Work::Background)).unwrap();
    let batch_of = |round: u32| {
        let mut batch = Batch::new();
        for key in 0..KEYS {
            batch.set(&key.to_be_bytes(), &round.to_be_bytes());
        }
        batch
    };
    store.write(&batch_of(0)).unwrap();
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (1..300).for_each(|round| store.write(&batch_of(round)).unwrap());
            has_ended.store(true, Ordering::Release);
        });
        for direction in [Direction::Forward, Direction::Backward].into_iter().cycle() {
            let shown = scanned(&store, (Bound::Unbounded, Bound::Unbounded), direction);
            assert_eq!(shown.len(), KEYS as usize);
            assert!(shown.iter().all(|(_, value)| *value == shown[0].1), "{shown:?}");
            if has_ended.load(Ordering::Acquire) {
                break;
            }
        }
        writer.join().unwrap();
    });
    Box::new(store).close().unwrap();
}

#[test]
fn damage_within_a_block_is_an_error_that_names_the_place_and_other_blocks_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = SortedLog::open(dir.path(), Options::default()).unwrap();
    for number in 0..1_000 {
        store.set(format!("{number:04}").as_bytes(), &[b'v'; 100]).unwrap();
    }
    store.flush().unwrap();
    Box::new(store).close().unwrap();
    let is_table = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "table");
    let mut tables = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).filter(is_table);
    let path = tables.next().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // In the first block, which begins behind the header.
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = SortedLog::open(dir.path(), Options::default()).unwrap();
    match store.get(b"0000") {
        Err(Error::Corrupt { path: named, offset: 32, .. }) => {
            assert_eq!(named, path.canonicalize().unwrap());
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(store.stats(), Err(Error::Corrupt { .. })));
    assert_eq!(store.get(b"0999").unwrap(), Some(vec![b'v'; 100]));
    assert!(store.compact().is_err(), "a damaged table cannot be merged");
    assert_eq!(store.get(b"0999").unwrap(), Some(vec![b'v'; 100]));
}
