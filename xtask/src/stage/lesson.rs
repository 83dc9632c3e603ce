//! The lesson's operations: what is done to a store of each stage, and what that did to its disk.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use logladder::disk::crash::Tree;
use logladder::disk::{Op, RecordingDisk};
use logladder::{Engine, Stage, SyncPolicy};
use logladder_contract::crash::show_op;
use logladder_lab::crashes::is_late;

/// The folder of the store.
pub(super) const STORE: &str = "/store";

/// An operation of the lesson.
enum Step {
    Set(&'static str, &'static str),
    Delete(&'static str),
    Compact,
}

/// The lesson's operations: a set, another, a deletion, an overwrite.
const STEPS: &[Step] = &[
    Step::Set("test-1", "value-1"),
    Step::Set("test-2", "value-2"),
    Step::Set("test-3", "value-3"),
    Step::Delete("test-3"),
    Step::Set("test-2", "new-value"),
    Step::Compact,
];

/// One operation, done.
#[derive(Debug)]
pub(super) struct Performed {
    /// What the engine was told.
    pub(super) title: String,
    /// What it did to the disk, in words.
    pub(super) deeds: Vec<String>,
    /// The disk before.
    pub(super) before: Tree,
    /// The disk after.
    pub(super) after: Tree,
}

/// Performs the lesson's operations on a disk in memory, from opening the store to closing it, every write synced.
pub(super) fn perform(stage: &Stage) -> Result<Vec<Performed>> {
    let disk = RecordingDisk::new();
    let mut watch = Watch { disk: disk.clone(), seen: 0, before: disk.tree(), performed: Vec::new() };
    let engine = stage.open_on(Arc::new(disk), Path::new(STORE), SyncPolicy::Always)?;
    watch.note("open".to_owned());
    let then = if is_late(&*engine) { ", then sync" } else { "" };
    for step in STEPS {
        match step {
            Step::Set(key, value) => {
                engine.set(key.as_bytes(), value.as_bytes())?;
                sync_if_late(&*engine)?;
                watch.note(format!("set {key} {value}{then}"));
            }
            Step::Delete(key) => {
                engine.delete(key.as_bytes())?;
                sync_if_late(&*engine)?;
                watch.note(format!("delete {key}{then}"));
            }
            Step::Compact => {
                if let Some(compact) = engine.as_compact() {
                    let gained = compact.compact()?;
                    watch.note(format!("compact   ({} bytes reclaimed)", gained.bytes_reclaimed));
                }
            }
        }
    }
    engine.close()?;
    watch.note("close".to_owned());
    Ok(watch.performed)
}

/// Asks a store that writes later to do it at once, so that it can be seen what belongs to what.
pub(super) fn sync_if_late(engine: &dyn Engine) -> Result<()> {
    if is_late(engine) {
        engine.sync()?;
    }
    Ok(())
}

/// Sees what each operation does to the disk.
struct Watch {
    disk: RecordingDisk,
    /// So many operations of the disk have been noted.
    seen: usize,
    before: Tree,
    performed: Vec<Performed>,
}

impl Watch {
    fn note(&mut self, title: String) {
        let ops = self.disk.ops();
        let deeds = (self.seen..ops.len()).map(|index| words(&ops, index)).collect();
        self.seen = ops.len();
        let after = self.disk.tree();
        let before = std::mem::replace(&mut self.before, after.clone());
        self.performed.push(Performed { title, deeds, before, after });
    }
}

/// What the operation with this index did, in words, and the beginning of what it wrote.
fn words(ops: &[Op], index: usize) -> String {
    let words = show_op(ops, index);
    match ops.get(index) {
        Some(Op::Write { bytes, .. }) => format!("{words}   {}", preview(bytes)),
        _ => words,
    }
}

/// The bytes as text where they are text, and their beginning in hexadecimal where not.
fn preview(bytes: &[u8]) -> String {
    const SHOWN: usize = 64;
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && c != '\n') => {
            let line = text.replace('\n', "⏎");
            let cut: String = line.chars().take(SHOWN).collect();
            if cut.len() < line.len() { format!("{cut}…") } else { cut }
        }
        _ => {
            let hex: Vec<String> = bytes.iter().take(SHOWN / 4).map(|byte| format!("{byte:02x}")).collect();
            format!("{}{}", hex.join(" "), if bytes.len() > SHOWN / 4 { " …" } else { "" })
        }
    }
}

#[cfg(test)]
mod tests {
    use logladder::STAGES;

    use super::*;

    #[test]
    fn each_operation_begins_with_the_files_that_the_one_before_left() {
        for stage in STAGES {
            let performed = perform(stage).unwrap();
            assert_eq!(performed[0].title, "open");
            assert_eq!(performed.last().unwrap().title, "close");
            for two in performed.windows(2) {
                assert_eq!(two[0].after.fingerprint(), two[1].before.fingerprint(), "{}", two[1].title);
            }
        }
    }
}
