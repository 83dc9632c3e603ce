//! [`Space`]: what a store takes on the disk, after it was filled and after everything in it was overwritten.
//!
//! ```text
//!   fill · sync · look      the store stays open: what is reserved ahead counts
//!   overwrite each key · sync · wait · look
//! ```
//!
//! What counts are the blocks that the files occupy, since some engines map a file that is far longer than what
//! is in it. After the overwrite an engine has a while to tidy up.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use logladder_bench::{Contestant, Failure};
use logladder_disk::RealDisk;
use logladder_engine::SyncPolicy;
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::memory::touch_memory;
use crate::session::{failed, shuffled};
use crate::stretch::{Call, Stretch};

/// How much to write, and how long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Space {
    pub(crate) keys: u32,
    pub(crate) value_len: u32,
    /// How long the fill may take, and the overwrite.
    pub(crate) write_millis: u64,
    /// How long the engine is left alone after the overwrite.
    pub(crate) wait_millis: u64,
    pub(crate) seed: u64,
}

/// What was seen, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Occupied {
    /// Keys and values that are in the store.
    pub(crate) live: u64,
    pub(crate) after_fill: u64,
    /// None if the time was over before every key was overwritten.
    pub(crate) after_overwrite: Option<u64>,
}

impl Space {
    pub(crate) fn budget(&self) -> Duration {
        Duration::from_millis(self.write_millis.saturating_mul(2).saturating_add(self.wait_millis))
    }

    pub(crate) fn run(
        &self,
        contestant: &Contestant,
        folder: &Path,
        doing: &mut dyn FnMut(&str),
    ) -> Result<Occupied, Failure> {
        let failed = |during| failed(contestant.name(), during);
        touch_memory(self.keys, self.value_len);
        let ledger = Ledger::new(self.keys, self.value_len as usize, self.seed);
        let mut order = shuffled(self.keys, self.seed);
        let store = folder.join("store");
        let engine =
            contestant.open(RealDisk::shared(), &store, SyncPolicy::Never).map_err(failed("open"))?;
        let stretch = |during| Stretch {
            engine: &*engine,
            ledger: &ledger,
            call: Call::Set,
            during,
            budget: Duration::from_millis(self.write_millis),
        };

        doing("fill");
        let filled = stretch("fill").run(order.iter().copied())?;
        order.truncate(usize::try_from(filled.operations).unwrap_or(usize::MAX));
        engine.sync().map_err(failed("sync"))?;
        let after_fill = look(&store)?;

        doing("overwrite");
        let overwritten = stretch("overwrite").run(order.into_iter().rev())?;
        engine.sync().map_err(failed("sync"))?;
        doing("leave it alone");
        thread::sleep(Duration::from_millis(self.wait_millis));
        let after_overwrite = if overwritten.cut_off { None } else { Some(look(&store)?) };
        engine.close().map_err(failed("close"))?;
        let live = filled.operations.saturating_mul(16 + u64::from(self.value_len));
        Ok(Occupied { live, after_fill, after_overwrite })
    }
}

fn look(store: &Path) -> Result<u64, Failure> {
    occupied(store).map_err(|error| Failure::system(format!("measure {}", store.display()), &error))
}

/// The bytes of the blocks that the files of a folder, and of the folders in it, occupy.
pub(crate) fn occupied(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let inner = match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => occupied(&entry.path()),
            Ok(metadata) => Ok(blocks(&metadata)),
            Err(error) => Err(error),
        };
        bytes += match inner {
            // The engine is at work, and has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            inner => inner?,
        };
    }
    Ok(bytes)
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_hole_in_a_file_occupies_nothing_and_files_in_folders_count() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        let make = |name| fs::OpenOptions::new().write(true).create_new(true).open(folder.path().join(name));
        make("sparse").unwrap().set_len(1 << 30).unwrap();
        make("inner/full").unwrap().write_all(&vec![1; 100_000]).unwrap();
        let bytes = occupied(folder.path()).unwrap();
        assert!((98_304..1 << 20).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_log_that_is_never_compacted_takes_twice_as_much_after_an_overwrite() {
        let folder = tempfile::tempdir().unwrap();
        let contestant = logladder::stage("scan-log").map(Contestant::stage).unwrap();
        let space = Space { keys: 500, value_len: 100, write_millis: 60_000, wait_millis: 0, seed: 3 };
        let seen = space.run(&contestant, folder.path(), &mut |_| {}).unwrap();
        assert_eq!(seen.live, 500 * 116);
        assert!(seen.after_fill >= seen.live, "{seen:?}");
        assert!(seen.after_overwrite.unwrap() >= 2 * seen.live, "{seen:?}");
    }
}
