//! [`CrashableStore`]: a store on a disk in memory that can crash and be opened again.
//!
//! The disk is the [`RecordingDisk`] of the crash tests: it knows what was synced and what was not. So a crash of the page is
//! what the tests call one. *The process is killed*: nothing more is done to the files, the memory is gone, and every byte
//! that was written stays, because the system has it. *The power is lost*: of the files, only what a sync had made durable
//! is left, which is the worst that can happen; a real disk may have written some of the rest by itself.
//!
//! Every operation is a step of the history, with what the disk was asked to do.

mod engine;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use logladder::{Stage, SyncPolicy, hash_log, replay_log, sorted_log};
use logladder_disk::crash::{Recording, Tree};
use logladder_disk::{Disk, Op, OpenOn, RecordingDisk};
use logladder_engine::{Durability, Engine, Error, Result};

use super::history::History;
use super::layout::{Layout, Looker};
use super::words::{deeds, milestones};

/// The folder of the store, on its own disk.
const DIR: &str = "store";
/// So large does a segment of a hash-log grow here, in bytes: a few records, so that there are some segments to see.
const SEGMENT_BYTES: u64 = 256;
/// So large does the log of a memtable grow here, so large a block and a table of a merge, and so large the first level: a few
/// writes fill a memtable, two of those are merged, and some more reach the second level.
const MEMTABLE_BYTES: u64 = 256;
const BLOCK_BYTES: usize = 96;
const TABLE_BYTES: u64 = 192;
const LEVEL1_BYTES: u64 = 700;

/// What ends a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// `kill -9`: what was written stays.
    Kill,
    /// The power is lost: what was not synced is gone.
    PowerLoss,
}

/// A store on a disk in memory that can crash and be opened again. Clones are the same store.
///
/// Nothing of it is ever on a real disk, and it ends with the process.
#[derive(Clone)]
pub struct CrashableStore(Arc<Inside>);

struct Inside {
    stage: &'static Stage,
    sync: SyncPolicy,
    open: RwLock<Open>,
    /// Held for a step, so that each shows what it alone did.
    turn: Mutex<()>,
    history: Arc<History>,
    can: Can,
}

struct Open {
    disk: RecordingDisk,
    /// None after a crash.
    engine: Option<Box<dyn Engine>>,
}

/// What the stage can do, asked once.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each stands for a capability of its own")]
struct Can {
    iterate: bool,
    ordered: bool,
    atomic: bool,
    changes: bool,
    compact: bool,
}

impl std::fmt::Debug for CrashableStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CrashableStore of the stage {}", self.0.stage.name)
    }
}

fn crashed() -> Error {
    let nobody = std::io::Error::new(std::io::ErrorKind::NotConnected, "it has crashed: open it again");
    Error::io("reach the store in", DIR.as_ref(), nobody)
}

/// Opens the stage with small segments and no thread of its own, so that each step is the same each time.
fn open_stage(stage: &Stage, disk: &RecordingDisk, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
    const HASH_KEY: [u8; 16] = *b"the live view's ";
    let (disk, dir): (Arc<dyn Disk>, &Path) = (Arc::new(disk.clone()), DIR.as_ref());
    match stage.name {
        "hash-log" => {
            let options = hash_log::Options::default()
                .with_sync(sync)
                .with_segment_bytes(SEGMENT_BYTES)
                .with_compaction(hash_log::Compaction::OnDemand)
                .with_hash_key(HASH_KEY);
            Ok(Box::new(hash_log::HashLog::open_on(disk, dir, options)?))
        }
        "replay-log" => {
            let mut options = replay_log::Options::default()
                .with_sync(sync)
                .with_housekeeping(replay_log::Housekeeping::OnDemand);
            options.hash_key = Some(HASH_KEY);
            Ok(Box::new(replay_log::ReplayLog::open_on(disk, dir, options)?))
        }
        "sorted-log" => {
            let options = sorted_log::Options::default()
                .with_sync(sync)
                .with_work(sorted_log::Work::Caller)
                .with_memtable_bytes(MEMTABLE_BYTES)
                .with_block_bytes(BLOCK_BYTES)
                .with_table_bytes(TABLE_BYTES)
                .with_level0_tables(2)
                .with_levels(LEVEL1_BYTES, 3);
            Ok(Box::new(sorted_log::SortedLog::open_on(disk, dir, options)?))
        }
        _ => stage.open_on(disk, dir, sync),
    }
}

fn layout_of(stage: &'static Stage, disk: &RecordingDisk) -> Layout {
    let looked = Looker::at(stage, Arc::new(disk.clone()), DIR.as_ref()).look(&[]);
    looked.unwrap_or_else(|error| Layout::of_trouble(error.to_string()))
}

impl CrashableStore {
    /// An empty store of the stage.
    ///
    /// # Errors
    ///
    /// As [`Open::open`](logladder_engine::Open::open).
    pub fn new(stage: &'static Stage, sync: SyncPolicy) -> Result<Self> {
        let disk = RecordingDisk::new();
        let engine = open_stage(stage, &disk, sync)?;
        let can = Can {
            iterate: engine.as_iterate().is_some(),
            ordered: engine.as_ordered().is_some(),
            atomic: engine.as_atomic().is_some(),
            changes: engine.as_changes().is_some(),
            compact: engine.as_compact().is_some(),
        };
        let history = Arc::new(History::new());
        let done = deeds(&disk.ops(), &disk.tree(), &disk.tree());
        history.push("the store is made", true, &done, layout_of(stage, &disk));
        let open = RwLock::new(Open { disk, engine: Some(engine) });
        Ok(Self(Arc::new(Inside { stage, sync, open, turn: Mutex::new(()), history, can })))
    }

    /// Writes a few keys, so that there is something to see. Those of the stage 6 lie in a collection.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn write_samples(&self) -> Result<()> {
        let key = |name: &str| self.sample_key(name).into_bytes();
        for (name, value) in
            [("river", "Padma"), ("city", "Dhaka"), ("tree", "banyan"), ("bird", "doyel"), ("city", "Sylhet")]
        {
            self.set(&key(name), value.as_bytes())?;
        }
        if self.durability() != Durability::Never {
            self.sync()?;
        }
        self.delete(&key("tree"))?;
        for (name, value) in [("river", "Meghna"), ("flower", "shapla"), ("city", "Rajshahi")] {
            self.set(&key(name), value.as_bytes())?;
        }
        Ok(())
    }

    /// A key of this name as the stage takes it.
    pub(super) fn sample_key(&self, name: &str) -> String {
        match self.0.stage.name {
            "write-behind" => format!(r#"["things","{name}"]"#),
            _ => name.to_owned(),
        }
    }

    pub(super) fn stage(&self) -> &'static Stage {
        self.0.stage
    }

    pub(super) fn sync_policy(&self) -> SyncPolicy {
        self.0.sync
    }

    pub(super) fn history(&self) -> Arc<History> {
        Arc::clone(&self.0.history)
    }

    /// Ends the process that has the store open, in spirit: nothing is written, closed or synced any more.
    ///
    /// # Errors
    ///
    /// It has crashed already.
    pub fn crash(&self, crash: Crash) -> Result<()> {
        let _turn = self.turn();
        let mut open = self.open_mut();
        let engine = open.engine.take().ok_or_else(crashed)?;
        // What the engine would still do at its end must not reach the disk.
        open.disk.set_read_only(true);
        let recording = Recording::of(&open.disk);
        let before = open.disk.tree();
        drop(engine);
        open.disk = match crash {
            Crash::Kill => RecordingDisk::resume(recording),
            Crash::PowerLoss => RecordingDisk::from_tree(recording.after_power_loss()),
        };
        let lost = bytes_lost(&before, &open.disk.tree());
        let what = match crash {
            Crash::Kill => "crash: the process is killed; what was written stays".to_owned(),
            Crash::PowerLoss if lost == 0 => {
                "crash: the power is lost, and all that was written had been synced".to_owned()
            }
            Crash::PowerLoss => {
                format!("crash: the power is lost, and with it {lost} bytes that no sync had covered")
            }
        };
        self.0.history.push(&what, false, &[], layout_of(self.0.stage, &open.disk));
        Ok(())
    }

    /// Opens the store again after a crash, or else closes it properly and opens it.
    ///
    /// # Errors
    ///
    /// As [`Open::open`](logladder_engine::Open::open); then it stays as the crash left it.
    pub fn reopen(&self) -> Result<()> {
        let _turn = self.turn();
        let mut open = self.open_mut();
        let (before, tree) = (open.disk.op_count(), open.disk.tree());
        let closed = match open.engine.take() {
            Some(engine) => {
                engine.close()?;
                "closed, and opened again"
            }
            None => "opened again",
        };
        let opened = open_stage(self.0.stage, &open.disk, self.0.sync);
        let said = match &opened {
            Ok(engine) => {
                let repairs: Vec<String> = engine.repairs().iter().map(ToString::to_string).collect();
                if repairs.is_empty() {
                    closed.to_owned()
                } else {
                    format!("{closed}: {}", repairs.join("; "))
                }
            }
            Err(error) => format!("it cannot be opened: {error}"),
        };
        let done = deeds(&open.disk.ops_behind(before), &tree, &open.disk.tree());
        let opened = opened.map(|engine| open.engine = Some(engine));
        self.0.history.push(&said, opened.is_ok(), &done, layout_of(self.0.stage, &open.disk));
        opened
    }

    fn turn(&self) -> std::sync::MutexGuard<'_, ()> {
        // It guards nothing that a panic could have left half-changed.
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> RwLockReadGuard<'_, Open> {
        self.0.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_mut(&self) -> RwLockWriteGuard<'_, Open> {
        self.0.open.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads, which is no step.
    fn ask<T>(&self, ask: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        ask(self.open().engine.as_deref().ok_or_else(crashed)?)
    }

    /// Does something that may change the files, and keeps what came of it as a step.
    fn perform<T>(&self, what: &str, perform: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        let _turn = self.turn();
        let open = self.open();
        let engine = open.engine.as_deref().ok_or_else(crashed)?;
        let (before, tree) = (open.disk.op_count(), open.disk.tree());
        let outcome = perform(engine);
        let ops = open.disk.ops_behind(before);
        // A write that filled a memtable also did what a thread does otherwise: it wrote a table, and may have merged some.
        if self.0.stage.name == "sorted-log" && ops.iter().any(|op| matches!(op, Op::Remove(_))) {
            self.push_stages_of(what, &open, before, &tree);
        }
        let now = open.disk.tree();
        let said = match &outcome {
            Ok(_) => what.to_owned(),
            Err(error) => format!("{what}: refused: {error}"),
        };
        self.0.history.push(&said, true, &deeds(&ops, &tree, &now), layout_of(self.0.stage, &open.disk));
        outcome
    }

    /// The states that the files went through between two others: what a reader would have found, had it come then.
    fn push_stages_of(&self, what: &str, open: &Open, before: usize, tree: &Tree) {
        let ops = open.disk.ops_behind(before);
        let mut recording = Recording::of(&open.disk);
        for end in milestones(&ops) {
            let done: &[Op] = ops.get(..end).unwrap_or_default();
            recording.ops.truncate(before);
            recording.ops.extend_from_slice(done);
            let then = RecordingDisk::resume(recording.clone());
            let layout = layout_of(self.0.stage, &then);
            if self.0.history.differs(&layout).is_some() {
                let deeds = deeds(done, tree, &then.tree());
                let last = deeds.last().map_or("", |deed| deed.as_str());
                self.0.history.push(&format!("{what}, under way: {last}"), true, &deeds, layout);
            }
        }
    }
}

/// How many bytes of the files are no longer what they were.
fn bytes_lost(before: &Tree, after: &Tree) -> usize {
    let left: BTreeMap<_, _> = after.files().collect();
    let lost = |(path, bytes): (&Path, &[u8])| {
        let left = left.get(path).copied().unwrap_or_default();
        let same = bytes.iter().zip(left).filter(|(before, after)| before == after).count();
        bytes.len() - same
    };
    before.files().map(lost).sum()
}
