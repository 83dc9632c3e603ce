//! One connection: its requests, one after the other, within their times.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tower_service::Service;
use tracing::{debug, error};

use crate::access::{Account, Answering, Line};
use crate::answer::Refusal;
use crate::app::{App, Life};
use crate::cors;
use crate::guard;
use crate::watchdog::{Watchdog, Watched};

/// The longest head of a request, in bytes. A key of 65,535 letters has room in a body, and here if it is shorter.
const MOST_HEAD: usize = 128 << 10;

/// Answers the requests of one client until it goes, is too slow, or the server stops.
pub(crate) async fn serve(
    app: Arc<App>,
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    // Answers are small, and are not held back to be sent with others.
    let _ = stream.set_nodelay(true);
    app.metrics.connected();
    let dog = Watchdog::new();
    let shared = Line::new(Arc::clone(&app), Arc::clone(&dog), peer);
    let service = service_fn(|request| answer(&shared, &router, request));
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&dog), place, app.options.body_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The watchdog tells the head of a request from the wait before it.
        .header_read_timeout(None)
        .max_buf_size(MOST_HEAD)
        // Who has sent all of a request and says no more is answered all the same.
        .half_close(true)
        .serve_connection(io, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut slow = pin!(Arc::clone(&dog).bark(&app.options));
    let mut life = app.life.subscribe();
    let mut is_told = false;
    loop {
        let next = if is_told { Life::Over } else { Life::Draining };
        tokio::select! {
            outcome = connection.as_mut() => {
                if let Err(error) = outcome {
                    debug!("the connection from {peer} broke off: {error}");
                }
                break;
            }
            what = slow.as_mut() => {
                debug!("cut {peer} off: it took too long over {what}");
                break;
            }
            _ = life.wait_for(|life| *life >= next) => {
                if is_told {
                    break;
                }
                is_told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    app.metrics.disconnected();
}

async fn answer(
    line: &Arc<Line>,
    router: &Router,
    request: Request<Incoming>,
) -> Result<Response<Answering>, Infallible> {
    let account = Account::open(line, &request);
    let origin = cors::allowed_origin(&line.app.options, request.headers());
    let response = match guard::check(&line.app.options, request.uri(), request.headers()) {
        _ if origin.is_some() && cors::is_preflight(&request) => {
            line.dog.set_unread(!request.body().is_end_stream());
            cors::preflight()
        }
        Ok(()) => {
            // A router is always ready.
            let answering = async { router.clone().call(request.map(|body| incoming(line, body))).await };
            match AssertUnwindSafe(answering).catch_unwind().await {
                Ok(Ok(response)) => response,
                Err(_) => {
                    error!("a request from {} panicked; this is a defect of the server", line.peer);
                    let why = "the server failed at this request; what it did is not known";
                    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
                }
            }
        }
        Err(refusal) => {
            line.dog.set_unread(!request.body().is_end_stream());
            refusal.into_response()
        }
    };
    let (mut parts, body) = response.into_parts();
    if let Some(origin) = origin {
        cors::share(&mut parts.headers, origin);
    }
    let body = account.answered(parts.status, body);
    Ok(Response::from_parts(parts, body))
}

/// The body of a request. Whether it was read to its end is noted, if there is one.
fn incoming(line: &Line, body: Incoming) -> Body {
    if body.is_end_stream() {
        return Body::new(body);
    }
    line.dog.set_unread(true);
    Body::new(Received { body, dog: Arc::clone(&line.dog) })
}

/// The body of a request, on its way in.
struct Received {
    body: Incoming,
    dog: Arc<Watchdog>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) {
            self.dog.set_unread(false);
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

/// What a client is told for which there is no room.
pub(crate) fn farewell() -> String {
    const TEXT: &str = "{\"error\":\"too many connections: try again later\"}\n";
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{TEXT}",
        TEXT.len()
    )
}

/// Reads until the client closes. Closing with something unread would take back what was sent last.
pub(crate) async fn discard_rest(stream: &mut (impl AsyncRead + Unpin)) {
    let mut unread = [0; 4096];
    while let Ok(1..) = stream.read(&mut unread).await {}
}
