//! `GET /openapi.json`: the routes as the code has them.

use axum::http::StatusCode;
use axum::response::Response;
use utoipa::OpenApi;

use super::{changes, keys, lists, plain, state};
use crate::answer::json;

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
        state::stats,
        state::compact,
        state::sync,
        state::metrics,
        state::healthz,
        state::readyz
    )
)]
struct Document;

pub(crate) async fn document() -> Response {
    json(StatusCode::OK, &Document::openapi())
}
