//! A repair that ends before its time: what it leaves is not taken for a store.
//!
//! The stages that can make a new store of what is whole of a damaged one say how they do it in a `Repair`, and are held to
//! this wherever a crash comes, and wherever the disk is full:
//!
//! ```text
//!   nothing but what claims the folder     an empty store to who writes, and refused by a check
//!   some of the keys                       refused, and told to be removed
//!   all of them, and claimed as a store    opened, with every key
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::crash::{Recording, Tree};
use logladder_disk::{Fault, Filter, LOCK_FILE, RecordingDisk};
use logladder_engine::{CheckReport, Error, Result, Salvaged};

/// Where the new store is made.
const NEW: &str = "/new";

type OfFolder<T> = fn(Arc<RecordingDisk>, &Path) -> Result<T>;

/// How a stage repairs a store: what its own functions do with a folder of a disk.
pub struct Repair {
    /// The disk with the damaged store.
    pub damaged: Tree,
    /// All that the damaged store held, which is whole in other places.
    pub whole: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Makes a new store of it in the folder.
    pub salvage: OfFolder<Salvaged>,
    /// Checks the folder.
    pub check: OfFolder<CheckReport>,
    /// Opens the folder, and reads everything.
    pub read: OfFolder<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl fmt::Debug for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repair").field("whole", &self.whole).finish_non_exhaustive()
    }
}

impl Repair {
    /// Wherever a crash comes, what is left is an empty folder, the whole store, or refused.
    ///
    /// # Panics
    ///
    /// It is not.
    pub fn assert_no_crash_leaves_part_of_a_store(&self) {
        let disk = self.disk();
        assert_eq!(self.salvage(&disk).map(|salvaged| salvaged.keys).ok(), Some(self.whole.len() as u64));
        let recording = Recording::of(&disk);
        let (mut refused, mut tried) = (0, 0);
        for image in (0..=recording.ops.len()).flat_map(|after| recording.images_at(after)) {
            let told = format!("after {}, {:?}", image.after, image.loss);
            refused += usize::from(self.is_refused(image.tree, &told));
            tried += 1;
        }
        assert!(refused > 20 && refused < tried, "{refused} of {tried}");
        assert!(!self.is_refused(disk.tree(), "in the end"));
    }

    /// Wherever the disk is full, what is left is that as well, and the error does not say to open it.
    ///
    /// # Panics
    ///
    /// It is not, or the error does.
    pub fn assert_no_full_disk_leaves_part_of_a_store(&self) {
        let disk = self.disk();
        assert!(self.salvage(&disk).is_ok());
        let mut refused = 0;
        for after in 0..Recording::of(&disk).ops.len() {
            let disk = self.disk();
            disk.inject(Fault { on: Filter::Any, after, torn_at: 0, kind: ErrorKind::StorageFull });
            let told = format!("full after {after}");
            if let Err(error) = self.salvage(&disk) {
                let said = error.to_string();
                assert!(matches!(error, Error::Io { .. }), "{told}: {said}");
                let is_advised = said.contains("repair again") && !said.contains("open the store again");
                assert!(is_advised, "{told}: {said}");
            }
            refused += usize::from(self.is_refused(disk.tree(), &told));
        }
        assert!(refused > 10, "{refused}");
    }

    fn disk(&self) -> RecordingDisk {
        RecordingDisk::from_tree(self.damaged.clone())
    }

    fn salvage(&self, disk: &RecordingDisk) -> Result<Salvaged> {
        (self.salvage)(Arc::new(disk.clone()), Path::new(NEW))
    }

    /// What is in the new folder is nothing yet, all of it, or refused. Says whether it is refused.
    fn is_refused(&self, tree: Tree, told: &str) -> bool {
        let is_file = |path: &Path| path.starts_with(NEW) && !path.ends_with(LOCK_FILE);
        let is_empty = !tree.files().any(|(path, _)| is_file(path));
        let disk = Arc::new(RecordingDisk::from_tree(tree));
        let checked = (self.check)(disk.clone(), Path::new(NEW));
        match (self.read)(disk, Path::new(NEW)) {
            Ok(found) if is_empty => {
                assert!(found.is_empty(), "{told}: {found:?}");
                assert!(checked.is_err(), "{told}: what was only begun is called a healthy store");
            }
            Ok(found) => {
                assert_eq!(found, self.whole, "{told}");
                let keys = checked.map(|report| report.keys);
                assert_eq!(keys.ok(), Some(self.whole.len() as u64), "{told}");
            }
            // Nothing of the line, but its length.
            Err(Error::Corrupt { .. }) if is_empty => {}
            Err(error) => {
                for said in [Some(error), checked.err()].map(|error| error.map(|error| error.to_string())) {
                    let is_advised =
                        said.as_ref().is_some_and(|said| said.contains("remove /new and repair again"));
                    assert!(is_advised, "{told}: {said:?}");
                }
                return true;
            }
        }
        false
    }
}
