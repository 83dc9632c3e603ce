//! Rot: what a read of an open store finds on the disk is no longer what was written there. Each bit of it is flipped.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use logladder_contract::{Subject, Violation};
use logladder_disk::{Disk, Entry, File, LOCK_FILE, Lock, Map, RecordingDisk};
use logladder_engine::{Error, Result};

use crate::deed::{Deed, show, show_value};
use crate::extras::{files, told, violation};
use crate::replay::DIR;

/// What is set, each under a key of its own.
const PAIRS: [(&[u8], &[u8]); 2] = [(b"name", b"anna"), (b"city", b"Dhaka")];

/// How a store took it.
#[derive(Debug, Default)]
pub(crate) struct RotSummary {
    flips: usize,
    refused: usize,
    right: usize,
}

impl fmt::Display for RotSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flips, refused, right } = self;
        write!(f, "{flips} bits flipped under an open store: {refused} reads refused, {right} right")
    }
}

/// Sets a few keys, flips each bit of the files under the open store in turn, and reads the keys.
pub(crate) fn rot(subject: &Subject) -> std::result::Result<RotSummary, Box<Violation>> {
    let disk = RottenDisk::default();
    let mut deeds = vec![Deed::Open];
    let failed = |deeds: &[Deed], error: &Error| {
        let expected = "no error, on a good disk".to_owned();
        Box::new(Violation { script: told(deeds), expected, ..violation(format!("an error: {error}")) })
    };
    let engine =
        subject.open(Arc::new(disk.clone()), Path::new(DIR)).map_err(|error| failed(&deeds, &error))?;
    for (key, value) in PAIRS {
        deeds.push(Deed::Set(key.to_vec(), value.to_vec()));
        engine.set(key, value).map_err(|error| failed(&deeds, &error))?;
    }
    let tree = disk.disk.tree();
    let mut summary = RotSummary::default();
    for (path, bytes) in tree.files().filter(|(path, _)| !path.ends_with(LOCK_FILE)) {
        for bit in 0..bytes.len() * 8 {
            let (byte, place) = (bit / 8, bit % 8);
            disk.flip(Some(Flip { path: path.to_path_buf(), byte: byte as u64, mask: 1 << place }));
            summary.flips += 1;
            for (key, value) in PAIRS {
                let found = match catch_unwind(AssertUnwindSafe(|| engine.get(key))) {
                    Ok(Ok(Some(found))) if found == value => {
                        summary.right += 1;
                        continue;
                    }
                    Ok(Err(_)) => {
                        summary.refused += 1;
                        continue;
                    }
                    Ok(Ok(found)) => show_value(found.as_deref()),
                    // The panic itself is told by who watches for them.
                    Err(_) => "a panic".to_owned(),
                };
                deeds.push(Deed::Get(key.to_vec()));
                let mut damaged = tree.clone();
                let mut bytes = bytes.to_vec();
                bytes[byte] ^= 1 << place;
                damaged.put(path, bytes);
                return Err(Box::new(Violation {
                    script: told(&deeds),
                    moment: format!(
                        "bit {place} of byte {byte} of {} is flipped before the last call",
                        path.display()
                    ),
                    expected: format!("{}, or an error that names the file", show(value)),
                    files: files(&damaged),
                    ..violation(found)
                }));
            }
        }
    }
    Ok(summary)
}

/// A bit that is not as it was written.
#[derive(Debug, Clone)]
struct Flip {
    path: PathBuf,
    byte: u64,
    mask: u8,
}

/// A disk in memory, and the bit of it that every read finds flipped.
#[derive(Debug, Clone, Default)]
struct RottenDisk {
    disk: RecordingDisk,
    flip: Arc<Mutex<Option<Flip>>>,
}

impl RottenDisk {
    fn flip(&self, flip: Option<Flip>) {
        *self.flip.lock().unwrap_or_else(PoisonError::into_inner) = flip;
    }

    fn rotten(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(RottenFile { file, flip: Arc::clone(&self.flip) })
    }
}

impl Disk for RottenDisk {
    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.disk.create_dir(dir)
    }

    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        self.disk.entry(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        Ok(self.rotten(self.disk.create(path)?))
    }

    fn reserve(&self, path: &Path, capacity: u64) -> Result<Box<dyn File>> {
        Ok(self.rotten(self.disk.reserve(path, capacity)?))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        Ok(self.rotten(self.disk.open(path)?))
    }

    fn map(&self, path: &Path) -> Result<Map> {
        self.disk.map(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.link(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        self.disk.lock(path)
    }
}

/// One of its files. What is mapped into memory stays as it is.
#[derive(Debug)]
struct RottenFile {
    file: Box<dyn File>,
    flip: Arc<Mutex<Option<Flip>>>,
}

impl File for RottenFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn len(&self) -> u64 {
        self.file.len()
    }

    fn append(&self, bytes: &[u8]) -> Result<u64> {
        self.file.append(bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_at(offset, buffer)?;
        let flip = self.flip.lock().unwrap_or_else(PoisonError::into_inner);
        let flip = flip.as_ref().filter(|flip| flip.path == self.file.path());
        let place = flip.and_then(|flip| usize::try_from(flip.byte.checked_sub(offset)?).ok());
        if let (Some(flip), Some(byte)) = (flip, place.and_then(|place| buffer.get_mut(place))) {
            *byte ^= flip.mask;
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.file.truncate(len)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.file.bytes()
    }
}
