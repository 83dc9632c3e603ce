//! [`Watchdog`]: cuts off a client that is too slow, whether it sends too little, takes too little or says nothing.
//!
//! hyper has a timer for the head of a request, which runs from the end of the request before it: there, a connection
//! that is merely idle and one that sends a byte a second are the same. So the stream itself says what happens on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::linger::Lingering;
use crate::options::Options;

/// What a connection is at: the lowest bits of its state. The others count how often it began with something.
const PHASE: u64 = 0b11;
const BEGINNING: u64 = PHASE + 1;

/// Between requests.
const IDLE: u64 = 0;
/// Some of a request's head has come.
const HEAD: u64 = 1;
/// A request is being worked on; reading its body has a timer of its own.
const BUSY: u64 = 2;
/// Some of a request has come, and it says itself how long it is.
const HALF: u64 = 3;

/// What happens on one connection, without a word of when. To ask for the time with each request takes longer than all that
/// is noted here, and whoever looks now and then sees how long something has been as it is.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    state: AtomicU64,
    /// How often an answer began to wait for the client to take some of it, or waited no longer: odd while it waits.
    waits: AtomicU64,
    /// Whether the client may still send some of a body that nobody reads.
    unread: AtomicBool,
}

/// Something that was seen, and since when it has been as it is.
struct Seen {
    what: u64,
    since: Instant,
}

impl Seen {
    /// How long it has been so, to whoever looks now.
    fn again(&mut self, what: u64, now: Instant) -> Duration {
        if self.what != what {
            *self = Self { what, since: now };
        }
        now - self.since
    }
}

impl Watchdog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn state(&self) -> u64 {
        self.state.load(Ordering::Relaxed)
    }

    fn phase(&self) -> u64 {
        self.state() & PHASE
    }

    fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Relaxed) % 2 == 1
    }

    /// Begins with something. Only the connection itself changes what is noted here.
    fn begin(&self, phase: u64) {
        let count = self.state() & !PHASE;
        self.state.store(count.wrapping_add(BEGINNING) | phase, Ordering::Relaxed);
    }

    /// Is at something else, which may be what it was at before.
    fn go_on(&self, phase: u64) {
        self.state.store(self.state() & !PHASE | phase, Ordering::Relaxed);
    }

    /// A request's head is complete.
    pub(crate) fn busy(&self) {
        self.go_on(BUSY);
    }

    /// Whether some of a request's body may come that nobody reads.
    pub(crate) fn set_unread(&self, is_unread: bool) {
        self.unread.store(is_unread, Ordering::Relaxed);
    }

    /// A request has not come as a whole: the same one as the last time, or another.
    pub(crate) fn half(&self, is_same: bool) {
        if is_same { self.go_on(HALF) } else { self.begin(HALF) }
    }

    /// A request was answered.
    pub(crate) fn idle(&self) {
        self.begin(IDLE);
    }

    /// Returns what the client was too slow at, once it is.
    pub(crate) async fn bark(self: Arc<Self>, options: &Options) -> &'static str {
        let times =
            [options.header_timeout, options.body_timeout, options.idle_timeout, options.write_timeout];
        let shortest = times.into_iter().min().unwrap_or_default();
        // Looking now and then costs less than a timer that is set anew for each request.
        let look = (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let now = Instant::now();
        let [mut state, mut waits] = [0, 0].map(|what| Seen { what, since: now });
        loop {
            tokio::time::sleep(look).await;
            let now = Instant::now();
            let waited = waits.again(self.waits.load(Ordering::Relaxed), now);
            if waits.what % 2 == 1 && waited > options.write_timeout {
                return "taking the answer";
            }
            // It may be busy with what it began as something else.
            let seen = self.state();
            let lasted = state.again(seen & !PHASE, now);
            match seen & PHASE {
                IDLE if lasted > options.idle_timeout => return "sending another request",
                HEAD if lasted > options.header_timeout => return "sending the head of a request",
                HALF if lasted > options.body_timeout => return "sending the rest of a request",
                _ => {}
            }
        }
    }
}

/// A client's stream. It holds the connection's place among those that may be open, to wherever it is handed on.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: TcpStream,
    dog: Arc<Watchdog>,
    _place: OwnedSemaphorePermit,
    /// How long a client is heard out at most that was refused before it had sent everything.
    longest: Duration,
    lingering: Option<Lingering>,
}

impl Watched {
    pub(crate) fn new(
        stream: TcpStream,
        dog: Arc<Watchdog>,
        place: OwnedSemaphorePermit,
        longest: Duration,
    ) -> Self {
        Self { stream, dog, _place: place, longest, lingering: None }
    }

    fn wrote(&self, outcome: &Poll<io::Result<usize>>) {
        if outcome.is_pending() != self.dog.is_waiting() {
            self.dog.waits.fetch_add(1, Ordering::Relaxed);
        }
        // hyper is done with an answer's body before the client is: what it still takes of it is no idling.
        if outcome.is_ready() && ![BUSY, HALF].contains(&self.dog.phase()) {
            self.dog.begin(self.dog.phase());
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
        if buffer.filled().len() > before && self.dog.phase() == IDLE {
            self.dog.begin(HEAD);
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
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            // Refused in the middle of its head, or of its body.
            if self.dog.phase() != HEAD && !self.dog.unread.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let Self { stream, lingering, longest, .. } = &mut *self;
        lingering.get_or_insert_with(|| Lingering::begin(*longest)).poll(stream, context).map(Ok)
    }
}
