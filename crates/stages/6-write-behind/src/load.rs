//! Opening: every file is read into memory, and none is changed before all of them have passed their checks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::names::{file_name, is_of_key};
use logladder_disk::parallel::for_each;
use logladder_disk::{Disk, StoreFolder, TEMPORARY_SUFFIX, folder_in_place_of_file};
use logladder_engine::{Error, Result, limits};

use crate::member_file::{Entry, HEADER_LEN};
use crate::memory::{LOOSE, Memory};

/// Opening a file takes about as long as reading so many bytes more of one that is open.
const BYTES_PER_FILE: u64 = 32 << 10;

/// A file has so many bytes at most: those of the longest key and of the longest value.
const LONGEST_FILE: u64 = (HEADER_LEN + limits::MAX_KEY_LEN + limits::MAX_VALUE_LEN) as u64;

/// What the folders of a store hold.
#[derive(Debug, Default)]
struct Found {
    files: Vec<PathBuf>,
    bytes: u64,
    /// What interrupted writes left.
    temporaries: Vec<PathBuf>,
}

/// Reads every file, and then takes the folder, and removes what interrupted writes left. Says whether there were files.
///
/// # Errors
///
/// One is damaged, or newer than this code, or the system refused. Then no file has been changed.
pub(crate) fn load(folder: &StoreFolder) -> Result<(Memory, bool)> {
    let (disk, memory) = (&**folder.disk(), Memory::new());
    let (mut found, dirs) = (Found::default(), folders(folder)?);
    for dir in &dirs {
        look(disk, &folder.path(dir), &mut found)?;
    }
    let count = found.files.len();
    let bytes = found.bytes.saturating_add(BYTES_PER_FILE.saturating_mul(count as u64));
    for_each(count, bytes, |number| read(disk, &found.files[number], &memory))?;
    // Folders in one that is not claimed are a stranger's: the claim must be on the disk before the first of them.
    if dirs.is_empty() {
        folder.claim_durably()?;
    } else {
        folder.claim()?;
    }
    // Nothing in a temporary file was ever written as far as anyone was told. The removal needs no sync: if it is
    // lost, it is done again.
    found.temporaries.iter().try_for_each(|path| disk.remove(path))?;
    Ok((memory, count > 0))
}

/// The names of the folders of collections. Strangers' are passed over.
fn folders(folder: &StoreFolder) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.list()?.into_iter().filter(|entry| is_of_collection(&entry.name)) {
        if !entry.is_dir {
            let why = "a file stands where the store wants a folder: move it away";
            // Of no kind of its own, or the message would have that kind's remedy as well.
            let refusal = io::Error::other(why);
            return Err(Error::io("use", &folder.path(&entry.name), refusal));
        }
        names.push(entry.name);
    }
    Ok(names)
}

fn is_of_collection(name: &str) -> bool {
    name == LOOSE || is_of_key(name)
}

/// Lists the folder of a collection.
fn look(disk: &dyn Disk, dir: &Path, found: &mut Found) -> Result<()> {
    for entry in disk.list(dir)? {
        let whole = entry.name.strip_suffix(TEMPORARY_SUFFIX);
        if !is_of_key(whole.unwrap_or(&entry.name)) {
            continue;
        }
        let path = dir.join(&entry.name);
        if entry.is_dir {
            return Err(folder_in_place_of_file(&path));
        }
        if whole.is_some() {
            found.temporaries.push(path);
        } else if entry.len > LONGEST_FILE {
            // A file that takes no space may have any length; it is not to be read into memory.
            return Err(Error::corrupt(&path, LONGEST_FILE, "it is longer than any file of the store"));
        } else {
            found.files.push(path);
            found.bytes = found.bytes.saturating_add(entry.len);
        }
    }
    Ok(())
}

fn read(disk: &dyn Disk, path: &Path, memory: &Memory) -> Result<()> {
    let bytes = disk.read(path)?;
    let entry = Entry::parse(path, &bytes)?;
    let collection = memory.add(entry.collection)?;
    let is_at = |path: Option<&Path>, name: &str| path.and_then(Path::file_name).is_some_and(|at| at == name);
    if !is_at(path.parent(), &collection.folder) || !is_at(Some(path), &file_name(entry.member)) {
        return Err(Error::corrupt(path, HEADER_LEN as u64, "it holds the value of another key"));
    }
    // It is there: this file is in it.
    collection.note_folder();
    collection.load(entry.member, Arc::from(entry.value))
}
