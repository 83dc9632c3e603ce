//! The end of a server under load, by `kill -9` and by SIGTERM: what it answered is there afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod running;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use running::{PATIENCE, Server, logladder};

/// So many write at once.
const CLIENTS: u32 = 8;

/// So many writes are answered before the server is ended.
const BEFORE: usize = 400;

/// The stages that a process may be killed in without a loss, with every policy: what was acknowledged is with the system.
const KEPT: [(&str, &str); 9] = [
    ("replay-log", "always"),
    ("replay-log", "1s"),
    ("replay-log", "never"),
    ("hash-log", "always"),
    ("hash-log", "1s"),
    ("hash-log", "never"),
    ("sorted-log", "always"),
    ("sorted-log", "1s"),
    ("sorted-log", "never"),
];

/// Writes one key after the other until the server is gone, and says how many were answered.
fn write_until_gone(mut stream: TcpStream, client: u32, answered: &Sender<()>) -> u32 {
    for number in 0.. {
        let value = format!("{client} {number}");
        let request = format!(
            "PUT /v1/keys/{client}-{number} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{value}",
            value.len()
        );
        let mut answer = Vec::new();
        let is_sent = stream.write_all(request.as_bytes()).is_ok();
        while is_sent && !answer.ends_with(b"\r\n\r\n") {
            let mut piece = [0; 512];
            match stream.read(&mut piece) {
                Ok(len) if len > 0 => answer.extend_from_slice(&piece[..len]),
                _ => break,
            }
        }
        if answer.is_empty() {
            return number;
        }
        let text = answer.escape_ascii();
        assert!(
            answer.starts_with(b"HTTP/1.1 204 ") && answer.ends_with(b"\r\n\r\n"),
            "half an answer: {text}"
        );
        // Nobody counts any more once there are enough.
        let _ = answered.send(());
    }
    0
}

/// Starts a server, ends it by `signal` while clients write, and says how many writes of each were answered.
fn ended_under_load(dir: &Path, arguments: &[&str], signal: &str) -> Vec<u32> {
    let mut server = Server::start(dir, arguments, "warn");
    let (answered, answers) = channel();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (stream, answered) = (server.connect(), answered.clone());
                scope.spawn(move || write_until_gone(stream, client, &answered))
            })
            .collect();
        for _ in 0..BEFORE {
            answers.recv_timeout(PATIENCE).unwrap();
        }
        server.signal(signal);
        let status = server.process.wait().unwrap();
        assert_eq!(status.success(), signal == "-TERM", "{status}");
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

/// What is in the store now.
fn exported(dir: &Path) -> HashMap<String, String> {
    let output = logladder().arg("--dir").arg(dir).args(["export", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| line.split_once('\t').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
}

fn assert_kept(stage: &str, sync: &str, signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    let answered = ended_under_load(folder.path(), &["--stage", stage, "--sync", sync], signal);
    let mut found = exported(folder.path());
    for (client, answered) in answered.iter().enumerate() {
        for number in 0..*answered {
            let value = found.remove(&format!("{client}-{number}"));
            assert_eq!(
                value,
                Some(format!("{client} {number}")),
                "{stage}, {sync}: {client}-{number} was answered"
            );
        }
        // What was on its way when the end came may be there as well, and nothing else.
        if let Some(value) = found.remove(&format!("{client}-{answered}")) {
            assert_eq!(value, format!("{client} {answered}"));
        }
    }
    assert_eq!(found, HashMap::new(), "{stage}, {sync}");
}

#[test]
fn a_server_that_is_killed_under_load_has_kept_every_write_that_it_answered() {
    for (stage, sync) in KEPT {
        assert_kept(stage, sync, "-KILL");
    }
}

#[test]
fn a_server_that_is_told_to_stop_under_load_answers_whole_or_not_at_all_and_keeps_what_it_answered() {
    for (stage, sync) in KEPT.into_iter().chain([("scan-log", "never"), ("file-per-key", "never")]) {
        assert_kept(stage, sync, "-TERM");
    }
}
