//! A copy for which there is no room: what is wrong is told of the copy, and the store goes on.

#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use logladder::disk::{Fault, Filter, RecordingDisk};
use logladder::{Error, STAGES, SyncPolicy};

/// The disk is full at each operation of a backup in turn.
#[test]
fn a_backup_without_room_says_to_free_some_and_copy_again_and_the_store_is_written_on() {
    for stage in STAGES {
        let (mut tried, mut of_the_copy) = (0, 0);
        loop {
            let disk = Arc::new(RecordingDisk::new());
            let store = stage.open_on(Arc::clone(&disk) as _, Path::new("/store"), SyncPolicy::Never);
            let store = store.expect("the store opens");
            let Some(backup) = store.as_backup() else { break };
            for number in 0..20 {
                store.set(format!("c/{number}").as_bytes(), b"value").expect("it is set");
            }
            store.sync().expect("it is synced");
            disk.inject(Fault { on: Filter::Any, after: tried, torn_at: 0, kind: ErrorKind::StorageFull });
            let Err(error) = backup.backup(Path::new("/copy")) else { break };
            tried += 1;
            let said = error.to_string();
            match &error {
                Error::Io { path, .. } if !path.starts_with("/store") => {
                    of_the_copy += 1;
                    assert!(said.contains("copy again"), "{}: {said}", stage.name);
                    assert!(!said.contains("open the store again"), "{}: {said}", stage.name);
                    store.set(b"c/after", b"value").expect("the store goes on");
                }
                // The store itself had something to write before it is copied.
                Error::Io { .. } => assert!(said.contains("open the store again"), "{}: {said}", stage.name),
                other => panic!("{}: {other}", stage.name),
            }
        }
        let can = stage.open_on(Arc::new(RecordingDisk::new()), Path::new("/store"), SyncPolicy::Never);
        let can = can.expect("the store opens").as_backup().is_some();
        assert_eq!(of_the_copy > 0, can, "{}: {tried} operations failed", stage.name);
    }
}
