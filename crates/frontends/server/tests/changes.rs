//! Following what is written: in order, without gaps, from any place.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use harness::{Running, stage};
use tungstenite::handshake::HandshakeError;
use tungstenite::{Error, Message, WebSocket};

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
fn a_watcher_that_says_goodbye_is_answered_in_kind() {
    let server = stage("hash-log");
    let mut watcher = socket(&server, "");
    assert!(next(&mut watcher)["position"].is_string());
    watcher.close(None).unwrap();
    assert!(matches!(watcher.read(), Ok(Message::Close(_))), "the server's own");
    assert!(matches!(watcher.read(), Err(Error::ConnectionClosed)), "both have said it");
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

/// The server after its log lost the first changes, and the place before them.
fn compacted(stage: &str) -> (Running, String) {
    let server = self::stage(stage);
    let before = next(&mut socket(&server, ""))["position"].as_str().unwrap().to_owned();
    write(&server, 0..100);
    assert_eq!(server.post("/v1/compact", "").status, 200);
    (server, before)
}

#[test]
fn a_place_that_compaction_took_is_gone_and_the_earliest_one_is_named() {
    for stage in ["hash-log", "replay-log"] {
        let (server, before) = compacted(stage);
        let answer = server.get(&format!("/v1/changes?since={before}"));
        assert_eq!(answer.status, 410, "{stage}: {answer:?}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let earliest = body["earliest"].as_str().unwrap().to_owned();
        let url = format!("ws://{}/v1/changes?since={before}", server.address);
        let Err(HandshakeError::Failure(Error::Http(refused))) = tungstenite::client(url, server.connect())
        else {
            panic!("a WebSocket from a place that is gone");
        };
        assert_eq!(refused.status().as_u16(), 410, "{stage}");
        assert_eq!(refused.body().as_deref(), Some(&*answer.body), "{stage}");
        // From the place that was named the watcher goes on.
        let mut watcher = socket(&server, &format!("?since={earliest}"));
        assert_eq!(next(&mut watcher)["position"].as_str(), Some(&*earliest));
        write(&server, 100..101);
        assert_eq!(next(&mut watcher)["value"].as_str(), Some("100"), "{stage}");
    }
}

#[test]
fn a_watcher_that_compaction_overtakes_is_told_at_the_end_of_its_stream() {
    const CHANGES: usize = 32;
    for stage in ["hash-log", "replay-log"] {
        let server = self::stage(stage);
        // Both take nothing yet.
        let mut watcher = socket(&server, "?since=start");
        let mut reader = server.connect();
        reader.write_all(b"GET /v1/changes?since=start HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        // More than the buffers of both ends hold.
        for _ in 0..CHANGES {
            assert_eq!(server.put("/v1/keys/large", &vec![b'v'; 1 << 20]).status, 204);
        }
        assert_eq!(server.post("/v1/compact", "").status, 200);

        let mut shown = 0;
        let end = loop {
            let told = next(&mut watcher);
            if told["status"].is_number() {
                break told;
            }
            shown += usize::from(told["key"].is_string());
        };
        assert!(shown < CHANGES, "{stage}: nothing was taken from the watcher");
        assert_eq!(end["status"], 410, "{stage}: {end}");
        let Message::Close(Some(frame)) = watcher.read().unwrap() else { panic!("no goodbye") };
        assert_eq!(u16::from(frame.code), 1008);

        let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "event: error"), "{stage}");
        let told = lines.next().unwrap();
        let told: serde_json::Value = serde_json::from_str(told.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(told, end, "{stage}");
        // Such a stream has an end.
        assert!(lines.any(|line| line == "0"), "{stage}");

        let mut again = socket(&server, &format!("?since={}", end["earliest"].as_str().unwrap()));
        assert!(next(&mut again)["position"].is_string(), "{stage}");
    }
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

#[test]
fn only_some_may_take_over_everything_at_once_and_the_next_may_when_one_is_gone() {
    let server = stage("hash-log");
    for number in 0..24 {
        assert_eq!(server.put(&format!("/v1/keys/{number}"), &vec![b'v'; 1 << 20]).status, 204);
    }
    // None of them reads more than the buffers of both ends hold.
    let mut readers: Vec<_> = (0..16).map(|_| socket(&server, "?snapshot=true")).collect();
    let url = format!("ws://{}/v1/changes?snapshot=true", server.address);
    let refused = tungstenite::client(&url, server.connect());
    let Err(HandshakeError::Failure(Error::Http(answer))) = refused else { panic!("a seventeenth") };
    assert_eq!(answer.status(), 503);
    // Who only follows the changes is let in.
    drop(socket(&server, ""));
    readers.pop();
    assert!(harness::in_the_end(|| tungstenite::client(&url, server.connect()).is_ok()));
}
