//! [`Listening`]: the ports of a server, before there is a store.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::app::App;
use crate::options::Options;
use crate::redis::Threads;
use crate::server::{ServeError, Server, SharedEngine};

/// The ports of a server that has no store yet. A port in use is so found before a store is made, and clients that come
/// while a long log is replayed wait for it.
#[derive(Debug)]
pub struct Listening {
    http: Listener,
    redis: Option<(Listener, Threads)>,
    options: Options,
}

/// A port that is listened at.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) tcp: TcpListener,
    /// With the port that it got.
    pub(crate) address: SocketAddr,
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

impl Listening {
    /// Listens at the addresses of the options.
    ///
    /// # Errors
    ///
    /// [`ServeError::NeedsToken`], [`ServeError::Listen`], [`ServeError::Threads`].
    pub async fn at(options: Options) -> Result<Self, ServeError> {
        let http = Listener::bind(options.address, &options).await?;
        let redis = match options.redis {
            Some(address) => {
                let listener = Listener::bind(address, &options).await?;
                Some((listener, Threads::start().map_err(ServeError::Threads)?))
            }
            None => None,
        };
        Ok(Self { http, redis, options })
    }

    /// Puts a store behind the ports.
    #[must_use]
    pub fn over(self, engine: SharedEngine) -> Server {
        Server { app: Arc::new(App::new(engine, self.options)), http: self.http, redis: self.redis }
    }
}
