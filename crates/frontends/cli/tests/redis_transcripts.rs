//! The book's page on Redis, replayed with `redis-cli`: servers are started in the background on ports of their own, and what they
//! answer must be what the page says. `SNAPSHOTS=overwrite` writes the page anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod page;
mod running;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use running::logladder;
use snapbox::{Data, assert_data_eq};

/// The addresses on the page, which a test cannot be sure to have.
const HTTP: &str = "http://127.0.0.1:8080";
const REDIS: &str = "127.0.0.1:6380";

/// A reader of the page with a terminal.
struct Reader<'f> {
    folder: &'f Path,
    server: Option<Child>,
    port: String,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Reader<'_> {
    /// What the reader sees for a line.
    fn run(&mut self, line: &str) -> String {
        if let Some(rest) = line.strip_prefix("logladder ").and_then(|rest| rest.strip_suffix(" 2>log &")) {
            return self.start(rest);
        }
        if line == "kill %1" {
            let mut server = self.server.take().unwrap();
            let id = server.id().to_string();
            assert!(Command::new("kill").arg(id).status().unwrap().success());
            assert!(server.wait().unwrap().success());
            return String::new();
        }
        // On a terminal it says what kind each answer is.
        let kind = if line.starts_with("redis-cli") { "redis-cli --no-raw -p " } else { "redis-cli -p " };
        let line = line.replace("redis-cli -p 6380", &(kind.to_owned() + &self.port));
        page::shell(&line, self.folder)
    }

    fn start(&mut self, line: &str) -> String {
        let arguments = line.replace(REDIS, "127.0.0.1:0");
        let mut server = logladder()
            .current_dir(self.folder)
            .args(arguments.split(' '))
            .args(["--addr", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with("http://127.0.0.1:"));
        let redis = lines.next().unwrap().unwrap();
        redis.strip_prefix("redis://127.0.0.1:").unwrap().clone_into(&mut self.port);
        self.server = Some(server);
        format!("{HTTP}\nredis://{REDIS}\n")
    }
}

#[test]
fn every_transcript_of_the_page_is_what_redis_cli_shows() {
    let has_tool = Command::new("redis-cli").arg("--version").output().is_ok();
    assert!(
        has_tool,
        "redis-cli is missing; `cargo xtask test` installs it where it may; by hand, as root: \
         `apt-get update && apt-get install redis-tools`"
    );
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader { folder: folder.path(), server: None, port: String::new() };
    let path = page::path_of("redis.md");
    let page = std::fs::read_to_string(&path).unwrap();
    assert_data_eq!(page::replayed(&page, |line| reader.run(line)), Data::read_from(&path, None).raw());
}
