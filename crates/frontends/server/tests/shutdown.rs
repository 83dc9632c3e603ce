//! The end of a server: nothing that was answered is lost, and what failed is said.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use harness::{on_a_failing_disk, options, stage};
use logladder::{Open, SyncPolicy};
use logladder_server::ServeError;

#[test]
fn a_request_that_began_is_answered_and_what_was_answered_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let engine = logladder::stage("hash-log").unwrap().open(&path, SyncPolicy::Never).unwrap();
    // The harness owns a folder of its own, so that this one outlives the server.
    let mut server = harness::serve(engine, options(), tempfile::tempdir().unwrap());
    let address = server.address;
    let (stopping, count) = (AtomicBool::new(false), 4);
    let answered: Vec<u32> = std::thread::scope(|scope| {
        let stopping = &stopping;
        let clients: Vec<_> = (0..count)
            .map(|client| {
                scope.spawn(move || {
                    let mut stream = std::net::TcpStream::connect(address).unwrap();
                    stream.set_read_timeout(Some(harness::PATIENCE)).unwrap();
                    for number in 0.. {
                        let head = "HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\nv";
                        let sent = write!(stream, "PUT /v1/keys/{client}-{number} {head}");
                        let mut answer = [0; 512];
                        let len = stream.read(&mut answer).unwrap_or(0);
                        // Refused as a whole or answered as a whole: a connection ends between requests.
                        if sent.is_err() || len == 0 {
                            assert!(stopping.load(Ordering::SeqCst), "cut off while the server ran");
                            return number;
                        }
                        assert!(
                            answer[..len].starts_with(b"HTTP/1.1 204"),
                            "{}",
                            answer[..len].escape_ascii()
                        );
                        assert!(answer[..len].ends_with(b"\r\n\r\n"));
                    }
                    0
                })
            })
            .collect();
        // Under load: some hundred writes of the first client are there.
        while server.get("/v1/keys/0-200").status != 200 {}
        stopping.store(true, Ordering::SeqCst);
        server.ended().unwrap();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let store = logladder::hash_log::HashLog::open(&path, logladder::hash_log::Options::default()).unwrap();
    for (client, answered) in answered.iter().enumerate() {
        for number in 0..*answered {
            let key = format!("{client}-{number}");
            assert!(logladder::Engine::get(&store, key.as_bytes()).unwrap().is_some(), "{key} was answered");
        }
    }
}

#[test]
fn a_failed_sync_is_an_error_to_the_client_and_at_the_end() {
    let (mut server, disk) = on_a_failing_disk();
    assert_eq!(server.put("/v1/keys/a?sync=true", b"v").status, 204);
    assert_eq!(server.get("/readyz").status, 200);
    harness::fail_syncs(&disk);
    let answer = server.put("/v1/keys/a?sync=true", b"w");
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(answer.error().contains("cannot"), "{answer:?}");
    // The store takes no more writes, and says so; reads go on.
    assert_eq!(server.put("/v1/keys/b", b"w").status, 503);
    assert_eq!(server.get("/v1/keys/a").status, 200);
    assert_eq!(server.get("/readyz").status, 503);
    assert!(matches!(server.ended(), Err(ServeError::Sync(_))));
}

/// Its files are where they were, and nothing that is written to them will be found at its path.
#[test]
fn a_server_whose_folder_is_taken_away_or_replaced_is_not_ready_until_it_is_back() {
    for stage in logladder::STAGES.iter().filter(|stage| stage.name != "memory") {
        let folder = tempfile::tempdir().unwrap();
        let (dir, elsewhere) = (folder.path().join("store"), folder.path().join("elsewhere"));
        let engine = stage.open(&dir, SyncPolicy::Never).unwrap();
        let mut server = harness::serve(engine, options(), tempfile::tempdir().unwrap());
        assert_eq!(server.get("/readyz").status, 200, "{}", stage.name);
        logladder_disk::Disk::rename(&logladder_disk::RealDisk, &dir, &elsewhere).unwrap();
        let answer = server.get("/readyz");
        assert!(answer.status == 503 && answer.error().contains("moved or removed"), "{answer:?}");
        // What stands there now is another store.
        drop(stage.open(&dir, SyncPolicy::Never).unwrap());
        assert_eq!(server.get("/readyz").status, 503, "{}", stage.name);
        std::fs::remove_dir_all(&dir).unwrap();
        logladder_disk::Disk::rename(&logladder_disk::RealDisk, &elsewhere, &dir).unwrap();
        assert_eq!(server.get("/readyz").status, 200, "{}", stage.name);
        server.ended().unwrap();
    }
}

#[test]
fn a_client_that_will_not_end_is_cut_off_in_the_end() {
    let mut options = options();
    options.drain_timeout = std::time::Duration::from_millis(50);
    let mut server = harness::memory(options);
    let mut stream = server.connect();
    stream.write_all(b"PUT /v1/keys/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
    // The server has begun with it: it has another request's answer behind it.
    assert_eq!(server.get("/healthz").status, 200);
    server.ended().unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn an_idle_connection_does_not_hold_the_end_up() {
    let mut server = stage("memory");
    let mut idle = server.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 512];
    assert!(idle.read(&mut answer).unwrap() > 0);
    server.ended().unwrap();
    assert_eq!(idle.read(&mut answer).unwrap(), 0);
}
