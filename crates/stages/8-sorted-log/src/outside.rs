//! A store looked at from outside: what its manifest says, while another process may have it open.

use std::path::Path;

use logladder_disk::{Disk, RealDisk};
use logladder_engine::Result;

use crate::files::{FileKind, MANIFEST};
use crate::manifest::Manifest;

/// What the manifest of a store says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// A log with this number or a higher one says what is in memory and in no table.
    pub first_log: u64,
    /// The number of the last write that is in a table.
    pub last_sequence: u64,
    /// In the order in which a get asks them: level by level, and in level 0 the newest first. In the other levels they
    /// stand by their keys, and a get asks one of them at most.
    pub tables: Vec<ListedTable>,
}

/// What the manifest says of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedTable {
    /// Its number.
    pub number: u64,
    /// The name of its file.
    pub file_name: String,
    /// The level that it belongs to, from 0.
    pub level: usize,
    /// How long the file is.
    pub bytes: u64,
    /// How many keys it has, tombstones included.
    pub entries: u64,
    /// How many of those are tombstones.
    pub tombstones: u64,
    /// Its first key.
    pub smallest: Vec<u8>,
    /// Its last key.
    pub largest: Vec<u8>,
}

/// What the manifest of the store in `dir` says. No lock is taken and no file is changed, so that a store can be looked at
/// that is in use.
///
/// ```
/// # use logladder_sorted_log::{Engine, Open, Options, SortedLog};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = SortedLog::open(dir.path(), Options::default())?;
/// store.set(b"name", b"anna")?;
/// store.flush()?;
///
/// let tables = logladder_sorted_log::listing(dir.path())?.tables;
/// assert_eq!((tables.len(), tables[0].level, tables[0].entries), (1, 0, 1));
/// # Ok::<(), logladder_sorted_log::Error>(())
/// ```
///
/// # Errors
///
/// There is no manifest, or it is damaged.
pub fn listing(dir: &Path) -> Result<Listing> {
    listing_on(&*RealDisk::shared(), dir)
}

/// The same on another disk.
///
/// # Errors
///
/// As [`listing`].
pub fn listing_on(disk: &dyn Disk, dir: &Path) -> Result<Listing> {
    let path = dir.join(MANIFEST);
    let manifest = Manifest::decode(&path, &disk.read(&path)?)?.manifest;
    let levels = manifest.levels.into_iter().enumerate();
    let tables = levels.flat_map(|(level, tables)| {
        tables.into_iter().map(move |table| ListedTable {
            number: table.number,
            file_name: FileKind::Table(table.number).name(),
            level,
            bytes: table.len,
            entries: table.entries,
            tombstones: table.tombstones,
            smallest: table.smallest,
            largest: table.largest,
        })
    });
    Ok(Listing { first_log: manifest.log, last_sequence: manifest.last_sequence, tables: tables.collect() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use logladder_disk::{OpenOn, RecordingDisk};
    use logladder_engine::Engine;

    use super::*;
    use crate::{Options, SortedLog, Work};

    #[test]
    fn the_tables_of_a_store_in_use_are_listed_as_it_has_them() {
        let (disk, dir) = (Arc::new(RecordingDisk::new()), Path::new("store"));
        let small = Options::default()
            .with_work(Work::Caller)
            .with_memtable_bytes(200)
            .with_table_bytes(100)
            .with_level0_tables(2)
            .with_levels(500, 2);
        let store = SortedLog::open_on(Arc::clone(&disk) as _, dir, small).unwrap();
        for number in 0..60_u8 {
            store.set(&[number % 40], b"a value").unwrap();
            let listing = listing_on(&*disk, dir).unwrap();
            let mut levels = vec![(0, 0); store.levels().len()];
            for table in &listing.tables {
                levels[table.level].0 += 1;
                levels[table.level].1 += table.bytes;
                assert_eq!(disk.entry(&dir.join(&table.file_name)).unwrap().unwrap().len, table.bytes);
                assert!(table.smallest <= table.largest && table.entries > 0);
            }
            assert_eq!(levels, store.levels());
            assert!(listing.last_sequence <= u64::from(number) + 1);
        }
        assert!(store.levels()[2].0 > 0, "a table came as far as level 2");
        assert!(listing_on(&*disk, Path::new("elsewhere")).is_err());
    }
}
