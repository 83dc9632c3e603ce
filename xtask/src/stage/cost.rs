//! What each operation of a stage costs on the disk: calls, bytes, syncs, reads. Counted, not timed: the same each time.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use logladder::disk::{Op, RecordingDisk};
use logladder::{Engine, Stage, SyncPolicy};
use serde::Serialize;

use super::lesson::{STORE, sync_if_late};
use super::watched_reads::WatchedReads;

/// How many keys the store has when the counting begins. The first of them is the oldest.
pub(super) const KEYS: usize = 100;
/// Bytes of each value.
pub(super) const VALUE: usize = 100;

/// What one operation cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Cost {
    /// Writes to files.
    pub(super) writes: u64,
    /// Bytes that they wrote.
    pub(super) bytes_written: u64,
    /// Syncs of files and of folders.
    pub(super) syncs: u64,
    /// Files that were made, renamed or removed.
    pub(super) names: u64,
    /// Reads of files, but for what is read in place.
    pub(super) reads: u64,
    /// Bytes that they read.
    pub(super) bytes_read: u64,
}

/// Counts the calls of a disk since the last look.
pub(super) struct Counter {
    disk: RecordingDisk,
    watched: WatchedReads,
    seen: usize,
    read: (u64, u64),
}

impl Counter {
    /// Counts what is done to `disk` by whoever is given [`disk`](Self::disk).
    pub(super) fn new(disk: RecordingDisk) -> Self {
        let seen = disk.op_count();
        Self { watched: WatchedReads::new(disk.clone()), disk, seen, read: (0, 0) }
    }

    /// The disk to hand to an engine.
    pub(super) fn disk(&self) -> Arc<WatchedReads> {
        Arc::new(self.watched.clone())
    }

    /// The cost since the last call.
    pub(super) fn take(&mut self) -> Cost {
        let ops = self.disk.ops();
        let read = self.watched.reads();
        let mut cost =
            Cost { reads: read.0 - self.read.0, bytes_read: read.1 - self.read.1, ..Cost::default() };
        for op in &ops[self.seen..] {
            match op {
                Op::Write { bytes, .. } => {
                    cost.writes += 1;
                    cost.bytes_written += bytes.len() as u64;
                }
                Op::Sync { .. } | Op::SyncDir(_) => cost.syncs += 1,
                Op::Create { .. } | Op::Rename { .. } | Op::Remove(_) => cost.names += 1,
                _ => {}
            }
        }
        (self.seen, self.read) = (ops.len(), read);
        cost
    }
}

/// What each operation costs a store of [`KEYS`] keys, every write synced.
pub(super) fn costs(stage: &Stage) -> Result<Vec<(&'static str, Cost)>> {
    let mut counter = Counter::new(RecordingDisk::new());
    let open = |counter: &Counter| stage.open_on(counter.disk(), Path::new(STORE), SyncPolicy::Always);
    let engine = open(&counter)?;
    let value = vec![b'v'; VALUE];
    for number in 0..KEYS {
        engine.set(&key(number), &value)?;
    }
    sync_if_late(&*engine)?;
    counter.take();

    let mut costs = Vec::new();
    let mut done = |what, counter: &mut Counter| costs.push((what, counter.take()));
    write(&*engine, |engine| engine.set(b"a new key", &value))?;
    done("set of a new key", &mut counter);
    write(&*engine, |engine| engine.set(&key(0), &value))?;
    done("set of a key that is there", &mut counter);
    let found = engine.get(&key(1))?;
    found.filter(|found| *found == value).context("the store lost a value")?;
    done("get of an old key", &mut counter);
    engine.get(b"absent")?;
    done("get of a key that is not there", &mut counter);
    write(&*engine, |engine| engine.delete(&key(2)))?;
    done("delete", &mut counter);
    engine.close()?;
    done("close", &mut counter);
    let engine = open(&counter)?;
    done("open again", &mut counter);
    engine.close()?;
    Ok(costs)
}

fn key(number: usize) -> Vec<u8> {
    format!("key-{number:03}").into_bytes()
}

fn write(engine: &dyn Engine, write: impl FnOnce(&dyn Engine) -> logladder::Result<()>) -> Result<()> {
    write(engine)?;
    sync_if_late(engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost_of(stage: &str, what: &str) -> Cost {
        let costs = costs(logladder::stage(stage).unwrap()).unwrap();
        costs.iter().find(|(name, _)| *name == what).unwrap().1
    }

    #[test]
    fn a_log_appends_one_line_where_a_file_is_rewritten_whole() {
        let file = cost_of("json-file", "set of a new key");
        let log = cost_of("scan-log", "set of a new key");
        assert!(file.bytes_written > (KEYS * VALUE) as u64, "{file:?}");
        assert!(log.bytes_written < 2 * VALUE as u64 && log.syncs > 0, "{log:?}");
        assert_eq!(cost_of("memory", "set of a new key"), Cost::default());
    }

    #[test]
    fn a_scan_reads_the_log_and_a_map_reads_nothing() {
        let scan = cost_of("scan-log", "get of an old key");
        assert!(scan.bytes_read > ((KEYS - 2) * VALUE) as u64, "{scan:?}");
        assert_eq!(cost_of("replay-log", "get of an old key").bytes_read, 0);
    }
}
