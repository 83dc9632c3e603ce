//! A disk that fills up while a store on it is written to.

use std::path::{Path, PathBuf};
use std::process::Command;

use logladder_engine::{Engine, Result};

use super::draw::seed;
use super::failure::{takes_no_more_and_reads_on, tell, told};
use super::ledger::Ledger;
use super::steps::{perform, step};
use super::{Running, must, number, say, task};

/// A file system of 64 KiB in memory, unmounted when it is dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it at a folder. Only root can.
    #[must_use]
    pub fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "logladder-test"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_path_buf()))
    }

    /// Makes room, as a user would who was told to.
    ///
    /// # Panics
    ///
    /// It cannot.
    pub fn enlarge(&self) {
        let status = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status();
        assert!(must("mount runs", status).success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// How a stage is used by the process that fills the disk.
#[derive(Debug)]
pub struct FullDisk<E> {
    /// The test that calls [`run`](Self::run), by its path in its crate.
    pub test: &'static str,
    /// Opens the store with files that are small beside the disk, and threads that want room for new ones.
    pub open_small: fn(&Path) -> Result<E>,
    /// Opens it once there is room again.
    pub open: fn(&Path) -> Result<E>,
    /// Looks at the store that was opened again, before its contents are looked at.
    pub look: fn(&E, &str),
}

impl<E: Engine> FullDisk<E> {
    /// Fills the disk some times: each time that is an error and loses nothing, and once there is room the store opens.
    ///
    /// # Panics
    ///
    /// It is not so.
    #[allow(clippy::print_stdout, reason = "a test prints what it counted, and what it skips")]
    pub fn run(&self) {
        if let Some([dir, seed]) = task().as_deref() {
            return self.fill(Path::new(dir), number(seed));
        }
        let (first, mut full) = (seed(), 0);
        for seed in (0..6).map(|round| first.wrapping_add(round)) {
            let folder = must("a temporary folder", tempfile::tempdir());
            let Some(disk) = SmallDisk::mount(folder.path()) else {
                println!("SKIPPED: only root can mount the small file system that this test fills");
                return;
            };
            let dir = folder.path().join("store");
            let mut writer = Running::start(self.test, &[&dir.display().to_string(), &seed.to_string()]);
            let mut lines = Vec::new();
            while let Some(line) = writer.next_line() {
                lines.push(line);
            }
            let (status, when) = (writer.end(), format!("seed {seed}"));
            assert!(status.success(), "{when}: it ended with {status}");
            let failed: Vec<_> = lines.iter().filter_map(|line| told(line)).collect();
            // 28 is ENOSPC; a reserve that cannot be had says it by its kind.
            let is_told = |code: &str| ["28", "StorageFull", "poisoned"].contains(&code);
            assert!(failed.iter().all(|(_, code)| is_told(code)), "{when}: {failed:?}");
            full += u32::from(failed.iter().any(|(what, _)| what == "step"));
            disk.enlarge();
            let store = must(&format!("{when}: the store opens"), (self.open)(&dir));
            (self.look)(&store, &when);
            let mut ledger = Ledger::new(seed, 1);
            for line in &lines {
                ledger.hear(line);
            }
            println!("{when}: {} steps acknowledged, then {failed:?}", ledger.acknowledged());
            ledger.settle(&store, &when);
            must("the store closes", Box::new(store).close());
        }
        assert!(full > 0, "the disk was never full");
    }

    fn fill(&self, dir: &Path, seed: u64) {
        let store = match (self.open_small)(dir) {
            Ok(store) => store,
            Err(error) => return tell("open", &error),
        };
        let mut ledger = Ledger::new(seed, 1);
        for number in 0..3_000 {
            let changes = step(seed, 0, number);
            if let Err(error) = perform(&store, &changes) {
                tell("step", &error);
                takes_no_more_and_reads_on(&store, &ledger, seed);
                return;
            }
            let line = format!("done 0 {number}");
            say(&line);
            ledger.hear(&line);
        }
    }
}
