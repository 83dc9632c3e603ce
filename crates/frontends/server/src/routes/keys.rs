//! `/v1/keys/{key}`: raw bytes in and out, with versions as `ETag`s.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, ETAG, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::answer::{Problem, Refusal, json, raw, with_type};
use crate::app::App;
use crate::capability::Capability;
use crate::document::{
    AtVersion, BeforeVersion, Bytes, IfMatch, IfNoneMatch, JsonKey, JsonValue, KeyInPath, RefusedBody,
    RefusedFull, RefusedRequest, RefusedSync, RefusedWrite, Synced, VersionsLimit,
};
use crate::entry::{self, Conditions, Found};
use crate::request::{self, Parameters, decode, key_after};

const PREFIX: &str = "/v1/keys/";

/// How many versions one answer shows at most, and about how many bytes of them.
pub(crate) const MOST_VERSIONS: usize = 1000;
const MOST_BYTES: usize = 8 << 20;

/// The key whose history the path names. A key that itself ends with these letters is reached as `…%2Fhistory`.
fn key_before_history(uri: &Uri) -> Option<&str> {
    uri.path().strip_prefix(PREFIX)?.strip_suffix("/history")
}

/// That `method` is none for the history of a key. Else a value would be written that the same path does not show.
pub(super) fn refuse_for_history(method: &Method, uri: &Uri) -> Result<(), Refusal> {
    let Some(key) = key_before_history(uri) else { return Ok(()) };
    let why = format!(
        "{method} does not go with the history of a key; the key that ends so is written {PREFIX}{key}%2Fhistory"
    );
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, why).with_header(ALLOW, "GET,HEAD"))
}

fn tagged(mut response: Response, tag: String) -> Response {
    // Digits, hexadecimal digits and quotes: always a header.
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn bytes_of(found: Found, tag: String) -> Response {
    let mut response = with_type(StatusCode::OK, "application/octet-stream", found.value);
    // What someone stored is never run by a browser.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    tagged(response, tag)
}

/// The value of a key as it was stored, now or in an earlier version.
#[utoipa::path(get, path = "/v1/keys/{key}", operation_id = "get_value", tag = "raw bytes",
    params(KeyInPath, AtVersion, IfMatch, IfNoneMatch),
    responses(
        (status = 200, description = "the value", content_type = "application/octet-stream", body = Bytes,
            headers(("etag" = String, description = "its version, or the head of its SHA-256"))),
        (status = 304, description = "it is the value that the client has"),
        (status = 404, description = "there is no value", body = Problem),
        (status = 412, description = "a condition does not hold", body = Problem),
        (status = 501, description = "the stage has no versions", body = Problem), RefusedRequest, RefusedWrite))]
pub(crate) async fn get(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let (Parts { uri, headers, .. }, _) = request.into_parts();
    if let Some(key) = key_before_history(&uri) {
        let key = decode(key)?.into_owned();
        return history(&app, &uri, key).await;
    }
    let at = Parameters::read(&uri, &["at"])?.number("at")?;
    let conditions = Conditions::read(&headers)?;
    let found = app.read(move |engine| {
        let key = key_after(&uri, PREFIX)?;
        let absent = || Refusal::not_found("Key not found");
        let Some(version) = at else { return entry::look(engine, &key)?.ok_or_else(absent) };
        let history = engine.as_history().ok_or_else(|| Capability::History.lacking(engine))?;
        match history.get_at(&key, version)? {
            Some(Some(value)) => Ok(Found { value, version: Some(version) }),
            Some(None) => Err(Refusal::not_found(format!("the key was deleted in version {version}"))),
            None => Err(Refusal::not_found(format!(
                "there is no version {version} of this key, or none any more"
            ))),
        }
    });
    let found = found.await?;
    let tag = found.tag();
    match conditions.hold(Some(&found)) {
        (true, true) => Ok(bytes_of(found, tag)),
        (true, false) => Ok(tagged(StatusCode::NOT_MODIFIED.into_response(), tag)),
        (false, _) => Err(Refusal::new(StatusCode::PRECONDITION_FAILED, format!("the value there is {tag}"))),
    }
}

/// Sets a key to the body, whatever it holds.
#[utoipa::path(put, path = "/v1/keys/{key}", operation_id = "put_value", tag = "raw bytes",
    params(KeyInPath, Synced, IfMatch, IfNoneMatch),
    request_body(content = Bytes, content_type = "application/octet-stream"),
    responses(
        (status = 204, description = "it is set",
            headers(("etag" = String, description = "its version, or the head of its SHA-256"))),
        (status = 409, description = "others write this key all the time", body = Problem),
        (status = 412, description = "a condition does not hold; nothing was written", body = Problem),
        RefusedRequest, RefusedBody, RefusedWrite, RefusedFull))]
pub(crate) async fn put(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    refuse_for_history(&Method::PUT, &uri)?;
    let sync = Parameters::read(&uri, &["sync"])?.flag("sync")?;
    let conditions = Conditions::read(&headers)?;
    let value = request::body(&app.options, &headers, body).await?;
    let tag = app.write(sync, move |engine| {
        let key = key_after(&uri, PREFIX)?;
        if conditions.is_none() {
            engine.set(&key, &value)?;
        } else {
            entry::write_if(engine, &key, &conditions, Some(&value))?;
        }
        Ok(entry::tag(entry::version_of(engine, &key, &value)?, &value))
    });
    Ok(tagged(StatusCode::NO_CONTENT.into_response(), tag.await?))
}

/// Deletes a key. One that is not there is fine.
#[utoipa::path(delete, path = "/v1/keys/{key}", operation_id = "delete_value", tag = "raw bytes",
    params(KeyInPath, Synced, IfMatch, IfNoneMatch),
    responses((status = 204, description = "it is not there any more"),
        (status = 409, description = "others write this key all the time", body = Problem),
        (status = 412, description = "a condition does not hold; nothing was written", body = Problem),
        RefusedRequest, RefusedSync, RefusedWrite, RefusedFull))]
pub(crate) async fn delete(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let (Parts { uri, headers, .. }, _) = request.into_parts();
    refuse_for_history(&Method::DELETE, &uri)?;
    let sync = Parameters::read(&uri, &["sync"])?.flag("sync")?;
    let conditions = Conditions::read(&headers)?;
    app.write(sync, move |engine| {
        let key = key_after(&uri, PREFIX)?;
        if conditions.is_none() {
            Ok(engine.delete(&key)?)
        } else {
            entry::write_if(engine, &key, &conditions, None)
        }
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a key was.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryBody {
    #[schema(value_type = JsonKey)]
    key: Box<RawValue>,
    /// The newest first.
    versions: Vec<VersionBody>,
}

/// One version of a key: with a value, or deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionBody {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonValue>, nullable = false)]
    value: Option<Box<RawValue>>,
    deleted: bool,
}

/// The versions of a key, the newest first. `?before=VERSION` goes on where an answer ended.
#[utoipa::path(get, path = "/v1/keys/{key}/history", operation_id = "get_history", tag = "raw bytes",
    params(KeyInPath, VersionsLimit, BeforeVersion),
    responses((status = 200, description = "the versions; none if the key never was", body = HistoryBody),
        (status = 501, description = "the stage has no versions", body = Problem), RefusedRequest, RefusedWrite))]
pub(crate) async fn history(app: &Arc<App>, uri: &Uri, key: Vec<u8>) -> Result<Response, Refusal> {
    let parameters = Parameters::read(uri, &["limit", "before"])?;
    let limit = parameters.limit(100, MOST_VERSIONS)?;
    let before = parameters.number("before")?.unwrap_or(u64::MAX);
    let shown = app.run(move |engine| {
        let history = engine.as_history().ok_or_else(|| Capability::History.lacking(engine))?;
        let (mut versions, mut bytes) = (Vec::new(), 0);
        history.versions(&key, &mut |version| {
            if version.number < before {
                bytes += version.value.map_or(0, <[u8]>::len);
                versions.push((version.number, version.value.map(<[u8]>::to_vec)));
            }
            if versions.len() < limit && bytes < MOST_BYTES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        let body = |(version, value): (u64, Option<Vec<u8>>)| {
            let deleted = value.is_none();
            Ok(VersionBody { version, value: value.map(|value| raw(&value)).transpose()?, deleted })
        };
        let versions = versions.into_iter().map(body).collect::<Result<_, Refusal>>()?;
        Ok(HistoryBody { key: raw(&key)?, versions })
    });
    Ok(json(StatusCode::OK, &shown.await?))
}
