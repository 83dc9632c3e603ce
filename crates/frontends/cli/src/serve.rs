//! `serve`: the store over HTTP and the protocol of Redis, until it is told to stop.
//!
//! The first line of standard output is the address, and the second that of the protocol of Redis, for whoever asked for any free port. The log goes to standard
//! error: what opening read, start, each request, shutdown.

mod follow;
mod open_files;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use logladder_server::{
    Listening, LogFormat, Options, ServeError, Token, View, close, start_logging, stop_signal,
};

use tracing::{info, warn};

use self::follow::{Follow, Following, promote_copy};
use crate::arguments::StoreArguments;
use crate::outcome::{Answer, Refusal};
use crate::store::News;

/// How long a call of the engine may go on when the server has ended.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// What `logladder serve` takes.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen, an IP address and a port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    addr: SocketAddr,
    /// Where to speak the protocol of Redis as well, such as 127.0.0.1:6380
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    redis: Option<SocketAddr>,
    /// What clients must send as `Authorization: Bearer TOKEN`, or with AUTH; asked for where other machines reach the address
    #[arg(long, value_name = "TOKEN", env = "LOGLADDER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Another name by which clients may call the server; can be given several times
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// An origin whose pages may call the server from a browser; can be given several times
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Where clients may have copies of the store made (`POST /v1/backup`): a folder beside the store, made if it is not there
    #[arg(long, value_name = "FOLDER")]
    backups: Option<PathBuf>,
    /// The longest body of a request, or command of Redis, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().max_body_bytes, value_parser = at_least_one)]
    max_body: usize,
    /// How many connections there may be at once
    #[arg(long, value_name = "N", default_value_t = Options::default().max_connections, value_parser = at_least_one)]
    max_connections: usize,
    /// Show the files of the store while it is in use, as a page at /view
    #[arg(long)]
    view: bool,
    #[command(flatten)]
    follow: Follow,
    /// What the log has, as in `info`, `warn` or `info,logladder::access=off`; with --json it is JSON
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

impl Serve {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let mut options = self.options()?;
        self.check(arguments)?;
        let following = self.follow.leader(self.token.as_deref())?;
        options.forward = following.as_ref().and_then(Following::forward);
        options.view = self.view_of(arguments, following.is_some())?;
        let format = if arguments.json { LogFormat::Json } else { LogFormat::Human };
        start_logging(format, &self.log).map_err(|error| Refusal::Usage(format!("--log: {error}")))?;
        if let Some(fewer) = open_files::room_for(options.max_connections) {
            warn!(
                "This process may open so few files that {fewer} connections are the most: raise `ulimit -n`"
            );
            options.max_connections = fewer;
        }
        let runtime = tokio::runtime::Runtime::new().context("cannot start the threads of the server")?;
        // Before there is a store: a port in use leaves nothing behind.
        let listening = runtime.block_on(Listening::at(options)).map_err(|error| refusal(&error))?;
        let engine = if let Some(following) = &following {
            following.open(arguments)?
        } else {
            let engine = arguments.open_saying(|news| match news {
                News::Repaired(what) => warn!("Repaired: {what}"),
                News::Replayed(what) => info!("{what}"),
            })?;
            promote_copy(&*engine)?;
            Arc::new(engine)
        };
        if let Some(backups) = &self.backups {
            std::fs::create_dir_all(backups)
                .with_context(|| format!("cannot make the folder of the backups {}", backups.display()))?;
        }
        let served = runtime.block_on(async {
            let server = listening.over(Arc::clone(&engine));
            // Whoever knows the address may send a signal at once.
            let stop = stop_signal();
            // Whoever reads this may have gone; the server goes on.
            let _ = writeln!(out, "http://{}", server.local_addr());
            if let Some(address) = server.redis_addr() {
                let _ = writeln!(out, "redis://{address}");
            }
            let _ = out.flush();
            if self.view {
                info!("The live view is at http://{}/view", server.local_addr());
            }
            server.run_until(stop, stop_signal).await
        });
        // What still has the engine ends with the threads.
        runtime.shutdown_timeout(LAST_CALLS);
        let closed = close(engine);
        served.map_err(|error| refusal(&error))?;
        closed?;
        Ok(Answer::Yes)
    }

    /// That what was asked for goes together.
    fn check(&self, arguments: &StoreArguments) -> Result<()> {
        if let Some(backups) = &self.backups {
            let [backups, dir] = [backups, &arguments.dir].map(std::path::absolute);
            if backups?.starts_with(dir?) {
                let what =
                    "--backups: the folder lies in that of the store, which has no room for other files";
                return Err(Refusal::Usage(what.to_owned()).into());
            }
        }
        Ok(())
    }

    /// What the live view shows, if it is asked for.
    fn view_of(&self, arguments: &StoreArguments, is_copy: bool) -> Result<Option<View>> {
        if !self.view {
            return Ok(None);
        }
        if arguments.is_in_a_cluster() {
            let what = "--view shows files, and a store in a cluster has none here";
            return Err(Refusal::Usage(what.to_owned()).into());
        }
        let stage = if is_copy { Following::stage()? } else { arguments.stage()? };
        let dir = std::path::absolute(&arguments.dir).context("cannot find the folder of the store")?;
        Ok(Some(View::of_folder(stage, &dir)))
    }

    fn options(&self) -> Result<Options> {
        let mut options = Options::default();
        options.address = self.addr;
        options.redis = self.redis;
        options.token = match &self.token {
            None => None,
            Some(text) => Some(
                Token::new(text).ok_or_else(|| Refusal::Usage("the token is empty: name one".to_owned()))?,
            ),
        };
        options.allowed_hosts.clone_from(&self.allow_host);
        options.allowed_origins.clone_from(&self.allow_origin);
        options.backups.clone_from(&self.backups);
        options.max_body_bytes = self.max_body;
        options.max_connections = self.max_connections;
        Ok(options)
    }
}

fn refusal(error: &ServeError) -> Refusal {
    match error {
        ServeError::NeedsToken { .. } => Refusal::Usage(format!("{error} (--token)")),
        _ => Refusal::Store(error.to_string()),
    }
}

/// An address to listen at. The one name that means the same on every machine is taken as well.
fn address(text: &str) -> Result<SocketAddr, String> {
    let numbers = match text.rsplit_once(':') {
        Some(("localhost", port)) => format!("127.0.0.1:{port}"),
        _ => text.to_owned(),
    };
    numbers.parse().map_err(|_| {
        "it must be an IP address and a port, such as 127.0.0.1:8080, or 0.0.0.0:8080 for every network of this machine"
            .to_owned()
    })
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("it is no number".into()),
    }
}
