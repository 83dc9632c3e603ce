//! [`Answering`]: the body of an answer, which says in the log and in the metrics what became of it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::HOST;
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri};
use hyper::body::{Frame, SizeHint};
use tracing::{Level, enabled, info};

use crate::app::App;
use crate::metrics::{Kind, Series};
use crate::routes;
use crate::watchdog::Watchdog;

/// What the requests of one connection have in common.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) app: Arc<App>,
    pub(crate) dog: Arc<Watchdog>,
    pub(crate) peer: SocketAddr,
    /// What the last request was counted as. The next one is mostly of the same kind.
    last: Mutex<Option<Series>>,
}

impl Line {
    pub(crate) fn new(app: Arc<App>, dog: Arc<Watchdog>, peer: SocketAddr) -> Arc<Self> {
        Arc::new(Self { app, dog, peer, last: Mutex::default() })
    }
}

/// What the log says of a request, if it says anything.
#[derive(Debug)]
struct Said {
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
}

/// What is noted of a request once it was answered.
#[derive(Debug)]
pub(crate) struct Account {
    line: Arc<Line>,
    kind: Kind,
    started: Instant,
    bytes: u64,
    said: Option<Box<Said>>,
}

impl Account {
    /// Begins when the head of a request is there.
    pub(crate) fn open<B>(line: &Arc<Line>, request: &Request<B>) -> Self {
        line.dog.busy();
        let said = enabled!(target: "logladder::access", Level::INFO).then(|| {
            let host = request.headers().get(HOST).cloned();
            Box::new(Said { method: request.method().clone(), uri: request.uri().clone(), host })
        });
        // Stands for an answer that never began, because the client left.
        let status = StatusCode::from_u16(499).unwrap_or_default();
        let kind = Kind::of(request.method(), routes::label(request.uri().path()), status);
        Self { line: Arc::clone(line), kind, started: Instant::now(), bytes: 0, said }
    }

    pub(crate) fn answered(mut self, status: StatusCode, body: Body) -> Answering {
        self.kind.status = status.as_u16();
        Answering { body, account: self }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        self.line.dog.idle();
        {
            // At worst, one is looked up once more.
            let mut last = self.line.last.lock().unwrap_or_else(PoisonError::into_inner);
            let series = match &mut *last {
                Some(series) if *series.kind() == self.kind => series,
                other => other.insert(self.line.app.metrics.series(self.kind)),
            };
            series.answered(self.bytes, took);
        }
        let Some(said) = &self.said else { return };
        let host = said.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or("-");
        let url = format!("http://{host}{}", said.uri);
        let (method, peer) = (said.method.as_str(), self.line.peer);
        let (status, bytes) = (self.kind.status, self.bytes);
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
