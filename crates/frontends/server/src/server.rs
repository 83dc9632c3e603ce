//! [`Server`]: listens, hands connections out, and ends well.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use logladder_engine::{Engine, Error};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::app::{self, App, Life};
use crate::options::Options;
use crate::{connection, routes};

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
            Self::Sync(error) => write!(f, "the last sync failed, and what it covered may be lost: {error}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NeedsToken { .. } => None,
            Self::Listen { source, .. } => Some(source),
            Self::Sync(error) => Some(error),
        }
    }
}

/// A store, served over HTTP.
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
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens at the address of the options. Clients that come are let in once [`run`](Self::run) is called.
    ///
    /// # Errors
    ///
    /// [`ServeError::NeedsToken`], [`ServeError::Listen`].
    pub async fn bind(engine: SharedEngine, options: Options) -> Result<Self, ServeError> {
        let address = options.address;
        if !address.ip().is_loopback() && options.token.is_none() {
            return Err(ServeError::NeedsToken { address });
        }
        let listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { app: Arc::new(App::new(engine, options)), listener, address })
    }

    /// Where it listens, with the port that it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready. Then no connection is accepted any more, requests that began are answered, within
    /// [`Options::drain_timeout`], and the store is synced.
    ///
    /// # Errors
    ///
    /// [`ServeError::Sync`].
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { app, listener, address } = self;
        info!("Starting server on http://{address}, over a store of the stage {}", app.engine().name());
        let most = app.options.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(most));
        tokio::select! {
            () = accept(&app, &listener, &places) => {}
            () = stop => {}
        }
        drop(listener);
        info!("Shutting down server...");
        app.life.send_replace(Life::Draining);
        // Every connection has a place; who has them all is alone.
        let all = u32::try_from(most).unwrap_or(u32::MAX);
        if timeout(app.options.drain_timeout, places.acquire_many(all)).await.is_err() {
            let left = most - places.available_permits();
            warn!("{left} connections did not end in time, and are cut off");
            app.life.send_replace(Life::Over);
            let _ = timeout(Duration::from_secs(1), places.acquire_many(all)).await;
        }
        let synced = app::sync(&app).await;
        match &synced {
            Ok(()) => info!("The server has stopped, and the store is synced"),
            Err(error) => error!("The last sync failed: {error}"),
        }
        synced.map_err(ServeError::Sync)
    }
}

/// Hands out connections, for ever.
async fn accept(app: &Arc<App>, listener: &TcpListener, places: &Arc<Semaphore>) {
    /// How many clients are told at once that there is no room, and how long that may take.
    const TURNED_AWAY: usize = 64;
    const FAREWELL: Duration = Duration::from_secs(1);
    let router = routes::router(Arc::clone(app));
    let doors = Arc::new(Semaphore::new(TURNED_AWAY));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly. Others will be closed.
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            tokio::spawn(connection::serve(Arc::clone(app), router.clone(), stream, peer, place));
            continue;
        }
        app.metrics.refused();
        if let Ok(door) = Arc::clone(&doors).try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(FAREWELL, connection::turn_away(stream)).await;
                drop(door);
            });
        }
    }
}

/// Ready at SIGINT or SIGTERM.
pub async fn stop_signal() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            warn!("cannot listen for SIGINT: {error}");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                warn!("cannot listen for SIGTERM: {error}");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
