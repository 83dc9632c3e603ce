//! Crashes on a disk in memory: the last write is cut at each byte, and what no sync covers is dropped.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use logladder_disk::crash::{CrashImage, Loss, Recording};
use logladder_disk::{RecordingDisk, TORN_INFIX};
use logladder_engine::{Durability, Engine, SyncPolicy};

use super::{Crashed, Row, Verdict, is_late};

/// The folder of the store.
const STORE: &str = "/store";

/// How many writes there are. Each sets a key of its own, so that each is there or is not.
pub const WRITES: usize = 6;
/// After so many of them, the store is told to sync.
pub const SYNCED: usize = 3;

pub(super) fn key(number: usize) -> Vec<u8> {
    format!("key-{number}").into_bytes()
}

pub(super) fn value(number: usize) -> Vec<u8> {
    format!("value-{number}").into_bytes()
}

/// What was done, and what the engine had said yes to by when.
struct Done {
    recording: Recording,
    /// How many operations the disk had seen when each write was acknowledged.
    acknowledged: Vec<usize>,
    /// How many when the sync was.
    synced: usize,
    /// How many when the last write began.
    last_began: usize,
}

/// Opens a store and writes to it.
fn perform(crashed: &Crashed, sync: SyncPolicy) -> Result<Done> {
    let disk = RecordingDisk::new();
    let engine = (crashed.open)(Arc::new(disk.clone()), Path::new(STORE), sync)?;
    let (mut acknowledged, mut synced, mut last_began) = (Vec::new(), 0, 0);
    for number in 1..=WRITES {
        last_began = disk.op_count();
        engine.set(&key(number), &value(number))?;
        acknowledged.push(disk.op_count());
        if number == SYNCED {
            engine.sync()?;
            synced = disk.op_count();
        }
    }
    if is_late(&*engine) {
        // What it writes of its own accord is a part of the write: it is waited for.
        engine.sync()?;
    }
    // Before the store is dropped, which may sync.
    let recording = Recording::of(&disk);
    Ok(Done { recording, acknowledged, synced, last_began })
}

/// A row for each kind of crash.
pub(super) fn rows(crashed: &Crashed, sync: SyncPolicy, durability: Durability) -> Result<Vec<Row>> {
    let done = perform(crashed, sync)?;
    let mut rows = [
        "killed between two calls",
        "killed inside a write: cut at each byte",
        "power fails: nothing unsynced is left",
        "power fails: one unsynced call is left out",
        "power fails: one unsynced write is zeros",
    ]
    .map(Row::new);
    for after in done.last_began..=done.recording.ops.len() {
        for image in done.recording.images_at(after) {
            let row = match image.loss {
                Loss::Nothing => 0,
                Loss::Torn { .. } => 1,
                Loss::Unsynced => 2,
                Loss::Dropped { .. } => 3,
                Loss::Zeroed { .. } => 4,
            };
            examine(&mut rows[row], crashed, sync, &done, &image, durability);
        }
    }
    Ok(rows.into_iter().filter(|row| row.crashes > 0).collect())
}

/// Opens what the crash left, and counts what is there.
fn examine(
    row: &mut Row,
    crashed: &Crashed,
    sync: SyncPolicy,
    done: &Done,
    image: &CrashImage,
    durability: Durability,
) {
    let claims = if image.loss.needs_power_loss() { Durability::PowerLoss } else { Durability::ProcessCrash };
    let promised = durability >= claims;
    let disk = RecordingDisk::from_tree(image.tree.clone());
    let found =
        (crashed.open)(Arc::new(disk.clone()), Path::new(STORE), sync).and_then(|engine| read(&*engine));
    let is_acknowledged = |number: usize| done.acknowledged[number] <= image.after;
    let acknowledged = (0..WRITES).filter(|&number| is_acknowledged(number)).count();
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            row.crashes += 1;
            row.refused += 1;
            let is_power_loss = image.loss.needs_power_loss();
            if promised || !is_power_loss {
                row.verdict = Verdict::Broken(error.to_string());
            }
            row.refusal.get_or_insert_with(|| error.to_string());
            return;
        }
    };
    let mut lost = 0;
    for (number, found) in found.iter().enumerate() {
        let must_be_there =
            if promised { is_acknowledged(number) } else { number < SYNCED && done.synced <= image.after };
        match found {
            Some(found) if *found != value(number + 1) => {
                row.verdict = Verdict::Broken(format!("a wrong value of key-{}", number + 1));
            }
            None if must_be_there => row.verdict = Verdict::Broken(format!("key-{} is gone", number + 1)),
            _ => {}
        }
        lost += usize::from(found.is_none() && is_acknowledged(number));
    }
    row.count(lost, acknowledged);
    row.under_way_kept += usize::from(found[WRITES - 1].is_some() && !is_acknowledged(WRITES - 1));
    let has_torn_tail = disk.tree().files().any(|(path, _)| path.to_string_lossy().contains(TORN_INFIX));
    row.torn += usize::from(has_torn_tail);
}

/// The value of each key.
fn read(engine: &dyn Engine) -> logladder_engine::Result<Vec<Option<Vec<u8>>>> {
    (1..=WRITES).map(|number| engine.get(&key(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'r>(rows: &'r [Row], crash: &str) -> &'r Row {
        rows.iter().find(|row| row.crash.contains(crash)).unwrap()
    }

    #[test]
    fn a_log_that_syncs_loses_nothing_and_one_that_does_not_loses_to_a_power_failure_alone() {
        let scan_log = Crashed::solution("scan-log");
        let synced = rows(&scan_log, SyncPolicy::Always, Durability::PowerLoss).unwrap();
        assert!(synced.iter().all(|row| row.verdict == Verdict::Kept && row.lost == 0), "{synced:?}");
        let cut = row(&synced, "cut at each byte");
        assert!(cut.torn > 10 && cut.survived == cut.crashes, "{cut:?}");

        let unsynced = rows(&scan_log, SyncPolicy::Never, Durability::ProcessCrash).unwrap();
        assert_eq!(row(&unsynced, "cut at each byte").lost, 0);
        let power = row(&unsynced, "nothing unsynced");
        assert!(power.lost > 0 && power.most_lost.0 <= WRITES - SYNCED, "{power:?}");
    }

    #[test]
    fn what_a_janitor_had_not_written_is_lost_and_what_was_synced_never_is() {
        let write_behind = Crashed::solution("write-behind");
        let rows = rows(&write_behind, SyncPolicy::Never, Durability::Eventual).unwrap();
        assert!(rows.iter().all(|row| row.verdict == Verdict::Kept), "{rows:?}");
        assert!(rows.iter().any(|row| row.lost > 0), "{rows:?}");
    }
}
