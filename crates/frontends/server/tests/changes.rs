//! Following what is written: in order, without gaps, from any place.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use harness::{Running, stage};
use tungstenite::{Message, WebSocket};

fn socket(server: &Running, query: &str) -> WebSocket<TcpStream> {
    let url = format!("ws://{}/v1/changes{query}", server.address);
    tungstenite::client(url, server.connect()).unwrap().0
}

fn next(socket: &mut WebSocket<TcpStream>) -> serde_json::Value {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Sets `k` to each of the numbers.
fn write(server: &Running, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert_eq!(server.put("/v1/keys/k", number.to_string().as_bytes()).status, 204);
    }
}

#[test]
fn a_watcher_that_was_cut_off_goes_on_without_a_gap() {
    let server = stage("hash-log");
    let mut watcher = socket(&server, "");
    assert!(next(&mut watcher)["position"].is_string());
    std::thread::scope(|scope| {
        scope.spawn(|| write(&server, 0..600));
        let mut seen = 0;
        let mut last = 0;
        let mut place = String::new();
        while seen < 600 {
            let change = next(&mut watcher);
            assert_eq!(
                (change["key"].as_str(), change["value"].as_str()),
                (Some("k"), Some(&*seen.to_string()))
            );
            let sequence = change["sequence"].as_u64().unwrap();
            assert!(last == 0 || sequence == last + 1, "{sequence} after {last}");
            (seen, last) = (seen + 1, sequence);
            change["next"].as_str().unwrap().clone_into(&mut place);
            if seen % 100 == 0 {
                // Gone without a word, with whatever was on its way.
                watcher = socket(&server, &format!("?since={place}"));
                assert_eq!(next(&mut watcher)["position"].as_str(), Some(&*place));
            }
        }
    });
    assert_eq!(server.delete("/v1/keys/k").status, 204);
    let change = next(&mut watcher);
    assert_eq!((change["deleted"].as_bool(), change.get("value")), (Some(true), None));
    let mut from_the_start = socket(&server, "?since=start");
    next(&mut from_the_start);
    for number in 0..600 {
        assert_eq!(next(&mut from_the_start)["value"].as_str(), Some(&*number.to_string()));
    }
}

#[test]
fn a_write_that_did_not_come_through_the_server_is_shown_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let engine =
        logladder::stage("hash-log").unwrap().open(folder.path(), logladder::SyncPolicy::Never).unwrap();
    let shared = std::sync::Arc::new(engine);
    let server = harness::serve_shared(std::sync::Arc::clone(&shared), harness::options(), folder);
    let mut watcher = socket(&server, "");
    next(&mut watcher);
    shared.set(b"from", b"elsewhere").unwrap();
    assert_eq!(next(&mut watcher)["key"].as_str(), Some("from"));
}

#[test]
fn server_sent_events_go_on_behind_the_last_one_that_was_seen() {
    let server = stage("hash-log");
    write(&server, 0..3);
    let lines = |header: &str| {
        let mut stream = server.connect();
        write!(stream, "GET /v1/changes?since=start HTTP/1.1\r\nhost: localhost\r\n{header}\r\n").unwrap();
        BufReader::new(stream).lines().map(Result::unwrap)
    };
    let mut first = lines("");
    let mut id = String::new();
    let data = loop {
        let line = first.next().unwrap();
        if let Some(found) = line.strip_prefix("id: ") {
            found.clone_into(&mut id);
        }
        if let Some(data) = line.strip_prefix("data: {") {
            break data.to_owned();
        }
    };
    assert!(data.contains("\"value\":\"0\""), "{data}");
    let mut again = lines(&format!("Last-Event-ID: {id}\r\n"));
    assert!(again.by_ref().any(|line| line == "content-type: text/event-stream"));
    let data = again.find(|line| line.starts_with("data: {")).unwrap();
    assert!(data.contains("\"value\":\"1\""), "{data}");
}

#[test]
fn a_place_that_never_was_is_refused_before_anything_is_shown() {
    let server = stage("hash-log");
    assert_eq!(server.get("/v1/changes?since=yesterday").status, 400);
    assert_eq!(server.get("/v1/changes?since=9999.1.9999").status, 400);
    let answer = server.send("GET", "/v1/changes", &[("connection", "upgrade"), ("upgrade", "h2c")], b"");
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn watchers_beyond_the_limit_are_refused_and_a_shutdown_says_goodbye() {
    let folder = tempfile::tempdir().unwrap();
    let engine =
        logladder::stage("hash-log").unwrap().open(folder.path(), logladder::SyncPolicy::Never).unwrap();
    let mut options = harness::options();
    options.max_watchers = 1;
    let mut server = harness::serve(engine, options, folder);
    let mut watcher = socket(&server, "");
    next(&mut watcher);
    assert_eq!(server.get("/v1/changes").status, 503);
    server.tell_to_stop();
    let Message::Close(Some(frame)) = watcher.read().unwrap() else { panic!("no goodbye") };
    assert_eq!(u16::from(frame.code), 1001);
    server.ended().unwrap();
}

#[test]
fn a_watcher_that_takes_nothing_is_dropped_and_its_place_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let engine =
        logladder::stage("hash-log").unwrap().open(folder.path(), logladder::SyncPolicy::Never).unwrap();
    let mut options = harness::options();
    options.max_watchers = 1;
    options.write_timeout = std::time::Duration::from_millis(50);
    let server = harness::serve(engine, options, folder);
    for upgrade in [true, false] {
        let stalled = if upgrade {
            socket(&server, "?since=start").get_mut().try_clone().unwrap()
        } else {
            let mut stream = server.connect();
            stream.write_all(b"GET /v1/changes?since=start HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            stream
        };
        // More than the buffers of both ends hold.
        for _ in 0..16 {
            assert_eq!(server.put("/v1/keys/large", &vec![b'v'; 1 << 20]).status, 204);
        }
        let freed = (0..100_000).any(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /v1/changes HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).unwrap();
            line.contains("200")
        });
        assert!(freed, "upgrade: {upgrade}");
        drop(stalled);
    }
}
