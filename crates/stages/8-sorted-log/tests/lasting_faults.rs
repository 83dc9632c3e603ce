//! Every operation of the disk fails, once or from then on: each append, sync, creation, rename, removal and cut of the log, the
//! flushes, the merges and the manifest. The contract lets each fail once in its own scripts; here the script is this stage's,
//! and the disk may stay broken for as long as the store is open. Whatever it is that fails, the call that needed it says so;
//! and a loss of power right afterwards takes nothing that was promised to survive it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Bound::Unbounded;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::crash::Recording;
use logladder_disk::{Fault, Filter, Op, OpenOn, RecordingDisk};
use logladder_engine::{Atomic, Batch, Compact, Direction, Engine, Error, Ordered, Result, SyncPolicy};
use logladder_sorted_log::{Options, SortedLog, Work};

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

/// More operations than the script has.
const FOR_EVER: usize = 600;

fn options(sync: SyncPolicy) -> Options {
    Options::default()
        .with_sync(sync)
        .with_work(Work::Caller)
        .with_memtable_bytes(200)
        .with_block_bytes(64)
        .with_table_bytes(250)
        .with_level0_tables(2)
        .with_levels(500, 2)
        .with_manifest_bytes(600)
}

fn open(disk: &RecordingDisk, sync: SyncPolicy) -> Result<SortedLog> {
    SortedLog::open_on(Arc::new(disk.clone()), Path::new("/store"), options(sync))
}

fn contents(store: &SortedLog) -> Contents {
    let mut contents = Contents::new();
    store
        .scan((Unbounded, Unbounded), Direction::Forward, &mut |key, value| {
            contents.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    for key in (0..9_u8).map(|key| vec![key]) {
        assert_eq!(store.get(&key).unwrap().as_ref(), contents.get(&key));
    }
    contents
}

/// What is asked of a store.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// A set, a delete or a batch, by its number.
    Write(u8),
    Sync,
    Flush,
    Compact,
    Reopen,
}

/// Several memtables, levels and manifests; one opening that finds a log, and one that finds none.
fn script() -> Vec<Deed> {
    let writes = |numbers: std::ops::Range<u8>| numbers.map(Deed::Write);
    let mut script: Vec<Deed> = writes(0..20).collect();
    script.extend([Deed::Sync, Deed::Reopen]);
    script.extend(writes(20..30));
    script.extend([Deed::Compact, Deed::Write(30), Deed::Flush, Deed::Reopen]);
    script.extend(writes(31..40));
    script
}

/// What a write does to what there is.
fn written(before: &Contents, number: u8) -> Contents {
    let mut after = before.clone();
    match number % 5 {
        0 => drop(after.remove(&[number % 9][..])),
        1 => {
            after.insert(vec![number % 9], vec![number; 5]);
            after.remove(&[(number + 1) % 9][..]);
        }
        _ => drop(after.insert(vec![number % 9], vec![number; 40])),
    }
    after
}

fn write(store: &SortedLog, number: u8) -> Result<()> {
    match number % 5 {
        0 => store.delete(&[number % 9]),
        1 => {
            let mut batch = Batch::new();
            batch.set(&[number % 9], &[number; 5]).delete(&[(number + 1) % 9]);
            store.write(&batch)
        }
        _ => store.set(&[number % 9], &[number; 40]),
    }
}

/// Goes through the script until something fails. What was acknowledged, and the same with the write that was under way.
struct Session<'d> {
    disk: &'d RecordingDisk,
    sync: SyncPolicy,
    when: String,
    either: [Contents; 2],
    /// What a loss of power may leave: what was last promised to survive it, and the same with the first writes behind it.
    durable: Vec<Contents>,
    failed: Option<Error>,
}

impl<'d> Session<'d> {
    fn new(disk: &'d RecordingDisk, sync: SyncPolicy, when: String) -> Self {
        let durable = vec![Contents::new()];
        Self { disk, sync, when, either: <[Contents; 2]>::default(), durable, failed: None }
    }

    fn go_through(&mut self) {
        let mut store = match open(self.disk, self.sync) {
            Ok(store) => store,
            Err(error) => return self.failed = Some(error),
        };
        for deed in script() {
            self.either[1] = self.either[0].clone();
            let begun = self.disk.op_count();
            let outcome = match deed {
                Deed::Write(number) => {
                    self.either[1] = written(&self.either[0], number);
                    self.durable.push(self.either[1].clone());
                    write(&store, number)
                }
                Deed::Sync => store.sync(),
                Deed::Flush => store.flush(),
                Deed::Compact => store.compact().map(drop),
                Deed::Reopen => {
                    let closed = Box::new(store).close();
                    match closed.and_then(|()| open(self.disk, self.sync)) {
                        Ok(opened) => {
                            store = opened;
                            Ok(())
                        }
                        Err(error) => return self.failed = Some(error),
                    }
                }
            };
            if let Err(error) = outcome {
                self.check_failed(&store, deed, &error);
                return self.failed = Some(error);
            }
            // The system may take the pages of a failed sync for clean: no later one makes up for it.
            let mut done = self.disk.ops_behind(begun).into_iter();
            let failed_sync = done.find(|op| matches!(op, Op::FailedSync { .. }));
            assert!(failed_sync.is_none(), "{}: {failed_sync:?}, and {deed:?} said yes", self.when);
            self.either[0] = self.either[1].clone();
            if !matches!(deed, Deed::Write(_)) || self.sync == SyncPolicy::Always {
                self.durable = vec![self.either[0].clone()];
            }
        }
    }

    /// Writes are refused from now on, as long as the store is open, or it is as it was; reads go on.
    fn check_failed(&mut self, store: &SortedLog, deed: Deed, error: &Error) {
        let found = contents(store);
        assert!(self.either.contains(&found), "{}, {deed:?}: {found:?}", self.when);
        self.disk.clear_faults();
        let later = store.set(b"later", b"x");
        let may_go_on = matches!(deed, Deed::Compact) && matches!(error, Error::Io { .. });
        match later {
            Ok(()) if may_go_on => {
                if self.sync != SyncPolicy::Always {
                    self.durable.push(self.either[0].clone());
                }
                let newest = self.durable.len() - 1;
                for contents in self.either.iter_mut().chain(&mut self.durable[newest..]) {
                    contents.insert(b"later".to_vec(), b"x".to_vec());
                }
            }
            Err(Error::Poisoned { why }) => {
                assert!(why.contains("/store"), "{}, {deed:?}: {why}", self.when);
                assert!(matches!(store.sync(), Err(Error::Poisoned { .. })), "{}, {deed:?}", self.when);
                assert!(matches!(store.flush(), Err(Error::Poisoned { .. })), "{}, {deed:?}", self.when);
            }
            other => panic!("{}, {deed:?} failed, and then a write ended so: {other:?}", self.when),
        }
    }
}

#[test]
fn whatever_fails_once_or_for_ever_nothing_acknowledged_is_lost_and_the_error_names_the_file() {
    let mut count = 0;
    for sync in [SyncPolicy::Always, SyncPolicy::Never] {
        for times in [1, FOR_EVER] {
            for after in 0_usize.. {
                let disk = RecordingDisk::new();
                for _ in 0..times {
                    let torn_at = after % 3 * 11;
                    disk.inject(Fault { on: Filter::Any, after, torn_at, kind: ErrorKind::StorageFull });
                }
                let when = format!("{sync:?}, operation {after} fails {times} times");
                let mut session = Session::new(&disk, sync, when);
                session.go_through();
                let operations = disk.op_count();
                let Session { when, either, durable, failed, .. } = session;
                disk.clear_faults();
                let left = RecordingDisk::from_tree(Recording::of(&disk).after_power_loss());
                let store = open(&left, sync)
                    .unwrap_or_else(|error| panic!("{when}, and the power is lost: {error}"));
                let found = contents(&store);
                assert!(
                    durable.contains(&found),
                    "{when}, and the power is lost: {found:?}, not one of {durable:?}"
                );
                if let Some(error) = &failed {
                    // A log whose space could not be reserved, nor given back, is in the way of one without a reserve.
                    let kinds = [ErrorKind::StorageFull, ErrorKind::AlreadyExists];
                    let is_told = matches!(error, Error::Io { source, .. } if kinds.contains(&source.kind()));
                    let told = error.to_string();
                    // The folder of the store is a new name in the one above.
                    let names_it = told.contains(" /store") || told.starts_with("cannot sync the folder /:");
                    assert!(is_told && names_it, "{when}: {error}");
                }
                for opening in ["first", "second"] {
                    let store = open(&disk, sync)
                        .unwrap_or_else(|error| panic!("{when}, {opening} opening: {error}"));
                    let found = contents(&store);
                    assert!(either.contains(&found), "{when}, {opening} opening: {found:?}, not {either:?}");
                    assert!(store.left_alone().is_empty(), "{when}: {:?}", store.left_alone());
                    store.set(b"after", b"x").unwrap();
                    store.flush().unwrap();
                    store.delete(b"after").unwrap();
                    store.compact().unwrap();
                    assert_eq!(contents(&store), found, "{when}, {opening} opening");
                }
                count += 1;
                // The script has come to its end, and no operation was the one to fail.
                if failed.is_none() && operations <= after {
                    break;
                }
            }
        }
    }
    assert!(count > 400, "{count}");
    println!("{count} scripts with failed operations");
}
