//! [`Server`]: listens, hands connections out, and ends well.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use logladder_engine::{Engine, Error};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::app::{self, App, Life};
use crate::options::Options;
use crate::redis::{self, Port, Threads};
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
    app: Arc<App>,
    http: Listener,
    redis: Option<(Listener, Threads)>,
}

/// A port that is listened at.
#[derive(Debug)]
struct Listener {
    tcp: TcpListener,
    /// With the port that it got.
    address: SocketAddr,
}

impl Listener {
    async fn bind(address: SocketAddr, options: &Options) -> Result<Self, ServeError> {
        if !address.ip().is_loopback() && options.token.is_none() {
            return Err(ServeError::NeedsToken { address });
        }
        let listen = |source| ServeError::Listen { address, source };
        let tcp = TcpListener::bind(address).await.map_err(listen)?;
        let address = tcp.local_addr().map_err(listen)?;
        Ok(Self { tcp, address })
    }
}

impl Server {
    /// Listens at the addresses of the options. Clients that come are let in once [`run`](Self::run) is called.
    ///
    /// # Errors
    ///
    /// [`ServeError::NeedsToken`], [`ServeError::Listen`], [`ServeError::Threads`].
    pub async fn bind(engine: SharedEngine, options: Options) -> Result<Self, ServeError> {
        let http = Listener::bind(options.address, &options).await?;
        let redis = match options.redis {
            Some(address) => {
                let listener = Listener::bind(address, &options).await?;
                Some((listener, Threads::start().map_err(ServeError::Threads)?))
            }
            None => None,
        };
        Ok(Self { app: Arc::new(App::new(engine, options)), http, redis })
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
            () = stop => {}
        }
        drop(http);
        let threads = redis.map(|(_, threads)| threads);
        info!("Shutting down server...");
        app.life.send_replace(Life::Draining);
        // Every connection has a place; who has them all is alone.
        let all = u32::try_from(most).unwrap_or(u32::MAX);
        if timeout(app.options.drain_timeout, places.acquire_many(all)).await.is_err() {
            let left = most - places.available_permits();
            warn!("{left} connections did not end in time, and are cut off");
            app.life.send_replace(Life::Over);
            let _ = timeout(CUT_OFF, places.acquire_many(all)).await;
        }
        if let Some(threads) = threads {
            // The engine goes back to whoever lent it once nothing here has it.
            let _ = timeout(CUT_OFF, tokio::task::spawn_blocking(|| threads.end())).await;
        }
        let synced = app::sync(&app).await;
        match &synced {
            Ok(()) => info!("The server has stopped, and the store is synced"),
            Err(error) => error!("The last sync failed: {error}"),
        }
        synced.map_err(ServeError::Sync)
    }
}

/// What is spoken behind a port.
enum Door<'t> {
    Http(Router),
    Redis(Arc<Port>, &'t Threads),
}

impl Door<'_> {
    fn let_in(&self, app: &Arc<App>, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        match self {
            Self::Http(router) => {
                tokio::spawn(connection::serve(Arc::clone(app), router.clone(), stream, peer, place));
            }
            Self::Redis(port, threads) => {
                if let Ok(stream) = stream.into_std() {
                    let port = Arc::clone(port);
                    threads.spawn(|gather| redis::serve(port, gather, stream, peer, place));
                }
            }
        }
    }

    /// Tells a client that there is no room for it, if it listens. `door` is how many are told at once.
    fn turn_away(&self, stream: TcpStream, door: OwnedSemaphorePermit) {
        const FAREWELL: Duration = Duration::from_secs(1);
        let is_http = matches!(self, Self::Http(_));
        tokio::spawn(async move {
            let _ = if is_http {
                timeout(FAREWELL, connection::turn_away(stream)).await
            } else {
                timeout(FAREWELL, redis::turn_away(stream)).await
            };
            drop(door);
        });
    }
}

/// Hands out connections, for ever.
async fn accept(app: &Arc<App>, listener: &TcpListener, places: &Arc<Semaphore>, door: Door<'_>) {
    /// How many clients are told at once that there is no room.
    const TURNED_AWAY: usize = 64;
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
            door.let_in(app, stream, peer, place);
            continue;
        }
        app.metrics.refused();
        if let Ok(told) = Arc::clone(&doors).try_acquire_owned() {
            door.turn_away(stream, told);
        }
    }
}

/// Ready at a SIGINT or SIGTERM that comes after the call, which is made where tokio runs.
#[cfg(unix)]
pub fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
    let [interrupt, terminate] = kinds.map(signal).map(|signal| async {
        match signal {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                warn!("cannot listen for a signal: {error}");
                std::future::pending::<()>().await;
            }
        }
    });
    async {
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
    }
}

/// Ready when the process is interrupted.
#[cfg(not(unix))]
pub async fn stop_signal() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        warn!("cannot listen for an interruption: {error}");
        std::future::pending::<()>().await;
    }
}
