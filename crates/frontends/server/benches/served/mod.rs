//! [`Served`]: a server in a process of its own, which is the program of the benchmark started again.
#![allow(dead_code, reason = "each benchmark uses what it needs")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use logladder::SyncPolicy;
use logladder_server::{LogFormat, Options, Server, close, start_logging};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// What this program is called with to be a server; an [`Order`] follows.
const SERVE: &str = "--serve";

/// The path that a bare handler of axum answers, and what it answers.
pub(crate) const PATH: &str = "/v1/keys/key";
pub(crate) const VALUE: [u8; 100] = [b'v'; 100];

/// What a process is to serve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// None: no store, but [`VALUE`], by a handler of axum that does nothing else.
    stage: Option<String>,
    /// Milliseconds between two syncs: 0 is always. None: never.
    sync: Option<u64>,
    /// Whether each request is a line in a log.
    logs: bool,
    /// Whether the C library is told to have one arena for all threads, instead of some for each processor.
    has_one_arena: bool,
}

impl Order {
    pub(crate) fn bare() -> Self {
        Self { stage: None, sync: None, logs: false, has_one_arena: false }
    }

    pub(crate) fn stage(name: &str, sync: SyncPolicy) -> Self {
        let sync = match sync {
            SyncPolicy::Always => Some(0),
            // It is a second in every benchmark.
            SyncPolicy::Every(time) => Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            _ => None,
        };
        Self { stage: Some(name.to_owned()), sync, logs: false, has_one_arena: false }
    }

    pub(crate) fn with_a_log(self) -> Self {
        Self { logs: true, ..self }
    }

    pub(crate) fn with_one_arena(self) -> Self {
        Self { has_one_arena: true, ..self }
    }

    fn policy(&self) -> SyncPolicy {
        match self.sync {
            None => SyncPolicy::Never,
            Some(0) => SyncPolicy::Always,
            Some(millis) => SyncPolicy::Every(Duration::from_millis(millis)),
        }
    }
}

/// A server, killed in the end.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    /// Where it speaks HTTP.
    pub(crate) http: SocketAddr,
    /// Where it speaks the protocol of Redis. A bare handler does not.
    pub(crate) redis: Option<SocketAddr>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// Starts a server, whose store is new and lies in a new folder within `folder`.
    #[allow(clippy::disallowed_methods, reason = "a log is no part of a store")]
    pub(crate) fn start(order: &Order, folder: &Path) -> Result<Self> {
        let folder = new_folder(folder, order.stage.as_deref().unwrap_or("bare"))?;
        let log = File::create(folder.join("log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        if order.has_one_arena {
            command.env("MALLOC_ARENA_MAX", "1");
        }
        let mut child = command
            .arg(SERVE)
            .arg(serde_json::to_string(order)?)
            .arg(folder.join("store"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let out = child.stdout.take().context("it has a pipe")?;
        let mut addresses = BufReader::new(out).lines();
        let mut next = || -> Result<Option<SocketAddr>> {
            Ok(addresses.next().transpose()?.map(|line| line.parse()).transpose()?)
        };
        let why = || format!("a server did not start: {}", folder.join("log").display());
        let http = next()?.with_context(why)?;
        let redis = if order.stage.is_some() { next()? } else { None };
        Ok(Self { child, http, redis })
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }
}

/// A folder for one server.
pub(crate) fn new_folder(folder: &Path, name: &str) -> Result<PathBuf> {
    Ok(tempfile::Builder::new().prefix(name).tempdir_in(folder)?.keep())
}

/// Is a server and ends with it, if this process was started as one.
pub(crate) fn serve_if_asked() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [word, order, folder] = arguments.as_slice() else { return Ok(()) };
    if word != SERVE {
        return Ok(());
    }
    let order: Order = serde_json::from_str(order)?;
    let runtime = tokio::runtime::Runtime::new()?;
    match &order.stage {
        None => runtime.block_on(serve_bare())?,
        Some(stage) => {
            if order.logs {
                start_logging(LogFormat::Human, "info").map_err(|why| anyhow!(why))?;
            }
            let stage = logladder::stage(stage).context("no such stage")?;
            let engine = Arc::new(stage.open(Path::new(folder), order.policy())?);
            let mut options = Options::default();
            options.address.set_port(0);
            options.redis = Some(options.address);
            runtime.block_on(async {
                let server = Server::bind(Arc::clone(&engine), options).await?;
                let redis = server.redis_addr().context("it was asked for")?;
                writeln!(std::io::stdout(), "{}\n{redis}", server.local_addr())?;
                server.run(end_of_input()).await?;
                anyhow::Ok(())
            })?;
            close(engine)?;
        }
    }
    std::process::exit(0)
}

/// Whoever started this process has the other end, and takes it along.
async fn end_of_input() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]).unwrap_or(0));
    drop(read.await);
}

async fn serve_bare() -> Result<()> {
    let handler = || async { ([(CONTENT_TYPE, "application/octet-stream")], VALUE.as_slice()) };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let router = Router::new().route(PATH, get(handler));
    Ok(axum::serve(listener, router).with_graceful_shutdown(end_of_input()).await?)
}
