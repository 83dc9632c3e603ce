//! A store that is served is copied while it is in use.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use harness::{Running, options};
use logladder::SyncPolicy;
use logladder::memory::Memory;
use logladder_engine::{Backup, Durability, Engine, Result, Stats};

/// A server over a store of the stage, with a folder for backups.
fn with_backups(stage: &str, backups: &Path) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let engine = logladder::stage(stage).unwrap().open(folder.path(), SyncPolicy::Never).unwrap();
    let mut options = options();
    options.backups = Some(backups.to_owned());
    harness::serve(engine, options, folder)
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_is_a_store_of_what_was_acknowledged_before() {
    for stage in ["replay-log", "write-behind", "hash-log", "sorted-log"] {
        let folder = tempfile::tempdir().unwrap();
        let server = with_backups(stage, folder.path());
        assert_eq!(server.put("/v1/keys/c/before", b"v").status, 204);
        let answer = server.post("/v1/backup", r#"{"name":"2026-11-21_a.1"}"#);
        assert_eq!(answer.status, 201, "{stage}: {answer:?}");
        assert_eq!(server.put("/v1/keys/c/after", b"v").status, 204);
        assert_eq!(names_in(folder.path()), ["2026-11-21_a.1"]);
        let copy = folder.path().join("2026-11-21_a.1");
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said["name"], "2026-11-21_a.1");
        assert!(said["files"].as_u64().unwrap() >= 1 && said["bytes"].as_u64().unwrap() >= 1, "{said}");
        let copy = logladder::stage(stage).unwrap().open(&copy, SyncPolicy::Never).unwrap();
        assert_eq!(copy.get(b"c/before").unwrap().unwrap(), b"v", "{stage}");
        assert_eq!(copy.get(b"c/after").unwrap(), None, "{stage}");
    }
}

#[test]
fn a_backup_never_takes_the_place_of_another_and_leaves_no_half_of_one() {
    let folder = tempfile::tempdir().unwrap();
    // What a server left that was killed over it.
    std::fs::create_dir_all(folder.path().join(".first.partial/left")).unwrap();
    let server = with_backups("hash-log", folder.path());
    assert_eq!(server.put("/v1/keys/a", b"one").status, 204);
    assert_eq!(server.post("/v1/backup", r#"{"name":"first"}"#).status, 201);
    assert_eq!(server.put("/v1/keys/a", b"two").status, 204);
    let answer = server.post("/v1/backup", r#"{"name":"first"}"#);
    assert_eq!(answer.status, 409);
    assert!(answer.error().contains("first already"), "{answer:?}");
    assert_eq!(names_in(folder.path()), ["first"]);
    let path = folder.path().join("first");
    let copy = logladder::stage("hash-log").unwrap().open(&path, SyncPolicy::Never).unwrap();
    assert_eq!(copy.get(b"a").unwrap().unwrap(), b"one");
}

/// A store whose first backup says that it has begun, and goes on when it is told.
struct Held {
    memory: Memory,
    has_begun: AtomicBool,
    begun: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Engine for Held {
    fn name(&self) -> &'static str {
        "held"
    }
    fn durability(&self) -> Durability {
        self.memory.durability()
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.memory.get(key)
    }
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.memory.set(key, value)
    }
    fn delete(&self, key: &[u8]) -> Result<()> {
        self.memory.delete(key)
    }
    fn sync(&self) -> Result<()> {
        self.memory.sync()
    }
    fn stats(&self) -> Result<Stats> {
        self.memory.stats()
    }
    fn as_backup(&self) -> Option<&dyn Backup> {
        Some(self)
    }
}

impl Backup for Held {
    fn backup(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir(dir).unwrap();
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            self.begun.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_second_backup_is_refused_while_one_is_made() {
    let backups = tempfile::tempdir().unwrap();
    let ((begun, has_begun), (go_on, told)) = (channel(), channel());
    let engine =
        Held { memory: Memory::default(), has_begun: AtomicBool::new(false), begun, go_on: Mutex::new(told) };
    let mut options = options();
    options.backups = Some(backups.path().to_owned());
    let server = harness::serve(Box::new(engine), options, tempfile::tempdir().unwrap());
    thread::scope(|scope| {
        let first = scope.spawn(|| server.post("/v1/backup", r#"{"name":"first"}"#));
        has_begun.recv().unwrap();
        let second = server.post("/v1/backup", r#"{"name":"second"}"#);
        go_on.send(()).unwrap();
        assert_eq!(first.join().unwrap().status, 201);
        assert_eq!(second.status, 409, "{second:?}");
        assert!(second.error().contains("another backup is being made"), "{second:?}");
    });
    assert_eq!(names_in(backups.path()), ["first"]);
    assert_eq!(server.post("/v1/backup", r#"{"name":"second"}"#).status, 201);
}

#[test]
fn the_name_of_a_backup_is_no_path() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("backups");
    std::fs::create_dir(&folder).unwrap();
    let server = with_backups("hash-log", &folder);
    let long = "a".repeat(101);
    for name in ["", ".", "..", ".a", "../a", "a/b", "/tmp/a", "a\\\\b", "a\\u0000", "a b", "ä", &long] {
        let answer = server.post("/v1/backup", &format!("{{\"name\":\"{name}\"}}"));
        assert_eq!(answer.status, 400, "{name}");
        assert!(answer.error().starts_with("the name of a backup"), "{answer:?}");
    }
    for body in ["", "{}", "[\"a\"]", "{\"name\":1}", "{\"name\":\"a\",\"dir\":\"/tmp\"}"] {
        assert_eq!(server.post("/v1/backup", body).status, 400, "{body}");
    }
    assert_eq!(names_in(&folder), [""; 0]);
    assert_eq!(names_in(parent.path()), ["backups"]);
}

#[test]
fn a_backup_is_refused_without_a_folder_for_it_and_by_stages_that_cannot() {
    let server = harness::stage("hash-log");
    let answer = server.post("/v1/backup", r#"{"name":"a"}"#);
    assert_eq!(answer.status, 403);
    assert!(answer.error().contains("--backups"), "{answer:?}");
    let folder = tempfile::tempdir().unwrap();
    let server = with_backups("scan-log", folder.path());
    let answer = server.post("/v1/backup", r#"{"name":"a"}"#);
    assert_eq!(answer.status, 501);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["stages"], serde_json::json!(["replay-log", "write-behind", "hash-log", "sorted-log"]));
    // The folder is gone: that is no trouble of the store.
    let gone = tempfile::tempdir().unwrap();
    let server = with_backups("hash-log", &gone.path().join("gone"));
    assert_eq!(server.post("/v1/backup", r#"{"name":"a"}"#).status, 500);
    assert_eq!(server.get("/readyz").status, 200);
}
