//! The routes: which path does what.

pub(crate) mod backup;
pub(crate) mod changes;
pub(crate) mod cluster;
pub(crate) mod follower;
pub(crate) mod keys;
pub(crate) mod lists;
pub(crate) mod plain;
pub(crate) mod state;

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};

use crate::answer::Refusal;
use crate::app::App;
use crate::document;
use crate::forward::{self, Forward};
use crate::view;

/// Every route. A key may hold `/` as it is, so what stands behind the prefix is the key.
pub(crate) fn router(app: Arc<App>) -> Router {
    let forward = Forward::of(&app);
    let router = Router::new()
        .route("/set", post(plain::set))
        .route("/get/", get(plain::get))
        .route("/get/{*key}", get(plain::get))
        .route("/del/", delete(plain::del))
        .route("/del/{*key}", delete(plain::del))
        .route("/delete/", delete(plain::delete))
        .route("/delete/{*key}", delete(plain::delete))
        .route("/v1/keys", get(lists::list))
        .route("/v1/keys/", get(keys::get).put(keys::put).delete(keys::delete))
        .route("/v1/keys/{*key}", get(keys::get).put(keys::put).delete(keys::delete))
        .route("/v1/batch", post(lists::batch))
        .route("/v1/changes", get(changes::changes))
        .route("/v1/stats", get(state::stats))
        .route("/v1/position", get(changes::position))
        .route("/v1/cluster", get(cluster::cluster))
        .route("/v1/follower", get(follower::follower))
        .route("/v1/compact", post(state::compact))
        .route("/v1/sync", post(state::sync))
        .route("/v1/backup", post(backup::backup))
        .route("/metrics", get(state::metrics))
        .route("/healthz", get(state::healthz))
        .route("/readyz", get(state::readyz))
        .route("/openapi.json", get(document::document))
        .merge(view::router(app.options.view.as_ref()))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app);
    match forward {
        Some(forward) => router.layer(from_fn_with_state(forward, forward::writes)),
        None => router,
    }
}

/// The path as the metrics name it: without the key, so that there are only so many.
pub(crate) fn label(path: &str) -> &'static str {
    const WITH_KEY: [&str; 4] = ["/get/", "/del/", "/delete/", "/v1/keys/"];
    const OTHERS: [&str; 15] = [
        "/set",
        "/v1/keys",
        "/v1/batch",
        "/v1/changes",
        "/v1/stats",
        "/v1/position",
        "/v1/cluster",
        "/v1/follower",
        "/v1/compact",
        "/v1/sync",
        "/v1/backup",
        "/metrics",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ];
    if path == "/view" || path.starts_with("/view/") {
        return "/view";
    }
    let with_key = WITH_KEY.into_iter().find(|prefix| path.starts_with(prefix));
    with_key.or_else(|| OTHERS.into_iter().find(|other| *other == path)).unwrap_or("unknown")
}

async fn unknown(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is no route {}; /openapi.json lists them", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    if let Err(refusal) = keys::refuse_for_history(&method, &uri) {
        return refusal;
    }
    let why = format!("{method} does not go with {}; the header Allow says what does", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, why)
}
