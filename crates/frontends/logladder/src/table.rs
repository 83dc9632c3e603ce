//! The table of stages: what the command line, the benchmark and the book list, in one place.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::{Disk, LOCK_FILE, OpenOn, RealDisk, RecordingDisk};
use logladder_engine::{CheckReport, Durability, Engine, Field, Progress, Result, Salvaged, SyncPolicy};

type OpenStage = fn(Arc<dyn Disk>, &Path, SyncPolicy) -> Result<Box<dyn Engine>>;

type CheckStage = fn(Arc<dyn Disk>, &Path, &mut dyn FnMut(Progress<'_>)) -> Result<CheckReport>;

type SalvageStage = fn(Arc<dyn Disk>, &Path, &Path, &mut dyn FnMut(Progress<'_>)) -> Result<Salvaged>;

/// What a stage can do with files of a store that need not be whole.
#[derive(Debug)]
struct Care {
    check: CheckStage,
    salvage: SalvageStage,
}

/// One stage of the ladder.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stage {
    /// Its place on the ladder, from 1.
    pub number: u8,
    /// Its short name, as [`Engine::name`] gives it.
    pub name: &'static str,
    /// The package that holds it.
    pub package: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// What hurt in the stage below and no longer does.
    pub fixes: &'static str,
    /// What still hurts, and leads to the next stage.
    pub hurts: &'static str,
    open: OpenStage,
    /// Opens it so that it has earlier versions too, where it has them only if that is asked for.
    open_with_versions: Option<OpenStage>,
    durability: fn(SyncPolicy) -> Durability,
    describe: fn(&str, &[u8]) -> Vec<Field>,
    care: Option<Care>,
}

/// Every stage that is opened in a folder, from the bottom up.
pub static STAGES: &[Stage] = &[
    Stage {
        number: 1,
        name: "memory",
        package: "logladder-memory",
        summary: "a hash map",
        fixes: "nothing yet: this is what every other stage is measured against",
        hurts: "a restart forgets everything",
        open: |disk, dir, _| {
            boxed::<logladder_memory::Memory>(disk, dir, logladder_memory::Options::default())
        },
        open_with_versions: None,
        durability: |_| Durability::Never,
        describe: |_, _| Vec::new(),
        care: None,
    },
    Stage {
        number: 2,
        name: "json-file",
        package: "logladder-json-file",
        summary: "one JSON file, rewritten on every set",
        fixes: "the data survives, in a file that anyone can read",
        hurts: "every set rewrites the whole store",
        open: |disk, dir, sync| {
            let options = logladder_json_file::Options::default().with_sync(sync);
            boxed::<logladder_json_file::JsonFile>(disk, dir, options)
        },
        open_with_versions: None,
        durability: SyncPolicy::durability,
        describe: logladder_json_file::describe,
        care: None,
    },
    Stage {
        number: 3,
        name: "file-per-key",
        package: "logladder-file-per-key",
        summary: "the filesystem as the database, one file a key",
        fixes: "a set costs the same however large the store is, and values leave memory",
        hurts: "a file, a rename and a block of the disk for each value, however small",
        open: |disk, dir, sync| {
            let options = logladder_file_per_key::Options::default().with_sync(sync);
            boxed::<logladder_file_per_key::FilePerKey>(disk, dir, options)
        },
        open_with_versions: None,
        durability: SyncPolicy::durability,
        describe: logladder_file_per_key::describe,
        care: None,
    },
    Stage {
        number: 4,
        name: "scan-log",
        package: "logladder-scan-log",
        summary: "append to one log, scan it to read",
        fixes: "a set appends, and makes no file",
        hurts: "a get reads the log from its end until it finds the key, and the log only grows",
        open: |disk, dir, sync| {
            let options = logladder_scan_log::Options::default().with_sync(sync);
            boxed::<logladder_scan_log::ScanLog>(disk, dir, options)
        },
        open_with_versions: None,
        durability: SyncPolicy::durability,
        describe: logladder_scan_log::describe,
        care: None,
    },
    Stage {
        number: 5,
        name: "replay-log",
        package: "logladder-replay-log",
        summary: "a map in memory, behind it an append-only file and snapshots",
        fixes: "a get never touches the disk, and the log is rewritten before it is too long",
        hurts: "all data must fit in memory, opening reads all of it, and each write waits for its line",
        open: |disk, dir, sync| {
            let options = logladder_replay_log::Options::default().with_sync(sync);
            boxed::<logladder_replay_log::ReplayLog>(disk, dir, options)
        },
        open_with_versions: Some(|disk, dir, sync| {
            let options = logladder_replay_log::Options::default().with_sync(sync).with_history(true);
            boxed::<logladder_replay_log::ReplayLog>(disk, dir, options)
        }),
        durability: SyncPolicy::durability,
        describe: logladder_replay_log::describe,
        care: None,
    },
    Stage {
        number: 6,
        name: "write-behind",
        package: "logladder-write-behind",
        summary: "collections in memory, written to the disk by a janitor",
        fixes: "no write waits for the disk, and keys come in collections",
        hurts: "everything must fit in memory, each key costs a file, and a crash may take the newest writes",
        open: |disk, dir, sync| {
            let options = logladder_write_behind::Options::default().with_sync(sync);
            boxed::<logladder_write_behind::WriteBehind>(disk, dir, options)
        },
        open_with_versions: None,
        durability: |_| Durability::Eventual,
        describe: logladder_write_behind::describe,
        care: None,
    },
    Stage {
        number: 7,
        name: "hash-log",
        package: "logladder-hash-log",
        summary: "a hash index over log segments, with compaction",
        fixes: "a get is one look in the index and one read, and compaction gives space back",
        hurts: "the index must fit in memory, and keys come in no order",
        open: |disk, dir, sync| {
            let options = logladder_hash_log::Options::default().with_sync(sync);
            boxed::<logladder_hash_log::HashLog>(disk, dir, options)
        },
        open_with_versions: Some(|disk, dir, sync| {
            let options = logladder_hash_log::Options::default().with_sync(sync).with_versions(2);
            boxed::<logladder_hash_log::HashLog>(disk, dir, options)
        }),
        durability: SyncPolicy::durability,
        describe: logladder_hash_log::describe,
        care: Some(Care {
            check: logladder_hash_log::check_with,
            salvage: |disk, dir, into, progress| {
                let options = logladder_hash_log::Options::default();
                logladder_hash_log::salvage_with(disk, dir, into, options, progress)
            },
        }),
    },
    Stage {
        number: 8,
        name: "sorted-log",
        package: "logladder-sorted-log",
        summary: "a memtable, a write-ahead log and sorted tables, merged level by level",
        fixes: "keys come in order, and what must fit in memory is an index of blocks, not of keys",
        hurts: "each byte is written several times, and all of it lies on one machine",
        open: |disk, dir, sync| {
            let options = logladder_sorted_log::Options::default().with_sync(sync);
            boxed::<logladder_sorted_log::SortedLog>(disk, dir, options)
        },
        open_with_versions: None,
        durability: SyncPolicy::durability,
        describe: logladder_sorted_log::describe,
        care: Some(Care {
            check: logladder_sorted_log::check_with,
            salvage: |disk, dir, into, progress| {
                let options = logladder_sorted_log::Options::default();
                logladder_sorted_log::salvage_with(disk, dir, into, options, progress)
            },
        }),
    },
];

/// The stage of this name or number.
///
/// ```
/// assert_eq!(logladder::stage("4").map(|stage| stage.name), Some("scan-log"));
/// assert_eq!(logladder::stage("scan-log").map(|stage| stage.number), Some(4));
/// assert!(logladder::stage("99").is_none());
/// ```
#[must_use]
pub fn stage(name_or_number: &str) -> Option<&'static Stage> {
    let number = name_or_number.parse().ok();
    STAGES.iter().find(|stage| stage.name == name_or_number || Some(stage.number) == number)
}

impl Stage {
    /// Opens a store of this stage in the folder `dir`.
    ///
    /// # Errors
    ///
    /// As [`Open::open`](logladder_engine::Open::open).
    pub fn open(&self, dir: &Path, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
        self.open_on(RealDisk::shared(), dir, sync)
    }

    /// The same on another disk.
    ///
    /// # Errors
    ///
    /// As [`Open::open`](logladder_engine::Open::open).
    pub fn open_on(&self, disk: Arc<dyn Disk>, dir: &Path, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
        (self.open)(disk, dir, sync)
    }

    /// An empty store of this stage in memory, to ask what the stage can do: with earlier versions of a key too, which some
    /// keep only if they are opened so.
    ///
    /// ```
    /// let hash_log = logladder::stage("hash-log").unwrap().open_to_ask()?;
    /// assert!(hash_log.as_history().is_some() && hash_log.as_ordered().is_none());
    /// # Ok::<(), logladder::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Open::open`](logladder_engine::Open::open).
    pub fn open_to_ask(&self) -> Result<Box<dyn Engine>> {
        let open = self.open_with_versions.unwrap_or(self.open);
        open(Arc::new(RecordingDisk::new()), Path::new("asked"), SyncPolicy::Never)
    }

    /// Names the bytes of one of the store's files, for lessons and inspection. Empty for a file that the stage
    /// has no fields for.
    #[must_use]
    pub fn describe(&self, file_name: &str, bytes: &[u8]) -> Vec<Field> {
        if file_name == LOCK_FILE {
            return vec![Field::new(0..bytes.len(), "owner", "the stage and its format version")];
        }
        (self.describe)(file_name, bytes)
    }

    /// Whether stores of this stage can be checked and salvaged without being opened.
    #[must_use]
    pub fn has_care(&self) -> bool {
        self.care.is_some()
    }

    /// Reads every byte of the store in `dir` without opening it, and says what is wrong; `None` for a stage that has no such
    /// thing. Before each file, `progress` is told how far it is.
    ///
    /// # Errors
    ///
    /// The store is open, or none of this stage, or of a newer version; or the system refused.
    pub fn check(
        &self,
        disk: Arc<dyn Disk>,
        dir: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Option<Result<CheckReport>> {
        self.care.as_ref().map(|care| (care.check)(disk, dir, progress))
    }

    /// Makes a new store in the empty folder `into` from everything that is whole of the store in `dir`, which is not changed;
    /// `None` for a stage that has no such thing.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); or `into` is not empty, or lies in `dir`.
    pub fn salvage(
        &self,
        disk: Arc<dyn Disk>,
        dir: &Path,
        into: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Option<Result<Salvaged>> {
        self.care.as_ref().map(|care| (care.salvage)(disk, dir, into, progress))
    }

    /// What an acknowledged set survives under this policy.
    #[must_use]
    pub fn durability(&self, sync: SyncPolicy) -> Durability {
        (self.durability)(sync)
    }
}

fn boxed<E: OpenOn>(disk: Arc<dyn Disk>, dir: &Path, options: E::Options) -> Result<Box<dyn Engine>> {
    Ok(Box::new(E::open_on(disk, dir, options)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_in_order_and_opens_an_engine_of_its_own_name_and_durability() {
        assert!(STAGES.is_sorted_by_key(|stage| stage.number));
        for stage in STAGES {
            for sync in [SyncPolicy::Always, SyncPolicy::Never] {
                let folder = tempfile::tempdir().unwrap();
                let engine = stage.open(folder.path(), sync).unwrap();
                assert_eq!(engine.name(), stage.name);
                assert_eq!(engine.durability(), stage.durability(sync), "{}", stage.name);
                assert_eq!(stage.package, format!("logladder-{}", stage.name));
            }
        }
    }
}
