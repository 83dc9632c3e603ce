//! Which store a command works on, and how it is opened.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logladder::disk::{Disk, LOCK_FILE, OpenOn, RealDisk};
use logladder::{
    Engine, Error, Open, Progress, STAGES, Salvaged, Stage, SyncPolicy, hash_log, replay_log, sorted_log,
};

use crate::arguments::StoreArguments;
use crate::capability::HISTORY;
use crate::cluster::STAGE_IN_A_CLUSTER;
use crate::outcome::Refusal;
use crate::owner::owner_of;
use crate::remark;

/// The stage of a new store, if none is asked for.
const DEFAULT_STAGE: &str = "hash-log";

/// The stage that says what it replayed.
const REPLAYING_STAGE: &str = "replay-log";

/// The stage that has its keys in order, and threads that merge its tables.
pub(crate) const SORTED_STAGE: &str = "sorted-log";

/// The stage that forgets everything at the end: it has no files.
pub(crate) const STAGE_WITHOUT_FILES: &str = "memory";

/// How often a store is tried that another process has open.
const NEXT_TRY: Duration = Duration::from_millis(20);

impl StoreArguments {
    /// The stage that was asked for; else that of the store in the folder; else hash-log.
    ///
    /// # Errors
    ///
    /// There is no such stage.
    pub(crate) fn stage(&self) -> Result<&'static Stage> {
        let name = match &self.stage {
            Some(asked) => asked.clone(),
            None => stage_in(&self.dir).unwrap_or_else(|| DEFAULT_STAGE.to_owned()),
        };
        find(&name)
    }

    /// The stage, if it takes what else was said.
    ///
    /// # Errors
    ///
    /// There is no such stage, or it keeps no versions and is told how many.
    fn stage_to_open(&self) -> Result<&'static Stage> {
        let stage = self.stage()?;
        if self.versions.is_some() && !HISTORY.is_of(stage) {
            let what = format!(
                "stage {} keeps no versions, and --versions (or LOGLADDER_VERSIONS) is for those that do: {}",
                stage.name,
                HISTORY.stages().join(", ")
            );
            return Err(Refusal::Lacks(what).into());
        }
        Ok(stage)
    }

    /// Opens a store that is there, to read it. Of one that was closed properly no file is changed, unless `--versions` asks for it.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be opened.
    pub(crate) fn open(&self) -> Result<Box<dyn Engine>> {
        self.must_be_there()?;
        self.open_in(Manner { is_read_only: true, ..self.manner() })
    }

    /// Opens a store that is there, to change it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) fn open_to_change(&self) -> Result<Box<dyn Engine>> {
        self.must_be_there()?;
        self.open_or_make()
    }

    /// Opens the store, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub(crate) fn open_or_make(&self) -> Result<Box<dyn Engine>> {
        self.open_in(self.manner())
    }

    /// As the command line says it.
    fn manner(&self) -> Manner {
        Manner { sync: self.sync.unwrap_or_default(), versions: self.versions, is_read_only: false }
    }

    /// The same with this policy. What opening had to repair is remarked upon.
    ///
    /// # Errors
    ///
    /// As [`open_or_make`](Self::open_or_make).
    pub(crate) fn open_with(&self, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
        self.open_in(Manner { sync, ..self.manner() })
    }

    fn open_in(&self, manner: Manner) -> Result<Box<dyn Engine>> {
        if self.is_in_a_cluster() {
            return self.open_in_the_cluster();
        }
        let stage = self.stage_to_open()?;
        let engine = self.wait_for_store(|| open_stage(stage, RealDisk::shared(), &self.dir, manner))?;
        for repair in engine.repairs() {
            News::Repaired(repair.to_string()).remark();
        }
        Ok(engine)
    }

    /// The same, and `say` gets what opening repaired, and what a stage that replays its log has read.
    ///
    /// # Errors
    ///
    /// As [`open_or_make`](Self::open_or_make).
    pub(crate) fn open_saying(&self, say: impl Fn(News)) -> Result<Box<dyn Engine>> {
        if self.is_in_a_cluster() {
            return self.open_in_the_cluster();
        }
        let (stage, manner) = (self.stage_to_open()?, self.manner());
        let mut replayed = None;
        let engine: Box<dyn Engine> = self.wait_for_store(|| {
            if stage.name != REPLAYING_STAGE {
                return open_stage(stage, RealDisk::shared(), &self.dir, manner);
            }
            let store = replay_log::ReplayLog::open(&self.dir, replay_options(manner))?;
            replayed = Some(store.replay().to_string());
            Ok(Box::new(store))
        })?;
        for repair in engine.repairs() {
            say(News::Repaired(repair.to_string()));
        }
        if let Some(replayed) = replayed {
            say(News::Replayed(replayed));
        }
        Ok(engine)
    }

    /// As [`wait_for`](Self::wait_for), of a store of the [`stage`](Self::stage): who named none is told which was taken when
    /// the folder turns out to be another's.
    ///
    /// # Errors
    ///
    /// Those of `open`.
    pub(crate) fn wait_for_store<T>(&self, open: impl FnMut() -> logladder::Result<T>) -> Result<T> {
        self.wait_for(open).map_err(|error| match error.downcast_ref() {
            Some(&Error::ForeignStore { expected, .. })
                if self.stage.is_none() && stage_in(&self.dir).is_none() =>
            {
                error.context(format!(
                    "no --stage was given and no {LOCK_FILE} file names one, so {expected} was taken: say --stage if the \
                     store is another's"
                ))
            }
            _ => error,
        })
    }

    /// Does `open` again for as long as another process has the store open, and the user wants to wait.
    ///
    /// # Errors
    ///
    /// Those of `open`.
    pub(crate) fn wait_for<T>(&self, mut open: impl FnMut() -> logladder::Result<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            match open() {
                Err(Error::Locked { .. }) if begun.elapsed() < self.wait => thread::sleep(NEXT_TRY),
                Err(Error::Locked { path }) => {
                    let owner = owner_of(&path);
                    let error = anyhow::Error::from(Error::Locked { path });
                    return Err(match owner {
                        Some(owner) => error.context(format!("{owner} has this store open")),
                        None => error,
                    });
                }
                other => return Ok(other?),
            }
        }
    }

    /// That there is something to open. A command that reads makes no store.
    ///
    /// # Errors
    ///
    /// The folder is not there or empty, or nothing but a lock file that claims nothing is in it.
    pub(crate) fn must_be_there(&self) -> Result<()> {
        if self.is_in_a_cluster() || self.stage()?.name == STAGE_WITHOUT_FILES {
            return Ok(());
        }
        let dir = self.dir.display();
        let is_empty = match fs::read_dir(&self.dir) {
            Ok(mut entries) => match (entries.next(), entries.next()) {
                (None, _) => true,
                (Some(Ok(entry)), None) if entry.file_name() == LOCK_FILE => is_unclaimed(&entry.path()),
                _ => false,
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(error).with_context(|| format!("cannot look into {dir}")),
        };
        if is_empty {
            let what = format!(
                "there is no store in {dir}: `set` or `import` makes one, and --dir names another folder"
            );
            return Err(Refusal::Store(what).into());
        }
        Ok(())
    }
}

/// Whether the lock file is empty, or zeros: what is left of a store, a copy or a repair that was only just begun.
fn is_unclaimed(lock_file: &Path) -> bool {
    fs::read(lock_file).is_ok_and(|line| line.iter().all(|&byte| byte == 0))
}

/// What opening a store has to say.
#[derive(Debug)]
pub(crate) enum News {
    /// Something was mended.
    Repaired(String),
    /// So much was read.
    Replayed(String),
}

impl News {
    /// Says it on standard error.
    pub(crate) fn remark(self) {
        match self {
            Self::Repaired(what) => remark(&format!("repaired: {what}")),
            Self::Replayed(what) => remark(&what),
        }
    }
}

/// The stage of this name or number.
///
/// # Errors
///
/// There is none.
pub(crate) fn find(name: &str) -> Result<&'static Stage> {
    if STAGE_IN_A_CLUSTER.contains(&name) {
        let what = "a store of stage etcd lies in no folder: etcdctl looks after its cluster".to_owned();
        return Err(Refusal::Lacks(what).into());
    }
    logladder::stage(name).ok_or_else(|| {
        let all: Vec<String> =
            STAGES.iter().map(|stage| format!("{} {}", stage.number, stage.name)).collect();
        Refusal::Usage(format!("there is no stage `{name}`; there are {}", all.join(", "))).into()
    })
}

/// What the lock file in the folder says, if there is one. Opening checks it.
fn stage_in(dir: &Path) -> Option<String> {
    let line = fs::read_to_string(dir.join(LOCK_FILE)).ok()?;
    let name = line.strip_prefix("logladder ")?.split(' ').next()?;
    logladder::stage(name).map(|stage| stage.name.to_owned())
}

/// How a store is opened.
#[derive(Debug, Clone, Copy)]
struct Manner {
    sync: SyncPolicy,
    versions: Option<u16>,
    /// Nothing is compacted or rewritten while it is open.
    is_read_only: bool,
}

fn open_stage(
    stage: &Stage,
    disk: Arc<dyn Disk>,
    dir: &Path,
    manner: Manner,
) -> logladder::Result<Box<dyn Engine>> {
    // The table knows no options but the policy.
    if stage.name == DEFAULT_STAGE {
        let mut options = hash_log_options(manner.versions).with_sync(manner.sync);
        if manner.is_read_only {
            options = options.with_compaction(hash_log::Compaction::OnDemand);
        }
        return Ok(Box::new(hash_log::HashLog::open_on(disk, dir, options)?));
    }
    if stage.name == REPLAYING_STAGE {
        return Ok(Box::new(replay_log::ReplayLog::open_on(disk, dir, replay_options(manner))?));
    }
    if stage.name == SORTED_STAGE && manner.is_read_only {
        // Without a thread that merges what the last process left.
        let options =
            sorted_log::Options::default().with_sync(manner.sync).with_work(sorted_log::Work::Caller);
        return Ok(Box::new(sorted_log::SortedLog::open_on(disk, dir, options)?));
    }
    stage.open_on(disk, dir, manner.sync)
}

/// Makes a new store in `into` from everything that is whole of the one in `dir`.
///
/// # Errors
///
/// As [`Stage::salvage`]; or the stage has no such thing.
pub(crate) fn salvage(
    stage: &Stage,
    versions: Option<u16>,
    dir: &Path,
    into: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> logladder::Result<Salvaged> {
    let disk = RealDisk::shared();
    // The table knows no versions.
    if stage.name == DEFAULT_STAGE {
        return hash_log::salvage_with(disk, dir, into, hash_log_options(versions), progress);
    }
    let what = || format!("what is damaged of a store of stage {}: restore it from a copy", stage.name);
    let salvaged = stage.salvage(disk, dir, into, progress);
    salvaged.unwrap_or_else(|| Err(Error::Unsupported { what: what() }))
}

/// The options of hash-log, with so many versions of each key if that was said.
fn hash_log_options(versions: Option<u16>) -> hash_log::Options {
    let options = hash_log::Options::default();
    versions.map_or(options, |versions| options.with_versions(versions.into()))
}

/// The options of replay-log: a log that is to show more than one version counts all that it has.
fn replay_options(manner: Manner) -> replay_log::Options {
    let counts = manner.versions.is_some_and(|versions| versions > 1);
    let options = replay_log::Options::default().with_sync(manner.sync).with_history(counts);
    if manner.is_read_only { options.with_housekeeping(replay_log::Housekeeping::OnDemand) } else { options }
}
