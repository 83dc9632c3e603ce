//! When what was written is on the disk: group commit, and the threads that sync, rewrite and make snapshots.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use logladder_disk::{Disk, Entry, Fault, File, Filter, Lock, Map, Op, OpenOn, RecordingDisk};
use logladder_engine::{Changes, Durability, Engine, Error, Result, SyncPolicy};
use logladder_replay_log::{Options, Persistence, ReplayLog, SnapshotRule};

const DIR: &str = "/store";

/// Something that never comes fails the test instead of hanging it.
const FAR_TOO_LONG: Duration = Duration::from_mins(2);

/// Whether syncs may go on, and how many have come.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<(bool, u32)>,
    changed: Condvar,
}

impl Gate {
    fn set_closed(&self, is_closed: bool) {
        *self.state.lock().unwrap() = (is_closed, 0);
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        self.changed.notify_all();
        let (_state, late) = self.changed.wait_timeout_while(state, FAR_TOO_LONG, |state| state.0).unwrap();
        assert!(!late.timed_out(), "the gate is never opened");
    }

    /// Waits until so many syncs have come.
    fn await_arrivals(&self, count: u32) {
        let state = self.state.lock().unwrap();
        let few = |state: &mut (bool, u32)| state.1 < count;
        let (_state, late) = self.changed.wait_timeout_while(state, FAR_TOO_LONG, few).unwrap();
        assert!(!late.timed_out(), "fewer than {count} syncs come");
    }
}

/// A recording disk on which the syncs of lines go through a gate.
#[derive(Debug)]
struct GatedDisk {
    disk: RecordingDisk,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct GatedFile {
    file: Box<dyn File>,
    gate: Arc<Gate>,
}

impl File for GatedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }
    fn len(&self) -> u64 {
        self.file.len()
    }
    fn append(&self, bytes: &[u8]) -> Result<u64> {
        self.file.append(bytes)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_at(offset, buffer)
    }
    fn truncate(&self, len: u64) -> Result<()> {
        self.file.truncate(len)
    }
    fn sync(&self) -> Result<()> {
        self.gate.pass();
        self.file.sync()
    }
    fn bytes(&self) -> Option<&[u8]> {
        self.file.bytes()
    }
}

impl Disk for GatedDisk {
    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.disk.create_dir(dir)
    }
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        self.disk.entry(path)
    }
    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        self.disk.list(dir)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        let file = self.disk.create(path)?;
        if path.extension().is_none_or(|extension| extension != "aof") {
            return Ok(file);
        }
        Ok(Box::new(GatedFile { file, gate: Arc::clone(&self.gate) }))
    }
    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>> {
        self.disk.reserve(path, capacity)
    }
    fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        self.disk.open(path)
    }
    fn map(&self, path: &Path) -> Result<Map> {
        self.disk.map(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.disk.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> Result<Lock> {
        self.disk.lock(path)
    }
}

/// A store on such a disk, with a line in it.
fn gated(sync: SyncPolicy) -> (ReplayLog, RecordingDisk, Arc<Gate>) {
    let (disk, gate) = (RecordingDisk::new(), Arc::new(Gate::default()));
    let gated = GatedDisk { disk: disk.clone(), gate: Arc::clone(&gate) };
    let options = Options::default().with_sync(sync);
    let store = ReplayLog::open_on(Arc::new(gated), Path::new(DIR), options).unwrap();
    store.set(b"first", b"value").unwrap();
    (store, disk, gate)
}

fn appends(disk: &RecordingDisk) -> usize {
    disk.ops().iter().filter(|op| matches!(op, Op::Write { .. })).count()
}

#[test]
fn threads_that_write_during_a_sync_share_the_next_and_nobody_sees_a_write_before_its_sync() {
    let (store, disk, gate) = gated(SyncPolicy::Always);
    let before = appends(&disk);
    gate.set_closed(true);
    thread::scope(|scope| {
        scope.spawn(|| store.set(&[0], b"value").unwrap());
        gate.await_arrivals(1);
        for writer in 1..8_u8 {
            let store = &store;
            scope.spawn(move || store.set(&[writer], b"value").unwrap());
        }
        while appends(&disk) < before + 8 {
            thread::yield_now();
        }
        // Judged once the gate is open: a thread that waits at it would hold up the end of the test.
        let seen_too_early = (0..8_u8).filter(|&writer| store.get(&[writer]).unwrap().is_some()).count();
        let syncs_before = disk.ops().iter().filter(|op| matches!(op, Op::Sync { .. })).count();
        gate.set_closed(false);
        gate.await_arrivals(1);
        // Whoever is not done yet is waiting for that one.
        while store.get(&[7]).unwrap().is_none() {
            thread::yield_now();
        }
        let syncs = disk.ops().iter().filter(|op| matches!(op, Op::Sync { .. })).count() - syncs_before;
        assert_eq!(seen_too_early, 0, "they are in the log, and not on the disk");
        assert_eq!(syncs, 2, "the first covers the first write, and the second all others");
    });
    for writer in 0..8_u8 {
        assert_eq!(store.get(&[writer]).unwrap().as_deref(), Some(&b"value"[..]));
    }
}

#[test]
fn with_a_time_between_syncs_writes_reach_the_disk_without_being_asked_for() {
    let (store, _disk, gate) = gated(SyncPolicy::Every(Duration::from_millis(1)));
    assert_eq!(store.durability(), Durability::ProcessCrash);
    for round in 0..3_u8 {
        store.sync().unwrap();
        gate.set_closed(false);
        store.set(b"key", &[round]).unwrap();
        assert_eq!(store.get(b"key").unwrap(), Some(vec![round]), "nobody waits for the sync");
        gate.await_arrivals(1);
    }
    Box::new(store).close().unwrap();
}

#[test]
fn what_is_on_the_disk_is_not_synced_again() {
    let (store, disk, _) = gated(SyncPolicy::Never);
    store.sync().unwrap();
    let before = disk.op_count();
    store.sync().unwrap();
    assert_eq!(disk.op_count(), before);
}

fn open(disk: &RecordingDisk, options: Options) -> ReplayLog {
    ReplayLog::open_on(Arc::new(disk.clone()), Path::new(DIR), options).unwrap()
}

/// Log first, memory after.
#[test]
fn a_write_whose_line_or_sync_failed_changes_nothing_in_memory_and_is_the_last() {
    for on in [Filter::Append, Filter::Sync] {
        let disk = RecordingDisk::new();
        let store = open(&disk, Options::default());
        store.set(b"key", b"old").unwrap();
        disk.inject(Fault { on, after: 0, torn_at: 3, kind: std::io::ErrorKind::StorageFull });
        assert!(matches!(store.set(b"key", b"new"), Err(Error::Io { .. })), "{on:?}");
        assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"old"[..]), "{on:?}");
        for refused in [store.set(b"key", b"newer"), store.delete(b"key"), store.sync(), store.snapshot()] {
            assert!(matches!(refused, Err(Error::Poisoned { .. })), "{on:?}");
        }
        assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"old"[..]), "{on:?}");
    }
}

/// What a failed append left is cut off at once: to keep a copy of it, opening would need space.
#[test]
fn a_line_that_was_appended_in_part_leaves_nothing_for_opening_to_cut() {
    let disk = RecordingDisk::new();
    let options = || Options::default().with_sync(SyncPolicy::Never);
    let store = open(&disk, options());
    store.set(b"key", b"old").unwrap();
    disk.inject(Fault { on: Filter::Append, after: 0, torn_at: 9, kind: std::io::ErrorKind::StorageFull });
    assert!(matches!(store.set(b"key", b"new"), Err(Error::Io { .. })));
    drop(store);
    disk.inject(Fault { on: Filter::Append, after: 0, torn_at: 0, kind: std::io::ErrorKind::StorageFull });
    let store = open(&disk, options());
    assert_eq!(store.repairs(), []);
    assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"old"[..]));
}

#[test]
fn without_lines_a_snapshot_that_failed_before_the_manifest_was_replaced_can_be_made_later() {
    for on in [Filter::Create, Filter::Append, Filter::Sync] {
        let disk = RecordingDisk::new();
        let options = || Options::default().with_persistence(Persistence::Snapshots);
        let store = open(&disk, options());
        let mut failed = 0;
        // Of the base and of the manifest.
        for after in 0..8 {
            store.set(b"key", &[after]).unwrap();
            disk.inject(Fault { on, after: after.into(), torn_at: 3, kind: std::io::ErrorKind::StorageFull });
            failed += usize::from(matches!(store.sync(), Err(Error::Io { .. })));
            disk.clear_faults();
            store.sync().unwrap();
            let copy = RecordingDisk::from_tree(disk.tree());
            assert_eq!(open(&copy, options()).get(b"key").unwrap(), Some(vec![after]), "{on:?} {after}");
            // The lock file, the manifest and the base: what a failed attempt had written is removed.
            let names: Vec<String> =
                disk.list(Path::new(DIR)).unwrap().into_iter().map(|entry| entry.name).collect();
            assert_eq!(names.len(), 3, "{on:?} {after}: {names:?}");
        }
        assert!(failed >= 2, "{on:?}: {failed}");
    }
}

/// A thread that syncs all the time would keep a processor busy.
#[test]
fn a_time_of_zero_between_syncs_is_a_sync_of_each_write() {
    let (store, disk, _gate) = gated(SyncPolicy::Every(Duration::ZERO));
    assert_eq!(store.durability(), Durability::PowerLoss);
    let syncs = || disk.ops().iter().filter(|op| matches!(op, Op::Sync { .. })).count();
    let before = syncs();
    store.set(b"key", b"value").unwrap();
    assert!(syncs() > before);
}

/// Waits until something has come about that a thread of the engine does.
fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < FAR_TOO_LONG, "it never comes: {what}");
        thread::yield_now();
    }
}

#[test]
fn a_rewrite_begins_by_itself_when_the_lines_have_grown() {
    let disk = RecordingDisk::new();
    let options = || Options::default().with_sync(SyncPolicy::Never);
    let store = open(&disk, options().with_rewrite(100, 4_000));
    for round in 0..3_u64 {
        let earliest = || store.earliest_position().unwrap().sequence;
        let before = earliest();
        let start = Instant::now();
        while earliest() == before {
            store.set(b"key", format!("value of round {round}").as_bytes()).unwrap();
            assert!(start.elapsed() < FAR_TOO_LONG, "no rewrite begins");
        }
    }
    Box::new(store).close().unwrap();
    let store = open(&disk, options());
    assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value of round 2"[..]));
}

#[test]
fn a_snapshot_is_made_by_a_rule_while_the_store_is_open() {
    let disk = RecordingDisk::new();
    let options = || Options::default().with_persistence(Persistence::Snapshots);
    let store = open(&disk, options().with_snapshots(&[SnapshotRule::new(Duration::ZERO, 3)]));
    assert_eq!(store.durability(), Durability::Eventual);
    let snapshots = || disk.ops().iter().filter(|op| matches!(op, Op::Rename { .. })).count();
    let none = snapshots();
    for number in 0..3_u8 {
        store.set(&[number], b"value").unwrap();
    }
    await_that("a snapshot", || snapshots() >= none + 2);
    // Dropped, not closed: what is there was there before.
    drop(store);
    let store = open(&disk, options());
    assert_eq!(store.replay().keys, 3);
}

#[test]
fn a_rewrite_in_the_background_that_failed_is_told_by_close_and_loses_nothing() {
    let disk = RecordingDisk::new();
    let options = || Options::default().with_sync(SyncPolicy::Never);
    let store = open(&disk, options().with_rewrite(100, 400));
    // The manifest that lists the new lines is the first, the base the second.
    disk.inject(Fault { on: Filter::Rename, after: 1, torn_at: 0, kind: std::io::ErrorKind::StorageFull });
    for number in 0..20_u8 {
        store.set(&[number], b"value").unwrap();
    }
    // What there is of the base is taken away then.
    await_that("a rewrite that fails", || disk.ops().iter().any(|op| matches!(op, Op::Remove { .. })));
    let failed = Box::new(store).close();
    assert!(
        matches!(&failed, Err(Error::Io { path, .. }) if path.to_string_lossy().contains("base-")),
        "{failed:?}"
    );
    let store = open(&disk, options());
    assert!((0..20_u8).all(|number| store.get(&[number]).unwrap().is_some()));
}
