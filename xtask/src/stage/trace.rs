//! A few operations on an engine, and what each of them did to the disk.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use logladder::disk::crash::Tree;
use logladder::disk::{Op, RecordingDisk};
use logladder::{Durability, Stage, SyncPolicy};

use crate::style::{DEED, QUIET};

/// The folder of the store.
pub(super) const STORE: &str = "/store";

/// An operation of the lesson.
enum Step {
    Set(&'static str, &'static str),
    Delete(&'static str),
    Compact,
    Close,
}

/// The lesson's operations: a set, another, a deletion, an overwrite.
const STEPS: &[Step] = &[
    Step::Set("test-1", "value-1"),
    Step::Set("test-2", "value-2"),
    Step::Set("test-3", "value-3"),
    Step::Delete("test-3"),
    Step::Set("test-2", "new-value"),
    Step::Compact,
    Step::Close,
];

/// Performs the lesson's operations on a disk in memory, prints what each did to it, and returns what is on
/// the disk in the end.
pub(super) fn run(stage: &Stage) -> Result<Tree> {
    let disk = RecordingDisk::new();
    let mut shown = 0;
    let engine = stage.open_on(Arc::new(disk.clone()), Path::new(STORE), SyncPolicy::Always)?;
    print_step("open", &disk, &mut shown);
    // A store that writes later is asked to do it at once, so that it can be seen what belongs to what.
    let is_late = (Durability::OnSync..Durability::ProcessCrash).contains(&engine.durability());
    let then = if is_late { ", then sync" } else { "" };
    let mut engine = Some(engine);
    for step in STEPS {
        let Some(open) = &engine else { break };
        match step {
            Step::Set(key, value) => {
                open.set(key.as_bytes(), value.as_bytes())?;
                if is_late {
                    open.sync()?;
                }
                print_step(&format!("set {key} {value}{then}"), &disk, &mut shown);
            }
            Step::Delete(key) => {
                open.delete(key.as_bytes())?;
                if is_late {
                    open.sync()?;
                }
                print_step(&format!("delete {key}{then}"), &disk, &mut shown);
            }
            Step::Compact => {
                if let Some(compact) = open.as_compact() {
                    let gained = compact.compact()?;
                    let title = format!("compact   ({} bytes reclaimed)", gained.bytes_reclaimed);
                    print_step(&title, &disk, &mut shown);
                }
            }
            Step::Close => {
                if let Some(open) = engine.take() {
                    open.close()?;
                }
                print_step("close", &disk, &mut shown);
            }
        }
    }
    Ok(disk.tree())
}

fn print_step(title: &str, disk: &RecordingDisk, shown: &mut usize) {
    anstream::println!("  {DEED}{title}{DEED:#}");
    let ops = disk.ops();
    if ops.len() == *shown {
        anstream::println!("      {QUIET}nothing reaches the disk{QUIET:#}");
    }
    for op in &ops[*shown..] {
        anstream::println!("      {}", words(op, &ops));
    }
    *shown = ops.len();
}

/// What the operation did, in words.
fn words(op: &Op, ops: &[Op]) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A file goes by the name that it was made with.
    let file_name = |number: usize| {
        let made = ops.iter().find_map(|op| match op {
            Op::Create { path, file } if *file == number => Some(name(path)),
            _ => None,
        });
        made.unwrap_or_else(|| format!("file {number}"))
    };
    match op {
        Op::CreateDir(dir) => format!("make the folder {}", dir.display()),
        Op::Create { path, .. } => format!("create {}", name(path)),
        Op::Write { file, offset, bytes } => {
            format!("write {} bytes at {offset} of {}   {}", bytes.len(), file_name(*file), preview(bytes))
        }
        Op::SetLen { file, len } => format!("set the length of {} to {len}", file_name(*file)),
        Op::Sync { file } => format!("sync {}", file_name(*file)),
        Op::FailedSync { file } => format!("sync {} fails", file_name(*file)),
        Op::Rename { from, to } => format!("rename {} to {}", name(from), name(to)),
        Op::Remove(path) => format!("remove {}", name(path)),
        Op::SyncDir(dir) => format!("sync the folder {}", dir.display()),
        _ => format!("{op:?}"),
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
