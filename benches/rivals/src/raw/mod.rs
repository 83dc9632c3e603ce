//! The raw limits: what the machine allows, behind the same trait and the same clock.
//!
//! Each is a log of records and an array that knows where the record of each key lies, indexed by the number
//! that the key spells. There is no hash, no recovery, no compaction, no order: whatever a real engine does
//! comes on top. So an engine's share of the limit says how much its own work costs.
//!
//! | limit | a set | a get | synced |
//! |---|---|---|---|
//! | `raw-write` | write(2) | pread(2) | write(2) into reserved space, fdatasync |
//! | `raw-map` | copy into a reserved, shared map | copy out of it | the disk's `File::sync` |
//! | `raw-map-crc` | CRC-32 over header, key and value, then as above | CRC-32, then as above | as above |
//!
//! Synced, threads that wait for the same sync share it ([`GroupCommit`]).

mod group_commit;
mod log;
mod segment;

use std::path::Path;

use logladder_engine::{Durability, Engine, Result, SyncPolicy};

use crate::measure::Measure;
use group_commit::GroupCommit;
use segment::Means;

/// A raw limit.
#[derive(Debug)]
#[non_exhaustive]
pub struct Limit {
    /// Its name in tables and on the command line.
    pub name: &'static str,
    /// What a set and a get are.
    pub summary: &'static str,
    /// The same where each set is synced.
    pub synced: &'static str,
    means: Means,
    crc: bool,
}

/// Every raw limit.
pub static LIMITS: &[Limit] = &[
    Limit {
        name: "raw-write",
        summary: "write(2), pread(2)",
        synced: "write(2) into reserved space, fdatasync",
        means: Means::Written,
        crc: false,
    },
    Limit {
        name: "raw-map",
        summary: "copy into a reserved map, copy out of it",
        synced: "copy into a reserved map, File::sync",
        means: Means::Mapped,
        crc: false,
    },
    Limit {
        name: "raw-map-crc",
        summary: "the same with a CRC each way",
        synced: "CRC, copy into a reserved map, File::sync",
        means: Means::Mapped,
        crc: true,
    },
];

impl Limit {
    /// Opens an empty log in the folder `dir`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// As [`Disk::reserve`](logladder_disk::Disk::reserve).
    pub fn open(&'static self, dir: &Path, sync: SyncPolicy) -> Result<Box<dyn Engine>> {
        Ok(Box::new(log::RawLog::open(self, dir, matches!(sync, SyncPolicy::Always))?))
    }

    /// What an acknowledged set survives: that of its bytes. Nothing finds them again.
    #[must_use]
    pub fn durability(&self, sync: SyncPolicy) -> Durability {
        sync.durability()
    }

    /// Whether this measure means something here. A delete is nothing but a change of the array, and so is
    /// the search for an absent key; the mix would fill the disk.
    #[must_use]
    pub fn enters(&self, measure: Measure) -> bool {
        use Measure as M;
        matches!(
            measure,
            M::Fill | M::Overwrite | M::Get | M::GetTwoThreads | M::DurableSet | M::DurableSetEightThreads
        )
    }
}
