//! The server as a process: the session of the append-only file, its end by a signal, and its death.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A server of its own, killed if the test does not end it.
struct Server {
    process: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Its log goes into a pipe that is read at the end, so let it log little.
    fn start(dir: &Path, arguments: &[&str], log: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_logladder"))
            .env_remove("LOGLADDER_TOKEN")
            .arg("--dir")
            .arg(dir)
            .args(arguments)
            .args(["serve", "--addr", "127.0.0.1:0", "--log", log])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { process, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The status of an answer, and its body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let len = body.len();
        // In one piece, so that no piece waits for the other's receipt.
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.trim_end().to_owned())
    }

    /// Ends it by a signal, and says how it ended and what it had logged.
    fn end(mut self, signal: &str) -> (ExitStatus, String) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.process.wait().unwrap(), log)
    }
}

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

#[test]
fn a_server_that_is_killed_under_load_has_kept_every_write_that_it_answered() {
    for stage in ["replay-log", "hash-log"] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(folder.path(), &["--stage", stage, "--sync", "never"], "warn");
        let mut answered = 0;
        let mut stream = server.connect();
        let mut write = |number: u32| {
            let head = "host: localhost\r\ncontent-length: 5\r\n\r\nvalue";
            let request = format!("PUT /v1/keys/{number} HTTP/1.1\r\n{head}");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = [0; 512];
            let len = stream.read(&mut answer).unwrap();
            assert!(answer[..len].starts_with(b"HTTP/1.1 204"), "{}", answer[..len].escape_ascii());
        };
        for number in 0..500 {
            write(number);
            answered = number;
        }
        server.process.kill().unwrap();
        server.process.wait().unwrap();
        let again = Server::start(folder.path(), &[], "warn");
        for number in 0..=answered {
            assert_eq!(again.ask("GET", &format!("/v1/keys/{number}"), ""), (200, "value".to_owned()));
        }
    }
}

#[test]
fn a_port_in_use_and_an_address_without_a_token_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(&folder.path().join("one"), &[], "warn");
    let refused = |address: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_logladder"))
            .env_remove("LOGLADDER_TOKEN")
            .arg("--dir")
            .arg(folder.path().join("two"))
            .args(["serve", "--addr", address])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, message) = refused(&first.address);
    assert_eq!(code, Some(3), "{message}");
    assert!(message.contains("cannot listen at") && message.contains("name another"), "{message}");
    let (code, message) = refused("0.0.0.0:0");
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("a token is needed"), "{message}");
}
