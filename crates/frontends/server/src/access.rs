//! [`Answering`]: the body of an answer, which says in the log and in the metrics what became of it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::HOST;
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri};
use hyper::body::{Frame, SizeHint};
use tracing::{Level, enabled, info};

use crate::app::App;
use crate::routes;
use crate::watchdog::Watchdog;

/// What is said of a request once it was answered.
#[derive(Debug)]
pub(crate) struct Account {
    app: Arc<App>,
    dog: Arc<Watchdog>,
    peer: SocketAddr,
    started: Instant,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    status: StatusCode,
    bytes: u64,
}

impl Account {
    /// Begins when the head of a request is there.
    pub(crate) fn open<B>(
        app: &Arc<App>,
        dog: &Arc<Watchdog>,
        peer: SocketAddr,
        request: &Request<B>,
    ) -> Self {
        dog.busy();
        Self {
            app: Arc::clone(app),
            dog: Arc::clone(dog),
            peer,
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: request.headers().get(HOST).cloned(),
            // Stands for an answer that never began, because the client left.
            status: StatusCode::from_u16(499).unwrap_or_default(),
            bytes: 0,
        }
    }

    pub(crate) fn answered(mut self, status: StatusCode, body: Body) -> Answering {
        self.status = status;
        Answering { body, account: self }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        self.dog.idle();
        let route = routes::label(self.uri.path());
        self.app.metrics.answered(&self.method, route, self.status, self.bytes, took);
        if !enabled!(target: "logladder::access", Level::INFO) {
            return;
        }
        let host = self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or("-");
        let url = format!("http://{host}{}", self.uri);
        let (method, peer, status, bytes) =
            (self.method.as_str(), self.peer, self.status.as_u16(), self.bytes);
        info!(
            target: "logladder::access",
            method, url, %peer, status, bytes, seconds = took.as_secs_f64(),
            "\"{method} {url} HTTP/1.1\" from {peer} - {status} {bytes}B in {took:?}"
        );
    }
}

/// The body of an answer. When it was sent, or given up, its account is closed.
#[derive(Debug)]
pub(crate) struct Answering {
    body: Body,
    account: Account,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.account.bytes += data.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
