//! [`Server`]: listens, hands connections out, and ends well.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use logladder_engine::{Durability, Engine, Error};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::app::{self, App, Life};
use crate::door::{Door, accept};
use crate::listen::{Listener, Listening};
use crate::options::Options;
use crate::redis::{Port, Threads};
use crate::routes;
use crate::stop::{all_free, drained};

/// An engine that the server shares with whoever else uses it in this process. [`close`] takes it back.
pub type SharedEngine = Arc<Box<dyn Engine>>;

/// Closes an engine that was shared, when nobody else has it any more; else syncs it.
///
/// # Errors
///
/// As [`Engine::close`]: what was acknowledged since the last sync may be lost.
pub fn close(engine: SharedEngine) -> Result<(), Error> {
    match Arc::try_unwrap(engine) {
        Ok(engine) => engine.close(),
        Err(shared) => shared.sync(),
    }
}

/// Why a server could not start, or did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// Other machines reach the address, and there is no token.
    NeedsToken {
        /// The address.
        address: SocketAddr,
    },
    /// The address could not be listened at.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no threads for it.
    Threads(io::Error),
    /// The sync at the end failed: what was acknowledged since the last one may be lost.
    Sync(Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsToken { address } => write!(
                f,
                "other machines reach {address}, so a token is needed: name one, or listen at 127.0.0.1"
            ),
            Self::Listen { address, source } => {
                write!(f, "cannot listen at {address}: {source}")?;
                match source.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("; stop what uses that port, or name another"),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; ports below 1024 are not for every user")
                    }
                    _ => Ok(()),
                }
            }
            Self::Threads(source) => write!(f, "cannot start the threads of the server: {source}"),
            Self::Sync(error) => write!(f, "the last sync failed, and what it covered may be lost: {error}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NeedsToken { .. } => None,
            Self::Listen { source, .. } | Self::Threads(source) => Some(source),
            Self::Sync(error) => Some(error),
        }
    }
}

/// A store, served over HTTP, and in the protocol of Redis if that is asked for.
///
/// ```
/// use std::sync::Arc;
/// use logladder_server::{Options, Server, close};
///
/// # let runtime = tokio::runtime::Runtime::new()?;
/// # runtime.block_on(async {
/// let mut options = Options::default();
/// options.address.set_port(0);
/// let store = logladder::stage("memory").ok_or("no such stage")?;
/// let engine = Arc::new(store.open(".".as_ref(), logladder::SyncPolicy::Never)?);
///
/// let server = Server::bind(Arc::clone(&engine), options).await?;
/// println!("http://{}", server.local_addr());
/// // A program would give it `stop_signal()`.
/// server.run(std::future::ready(())).await?;
/// close(engine)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    pub(crate) app: Arc<App>,
    pub(crate) http: Listener,
    pub(crate) redis: Option<(Listener, Threads)>,
}

impl Server {
    /// Listens at the addresses of the options. Clients that come are let in once [`run`](Self::run) is called. Where the
    /// store is only made if the port is free, this is [`Listening`] and then the store.
    ///
    /// # Errors
    ///
    /// [`ServeError::NeedsToken`], [`ServeError::Listen`], [`ServeError::Threads`].
    pub async fn bind(engine: SharedEngine, options: Options) -> Result<Self, ServeError> {
        Ok(Listening::at(options).await?.over(engine))
    }

    /// Where it listens for HTTP, with the port that it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.http.address
    }

    /// Where it listens for the protocol of Redis, with the port that it got.
    #[must_use]
    pub fn redis_addr(&self) -> Option<SocketAddr> {
        self.redis.as_ref().map(|(listener, _)| listener.address)
    }

    /// Serves until `stop` is ready. Then no connection is accepted any more, requests that began are answered, within
    /// [`Options::drain_timeout`], and the store is synced.
    ///
    /// # Errors
    ///
    /// [`ServeError::Sync`].
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        self.run_until(stop, std::future::pending).await
    }

    /// As [`run`](Self::run). What `at_once` gives is asked for when `stop` is ready: when that is ready too, requests that
    /// are not answered by then are cut off, and the store is synced.
    ///
    /// # Errors
    ///
    /// [`ServeError::Sync`].
    pub async fn run_until<A: Future<Output = ()>>(
        self,
        stop: impl Future<Output = ()>,
        at_once: impl FnOnce() -> A,
    ) -> Result<(), ServeError> {
        /// How long those that are cut off may take to notice it.
        const CUT_OFF: Duration = Duration::from_secs(1);
        let Self { app, http, redis } = self;
        info!(
            "Starting server on http://{}, over a store of the stage {}",
            http.address,
            app.engine().name()
        );
        let most = app.options.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(most));
        let to_http = accept(&app, &http.tcp, &places, Door::Http(routes::router(Arc::clone(&app))));
        let to_redis = async {
            let Some((listener, threads)) = &redis else { return std::future::pending().await };
            info!("Speaking the protocol of Redis on {}", listener.address);
            let port = Arc::new(Port::new(Arc::clone(&app), listener.address, Handle::current()));
            accept(&app, &listener.tcp, &places, Door::Redis(port, threads)).await;
        };
        tokio::select! {
            () = to_http => {}
            () = to_redis => {}
            () = watch_writes(&app) => {}
            () = stop => {}
        }
        drop(http);
        let threads = redis.map(|(_, threads)| threads);
        info!("Shutting down server...");
        let at_once = at_once();
        app.life.send_replace(Life::Draining);
        if drained(&places, most, app.options.drain_timeout, at_once).await > 0 {
            app.life.send_replace(Life::Over);
            all_free(&places, most, CUT_OFF).await;
        }
        if let Some(threads) = threads {
            // The engine goes back to whoever lent it once nothing here has it.
            let _ = timeout(CUT_OFF, tokio::task::spawn_blocking(|| threads.end())).await;
        }
        let synced = app::sync(&app).await;
        match &synced {
            Ok(()) if app.engine().durability() == Durability::Never => {
                info!("The server has stopped, and with it what the stage {} held", app.engine().name());
            }
            Ok(()) => info!("The server has stopped, and the store is synced"),
            Err(error) => error!("The last sync failed: {error}"),
        }
        synced.map_err(ServeError::Sync)
    }
}

/// Says in the log when writes begin to fail, and when they succeed again, for ever. It looks now and then, so that writes
/// that fail by turns do not fill the log.
async fn watch_writes(app: &Arc<App>) {
    const LOOK: Duration = Duration::from_secs(1);
    let mut is_failing = false;
    loop {
        tokio::time::sleep(LOOK).await;
        match app.failure().await {
            Some(why) if !is_failing => warn!("Writes fail: {why}"),
            None if is_failing => info!("Writes succeed again"),
            _ => continue,
        }
        is_failing = !is_failing;
    }
}
