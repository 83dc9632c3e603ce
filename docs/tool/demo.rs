//! Stores for the lessons: opened so that each run does the same to the disk, on a disk in memory.
//!
//! The engines are the stages' own. What differs from a store that is opened without options is only what chance or a
//! thread of the engine would bring in: who opens a stage here does its housekeeping when it is asked to.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use logladder::disk::{OpenOn, RecordingDisk};
use logladder::{Engine, Stage, SyncPolicy, hash_log, replay_log, sorted_log, write_behind};

/// The folder of the store.
pub(crate) const DIR: &str = "/store";

/// Bytes of a segment of hash-log: room for some records of the lessons, so that a dump fits a page.
const SEGMENT_BYTES: u64 = 200;

/// Bytes of a memtable's log in sorted-log: room for two writes of the lessons, so that the third makes a table of them.
const MEMTABLE_BYTES: u64 = 100;

/// Tables of level 0 in sorted-log that are merged: the crashes of a lesson are to come across a merge.
const LEVEL0_TABLES: usize = 2;

/// Where chance would choose a key for a hash.
const HASH_KEY: [u8; 16] = *b"the same, always";

/// Opens a store of this stage in [`DIR`].
///
/// # Errors
///
/// The engine refused.
pub(crate) fn open(stage: &Stage, disk: &RecordingDisk, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
    let shared = Arc::new(disk.clone());
    let dir = Path::new(DIR);
    Ok(match stage.name {
        "replay-log" => {
            let options =
                replay_log::Options::default().with_housekeeping(replay_log::Housekeeping::OnDemand);
            let options = options.with_hash_key(HASH_KEY).with_sync(sync);
            Box::new(replay_log::ReplayLog::open_on(shared, dir, options)?)
        }
        "write-behind" => {
            let options = write_behind::Options::default().with_janitor(write_behind::Janitor::OnDemand);
            Box::new(write_behind::WriteBehind::open_on(shared, dir, options.with_sync(sync))?)
        }
        "hash-log" => {
            let options = hash_log::Options::default().with_compaction(hash_log::Compaction::OnDemand);
            let options = options.with_segment_bytes(SEGMENT_BYTES).with_hash_key(HASH_KEY).with_sync(sync);
            Box::new(hash_log::HashLog::open_on(shared, dir, options)?)
        }
        "sorted-log" => {
            let options = sorted_log::Options::default().with_work(sorted_log::Work::Caller);
            let options = options.with_memtable_bytes(MEMTABLE_BYTES).with_level0_tables(LEVEL0_TABLES);
            Box::new(sorted_log::SortedLog::open_on(shared, dir, options.with_sync(sync))?)
        }
        _ => stage.open_on(shared, dir, sync)?,
    })
}
