//! Writes to a copy: sent on to the server that it follows, or refused.
//!
//! ```text
//!   PUT /v1/keys/a ──► this server, over a copy ──► the leader ──► its answer, as it is
//!                            ▲                          │
//!                            └── the change, a moment later
//! ```
//!
//! A write that was sent on is answered when the leader has answered, which may be before the copy has it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use logladder_engine::{Engine, Follow, FollowState};
use logladder_follower::Leader;
use ureq::http::header::AUTHORIZATION;

use crate::answer::Refusal;
use crate::app::App;
use crate::request;

/// How long the leader may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take to let us in.
const TO_CONNECT: Duration = Duration::from_secs(2);

/// The methods of writes. What has another one is answered here, as the leader would: with what there is to read, or that
/// there is no such method.
const WRITES: [Method; 3] = [Method::PUT, Method::POST, Method::DELETE];

/// What is not a write to the store, though its method looks so.
const HERE: [&str; 3] = ["/v1/sync", "/v1/compact", "/v1/backup"];

/// What a write says beside its body.
const SENT_ON: [axum::http::HeaderName; 3] = [CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH];

/// What its answer says.
const SENT_BACK: [axum::http::HeaderName; 3] = [CONTENT_TYPE, ETAG, ALLOW];

/// Where writes go.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    app: Arc<App>,
    agent: ureq::Agent,
}

impl Forward {
    /// For a store that is a copy; else there is nothing to send on.
    pub(crate) fn of(app: &Arc<App>) -> Option<Self> {
        app.engine().as_follow()?;
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(TO_CONNECT))
            .max_redirects(0)
            .http_status_as_error(false);
        Some(Self { app: Arc::clone(app), agent: config.build().new_agent() })
    }
}

/// Lets reads pass, and does the rest at the leader.
pub(crate) async fn writes(State(forward): State<Forward>, request: Request, next: Next) -> Response {
    if !WRITES.contains(request.method()) || HERE.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let done = match &forward.app.options.forward {
        Some(leader) if !is_known(forward.app.engine()) => Err(unknown(forward.app.engine(), leader)),
        Some(leader) => send_on(&forward, leader.clone(), request).await,
        None => Err(refused(forward.app.engine())),
    };
    done.unwrap_or_else(IntoResponse::into_response)
}

fn refused(engine: &dyn Engine) -> Refusal {
    let leader = engine.as_follow().map(|follow| follow.lag().leader).unwrap_or_default();
    let why = format!("this server has a copy that follows {leader}, and takes no writes: send them there");
    Refusal::new(StatusCode::FORBIDDEN, why)
}

/// Whether the leader has ever answered as such a server does: a copy of it was begun.
fn is_known(engine: &dyn Engine) -> bool {
    let Some(lag) = engine.as_follow().map(Follow::lag) else { return false };
    lag.position.is_some() || !matches!(lag.state, FollowState::Away { .. })
}

fn unknown(engine: &dyn Engine, leader: &Leader) -> Refusal {
    let state = engine.as_follow().map(|follow| follow.lag().state);
    let why = match state {
        Some(FollowState::Away { why }) => why,
        _ => "it was never followed".to_owned(),
    };
    let why = format!("there is no copy of {} yet ({why}); nothing was written", leader.url());
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why)
}

async fn send_on(forward: &Forward, leader: Leader, request: Request) -> Result<Response, Refusal> {
    let (Parts { method, uri, headers, .. }, body) = request.into_parts();
    let body = request::body(&forward.app.options, &headers, body).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut on = ureq::http::Request::builder().method(method).uri(format!("{}{path}", leader.url()));
    for name in SENT_ON {
        for value in headers.get_all(&name) {
            on = on.header(&name, value);
        }
    }
    if let Some(token) = leader.authorization() {
        on = on.header(AUTHORIZATION, token);
    }
    let on = on.body(body.to_vec()).map_err(|error| Refusal::bad(error.to_string()))?;
    // An answer may repeat what was written, as JSON, where a byte can take six.
    let most = (forward.app.options.max_body_bytes as u64).saturating_mul(6).saturating_add(1 << 20);
    let agent = forward.agent.clone();
    let answered = tokio::task::spawn_blocking(move || {
        let mut answer = agent.run(on)?;
        let body = answer.body_mut().with_config().limit(most).read_to_vec()?;
        Ok((answer.status(), answer.headers().clone(), body))
    });
    let failed =
        |error: tokio::task::JoinError| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let (status, headers, body) =
        answered.await.map_err(failed)?.map_err(|error: ureq::Error| unanswered(&leader, &error))?;
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        let said = String::from_utf8_lossy(&body);
        let why = format!(
            "{} does not let this server in ({status}: {}); nothing was written",
            leader.url(),
            said.trim()
        );
        return Err(Refusal::new(StatusCode::BAD_GATEWAY, why));
    }
    if !is_of_a_server(status, &headers) {
        let why = format!(
            "what answers at {} is no logladder server (it says {status}): nobody knows whether it was written; read, then \
             decide",
            leader.url()
        );
        return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, why));
    }
    let mut response = (status, body).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    for name in SENT_BACK {
        if let Some(value) = headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    Ok(response)
}

/// Whether a server like this one answers so: with JSON, or that there is nothing to say. A proxy before it that finds
/// nobody does not.
fn is_of_a_server(status: StatusCode, headers: &HeaderMap) -> bool {
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|found| found.as_bytes() == b"application/json");
    is_json || status == StatusCode::NO_CONTENT
}

/// Whether the write was done is known only if it was never sent.
fn unanswered(leader: &Leader, error: &ureq::Error) -> Refusal {
    let url = leader.url();
    let was_never_sent = match error {
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed => true,
        _ => false,
    };
    if was_never_sent {
        let why = format!("the leader {url} cannot be reached ({error}); nothing was written");
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why);
    }
    let why = format!(
        "the leader {url} did not answer ({error}): nobody knows whether it was written; read, then decide"
    );
    Refusal::new(StatusCode::GATEWAY_TIMEOUT, why)
}
