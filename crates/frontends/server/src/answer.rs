//! What the server answers: JSON, and [`Refusal`] for everything that is not done.

use std::io::ErrorKind;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use logladder_engine::Error;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Why something was not done.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What went wrong, and what can be done.
    pub(crate) error: String,
    /// The stages that can do what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stages: Option<Vec<&'static str>>,
    /// The earliest position that can still be followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) earliest: Option<String>,
}

/// An answer that says what was not done, and why.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) problem: Box<Problem>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let problem = Problem { error: error.into(), ..Problem::default() };
        Self { status, problem: Box::new(problem), header: None }
    }

    pub(crate) fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(crate) fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// The rest of the request is not wanted, so the connection cannot be used for another one.
    pub(crate) fn closing(self) -> Self {
        self.with_header(CONNECTION, "close")
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::InvalidKey { .. }
            | Error::EmptyKey
            | Error::NoCollection { .. }
            | Error::NoMember { .. }
            | Error::InvalidPosition { .. } => StatusCode::BAD_REQUEST,
            Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Unsupported { .. } => StatusCode::NOT_IMPLEMENTED,
            Error::Compacted { .. } => StatusCode::GONE,
            // That a cluster does not let this server in is no fault of the client, who would be told so by a 401.
            Error::Poisoned { .. }
            | Error::Locked { .. }
            | Error::NoQuorum { .. }
            | Error::NotLetIn { .. }
            | Error::OtherCluster { .. } => StatusCode::SERVICE_UNAVAILABLE,
            // What stands behind this server did not answer in time.
            Error::OutcomeUnknown { .. } => StatusCode::GATEWAY_TIMEOUT,
            Error::Contended { .. } => StatusCode::CONFLICT,
            Error::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Error::Io { source, .. }
                if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                StatusCode::INSUFFICIENT_STORAGE
            }
            // A store of the live view that has crashed.
            Error::Io { source, .. } if source.kind() == ErrorKind::NotConnected => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut refusal = Self::new(status, error.to_string());
        if let Error::Compacted { earliest } = error {
            refusal.problem.earliest = Some(earliest.to_string());
        }
        refusal
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &self.problem);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// `body` as JSON, on a line of its own.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(128);
    if let Err(error) = serde_json::to_writer(&mut text, body) {
        // The answers are structures of strings and numbers: this cannot happen, and would be no reason to stop.
        return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
    }
    text.push(b'\n');
    with_type(status, "application/json", text)
}

/// `body` as what `content_type` says it is.
pub(crate) fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A byte string as a part of a JSON answer: see [`logladder_json`].
pub(crate) fn raw(bytes: &[u8]) -> Result<Box<RawValue>, Refusal> {
    let mut text = Vec::with_capacity(bytes.len() + 2);
    logladder_json::encode(bytes, &mut text);
    let failed = |why: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why);
    let text = String::from_utf8(text).map_err(|error| failed(error.to_string()))?;
    RawValue::from_string(text).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_refuses_has_a_status_of_its_own_and_says_what_to_do() {
        let why = || "as it says".to_owned();
        for (error, status) in [
            (Error::Full { why: why() }, 507),
            (Error::NotLetIn { why: why() }, 503),
            (Error::OtherCluster { opened: 1, found: 2 }, 503),
            (Error::NoQuorum { why: why() }, 503),
            (Error::OutcomeUnknown { why: why() }, 504),
            (Error::Cluster { why: why() }, 500),
        ] {
            let said = error.to_string();
            let refusal = Refusal::from(error);
            assert_eq!((refusal.status.as_u16(), &refusal.problem.error), (status, &said));
        }
    }
}
