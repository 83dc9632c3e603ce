//! A server as a process of its own, and a client for it.
#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod copies;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The command, free of what the environment says.
pub(crate) fn logladder() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logladder"));
    for name in ["LOGLADDER_DIR", "LOGLADDER_STAGE", "LOGLADDER_VERSIONS", "LOGLADDER_TOKEN"] {
        command.env_remove(name);
    }
    command
}

/// A server of its own, killed if the test does not end it.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: String,
    printed: BufReader<ChildStdout>,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Its `ETag`, or nothing.
    pub(crate) tag: String,
    /// Without the end of its line.
    pub(crate) body: String,
    /// How long the body was as it came.
    pub(crate) bytes: usize,
    /// The client's own end, which the server calls its peer.
    pub(crate) peer: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Its log goes into a pipe that is read at the end, so let it log little.
    pub(crate) fn start(dir: &Path, arguments: &[&str], log: &str) -> Self {
        Self::start_at("127.0.0.1:0", dir, arguments, log)
    }

    pub(crate) fn start_at(address: &str, dir: &Path, arguments: &[&str], log: &str) -> Self {
        let mut command = logladder();
        command.arg("--dir").arg(dir).args(arguments).args(["serve", "--addr", address, "--log", log]);
        command.stderr(Stdio::piped());
        Self::of(command)
    }

    /// The server that this command starts. Its log goes where the command says.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let printed = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, address: String::new(), printed };
        server.address = server.next_address("http://");
        server
    }

    /// The next address that it prints, which begins with `protocol`.
    pub(crate) fn next_address(&mut self, protocol: &str) -> String {
        let mut line = String::new();
        self.printed.read_line(&mut line).unwrap();
        line.trim().strip_prefix(protocol).unwrap_or_else(|| panic!("{line:?}")).to_owned()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn answer(&self, method: &str, path: &str, body: &str) -> Answer {
        self.answer_with(method, path, "", body)
    }

    /// The same for a request with more lines in its head, each with its end.
    fn answer_with(&self, method: &str, path: &str, lines: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let len = body.len();
        // In one piece, so that no piece waits for the other's receipt.
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{lines}\
             content-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default();
        Answer {
            status,
            tag: tag.to_owned(),
            body: body.trim_end().to_owned(),
            bytes: body.len(),
            peer: stream.local_addr().unwrap(),
        }
    }

    /// The status of an answer, and its body.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.answer(method, path, body);
        (answer.status, answer.body)
    }

    /// The same for what depends on the value that has this tag.
    pub(crate) fn ask_if(&self, method: &str, path: &str, tag: &str, body: &str) -> (u16, String) {
        let answer = self.answer_with(method, path, &format!("if-match: {tag}\r\n"), body);
        (answer.status, answer.body)
    }

    /// The tag of what stands at `path`.
    pub(crate) fn tag(&self, path: &str) -> String {
        let answer = self.answer("GET", path, "");
        assert!(answer.status == 200 && !answer.tag.is_empty(), "{path}: {} {:?}", answer.status, answer.tag);
        answer.tag
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Ends it as a user does, by `kill`; it must say that all is well.
    pub(crate) fn end_well(mut self, signal: &str) {
        self.signal(signal);
        assert!(self.process.wait().unwrap().success());
    }

    /// Ends it by a signal, and says how it ended and what it had logged.
    pub(crate) fn end(mut self, signal: &str) -> (ExitStatus, String) {
        self.signal(signal);
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.process.wait().unwrap(), log)
    }
}
