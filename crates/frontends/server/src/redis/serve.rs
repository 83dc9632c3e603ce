//! One connection: bytes in, bytes out, within their times.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::{debug, error};

use super::gather::{Gather, submit};
use super::port::{Place, Port};
use super::session::{Ran, Session};
use crate::app::Life;
use crate::connection::discard_rest;
use crate::watchdog::{Watchdog, Watched};

/// How much is read at once, in bytes; a request that is longer makes more room as it comes.
const READ_LEN: usize = 16 << 10;

/// How long a client may take to hear the last answer.
const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// Answers one client until it goes, is too slow, or the server stops.
pub(crate) async fn serve(
    port: Arc<Port>,
    gather: Arc<Gather>,
    stream: std::net::TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    // It came to another thread.
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    // Answers are small, and are not held back to be sent with others.
    let _ = stream.set_nodelay(true);
    port.metrics.connection_begins();
    let dog = Watchdog::new();
    let mut life = port.app.life.subscribe();
    let stream = Watched::new(stream, Arc::clone(&dog), place, FAREWELL_TIME);
    let session = Box::new(Session::new(port.admit(peer)));
    // A task of its own, so that what cuts it off is not asked with every command.
    let mut conversation =
        tokio::spawn(converse(Arc::clone(&port), gather, Arc::clone(&dog), stream, session));
    tokio::select! {
        biased;
        outcome = &mut conversation => match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!("the connection from {peer} broke off: {error}"),
            Err(_) => error!("a command from {peer} panicked; this is a defect of the server"),
        },
        what = Arc::clone(&dog).bark(&port.app.options) => {
            debug!("cut {peer} off: it took too long over {what}");
            conversation.abort();
        }
        _ = life.wait_for(|life| *life == Life::Over) => conversation.abort(),
    }
    port.metrics.connection_ends();
}

async fn converse(
    port: Arc<Port>,
    gather: Arc<Gather>,
    dog: Arc<Watchdog>,
    mut stream: Watched,
    mut session: Box<Session>,
) -> std::io::Result<()> {
    let mut life = port.app.life.subscribe();
    let mut stops = pin!(life.wait_for(|life| *life > Life::Running));
    let mut answered = None;
    loop {
        if session.input.is_empty() && session.input.capacity() > 4 * READ_LEN {
            session.input = bytes::BytesMut::new();
        }
        session.input.reserve(READ_LEN);
        let before = session.input.len();
        let mut len = before;
        tokio::select! {
            biased;
            _ = &mut stops => break,
            read = stream.read_buf(&mut session.input) => match read? {
                0 => return Ok(()),
                read => len += read,
            },
        }
        let began = Instant::now();
        dog.busy();
        let mut ran = session.run(&port, Place::Network);
        loop {
            if let Ran::Elsewhere(place) = ran {
                let Some((back, outcome)) = elsewhere(&port, &gather, session, place).await else {
                    error!("a command panicked; this is a defect of the server");
                    let why = b"-ERR the server failed at this command; what it did is not known\r\n";
                    return stream.write_all(why).await;
                };
                (session, ran) = (back, outcome);
                continue;
            }
            if !session.answers.is_empty() {
                // All connections that have something to say now are heard first, and then answered, as Redis does it. A
                // client with many connections is so woken for many answers, and not for each.
                tokio::task::yield_now().await;
                stream.write_all(session.answers.as_slice()).await?;
                let now = Instant::now();
                answered = Some(now);
                port.metrics.answered(&session.answers, now - began);
                session.answers.clear();
            }
            if ran != Ran::Full {
                break;
            }
            ran = session.run(&port, Place::Network);
        }
        if ran == Ran::Over {
            break;
        }
        match session.input.len() {
            0 => dog.idle(),
            // The same request as before still lacks something.
            left => dog.half(before > 0 && left == len),
        }
    }
    stream.shutdown().await?;
    // Closing with something unread would take the last answer back.
    let _ = timeout(still_to_hear(answered, Instant::now()), discard_rest(&mut stream)).await;
    Ok(())
}

/// How long a client is waited for that was sent its last answer at `answered`. Who was not sent any, or some time ago, as the
/// idle ones were when the server stops, has had its time.
fn still_to_hear(answered: Option<Instant>, now: Instant) -> Duration {
    answered.map_or(Duration::ZERO, |answered| FAREWELL_TIME.saturating_sub(now - answered))
}

/// Lets the session run where its next command belongs. None, if that panicked.
async fn elsewhere(
    port: &Arc<Port>,
    gather: &Arc<Gather>,
    mut session: Box<Session>,
    place: Place,
) -> Option<(Box<Session>, Ran)> {
    if place == Place::Gathered {
        return submit(port, gather, session).await;
    }
    let (port, waiting) = (Arc::clone(port), port.waiting.clone());
    let run = move || {
        let ran = session.run(&port, place);
        (session, ran)
    };
    waiting.spawn_blocking(run).await.ok()
}

/// What a client is told for which there is no room.
pub(crate) const FAREWELL: &[u8] = b"-ERR max number of clients reached\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_answered_some_time_ago_is_not_waited_for() {
        let now = Instant::now();
        let answered = |before: Duration| still_to_hear(Some(now), now + before);
        assert_eq!(answered(Duration::ZERO), FAREWELL_TIME);
        assert_eq!(answered(FAREWELL_TIME / 4), FAREWELL_TIME * 3 / 4);
        assert_eq!(answered(FAREWELL_TIME), Duration::ZERO);
        assert_eq!(answered(FAREWELL_TIME * 60), Duration::ZERO, "idle for a minute");
        assert_eq!(still_to_hear(None, now), Duration::ZERO, "it has never asked for anything");
    }
}
