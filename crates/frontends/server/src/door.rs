//! [`accept`]: hands out connections, each with a place of its own, and tells those so that find no place.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::warn;

use crate::app::App;
use crate::connection;
use crate::redis::{self, Port, Threads};

/// What is spoken behind a port.
pub(crate) enum Door<'t> {
    Http(Router),
    Redis(Arc<Port>, &'t Threads),
}

/// Hands out connections, for ever.
pub(crate) async fn accept(app: &Arc<App>, listener: &TcpListener, places: &Arc<Semaphore>, door: Door<'_>) {
    let mut full = Full::new(&door);
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
        full.note(app.options.max_connections);
        // Who has gone already need not be told.
        let _ = full.turn_away(stream);
    }
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
}

/// What becomes of connections when all places are taken.
struct Full {
    /// What each of them is told.
    farewell: Vec<u8>,
    /// Those that may take their time to hear it, so many at once.
    patience: Arc<Semaphore>,
    /// When the log last said that there are such connections, and how many there have been since.
    said: Option<Instant>,
    unsaid: u64,
}

impl Full {
    fn new(door: &Door<'_>) -> Self {
        /// How many clients are waited for at once until they have heard that there is no room.
        const HEARD_OUT: usize = 64;
        let farewell = match door {
            Door::Http(_) => connection::farewell().into_bytes(),
            Door::Redis(..) => redis::FAREWELL.to_vec(),
        };
        Self { farewell, patience: Arc::new(Semaphore::new(HEARD_OUT)), said: None, unsaid: 0 }
    }

    /// Says it in the log, for the first of them and then now and then.
    fn note(&mut self, most: usize) {
        const EACH: Duration = Duration::from_secs(10);
        self.unsaid += 1;
        if self.said.is_some_and(|said| said.elapsed() < EACH) {
            return;
        }
        let refused = std::mem::take(&mut self.unsaid);
        warn!("All {most} connections are taken: refused {refused} since this was last said");
        self.said = Some(Instant::now());
    }

    /// Tells a client that there is no room for it.
    fn turn_away(&self, stream: TcpStream) -> std::io::Result<()> {
        const LONGEST: Duration = Duration::from_secs(1);
        let mut stream = stream.into_std()?;
        // Nothing was sent on it yet, so this waits for nothing.
        stream.write_all(&self.farewell)?;
        stream.shutdown(Shutdown::Write)?;
        // Closing with something unread could take the farewell back.
        if let Ok(patience) = Arc::clone(&self.patience).try_acquire_owned() {
            let mut stream = TcpStream::from_std(stream)?;
            tokio::spawn(async move {
                let _ = timeout(LONGEST, connection::discard_rest(&mut stream)).await;
                drop(patience);
            });
        } else {
            // What has come so far, and no more than that.
            let _ = stream.read(&mut [0; 16 << 10])?;
        }
        Ok(())
    }
}
