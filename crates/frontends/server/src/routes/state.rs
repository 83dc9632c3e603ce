//! How the store and the server are: statistics, metrics, health; and what is done to the store as a whole.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Problem, Refusal, json, with_type};
use crate::app::App;
use crate::capability::Capability;
use crate::document::{RefusedFull, RefusedRequest, RefusedSync};
use crate::request::Parameters;
use crate::routes::cluster::{ClusterInShort, in_short};
use crate::routes::follower::{LagBody, lag_in_short};

/// How large the store is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatsBody {
    stage: &'static str,
    /// The crash that an acknowledged write survives.
    durability: String,
    live_keys: u64,
    live_bytes: u64,
    disk_bytes: u64,
    index_bytes: u64,
    unwritten_keys: u64,
    failed_writes: u64,
    /// How often writers had to wait for room since the store was opened, of a stage that lets them.
    #[serde(skip_serializing_if = "Option::is_none")]
    stalls: Option<u64>,
    /// How many milliseconds those waits took together.
    #[serde(skip_serializing_if = "Option::is_none")]
    stalled_ms: Option<u64>,
    /// The place behind the newest change, where changes can be followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    /// What opening the store had to cut off, and where it is kept.
    repairs: Vec<String>,
}

/// Sizes and counts. It may take time that grows with the number of keys.
#[utoipa::path(get, path = "/v1/stats", operation_id = "stats", tag = "store",
    responses((status = 200, description = "sizes and counts", body = StatsBody), RefusedRequest))]
pub(crate) async fn stats(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let shown = app.run(|engine| {
        let stats = engine.stats()?;
        Ok(StatsBody {
            stage: engine.name(),
            durability: engine.durability().to_string(),
            live_keys: stats.live_keys,
            live_bytes: stats.live_bytes,
            disk_bytes: stats.disk_bytes,
            index_bytes: stats.index_bytes,
            unwritten_keys: stats.unwritten_keys,
            failed_writes: stats.failed_writes,
            stalls: stats.stalls.map(|stalls| stalls.count),
            stalled_ms: stats.stalls.map(|stalls| u64::try_from(stalls.time.as_millis()).unwrap_or(u64::MAX)),
            position: engine
                .as_changes()
                .map(logladder_engine::Changes::position)
                .transpose()?
                .map(|at| at.to_string()),
            repairs: engine.repairs().iter().map(ToString::to_string).collect(),
        })
    });
    Ok(json(StatusCode::OK, &shown.await?))
}

/// What a compaction gained.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompactedBody {
    bytes_reclaimed: u64,
}

/// Reclaims the space of what was overwritten or deleted, and answers when that is done.
#[utoipa::path(post, path = "/v1/compact", operation_id = "compact", tag = "store",
    responses((status = 200, description = "it is done", body = CompactedBody),
        (status = 501, description = "the stage has nothing to compact", body = Problem),
        RefusedRequest, RefusedFull))]
pub(crate) async fn compact(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let gained = app.run(|engine| {
        let compact = engine.as_compact().ok_or_else(|| Capability::Compact.lacking(engine))?;
        Ok(CompactedBody { bytes_reclaimed: compact.compact()?.bytes_reclaimed })
    });
    Ok(json(StatusCode::OK, &gained.await?))
}

/// Answers when everything that was acknowledged survives a loss of power, as far as the stage can. One without files cannot.
#[utoipa::path(post, path = "/v1/sync", operation_id = "sync", tag = "store",
    responses((status = 204, description = "it is done"), RefusedRequest, RefusedSync, RefusedFull))]
pub(crate) async fn sync(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    app.write(true, |_| Ok(())).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Counts and times of the requests, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "server",
    responses((status = 200, description = "OpenMetrics", content_type = "application/openmetrics-text", body = String),
        RefusedRequest))]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let watchers = app.options.max_watchers - app.watchers.available_permits();
    let lag = app.engine().as_follow().map(logladder_engine::Follow::lag);
    let is_failing = app.failure().await.is_some();
    let stalls = app.run(|engine| Ok(engine.stalls())).await?;
    match app.metrics.text(watchers, is_failing, lag.as_ref(), stalls) {
        Ok(text) => {
            Ok(with_type(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text))
        }
        Err(error) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

/// How it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthBody {
    status: &'static str,
    /// The members behind the store, if there are several. That some do not answer is no reason to end this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cluster: Option<ClusterInShort>,
    /// How far the store is behind the one that it follows, if it is a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    follower: Option<LagBody>,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "server",
    responses((status = 200, description = "it does", body = HealthBody), RefusedRequest))]
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Response {
    let cluster = match app.engine().as_cluster() {
        Some(_) => app.run(in_short).await.ok().flatten(),
        None => None,
    };
    json(StatusCode::OK, &HealthBody { status: "ok", cluster, follower: lag_in_short(app.engine()) })
}

/// Whether it should get requests: it is not shutting down, its last write did not fail, and its store is where it was
/// opened, or is the cluster that was opened; a copy is whole, and no damage was found in it.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "server",
    responses((status = 200, description = "it should", body = HealthBody), RefusedRequest))]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    match app.trouble().await {
        None => Ok(json(StatusCode::OK, &HealthBody { status: "ready", cluster: None, follower: None })),
        Some(trouble) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, trouble)),
    }
}
