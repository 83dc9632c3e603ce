//! Servers as processes of their own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use logladder::SyncPolicy;
use logladder_server::{LogFormat, Options, Server, SharedEngine, start_logging};
use tokio::net::TcpListener;

/// The key that is read, and its value.
pub(crate) const PATH: &str = "/v1/keys/key";
pub(crate) const VALUE: [u8; 100] = [b'v'; 100];

/// By this word the program knows that it is to serve.
const WORD: &str = "serve-for-the-benchmark";

/// What a server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A handler of axum that returns the value, and nothing around it.
    Bare,
    Stage(&'static str),
    /// The same, and each request is a line in a file.
    Logged(&'static str),
}

impl Kind {
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Bare => ["bare", "-"],
            Self::Stage(name) => ["stage", name],
            Self::Logged(name) => ["logged", name],
        }
    }
}

/// A server that runs until this is dropped.
pub(crate) struct Served {
    process: Child,
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Served {
    /// Starts it, and puts the value there.
    pub(crate) fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir_in(beside_the_build()).expect("a folder beside the build");
        let program = std::env::current_exe().expect("this program has a path");
        let log = File::create(folder.path().join("log")).expect("a log");
        let mut process = Command::new(program)
            .arg(WORD)
            .args(kind.words())
            .arg(folder.path().join("store"))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("a server can be started");
        let mut line = String::new();
        let out = process.stdout.take().expect("its output is a pipe");
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().parse().expect("an address");
        let served = Self { process, address, _folder: folder };
        if kind != Kind::Bare {
            let answer = served.ask("PUT", PATH, &VALUE);
            assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        }
        let answer = served.ask("GET", PATH, b"");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with('v'), "{answer}");
        served
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// One request on a connection of its own, and all of its answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> String {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("a request can be sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer comes");
        answer
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server lets clients in");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time can be set");
        stream
    }

    /// Memory that the process has to itself and what it has mapped, in KiB.
    pub(crate) fn resident_kib(&self) -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}

/// Memory is no disk, and `/tmp` may be memory.
fn beside_the_build() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// If this process was started to serve, does so until it is killed.
pub(crate) fn serve_if_asked() -> bool {
    let words: Vec<String> = std::env::args().collect();
    let [_, word, how, stage, folder] = words.as_slice() else { return false };
    if word != WORD {
        return false;
    }
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        if how == "bare" {
            return bare().await;
        }
        if how == "logged" {
            start_logging(LogFormat::Human, "info").expect("the first log of this process");
        }
        let stage = logladder::stage(stage).expect("a stage of the table");
        let sync = SyncPolicy::Every(Duration::from_secs(1));
        let engine: SharedEngine = Arc::new(stage.open(Path::new(folder), sync).expect("a store"));
        let mut options = Options::default();
        options.address.set_port(0);
        let server = Server::bind(engine, options).await.expect("a free port");
        println!("{}", server.local_addr());
        server.run(std::future::pending()).await.expect("it is killed, and does not end");
    });
    true
}

async fn bare() {
    let handler = || async { ([(CONTENT_TYPE, "application/octet-stream")], VALUE.as_slice()) };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("it has an address"));
    axum::serve(listener, Router::new().route(PATH, get(handler))).await.expect("it is killed");
}
