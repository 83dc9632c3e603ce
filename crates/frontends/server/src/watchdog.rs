//! [`Watchdog`]: cuts off a client that is too slow, whether it sends too little, takes too little or says nothing.
//!
//! hyper has a timer for the head of a request, which runs from the end of the request before it: there, a connection
//! that is merely idle and one that sends a byte a second are the same. So the stream itself says what happens on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::options::Options;

/// Between requests.
const IDLE: u8 = 0;
/// Some of a request's head has come.
const HEAD: u8 = 1;
/// A request is being worked on; reading its body has a timer of its own.
const BUSY: u8 = 2;
/// Some of a request has come, and it says itself how long it is.
const HALF: u8 = 3;

/// No answer waits for the client.
const NOT_WAITING: u64 = u64::MAX;

/// What happens on one connection. Moments are milliseconds since it began.
#[derive(Debug)]
pub(crate) struct Watchdog {
    began: Instant,
    phase: AtomicU8,
    phase_began: AtomicU64,
    /// Since when an answer waits for the client to take some of it.
    waits_since: AtomicU64,
}

impl Watchdog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            phase: AtomicU8::new(IDLE),
            phase_began: AtomicU64::new(0),
            waits_since: AtomicU64::new(NOT_WAITING),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(NOT_WAITING - 1)
    }

    fn enter(&self, phase: u8) {
        self.phase_began.store(self.now(), Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }

    /// A request's head is complete.
    pub(crate) fn busy(&self) {
        self.phase.store(BUSY, Ordering::Relaxed);
    }

    /// A request has not come as a whole: the same one as the last time, or another.
    pub(crate) fn half(&self, is_same: bool) {
        if is_same {
            self.phase.store(HALF, Ordering::Relaxed);
        } else {
            self.enter(HALF);
        }
    }

    /// A request was answered.
    pub(crate) fn idle(&self) {
        self.enter(IDLE);
    }

    /// Returns what the client was too slow at, once it is.
    pub(crate) async fn bark(self: Arc<Self>, options: &Options) -> &'static str {
        let times =
            [options.header_timeout, options.body_timeout, options.idle_timeout, options.write_timeout];
        let shortest = times.into_iter().min().unwrap_or_default();
        // Looking now and then costs less than a timer that is set anew for each request.
        let look = (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
        loop {
            tokio::time::sleep(look).await;
            let now = self.now();
            let is_over =
                |since: u64, limit: Duration| u128::from(now.saturating_sub(since)) > limit.as_millis();
            let waits_since = self.waits_since.load(Ordering::Relaxed);
            if waits_since != NOT_WAITING && is_over(waits_since, options.write_timeout) {
                return "taking the answer";
            }
            let began = self.phase_began.load(Ordering::Relaxed);
            match self.phase.load(Ordering::Relaxed) {
                IDLE if is_over(began, options.idle_timeout) => return "sending another request",
                HEAD if is_over(began, options.header_timeout) => return "sending the head of a request",
                HALF if is_over(began, options.body_timeout) => return "sending the rest of a request",
                _ => {}
            }
        }
    }
}

/// A client's stream. It holds the connection's place among those that may be open, to wherever it is handed on.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) stream: TcpStream,
    pub(crate) dog: Arc<Watchdog>,
    pub(crate) _place: OwnedSemaphorePermit,
}

impl Watched {
    fn wrote(&self, outcome: &Poll<io::Result<usize>>) {
        let waits_since = &self.dog.waits_since;
        let waited = waits_since.load(Ordering::Relaxed) != NOT_WAITING;
        match outcome {
            Poll::Pending if !waited => waits_since.store(self.dog.now(), Ordering::Relaxed),
            Poll::Ready(_) if waited => waits_since.store(NOT_WAITING, Ordering::Relaxed),
            _ => {}
        }
        // hyper is done with an answer's body before the client is: what it still takes of it is no idling.
        if outcome.is_ready() && ![BUSY, HALF].contains(&self.dog.phase.load(Ordering::Relaxed)) {
            self.dog.phase_began.store(self.dog.now(), Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before && self.dog.phase.load(Ordering::Relaxed) == IDLE {
            self.dog.enter(HEAD);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
