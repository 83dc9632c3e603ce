//! Every operation of the disk fails, once or from then on: each append, sync, creation, rename, removal and cut of the log, the
//! flushes, the merges and the manifest. The contract lets each fail once in its own scripts, and looks at what a crash
//! would leave; here the script is this stage's, and the disk may stay broken for as long as the store is open.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Bound::Unbounded;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Fault, Filter, OpenOn, RecordingDisk};
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
    failed: Option<Error>,
}

impl Session<'_> {
    fn go_through(&mut self) {
        let mut store = match open(self.disk, self.sync) {
            Ok(store) => store,
            Err(error) => return self.failed = Some(error),
        };
        for deed in script() {
            self.either[1] = self.either[0].clone();
            let outcome = match deed {
                Deed::Write(number) => {
                    self.either[1] = written(&self.either[0], number);
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
            self.either[0] = self.either[1].clone();
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
                for contents in &mut self.either {
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
                let mut session =
                    Session { disk: &disk, sync, when, either: <[Contents; 2]>::default(), failed: None };
                session.go_through();
                let operations = disk.op_count();
                let Session { when, either, failed, .. } = session;
                disk.clear_faults();
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
