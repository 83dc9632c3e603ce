//! The book's page on HTTP, replayed with `curl`: servers are started in the background on ports of their own, and what they
//! answer must be what the page says. `SNAPSHOTS=overwrite` writes the page anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod page;
mod running;

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use running::{Server, logladder};
use snapbox::{Data, assert_data_eq};

/// The address on the page, which a test cannot be sure to have.
const SHOWN: &str = "127.0.0.1:8080";
const SHOWN_BY_NAME: &str = "localhost:8080";

/// A reader of the page with a terminal.
struct Reader<'f> {
    folder: &'f Path,
    server: Option<Server>,
    /// Where the last server listened, for its log says so when it has ended.
    port: String,
}

impl Reader<'_> {
    /// What the reader sees for a line.
    fn run(&mut self, line: &str) -> String {
        if let Some(rest) = line.strip_prefix("logladder ").and_then(|rest| rest.strip_suffix(" &")) {
            return self.start(rest);
        }
        let (address, by_name) = (format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port));
        let asked = line.replace(SHOWN, &address).replace(SHOWN_BY_NAME, &by_name);
        let shown = if let Some(signal) = line.strip_prefix("kill ").and_then(|rest| rest.strip_suffix("%1"))
        {
            self.server.take().unwrap().end_well(if signal.is_empty() { "-TERM" } else { signal.trim_end() });
            String::new()
        } else {
            page::shell(&asked, self.folder)
        };
        without_chance(&shown.replace(&address, SHOWN).replace(&by_name, SHOWN_BY_NAME))
    }

    /// Starts a server, with its log in a file if the line says so, and shows what it prints.
    fn start(&mut self, line: &str) -> String {
        let (line, log) = line.split_once(" 2>").map_or((line, None), |(line, log)| (line, Some(log)));
        let mut command = logladder();
        command.current_dir(self.folder).args(line.split(' ')).args(["--addr", "127.0.0.1:0"]);
        command.stderr(log.map_or_else(Stdio::null, |log| {
            // A reader starts it twice, and the log of the second run takes the place of the first.
            Stdio::from(
                File::options().write(true).create(true).truncate(true).open(self.folder.join(log)).unwrap(),
            )
        }));
        let server = Server::of(command);
        server.address.rsplit(':').next().unwrap().clone_into(&mut self.port);
        self.server = Some(server);
        format!("http://{SHOWN}\n")
    }
}

/// The text without what is different each time: times, ports of clients, durations.
fn without_chance(text: &str) -> String {
    let line = |line: &str| {
        let mut line = line.trim_end_matches('\r').to_owned();
        if line.get(4..5) == Some("-")
            && let Some((time, rest)) = line.split_once("Z ")
            && time.len() > 18
        {
            line = format!("…Z {rest}");
        }
        if let Some((before, rest)) = line.split_once("HTTP/1.1\" from 127.0.0.1:")
            && let Some((_, said)) = rest.split_once(' ')
            && let Some((said, _)) = said.rsplit_once(" in ")
        {
            line = format!("{before}HTTP/1.1\" from 127.0.0.1:… {said} in …");
        }
        if let Some((name, _)) = line.split_once(": ").filter(|(name, _)| *name == "date") {
            line = format!("{name}: …");
        }
        line
    };
    text.split_inclusive('\n')
        .map(|one| line(one.trim_end_matches('\n')) + if one.ends_with('\n') { "\n" } else { "" })
        .collect()
}

#[test]
fn every_transcript_of_the_page_is_what_curl_shows() {
    page::require("curl", "curl");
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader { folder: folder.path(), server: None, port: "8080".to_owned() };
    let path = page::path_of("http.md");
    let page = std::fs::read_to_string(&path).unwrap();
    assert_data_eq!(page::replayed(&page, |line| reader.run(line)), Data::read_from(&path, None).raw());
}
