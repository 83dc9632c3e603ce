//! The server as a process: the session of the append-only file, what it logs, and what it refuses to begin with.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod running;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Command;

use running::{Answer, Server, logladder};
use serde_json::Value;

#[test]
fn two_runs_over_the_append_only_file_go_as_its_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let aof = || std::fs::read_to_string(folder.path().join("appendonly-0000000001.aof")).unwrap();
    let set = "{\"operation\":\"SET\",\"key\":\"name\",\"value\":\"John\"}\n";

    let server = Server::start(folder.path(), &["--stage", "replay-log"], "info");
    assert_eq!(server.ask("POST", "/set", r#"{"key":"name","value":"John"}"#).0, 201);
    let (status, body) = server.ask("GET", "/get/name", "");
    assert_eq!(status, 200);
    assert!(body.contains("\"John\""), "{body}");
    assert_eq!(aof(), set);
    let (ended, log) = server.end("-INT");
    assert!(ended.success(), "{log}");
    assert!(log.contains("AOF file is empty, starting with empty database"), "{log}");
    for part in ["Starting server on http://127.0.0.1:", "POST", "/set", "201", "Shutting down server..."] {
        assert!(log.contains(part), "{part} in {log}");
    }

    let server = Server::start(folder.path(), &[], "info");
    assert_eq!(server.ask("GET", "/get/name", "").0, 200);
    assert_eq!(server.ask("DELETE", "/del/name", "").0, 204);
    assert_eq!(server.ask("GET", "/get/name", "").0, 404);
    assert_eq!(aof(), format!("{set}{{\"operation\":\"DEL\",\"key\":\"name\"}}\n"));
    let (ended, log) = server.end("-TERM");
    assert!(ended.success(), "{log}");
    assert!(log.contains("Loaded 1 operations from AOF file"), "{log}");
}

/// Some requests, each with its method and its path.
fn asked(server: &Server) -> [(&'static str, &'static str, Answer); 5] {
    let ask = |method, path, body| (method, path, server.answer(method, path, body));
    [
        ask("POST", "/set", r#"{"key":"name","value":"John"}"#),
        ask("GET", "/get/name", ""),
        ask("DELETE", "/del/name", ""),
        ask("GET", "/get/name?a%20b", ""),
        ask("BREW", "/nowhere", ""),
    ]
}

#[test]
fn the_log_for_people_has_a_line_for_start_each_request_and_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--stage", "replay-log"], "info");
    let address = server.address.clone();
    let asked = asked(&server);
    let (ended, log) = server.end("-TERM");
    assert!(ended.success(), "{log}");
    // Each begins with its time, which is of no interest here, and its level.
    let mut lines = log.lines().map(|line| line.split_once("  INFO ").unwrap_or_else(|| panic!("{line}")).1);
    assert_eq!(lines.next().unwrap(), "AOF file is empty, starting with empty database");
    let started = format!("Starting server on http://{address}, over a store of the stage replay-log");
    assert_eq!(lines.next().unwrap(), started);
    for (method, path, answer) in asked {
        let (said, took) = lines.next().unwrap().rsplit_once(' ').unwrap();
        let Answer { status, peer, bytes, .. } = answer;
        let expected =
            format!("\"{method} http://localhost{path} HTTP/1.1\" from {peer} - {status} {bytes}B in");
        assert_eq!(said, expected);
        assert!(took.ends_with('s') && took.starts_with(|first: char| first.is_ascii_digit()), "{took}");
    }
    assert_eq!(lines.next().unwrap(), "Shutting down server...");
    assert_eq!(lines.next().unwrap(), "The server has stopped, and the store is synced");
    assert_eq!(lines.next(), None);
}

#[test]
fn the_log_for_programs_is_json_in_every_line_with_each_part_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--stage", "replay-log", "--json"], "info");
    let asked = asked(&server);
    let (ended, log) = server.end("-INT");
    assert!(ended.success(), "{log}");
    let mut lines =
        log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
    let mut message = || lines.next().unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(message(), "AOF file is empty, starting with empty database");
    assert!(message().starts_with("Starting server on http://127.0.0.1:"));
    for (method, path, answer) in asked {
        let line = lines.next().unwrap();
        assert_eq!(line["target"], "logladder::access");
        assert_eq!(line["method"], method);
        assert_eq!(line["url"], format!("http://localhost{path}"));
        assert_eq!(line["peer"], answer.peer.to_string());
        assert_eq!(line["status"], answer.status);
        assert_eq!(line["bytes"], answer.bytes);
        assert!(line["seconds"].as_f64().unwrap() > 0.0 && line["timestamp"].is_string(), "{line}");
    }
    assert_eq!(lines.next().unwrap()["message"], "Shutting down server...");
    assert_eq!(lines.next().unwrap()["message"], "The server has stopped, and the store is synced");
    assert_eq!(lines.next(), None);
}

#[test]
fn a_torn_end_of_the_log_is_mended_at_the_start_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path(), &["--stage", "replay-log"], "warn").end("-TERM");
    let aof = folder.path().join("appendonly-0000000001.aof");
    let mut file = std::fs::OpenOptions::new().append(true).open(aof).unwrap();
    file.write_all(b"{\"operation\":\"SET\",\"key\":\"na").unwrap();
    let server = Server::start(folder.path(), &["--json"], "info");
    let (ended, log) = server.end("-TERM");
    assert!(ended.success(), "{log}");
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(first["level"], "WARN");
    assert!(first["message"].as_str().unwrap().starts_with("Repaired: "), "{first}");
}

/// How `logladder serve` ends that does not begin.
fn refused(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = logladder().arg("--dir").arg(dir).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_port_in_use_and_an_address_without_a_token_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(&folder.path().join("one"), &[], "warn");
    let two = folder.path().join("two");
    let (code, message) = refused(&two, &["serve", "--addr", &first.address]);
    assert_eq!(code, Some(3), "{message}");
    assert!(message.contains("cannot listen at") && message.contains("name another"), "{message}");
    let (code, message) = refused(&two, &["serve", "--addr", "0.0.0.0:0"]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("a token is needed"), "{message}");
    assert!(!two.exists(), "a store was made for a server that did not begin");
}

#[test]
fn versions_are_refused_by_a_stage_without_them_and_backups_within_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let memory = ["--stage", "memory", "--versions", "5", "serve", "--addr", "127.0.0.1:0"];
    let (code, message) = refused(&dir, &memory);
    assert_eq!(code, Some(5), "{message}");
    assert!(message.contains("for those that do: replay-log, hash-log"), "{message}");
    let inside = dir.join("backups");
    let (code, message) =
        refused(&dir, &["serve", "--addr", "127.0.0.1:0", "--backups", inside.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("--backups"), "{message}");
    assert!(!dir.exists());
}

#[test]
fn a_backup_of_a_served_store_is_made_in_the_folder_for_it_and_read_by_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, backups) = (folder.path().join("store"), folder.path().join("copies/of/store"));
    let mut command = logladder();
    command.arg("--dir").arg(&dir).args(["serve", "--addr", "127.0.0.1:0", "--log", "warn", "--backups"]);
    command.arg(&backups);
    let server = Server::of(command);
    assert_eq!(server.ask("PUT", "/v1/keys/city", "Dhaka").0, 204);
    let (status, body) = server.ask("POST", "/v1/backup", r#"{"name":"monday"}"#);
    assert_eq!(status, 201, "{body}");
    // The store is still served; its copy is read meanwhile.
    let output = logladder().arg("--dir").arg(backups.join("monday")).args(["get", "city"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Dhaka\n");
    server.end_well("-TERM");
}

#[test]
fn the_log_says_what_the_end_waits_for_and_a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--sync", "never"], "info,logladder::access=off");
    assert_eq!(server.ask("PUT", "/v1/keys/whole", "v").0, 204);
    let mut half = server.connect();
    half.write_all(b"PUT /v1/keys/half HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf")
        .unwrap();
    // The server has begun with it: it has another request's answer behind it.
    assert_eq!(server.ask("GET", "/healthz", "").0, 200);
    let mut log = BufReader::new(server.process.stderr.take().unwrap()).lines().map(Result::unwrap);
    server.signal("-TERM");
    let waits = log.find(|line| line.contains("Waiting for ")).unwrap();
    assert!(waits.contains("Waiting for 1 connections") && waits.contains("for 30 s at most"), "{waits}");
    server.signal("-INT");
    let rest: Vec<String> = log.collect();
    assert!(rest[0].contains("Told to stop again: 1 connections are cut off"), "{rest:?}");
    assert!(rest[1].contains("The server has stopped, and the store is synced"), "{rest:?}");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert_eq!(half.read(&mut [0; 16]).unwrap_or(0), 0);
    let output = logladder().arg("--dir").arg(folder.path()).args(["get", "whole"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "v\n");
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_that_cannot_be_written_costs_its_lines_and_neither_answers_nor_the_last_sync() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = logladder();
    command.arg("--dir").arg(folder.path()).args(["--sync", "never", "serve", "--addr", "127.0.0.1:0"]);
    command.stderr(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let server = Server::of(command);
    assert_eq!(server.ask("PUT", "/v1/keys/a", "1").0, 204);
    assert_eq!(server.ask("GET", "/healthz", "").0, 200);
    server.end_well("-TERM");
}

#[test]
fn a_store_that_a_server_has_open_is_refused_with_its_process_and_the_way_to_watch_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[], "warn");
    let serve = ["--wait", "0s", "serve", "--addr", "127.0.0.1:0"];
    for arguments in [&serve[..], &["--wait", "0s", "get", "a"], &["--wait", "0s", "watch"]] {
        let (code, message) = refused(folder.path(), arguments);
        assert_eq!(code, Some(3), "{message}");
        assert!(message.contains("LOGLADDER is locked"), "{message}");
        assert_eq!(message.contains("logladder watch --url"), arguments.contains(&"watch"), "{message}");
        if cfg!(target_os = "linux") {
            let owner = format!("process {} (logladder) has this store open", server.process.id());
            assert!(message.contains(&owner), "{message}");
        }
    }
}

#[test]
fn an_unknown_stage_and_a_folder_of_another_stage_are_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path(), &["--stage", "scan-log"], "warn").end("-TERM");
    let files = || {
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let before = files();
    let (code, message) = refused(folder.path(), &["--stage", "hash-log", "serve", "--addr", "127.0.0.1:0"]);
    assert_eq!(code, Some(3), "{message}");
    assert!(message.contains("it holds a store of stage scan-log"), "{message}");
    let (code, message) = refused(folder.path(), &["--stage", "btree", "serve", "--addr", "127.0.0.1:0"]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("there is no stage `btree`") && message.contains("7 hash-log"), "{message}");
    assert_eq!(files(), before);
}

#[test]
fn a_server_that_may_open_few_files_turns_clients_away_and_keeps_writing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    let script =
        "ulimit -n 64; exec \"$0\" --dir \"$1\" --stage hash-log serve --addr 127.0.0.1:0 --log error";
    command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_logladder")).arg(folder.path());
    let server = Server::of(command);
    let mut held = Vec::new();
    let mut turned_away = 0;
    for _ in 0..100 {
        let mut stream = server.connect();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        match &status[9..] {
            b"200" => held.push(stream),
            b"503" => turned_away += 1,
            other => panic!("{}", other.escape_ascii()),
        }
    }
    assert!(turned_away > 0 && !held.is_empty());
    // With all places taken there are files left for the store.
    let put = b"PUT /v1/keys/a?sync=true HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\nv";
    let mut answer = [0; 4096];
    held[0].write_all(put).unwrap();
    let text = loop {
        let len = held[0].read(&mut answer).unwrap();
        let text = answer[..len].escape_ascii().to_string();
        if text.contains("HTTP/1.1 204") || len == 0 || text.contains("HTTP/1.1 5") {
            break text;
        }
    };
    assert!(text.contains("HTTP/1.1 204"), "{text}");
}
