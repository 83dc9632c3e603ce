//! The process dies, the store is opened again, one key is written, and then the power fails.
//!
//! The death of a process makes nothing durable. What it had written and not synced is there for the next
//! opening to read, and to build upon: if that one takes it for durable, a loss of power pulls it away from
//! under what has been acknowledged since.

use logladder_disk::crash::{CrashImage, Loss, Recording};
use logladder_disk::{Op, RecordingDisk};
use logladder_engine::{Durability, Engine, Error};

use super::examine::{AFTERWARDS, three_places};
use super::{Examiner, Run, describe};
use crate::show::show_value;
use crate::{Subject, Violation};

/// Checks every image of a power loss after a restart, where the process died when `after` operations had been
/// done. Says how many images there were.
pub(crate) fn check(
    subject: &Subject,
    run: &Run,
    recording: &Recording,
    after: usize,
    examiner: &mut Examiner<'_>,
) -> Result<usize, Violation> {
    let done = Recording { start: recording.start.clone(), ops: recording.ops[..after].to_vec() };
    let mut images = check_death(subject, run, &done, Loss::Nothing, examiner)?;
    if let Some(Op::Write { file, offset, bytes }) = recording.ops.get(after) {
        for torn in three_places(bytes.len()) {
            let mut done = done.clone();
            done.ops.push(Op::Write { file: *file, offset: *offset, bytes: bytes[..torn].to_vec() });
            images += check_death(subject, run, &done, Loss::Torn { bytes: torn }, examiner)?;
        }
    }
    Ok(images)
}

fn check_death(
    subject: &Subject,
    run: &Run,
    done: &Recording,
    loss: Loss,
    examiner: &mut Examiner<'_>,
) -> Result<usize, Violation> {
    let disk = RecordingDisk::resume(done.clone());
    // That it opens is asked elsewhere.
    let Ok(engine) = examiner.open(&disk) else { return Ok(0) };
    let failed = |error: Error| Violation::new("the store takes writes after a restart", error.to_string());
    engine.set(AFTERWARDS, b"new").map_err(failed)?;
    let mut images = 0;
    // A torn write is the last operation of `done`, and not one of the script's.
    let after = done.ops.len() - usize::from(loss != Loss::Nothing);
    let death = CrashImage { after, loss, tree: disk.tree() };
    if subject.durability() >= Durability::PowerLoss {
        images += check_power_loss(subject, run, &death, &disk, examiner)?;
    }
    engine.sync().map_err(failed)?;
    images += check_power_loss(subject, run, &death, &disk, examiner)?;
    drop::<Box<dyn Engine>>(engine);
    Ok(images)
}

/// What the dead process had acknowledged, and what was written since, is in every image of a power loss now.
fn check_power_loss(
    subject: &Subject,
    run: &Run,
    death: &CrashImage,
    disk: &RecordingDisk,
    examiner: &mut Examiner<'_>,
) -> Result<usize, Violation> {
    let recording = Recording::of(disk);
    let promise = run.promise(subject.durability(), death);
    let images = recording.images_at(recording.ops.len());
    for image in &images {
        let moment = || {
            let died = death.after;
            format!(
                "the process dies after operation {died}; the store is opened again, {} is set and acknowledged; {}",
                AFTERWARDS.escape_ascii(),
                describe(image, &recording)
            )
        };
        let broken = |violation: Violation| violation.with_files(&image.tree).at(&moment());
        let values = match examiner.read(&image.tree).map_err(broken)? {
            Ok(values) => values.clone(),
            Err(error) => return Err(broken(Violation::new("the store opens", error.clone()))),
        };
        promise.check(examiner.script_keys(), &values).map_err(broken)?;
        let written = values.last().and_then(Option::as_deref);
        if written != Some(b"new") {
            let expected = format!("{} = \"new\"", AFTERWARDS.escape_ascii());
            return Err(broken(Violation::new(expected, show_value(written))));
        }
    }
    Ok(images.len())
}
