//! [`Run`]: a script on the recording disk, and what had been begun and acknowledged at which operation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::crash::{CrashImage, Loss};
use logladder_disk::{Filter, RecordingDisk};
use logladder_engine::{Batch, Durability, Engine, Error};

use super::promise::Sync;
use super::{End, Promise, Script, Step, Write};
use crate::{Subject, Violation};

/// The folder of the store.
pub(crate) const DIR: &str = "/store";

/// What was done, and when.
pub(crate) struct Run {
    pub(crate) disk: RecordingDisk,
    pub(crate) writes: Vec<Write>,
    syncs: Vec<Sync>,
    pub(crate) copies: Vec<Copy>,
    /// How many calls of the engine have written something, or were to.
    calls: usize,
}

/// A copy that was asked for.
#[derive(Debug)]
pub(crate) struct Copy {
    /// The folder it was to be made in.
    pub(crate) dir: PathBuf,
    /// How many writes had been submitted.
    pub(crate) writes: usize,
    /// How many operations had been done when the engine was called.
    pub(crate) begun: usize,
    /// How many when it said yes. `None` if it said no.
    pub(crate) acknowledged: Option<usize>,
}

impl Run {
    /// Runs the whole script, of which every step must succeed.
    pub(crate) fn of(
        subject: &Subject,
        script: &Script,
        forgotten: Option<Filter>,
    ) -> Result<Self, Violation> {
        let disk = RecordingDisk::new();
        if let Some(filter) = forgotten {
            disk.forget(filter);
        }
        let mut run = Self::on(disk);
        let mut engine = run.open(subject)?;
        for (number, step) in script.steps.iter().enumerate() {
            let failed = |error: Error| {
                Violation::new("every step succeeds on a good disk", error.to_string())
                    .at(&format!("step {number}, {step}"))
            };
            match step {
                Step::Set(..) | Step::Delete(_) | Step::Batch(_) | Step::SetUntil(..) => {
                    run.begin(step);
                    write(&*engine, step).map_err(failed)?;
                    run.acknowledge_write();
                }
                Step::Sync => {
                    engine.sync().map_err(failed)?;
                    run.acknowledge_sync();
                }
                Step::Compact => {
                    if let Some(compact) = engine.as_compact() {
                        compact.compact().map_err(failed)?;
                    }
                }
                Step::Backup => {
                    run.back_up(&*engine).map_err(failed)?;
                }
                Step::Close => {
                    engine.close().map_err(failed)?;
                    run.acknowledge_sync();
                    engine = run.open(subject)?;
                }
                Step::Drop => {
                    drop(engine);
                    run.end_without_sync(subject.durability());
                    engine = run.open(subject)?;
                }
            }
        }
        drop(engine);
        Ok(run)
    }

    pub(crate) fn on(disk: RecordingDisk) -> Self {
        Self { disk, writes: Vec::new(), syncs: Vec::new(), copies: Vec::new(), calls: 0 }
    }

    fn open(&self, subject: &Subject) -> Result<Box<dyn Engine>, Violation> {
        subject.open(Arc::new(self.disk.clone()), Path::new(DIR)).map_err(|error| {
            Violation::new("the store opens, on a good disk and without a crash", error.to_string())
                .with_files(&self.disk.tree())
        })
    }

    /// A step that writes is handed to the engine.
    pub(crate) fn begin(&mut self, step: &Step) {
        // In a batch the later write of a key counts.
        let mut last: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        match step {
            Step::Set(key, value) | Step::SetUntil(key, value, End::Future) => {
                last.insert(key, Some(value));
            }
            Step::Delete(key) | Step::SetUntil(key, _, End::Past) => {
                last.insert(key, None);
            }
            Step::Batch(writes) => {
                last.extend(writes.iter().map(|(key, value)| (key.as_slice(), value.as_deref())));
            }
            Step::Sync | Step::Compact | Step::Backup | Step::Close | Step::Drop => {}
        }
        let (call, begun) = (self.calls, self.disk.op_count());
        self.calls += 1;
        self.writes.extend(last.into_iter().map(|(key, value)| Write {
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
            call,
            begun,
            acknowledged: None,
        }));
    }

    /// The engine said yes to what was begun last.
    pub(crate) fn acknowledge_write(&mut self) {
        let now = self.disk.op_count();
        for write in self.writes.iter_mut().rev().take_while(|write| write.call + 1 == self.calls) {
            write.acknowledged = Some(now);
        }
    }

    /// The store was dropped, or could not be closed. One whose writes do not even survive the process may have lost
    /// those that no sync covers: they count as not acknowledged.
    pub(crate) fn end_without_sync(&mut self, durability: Durability) {
        if durability < Durability::ProcessCrash {
            let covered = self.syncs.iter().map(|sync| sync.covers).max().unwrap_or(0);
            self.writes[covered..].iter_mut().for_each(|write| write.acknowledged = None);
        }
    }

    /// Copies the store into the next folder.
    pub(crate) fn back_up(&mut self, engine: &dyn Engine) -> Result<(), Error> {
        let Some(backup) = engine.as_backup() else { return Ok(()) };
        let dir = PathBuf::from(format!("/copy-{}", self.copies.len()));
        let begun = self.disk.op_count();
        let copied = backup.backup(&dir);
        let acknowledged = copied.is_ok().then(|| self.disk.op_count());
        self.copies.push(Copy { dir, writes: self.writes.len(), begun, acknowledged });
        copied
    }

    /// The engine said that everything so far is on the disk.
    pub(crate) fn acknowledge_sync(&mut self) {
        self.syncs.push(Sync { covers: self.writes.len(), acknowledged: self.disk.op_count() });
    }

    /// What a store of this durability promised to whoever finds this image.
    pub(crate) fn promise(&self, durability: Durability, image: &CrashImage) -> Promise<'_> {
        // Acknowledged writes count by themselves, or only once a sync has covered them.
        let by_themselves = if image.loss.needs_power_loss() {
            durability >= Durability::PowerLoss
        } else {
            durability >= Durability::ProcessCrash
        };
        // The torn write has begun.
        let begun = image.after + usize::from(matches!(image.loss, Loss::Torn { .. }));
        let covered = self.syncs.iter().filter(|sync| sync.acknowledged <= image.after);
        let floor = by_themselves.then_some(image.after);
        Promise::new(&self.writes, covered.map(|sync| sync.covers).max().unwrap_or(0), floor, begun)
    }
}

/// Does a step that writes. One that the engine cannot do does nothing.
pub(crate) fn write(engine: &dyn Engine, step: &Step) -> Result<(), Error> {
    match step {
        Step::Set(key, value) => engine.set(key, value),
        Step::Delete(key) => engine.delete(key),
        Step::Batch(writes) => engine.as_atomic().map_or(Ok(()), |atomic| {
            let mut batch = Batch::new();
            for (key, value) in writes {
                match value {
                    Some(value) => batch.set(key, value),
                    None => batch.delete(key),
                };
            }
            atomic.write(&batch)
        }),
        Step::SetUntil(key, value, end) => {
            engine.as_expire().map_or(Ok(()), |expire| expire.set_until(key, value, end.time()))
        }
        Step::Sync | Step::Compact | Step::Backup | Step::Close | Step::Drop => Ok(()),
    }
}
