//! `GET /openapi.json`: the routes as the code has them, made of the same functions and types that answer.

mod bodies;
mod parameters;
mod refused;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};

pub(crate) use self::bodies::{Bytes, JsonKey, JsonKeyOfSome, JsonValue};
pub(crate) use self::parameters::{
    AtVersion, BeforeVersion, Cursor, FromSnapshot, IfMatch, IfNoneMatch, KeyInPath, KeyOfSomeInPath,
    KeysLimit, LastEventId, Prefix, Since, Synced, VersionsLimit,
};
pub(crate) use self::refused::{RefusedBody, RefusedFull, RefusedRequest, RefusedSync, RefusedWrite};
use crate::answer::json;
use crate::app::App;
use crate::routes::{backup, changes, cluster, follower, keys, lists, plain, state};

/// The name of the token among the ways to be let in.
const TOKEN: &str = "token";

#[derive(OpenApi)]
#[openapi(
    info(title = "Logladder", description = "A key-value store over HTTP"),
    paths(
        plain::set,
        plain::get,
        plain::del,
        plain::delete,
        keys::get,
        keys::put,
        keys::delete,
        keys::history,
        lists::list,
        lists::batch,
        changes::changes,
        changes::position,
        state::stats,
        cluster::cluster,
        follower::follower,
        state::compact,
        state::sync,
        backup::backup,
        state::metrics,
        state::healthz,
        state::readyz,
        document
    )
)]
struct Document;

/// These routes, as an OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "server",
    responses((status = 200, description = "the document", body = serde_json::Value), RefusedRequest))]
pub(crate) async fn document(State(app): State<Arc<App>>) -> Response {
    let mut document = Document::openapi();
    if app.options.token.is_some() {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().security_schemes.insert(TOKEN.into(), scheme.into());
        document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], _>(TOKEN, [])]);
        for path in ["/healthz", "/readyz"] {
            if let Some(get) = document.paths.paths.get_mut(path).and_then(|item| item.get.as_mut()) {
                get.security = Some(Vec::new());
            }
        }
    }
    json(StatusCode::OK, &document)
}
