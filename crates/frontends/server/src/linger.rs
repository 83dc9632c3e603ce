//! [`Lingering`]: hearing a client out that was refused before it had sent everything.
//!
//! Many clients send all of a request before they read. To close with something unread makes the system reset the
//! connection, and the client finds that in place of the answer (RFC 9112, section 9.6).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may send nothing before it is taken to be done.
const QUIET: Duration = Duration::from_secs(2);

/// How much is thrown away at most, in bytes.
const MOST: usize = 256 << 20;

/// What a client still sends is read and thrown away, for so long and so much of it.
#[derive(Debug)]
pub(crate) struct Lingering {
    timer: Pin<Box<Sleep>>,
    end: Instant,
    left: usize,
}

impl Lingering {
    /// Begins, and takes no longer than `longest`.
    pub(crate) fn begin(longest: Duration) -> Self {
        let now = Instant::now();
        let end = now + longest;
        Self { timer: Box::pin(sleep_until(end.min(now + QUIET))), end, left: MOST }
    }

    /// Ready when the client has closed, or has been heard for long enough.
    pub(crate) fn poll(&mut self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<()> {
        let mut unread = [0; 16 << 10];
        loop {
            let mut buffer = ReadBuf::new(&mut unread);
            let read = match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) => buffer.filled().len(),
                Poll::Ready(Err(_)) => 0,
                Poll::Pending => return self.timer.as_mut().poll(context),
            };
            if read == 0 || read > self.left {
                return Poll::Ready(());
            }
            self.left -= read;
            self.timer.as_mut().reset(self.end.min(Instant::now() + QUIET));
        }
    }
}
