//! A program that embeds a store, step by step: `cargo run -p logladder-hash-log --example embed`.
//!
//! The page `docs/src/embedding.md` shows each of these functions.

#![allow(clippy::print_stdout, reason = "a program may print")]

// ANCHOR: uses
use std::path::Path;

use logladder_hash_log::{Engine, HashLog, Open, Options, Result};
// ANCHOR_END: uses

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    Ok(run(folder.path())?)
}

/// Every step, in a folder that is empty.
fn run(folder: &Path) -> Result<()> {
    let dir = folder.join("store");
    let store = open(&dir)?;
    read_and_write(&store)?;
    batch(&store)?;
    count(&store)?;
    session(&store)?;
    visit(&store)?;
    history(&store)?;
    follow(&store)?;
    beside(&dir)?;
    maintain(&store, &folder.join("backup"))?;
    close(store)?;
    look_after(&dir, &folder.join("salvaged"))?;
    explain(&dir);
    Ok(())
}

// ANCHOR: open
fn open(dir: &Path) -> Result<HashLog> {
    use logladder_hash_log::SyncPolicy;

    let options = Options::default().with_sync(SyncPolicy::Always).with_versions(3);
    let store = HashLog::open(dir, options)?;
    for repair in store.repairs() {
        println!("{repair}"); // what a crash left unfinished, and where it was kept
    }
    Ok(store)
}
// ANCHOR_END: open

// ANCHOR: read_and_write
fn read_and_write(store: &HashLog) -> Result<()> {
    store.set(b"anna", b"engineer")?;
    store.set(b"bob", b"poet")?;
    store.delete(b"carl")?; // it need not be there
    store.sync()?; // under every policy: what came before survives a loss of power

    // A value of its own, or one buffer for many reads, or no copy at all.
    assert_eq!(store.get(b"anna")?, Some(b"engineer".to_vec()));
    let mut buffer = Vec::new();
    assert!(store.get_into(b"bob", &mut buffer)? && buffer == b"poet");
    let borrowed = store.get_ref(b"anna")?; // keeps its segment for as long as it is held
    assert_eq!(borrowed.as_deref(), Some(&b"engineer"[..]));

    // Many keys in one call are read faster than one by one.
    let mut found = 0;
    store
        .get_many(&[b"anna", b"bob", b"carl"], &mut |_place, value| found += usize::from(value.is_some()))?;
    assert_eq!(found, 2);
    Ok(())
}
// ANCHOR_END: read_and_write

// ANCHOR: batch
fn batch(store: &HashLog) -> Result<()> {
    use logladder_hash_log::{Atomic, Batch};

    let mut batch = Batch::new();
    batch.set(b"account/anna", b"50").set(b"account/bob", b"150").delete(b"transfer");
    store.write(&batch) // after a crash all of it is there, or none
}
// ANCHOR_END: batch

// ANCHOR: count
fn count(store: &HashLog) -> Result<u64> {
    use logladder_hash_log::Atomic;

    loop {
        let before = store.get(b"visits")?;
        let number = before.as_deref().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        let after = (number + 1).to_le_bytes();
        // Only if nobody has changed it meanwhile; `None` stands for no value.
        if store.compare_and_set(b"visits", before.as_deref(), Some(&after))? {
            return Ok(number + 1);
        }
    }
}
// ANCHOR_END: count

// ANCHOR: session
fn session(store: &HashLog) -> Result<()> {
    use std::time::{Duration, SystemTime};

    use logladder_hash_log::{Expire, Expiry};

    store.set_until(b"session/17", b"anna", SystemTime::now() + Duration::from_hours(1))?;
    assert!(matches!(store.expiry(b"session/17")?, Expiry::At(_)));
    Ok(())
}
// ANCHOR_END: session

// ANCHOR: visit
fn visit(store: &HashLog) -> Result<()> {
    use std::ops::ControlFlow;

    use logladder_hash_log::Iterate;

    // The store of one moment, in no order, while others write.
    store.for_each(&mut |key, value| {
        println!("{} has {} bytes", key.escape_ascii(), value.len());
        ControlFlow::Continue(())
    })
}
// ANCHOR_END: visit

// ANCHOR: history
fn history(store: &HashLog) -> Result<()> {
    use std::ops::ControlFlow;

    use logladder_hash_log::History;

    store.set(b"anna", b"author")?;
    // The newest first; as many as `with_versions` said.
    store.versions(b"anna", &mut |version| {
        println!("version {}: {} bytes", version.number, version.value.map_or(0, <[u8]>::len));
        ControlFlow::Continue(())
    })?;
    assert_eq!(store.get_at(b"anna", 1)?, Some(Some(b"engineer".to_vec())));
    Ok(())
}
// ANCHOR_END: history

// ANCHOR: follow
fn follow(store: &HashLog) -> Result<()> {
    use std::ops::ControlFlow;

    use logladder_hash_log::Changes;

    let from = store.position()?; // keep it as text: `to_string` and `parse`
    store.set(b"bob", b"novelist")?;
    let mut changed = Vec::new();
    let next = store.changes(from, &mut |change| {
        changed.push(change.key.to_vec());
        ControlFlow::Continue(())
    })?;
    assert_eq!(changed, [b"bob"]);
    assert_eq!(next, store.position()?); // ask again from here
    Ok(())
}
// ANCHOR_END: follow

// ANCHOR: beside
fn beside(dir: &Path) -> Result<()> {
    use logladder_hash_log::Reader;

    // In the same process or in another: a reader takes no lock.
    let reader = Reader::open(dir, Options::default())?;
    assert_eq!(reader.get(b"bob")?, Some(b"novelist".to_vec()));
    reader.refresh() // from here on it shows what was written since
}
// ANCHOR_END: beside

// ANCHOR: maintain
fn maintain(store: &HashLog, backup: &Path) -> Result<()> {
    use logladder_hash_log::{Backup, Compact, check};

    store.compact()?; // a thread does this by itself; here, now and all of it
    store.backup(backup)?; // an empty folder; reads and writes go on
    assert!(check(backup)?.is_healthy());
    Ok(())
}
// ANCHOR_END: maintain

// ANCHOR: close
fn close(store: HashLog) -> Result<()> {
    Box::new(store).close()
}
// ANCHOR_END: close

// ANCHOR: look_after
fn look_after(dir: &Path, salvaged: &Path) -> Result<()> {
    use logladder_hash_log::{Severity, check, salvage};

    let report = check(dir)?; // reads every byte and changes nothing
    for problem in &report.problems {
        println!("{problem}");
    }
    if report.worst() == Some(Severity::Damage) {
        let kept = salvage(dir, salvaged)?; // a new store of everything that is whole
        println!("{} keys in {}", kept.keys, salvaged.display());
    }
    Ok(())
}
// ANCHOR_END: look_after

// ANCHOR: explain
fn explain(dir: &Path) {
    use logladder_hash_log::Error;

    match HashLog::open(dir, Options::default()) {
        Ok(_store) => println!("open"),
        Err(Error::Locked { path }) => println!("another process has it: {}", path.display()),
        Err(Error::Corrupt { path, offset, what }) => println!("{} at {offset}: {what}", path.display()),
        Err(other) => println!("{other}"), // names the file, and what can be done
    }
}
// ANCHOR_END: explain

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_embedding_does_what_its_page_says() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path()).unwrap();
        let store = open(&folder.path().join("store")).unwrap();
        assert_eq!(count(&store).unwrap(), 2);
        assert!(!folder.path().join("salvaged").exists());
    }
}
