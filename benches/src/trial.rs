//! [`Trial`]: what every measurement of one engine has in common, whatever its workload: the warm-up, the
//! counting disk, the look at memory, closing and opening again, the sizes on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use logladder_engine::{Durability, Engine, SyncPolicy};

use crate::memory::{Probe, Seen};
use crate::meter::{Entry, Meter, Task};
use crate::report::{Check, Memory, Operation, Phase, Reopen, Run, Storage};
use crate::{Contestant, CountingDisk, Failure, Heap, Progress};

/// Where and how one engine is measured.
pub(crate) struct Conditions<'t> {
    /// The engine.
    pub(crate) contestant: &'t Contestant,
    /// An empty folder, for this measurement alone.
    pub(crate) folder: &'t Path,
    /// The binary's counting allocator, if it has one.
    pub(crate) heap: Option<&'static Heap>,
    /// Is told how far it is.
    pub(crate) progress: &'t mut dyn FnMut(Progress),
}

/// One engine being measured.
pub(crate) struct Trial<'t> {
    contestant: &'t Contestant,
    store: PathBuf,
    sync: SyncPolicy,
    disk: Arc<CountingDisk>,
    meter: Meter<'t>,
    probe: Probe,
    before: Seen,
    run: Run,
}

/// What the workload knows of the store's contents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents {
    pub(crate) live_keys: u64,
    pub(crate) live_bytes: u64,
    pub(crate) user_bytes: u64,
}

impl<'t> Trial<'t> {
    /// Warms up, looks at memory, and opens the store. Whatever the workload needs of memory it must have
    /// allocated and touched before.
    pub(crate) fn begin(
        conditions: Conditions<'t>,
        workload: &str,
        sync: SyncPolicy,
    ) -> Result<(Self, Box<dyn Engine>), Failure> {
        let Conditions { contestant, folder, heap, progress } = conditions;
        warm_up(contestant, &folder.join("warm-up"), sync)?;
        let mut trial = Self {
            contestant,
            store: folder.join("store"),
            sync,
            disk: CountingDisk::new(),
            meter: Meter::new(progress),
            probe: Probe::new(heap)?,
            before: Seen::default(),
            run: Run {
                workload: workload.to_owned(),
                engine: contestant.name().to_owned(),
                number: contestant.number(),
                durability: Durability::Never,
                phases: Vec::with_capacity(8),
                checks: Vec::with_capacity(8),
                values_checked: 0,
                sync_seconds: 0.0,
                reopen: None,
                memory: Memory::default(),
                storage: Storage::default(),
                spreads: Vec::new(),
            },
        };
        trial.before = trial.probe.look();
        let engine = trial.open()?;
        trial.run.durability = engine.durability();
        Ok((trial, engine))
    }

    fn open(&self) -> Result<Box<dyn Engine>, Failure> {
        let disk = Arc::<CountingDisk>::clone(&self.disk);
        let opened = self.contestant.open(disk, &self.store, self.sync);
        opened.map_err(|error| failed(self.contestant, "open", &error))
    }

    /// Repeats one operation and keeps its figures.
    pub(crate) fn phase(
        &mut self,
        engine: &dyn Engine,
        operation: Operation,
        wanted: Option<u64>,
        budget: Duration,
        feed: &mut dyn FnMut(&mut Entry) -> bool,
    ) -> Result<Phase, Failure> {
        let task = &mut Task { operation, during: operation.name(), wanted, budget, feed };
        let phase = self.meter.measure(engine, task)?;
        self.run.phases.push(phase.clone());
        Ok(phase)
    }

    /// Looks keys up and compares what is found; how fast that went is not kept.
    pub(crate) fn check(
        &mut self,
        engine: &dyn Engine,
        after: &str,
        wanted: u64,
        budget: Duration,
        feed: &mut dyn FnMut(&mut Entry) -> bool,
    ) -> Result<(), Failure> {
        let during = &format!("check after {after}");
        let task = &mut Task { operation: Operation::Get, during, wanted: Some(wanted), budget, feed };
        let phase = self.meter.measure(engine, task)?;
        let (done, seconds, cut_off) = (phase.done, phase.seconds, phase.cut_off);
        self.run.checks.push(Check { after: after.to_owned(), done, wanted, seconds, cut_off });
        Ok(())
    }

    /// Syncs once and keeps how long that took.
    pub(crate) fn sync(&mut self, engine: &dyn Engine) -> Result<(), Failure> {
        let started = Instant::now();
        engine.sync().map_err(|error| failed(self.contestant, "sync", &error))?;
        self.run.sync_seconds = started.elapsed().as_secs_f64();
        Ok(())
    }

    /// Looks at memory again and keeps the difference.
    pub(crate) fn look(&mut self) {
        let after = self.probe.look();
        let buffers = self.meter.buffer_bytes();
        let held = |before: u64, after: u64| after.saturating_sub(before).saturating_sub(buffers);
        self.run.memory = Memory {
            rss_before: self.before.resident,
            rss_after: after.resident,
            heap_held: self.before.heap.zip(after.heap).map(|(before, after)| held(before, after)),
        };
    }

    /// Closes the store, keeps its sizes, and opens it again, unless the engine forgets when it is closed.
    /// Says whether what was stored is still to be expected.
    pub(crate) fn reopen(
        &mut self,
        engine: Box<dyn Engine>,
        contents: Contents,
    ) -> Result<(Box<dyn Engine>, bool), Failure> {
        let Contents { live_keys, live_bytes, user_bytes } = contents;
        let mut storage = Storage { live_bytes, user_bytes, ..Storage::default() };
        if engine.durability() == Durability::Never {
            self.run.storage = storage;
            return Ok((engine, false));
        }
        let started = Instant::now();
        engine.close().map_err(|error| failed(self.contestant, "close", &error))?;
        let close_seconds = started.elapsed().as_secs_f64();

        (storage.disk_bytes, storage.occupied_bytes) = folder_bytes(&self.store)
            .map_err(|error| Failure::system(format!("measure {}", self.store.display()), &error))?;
        if self.contestant.uses_the_disk() {
            storage.appended_bytes = Some(self.disk.appended_bytes());
            storage.syncs = Some(self.disk.syncs());
        }
        storage.kernel_bytes = self.probe.look().kernel_writes.saturating_sub(self.before.kernel_writes);
        self.run.storage = storage;

        let started = Instant::now();
        let engine = self.open()?;
        let open_seconds = started.elapsed().as_secs_f64();
        self.run.reopen = Some(Reopen { close_seconds, open_seconds, keys: live_keys });
        Ok((engine, true))
    }

    /// Closes the store and hands over what was found out.
    pub(crate) fn finish(mut self, engine: Box<dyn Engine>) -> Result<Run, Failure> {
        engine.close().map_err(|error| failed(self.contestant, "close", &error))?;
        self.run.values_checked = self.meter.values_checked();
        Ok(self.run)
    }
}

fn failed(contestant: &Contestant, during: &str, error: &logladder_engine::Error) -> Failure {
    Failure::Engine {
        engine: contestant.name().to_owned(),
        during: during.to_owned(),
        what: error.to_string(),
    }
}

/// Uses another store of the engine for a moment, so that its code is loaded and the allocator has grown.
fn warm_up(contestant: &Contestant, folder: &Path, sync: SyncPolicy) -> Result<(), Failure> {
    let started = Instant::now();
    let used = || {
        let engine = contestant.open(CountingDisk::new(), folder, sync)?;
        let (mut round, mut value) = (0u32, Vec::new());
        while round < 1000 && started.elapsed() < Duration::from_millis(100) {
            let key = (round % 16).to_string();
            engine.set(key.as_bytes(), &[b'w'; 100])?;
            engine.get_into(key.as_bytes(), &mut value)?;
            engine.delete(key.as_bytes())?;
            round += 1;
        }
        engine.close()
    };
    used().map_err(|error| failed(contestant, "warm-up", &error))?;
    match fs::remove_dir_all(folder) {
        // An engine that writes no files may not have made the folder.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(|error| Failure::system(format!("remove {}", folder.display()), &error)),
    }
}

/// The lengths of all files in a folder and the folders in it, and the blocks they occupy.
fn folder_bytes(folder: &Path) -> io::Result<(u64, u64)> {
    let (mut lengths, mut occupied) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            let (inner_lengths, inner_occupied) = folder_bytes(&entry.path())?;
            lengths += inner_lengths;
            occupied += inner_occupied;
        } else {
            lengths += metadata.len();
            occupied += blocks(&metadata);
        }
    }
    Ok((lengths, occupied))
}

#[cfg(unix)]
fn blocks(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn blocks(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}
