//! The limit of a memory map, stated and tested: another program shortens a file under it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use logladder_engine::{Engine, Error, Result};

use super::{Running, cheap_folder, must, say, task, wait};

const SIGBUS: i32 = 7;

const LONG_VALUES: u32 = 20;

/// Of more than one page.
fn long_value(key: u32) -> Vec<u8> {
    format!("value {key} ").repeat(700).into_bytes()
}

/// Cuts each file of a store that has been opened and written to by a second process, which reads what is still there then, is
/// told of an error, or dies of SIGBUS. It never reads a wrong value, and never panics. `test` is the one that calls this, and
/// `open` opens a store with files of about 80 kB.
///
/// Returns how often what came of it, such as `log, lengthened again false: SIGBUS`; nothing in the second process.
///
/// # Panics
///
/// It does.
pub fn outcomes<E: Engine>(test: &str, open: impl Fn(&Path) -> Result<E>) -> Option<BTreeMap<String, u32>> {
    if let Some([dir]) = task().as_deref() {
        read_what_is_left(Path::new(dir), &open);
        return None;
    }
    let mut outcomes = BTreeMap::<String, u32>::new();
    let start = || {
        let folder = cheap_folder();
        write_long_values(folder.path(), &open);
        let mut reader = Running::start(test, &[&folder.path().display().to_string()]);
        reader.wait_for("ready");
        (folder, reader)
    };
    let files = {
        let (folder, mut reader) = start();
        let files = files_in(folder.path());
        reader.kill();
        reader.end();
        files
    };
    for (name, len) in files {
        // A file that is lengthened again is zeros where its pages were.
        for (shorter, is_lengthened) in [(0, false), (0, true), (len / 2, false), (len / 2, true)] {
            let (folder, mut reader) = start();
            let file = OpenOptions::new().write(true).open(folder.path().join(&name));
            let file = must("the file is there", file);
            must("it can be cut", file.set_len(shorter));
            if is_lengthened {
                must("it can be lengthened", file.set_len(len));
            }
            reader.go_on();
            let mut said = None;
            while let Some(line) = reader.next_line() {
                said = said.or(line.strip_prefix("outcome: ").map(str::to_owned));
            }
            let status = reader.end();
            let kind = name.rsplit_once('.').map_or(name.as_str(), |(_, ending)| ending);
            let outcome = match (status.signal(), said) {
                (Some(SIGBUS), _) => "SIGBUS".to_owned(),
                (None, Some(said)) if status.success() => said,
                _ => panic!("{name} cut to {shorter} of {len} bytes: it ended with {status}"),
            };
            *outcomes.entry(format!("{kind}, lengthened again {is_lengthened}: {outcome}")).or_default() += 1;
        }
    }
    Some(outcomes)
}

fn write_long_values<E: Engine>(dir: &Path, open: &impl Fn(&Path) -> Result<E>) {
    let store = must("a new store", open(dir));
    for key in 0..LONG_VALUES {
        must("it is set", store.set(&key.to_le_bytes(), &long_value(key)));
    }
    must("it is closed", Box::new(store).close());
}

/// The files of a store, but the one that says whose it is, with their lengths.
fn files_in(dir: &Path) -> Vec<(String, u64)> {
    let entries = must("the folder can be listed", fs::read_dir(dir));
    let named = entries.map(|entry| {
        let entry = must("an entry", entry);
        (entry.file_name().to_string_lossy().into_owned(), must("its length", entry.metadata()).len())
    });
    let mut files: Vec<(String, u64)> = named.filter(|(name, _)| name != logladder_disk::LOCK_FILE).collect();
    files.sort();
    files
}

/// Opens the store, lets the first process cut a file, and then reads and writes.
fn read_what_is_left<E: Engine>(dir: &Path, open: &impl Fn(&Path) -> Result<E>) {
    let store = must("the store opens", open(dir));
    for key in LONG_VALUES..LONG_VALUES + 4 {
        must("it is set", store.set(&key.to_le_bytes(), &long_value(key)));
    }
    say("ready");
    wait();
    let mut errors = 0;
    for key in 0..LONG_VALUES + 4 {
        match store.get(&key.to_le_bytes()) {
            Ok(Some(value)) => assert!(value == long_value(key), "key {key} has a wrong value"),
            Ok(None) => panic!("key {key} is gone, and no error says so"),
            Err(Error::Corrupt { .. } | Error::Io { .. }) => errors += 1,
            Err(other) => panic!("an error of another kind: {other}"),
        }
    }
    for key in 0..LONG_VALUES {
        if let Err(error) = store.set(&key.to_le_bytes(), b"new") {
            assert!(
                matches!(error, Error::Corrupt { .. } | Error::Io { .. } | Error::Poisoned { .. }),
                "{error}"
            );
            errors += 1;
        }
    }
    // Closing may read what was cut: a segment that is sealed is read whole.
    let closed = Box::new(store).close();
    let was_told = errors > 0 || closed.is_err();
    say(&format!("outcome: {}", if was_told { "errors" } else { "everything could be read and written" }));
}
