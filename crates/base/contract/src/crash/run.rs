//! [`Run`]: a script on the recording disk, and what had been begun and acknowledged at which operation.

use std::path::Path;
use std::sync::Arc;

use logladder_disk::crash::{CrashImage, Loss};
use logladder_disk::{Filter, RecordingDisk};
use logladder_engine::{Durability, Engine};

use super::promise::Sync;
use super::{Promise, Script, Step, Write};
use crate::{Subject, Violation};

/// The folder of the store.
pub(crate) const DIR: &str = "/store";

/// What was done, and when.
pub(crate) struct Run {
    pub(crate) disk: RecordingDisk,
    pub(crate) writes: Vec<Write>,
    syncs: Vec<Sync>,
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
        let mut run = Self { disk, writes: Vec::new(), syncs: Vec::new() };
        let mut engine = run.open(subject)?;
        for (number, step) in script.steps.iter().enumerate() {
            let failed = |error: logladder_engine::Error| {
                Violation::new("every step succeeds on a good disk", error.to_string())
                    .at(&format!("step {number}, {step}"))
            };
            match step {
                Step::Set(key, value) => {
                    run.begin(key, Some(value));
                    engine.set(key, value).map_err(failed)?;
                    run.acknowledge_write();
                }
                Step::Delete(key) => {
                    run.begin(key, None);
                    engine.delete(key).map_err(failed)?;
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
                Step::Close => {
                    engine.close().map_err(failed)?;
                    run.acknowledge_sync();
                    engine = run.open(subject)?;
                }
                Step::Drop => {
                    drop(engine);
                    engine = run.open(subject)?;
                }
            }
        }
        drop(engine);
        Ok(run)
    }

    pub(crate) fn on(disk: RecordingDisk) -> Self {
        Self { disk, writes: Vec::new(), syncs: Vec::new() }
    }

    fn open(&self, subject: &Subject) -> Result<Box<dyn Engine>, Violation> {
        subject.open(Arc::new(self.disk.clone()), Path::new(DIR)).map_err(|error| {
            Violation::new("the store opens, on a good disk and without a crash", error.to_string())
                .with_files(&self.disk.tree())
        })
    }

    /// A write is handed to the engine.
    pub(crate) fn begin(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.writes.push(Write {
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
            begun: self.disk.op_count(),
            acknowledged: None,
        });
    }

    /// The engine said yes to it.
    pub(crate) fn acknowledge_write(&mut self) {
        let now = self.disk.op_count();
        if let Some(write) = self.writes.last_mut() {
            write.acknowledged = Some(now);
        }
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
