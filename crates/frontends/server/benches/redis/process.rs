//! [`Process`]: a stage in a server of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use logladder::SyncPolicy;
use logladder_server::{Options, Server, close};

/// What this program is called with to be a server; the stage, when it syncs and the folder follow.
const SERVE: &str = "--serve-stage";

/// A server, killed in the end.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// This program once more, as a server of a new store.
    pub(crate) fn of_stage(stage: &str, sync: &str, folder: &Path) -> Result<Self> {
        let folder = new_folder(folder, stage)?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .args([stage, sync])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().context("it has a pipe")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("the server of {stage} did not start"))?;
        Ok(Self { child, address })
    }
}

/// A folder for one server.
pub(crate) fn new_folder(folder: &Path, name: &str) -> Result<PathBuf> {
    Ok(tempfile::Builder::new().prefix(name).tempdir_in(folder)?.keep())
}

fn policy(text: &str) -> Result<SyncPolicy> {
    Ok(match text {
        "always" => SyncPolicy::Always,
        "never" => SyncPolicy::Never,
        millis => SyncPolicy::Every(Duration::from_millis(millis.parse()?)),
    })
}

/// Is a server and ends with it, if this process was started as one.
pub(crate) fn serve_if_asked() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [word, stage, sync, folder] = arguments.as_slice() else { return Ok(()) };
    if word != SERVE {
        return Ok(());
    }
    let stage = logladder::stage(stage).context("no such stage")?;
    let engine = Arc::new(stage.open(Path::new(folder), policy(sync)?)?);
    let mut options = Options::default();
    options.address.set_port(0);
    options.redis = Some(options.address);
    tokio::runtime::Runtime::new()?.block_on(async {
        let server = Server::bind(Arc::clone(&engine), options).await?;
        let address = server.redis_addr().context("it was asked for")?;
        writeln!(std::io::stdout(), "{address}")?;
        // Whoever started it has the other end, and takes it along.
        let stop = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]).unwrap_or(0));
        server.run(async { drop(stop.await) }).await?;
        anyhow::Ok(())
    })?;
    close(engine)?;
    std::process::exit(0)
}
