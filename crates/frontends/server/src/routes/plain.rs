//! The small face: `/set`, `/get/{key}`, `/del/{key}` and `/delete/{key}`, JSON in and out.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use logladder_engine::Engine;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::answer::{Problem, Refusal, json, raw};
use crate::app::App;
use crate::document::{
    JsonKey, JsonKeyOfSome, JsonValue, KeyOfSomeInPath, RefusedBody, RefusedFull, RefusedRequest,
    RefusedSync, RefusedWrite, Synced,
};
use crate::entry::{self, Conditions};
use crate::json::parse;
use crate::request::{self, Parameters, key_after};

/// What to write.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SetBody<'b> {
    /// The key, which is not empty.
    #[serde(borrow)]
    #[schema(value_type = JsonKeyOfSome, required = true)]
    key: Option<&'b RawValue>,
    /// The value: any JSON but null.
    #[serde(borrow)]
    #[schema(value_type = JsonValue, required = true)]
    value: Option<&'b RawValue>,
}

/// A key, its value, and its version in a stage that has them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryBody {
    #[schema(value_type = JsonKey)]
    key: Box<RawValue>,
    #[schema(value_type = JsonValue)]
    value: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedBody {
    message: &'static str,
    #[schema(value_type = JsonKey)]
    key: Box<RawValue>,
}

/// The text of a part that is there and not null.
fn given(part: Option<&RawValue>) -> Option<&RawValue> {
    part.filter(|text| text.get() != "null")
}

fn decoded<'b>(text: &'b RawValue, what: &str) -> Result<Cow<'b, [u8]>, Refusal> {
    logladder_json::decode_raw(text).map_err(|error| Refusal::bad(format!("the {what}: {error}")))
}

/// A key in JSON: a string, the wrapper of a byte string, or an object or an array for its own text, as answers have it.
pub(crate) fn decoded_key(text: &RawValue) -> Result<Cow<'_, [u8]>, Refusal> {
    if !text.get().starts_with(['"', '{', '[']) {
        return Err(Refusal::bad(format!(
            "the key must be a string, or an object or an array for its own text, and is {}",
            text.get()
        )));
    }
    decoded(text, "key")
}

pub(crate) fn decoded_value(text: &RawValue) -> Result<Cow<'_, [u8]>, Refusal> {
    decoded(text, "value")
}

/// Creates a key or updates it.
#[utoipa::path(post, path = "/set", operation_id = "set", tag = "small face", request_body = SetBody, params(Synced),
    responses((status = 201, description = "it is set", body = EntryBody),
        RefusedRequest, RefusedBody, RefusedWrite, RefusedFull))]
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let sync = Parameters::read(&uri, &["sync"])?.flag("sync")?;
    Conditions::refuse(&headers)?;
    let body = request::body(&app.options, &headers, body).await?;
    let written = app.write(sync, move |engine| {
        let body: SetBody<'_> = parse(&body)?;
        let required = || Refusal::bad("Key and value required");
        let (key, value) = given(body.key).zip(given(body.value)).ok_or_else(required)?;
        let (key, value) = (decoded_key(key)?, decoded_value(value)?);
        if key.is_empty() {
            return Err(required());
        }
        engine.set(&key, &value)?;
        let version = entry::version_of(engine, &key, &value)?;
        Ok(EntryBody { key: raw(&key)?, value: raw(&value)?, version })
    });
    Ok(json(StatusCode::CREATED, &written.await?))
}

fn key_of<'u>(uri: &'u Uri, prefix: &str) -> Result<Cow<'u, [u8]>, Refusal> {
    let key = key_after(uri, prefix)?;
    if key.is_empty() { Err(Refusal::bad("Key required")) } else { Ok(key) }
}

fn absent() -> Refusal {
    Refusal::not_found("Key not found")
}

/// The value of a key.
#[utoipa::path(get, path = "/get/{key}", operation_id = "get", tag = "small face", params(KeyOfSomeInPath),
    responses((status = 200, description = "it is there", body = EntryBody),
        (status = 404, description = "it is not there", body = Problem), RefusedRequest, RefusedWrite))]
pub(crate) async fn get(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let found = app.read(move |engine| {
        let key = key_of(&uri, "/get/")?;
        let found = entry::look(engine, &key)?.ok_or_else(absent)?;
        Ok(EntryBody { key: raw(&key)?, value: raw(&found.value)?, version: found.version })
    });
    Ok(json(StatusCode::OK, &found.await?))
}

/// Deletes a key that is there.
async fn remove(app: &Arc<App>, uri: &Uri, headers: &HeaderMap, prefix: &str) -> Result<Vec<u8>, Refusal> {
    Conditions::refuse(headers)?;
    let sync = Parameters::read(uri, &["sync"])?.flag("sync")?;
    let key = key_of(uri, prefix)?.into_owned();
    app.write(sync, move |engine| {
        remove_present(engine, &key)?;
        Ok(key)
    })
    .await
}

/// In a stage that cannot compare before it writes, two that delete a key at once may both hear that it was there.
fn remove_present(engine: &dyn Engine, key: &[u8]) -> Result<(), Refusal> {
    if engine.as_atomic().is_some() {
        return entry::replace(engine, key, None, |found| found.map(|_| ()).ok_or_else(absent));
    }
    entry::look(engine, key)?.ok_or_else(absent)?;
    Ok(engine.delete(key)?)
}

/// Deletes a key, without a body in the answer.
#[utoipa::path(delete, path = "/del/{key}", operation_id = "del", tag = "small face", params(KeyOfSomeInPath, Synced),
    responses((status = 204, description = "it was there"), (status = 404, description = "it was not there", body = Problem),
        (status = 409, description = "others write this key all the time", body = Problem),
        RefusedRequest, RefusedSync, RefusedWrite, RefusedFull))]
pub(crate) async fn del(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    remove(&app, &uri, &headers, "/del/").await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Deletes a key, and says which.
#[utoipa::path(delete, path = "/delete/{key}", operation_id = "delete", tag = "small face", params(KeyOfSomeInPath, Synced),
    responses((status = 200, description = "it was there", body = DeletedBody), (status = 404, description = "it was not there", body = Problem),
        (status = 409, description = "others write this key all the time", body = Problem),
        RefusedRequest, RefusedSync, RefusedWrite, RefusedFull))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let key = remove(&app, &uri, &headers, "/delete/").await?;
    Ok(json(StatusCode::OK, &DeletedBody { message: "Deleted successfully", key: raw(&key)? }))
}
