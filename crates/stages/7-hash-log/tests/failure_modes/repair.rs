//! A repair that ends before its time leaves a folder that is not taken for a store.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::crash::{Recording, Tree};
use logladder_disk::{Fault, Filter, LOCK_FILE, OpenOn, RecordingDisk};
use logladder_engine::{Engine, Error, Result, Salvaged};
use logladder_hash_log::{HashLog, Options, check_with, salvage_with};

use crate::bench::{Contents, DIR, close, contents, on_demand, open_with};

const NEW: &str = "/new";

/// Segments of three records.
fn small() -> Options {
    on_demand().with_segment_bytes(300)
}

/// A store without its manifest, and what it held.
fn damaged_store() -> (Tree, Contents) {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, small()).unwrap();
    for number in 0..12_u8 {
        store.set(&[b'k', number], &[number; 40]).unwrap();
    }
    let whole = contents(&store);
    close(store);
    let mut tree = disk.tree();
    assert!(tree.take(&Path::new(DIR).join("MANIFEST")));
    (tree, whole)
}

fn salvage(disk: &RecordingDisk) -> Result<Salvaged> {
    salvage_with(Arc::new(disk.clone()), Path::new(DIR), Path::new(NEW), small(), &mut |_| ())
}

/// What is in the new folder is nothing yet, all of it, or refused. Says whether it is refused.
fn is_refused(tree: Tree, whole: &Contents, told: &str) -> bool {
    let is_file = |path: &Path| path.starts_with(NEW) && !path.ends_with(LOCK_FILE);
    let is_empty = !tree.files().any(|(path, _)| is_file(path));
    let disk = Arc::new(RecordingDisk::from_tree(tree));
    let checked = check_with(disk.clone(), Path::new(NEW), &mut |_| ());
    match HashLog::open_on(disk, Path::new(NEW), small()) {
        Ok(store) if is_empty => assert!(contents(&store).is_empty(), "{told}"),
        Ok(store) => {
            assert_eq!(contents(&store), *whole, "{told}");
            assert_eq!(checked.unwrap().keys, whole.len() as u64, "{told}");
        }
        // Nothing of the line, but its length.
        Err(Error::Corrupt { .. }) if is_empty => {}
        Err(error) => {
            for error in [error, checked.unwrap_err()] {
                assert!(error.to_string().contains("remove /new and repair again"), "{told}: {error}");
            }
            return true;
        }
    }
    false
}

#[test]
fn a_repair_that_was_interrupted_anywhere_leaves_nothing_that_passes_for_a_store() {
    let (damaged, whole) = damaged_store();
    let disk = RecordingDisk::from_tree(damaged);
    assert_eq!(salvage(&disk).unwrap().keys, whole.len() as u64);
    let recording = Recording::of(&disk);
    let (mut refused, mut tried) = (0, 0);
    for image in (0..=recording.ops.len()).flat_map(|after| recording.images_at(after)) {
        let told = format!("after {}, {:?}", image.after, image.loss);
        refused += usize::from(is_refused(image.tree, &whole, &told));
        tried += 1;
    }
    assert!(refused > 20 && refused < tried, "{refused} of {tried}");
    assert!(!is_refused(disk.tree(), &whole, "in the end"));
}

#[test]
fn a_repair_without_room_says_to_repair_again_and_not_to_open_what_it_left() {
    let (damaged, whole) = damaged_store();
    let disk = RecordingDisk::from_tree(damaged.clone());
    salvage(&disk).unwrap();
    let mut refused = 0;
    for after in 0..Recording::of(&disk).ops.len() {
        let disk = RecordingDisk::from_tree(damaged.clone());
        disk.inject(Fault { on: Filter::Any, after, torn_at: 0, kind: ErrorKind::StorageFull });
        let told = format!("full after {after}");
        if let Err(error) = salvage(&disk) {
            let said = error.to_string();
            assert!(matches!(error, Error::Io { .. }), "{told}: {said}");
            assert!(
                said.contains("repair again") && !said.contains("open the store again"),
                "{told}: {said}"
            );
        }
        refused += usize::from(is_refused(disk.tree(), &whole, &told));
    }
    assert!(refused > 10, "{refused}");
}
