//! What survives which crash: the table of a lesson, from a few operations of which every crash image is opened.
//!
//! ```text
//!   SCRIPT on the recording disk ──► every image of a crash at each operation on the disk
//!                                ──► open the store that it left, read every key
//!                                ──► count: all there / the newest missing / refused
//! ```
//!
//! It is a picture of what the contract asks for, small enough to be drawn anew whenever the book is checked. The contract
//! itself tries many more scripts, crashes within the recovery, and whether the store can be written to
//! afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use logladder::disk::RecordingDisk;
use logladder::disk::crash::{CrashImage, Loss, Recording};
use logladder::{Engine, Stage, SyncPolicy};

use crate::demo;

/// A step of the script.
enum Step {
    Set(&'static str, &'static str),
    Delete(&'static str),
    Sync,
}

/// What is done to the store. The page of each lesson says it in words: [`SCRIPT_IN_WORDS`].
const SCRIPT: [Step; 7] = [
    Step::Set("name", "anna"),
    Step::Set("city", "Dhaka"),
    Step::Sync,
    Step::Set("name", "bob"),
    Step::Delete("city"),
    Step::Set("river", "Padma"),
    Step::Sync,
];

/// The same, for the reader.
const SCRIPT_IN_WORDS: &str =
    "`set name anna`, `set city Dhaka`, `sync`, `set name bob`, `delete city`, `set river Padma`, `sync`";

/// What a row is called, and whether a crash belongs to it.
type Row = (&'static str, fn(Loss) -> bool);

/// The rows of the table: what the crash took.
const ROWS: [Row; 5] = [
    ("the process, between two calls", |loss| matches!(loss, Loss::Nothing)),
    ("the process, within a write", |loss| matches!(loss, Loss::Torn { .. })),
    ("power: all that was not synced", |loss| matches!(loss, Loss::Unsynced)),
    ("power: one operation, not later ones", |loss| matches!(loss, Loss::Dropped { .. })),
    ("power: the bytes, not the length", |loss| matches!(loss, Loss::Zeroed { .. })),
];

/// The tables of a stage, one for each policy; one alone if they are equal.
///
/// # Errors
///
/// The script failed, or a store showed a value that was never set.
pub(crate) fn table(stage: &Stage) -> Result<String> {
    let mut text = format!("The operations are {SCRIPT_IN_WORDS}.\n");
    let policies = [("Always", SyncPolicy::Always), ("Never", SyncPolicy::Never)];
    let tables = policies.map(|(name, sync)| counted(stage, sync).map(|counts| (name, rows(&counts))));
    let [always, never] = tables;
    let (always, never) = (always?, never?);
    if always.1 == never.1 {
        // Writing to a string cannot fail.
        let _ = write!(text, "Under either policy:\n\n{}", always.1);
        return Ok(text);
    }
    for (name, table) in [always, never] {
        let _ = write!(text, "\nWith `SyncPolicy::{name}`:\n\n{table}");
    }
    Ok(text)
}

/// How often each outcome was found in the images of one kind of crash.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    whole: usize,
    newest_missing: usize,
    synced_missing: usize,
    refused: usize,
}

impl Counts {
    fn images(self) -> usize {
        self.whole + self.newest_missing + self.synced_missing + self.refused
    }
}

fn rows(counts: &[Counts; ROWS.len()]) -> String {
    let mut table = String::from(
        "| the crash takes | images | all there | newest missing | synced missing | refused |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    for ((what, _), count) in ROWS.iter().zip(counts) {
        let Counts { whole, newest_missing, synced_missing, refused } = count;
        // Writing to a string cannot fail.
        let _ = if count.images() == 0 {
            writeln!(table, "| {what} | none | – | – | – | – |")
        } else {
            writeln!(
                table,
                "| {what} | {} | {whole} | {newest_missing} | {synced_missing} | {refused} |",
                count.images()
            )
        };
    }
    table
}

/// A write of the script, and between which operations on the disk it was begun and acknowledged.
struct Write {
    key: &'static str,
    value: Option<&'static str>,
    begun: usize,
    acknowledged: usize,
}

/// The script as it was run.
struct Run {
    recording: Recording,
    writes: Vec<Write>,
    /// How many writes each sync covered, and after which operation it said so.
    syncs: Vec<(usize, usize)>,
}

fn run(stage: &Stage, sync: SyncPolicy) -> Result<Run> {
    let disk = RecordingDisk::new();
    let store = demo::open(stage, &disk, sync)?;
    let (mut writes, mut syncs) = (Vec::new(), Vec::new());
    for step in SCRIPT {
        let begun = disk.op_count();
        let (key, value) = match step {
            Step::Set(key, value) => {
                store.set(key.as_bytes(), value.as_bytes())?;
                (key, Some(value))
            }
            Step::Delete(key) => {
                store.delete(key.as_bytes())?;
                (key, None)
            }
            Step::Sync => {
                store.sync()?;
                syncs.push((writes.len(), disk.op_count()));
                continue;
            }
        };
        writes.push(Write { key, value, begun, acknowledged: disk.op_count() });
    }
    let recording = Recording::of(&disk);
    drop(store);
    Ok(Run { recording, writes, syncs })
}

fn counted(stage: &Stage, sync: SyncPolicy) -> Result<[Counts; ROWS.len()]> {
    let run = run(stage, sync)?;
    let mut counts = [Counts::default(); ROWS.len()];
    for after in 0..=run.recording.ops.len() {
        for image in run.recording.images_at(after) {
            let row = ROWS.iter().position(|(_, is_it)| is_it(image.loss)).context("a loss without a row")?;
            let count = &mut counts[row];
            let found = demo::open(stage, &RecordingDisk::from_tree(image.tree.clone()), sync);
            match found.and_then(|store| run.look(&*store, &image)) {
                // A value that nobody has set is what no store may show, whatever it promises.
                Err(error) if error.is::<NeverSet>() => return Err(error),
                Err(_) => count.refused += 1,
                Ok(Missing::Nothing) => count.whole += 1,
                Ok(Missing::Newest) => count.newest_missing += 1,
                Ok(Missing::Synced) => count.synced_missing += 1,
            }
        }
    }
    Ok(counts)
}

/// What is not there of what was acknowledged before the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    Nothing,
    /// A write that no `sync` had covered.
    Newest,
    /// A write that a `sync` had covered.
    Synced,
}

/// The store shows what nobody has set.
#[derive(Debug)]
struct NeverSet;

impl std::fmt::Display for NeverSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("after a crash a key has a value that was never set")
    }
}

impl std::error::Error for NeverSet {}

impl Run {
    /// Holds every key of the store that the image left against what had been acknowledged.
    fn look(&self, store: &dyn Engine, image: &CrashImage) -> Result<Missing> {
        let mut keys: BTreeMap<&str, Vec<(usize, &Write)>> = BTreeMap::new();
        for (number, write) in self.writes.iter().enumerate() {
            keys.entry(write.key).or_default().push((number, write));
        }
        let synced = self.syncs.iter().filter(|(_, said)| *said <= image.after).map(|(covers, _)| *covers);
        let synced = synced.max().unwrap_or(0);
        let mut missing = Missing::Nothing;
        for (key, writes) in keys {
            let found = store.get(key.as_bytes())?;
            let is_found = |value: Option<&str>| value.map(str::as_bytes) == found.as_deref();
            // The floor is the last write that must be there; what was begun later may be there as well.
            let holds_from = |floor: Option<usize>| {
                let begun = |write: &Write| write.begun <= image.after;
                let later = writes.iter().skip(floor.unwrap_or(0));
                (floor.is_none() && is_found(None))
                    || later.filter(|(_, write)| begun(write)).any(|(_, write)| is_found(write.value))
            };
            let last = |is_it: &dyn Fn(usize, &Write) -> bool| {
                writes.iter().rposition(|(number, write)| is_it(*number, write))
            };
            let acknowledged = last(&|_, write| write.acknowledged <= image.after);
            let covered = last(&|number, _| number < synced);
            missing = missing.max(if holds_from(acknowledged) {
                Missing::Nothing
            } else if holds_from(covered) {
                Missing::Newest
            } else if holds_from(None) {
                Missing::Synced
            } else {
                bail!(NeverSet)
            });
        }
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, sync: SyncPolicy) -> [Counts; ROWS.len()] {
        counted(logladder::stage(name).unwrap(), sync).unwrap()
    }

    #[test]
    fn a_stage_that_claims_to_survive_a_loss_of_power_has_everything_in_every_image() {
        for name in ["json-file", "file-per-key", "scan-log", "replay-log", "hash-log", "sorted-log"] {
            for (count, (what, _)) in of(name, SyncPolicy::Always).iter().zip(ROWS) {
                assert_eq!(count.whole, count.images(), "{name}, {what}: {count:?}");
            }
        }
    }

    #[test]
    fn the_death_of_the_process_takes_nothing_from_a_stage_that_never_syncs() {
        for name in ["json-file", "file-per-key", "scan-log", "replay-log", "hash-log", "sorted-log"] {
            let [between, within, ..] = of(name, SyncPolicy::Never);
            assert_eq!([between.whole, within.whole], [between.images(), within.images()], "{name}");
        }
    }

    #[test]
    fn a_store_in_memory_loses_what_was_synced_and_one_behind_loses_only_what_was_not() {
        assert!(of("memory", SyncPolicy::Always).iter().any(|count| count.synced_missing > 0));
        let behind = of("write-behind", SyncPolicy::Always);
        assert!(behind.iter().any(|count| count.newest_missing > 0), "{behind:?}");
        assert!(behind.iter().all(|count| count.synced_missing == 0), "{behind:?}");
    }

    #[test]
    fn every_loss_of_power_without_a_sync_loses_or_refuses_something() {
        let [.., unsynced, _, _] = of("scan-log", SyncPolicy::Never);
        assert!(unsynced.newest_missing > 0, "{unsynced:?}");
    }
}
