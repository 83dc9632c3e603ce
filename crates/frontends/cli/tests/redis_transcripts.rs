//! The book's page on Redis, replayed with `redis-cli`: servers are started in the background on ports of their own, and what they
//! answer must be what the page says. `SNAPSHOTS=overwrite` writes the page anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod page;
mod running;

use std::path::Path;
use std::process::Stdio;

use running::{Server, logladder};
use snapbox::{Data, assert_data_eq};

/// The addresses on the page, which a test cannot be sure to have.
const HTTP: &str = "http://127.0.0.1:8080";
const REDIS: &str = "127.0.0.1:6380";

/// A reader of the page with a terminal.
struct Reader<'f> {
    folder: &'f Path,
    server: Option<Server>,
    port: String,
}

impl Reader<'_> {
    /// What the reader sees for a line.
    fn run(&mut self, line: &str) -> String {
        if let Some(rest) = line.strip_prefix("logladder ").and_then(|rest| rest.strip_suffix(" 2>log &")) {
            return self.start(rest);
        }
        if line == "kill %1" {
            self.server.take().unwrap().end_well("-TERM");
            return String::new();
        }
        // On a terminal it says what kind each answer is.
        let kind = if line.starts_with("redis-cli") { "redis-cli --no-raw -p " } else { "redis-cli -p " };
        let line = line.replace("redis-cli -p 6380", &(kind.to_owned() + &self.port));
        page::shell(&line, self.folder)
    }

    fn start(&mut self, line: &str) -> String {
        let mut command = logladder();
        command.current_dir(self.folder).args(line.replace(REDIS, "127.0.0.1:0").split(' '));
        command.args(["--addr", "127.0.0.1:0"]).stderr(Stdio::null());
        let mut server = Server::of(command);
        server.next_address("redis://127.0.0.1:").clone_into(&mut self.port);
        self.server = Some(server);
        format!("{HTTP}\nredis://{REDIS}\n")
    }
}

#[test]
fn every_transcript_of_the_page_is_what_redis_cli_shows() {
    page::require("redis-cli", "redis-tools");
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader { folder: folder.path(), server: None, port: String::new() };
    let path = page::path_of("redis.md");
    let page = std::fs::read_to_string(&path).unwrap();
    assert_data_eq!(page::replayed(&page, |line| reader.run(line)), Data::read_from(&path, None).raw());
}
