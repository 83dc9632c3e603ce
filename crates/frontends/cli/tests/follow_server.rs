//! `watch --url`: what a server pushes, printed; across its death, without a gap and without a repetition.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod running;

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use running::{Server, logladder};

struct Watching {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Watching {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut process = watch(url, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The place behind the next change, and the change.
    fn next(&mut self) -> (String, String) {
        let line = self.lines.next().unwrap().unwrap();
        let (position, change) = line.split_once('\t').unwrap();
        (position.to_owned(), change.to_owned())
    }
}

fn watch(url: &str, arguments: &[&str]) -> Command {
    let mut command = logladder();
    command.args(["watch", "--url", url]).args(arguments);
    command
}

/// The exit code and the message of a watch that ends by itself.
fn refused(url: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = watch(url, arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Sets `k0` to 0, and so on. No key is set twice, so that compaction has no reason to take a change from a watcher.
fn write(server: &Server, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert_eq!(server.ask("PUT", &format!("/v1/keys/k{number}"), &number.to_string()).0, 204);
    }
}

#[test]
fn a_watch_goes_on_where_it_was_when_the_server_is_killed_and_started_again() {
    for stage in ["hash-log", "replay-log"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &["--stage", stage], "warn");
        let (address, url) = (server.address.clone(), format!("http://{}/", server.address));
        write(&server, 0..20);
        let mut watching = Watching::start(&url, &["--all", "--count", "80"]);
        for number in 0..20 {
            assert_eq!(watching.next().1, format!("set\tk{number}\t{number}"), "{stage}");
        }
        write(&server, 20..40);
        // Some of these were pushed when the server dies, and some may not have been.
        server.end("-KILL");
        let server = Server::start_at(&address, folder.path(), &[], "warn");
        write(&server, 40..60);
        for number in 20..60 {
            assert_eq!(watching.next().1, format!("set\tk{number}\t{number}"), "{stage}");
        }
        let (ended, log) = server.end("-TERM");
        assert!(ended.success(), "a watcher does not hold the end up: {log}");
        let server = Server::start_at(&address, folder.path(), &[], "warn");
        write(&server, 60..79);
        assert_eq!(server.ask("DELETE", "/v1/keys/k0", "").0, 204);
        let mut last = String::new();
        for number in 60..79 {
            let (position, change) = watching.next();
            assert_eq!(change, format!("set\tk{number}\t{number}"), "{stage}");
            last = position;
        }
        assert_eq!(watching.next().1, "del\tk0", "{stage}");
        // It has as many as it was to print.
        assert!(watching.process.wait().unwrap().success());
        let mut again = Watching::start(&url, &["--since", &last, "--count", "1", "--json"]);
        let line = again.lines.next().unwrap().unwrap();
        assert!(line.ends_with(r#","key":"k0","value":null}"#), "{line}");
    }
}

#[test]
fn a_watch_that_begins_now_shows_what_is_written_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[], "warn");
    write(&server, 0..1);
    let mut watching = Watching::start(&format!("http://{}", server.address), &["--count", "1"]);
    // Nobody says when it listens, so something is written until it shows that it does.
    let mut written = 1;
    let shown = std::thread::scope(|scope| {
        let shown = scope.spawn(move || watching.next().1);
        while !shown.is_finished() {
            write(&server, written..written + 1);
            written += 1;
        }
        shown.join().unwrap()
    });
    assert!((1..written).any(|number| shown == format!("set\tk{number}\t{number}")), "{shown}");
}

#[test]
fn what_a_server_refuses_ends_the_watch_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--stage", "replay-log"], "warn");
    let url = format!("http://{}", server.address);
    write(&server, 0..10);
    assert_eq!(server.ask("POST", "/v1/compact", "").0, 200);
    let (code, message) = refused(&url, &["--since", "0.1.0"]);
    assert_eq!(code, Some(3), "{message}");
    assert!(message.contains(" is the earliest place now"), "{message}");
    let earliest = message.split("--since ").nth(1).unwrap().split(' ').next().unwrap();
    let mut watching = Watching::start(&url, &["--since", earliest, "--count", "1"]);
    write(&server, 10..11);
    assert_eq!(watching.next().1, "set\tk10\t10");

    let (code, message) = refused(&url, &["--since", "999.1.9"]);
    assert_eq!(code, Some(2), "{message}");
    let (code, message) = refused("https://localhost", &[]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("must begin with http://"), "{message}");
    let address = server.address.clone();
    server.end("-TERM");
    let (code, message) = refused(&format!("http://{address}"), &[]);
    assert_eq!(code, Some(3), "{message}");
    assert!(message.contains("cannot reach http://"), "{message}");

    let server = Server::start(&folder.path().join("other"), &["--stage", "scan-log"], "warn");
    let (code, message) = refused(&format!("http://{}", server.address), &[]);
    assert_eq!(code, Some(5), "{message}");
    assert!(message.contains("keeps no log of changes"), "{message}");
}

#[test]
fn a_watch_shows_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = logladder();
    command.arg("--dir").arg(folder.path()).args(["serve", "--addr", "127.0.0.1:0", "--log", "warn"]);
    command.args(["--token", "open sesame"]);
    let mut server = Server::of(command);
    let url = format!("http://{}", server.address);
    let (code, message) = refused(&url, &["--token", "wrong"]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("send the token"), "{message}");
    let mut watching = watch(&url, &["--count", "1"])
        .env("LOGLADDER_TOKEN", "open sesame")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = watching.stdout.take().unwrap();
    std::thread::scope(|scope| {
        let shown = scope.spawn(move || BufReader::new(out).lines().next().unwrap().unwrap());
        while !shown.is_finished() {
            let mut stream = server.connect();
            let put = "PUT /v1/keys/k HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                       authorization: Bearer open sesame\r\ncontent-length: 1\r\n\r\nv";
            std::io::Write::write_all(&mut stream, put.as_bytes()).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
        assert!(shown.join().unwrap().ends_with("set\tk\tv"));
    });
    assert!(watching.wait().unwrap().success());
    assert!(server.process.try_wait().unwrap().is_none());
}
