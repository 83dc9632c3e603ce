//! The bytes of a store, field by field, for the pages on formats.
//!
//! The store is a real one, made on a disk in memory by the few operations of [`SCRIPT`], where nothing in it depends
//! on the clock or on chance, so that the same code gives the same bytes. A store into which chance enters is read from
//! a folder of the repository instead.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use logladder::disk::{LOCK_FILE, RecordingDisk};
use logladder::{Field, Stage, SyncPolicy};

use crate::demo;

/// What is done to the store: a key and its new value, or `None` to delete it.
const SCRIPT: [(&[u8], Option<&[u8]>); 4] = [
    (b"name", Some(b"anna")),
    (br#"["animal",1]"#, Some(br#"{"name":"Hobgoblin"}"#)),
    (b"\x00\xff", Some(b"not text")),
    (b"name", None),
];

/// Bytes on a line.
const WIDTH: usize = 12;

/// So many lines of a field are shown.
const LINES: usize = 4;

/// Every file of a store of this stage after [`SCRIPT`] and `close`, field by field.
///
/// # Errors
///
/// The engine refused.
pub(crate) fn dump(stage: &Stage) -> Result<String> {
    let disk = RecordingDisk::new();
    let dir = Path::new("/store");
    let store = stage.open_on(Arc::new(disk.clone()), dir, SyncPolicy::Always)?;
    for (key, value) in SCRIPT {
        match value {
            Some(value) => store.set(key, value)?,
            None => store.delete(key)?,
        }
    }
    store.close()?;

    Ok(fields_of(stage, dir, disk.tree().files()))
}

/// Every file of a store of this stage in the middle of its work, field by field: after two sets, a delete and a sync.
///
/// # Errors
///
/// The engine refused.
pub(crate) fn of_lesson(stage: &Stage) -> Result<String> {
    let disk = RecordingDisk::new();
    let store = demo::open(stage, &disk, SyncPolicy::Always)?;
    store.set(b"name", b"anna")?;
    store.set(b"city", b"Dhaka")?;
    store.delete(b"name")?;
    store.sync()?;
    let tree = disk.tree();
    drop(store);
    // The lock file is the same in every stage, and has a page of its own.
    let files = tree.files().filter(|(path, _)| !path.ends_with(LOCK_FILE));
    Ok(fields_of(stage, Path::new(demo::DIR), files))
}

/// Every file of the store of this stage that is kept in `folder`, field by field; or, if it is a file, that one alone.
///
/// # Errors
///
/// The folder or a file cannot be read.
pub(crate) fn dump_of_folder(stage: &Stage, folder: &Path) -> Result<String> {
    if folder.is_file() {
        let bytes = fs::read(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let dir = folder.parent().unwrap_or(folder);
        return Ok(fields_of(stage, dir, std::iter::once((folder, bytes.as_slice()))));
    }
    let listing = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let paths = listing.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    let read = |path: PathBuf| -> Result<(PathBuf, Vec<u8>)> {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path, bytes))
    };
    let mut files = paths.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(fields_of(stage, folder, files.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice()))))
}

/// A file is called by its path from the store's folder on.
fn fields_of<'f>(stage: &Stage, dir: &Path, files: impl Iterator<Item = (&'f Path, &'f [u8])>) -> String {
    let mut text = String::new();
    for (path, bytes) in files {
        let name = path.strip_prefix(dir).unwrap_or(path).to_string_lossy();
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}, {} bytes", bytes.len());
        let fields = stage.describe(&name, bytes);
        let name_width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
        for field in &fields {
            write_field(&mut text, field, bytes, name_width);
        }
    }
    text
}

fn write_field(text: &mut String, field: &Field, bytes: &[u8], name_width: usize) {
    let content = bytes.get(field.bytes.clone()).unwrap_or_default();
    let mut lines = content.chunks(WIDTH).map(|line| {
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.join(" ")
    });
    let first = lines.next().unwrap_or_default();
    let Field { bytes: place, name, meaning, .. } = field;
    let line = format!("{:>6}  {first:<35}  {name:<name_width$}  {meaning}", place.start);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", line.trim_end());
    for more in lines.by_ref().take(LINES - 1) {
        let _ = writeln!(text, "        {more}");
    }
    if lines.next().is_some() {
        let _ = writeln!(text, "        … up to {}", place.end);
    }
}
