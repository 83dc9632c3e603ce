//! The engines that learners build, finished: small ones, each of the kind of one stage. What a learner is given is made of
//! the same sources, with the marked parts left out; see [`Starter`].

use std::path::Path;
use std::sync::Arc;

use logladder_contract::Allowed;
use logladder_disk::{Disk, OpenOn};
use logladder_engine::{Engine, Result, SyncPolicy};

use crate::Starter;

pub mod file_per_key;
pub mod hash_log;
pub mod json_file;
pub mod memory;
pub mod replay_log;
pub mod scan_log;
pub mod sorted_log;
pub mod write_behind;

/// The stage that a learner is best begun with: the first one whose whole store is a log, and still a short one.
pub const DEFAULT: u8 = 4;

/// Every starter, from the bottom of the ladder up.
pub static STARTERS: &[Starter] = &[
    Starter {
        stage: 1,
        name: "memory",
        summary: "a hash map behind a lock",
        source: include_str!("memory.rs"),
        open: boxed::<memory::Store>,
        describe: memory::describe,
        allows: &[],
        is_repeatable: true,
    },
    Starter {
        stage: 2,
        name: "json-file",
        summary: "one JSON file, written anew on every set",
        source: include_str!("json_file.rs"),
        open: boxed::<json_file::Store>,
        describe: json_file::describe,
        allows: &[],
        is_repeatable: true,
    },
    Starter {
        stage: 3,
        name: "file-per-key",
        summary: "a file for each key",
        source: include_str!("file_per_key.rs"),
        open: boxed::<file_per_key::Store>,
        describe: file_per_key::describe,
        allows: &[],
        is_repeatable: true,
    },
    Starter {
        stage: 4,
        name: "scan-log",
        summary: "a log that every write is appended to, and every read scans",
        source: include_str!("scan_log.rs"),
        open: boxed::<scan_log::Store>,
        describe: scan_log::describe,
        allows: &[],
        is_repeatable: true,
    },
    Starter {
        stage: 5,
        name: "replay-log",
        summary: "a map in memory, and behind it the log that brings it back",
        source: include_str!("replay_log.rs"),
        open: boxed::<replay_log::Store>,
        describe: replay_log::describe,
        allows: &[(
            Allowed::SilentCuts,
            "a log does not say how long compaction left it: cut between two records, it only looks shorter",
        )],
        is_repeatable: true,
    },
    Starter {
        stage: 6,
        name: "write-behind",
        summary: "everything in memory, and a janitor that writes it to the disk",
        source: include_str!("write_behind.rs"),
        open: boxed::<write_behind::Store>,
        describe: write_behind::describe,
        allows: &[],
        is_repeatable: false,
    },
    Starter {
        stage: 7,
        name: "hash-log",
        summary: "an index in memory over segments of a log, which are compacted",
        source: include_str!("hash_log.rs"),
        open: boxed::<hash_log::Store>,
        describe: hash_log::describe,
        allows: &[],
        is_repeatable: true,
    },
    Starter {
        stage: 8,
        name: "sorted-log",
        summary: "a memtable and its log, and below them sorted tables, which are merged",
        source: include_str!("sorted_log.rs"),
        open: boxed::<sorted_log::Store>,
        describe: sorted_log::describe,
        allows: &[],
        is_repeatable: true,
    },
];

impl Starter {
    /// The one for the stage of this number or name.
    #[must_use]
    pub fn of(stage: &str) -> Option<&'static Self> {
        STARTERS.iter().find(|starter| starter.name == stage || starter.stage.to_string() == stage)
    }
}

/// Opens an engine whose options are a sync policy, as all of these are.
pub(crate) fn boxed<E: OpenOn<Options = SyncPolicy>>(
    disk: Arc<dyn Disk>,
    dir: &Path,
    sync: SyncPolicy,
) -> Result<Box<dyn Engine>> {
    Ok(Box::new(E::open_on(disk, dir, sync)?))
}
